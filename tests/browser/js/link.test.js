// The link's state machine on roads whose ends the test holds, and a clock that moves when told to.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Attention } from "../../../web/static/js/attention.js";
import { CEILING_MS } from "../../../web/static/js/backoff.js";
import { Link, TABLE } from "../../../web/static/js/link.js";
import { Quality } from "../../../web/static/js/quality.js";
import { poll } from "../../../web/static/js/roads.js";
import { clock, settle } from "./clock.js";

test("the link's table leads somewhere from everywhere", () => {
  const states = new Set(Object.keys(TABLE));
  for (const [state, moves] of Object.entries(TABLE)) {
    for (const next of Object.values(moves)) assert.ok(states.has(next), `${state} → ${next}`);
    assert.ok(Object.keys(moves).length > 0);
  }
});

/** A road whose ends the test holds. */
function road(id, log) {
  return {
    id, title: id,
    open(position, on) {
      log.push({ id, position, on, closed: false, dead: false, pings: [] });
      const mine = log.at(-1);
      return { close: (dead = false) => Object.assign(mine, { closed: true, dead }), ping: id === "websocket" ? (k) => mine.pings.push(k) : undefined };
    },
  };
}

function linked(t) {
  const tick = clock(t);
  const opened = [];
  const seen = [];
  const frames = [];
  const loads = [];
  const said = [];
  const link = new Link({
    roads: [road("websocket", opened), road("sse", opened), road("poll", opened)],
    load: async (reason) => { loads.push(reason); return `e:${10 * loads.length}`; },
    known: () => 7, frame: (event, data) => frames.push([event, data]),
    status: (status) => {
      seen.push(`${status.state} ${status.road.id}`);
      said.push(status);
    },
    measure: () => new Promise((done) => { setTimeout(done, 30); }),
  });
  return { link, opened, seen, said, frames, loads, pass: tick };
}

test("refused roads are tried in turn, at once; then the link waits", async (t) => {
  const { link, opened, seen, pass } = linked(t);
  link.start();
  await settle();
  assert.deepEqual(opened[0].position, { cursor: "e:10", known: 7 });
  for (const k of [0, 1, 2]) opened[k].on.closed(0);
  assert.deepEqual(opened.map(({ id }) => id), ["websocket", "sse", "poll"]);
  assert.equal(seen.at(-1), "waiting websocket");
  pass(CEILING_MS);
  assert.equal(opened[3].id, "websocket");
});

test("a return resumes from the last frame handed over, and a goodbye's wish is kept", async (t) => {
  const { link, opened, seen, pass } = linked(t);
  link.start();
  await settle();
  opened[0].on.opened({ heartbeat_s: 5 });
  opened[0].on.frame("metrics", { seq: 12, cursor: "e:12" });
  opened[0].on.frame("goodbye", { code: 1001, reason: "stopping", may_return: true, after_ms: 5000 });
  opened[0].on.closed(0);
  assert.equal(seen.at(-1), "waiting websocket");
  pass(5000);
  assert.equal(opened.length, 1);
  pass(CEILING_MS);
  assert.deepEqual(opened[1].position, { cursor: "e:12", known: 7 });
});

test("a return resumes from the last heartbeat, when what came before was not for us", async (t) => {
  const { link, opened, pass } = linked(t);
  link.start();
  await settle();
  opened[0].on.opened({ heartbeat_s: 5 });
  opened[0].on.frame("heartbeat", { head: 25_001, cursor: "e:25000" });
  opened[0].on.frame("hello", { head: 25_002, cursor: "e:25002" });
  opened[0].on.closed(0);
  pass(CEILING_MS);
  assert.equal(opened[1].position.cursor, "e:25000");
});

test("a goodbye for good is honoured", async (t) => {
  const { link, opened, seen, pass } = linked(t);
  link.start();
  await settle();
  opened[0].on.opened({ heartbeat_s: 5 });
  opened[0].on.frame("goodbye", { code: 4009, reason: "abuse", may_return: false });
  opened[0].on.closed(0);
  pass(10 * CEILING_MS);
  assert.equal(seen.at(-1), "ended websocket");
  assert.equal(opened.length, 1);
});

test("silence is noticed within two heartbeats, and by a ping without an answer before that", async (t) => {
  for (const [heartbeat_s, alive_ms] of [[3, 7_000], [15, 11_000]]) {
    const { link, opened, seen, said, pass } = linked(t);
    link.start();
    await settle();
    opened[0].on.opened({ heartbeat_s });
    pass(alive_ms);
    assert.ok(seen.at(-1).startsWith("live"));
    assert.equal(said.at(-1).quality.grade, "poor");
    assert.ok(said.at(-1).quality.owed_ms > 2_500);
    pass(1_000);
    assert.ok(opened[0].dead);
    assert.ok(seen.at(-1).startsWith("waiting"));
    assert.equal(said.at(-1).reason, "The server fell silent.");
  }
});

test("a line with frames on it is not dead for want of a pong, and says so all the same", async (t) => {
  const { link, opened, said, pass } = linked(t);
  link.start();
  await settle();
  opened[0].on.opened({ heartbeat_s: 15 });
  for (let k = 1; k < 60; k += 1) {
    pass(1_000);
    opened[0].on.frame("metrics", { seq: 10 + k, cursor: `e:${10 + k}` });
  }
  assert.equal(said.at(-1).state, "live");
  assert.equal(said.at(-1).quality.grade, "poor");
});

test("time that leaps, or a network that changes, puts the line to the proof", async (t) => {
  for (const happens of [(link, leap) => leap(3_600_000), (link) => link.doubt(), (link) => link.hurry()]) {
    for (const alive of [true, false]) {
      const { link, opened, seen, pass } = linked(t);
      link.start();
      await settle();
      opened[0].on.opened({ heartbeat_s: 15 });
      pass(500);
      happens(link, pass.leap);
      pass(1_000);
      assert.ok(opened[0].pings.length > 0, "asked at once");
      if (alive) opened[0].on.frame("pong", {}, opened[0].pings.at(-1));
      pass(5_000);
      assert.equal(opened[0].dead, !alive);
      assert.equal(seen.at(-1).startsWith("live"), alive);
    }
  }
});

test("a road whose walker is gone is dialled again at once, at the cursor", async (t) => {
  const { link, opened, seen } = linked(t);
  link.start();
  await settle();
  opened[0].on.opened({ heartbeat_s: 5 });
  opened[0].on.frame("metrics", { seq: 12, cursor: "e:12" });
  opened[0].on.closed(0, true);
  assert.equal(seen.at(-1), "connecting websocket");
  assert.deepEqual(opened[1].position, { cursor: "e:12", known: 7 });
});

test("what another tab has open is not waited for, and not walked below", async (t) => {
  const { link, opened, seen } = linked(t);
  link.start();
  await settle();
  for (const k of [0, 1, 2]) opened[k].on.closed(0);
  assert.equal(seen.at(-1), "waiting websocket");
  link.offered("sse");
  assert.equal(opened[3].id, "sse");
  opened[3].on.opened({ heartbeat_s: 5 });
  link.offered("sse");
  assert.equal(opened.length, 4);
  link.offered("websocket");
  assert.equal(opened[4].id, "websocket");
  link.offered("websocket");
  assert.equal(opened.length, 5);
  opened[4].on.opened({ heartbeat_s: 5 });
  assert.equal(seen.at(-1), "live websocket");
  link.offered("a road of a newer page");
  assert.equal(seen.at(-1), "live websocket");
});

test("a pause ends the road; soon after it is taken up at the cursor, later a fresh load is", async (t) => {
  const { link, opened, loads, seen, pass } = linked(t);
  link.start();
  await settle();
  opened[0].on.opened({ heartbeat_s: 5 });
  opened[0].on.frame("metrics", { seq: 12, cursor: "e:12" });
  link.pause();
  assert.ok(opened[0].closed);
  pass(100_000);
  link.pause();
  link.resume();
  assert.deepEqual(opened[1].position, { cursor: "e:12", known: 7 });
  opened[1].on.opened({ heartbeat_s: 5 });
  link.pause();
  pass(130_000);
  assert.equal(seen.at(-1), "paused websocket");
  link.resume();
  await settle();
  assert.equal(loads.length, 2);
  assert.equal(opened[2].position.cursor, "e:20");
});

test("every goodbye of the server's table is kept by its fields alone", async (t) => {
  const table = JSON.parse(process.env.GOODBYES ?? "[]");
  assert.ok(table.length > 0 || !process.env.GOODBYES);
  for (const goodbye of table) {
    const { link, opened, seen, pass } = linked(t);
    link.start();
    await settle();
    opened[0].on.opened({ heartbeat_s: 5 });
    opened[0].on.frame("goodbye", { ...goodbye, after_ms: goodbye.may_return ? 1_500 : null });
    opened[0].on.closed(0);
    pass(1_900);
    assert.equal(opened.length, 1, `${goodbye.reason}: not before after_ms and the least pause`);
    pass(CEILING_MS);
    assert.equal(opened.length > 1, goodbye.may_return, goodbye.reason);
    if (!goodbye.may_return) assert.equal(seen.at(-1), "ended websocket");
  }
});

test("quality is what was measured: median, variation, what did not come", () => {
  const told = (...trips) => {
    const quality = new Quality();
    for (const ms of trips) quality.took(ms);
    return quality;
  };
  assert.deepEqual(told().say(), { round_ms: null, jitter_ms: null, missed: 0, owed_ms: 0, grade: "" });
  assert.deepEqual(told(10, 14, 12).say(), { round_ms: 12, jitter_ms: 3, missed: 0, owed_ms: 0, grade: "good" });
  assert.equal(told(10, 10, 900).say().round_ms, 10);
  assert.equal(told(300, 310).say().grade, "fair");
  assert.equal(told(10, 200, 10).say().grade, "fair");
  assert.equal(told(10, NaN).say().grade, "fair");
  assert.equal(told(NaN, 10, NaN).say().grade, "poor");
  assert.equal(told(1_200).say().grade, "poor");
  assert.equal(told(10).say(3_000).grade, "poor");
  assert.equal(told(NaN, NaN, ...new Array(12).fill(5)).say().grade, "good");
});

/** Events as a document and a window fire them, in the order of the HTML standard. */
function looked(t) {
  const pass = clock(t);
  const page = Object.assign(new EventTarget(), { hidden: false });
  const frame = new EventTarget();
  const did = [];
  new Attention({ page, frame, ...Object.fromEntries(["here", "away", "asleep"].map((turn) => [turn, () => did.push(turn)])) });
  const fire = (target, name) => target.dispatchEvent(new Event(name));
  const show = (shown) => {
    page.hidden = !shown;
    fire(page, "visibilitychange");
  };
  return { page, frame, did, fire, show, pass };
}

test("a page that nobody has looked at for a while is away, and here again with its reader", (t) => {
  const { did, show, pass } = looked(t);
  show(false);
  pass(5_000);
  show(true);
  pass(60_000);
  assert.deepEqual(did, []);
  show(false);
  pass(11_000);
  assert.deepEqual(did, ["away"]);
  show(true);
  assert.deepEqual(did, ["away", "here"]);
});

test("a page that is frozen, closed or put into the back/forward cache is asleep at once", (t) => {
  const { page, frame, did, fire, show, pass } = looked(t);
  fire(frame, "pagehide");
  show(false);
  assert.deepEqual(did, ["asleep"]);
  page.hidden = false;
  fire(frame, "pageshow");
  assert.deepEqual(did, ["asleep", "here"]);
  show(false);
  fire(page, "freeze");
  fire(page, "resume");
  assert.deepEqual(did, ["asleep", "here", "asleep"]);
  pass(11_000);
  assert.deepEqual(did, ["asleep", "here", "asleep", "away"]);
  show(true);
  assert.deepEqual(did, ["asleep", "here", "asleep", "away", "here"]);
});

test("a link can begin where another one stands, without a first paint", (t) => {
  clock(t);
  const asked = [];
  const link = new Link({
    roads: [{ id: "ws", open: (position) => { asked.push(position.cursor); return { close() {} }; } }],
    load: () => assert.fail("nothing is loaded"), known: () => 0, frame() {}, status() {}, measure: () => Promise.resolve(),
  });
  link.start("e:7");
  assert.deepEqual(asked, ["e:7"]);
  assert.equal(link.state, "connecting");
  link.pause();
});

test("a poll that somebody else answers closes the road", async (t) => {
  const real = { fetch: globalThis.fetch };
  t.after(() => Object.assign(globalThis, real));
  const answers = [
    new Response("<html>Welcome, guest</html>", { headers: { "Content-Type": "text/html" } }),
    Response.json({ welcome: "guest" }),
    Response.json({ title: "Too many" }, { status: 503, headers: { "Retry-After": "3" } }),
  ];
  for (const [k, wait_ms] of [0, 0, 3_000].entries()) {
    globalThis.fetch = async () => answers[k];
    const said = await new Promise((done) => {
      poll.open({ cursor: "e:1", known: 0 }, { opened: () => done("opened"), frame() {}, moved() {}, closed: done });
    });
    assert.equal(said, wait_ms);
  }
});

test("a reset loads afresh and says why; a storm of resets is slowed down", async (t) => {
  const { link, opened, loads, seen } = linked(t);
  link.start();
  await settle();
  opened[0].on.opened({});
  opened[0].on.frame("reset", { reason: "epoch", detail: "Another log.", cursor: "f:1" });
  await settle();
  assert.deepEqual(loads, ["", "Another log."]);
  assert.equal(opened[1].position.cursor, "e:20");
  opened[1].on.opened({});
  opened[1].on.frame("reset", { reason: "epoch", detail: "Another log.", cursor: "f:1" });
  assert.ok(seen.at(-1).startsWith("waiting"));
});

test("from a lower road the link climbs back, and drops the lower one only then", async (t) => {
  const { link, opened, seen, frames, pass } = linked(t);
  link.start();
  await settle();
  opened[0].on.closed(0);
  opened[1].on.opened({ heartbeat_s: 0 });
  assert.equal(seen.at(-1), "live sse");
  pass(5_000);
  assert.equal(opened[2].id, "websocket");
  assert.equal(opened[1].closed, false);
  opened[2].on.opened({ heartbeat_s: 0 });
  assert.equal(opened[1].closed, true);
  assert.equal(seen.at(-1), "live websocket");
  opened[1].on.frame("metrics", { seq: 1, cursor: "e:1" });
  opened[2].on.frame("metrics", { seq: 2, cursor: "e:2" });
  assert.deepEqual(frames.map(([, { seq }]) => seq), [2]);
});
