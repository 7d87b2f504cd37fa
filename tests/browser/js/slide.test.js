// When a picture may be moved on, by node's own runner: `node --test tests/browser/js/`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { pixels } from "../../../web/static/js/slide.js";

const WIDTH = 450;
const drawn = { from: 100, to: 1_000, first: 200, next: 1_060, margin_s: 20 };
const rows = (holes = {}) => {
  const at = Float64Array.from({ length: 910 }, (_, k) => 100 + k);
  return { at, broken: Uint8Array.from(at, (one) => Number(one === holes.broken)), holes: Uint8Array.from(at, (one) => Number(one === holes.hole)) };
};
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
