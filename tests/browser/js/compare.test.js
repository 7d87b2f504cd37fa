// What two moments need to be compared: one scale, the same series, and how far figures are apart.

import assert from "node:assert/strict";
import { test } from "node:test";

import { difference } from "../../../web/static/js/difference.js";
import { measured, percent } from "../../../web/static/js/format.js";
import { Level } from "../../../web/static/js/level.js";
import { lineup } from "../../../web/static/js/lineup.js";

const share = (value) => ({ number: percent(value), unit: "%" });
const rate = (...values) => measured("bytes_per_second", ...values);
const time = (...values) => measured("seconds", ...values);

test("shares differ by points, all else by its size and a part of what it was", () => {
  assert.deepEqual(difference(97, 40, share), { sign: "more", words: "+57.0 points" });
  assert.deepEqual(difference(4.7, 8.3, share), { sign: "less", words: "\u22123.6 points" });
  assert.deepEqual(difference(3e6, 2e6, rate), { sign: "more", words: "+1.00 MB/s · +50 %" });
  assert.deepEqual(difference(1e6, 2e6, rate), { sign: "less", words: "\u22121.00 MB/s · \u221250 %" });
  assert.deepEqual(difference(2e7, 1e6, rate), { sign: "more", words: "+19.0 MB/s · 20.0×" });
  assert.deepEqual(difference(1e6, 0, rate), { sign: "more", words: "+1.00 MB/s" });
});

test("between two figures of one unit the difference is of that unit, too", () => {
  assert.deepEqual(difference(0.014, 0.013, time), { sign: "more", words: "+1.00 ms · +8 %" });
  assert.deepEqual(difference(0.0009, 0.0012, time), { sign: "less", words: "\u2212300 µs · \u221225 %" });
});

test("what reads alike is no difference, and what is not known is none either", () => {
  assert.equal(difference(5, 5, share).sign, "same");
  assert.equal(difference(5, 5.0001, share).sign, "same");
  assert.deepEqual(difference(5, NaN, share), { sign: "none", words: "nothing to compare" });
});

test("all pictures reach as far as the furthest, and hear when that changes", () => {
  const level = new Level();
  const heard = [];
  const off = level.on("b", () => heard.push("b"));
  level.on("a", () => heard.push("a"));
  assert.deepEqual(level.join("a", { most: 10, least: 0 }), { most: 10, least: 0 });
  assert.deepEqual(level.join("b", { most: 4, least: -3 }), { most: 10, least: -3 });
  assert.deepEqual(heard, ["b", "a"]);
  const { mark } = level;
  level.join("b", { most: 5, least: -3 });
  assert.equal(level.mark, mark);
  level.leave("a");
  assert.deepEqual([level.most, level.mark > mark], [5, true]);
  off();
  assert.deepEqual(level.join("a", { most: 1, least: 0 }), { most: 1, least: 0 });
});

test("charts are of what either moment has to show; of commands only the busiest, and those that are there", () => {
  const named = (id, name) => ({ id, name });
  const commands = Array.from({ length: 12 }, (_, k) => named(10 + k, "system_process_cpu_ratio"));
  const all = new Map([["vm", [named(1, "a"), named(2, "b"), named(3, "c"), ...commands]]]);
  const view = (seen, seq = 1) => ({ seq, of_source: all, latest_at: new Map(seen), latest: new Map(commands.map(({ id }) => [id, id])) });
  const every = commands.map(({ id }) => [id, 100]);
  const found = lineup([{ view: view([[1, 100], [2, 5], [3, 5], ...every]), from: 50 }, { view: view([[1, 5], [2, 40], [3, 5]]), from: 30 }], "vm", [10]);
  assert.deepEqual(found.map(({ id }) => id), [1, 2, 10, 14, 15, 16, 17, 18, 19, 20, 21]);
  const unknown = lineup([{ view: view([[1, 100], [2, 5], [3, 5]]), from: 50 }, { view: view([], -1), from: 30 }], "vm", []);
  assert.ok(!unknown.some(({ id }) => id === 2 || id === 3));
  assert.deepEqual(lineup([{ view: view([]), from: 0 }], "nobody", []), []);
  const then = view([[1, 100]]);
  assert.deepEqual(lineup([{ view: then, from: 50, past: true }], "vm", []).map(({ id }) => id), [1]);
  assert.equal(lineup([{ view: then, from: 50 }], "vm", []).length, 11);
  // Where a loop begins nothing has been said in its stretch yet.
  const begins = view([[1, 1_049], [2, 900]]);
  assert.deepEqual(lineup([{ view: begins, from: 1_050, past: true, at: 1_050 }], "vm", []).map(({ id }) => id), [1]);
  assert.deepEqual(lineup([{ view: begins, from: 800, past: true, at: 1_050 }], "vm", []).map(({ id }) => id), [1, 2]);
  assert.equal(lineup([{ view: view([], -1), from: 50, past: true }], "vm", []).length, 11);
});
