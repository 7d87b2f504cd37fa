// The geometry of the bar below the page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { fit, follows, faster, grid, hit, leaf, moment, next, pan, place, reach, row, SHORTEST_S, speedName, speedOf, whole, zoom } from "../../../web/static/js/timeline.js";

const NOW = 1_800_000_000;
const YEAR = 366 * 86_400;
const BEGUN = NOW - 3 * YEAR;

test("the first look is the last day, or the whole of a younger tape, and its end is in it", () => {
  const day = whole(BEGUN, NOW);
  assert.ok(Math.abs(day.to - day.from - 86_400) < 1 && follows(day, NOW) && day.to < NOW + 900);
  const young = whole(NOW - 3600, NOW);
  assert.ok(young.from <= NOW - 3560 && young.to >= NOW);
  const blank = whole(NaN, NOW);
  assert.ok(blank.to - blank.from >= 890);
});

test("zooming goes from a year to a minute and no further, and keeps the moment under the finger", () => {
  let shown = whole(BEGUN, NOW, YEAR);
  assert.ok(Math.abs(shown.to - shown.from - YEAR) < 86_400);
  const held = NOW - YEAR / 3;
  for (let k = 0; k < 60; k += 1) {
    const before = place(shown, 1000, held);
    shown = zoom(shown, 0.7, held, BEGUN, NOW);
    assert.ok(Math.abs(place(shown, 1000, held) - before) < 0.5, String(k));
  }
  assert.ok(Math.abs(shown.to - shown.from - SHORTEST_S) < 1e-6);
  for (let k = 0; k < 80; k += 1) shown = zoom(shown, 1.5, held, BEGUN, NOW);
  assert.ok(shown.to - shown.from <= YEAR + 1);
});

test("what is shown stays on the tape, however it is pushed", () => {
  for (const by of [-10 * YEAR, -1e5, -1, 0, 1, 1e5, 10 * YEAR]) {
    const shown = pan(whole(BEGUN, NOW), by, BEGUN, NOW);
    assert.ok(shown.from >= BEGUN - 1 && shown.to <= NOW + 0.011 * (shown.to - shown.from), String(by));
    assert.ok(Math.abs(shown.to - shown.from - 86_400) < 1);
  }
  const beyond = fit({ from: NOW + 5000, to: NOW + 6000 }, BEGUN, NOW);
  assert.ok(beyond.to <= NOW + 11);
});

test("pixels and moments are each other's inverse, within what can be watched", () => {
  const shown = { from: NOW - 1000, to: NOW + 10 };
  for (const at of [NOW - 1000, NOW - 333.5, NOW]) assert.ok(Math.abs(moment(shown, 640, place(shown, 640, at), BEGUN, NOW) - at) < 1e-6);
  assert.equal(moment(shown, 640, 9999, BEGUN, NOW), NOW);
  assert.equal(moment(shown, 640, -9999, NOW - 500, NOW), NOW - 500);
});

test("labels stand on round times of the zone, far enough apart", () => {
  for (const length of [60, 600, 86_400, 7 * 86_400, YEAR]) {
    const shown = { from: NOW - length, to: NOW };
    const { step, at } = grid(shown, 800, 80, 5400);
    assert.ok(at.length >= 1 && at.length <= 11, `${length} ${at.length}`);
    for (const one of at) {
      if (length < YEAR) assert.equal((one + 5400) % step, 0);
      // A year is told by the first days of its months.
      else assert.match(new Date((one + 5400) * 1000).toISOString(), /-01T00:00:00/);
    }
    assert.ok(place(shown, 800, shown.from + step) >= 80);
  }
  assert.deepEqual(grid({ from: NaN, to: NaN }, 800, 80).at, []);
  assert.equal(grid({ from: NOW - YEAR, to: NOW }, 100, 96).at.length, 1);
});

test("a finger finds the nearest mark, a moment before the span around it", () => {
  const shown = { from: 0, to: 1000 };
  const moments = { id: "m", since: 500, until: null };
  const span = { id: "s", since: 400, until: 700 };
  assert.equal(hit(shown, 1000, [span, moments], 503, 8).id, "m");
  assert.equal(hit(shown, 1000, [span, moments], 600, 8).id, "s");
  assert.equal(hit(shown, 1000, [span, moments], 720, 8), null);
});

test("next and previous leave the one that one stands on", () => {
  assert.equal(next([10, 20, 30], 20, 1), 30);
  assert.equal(next([30, 10, 20], 20, -1), 10);
  assert.ok(Number.isNaN(next([10, 20], 20, 1)));
  assert.ok(Number.isNaN(next([], 20, -1)));
});

test("reaching a moment moves the bar only when it is out of sight", () => {
  const shown = { from: NOW - 1000, to: NOW };
  assert.equal(reach(shown, NOW - 10, BEGUN, NOW), shown);
  const moved = reach(shown, NOW - 5000, BEGUN, NOW);
  assert.ok(moved.from < NOW - 5000 && moved.to > NOW - 5000 && Math.abs(moved.to - moved.from - 1000) < 1e-6);
});

test("the page of charts around a moment holds it in its middle, and is the same for all near it", () => {
  for (let at = NOW; at < NOW + 2000; at += 7) {
    const { from, to } = leaf(at, 900);
    assert.equal(to - from, 900);
    assert.ok(at - from >= 225 - 1e-6 && to - at >= 225 - 1e-6);
  }
  assert.deepEqual(leaf(NOW + 1, 900), leaf(NOW + 2, 900));
});

test("a row is the last at or before the moment", () => {
  const at = Float64Array.of(1, 2, 3);
  assert.deepEqual([0.5, 1, 1.5, 3, 9].map((one) => row(at, one)), [-1, 0, 0, 2, 2]);
  assert.equal(row([], 1), -1);
});

test("speeds go up and down by one, and are read back from the address", () => {
  assert.equal(faster(1), 2);
  assert.equal(faster(0.25, -1), 0.25);
  assert.equal(faster(1000), "max");
  assert.equal(faster("max"), "max");
  assert.equal(speedOf("0.25"), 0.25);
  assert.equal(speedOf("max"), "max");
  assert.equal(speedOf("7"), 1);
  assert.equal(speedName(0.25), ".25×");
});
