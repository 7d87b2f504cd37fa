// What a reader decides: which clock, how often, which file.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Pace } from "../../../web/static/js/pace.js";
import { bundles, csv } from "../../../web/static/js/panels/export.js";
import { meant, midnight, written } from "../../../web/static/js/zones.js";
import { clock } from "./clock.js";

test("a wall clock and its moment, in any zone and over both changes of clocks", () => {
  const at = Date.parse("2026-11-23T03:11:46Z") / 1000;
  assert.equal(written(at, "UTC"), "2026-11-23T03:11:46");
  assert.equal(written(at, "Asia/Kathmandu"), "2026-11-23T08:56:46");
  for (const zone of ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Apia"]) {
    for (let day = 0; day < 366; day += 7) assert.equal(meant(written(at + day * 86_400, zone), zone), at + day * 86_400, `${zone} ${day}`);
  }
  // 02:30 comes twice on that night: the first of them. On the other it never comes: an hour after 01:30 it is 03:30.
  assert.equal(meant("2026-10-25T02:30", "Europe/Berlin"), Date.parse("2026-10-25T00:30:00Z") / 1000);
  assert.equal(written(meant("2026-03-29T02:30", "Europe/Berlin"), "Europe/Berlin"), "2026-03-29T03:30:00");
  assert.ok(Number.isNaN(meant("", "UTC")));
  assert.equal(written(midnight(at, "America/New_York"), "America/New_York"), "2026-11-22T00:00:00");
  assert.equal(written(midnight(at, "Europe/Berlin", -1), "Europe/Berlin"), "2026-11-22T00:00:00");
});

test("readings wait for the pace, facts do not, and the order stays", (t) => {
  const pass = clock(t);
  const told = [];
  const pace = new Pace({ apply: ({ seq }) => told.push(seq), every_ms: 5_000 });
  const take = (type, seq) => pace.take({ type, seq });
  take("metrics", 1);
  take("metrics", 2);
  assert.deepEqual(told, []);
  take("alert", 3);
  assert.deepEqual(told, [1, 2, 3]);
  take("metrics", 4);
  pass(5_000);
  assert.deepEqual(told, [1, 2, 3, 4]);
  take("metrics", 5);
  pace.set(0);
  assert.deepEqual(told.at(-1), 5);
  take("metrics", 6);
  assert.deepEqual(told.at(-1), 6);
  pace.set(60_000);
  for (let seq = 7; seq < 7 + 1_000; seq += 1) take("metrics", seq);
  assert.equal(told.at(-1), 1_006);
});

test("an export is a row a value, quoted where it must be", () => {
  const text = csv([{ source: "web-1", series: 'disk{mount="/"}', unit: "ratio", at: ["a", "b"], value: [0.1, 5e-324] }]);
  assert.equal(text, 'at,source,series,unit,value\r\na,web-1,"disk{mount=""/""}",ratio,0.1\r\nb,web-1,"disk{mount=""/""}",ratio,5e-324\r\n');
});

test("charts are asked for in as few questions as the server takes", () => {
  const charts = Array.from({ length: 130 }, (_, k) => ({ kind: "line", ids: Array.from({ length: 8 }, (_, n) => 8 * k + n) }));
  const all = bundles(charts);
  assert.deepEqual(all.flat(), charts);
  for (const some of all) assert.ok(some.length <= 60 && some.reduce((sum, { ids }) => sum + ids.length, 0) <= 400);
  assert.equal(all.length, 3);
});
