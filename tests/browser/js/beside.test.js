// A second moment beside the one that is watched. Only the server's answers and the frames of the screen are made up.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Beside, offset, Shifted, told } from "../../../web/static/js/beside.js";
import { BEFORE } from "../../../web/static/js/ghosts.js";
import { Player } from "../../../web/static/js/player.js";
import { Span } from "../../../web/static/js/span.js";
import { Store } from "../../../web/static/js/store.js";
import { settle } from "./clock.js";

const AT = 1_795_400_000;
const HOUR = 3600;
const text = (at) => new Date(at * 1000).toISOString();
const LOAD = { id: 1, name: "load", labels: {}, series: "load", unit: "", source: "vm", kind: "gauge", help: "" };
/** The dashboard as it was: one series whose value is the second it was measured in. */
const dashboard = (at) => ({
  cursor: `e:${Math.round(at - AT) + 100_000}`, at: text(at), source: "vm", interval_s: 1, version: "1", cached: false, series: [LOAD],
  metrics: { load: { id: 1, value: at - AT, at: text(at) } }, sources: [], rules: [], alerts: [], notifications: [], annotations: [],
});
const tick = (second) => ["metrics", { seq: 100_000 + second, at: text(AT + second), source: "vm", ids: [1], values: [second] }];

function road() {
  const opened = [];
  return {
    opened, id: "made",
    open(wanted, on) {
      const stream = {
        wanted, on, said: [], closed: false, commands: true,
        say: (event, data) => stream.said.push([event, data]),
        close: () => (stream.closed = true),
        told: (second, state, id) => on.told({ at: text(AT + second), state, speed: wanted.speed, after: 1, tier: "raw", watchers: ["me"], holder: "me", id: "r" }, id),
      };
      opened.push(stream);
      on.opened("me");
      return stream;
    },
  };
}

async function room({ shift_s = HOUR, back = 100, answer = dashboard, mine = road(), begins } = {}) {
  const store = new Store();
  store.apply({ type: "load", cursor: "e:200000", seq: 200_000, at: AT, source: "vm", interval_s: 1, version: "1", series: [LOAD], metrics: [{ id: 1, value: 0, at: AT }], sources: [], rules: [], alerts: [], notifications: [], annotations: [] });
  const asked = [];
  const ask = async (path) => {
    const at = Date.parse(new URL(path, "http://x").searchParams.get("at")) / 1000;
    asked.push(at - AT);
    return answer(at);
  };
  const frames = [];
  const its = road();
  const player = new Player({ store, ask, roads: [its], frame: (fn) => frames.push(fn) });
  const span = new Span({ now: () => AT, begun: () => AT - 9_000, seconds: 900, playhead: () => store.playhead });
  player.pair(true);
  player.seek(AT - back);
  const drawn = () => frames.splice(0).forEach((fn) => fn());
  drawn();
  await settle();
  const beside = new Beside({ player, store, span, ask, source: () => "vm", road: mine, begins, shift_s });
  await settle();
  return { store, player, span, beside, asked, drawn, its, mine };
}

/** Both streams stand where they were opened, and play. */
function plays({ player, its, mine, beside }) {
  player.play();
  its.opened[0].told(-100, "paused");
  mine.opened[0].told(beside.at - AT, "paused");
  its.opened[0].told(-100, "playing", its.opened[0].said.length);
}

test("the address says how much earlier, or later; what means nothing is nothing", () => {
  assert.deepEqual(["1h", "1d", "-7d", "90s", "-12.5s", "", "-", "ever", "--1h"].map(offset), [3600, 86_400, -604_800, 90, -12.5, 0, -0, 0, -0]);
  assert.deepEqual([3600, -86_400, 90.25, -12.1234567].map((one) => told(one, BEFORE)), ["1h", "-1d", "90.25s", "-12.123457s"]);
  for (const one of [3600, -86_400, 90.25, -1.5]) assert.equal(offset(told(one, BEFORE)), one);
});

test("what stood at both moments is shown, each by itself", async () => {
  const { store, beside, asked } = await room();
  assert.deepEqual([store.value("load"), beside.store.value("load")], [-100, -100 - HOUR]);
  assert.equal(beside.store.playhead, AT - 100 - HOUR);
  assert.deepEqual(asked, [-100, -100 - HOUR]);
  assert.equal(beside.store.present(), store.present());
});

test("a playhead that is moved takes the other along in the same tick, and what stood there follows", async () => {
  const { player, store, beside, drawn } = await room();
  player.drag(AT - 500);
  drawn();
  assert.equal(store.playhead - beside.store.playhead, HOUR);
  assert.ok(beside.store.ahead);
  player.drop();
  await settle();
  await settle();
  assert.deepEqual([store.value("load"), beside.store.value("load"), beside.store.ahead], [-500, -500 - HOUR, false]);
});

test("what plays is folded when the clock has come to it, and not when it arrives", async () => {
  const made = await room();
  const { player, beside, mine, store } = made;
  plays(made);
  assert.ok(player.playing && beside.streams);
  assert.ok(mine.opened[0].said.some(([event]) => event === "replay_play"));
  assert.equal(mine.opened[0].wanted.jumps, false);
  const begun = Math.round(beside.at - AT);
  for (const second of [1, 2, 3]) mine.opened[0].on.frame(...tick(begun + second));
  const to = (second) => {
    player.at = AT - 100 + second;
    store.point(player.at);
  };
  to(1.4);
  assert.equal(beside.store.value("load"), begun + 1);
  to(2.4);
  assert.equal(beside.store.value("load"), begun + 2);
  to(3);
  assert.equal(beside.store.value("load"), begun + 3);
});

test("a replay that falls behind is moved to where the clock is, and what it told before counts no more", async () => {
  const made = await room();
  const { player, beside, mine, store } = made;
  plays(made);
  const [stream] = mine.opened;
  const begun = beside.at - AT;
  player.at = AT - 100 + 1.9;
  store.point(player.at);
  stream.told(begun + 0.2, "playing");
  assert.equal(stream.said.at(-1)[0], "replay_seek");
  assert.ok(beside.store.ahead && !beside.streams);
  stream.on.frame(...tick(Math.round(begun) + 1));
  assert.equal(beside.waiting.length, 0);
  stream.told(begun + 2, "playing", stream.said.length);
  assert.ok(beside.streams);
});

test("where the clock stands what stood then is asked for, exactly", async () => {
  const made = await room();
  const { player, beside, mine } = made;
  plays(made);
  player.pause();
  assert.ok(mine.opened[0].closed);
  player.at = AT - 90;
  made.store.point(player.at);
  await settle();
  await settle();
  assert.equal(beside.store.value("load"), -90 - HOUR);
});

test("where a stream stops, both are asked for: what is dated that very moment may not have been told", async () => {
  const made = await room();
  const { player, its, asked, store, beside, drawn } = made;
  plays(made);
  player.pause();
  its.opened[0].told(-95, "paused", its.opened[0].said.length);
  drawn();
  await settle();
  await settle();
  assert.deepEqual(asked.slice(-2).sort((a, b) => b - a), [-95, -95 - HOUR]);
  assert.deepEqual([store.value("load"), beside.store.value("load")], [-95, -95 - HOUR]);
});

test("without a stream it goes by moments that are asked for", async () => {
  const made = await room({ mine: null });
  const { player, beside, its, store } = made;
  player.play();
  its.opened[0].told(-100, "paused");
  player.at = AT - 80;
  store.point(player.at);
  await settle();
  await settle();
  assert.equal(beside.store.value("load"), -80 - HOUR);
});

test("a moment that has not come yet, or of which nothing is known, shows nothing and says why", async () => {
  const future = await room({ shift_s: -200 });
  assert.ok(future.beside.early);
  assert.equal(future.beside.store.value("load"), undefined);
  assert.deepEqual(future.asked, [-100]);
  const before = await room({ answer: (at) => {
    if (at < AT - HOUR) throw new Error("The tape begins later.");
    return dashboard(at);
  } });
  assert.equal(before.beside.reason, "The tape begins later.");
  assert.equal(before.beside.store.value("load"), undefined);
  assert.equal(before.store.value("load"), -100);
});

test("live frames do not mix in, and coming to now both stand", async () => {
  const { store, player, beside } = await room();
  store.apply({ type: "metrics", seq: 200_001, at: AT + 1, source: "vm", ids: [1], values: [1], conflated: 0 });
  assert.equal(beside.store.value("load"), -100 - HOUR);
  player.seek(AT + 60);
  assert.ok(player.past && !player.playing);
  player.pair(false);
  player.seek(AT + 60);
  assert.equal(player.past, false);
});

test("both sides show as long a stretch, and what is chosen on one is chosen on both", async () => {
  const { span, beside } = await room();
  const [one, other] = [span.shown(), beside.span.shown()];
  assert.deepEqual([one.from - other.from, one.to - other.to], [HOUR, HOUR]);
  beside.span.fix(AT - HOUR - 50, AT - HOUR - 20);
  assert.deepEqual([span.shown().from, span.shown().to], [AT - 50, AT - 20]);
  const shifted = new Shifted(span, 10);
  let heard = 0;
  shifted.on(() => (heard += 1));
  span.last(60);
  shifted.close();
  span.last(300);
  assert.equal(heard, 1);
});

test("who leaves hears nothing more", async () => {
  const made = await room();
  plays(made);
  made.beside.close();
  assert.ok(made.mine.opened[0].closed);
  made.store.point(AT - 50);
  assert.equal(made.beside.store.playhead, AT - 100 - HOUR);
});

test("of a moment before the tape nothing is asked, for it is known that nothing stood there", async () => {
  const { beside, asked, store } = await room({ begins: () => AT - HOUR });
  assert.ok(beside.at < AT - HOUR);
  assert.ok(asked.every((second) => second >= -HOUR), String(asked));
  assert.ok(store.past);
});
