// Dashboards of people's own: where panels stand, what an edit keeps, what selectors mean, what a text says.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Draft, content, keyed, plain } from "../../../web/static/js/draft.js";
import { COLUMNS, added, bottom, moved, nudged, reading, removed, resized } from "../../../web/static/js/grid.js";
import { JOINS } from "../../../web/static/js/joins.js";
import { Matches } from "../../../web/static/js/matches.js";
import { blocks, parts } from "../../../web/static/js/prose.js";
import { asked, choosing, may, read, resolved } from "../../../web/static/js/selector.js";
import { MOST, sheet } from "../../../web/static/js/sheet.js";
import { Span } from "../../../web/static/js/span.js";
import { Steps } from "../../../web/static/js/steps.js";
import { Store } from "../../../web/static/js/store.js";
import { Table } from "../../../web/static/js/series.js";
import { Weave } from "../../../web/static/js/weave.js";
import { message } from "../../../web/static/js/wire.js";
import { clock, settle } from "./clock.js";

const chart = (key, x, y, w, h) => ({ key, kind: "chart", x, y, w, h });
const places = (panels) => Object.fromEntries(panels.map(({ key, x, y, w, h }) => [key, [x, y, w, h]]));
const sound = (panels) => {
  for (const one of panels) {
    assert.ok(one.x >= 0 && one.y >= 0 && one.w >= 1 && one.h >= 1 && one.x + one.w <= COLUMNS, JSON.stringify(one));
    for (const other of panels) {
      if (one.key === other.key) continue;
      const apart = one.x + one.w <= other.x || other.x + other.w <= one.x || one.y + one.h <= other.y || other.y + other.h <= one.y;
      assert.ok(apart, `${JSON.stringify(one)} stands on ${JSON.stringify(other)}`);
    }
  }
};

test("what is in the way gives way downwards, and comes back when it is let free again", () => {
  const grid = [chart("a", 0, 0, 6, 6), chart("b", 6, 0, 6, 6), chart("c", 0, 6, 12, 4)];
  const over = moved(grid, "a", { x: 4, y: 0 });
  assert.deepEqual(places(over), { a: [4, 0, 6, 6], b: [6, 6, 6, 6], c: [0, 12, 12, 4] });
  assert.deepEqual(places(moved(grid, "a", { x: 0, y: 0 })), places(grid));
  assert.deepEqual(grid[1].y, 0, "the grid that was given is as it was");
});

test("a panel changes places with one that it passes by more than half", () => {
  const grid = [chart("a", 0, 0, 12, 6), chart("b", 0, 6, 12, 6)];
  assert.deepEqual(places(moved(grid, "a", { x: 0, y: 3 })), places(grid));
  assert.deepEqual(places(moved(grid, "a", { x: 0, y: 4 })), { a: [0, 6, 12, 6], b: [0, 0, 12, 6] });
  assert.deepEqual(places(moved(grid, "b", { x: 0, y: 2 })), { a: [0, 6, 12, 6], b: [0, 0, 12, 6] });
});

test("nothing floats: what loses what stood above it moves up, and not over others", () => {
  const grid = [chart("a", 0, 0, 12, 4), chart("b", 0, 4, 6, 4), chart("c", 0, 8, 6, 4)];
  assert.deepEqual(places(removed(grid, "a")), { b: [0, 0, 6, 4], c: [0, 4, 6, 4] });
});

test("a size stays on the grid and large enough to say something, and pushes what is below", () => {
  const grid = [chart("a", 6, 0, 6, 6), chart("b", 6, 6, 6, 6)];
  assert.deepEqual(places(resized(grid, "a", { w: 99, h: 8 })), { a: [6, 0, 6, 8], b: [6, 8, 6, 6] });
  assert.deepEqual(places(resized(grid, "a", { w: 0, h: 0 })).a, [6, 0, 3, 4]);
  const small = [chart("a", 0, 0, 2, 2)];
  assert.deepEqual(places(resized(small, "a", { w: 1, h: 1 })).a, [0, 0, 2, 2], "one that was saved smaller is not enlarged");
});

test("a new panel takes the first place that has room for it", () => {
  const grid = [chart("a", 0, 0, 8, 4), chart("b", 0, 4, 12, 4)];
  assert.deepEqual(places(added(grid, chart("n", 0, 0, 4, 4))).n, [8, 0, 4, 4]);
  assert.deepEqual(places(added(grid, chart("n", 0, 0, 4, 5))).n, [0, 8, 4, 5]);
});

test("every step by key moves something, over as many rows as it takes, and at the edge nothing", () => {
  const start = [chart("a", 0, 0, 12, 6), chart("b", 0, 6, 12, 9), chart("c", 0, 15, 12, 4)];
  let step = { panels: start, wish: { x: 0, y: 0 } };
  const orders = [];
  for (let k = 0; k < 3; k += 1) {
    step = nudged(start, "a", step.wish, { dx: 0, dy: 1 });
    orders.push(reading(step.panels).map(({ key }) => key).join(""));
  }
  assert.deepEqual(orders, ["bac", "bca", "bca"]);
  step = nudged(start, "a", step.wish, { dx: 0, dy: -1 });
  assert.equal(reading(step.panels).map(({ key }) => key).join(""), "bac");
  assert.deepEqual(nudged(start, "a", { x: 0, y: 0 }, { dx: 1, dy: 0 }).wish, { x: 0, y: 0 });
});

test("whatever is done, nothing stands on anything, leaves the grid, or gets lost", () => {
  let seed = 7;
  const random = (n) => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return (seed >> 8) % n;
  };
  for (let round = 0; round < 60; round += 1) {
    let grid = [];
    for (let k = 0; k < 12; k += 1) grid = added(grid, chart(String(k), 0, 0, 3 + random(10), 4 + random(8)));
    sound(grid);
    for (let k = 0; k < 30; k += 1) {
      const key = String(random(12));
      grid = random(2) ? moved(grid, key, { x: random(16) - 2, y: random(80) - 5 }) : resized(grid, key, { w: random(16), h: random(20) });
      sound(grid);
      assert.equal(grid.length, 12);
    }
    const packed = moved(grid, "0", grid[0]);
    assert.ok(bottom(packed) <= bottom(grid));
  }
});

test("changes are taken back one by one, made again, and forgotten when another is made", () => {
  const panels = keyed([{ kind: "text", x: 0, y: 0, w: 3, h: 2, text: "a" }]);
  const draft = new Draft({ id: "shop", seq: 4, title: "Shop", tags: [], panels });
  assert.ok(!draft.dirty);
  draft.change({ title: "Shop" });
  assert.ok(!draft.dirty, "what changes nothing is no change");
  draft.change({ title: "A" });
  draft.change({ title: "AB" }, true);
  draft.change({ tags: ["x"] });
  assert.ok(draft.undo());
  assert.deepEqual([draft.state.title, draft.state.tags], ["AB", []]);
  assert.ok(draft.undo() && !draft.undo());
  assert.equal(draft.state.title, "Shop");
  assert.ok(draft.redo() && draft.redo() && !draft.redo());
  assert.deepEqual([draft.state.title, draft.state.tags], ["AB", ["x"]]);
  draft.undo();
  draft.change({ title: "C" });
  assert.ok(!draft.redo());
  assert.deepEqual(draft.body("eva"), { title: "C", tags: [], author: "eva", panels: plain(panels) });
  for (let k = 0; k < 300; k += 1) draft.change({ title: `t${k}` });
  let undone = 0;
  while (draft.undo()) undone += 1;
  assert.equal(undone, 100);
});

test("a panel that says the same is the same panel, wherever it stands", () => {
  const before = keyed([{ kind: "text", x: 0, y: 0, w: 3, h: 2, text: "a" }, { kind: "text", x: 0, y: 2, w: 3, h: 2, text: "a" }]);
  const after = keyed([{ text: "b", kind: "text", x: 0, y: 0, w: 3, h: 2 }, { text: "a", kind: "text", x: 5, y: 9, w: 4, h: 4 }], before);
  assert.equal(after[1].key, before[0].key);
  assert.equal(new Set([...before, after[0]].map(({ key }) => key)).size, 3);
  assert.equal(content(after[1]), content(before[0]));
});

test("a selector says whose series it means, or is kept to the source of its panel", () => {
  const on = { source: "web-1", chosen: "db" };
  assert.equal(resolved("up", on), 'up{source="web-1"}');
  assert.equal(resolved("{}", on), '{source="web-1"}');
  assert.equal(resolved('up{a="b", }', on), 'up{a="b",source="web-1"}');
  assert.equal(resolved('up{source=~".+"}', on), 'up{source=~".+"}');
  assert.equal(resolved("up", { source: "$source", chosen: 'a"\\b' }), 'up{source="a\\"\\\\b"}');
  assert.equal(resolved('up{source=~"$source-.*"}', { source: "", chosen: "a.b" }), 'up{source=~"a\\\\.b-.*"}');
  assert.equal(resolved('up{a="source=}"}', on), 'up{a="source=}",source="web-1"}');
  assert.deepEqual(asked({ series: ["a", "b"], source: "" }, { host: "here", chosen: "x" }), ['a{source="here"}', 'b{source="here"}']);
  assert.ok(choosing([{ kind: "tile", series: ['up{source="$source"}'] }]));
  assert.ok(!choosing([{ kind: "text", text: "costs $source" }]));
  assert.deepEqual(read('up{a!="x\\"y"}'), { name: "up", tests: [{ label: "a", operator: "!=", value: 'x"y' }] });
});

const series = (id, name, source, labels = {}, more = {}) => ({ id, name, source, labels, series: name, unit: "", kind: "gauge", help: "", ...more });

test("only a series that a selector may mean makes the server be asked again", async (t) => {
  const pass = clock(t);
  const store = new Store();
  const questions = [];
  let answer = [series(1, "up", "a")];
  const matches = new Matches({ store, limit: 5, ask: async (path) => (questions.push(path), { series: answer, next: null }) });
  const told = [];
  matches.watch(['up{source=~".+"}'], (found) => told.push(found));
  pass(10);
  await settle();
  assert.equal(questions.length, 1);
  assert.deepEqual(new URLSearchParams(questions[0].split("?")[1]).getAll("match"), ['up{source=~".+"}']);
  assert.deepEqual(told.map((one) => one.series.map(({ id }) => id)), [[1]]);
  store.apply({ type: "series", series: [series(2, "down", "a"), series(1, "up", "a")] });
  pass(10_000);
  await settle();
  assert.equal(questions.length, 1);
  answer = [...answer, series(3, "up", "b")];
  store.apply({ type: "series", series: [series(3, "up", "b")] });
  store.apply({ type: "series", series: [series(4, "up", "b")] });
  pass(10_000);
  await settle();
  assert.equal(questions.length, 2);
  assert.deepEqual(told.at(-1).series.map(({ id }) => id), [1, 3]);
  assert.ok(may('up{source="b"}', series(9, "up", "b")) && !may('up{source="b"}', series(9, "up", "c")) && !may('up{x=""}', series(9, "up", "c", { x: "1" })));
  matches.stop();
});

test("a chart of several sources names them, and of many lines the rest is said", () => {
  const some = [series(2, "up", "b", { core: "0" }), series(1, "up", "a", { core: "0" })];
  const made = sheet({ key: "k", series: ["up"] }, some);
  assert.deepEqual(made.lines.map(({ label, source }) => [label, source]), [["a", "a"], ["b", "b"]]);
  assert.deepEqual([made.kind, made.missing], ["line", 0]);
  const many = Array.from({ length: MOST + 5 }, (_, k) => series(k + 1, "up", `s${k}`));
  assert.deepEqual([sheet({ key: "k" }, many, 40).lines.length, sheet({ key: "k" }, many, 40).missing], [MOST, 40 - MOST]);
});

test("a metric of one source is drawn as on the view of its host, unless the panel says otherwise", () => {
  const modes = ["user", "system"].map((mode, k) => series(k + 1, "system_cpu_mode_ratio", "a", { mode }, { unit: "ratio" }));
  assert.deepEqual([sheet({ key: "k" }, modes).kind, sheet({ key: "k" }, modes).title], ["stack", "CPU"]);
  const forced = sheet({ key: "k", title: "Mine", options: { draw: "line", unit: "percent" } }, modes);
  assert.deepEqual([forced.kind, forced.title, forced.unit], ["line", "Mine", "percent"]);
  const ways = ["receive", "transmit"].map((direction, k) => series(k + 1, "net", k ? "a" : "b", { direction }));
  assert.deepEqual(sheet({ key: "k", options: { draw: "mirror" } }, ways).lines.map(({ below }) => below), [true, false]);
  const counter = [series(1, "shop_orders_total", "a", {}, { kind: "counter", unit: "orders" })];
  assert.equal(sheet({ key: "k" }, counter).unit, "orders/s");
  assert.equal(sheet({ key: "k", fn: "increase" }, counter).unit, "orders");
});

test("steps are the server's numbers, in one axis, asked for again as they go by", async (t) => {
  const pass = clock(t);
  const store = new Store();
  store.view.at = 1000;
  const questions = [];
  const ask = async (path) => {
    questions.push(new URLSearchParams(path.split("?")[1]));
    return { step: 10, series: [{ id: 2, at: [980, 990], value: [1, null] }, { id: 1, at: [990], value: [5] }] };
  };
  const span = new Span({ now: () => store.view.at, begun: () => NaN, seconds: 60 });
  const steps = new Steps({ store, span, ask }, { selectors: ["up"], ids: [1, 2], fn: "max", step: "10s" });
  steps.look(true);
  pass(100);
  await settle();
  assert.deepEqual(Object.fromEntries(questions[0]), { from: "940.000", to: "1000.000", series: "up", fn: "max", step: "10s" });
  assert.deepEqual(steps.table.rows().map((column) => [...column]), [[980, 990], [NaN, 5], [1, NaN]]);
  span.fix(0, 100);
  pass(100);
  await settle();
  assert.equal(questions.at(-1).get("to"), "100.000");
  steps.close();
  span.fix(0, 200);
  pass(100);
  await settle();
  assert.equal(questions.length, 2);
});

test("a text is headings, lists, lines and links to the web, and nothing else is a link", () => {
  const found = blocks("# Shop\nCall **Eva**\nor Ali\n\n- one\n- [two](https://x.example/a?b=c)\n## End");
  assert.deepEqual(found.map(({ kind, level }) => [kind, level]), [["heading", 1], ["lines", undefined], ["list", undefined], ["heading", 2]]);
  assert.deepEqual(found[1].lines.map(([{ text }]) => text), ["Call **Eva**", "or Ali"]);
  assert.deepEqual(found[2].items[1], [{ text: "two", href: "https://x.example/a?b=c" }]);
  assert.deepEqual(parts("see http://a.example/x. Now").map(({ href }) => href), ["", "http://a.example/x", ""]);
  for (const bad of ["[x](javascript:alert(1))", "javascript:alert(1)", "[x](data:text/html,1)", "<a href=https:evil>"]) {
    assert.ok(parts(bad).every(({ href }) => href === ""), bad);
    assert.equal(parts(bad).map(({ text }) => text).join(""), bad);
  }
});

test("that a dashboard was saved is told once, with its version", () => {
  const store = new Store();
  const told = [];
  store.on("layouts", (one) => told.push(one));
  const frame = { seq: 7, at: "2026-11-23T00:00:10.000000Z", source: "here", id: "shop", state: "saved", title: "Shop", tags: [], panels: [], author: "eva", provisioned: "" };
  store.apply(message("layout", frame));
  store.apply(message("layout", frame));
  assert.deepEqual(told.map(({ layout }) => [layout.id, layout.seq, layout.author]), [["shop", 7, "eva"]]);
});

test("several series become one figure by those that said anything", () => {
  const joined = (name, values) => JOINS[name].join(values);
  for (const values of [[1, NaN, 3], [NaN, 3, 1], [3, 1, NaN]]) assert.deepEqual(["max", "min", "sum"].map((name) => joined(name, values)), [3, 1, 4]);
  assert.ok(Object.keys(JOINS).every((name) => Number.isNaN(joined(name, [NaN, NaN])) && Number.isNaN(joined(name, []))));
});

test("sources that tick by clocks of their own share a table: a reading stands until the next of its pace, and a gap stays", () => {
  const table = new Table(2, 100);
  const weave = new Weave(2);
  table.load([10], [[1], [5]]);
  weave.seed(table);
  weave.append(table, 11.2, [2, NaN]);
  weave.append(table, 11, [NaN, 6]);
  weave.append(table, 12.2, [3, NaN]);
  weave.append(table, 12, [NaN, 7]);
  weave.append(table, 13.2, [4, NaN]);
  weave.append(table, 14.2, [5, NaN]);
  weave.append(table, 15.2, [6, NaN]);
  assert.deepEqual(table.rows().map((column) => [...column]), [[10, 11.2, 12.2, 13.2, 14.2, 15.2], [1, 2, 3, 4, 5, 6], [5, 6, 7, 7, 7, NaN]]);
});
