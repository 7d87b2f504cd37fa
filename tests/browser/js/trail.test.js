// A figure's column follows those it is made of.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Table } from "../../../web/static/js/series.js";
import { Trail } from "../../../web/static/js/trail.js";

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
