// When a picture may be moved on, by node's own runner: `node --test tests/browser/js/`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { pixels, told } from "../../../web/static/js/slide.js";

const WIDTH = 450;
const table = (times, { broken = NaN, hole = NaN, value = (at) => at } = {}) => {
  const at = Float64Array.from(times);
  const marked = (moment) => Uint8Array.from(at, (one) => Number(one === moment));
  return { at, broken: marked(broken), holes: marked(hole), lines: [{ raw: at.map(value) }] };
};
const every = (pace_s, until) => Array.from({ length: Math.floor((until - 100) / pace_s) + 1 }, (_, k) => 100 + k * pace_s);
const rows = (holes) => table(every(1, 1_009), holes);
/** A picture of 100 to 1000 that shows these rows. */
const showing = (shown) => ({ from: 100, to: 1_000, first: 200, next: 1_060, margin_s: 20, ...told(100, shown) });
const drawn = showing(table(every(1, 1_000)));
const moved = (by_s, { of = drawn, grown = 0, ...holes } = {}) => pixels(of, { from: 100 + by_s - grown, to: 1_000 + by_s }, WIDTH, rows(holes));

test("a picture moves by whole pixels, and what is less waits", () => {
  assert.equal(moved(2), 1);
  assert.equal(moved(3.9), 1);
  assert.equal(moved(9), 4);
  assert.equal(moved(1.5), 0);
});

test("another scale, a leap and a way back are drawn anew", () => {
  assert.ok(Number.isNaN(moved(4, { grown: 4 })));
  assert.ok(Number.isNaN(moved(400)));
  assert.ok(Number.isNaN(moved(-4)));
});

test("a label that is due, or that would stand in the values' column, has it drawn anew", () => {
  assert.equal(moved(20, { of: { ...drawn, next: 999 } }), NaN);
  assert.equal(moved(20, { of: { ...drawn, first: 139 } }), NaN);
  assert.equal(moved(20, { of: { ...drawn, first: 141 } }), 10);
  // No label at all is no reason to; nothing known of labels is.
  assert.equal(moved(4, { of: { ...drawn, first: Infinity } }), 2);
  assert.equal(moved(4, { of: { ...drawn, next: NaN } }), NaN);
});

test("a hole that ended since is shaded over its whole length, which only a new drawing does", () => {
  assert.equal(moved(4, { broken: 1_003 }), NaN);
  assert.equal(moved(4, { hole: 1_001 }), NaN);
  assert.equal(moved(4, { broken: 900, hole: 901 }), 2);
});

/** What is done to the picture that shows `before` when it has to end at 1004 and show `after`. */
const then = (before, after) => pixels(showing(table(before)), { from: 104, to: 1_004 }, WIDTH, table(after));

test("a row whose way from the one before was not drawn yet has it drawn anew, at any pace", () => {
  for (const pace_s of [15, 60]) {
    const before = every(pace_s, 990);
    assert.equal(then(before, before), 2);
    assert.equal(then(before, [...before, before.at(-1) + pace_s]), NaN);
    assert.equal(then(before, [...before, 1_003]), NaN);
  }
  // Of a row within what is drawn again the way is drawn as well.
  assert.equal(then([...every(15, 990), 997], [...every(15, 990), 997, 1_003]), 2);
});

test("a backlog is drawn anew, whether it begins long ago or reaches to the end at once", () => {
  const before = every(1, 960);
  assert.equal(then(before, every(1, 1_004)), NaN);
  assert.equal(then(before, every(1, 970)), NaN);
  assert.equal(then([], every(1, 1_004)), NaN);
});

test("a late row, and what completes one that is long drawn, have it drawn anew", () => {
  const before = every(1, 1_000);
  assert.equal(then(before, [...before, 1_001]), 2);
  assert.equal(then(before, [...before.slice(0, 400), before[400] - 0.5, ...before.slice(400), 1_001]), NaN);
  const slow = every(15, 990);
  const completed = table(slow, { value: (at) => (at === slow.at(-1) ? 7 : at) });
  assert.equal(pixels(showing(table(slow)), { from: 104, to: 1_004 }, WIDTH, completed), NaN);
});

test("rows that left on the left are no late ones", () => {
  const before = every(1, 1_008);
  const cut = pixels({ ...showing(table(before)), from: 110, to: 1_010, first: 210, next: 1_070, ...told(110, table(before)) }, { from: 114, to: 1_014 }, WIDTH, table(every(1, 1_010).slice(9)));
  assert.equal(cut, 2);
});
