// What is watched: the present, or a moment of the past. Only the server's answers and the frames of the screen are made up.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Player } from "../../../web/static/js/player.js";
import { Span } from "../../../web/static/js/span.js";
import { Store } from "../../../web/static/js/store.js";
import { settle } from "./clock.js";

const AT = 1_795_400_000;

const series = (id, name) => ({ id, name, labels: {}, series: name, unit: "", source: "vm", kind: "gauge", help: "" });
const text = (at) => new Date(at * 1000).toISOString();
/** The dashboard as the server tells it: one series whose value is the second it was measured in. */
const dashboard = (at, seq, more = {}) => ({
  cursor: `e:${seq}`, at: text(at), source: "vm", interval_s: 1, version: "1", cached: false, series: [series(1, "load")],
  metrics: { load: { id: 1, value: at - AT, at: text(at) } }, sources: [{ source: "vm", state: "live", first_seen: text(AT - 3600), last_seen: text(at), series: 1, facts: {} }],
  rules: [], alerts: [], notifications: [], annotations: [], ...more,
});
const tick = (second, seq) => ({ type: "metrics", seq, at: AT + second, source: "vm", ids: [1], values: [second], conflated: 0 });

function room(answer = (at) => dashboard(at, 50 + Math.round(at - AT))) {
  const store = new Store();
  const asked = [];
  const frames = [];
  store.apply({ type: "load", cursor: "e:100", seq: 100, at: AT, source: "vm", interval_s: 1, version: "1", series: [series(1, "load")], metrics: [{ id: 1, value: 0, at: AT }], sources: [], rules: [], alerts: [], notifications: [], annotations: [] });
  const ask = async (path) => {
    const at = Date.parse(new URL(path, "http://x").searchParams.get("at")) / 1000;
    asked.push(at - AT);
    return answer(at);
  };
  const player = new Player({ store, ask, frame: (fn) => frames.push(fn) });
  const drawn = () => frames.splice(0).forEach((fn) => fn());
  return { store, player, asked, drawn };
}

test("a moment of the past shows what stood then, and live frames do not mix in", async () => {
  const { store, player } = room();
  player.seek(AT - 30);
  await settle();
  assert.equal(store.value("load"), -30);
  assert.equal(store.view.at, AT - 30);
  store.apply(tick(1, 101));
  assert.equal(store.value("load"), -30);
  assert.equal(store.now(), AT - 30);
});

test("the way back has no gap: what came meanwhile has been folded", async () => {
  const { store, player } = room();
  player.seek(AT - 30);
  await settle();
  for (const second of [1, 2, 3]) store.apply(tick(second, 100 + second));
  const told = [];
  store.on("metrics", (message) => told.push(message.type));
  player.live();
  assert.equal(store.value("load"), 3);
  assert.equal(store.view.seq, 103);
  assert.deepEqual(told, ["now"]);
  store.apply(tick(4, 104));
  assert.equal(store.value("load"), 4);
});

test("while the playhead is dragged one question is under way, and the next is for the newest place", async () => {
  let let_go;
  const { store, player, asked } = room((at) => new Promise((done) => {
    let_go = () => done(dashboard(at, 10));
  }));
  for (const back of [10, 20, 30, 40]) player.drag(AT - back);
  await settle();
  assert.deepEqual(asked, [-10]);
  assert.ok(store.ahead);
  let_go();
  await settle();
  assert.deepEqual(asked, [-10, -40]);
  let_go();
  await settle();
  assert.equal(store.value("load"), -40);
  assert.equal(store.ahead, false);
});

test("the playhead is told once a frame, however often it is moved", async () => {
  const { store, player, drawn } = room();
  player.drag(AT - 5);
  const told = [];
  store.on("playhead", () => told.push(store.playhead - AT));
  drawn();
  for (const back of [6, 7, 8]) player.drag(AT - back);
  drawn();
  assert.deepEqual(told, [-5, -8]);
});

test("where nothing can be told, nothing is shown, and it is said why", async () => {
  const { store, player } = room(() => {
    throw new Error("The tape begins later.");
  });
  player.seek(AT - 9_999);
  await settle();
  assert.equal(player.notice, "The tape begins later.");
  assert.equal(store.value("load"), undefined);
  player.live();
  assert.equal(store.value("load"), 0);
  assert.equal(player.notice, "");
});

test("now, and what is not over, is live", async () => {
  const { player } = room();
  player.seek(AT + 100);
  assert.equal(player.past, false);
  player.seek(AT - 10);
  assert.equal(player.past, true);
  player.seek(AT);
  assert.equal(player.past, false);
});

test("a frame of the replay goes into what is shown, and into nothing else", async () => {
  const { store, player } = room();
  player.seek(AT - 30);
  await settle();
  store.replay(tick(-29, 21));
  assert.equal(store.value("load"), -29);
  assert.equal(store.now_view.latest.get(1), 0);
});

test("charts stand in pages around the playhead, and turn when it leaves them", () => {
  let playhead = NaN;
  const span = new Span({ now: () => AT, begun: () => AT - 86_400, seconds: 900, playhead: () => playhead });
  const turned = [];
  span.on((_, by) => turned.push(by));
  assert.ok(span.growing);
  playhead = AT - 5_000;
  span.moved();
  const { from, to } = span.shown();
  assert.ok(from < playhead && playhead < to && to - from === 900 && !span.growing);
  playhead = from + 450;
  span.moved();
  assert.deepEqual(span.shown(), { from, to });
  assert.deepEqual(turned, [true]);
  playhead = to + 1;
  span.moved();
  assert.notEqual(span.shown().from, from);
  span.fix(AT - 8_000, AT - 7_900);
  playhead = AT - 7_850;
  span.moved();
  const still = span.shown();
  assert.ok(still.from <= playhead && playhead <= still.to && Math.abs(still.to - still.from - 100) < 1e-6);
});
