// The pure modules of the page, by node's own runner: `node --test tests/browser/js/`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { ask, late } from "../../../web/static/js/api.js";
import { CEILING_MS, FLOOR_MS, backoff } from "../../../web/static/js/backoff.js";
import { ceiling, duration, figures, percent, text } from "../../../web/static/js/format.js";
import { Keys } from "../../../web/static/js/keys.js";
import { Pulse } from "../../../web/static/js/pulse.js";
import { moment } from "../../../web/static/js/route.js";
import { Table } from "../../../web/static/js/series.js";
import { Store } from "../../../web/static/js/store.js";
import { first, message, micro, parsed, seconds } from "../../../web/static/js/wire.js";
import { clock, settle } from "./clock.js";

const STATIC = join(dirname(fileURLToPath(import.meta.url)), "../../../web/static");

test("backoff: full jitter between half a second and twenty", () => {
  for (let failures = 0; failures < 50; failures += 1) {
    assert.equal(backoff(failures, () => 0), FLOOR_MS);
    assert.ok(backoff(failures, () => 1) <= CEILING_MS);
  }
  assert.equal(backoff(49, () => 1), CEILING_MS);
  assert.ok(backoff(0, () => 1) < backoff(1, () => 1));
});

test("times keep their microseconds", () => {
  assert.equal(seconds("2026-11-23T03:11:46.123456Z"), 1795403506.123456);
  assert.equal(seconds("2026-11-23T03:11:46Z"), 1795403506);
  assert.ok(Number.isNaN(seconds(null)));
});

test("moments are written to the microsecond, and read back", () => {
  for (const text of ["2026-11-23T03:11:46.123456Z", "2026-11-23T03:11:46.000001Z", "2026-11-23T03:11:59.999999Z"]) assert.equal(micro(seconds(text)), text);
  assert.equal(micro(1795403506.9999998), "2026-11-23T03:11:47.000000Z");
});

test("series texts are read with their escapes", () => {
  assert.deepEqual(parsed("up"), { name: "up", labels: {} });
  assert.deepEqual(parsed('a{b="c\\"d",e="f\\\\g\\nh"}'), { name: "a", labels: { b: 'c"d', e: "f\\g\nh" } });
});

test("a table slides without losing order, and the oldest go first", () => {
  const table = new Table(2, 4);
  for (let i = 0; i < 50; i += 1) assert.ok(table.append(i, [i, -i]));
  const [at, one, two] = table.rows();
  assert.deepEqual([...at], [46, 47, 48, 49]);
  assert.deepEqual([...one], [46, 47, 48, 49]);
  assert.deepEqual([...two], [-46, -47, -48, -49]);
  assert.ok(table.overflowed);
  assert.equal(table.append(10, [1, 1]), false);
});

test("two frames of one tick are one row", () => {
  const table = new Table(2, 4);
  table.append(1, [5, NaN]);
  table.append(1, [NaN, 6]);
  assert.deepEqual(table.rows().map((column) => [...column]), [[1], [5], [6]]);
});

test("a hole is a hole, and a refetch fills it and keeps what is newer", () => {
  const table = new Table(1, 100);
  for (const at of [1, 2, 3, 9, 10, 11]) table.append(at, [at]);
  assert.deepEqual([...table.breaks()], [0, 0, 0, 1, 0, 0]);
  assert.deepEqual([...table.breaks()], [...table.breaks()].map((_, i) => Number(table.broken(i))));
  table.load([1, 2, 3, 4, 5, 6, 7, 8, 9], [[1, 2, 3, 4, 5, 6, 7, null, 9]]);
  const [at, value] = table.rows();
  assert.deepEqual([...at], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  assert.ok(Number.isNaN(value[7]));
  assert.ok(!table.breaks().includes(1));
  // Thinned history has its own measure of a hole, and what is live after it the usual one.
  table.load([10, 20, 30], [[1, 2, 3]], 15);
  for (const at of [31, 40]) table.append(at, [at]);
  assert.deepEqual([...table.breaks()], [0, 0, 0, 0, 1]);
  assert.deepEqual([...table.breaks()], [...table.breaks()].map((_, i) => Number(table.broken(i))));
});

const LIVE = {
  cursor: "e:10", at: "2026-11-23T00:00:10.000000Z", source: "here", hours: 0.25, interval_s: 1, version: "1", cached: false,
  series: [{ id: 1, series: "system_load{period=\"1m\"}", name: "system_load", labels: { period: "1m" }, source: "here" }],
  metrics: { 'system_load{period="1m"}': { id: 1, value: 2, unit: "", at: 1795392010 } },
  sources: [{ source: "here", state: "live", first_seen: "2026-11-23T00:00:00.000000Z", last_seen: "2026-11-23T00:00:10.000000Z", series: 1, facts: {} }],
  rules: [], alerts: [], notifications: [],
};
const tick = (seq, value) => message("metrics", {
  seq, cursor: `e:${seq}`, at: `2026-11-23T00:00:${seq}.000000Z`, source: "here", ids: [1], values: [value],
});

test("every seq counts once, whatever road it came on", () => {
  const store = new Store();
  store.apply({ type: "load", ...first(LIVE) });
  for (const seq of [11, 12, 12, 11, 13]) store.apply(tick(seq, seq));
  assert.equal(store.view.seq, 13);
  assert.equal(store.kpi("load_1m"), 13);
});

const BEAT = { id: 2, series: "playhead_loop_lag_seconds", name: "playhead_loop_lag_seconds", labels: {}, source: "here" };
const frame = (seq, second, ids, source = "here") => message("metrics", {
  seq, cursor: `e:${seq}`, at: `2026-11-23T00:00:${String(second).padStart(2, "0")}.000000Z`, source, ids, values: ids.map(() => seq),
});
const watching = () => {
  const store = new Store();
  store.apply({ type: "load", ...first({ ...LIVE, series: [...LIVE.series, BEAT] }) });
  return store;
};

test("now is the host's own newest tick, whatever time others, or samples in its name, claim", () => {
  const store = watching();
  const from = store.view.at;
  store.apply(frame(11, 11, [1, 2]));
  store.apply(frame(12, 55, [9], "other"));
  store.apply(frame(13, 55, [1]));
  store.apply(frame(14, 2, [1]));
  assert.equal(store.view.at, from + 1);
  store.apply(frame(15, 12, [1, 2]));
  assert.equal(store.view.at, from + 2);
  assert.equal(store.kpi("load_1m"), 15);
});

test("a clock set back takes the page along, and whoever draws is told", () => {
  const store = watching();
  let leaps = 0;
  store.on("leap", () => { leaps += 1; });
  for (const second of [11, 40, 41]) store.apply(frame(second, second, [1, 2]));
  assert.equal(leaps, 0);
  store.apply(frame(42, 12, [1, 2]));
  assert.equal(leaps, 1);
  store.apply(frame(43, 13, [1, 2]));
  assert.equal(leaps, 1);
  assert.equal(store.view.at, seconds("2026-11-23T00:00:13Z"));
  assert.equal(store.kpi("load_1m"), 43);
});

test("ages are counted by the server's clock, and before it has told by its tick", () => {
  const store = watching();
  assert.equal(store.now(), store.view.at);
  store.heard(message("heartbeat", { server_time: "2026-11-23T00:01:00.000000Z" }).at);
  assert.ok(Math.abs(store.now() - store.view.at - 50) < 1);
  assert.equal(message("hello", {}), null);
});

test("ticks that stop while the link lives are noticed, with the server's reason, and their return too", async (t) => {
  const pass = clock(t);
  const told = [];
  let asked = 0;
  const pulse = new Pulse({ why: async () => { asked += 1; return ["the disk is full"]; }, report: (one) => told.push(one) });
  t.after(() => pulse.stop());
  pulse.start();
  pulse.linked(true);
  for (let i = 0; i < 10; i += 1) {
    pass(1000);
    pulse.beat();
  }
  pass(5_000);
  await settle();
  assert.deepEqual([asked, told], [0, []]);
  pass(1_000);
  await settle();
  assert.deepEqual(told, [{ stalled: true, reason: "the disk is full" }]);
  pulse.beat();
  assert.deepEqual(told.at(-1), { stalled: false, reason: "" });
  pulse.linked(false);
  pass(60_000);
  await settle();
  assert.equal(told.length, 2);
  pulse.interval_s = 10;
  pulse.linked(true);
  pass(50_000);
  await settle();
  assert.equal(told.length, 2);
});

test("a refetch that raced with live frames brings history, not the past's present", () => {
  const store = new Store();
  store.apply({ type: "load", ...first(LIVE) });
  store.apply(tick(11, 11));
  store.apply({ type: "load", ...first(LIVE) });
  assert.equal(store.view.seq, 11);
  assert.equal(store.kpi("load_1m"), 11);
});

test("another epoch is another log", () => {
  const store = new Store();
  store.apply({ type: "load", ...first(LIVE) });
  store.apply(tick(11, 11));
  store.apply({ type: "load", ...first({ ...LIVE, cursor: "f:3", metrics: {} }) });
  assert.equal(store.view.seq, 3);
  assert.ok(Number.isNaN(store.kpi("load_1m")));
});

test("an unknown frame is let pass: the server may be newer than the page", () => {
  assert.equal(message("annotation_of_2031", {}), null);
});

test("a key that a view takes is given back when the view is left", (t) => {
  let press;
  const { document } = globalThis;
  globalThis.document = { addEventListener: (_, listener) => { press = listener; }, querySelector: () => null };
  t.after(() => { globalThis.document = document; });
  const keys = new Keys();
  const told = [];
  keys.on("e", "export", () => told.push("export"));
  const leave = keys.on("e", "edit", () => told.push("edit"));
  const event = { key: "E", target: {}, preventDefault() {} };
  press(event);
  leave();
  press(event);
  press({ ...event, ctrlKey: true });
  assert.deepEqual(told, ["edit", "export"]);
});

test("numbers for people", () => {
  assert.equal(text("bytes", 25_276_502_016), "23.5 GiB");
  assert.equal(text("bytes_per_second", 12_600_000), "12.6 MB/s");
  assert.equal(text("ratio", 0.834), "83.4 %");
  assert.equal(text("seconds", 0.0047), "4.70 ms");
  assert.equal(text("bytes", null), "–");
  assert.equal(percent(0.02), "0.02");
  assert.equal(figures(1204), "1,204");
  assert.equal(duration(40), "40 s");
  assert.equal(duration(12 * 86_400 + 4 * 3600 + 59), "12 d 4 h");
  assert.equal(duration(3600), "1 h");
  for (const value of [0.3, 1, 7, 83, 385, 4096]) assert.ok(ceiling(value) >= value && ceiling(value) < 3 * value, String(value));
});

/** Every module that one imports, and those import, itself included. */
function graph(entry) {
  const found = new Set();
  const walk = (path) => {
    if (found.has(path)) return;
    found.add(path);
    const imports = readFileSync(join(STATIC, path), "utf8").matchAll(/^(?:import|export)[^;]*?from "([^"]+)"/gms);
    for (const [, name] of imports) {
      assert.ok(name.startsWith("."), `${path} imports ${name}: only relative imports pass the policy`);
      walk(normalize(join(dirname(path), name)));
    }
  };
  walk(entry);
  return found;
}

/** What the page brings by itself once its first figures are there. */
function later() {
  const [, run] = readFileSync(join(STATIC, "js/main.js"), "utf8").match(/^function further\(\) \{(.*?)^\}/ms);
  const found = [...run.matchAll(/import\("\.\/([^"]+)"\)/g)].map(([, path]) => `js/${path}`);
  assert.ok(found.includes("js/panels/timeline.js"));
  return found;
}

test("what comes later is nothing that a first look loads", () => {
  const first = graph("js/main.js");
  for (const path of later()) assert.ok(!first.has(path), path);
  const html = readFileSync(join(STATIC, "analytics.html"), "utf8");
  const sheets = (name) => [...readFileSync(join(STATIC, `css/${name}.css`), "utf8").matchAll(/^@import "([^"]+)";$/gm)].map(([, path]) => path);
  assert.ok(html.includes(`<link rel="stylesheet" href="{{ assets }}/css/page.css">`) && html.includes(`<link data-late data-href="{{ assets }}/css/later.css">`));
  const worn = [...sheets("page"), ...sheets("later")];
  assert.ok(worn.length > 10 && new Set(worn).size === worn.length);
  for (const path of worn) assert.ok(readFileSync(join(STATIC, "css", path)).length > 0, path);
});

test("the page preloads exactly the modules it imports, and every one is there", () => {
  for (const [page, entry] of [["analytics.html", "js/main.js"], ["docs.html", "js/docs.js"], ["offline.html", "js/offline.js"]]) {
    const found = graph(entry);
    const html = readFileSync(join(STATIC, page), "utf8");
    const preloaded = [...html.matchAll(/rel="modulepreload" href="\{\{ assets \}\}\/([^"]+)"/g)].map(([, path]) => path);
    assert.deepEqual(preloaded.sort(), [...found].filter((path) => path !== entry).sort());
    assert.ok(!/<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon[a-z]+="/.test(html), `${page} has something inline`);
  }
});

test("an answer that is out for long is told while it is out, and no longer", async (t) => {
  const pass = clock(t);
  const { fetch } = globalThis;
  t.after(() => Object.assign(globalThis, { fetch }));
  const answers = [];
  globalThis.fetch = () => new Promise((done, failed) => answers.push({ done, failed }));
  const told = [];
  late.changed = () => told.push(late.count);
  t.after(() => (late.changed = () => {}));
  const [quick, slow, broken] = [ask("/a"), ask("/b"), ask("/c")];
  answers[0].done(Response.json({ data: 1 }));
  assert.equal(await quick, 1);
  pass(4_500);
  assert.deepEqual(told, [1, 2]);
  answers[1].done(Response.json({ data: 2 }));
  answers[2].failed(new TypeError("gone"));
  assert.equal(await slow, 2);
  await assert.rejects(broken);
  assert.deepEqual([late.count, told.at(-1)], [0, 0]);
});

test("what a view needs beyond the page is asked for at once, too", () => {
  const html = readFileSync(join(STATIC, "analytics.html"), "utf8");
  const links = [...html.matchAll(/data-ahead="([^"]+)" data-href="\{\{ assets \}\}\/([^"]+)"/g)].map(([, views, path]) => [views.split(" "), path]);
  const known = graph("js/main.js");
  const named = new Set(links.flatMap(([views]) => views));
  assert.ok(named.has("host") && named.has("overview"));
  for (const view of named) {
    const listed = links.filter(([views]) => views.includes(view)).map(([, path]) => path);
    const entry = view === "tabs" ? "js/share.js" : `js/views/${view}.js`;
    assert.deepEqual(listed.sort(), [...graph(entry)].filter((path) => !known.has(path)).sort(), view);
  }
});

test("a key that the page hears means one thing", () => {
  // What a view binds while it is shown may mean more than that; what stands on every page may not.
  const everywhere = [...new Set(["js/main.js", ...later()].flatMap((path) => [...graph(path)]))].filter((path) => !path.startsWith("js/views/"));
  const bound = everywhere.flatMap((path) => [...readFileSync(join(STATIC, path), "utf8").matchAll(/keys\.on\("([^"]+)"/g)].map(([, key]) => key));
  const actions = [...readFileSync(join(STATIC, "js/panels/controls.js"), "utf8").matchAll(/^ {4}\["\w+", t\("[^"]+"\), "(.)"/gm)].map(([, key]) => key);
  assert.ok(bound.length > 20 && actions.length > 3);
  const all = [...bound, ...actions];
  assert.deepEqual(all.filter((key, k) => all.indexOf(key) !== k), []);
});

test("a moment of the address is a time with any offset, or epoch seconds, or none", () => {
  assert.equal(moment("2026-11-29T00:00:00.000001Z"), Date.UTC(2026, 10, 29) / 1000 + 1e-6);
  assert.equal(moment("2026-11-29T01:00:00+01:00"), Date.UTC(2026, 10, 29) / 1000);
  assert.equal(moment("1795400000.5"), 1_795_400_000.5);
  for (const none of ["", "foo", "fooZ"]) assert.ok(Number.isNaN(moment(none)));
});
