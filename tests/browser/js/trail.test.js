// A figure's column follows those it is made of.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Table } from "../../../web/static/js/series.js";
import { Trail, trailed } from "../../../web/static/js/trail.js";

const values = (table) => [...table.rows()[1]];

test("only what is new is joined, and another table begins it anew", () => {
  let joined = 0;
  const trail = new Trail(([a, b]) => { joined += 1; return a + b; });
  const table = new Table(2, 10);
  for (const at of [1, 2]) table.append(at, [at, 10]);
  assert.deepEqual(values(trail.follow(table)), [11, 12]);
  table.append(3, [3, 10]);
  assert.deepEqual(values(trail.follow(table)), [11, 12, 13]);
  assert.equal(joined, 3);
  const other = new Table(2, 10);
  other.append(9, [1, 1]);
  assert.deepEqual(values(trail.follow(other)), [2]);
});

test("a playhead that is dragged ahead reads what the column says there", () => {
  const table = new Table(1, 10);
  for (const [at, value] of [[1, 5], [2, NaN], [3, 9]]) table.append(at, [value]);
  assert.equal(trailed(table, 1.5, -1), 5);
  assert.equal(trailed(table, 2.5, -1), -1);
  assert.equal(trailed(table, 8, -1), 9);
  assert.equal(trailed(table, 0, -1), -1);
});
