// The list of all series comes in pages, within a bound, and is asked for once.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Catalogue, MOST } from "../../../web/static/js/catalogue.js";

/** A server of so many series, in pages. */
function served(total) {
  const store = { view: { epoch: "e", source: "here" }, told: [], last: [], apply: (message) => { store.told.push(...message.series); store.last.push(...message.metrics); } };
  const paths = [];
  const ask = async (path) => {
    paths.push(path);
    const asked = new URL(path, "http://x").searchParams;
    const [after, limit] = [Number(asked.get("after")), Number(asked.get("limit"))];
    const beyond = Math.min(total, after + limit);
    return { series: Array.from({ length: beyond - after }, (_, k) => ({ id: after + k + 1, last_seen: "2026-11-23T03:12:00.000000Z", last_value: k })), next: beyond < total ? beyond : null };
  };
  return { store, paths, catalogue: new Catalogue({ store, ask }) };
}

test("every page is asked for, once, and whoever asks meanwhile waits for the same", async () => {
  const { store, paths, catalogue } = served(4_500);
  const told = [];
  await Promise.all([catalogue.all((n) => told.push(n)), catalogue.all()]);
  await catalogue.all();
  assert.deepEqual(store.told.map(({ id }) => id), Array.from({ length: 4_500 }, (_, k) => k + 1));
  assert.equal(paths.length, 3);
  assert.deepEqual(told, [2_000, 4_000, 4_500]);
  assert.equal(catalogue.cut, false);
});

test("beyond the bound it stops and says so; another log is asked anew", async () => {
  const { store, catalogue } = served(MOST + 5_000);
  await catalogue.all();
  assert.equal(store.told.length, MOST);
  assert.ok(catalogue.cut);
  store.view.epoch = "f";
  store.told.length = 0;
  const again = catalogue.all();
  assert.equal(catalogue.cut, false);
  await again;
  assert.equal(store.told.length, MOST);
});

test("a question that failed is asked again", async () => {
  let times = 0;
  const ask = async () => {
    times += 1;
    if (times === 1) throw new Error("no");
    return { series: [], next: null };
  };
  const catalogue = new Catalogue({ store: { view: { epoch: "e", source: "here" }, apply() {} }, ask });
  await assert.rejects(catalogue.all(), /no/);
  await catalogue.all();
  assert.equal(times, 2);
});

test("series of some names come from every source, with what they said last", async () => {
  const { store, paths, catalogue } = served(3);
  await Promise.all([catalogue.named(["cpu", "memory"]), catalogue.named(["cpu", "memory"])]);
  assert.equal(paths.length, 1);
  assert.deepEqual(new URL(paths[0], "http://x").searchParams.getAll("match"), ["cpu", "memory"]);
  assert.deepEqual(store.last[2], { id: 3, value: 2, at: Date.UTC(2026, 10, 23, 3, 12) / 1000 });
  await catalogue.named([]);
  assert.equal(paths.length, 1);
});
