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

/** A road to a replay that says what it is told, and is moved by hand. */
function road({ commands = true } = {}) {
  const opened = [];
  return {
    opened,
    id: "made", title: "made",
    open(wanted, on) {
      const stream = {
        wanted, on, said: [], closed: false, commands,
        say: (event, data) => stream.said.push([event, data]),
        close: () => {
          stream.closed = true;
        },
        told: (second, state, more = {}) => on.told({ at: text(AT + second), state, speed: wanted.speed, after: 1, tier: "raw", watchers: ["me"], holder: "me", id: "r1", ...more }, more.answer),
      };
      opened.push(stream);
      if (commands) on.opened("me");
      return stream;
    },
  };
}

function room(answer = (at) => dashboard(at, 50 + Math.round(at - AT)), roads = [], further = undefined) {
  const store = new Store();
  const asked = [];
  const frames = [];
  store.apply({ type: "load", cursor: "e:100", seq: 100, at: AT, source: "vm", interval_s: 1, version: "1", series: [series(1, "load")], metrics: [{ id: 1, value: 0, at: AT }], sources: [], rules: [], alerts: [], notifications: [], annotations: [] });
  const ask = async (path) => {
    const at = Date.parse(new URL(path, "http://x").searchParams.get("at")) / 1000;
    asked.push(at - AT);
    return answer(at);
  };
  const player = new Player({ store, ask, roads, further, frame: (fn) => frames.push(fn) });
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

const alone = (one) => room((at) => dashboard(at, 50 + Math.round(at - AT)), [one]);

test("playing is a replay on a connection of its own, from the very moment, and its frames alone are shown", async () => {
  const made = road();
  const { store, player } = alone(made);
  player.speed = 10;
  player.seek(AT - 30);
  await settle();
  assert.equal(made.opened.length, 0);
  player.play();
  const [stream] = made.opened;
  assert.deepEqual([stream.wanted.at, stream.wanted.speed], [AT - 30, 10]);
  stream.told(-30, "paused");
  assert.deepEqual(stream.said.map(([event]) => event), ["replay_play"]);
  stream.on.frame("snapshot", dashboard(AT - 30, 20));
  stream.told(-30, "playing", { answer: 1 });
  stream.on.frame("metrics", { seq: 21, at: text(AT - 29), source: "vm", ids: [1], values: [-29] });
  store.apply(tick(1, 101));
  assert.equal(store.value("load"), -29);
  assert.equal(store.view.seq, 21);
  assert.ok(player.playing);
});

test("until a command is answered, what is told is of before it", async () => {
  const made = road();
  const { player } = alone(made);
  player.seek(AT - 30);
  player.play();
  const [stream] = made.opened;
  stream.told(-30, "paused");
  stream.told(-30, "playing", { answer: 1 });
  player.seek(AT - 100);
  assert.deepEqual(stream.said.at(-1)[0], "replay_seek");
  stream.told(-25, "playing");
  assert.equal(player.at, AT - 100);
  stream.told(-100, "playing", { answer: 2 });
  assert.equal(player.at, AT - 100);
  player.pause();
  stream.told(-99, "paused", { answer: 3 });
  assert.deepEqual([player.at, player.playing], [AT - 99, false]);
});

test("where the replay reaches now it is live, and its connection ends", async () => {
  const made = road();
  const { store, player } = alone(made);
  player.seek(AT - 3);
  player.play();
  const [stream] = made.opened;
  stream.told(-3, "paused");
  stream.told(-3, "playing", { answer: 1 });
  store.apply(tick(1, 101));
  stream.told(1, "live");
  assert.deepEqual([player.past, stream.closed, store.value("load")], [false, true, 1]);
});

test("a drag holds the replay, and it goes on from where it is dropped", async () => {
  const made = road();
  const { player, asked } = alone(made);
  player.seek(AT - 30);
  player.play();
  const [stream] = made.opened;
  stream.told(-30, "paused");
  stream.told(-30, "playing", { answer: 1 });
  player.drag(AT - 50);
  player.drag(AT - 60);
  await settle();
  assert.equal(stream.said.at(-1)[0], "replay_pause");
  assert.ok(asked.includes(-60));
  player.drop();
  assert.deepEqual(stream.said.slice(-2).map(([event]) => event), ["replay_seek", "replay_play"]);
  assert.ok(stream.said.at(-2)[1].at.startsWith(new Date((AT - 60) * 1000).toISOString().slice(0, 19)));
});

test("until the roads are known it goes step by step; then what plays is a stream, and what stands opens none", async () => {
  for (const plays of [true, false]) {
    let come;
    const it = road();
    const { player } = room((at) => dashboard(at, 50), null, () => new Promise((done) => {
      come = () => {
        player.roads ??= [it];
        done();
      };
    }));
    player.seek(AT - 300);
    player.play();
    player.pause();
    if (plays) player.play();
    assert.equal(player.notice, "");
    come();
    await settle();
    assert.equal(it.opened.length, plays ? 1 : 0);
    assert.equal(player.notice, "");
  }
});

test("who is invited before the roads are known joins, and where they cannot be had that is said and asked for again", async () => {
  const it = road();
  let there = false;
  let asked = 0;
  const { player } = room((at) => dashboard(at, 50), null, async () => {
    asked += 1;
    if (there) player.roads = [it];
  });
  player.seek(AT - 300);
  player.play();
  await settle();
  assert.match(player.notice, /Step by step/);
  there = true;
  player.join("r7");
  await settle();
  assert.equal(asked, 2);
  assert.deepEqual(it.opened.map(({ wanted }) => wanted.join), ["r7"]);
});

test("a road that is closed is left for the next, and without any it goes step by step, and says so", async () => {
  const [one, other] = [road(), road({ commands: false })];
  const { player, drawn } = room((at) => dashboard(at, 50), [one, other]);
  player.seek(AT - 300);
  player.play();
  one.opened[0].on.closed();
  assert.equal(other.opened.length, 1);
  other.opened[0].told(-300, "playing");
  assert.match(player.notice, /server-sent/);
  player.pause();
  assert.ok(other.opened[0].closed);
  player.play();
  other.opened[1].on.closed();
  assert.match(player.notice, /Step by step/);
  assert.ok(player.playing);
  drawn();
  assert.ok(player.at >= AT - 300);
});

test("what retention has taken is played from buckets, and that is said", async () => {
  const made = road();
  const { player } = alone(made);
  player.seek(AT - 30);
  player.play();
  made.opened[0].told(-30, "paused");
  made.opened[0].told(-30, "playing", { answer: 1, tier: "60s" });
  assert.match(player.notice, /60s/);
});

test("a replay that is joined goes as whoever holds the remote wants, and a shared one is told every move", async () => {
  const made = road();
  const { store, player } = alone(made);
  player.join("r1");
  const [stream] = made.opened;
  assert.equal(stream.wanted.join, "r1");
  stream.told(-70, "playing", { holder: "other", watchers: ["me", "other"], speed: 5 });
  stream.on.frame("snapshot", dashboard(AT - 70, 10));
  assert.deepEqual([player.at, player.speed, player.playing, player.holds], [AT - 70, 5, true, false]);
  assert.deepEqual(stream.said, []);
  assert.equal(store.value("load"), -70);
  player.seek(AT - 90);
  assert.equal(stream.said.at(-1)[0], "replay_seek");
});

test("nobody looks: nothing is read, and it goes on when somebody does", async () => {
  const made = road();
  const { player } = alone(made);
  player.seek(AT - 30);
  player.play();
  made.opened[0].told(-30, "paused");
  made.opened[0].told(-30, "playing", { answer: 1 });
  player.rest();
  assert.equal(made.opened[0].said.at(-1)[0], "replay_pause");
  player.wake();
  assert.equal(made.opened[0].said.at(-1)[0], "replay_play");
});

test("what is refused is taken back: the replay is where whoever holds the remote has it", async () => {
  const made = road();
  const { player } = alone(made);
  player.join("r1");
  const [stream] = made.opened;
  stream.told(-70, "paused", { holder: "other", watchers: ["me", "other"] });
  player.seek(AT - 90);
  assert.equal(player.at, AT - 90);
  stream.on.refused("somebody else has the remote", stream.said.length);
  assert.equal(player.at, AT - 70);
});

test("sharing opens a replay that stands where one is, and tells its id; a replay that has ended leaves its moment", async () => {
  const made = road();
  const { player } = alone(made);
  player.seek(AT - 40);
  const sharing = player.share();
  const [stream] = made.opened;
  assert.equal(stream.wanted.at, AT - 40);
  stream.told(-40, "paused");
  assert.equal(await sharing, "r1");
  assert.deepEqual([player.shared, player.holds, player.playing], [true, true, false]);
  const other = road();
  const guest = alone(other);
  guest.player.join("gone", AT - 40);
  other.opened[0].on.closed();
  await settle();
  assert.deepEqual([guest.player.at, guest.player.shared, guest.store.value("load")], [AT - 40, false, -40]);
});

test("a stretch is played over and over, until one goes elsewhere", async () => {
  const made = road();
  const { player } = alone(made);
  player.loop(AT - 60, AT - 40);
  const [stream] = made.opened;
  assert.deepEqual([stream.wanted.at, stream.wanted.until], [AT - 60, AT - 40]);
  stream.told(-60, "paused", { loop: true });
  stream.told(-60, "playing", { answer: 1, loop: true });
  assert.match(player.notice, /over and over/);
  player.seek(AT - 50);
  assert.equal(stream.said.at(-1)[0], "replay_seek");
  player.seek(AT - 300);
  assert.ok(stream.closed);
  assert.deepEqual([made.opened.length, made.opened[1].wanted.at, made.opened[1].wanted.until, player.playing], [2, AT - 300, undefined, true]);
});

test("when the server is back every road is tried anew, and what could not be shown is asked for", async () => {
  const [one, other] = [road(), road({ commands: false })];
  let down = false;
  const { player, asked } = room((at) => {
    if (down) throw new Error("The server cannot be reached.");
    return dashboard(at, 50);
  }, [one, other]);
  player.seek(AT - 300);
  player.play();
  one.opened[0].told(-300, "paused");
  one.opened[0].told(-300, "playing", { answer: 1 });
  down = true;
  one.opened[0].on.closed();
  one.opened[1].on.closed();
  other.opened[0].on.closed();
  assert.match(player.notice, /Step by step/);
  down = false;
  player.reached();
  assert.deepEqual([one.opened.length, player.playing], [3, true]);
  one.opened[2].told(-299, "paused");
  one.opened[2].told(-299, "playing", { answer: 1 });
  assert.equal(player.notice, "");
  player.pause();
  one.opened[2].on.closed();
  down = true;
  player.seek(AT - 200);
  await settle();
  assert.match(player.notice, /cannot be reached/);
  down = false;
  player.reached();
  await settle();
  assert.deepEqual([player.notice, asked.at(-1), player.past], ["", -200, true]);
});

test("a shared replay whose line breaks is joined again; one that is no more is left with a word, and goes on alone", () => {
  const made = road();
  const { player } = alone(made);
  const said = [];
  player.warn = (words) => said.push(words);
  player.join("r1");
  made.opened[0].told(-70, "playing", { holder: "other", watchers: ["me", "other"] });
  made.opened[0].on.closed();
  assert.deepEqual([made.opened[1].wanted.join, player.shared, said.length], ["r1", true, 0]);
  made.opened[1].told(-69, "playing", { holder: "other", watchers: ["me", "other"] });
  made.opened[1].on.closed();
  made.opened[2].on.refused("join: there is no replay 'r1'", undefined, "bad_data");
  made.opened[2].on.closed();
  assert.equal(said.length, 1);
  assert.match(said[0], /alone/);
  assert.deepEqual([made.opened.length, made.opened[3].wanted.join, made.opened[3].wanted.at, player.shared, player.playing], [4, "", AT - 69, false, true]);
});

test("who does not hold the remote is told who does, as the badge names them", () => {
  const made = road();
  const { player } = alone(made);
  const said = [];
  player.warn = (words) => said.push(words);
  player.join("r1");
  const [stream] = made.opened;
  stream.told(-70, "paused", { holder: "183d139803a1df77", watchers: ["me", "183d139803a1df77"] });
  player.seek(AT - 90);
  stream.on.refused("183d139803a1df77 holds the remote", stream.said.length, "not_holder");
  stream.told(-70, "paused", { holder: null, watchers: ["me", "other"] });
  player.deny();
  assert.deepEqual(said, ["183d holds the remote", "Nobody holds the remote: take it first."]);
});

test("what another source said last is asked for when it is looked at while it plays", async () => {
  const made = road();
  const { store, player, asked } = room((at) => dashboard(at, 50, { series: [{ ...series(7, "load"), source: "web" }], metrics: { load: { id: 7, value: 42, at: text(AT - 400) } } }), [made]);
  let source = "vm";
  player.source = () => source;
  player.seek(AT - 300);
  player.play();
  made.opened[0].told(-300, "paused");
  made.opened[0].told(-300, "playing", { answer: 1 });
  made.opened[0].on.frame("snapshot", dashboard(AT - 300, 10));
  player.turn();
  await settle();
  assert.equal(store.view.latest.get(7), undefined);
  source = "web";
  player.turn();
  await settle();
  assert.equal(store.view.latest.get(7), 42);
  assert.equal(asked.at(-1), -300);
});
