// What a series said at the playhead: one answer for tiles, legends, cards and columns. Only the server's answers are made up.

import assert from "node:assert/strict";
import { test } from "node:test";

import { bring, mark, stood } from "../../../web/static/js/moment.js";
import { Steps } from "../../../web/static/js/steps.js";
import { Store } from "../../../web/static/js/store.js";
import { Tapes } from "../../../web/static/js/tapes.js";
import { settle } from "./clock.js";

const AT = 1_795_400_000;
const text = (at) => new Date(at * 1000).toISOString();
const one = (id, source, kind = "gauge") => ({ id, name: `n${id}`, series: `n${id}`, labels: {}, source, unit: "", kind, help: "" });
const ALL = [one(1, "vm"), one(2, "shop"), one(3, "shop", "counter"), one(4, "till")];
const source = (name, at, state = "live") => ({ source: name, state, first_seen: text(AT - 9_000), last_seen: text(at), series: 1, facts: {} });

/** A server on which the reading of a second is that second, 3 × that of a counter; `till` was not known before AT - 50. */
function room(t, { state = "live", row = 3 } = {}) {
  const store = new Store();
  store.apply({ type: "load", cursor: "e:900", seq: 900, at: AT, source: "vm", interval_s: 1, version: "1", series: ALL, metrics: ALL.map(({ id }) => ({ id, value: 99, at: AT })), sources: [], rules: [], alerts: [], notifications: [], annotations: [] });
  const asked = [];
  const ask = async (path) => {
    const { pathname, searchParams } = new URL(path, "http://x");
    const name = searchParams.get("source") ?? "vm";
    asked.push(pathname.endsWith("state") ? name : searchParams.getAll("chart").join());
    if (pathname.endsWith("charts")) {
      const end = Math.round(Date.parse(searchParams.get("to")) / 1000);
      // Unless they are asked for as they were known, a reading between the two last is among them, which came later.
      const known = searchParams.get("as_of") === searchParams.get("to");
      const rows = known ? { at: [end - 2, end - 1], values: [[1, row]] } : { at: [end - 2, end - 1.5, end - 1], values: [[1, 7, 77]] };
      return { charts: searchParams.getAll("chart").map(() => ({ kind: "line", tier: "raw", ...rows })) };
    }
    const at = Date.parse(searchParams.get("at")) / 1000;
    if (name === "till" && at < AT - 50) throw Object.assign(new Error("There is no source till."), { status: 404 });
    const its = ALL.filter((series) => series.source === name);
    return {
      cursor: `e:${500 + Math.round(at - AT)}`, at: text(at), source: "vm", interval_s: 1, version: "1", cached: false, series: its,
      metrics: Object.fromEntries(its.map(({ id, series, kind }) => [series, { id, value: kind === "counter" ? 3 * (at - 1 - AT) : at - AT, at: text(kind === "counter" ? at - 1 : at) }])),
      sources: [source("vm", at), source("shop", at, state)], rules: [], alerts: [], notifications: [], annotations: [],
    };
  };
  const tapes = new Tapes({ store, span: { growing: false, shown: () => ({ from: AT - 900, to: AT }), on: () => () => {} }, ask });
  t.after(() => [...store.needs].forEach((tape) => tape.close()));
  const stand = async (at) => {
    const wanted = store.wanted("vm");
    const { snapshot, told } = await stood(ask, at, { ...wanted, host: "vm" });
    store.rewind(snapshot, at, told);
    mark(store.view, wanted);
  };
  return { store, tapes, asked, ask, stand };
}

test("at the playhead every column says what was known of the moment, of every source that is looked at, whatever rows are drawn", async (t) => {
  const { store, tapes, stand } = room(t);
  const tape = tapes.open({ kind: "line", ids: [1, 2, 3] });
  // Peaks that are kept of a long range, and one reading that came too late to be known.
  tape.table.load([AT - 200, AT - 101], [[44, 400], [44, 400], [9, 9]]);
  tape.look(true);
  await stand(AT - 100);
  assert.deepEqual([0, 1, 2].map((k) => tape.said(k)), [-100, -100, 3]);
  tape.look(false);
  tape.close();
  assert.equal(store.needs.size, 0);
});

test("what is dragged ahead of what is known reads the last row before it, never one after", async (t) => {
  const { store, tapes, stand } = room(t);
  const tape = tapes.open({ kind: "line", ids: [1] });
  tape.table.load([AT - 200, AT - 90], [[44, 400]]);
  tape.look(true);
  await stand(AT - 100);
  store.ahead = true;
  assert.equal(tape.said(0), 44);
  store.playhead = AT - 300;
  assert.ok(Number.isNaN(tape.said(0)));
});

test("a counter says nothing rather than what it rose before or after a silence", async (t) => {
  for (const shape of [{ state: "lost" }, { row: null }]) {
    const { tapes, stand } = room(t, shape);
    const tape = tapes.open({ kind: "line", ids: [3] });
    tape.look(true);
    await stand(AT - 100);
    assert.ok(Number.isNaN(tape.said(0)), JSON.stringify(shape));
  }
});

test("what plays goes on from the moment: a counter by its two last readings", async (t) => {
  const { store, tapes, stand } = room(t);
  tapes.open({ kind: "line", ids: [3] }).look(true);
  await stand(AT - 100);
  store.replay({ type: "metrics", seq: 450, at: AT - 99, source: "shop", ids: [3], values: [-283], conflated: 0 });
  assert.equal(store.said(3), 10);
  assert.equal(store.said(3, { plain: true }), -283);
});

test("what comes into sight is asked for once; who had not been heard by then has said nothing", async (t) => {
  const { store, tapes, asked, ask, stand } = room(t);
  await stand(AT - 100);
  for (const ids of [[2, 3], [4]]) tapes.open({ kind: "line", ids }).look(true);
  asked.length = 0;
  await bring(ask, () => store.playhead, store, "vm");
  assert.deepEqual(asked, ["shop", "till", "line:3"]);
  await bring(ask, () => store.playhead, store, "vm");
  assert.equal(asked.length, 3);
  assert.deepEqual([store.said(2), store.said(3)], [-100, 3]);
  assert.ok(Number.isNaN(store.said(4)));
});

test("of steps the last that was over at the playhead is what was known", async (t) => {
  const { store, stand } = room(t);
  const ask = async () => ({ step: 60, series: [{ id: 1, at: [AT - 240, AT - 180, AT - 120], value: [1, 2, 3] }] });
  const steps = new Steps({ store, span: { moving: false, shown: () => ({ from: AT - 300, to: AT }), on: () => () => {} }, ask }, { selectors: ["n1"], ids: [1], fn: "max", step: "1m" });
  steps.look(true);
  await new Promise((done) => setTimeout(done, 50));
  await settle();
  assert.equal(steps.said(0), 3);
  await stand(AT - 100);
  assert.equal(steps.said(0), 2);
  steps.close();
});
