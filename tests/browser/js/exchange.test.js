// One connection for all tabs: whatever they do, each gets every frame after its place once, in order, or is sent to load afresh.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Exchange } from "../../../web/static/js/exchange.js";
import { clock } from "./clock.js";

const GATHERED_MS = 60;

/** An exchange with a log behind it, of which every road tells what comes after its cursor. */
function exchanged(t) {
  const pass = clock(t);
  const walks = [];
  const told = new Map();
  const gone = new Map();
  const road = (id) => ({
    id,
    open(position, on) {
      const walk = { id, position, on, closed: false, pings: [] };
      walks.push(walk);
      return { close: () => { walk.closed = true; }, ping: (k) => walk.pings.push(k) };
    },
  });
  const exchange = new Exchange({
    owner: "one",
    roads: [road("websocket"), road("sse")],
    post: (to, message) => to.forEach((one) => told.set(one, [...(told.get(one) ?? []), message])),
    watch: (tab, run) => gone.set(tab, run),
  });
  const say = (act, dial, more = {}) => exchange.receive({ from: dial.split("/")[0], act, dial, ...more });
  const join = (dial, seq, more = {}) => say("join", dial, { road: "websocket", cursor: `e:${seq}`, known: 3, ...more });
  const heard = (dial) => (told.get(dial) ?? []).filter(({ event }) => event === "metrics").map(({ data }) => data.seq);
  const acts = (dial) => (told.get(dial) ?? []).map(({ act, event }) => event ?? act);
  return { exchange, walks, told, gone, say, join, heard, acts, pass };
}

const tick = (walk, seq) => walk.on.frame("metrics", { seq, cursor: `e:${seq}`, ids: [1], values: [seq] });

test("tabs that come together are walked for once, from the hindmost", (t) => {
  const { walks, join, heard, acts, told, pass } = exchanged(t);
  join("a/1", 12, { known: 5 });
  join("b/1", 10);
  assert.equal(walks.length, 0);
  pass(GATHERED_MS);
  assert.deepEqual(walks.map(({ position }) => position), [{ cursor: "e:10", known: 3 }]);
  walks[0].on.opened({ server_time: "now" });
  for (const seq of [11, 12, 13]) tick(walks[0], seq);
  assert.deepEqual(heard("a/1"), [13]);
  assert.deepEqual(heard("b/1"), [11, 12, 13]);
  assert.deepEqual(acts("a").concat(acts("b")), ["offered", "offered"]);
  assert.equal(told.get("a/1")[1].hello.server_time, "now");
});

test("who comes late is given what it misses, names before the ticks that use them, and no old time", (t) => {
  const { walks, join, heard, acts, told, pass } = exchanged(t);
  join("a/1", 10);
  pass(GATHERED_MS);
  walks[0].on.opened({ server_time: "then" });
  tick(walks[0], 11);
  walks[0].on.frame("series", { series: [{ id: 4 }] });
  tick(walks[0], 13);
  tick(walks[0], 14);
  join("b/1", 11);
  join("c/1", 12);
  join("d/1", 14);
  tick(walks[0], 15);
  assert.deepEqual(acts("b/1"), ["heard", "opened", "series", "metrics", "metrics", "metrics"]);
  assert.deepEqual(heard("b/1"), [13, 14, 15]);
  assert.deepEqual(heard("c/1"), [13, 14, 15]);
  assert.deepEqual(heard("d/1"), [15]);
  assert.equal(told.get("b/1")[1].hello.server_time, undefined);
  assert.equal(walks.length, 1);
});

test("who comes late hears the server's hello, too, which tells its version", (t) => {
  const { walks, join, told, acts, pass } = exchanged(t);
  join("a/1", 10);
  pass(GATHERED_MS);
  const hello = { version: "2", server_time: "then" };
  walks[0].on.opened(hello);
  walks[0].on.frame("hello", hello);
  tick(walks[0], 11);
  join("b/1", 10);
  assert.deepEqual(acts("a/1"), ["heard", "opened", "hello", "metrics"]);
  assert.deepEqual(acts("b/1"), ["heard", "opened", "hello", "metrics"]);
  assert.deepEqual(told.get("b/1")[2].data, { version: "2", server_time: undefined });
});

test("who stands further back than the ring, or in another log, is sent to load afresh, without a word of a break", (t) => {
  const { walks, join, acts, told, heard, pass } = exchanged(t);
  join("a/1", 10);
  pass(GATHERED_MS);
  walks[0].on.opened({});
  join("b/1", 9);
  join("c/1", 0, { cursor: "f:12" });
  join("d/1", 0, { cursor: "" });
  for (const dial of ["b/1", "c/1", "d/1"]) {
    assert.deepEqual(acts(dial), ["heard", "reset"]);
    assert.equal(told.get(dial)[1].data.detail, "");
  }
  for (let seq = 11; seq < 2_000; seq += 1) tick(walks[0], seq);
  join("e/1", 1_000);
  assert.deepEqual(acts("e/1"), ["heard", "reset"]);
  join("f/1", 1_900);
  assert.deepEqual(heard("f/1").length, 99);
  assert.equal(walks.length, 1);
});

test("a heartbeat takes along who stands behind it, and moves nobody back", (t) => {
  const { walks, join, told, acts, pass } = exchanged(t);
  join("a/1", 10);
  join("b/1", 20);
  pass(GATHERED_MS);
  walks[0].on.opened({});
  walks[0].on.frame("heartbeat", { head: 20, cursor: "e:15" });
  assert.equal(told.get("a/1").at(-1).data.cursor, "e:15");
  assert.equal(acts("b/1").at(-1), "opened");
  walks[0].on.frame("heartbeat", { head: 20, cursor: "e:20" });
  assert.deepEqual([acts("a/1").at(-1), acts("b/1").at(-1)], ["heartbeat", "heartbeat"]);
  walks[0].on.frame("series", { series: [{ id: 4 }] });
  tick(walks[0], 22);
  join("c/1", 20);
  assert.deepEqual(acts("c/1"), ["heard", "opened", "series", "metrics"]);
});

test("tabs of two logs are not walked for from the lower seq: the server says whose log is its own", (t) => {
  for (const last of ["old", "new"]) {
    const { walks, join, acts, heard, pass } = exchanged(t);
    join("a/1", 0, { cursor: last === "old" ? "new:500" : "old:10", known: 9 });
    join("b/1", 0, { cursor: last === "old" ? "old:10" : "new:500", known: 3 });
    const [fresh, stale] = last === "old" ? ["a/1", "b/1"] : ["b/1", "a/1"];
    pass(GATHERED_MS);
    assert.equal(walks[0].position.cursor, last === "old" ? "old:10" : "new:500");
    for (const walk of [...walks]) {
      walk.on.opened({ epoch: "new" });
      if (walk.position.cursor === "old:10") walk.on.frame("reset", { reason: "epoch", cursor: "new:500" });
    }
    if (last === "old") walks[1].on.opened({ epoch: "new" });
    tick(walks.at(-1), 501);
    assert.deepEqual(walks.map(({ closed }) => closed), last === "old" ? [true, false] : [false]);
    assert.equal(walks.at(-1).position.cursor, "new:500");
    assert.deepEqual(acts(stale), ["heard", "reset"]);
    assert.deepEqual(acts(fresh), ["heard", "opened", "metrics"]);
    assert.deepEqual(heard(fresh), [501]);
  }
});

test("tabs that all stand in another log than the server's are all told so", (t) => {
  const { walks, join, acts, pass } = exchanged(t);
  join("a/1", 0, { cursor: "old:10" });
  join("b/1", 0, { cursor: "older:500" });
  join("c/1", 0, { cursor: "old:12" });
  pass(GATHERED_MS);
  assert.equal(walks[0].position.cursor, "old:10");
  walks[0].on.opened({ epoch: "new" });
  walks[0].on.frame("reset", { reason: "epoch", cursor: "new:600" });
  assert.equal(walks.length, 1);
  for (const dial of ["a/1", "b/1", "c/1"]) assert.equal(acts(dial).at(-1), "reset");
});

test("big frames make the ring shorter, and a name goes with its tick", (t) => {
  const { exchange, walks, join, pass } = exchanged(t);
  join("a/1", 0);
  pass(GATHERED_MS);
  walks[0].on.opened({});
  for (let seq = 1; seq < 100; seq += 1) {
    walks[0].on.frame("series", { series: [{ id: seq }] });
    walks[0].on.frame("metrics", { seq, ids: new Array(10_000).fill(1) });
  }
  const [line] = exchange.lines.values();
  assert.ok(line.values <= 100_000 && line.ring.length <= 20, `${line.values} values in ${line.ring.length} frames`);
  assert.equal(line.ring[0].event, "series");
  assert.equal(line.floor, line.ring[0].seq);
});

test("the connection is there as long as somebody is on it", (t) => {
  const { exchange, walks, gone, say, join, pass } = exchanged(t);
  join("a/1", 10);
  join("b/1", 10);
  pass(GATHERED_MS);
  walks[0].on.opened({});
  say("leave", "a/1");
  assert.equal(walks[0].closed, false);
  gone.get("b")();
  assert.ok(walks[0].closed);
  assert.equal(exchange.lines.size, 0);
  join("a/2", 10);
  say("leave", "a/2");
  pass(GATHERED_MS);
  assert.equal(walks.length, 1);
});

test("one who finds the line dead ends it for all, and nobody else's does", (t) => {
  const { walks, say, join, acts, pass } = exchanged(t);
  join("a/1", 10);
  join("b/1", 10);
  pass(GATHERED_MS);
  walks[0].on.opened({});
  say("leave", "a/1", { dead: true });
  assert.ok(walks[0].closed);
  assert.equal(acts("b/1").at(-1), "closed");
  join("a/2", 10);
  pass(GATHERED_MS);
  walks[1].on.opened({});
  say("leave", "b/1", { dead: true });
  assert.equal(walks[1].closed, false);
});

test("a pong goes to who asked, goodbye and reset to all", (t) => {
  const { walks, say, join, told, acts, pass } = exchanged(t);
  join("a/1", 10);
  join("b/1", 10);
  pass(GATHERED_MS);
  walks[0].on.opened({});
  say("ping", "a/1", { id: 7 });
  say("ping", "b/1", { id: 7 });
  walks[0].on.frame("pong", {}, walks[0].pings[1]);
  assert.equal(told.get("b/1").at(-1).id, 7);
  assert.equal(acts("a/1").at(-1), "opened");
  for (let k = 0; k < 1_000; k += 1) say("ping", "a/1", { id: k });
  walks[0].on.frame("pong", {}, walks[0].pings[2]);
  assert.equal(acts("a/1").at(-1), "opened", "a question that is long forgotten");
  walks[0].on.frame("goodbye", { code: 1001, may_return: true });
  walks[0].on.closed(700);
  for (const dial of ["a/1", "b/1"]) {
    assert.deepEqual(told.get(dial).slice(-2).map(({ act, event, after_ms }) => event ?? `${act} ${after_ms}`), ["goodbye", "closed 700"]);
  }
  join("a/2", 10);
  pass(GATHERED_MS);
  walks[1].on.opened({});
  walks[1].on.frame("reset", { reason: "epoch", detail: "Another log." });
  assert.equal(acts("a/2").at(-1), "reset");
  assert.ok(walks[1].closed);
});

/** Mulberry32: the same seed, the same story. */
function random(seed) {
  let a = seed;
  return (below) => {
    a = (a + 0x6d2b79f5) | 0;
    let x = Math.imul(a ^ (a >>> 15), 1 | a);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return (((x ^ (x >>> 14)) >>> 0) % 1e6) % below;
  };
}

test("no gap, no double, in a thousand stories of tabs that come, go, crash and lose the line", (t) => {
  for (let seed = 1; seed <= 1_000; seed += 1) {
    const { walks, told, gone, say, join, pass } = exchanged(t);
    const pick = random(seed);
    // Not every seq has a frame: what is not for us leaves a hole that is none.
    const log = [];
    let head = 0;
    let tabs = 0;
    const at = new Map();
    const joined = new Map();
    const live = () => walks.filter(({ closed, ended }) => !closed && !ended);
    const feed = (walk) => {
      for (const seq of log.filter((one) => one > walk.told)) tick(walk, seq);
      walk.told = head;
    };
    /** What a tab has of the exchange's words: a place to go on from, or null when it has to load. */
    const read = (dial) => {
      const { from, done } = joined.get(dial);
      const news = (told.get(dial) ?? []).slice(done);
      let place = from;
      for (const { act, event, data } of news) {
        if (event === "metrics") {
          const due = log.filter((seq) => seq > place)[0];
          assert.equal(data.seq, due, `seed ${seed}: ${dial} stood at ${place}`);
          place = data.seq;
        }
        if (event === "reset") return "reset";
        if (act === "closed") return "closed";
        joined.get(dial).from = place;
      }
      joined.get(dial).done += news.length;
      return place;
    };
    for (let step = 0; step < 60; step += 1) {
      const what = pick(10);
      if (what < 3) {
        head += 1 + pick(2);
        log.push(head);
        live().filter(({ open }) => open).forEach(feed);
      } else if (what < 5) {
        tabs += 1;
        const dial = `t${tabs}/1`;
        const from = Math.max(0, head - pick(4));
        at.set(dial, from);
        joined.set(dial, { from, done: 0 });
        join(dial, from);
      } else if (what === 5) {
        pass(GATHERED_MS);
      } else if (what === 6) {
        for (const walk of live().filter(({ open }) => !open)) {
          walk.open = true;
          walk.told = Number(walk.position.cursor.slice(2));
          walk.on.opened({});
          feed(walk);
        }
      } else if (what === 7 && joined.size) {
        const dial = [...joined.keys()][pick(joined.size)];
        read(dial);
        joined.delete(dial);
        if (pick(2)) say("leave", dial, { dead: pick(4) === 0 });
        else gone.get(dial.split("/")[0])();
      } else if (what === 8 && live().length && pick(3) === 0) {
        const [walk] = live();
        walk.ended = true;
        walk.on.closed(0);
      }
      for (const dial of [...joined.keys()]) {
        const place = read(dial);
        if (typeof place === "number") continue;
        // As a link does: from where it stands, or from a fresh load.
        const from = place === "reset" ? head : joined.get(dial).from;
        joined.delete(dial);
        const [tab, n] = dial.split("/");
        const next = `${tab}/${Number(n) + 1}`;
        joined.set(next, { from, done: 0 });
        join(next, from);
      }
    }
    pass(GATHERED_MS);
    for (const walk of live()) {
      if (!walk.open) {
        walk.told = Number(walk.position.cursor.slice(2));
        walk.on.opened({});
      }
      feed(walk);
    }
    assert.ok(live().length <= 1, `seed ${seed}`);
    for (const dial of joined.keys()) {
      const place = read(dial);
      if (typeof place === "number") assert.ok(log.every((seq) => seq <= place) || place === head, `seed ${seed}: ${dial} was left at ${place}`);
    }
  }
});
