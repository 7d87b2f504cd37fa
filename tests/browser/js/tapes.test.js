// Columns behind charts, the time that is shown, and what is drawn of whom: `node --test tests/browser/js/`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Catalogue } from "../../../web/static/js/catalogue.js";
import { MOST_LINES, plan, readable, slug } from "../../../web/static/js/plan.js";
import { SHORTEST_S, Span } from "../../../web/static/js/span.js";
import { Store } from "../../../web/static/js/store.js";
import { Tapes } from "../../../web/static/js/tapes.js";
import { first, message } from "../../../web/static/js/wire.js";
import { clock, settle } from "./clock.js";

const AT = 1795392010;
const load = (id, period) => ({ id, series: `system_load{period="${period}"}`, name: "system_load", labels: { period }, source: "here", unit: "", kind: "gauge", help: "" });
const BEAT = { id: 9, series: "playhead_loop_lag_seconds", name: "playhead_loop_lag_seconds", labels: {}, source: "here", unit: "seconds", kind: "gauge", help: "" };
const LIVE = {
  cursor: "e:10", at: "2026-11-23T00:00:10.000000Z", source: "here", hours: 0.25, interval_s: 1, version: "1", cached: false,
  series: [load(1, "1m"), load(2, "5m"), BEAT], metrics: {}, rules: [], alerts: [], notifications: [],
  sources: [{ source: "here", state: "live", first_seen: "2026-11-23T00:00:00.000000Z", last_seen: "2026-11-23T00:00:10.000000Z", series: 3, facts: {} }],
};
const tick = (seq, second, ids, more = {}) => message("metrics", {
  seq, cursor: `e:${seq}`, at: `2026-11-23T00:00:${String(second).padStart(2, "0")}.000000Z`, source: "here", ids, values: ids.map(() => seq), ...more,
});

/** A store, a span over its last 15 minutes, tapes, and what was asked of the server. */
function room() {
  const store = new Store();
  store.apply({ type: "load", ...first(LIVE) });
  const span = new Span({ now: () => store.view.at, begun: () => NaN, seconds: 900 });
  const asked = [];
  let answer = (charts) => charts.map((one) => ({ kind: "line", tier: "raw", at: [AT - 2, AT - 1, AT], values: one.split(":")[1].split(",").map(() => [1, 2, 3]) }));
  const tapes = new Tapes({
    store, span,
    ask: async (path) => {
      const query = new URLSearchParams(path.split("?")[1]);
      asked.push(query);
      return { charts: answer(query.getAll("chart")) };
    },
  });
  return { store, span, tapes, asked, answers: (other) => { answer = other; } };
}

test("charts that are looked at ask together, once; those out of sight never", async (t) => {
  const pass = clock(t);
  const { tapes, asked } = room();
  const [one, two, three] = [[1], [1, 2], [2]].map((ids) => tapes.open({ kind: "line", ids }));
  one.look(true);
  two.look(true);
  pass(100);
  await settle();
  assert.deepEqual(asked.map((query) => query.getAll("chart")), [["line:1", "line:1,2"]]);
  assert.deepEqual([one.state, two.state, three.state], ["ready", "ready", "loading"]);
  assert.deepEqual([...two.table.rows()[2]], [1, 2, 3]);
});

test("thinned rows stand as far apart as the values lie still, and only an empty row is a hole", async (t) => {
  const pass = clock(t);
  const { tapes, answers } = room();
  // Most rows a second apart, so that the usual step says nothing of the others.
  const at = [...Array.from({ length: 40 }, (_, k) => AT - 100 + k), AT - 50, AT - 40, AT - 39, AT - 5, AT - 4];
  answers((charts) => charts.map(() => ({ kind: "line", tier: "raw", at, values: [at.map((one) => (one === AT - 39 ? null : 1))] })));
  const tape = tapes.open({ kind: "line", ids: [1] });
  tape.look(true);
  pass(100);
  await settle();
  assert.ok(!tape.table.breaks().includes(1));
  assert.deepEqual([...tape.table.rows()[1]].flatMap((value, k) => (Number.isNaN(value) ? [k] : [])), [42]);
});

test("a screenful of more series than one question may have is asked in several", async (t) => {
  const pass = clock(t);
  const { tapes, asked } = room();
  const many = Array.from({ length: 45 }, (_, k) => tapes.open({ kind: "line", ids: Array.from({ length: 12 }, (_, n) => 100 * k + n) }));
  for (const tape of many) tape.look(true);
  for (let k = 0; k < 5; k += 1) {
    pass(1_000);
    await settle();
  }
  const sizes = asked.map((query) => query.getAll("chart").flatMap((one) => one.split(":")[1].split(",")).length);
  assert.deepEqual(sizes, [396, 144]);
  assert.ok(many.every(({ state }) => state === "ready"));
});

test("ticks are appended to the history, those that came while it was under way too", async (t) => {
  const pass = clock(t);
  const { store, tapes } = room();
  const tape = tapes.open({ kind: "line", ids: [1, 2] });
  tape.look(true);
  store.apply(tick(11, 11, [1, 2, 9]));
  pass(100);
  await settle();
  store.apply(tick(12, 12, [1, 9]));
  const [at, one, two] = tape.table.rows();
  assert.deepEqual([...at], [AT - 2, AT - 1, AT, AT + 1, AT + 2]);
  assert.deepEqual([...one], [1, 2, 3, 11, 12]);
  assert.deepEqual([...two].slice(0, 4), [1, 2, 3, 11]);
  assert.ok(Number.isNaN(two[4]));
  tape.close();
  store.apply(tick(13, 13, [1, 2, 9]));
  assert.equal(tape.table.length, 5);
});

test("a conflated tick has the chart asked for again, though never more often than every few seconds", async (t) => {
  const pass = clock(t);
  const { store, tapes, asked } = room();
  tapes.open({ kind: "line", ids: [1] }).look(true);
  pass(100);
  await settle();
  for (let second = 11; second < 14; second += 1) store.apply(tick(second, second, [1, 9], { conflated: 3 }));
  pass(1_000);
  await settle();
  assert.equal(asked.length, 1);
  pass(3_000);
  await settle();
  assert.equal(asked.length, 2);
});

test("a counter is appended as what it rose a second, from the tick before the history's end on", async (t) => {
  const pass = clock(t);
  const { store, tapes } = room();
  const orders = { id: 30, series: "orders_total", name: "orders_total", labels: {}, source: "here", unit: "", kind: "counter", help: "" };
  store.apply({ type: "known", series: [orders], metrics: [{ id: 30, value: 100, at: AT }] });
  const tape = tapes.open({ kind: "line", ids: [30] });
  tape.look(true);
  pass(100);
  await settle();
  const stands = (seq, second, value) => store.apply({ ...tick(seq, second, [9, 30]), values: [0, value] });
  stands(11, 11, 104);
  stands(12, 13, 114);
  stands(13, 14, 3);
  stands(14, 15, 4);
  assert.deepEqual([...tape.table.rows()[1]], [1, 2, 3, 4, 5, NaN, 1]);
});

test("another span asks anew, and what stands still is not appended to", async (t) => {
  const pass = clock(t);
  const { store, span, tapes, asked } = room();
  const tape = tapes.open({ kind: "line", ids: [1] });
  tape.look(true);
  pass(100);
  await settle();
  span.fix(AT - 2, AT);
  pass(100);
  await settle();
  assert.deepEqual([asked[1].get("from"), asked[1].get("to")], [(AT - 2).toFixed(3), AT.toFixed(3)]);
  store.apply(tick(11, 11, [1, 9]));
  assert.equal(tape.table.last, AT);
});

test("a server that does not answer is told, and asked again", async (t) => {
  const pass = clock(t);
  const { tapes, answers } = room();
  const tape = tapes.open({ kind: "line", ids: [1] });
  answers(() => { throw new Error("The disk is on fire."); });
  tape.look(true);
  pass(100);
  await settle();
  assert.deepEqual([tape.state, tape.reason], ["failed", "The disk is on fire."]);
  answers(() => [{ kind: "line", tier: "raw", at: [AT], values: [[4]] }]);
  pass(10_000);
  await settle();
  pass(10_000);
  await settle();
  assert.deepEqual([tape.state, [...tape.table.rows()[1]]], ["ready", [4]]);
});

test("samples of a time to come are not drawn before it: of this host at once, of others within a minute", () => {
  const { store, tapes } = room();
  const tape = tapes.open({ kind: "line", ids: [1] });
  store.apply(tick(11, 11, [1, 9]));
  store.apply(tick(12, 40, [1]));
  assert.deepEqual([...tape.table.rows()[1]], [11]);
});

test("a span is taken back step by step, from the address too", () => {
  let now = 1_000;
  const span = new Span({ now: () => now, begun: () => NaN, seconds: 100 });
  assert.deepEqual(span.shown(), { from: 900, to: 1_000 });
  const before = span.told();
  span.fix(920, 930);
  assert.equal(span.moving, false);
  now = 2_000;
  assert.deepEqual(span.shown(), { from: 920, to: 930 });
  span.fix(925, 925);
  const { from, to } = span.shown();
  assert.equal(to - from, SHORTEST_S);
  span.restore({ seconds: 100, from: 920, to: 930 });
  assert.deepEqual(span.shown(), { from: 920, to: 930 });
  span.restore(before);
  assert.deepEqual([span.changed, span.moving], [false, true]);
  span.pan(-0.5);
  assert.deepEqual(span.shown(), { from: 1_850, to: 1_950 });
  span.pan(0.5);
  assert.ok(span.moving, "who pans to now is live again");
});

test("a young record fills the picture with the little there is, two minutes at least", () => {
  const span = new Span({ now: () => 1_000, begun: () => 700, seconds: 900 });
  assert.equal(span.shown().from, 700);
  span.begun = () => 990;
  assert.equal(span.shown().from, 880);
});

const series = (name, labels, more = {}) => Object.entries(labels).reduce(
  (all, [key, values]) => all.flatMap((one) => values.map((value) => ({ ...one, labels: { ...one.labels, [key]: value } }))),
  [{ name, labels: {}, unit: "", kind: "gauge", help: "", source: "here", ...more }],
).map((one, k) => ({ ...one, id: 100 * name.length + k, series: `${name}${JSON.stringify(one.labels)}` }));

test("what is known by name stands in its section, in the order people read", () => {
  const found = plan([
    ...series("playhead_connections", { road: ["ws", "sse"] }),
    ...series("system_load", { period: ["15m", "1m", "5m"] }),
    ...series("system_cpu_mode_ratio", { mode: ["idle", "system", "user"] }, { unit: "ratio" }),
    ...series("shop_orders_total", { shop: ["berlin", "bonn"] }, { kind: "counter" }),
    ...series("system_uptime_seconds", {}),
  ]);
  assert.deepEqual(found.map(({ title }) => title), ["CPU", "shop", "Playhead itself"]);
  const [cpu, loads] = found[0].charts;
  assert.deepEqual([cpu.id, cpu.kind, cpu.lines.map(({ label }) => label)], ["cpu", "stack", ["user", "system"]]);
  assert.deepEqual(loads.lines.map(({ label }) => label), ["1m", "5m", "15m"]);
  const [orders] = found[1].charts;
  assert.deepEqual([orders.title, orders.unit], ["Orders", "per_second"]);
});

test("parts of different wholes are never stacked on each other", () => {
  const [{ charts }] = plan(series("app_heap_bytes", { state: ["used", "free"], pool: ["eden", "old"] }, { unit: "bytes" }));
  assert.deepEqual(charts.map(({ kind, title, lines }) => [kind, title, lines.map(({ label }) => label)]), [
    ["stack", "Heap · eden", ["free", "used"]], ["stack", "Heap · old", ["free", "used"]],
  ]);
});

test("two ways are mirrored, and both ways of a device stay on one chart", () => {
  const [{ charts }] = plan(series("app_wire_bytes_per_second", { port: ["1", "2", "3", "4", "5", "10"], way: ["rx", "tx"] }, { unit: "bytes_per_second" }));
  assert.deepEqual(charts.map(({ kind, lines }) => [kind, lines.length]), [["mirror", MOST_LINES], ["mirror", 4]]);
  assert.deepEqual(charts[0].lines.slice(0, 2).map(({ label, below }) => [label, below]), [["1 rx", false], ["1 tx", true]]);
  assert.equal(charts[1].lines.at(-1).label, "10 tx");
});

test("every series is on a chart, none on two, and ids of charts are their own", () => {
  const all = [
    ...series("app_a", { x: Array.from({ length: 40 }, (_, k) => `v${k}`) }), ...series("app_b_ratio", {}, { unit: "ratio" }),
    ...series("app-b.ratio", {}), ...series("app_b", { state: ["on", "off"] }, { unit: "celsius" }),
  ];
  const charts = plan(all).flatMap((one) => one.charts);
  const drawn = charts.flatMap(({ lines }) => lines.map(({ id }) => id));
  assert.deepEqual([...new Set(drawn)].sort(), [...new Set(all.map(({ id }) => id))].sort());
  assert.equal(new Set(charts.map(({ id }) => id)).size, charts.length);
  assert.notEqual(slug("a b"), slug("a-b"));
  assert.equal(readable("http_request_duration_seconds", "seconds"), "Request duration");
});

test("what there is of another source is asked once, says what it said last, and moves nobody's place in the log", async () => {
  const { store } = room();
  const other = { id: 50, series: "up", name: "up", labels: {}, source: "other", unit: "", kind: "gauge", help: "" };
  const paths = [];
  const catalogue = new Catalogue({
    store,
    ask: async (path) => {
      paths.push(path);
      return { ...LIVE, cursor: "e:7", source: "other", series: [other], metrics: { up: { id: 50, value: 1, unit: "", at: "2026-11-23T00:00:07.000000Z" } } };
    },
  });
  await Promise.all([catalogue.of("other"), catalogue.of("other"), catalogue.of("here")]);
  assert.equal(paths.length, 1);
  assert.equal(store.view.seq, 10);
  assert.equal(store.value("up", {}, "other"), 1);
  store.apply({ type: "load", ...first({ ...LIVE, cursor: "f:1" }) });
  await catalogue.of("other");
  assert.equal(paths.length, 2, "another log has other series");
});
