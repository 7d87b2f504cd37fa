// The link to the server: which road, where to resume, when to return. It knows nothing of what the frames mean.
//
//   idle ─start─► loading ─loaded─► connecting ─hello─► live
//                    ▲  └─failed─► waiting ◄──lost──────┘ │
//                    └──────reset───────────────────────────┘       pause ─► paused, goodbye for good ─► ended

import { backoff } from "./backoff.js";
import { Quality } from "./quality.js";

/** (state, what happened) → next state; a pair that is not here changes nothing. */
export const TABLE = {
  idle: { start: "loading", placed: "connecting" },
  loading: { loaded: "connecting", failed: "waiting", pause: "paused" },
  connecting: { opened: "live", refused: "connecting", moved: "connecting", failed: "waiting", reset: "loading", ended: "ended", pause: "paused" },
  live: { lost: "waiting", moved: "connecting", reset: "loading", storm: "waiting", ended: "ended", pause: "paused" },
  waiting: { due: "connecting", blank: "loading", pause: "paused" },
  paused: { resume: "connecting", stale: "loading" },
  ended: { resume: "connecting", stale: "loading" },
};

const HELLO_MS = 8_000;
const TICK_MS = 1_000;
const SETTLED_MS = 5_000;
// After this long away a fresh first paint is cheaper, and kinder, than every missed second.
const STALE_MS = 120_000;
const TRIES_ON_A_GOOD_ROAD = 2;
const CLIMB_FIRST_MS = 5_000;
const CLIMB_LAST_MS = 300_000;
const PING_MS = 5_000;
// A ping out for so long, and not a byte since: the line is half open.
const PONG_MS = 10_000;
// A second that took so long was not one: the machine slept, or the page was put aside.
const LEAP_MS = 8_000;
// After that, or when the network changed, the line has to show that it lives.
const PROOF_MS = 4_000;

export class Link {
  /**
   * roads: best first. load(reason) → Promise<cursor>: a fresh first paint. known() → highest series id named to us.
   * frame(event, data): every frame of the road in use. status(what): called on every change.
   * measure() → Promise: resolves after one small round trip, for roads that cannot ping.
   */
  constructor({ roads, load, known, frame, status, measure }) {
    Object.assign(this, { roads, load, known, frame, report: status, measure });
    this.state = "idle";
    this.cursor = "";
    this.heard_at = this.pinged_at = this.owed_since = 0;
    this.proof_by = Infinity;
    this.road = 0;
    this.good = -1;
    this.misses = 0;
    this.failures = 0;
    this.quality = new Quality();
    this.retry_at = 0;
    this.reason = "";
    this.heartbeat_s = 0;
    this.reset_at = -Infinity;
    this.left_at = 0;
    this.connection = null;
    this.climber = null;
    this.generation = 0;
    this.timers = { due: 0, hello: 0, climb: 0, tick: 0 };
  }

  /** With a first paint; or right from where another link stands. */
  start(cursor = "") {
    this.cursor = cursor;
    this.#go(cursor ? "placed" : "start");
  }

  pause() {
    if (TABLE[this.state].pause === undefined) return;
    this.#hangUp();
    this.left_at = Date.now();
    this.#go("pause");
  }

  /** Back from a pause, or from a goodbye that was meant for good and the reader overrules. */
  resume() {
    if (TABLE[this.state].resume === undefined) return;
    const away_ms = Date.now() - this.left_at;
    this.failures = 0;
    this.#go(away_ms > STALE_MS || !this.cursor ? "stale" : "resume");
  }

  /** Do not wait any longer: the network came back, or the reader asks. A line that seems to live has to prove it. */
  hurry() {
    if (this.state === "waiting") this.#due();
    else this.doubt();
  }

  /** The network changed, or time leapt: what is still open may lead nowhere. */
  doubt() {
    if (this.state !== "live") return;
    this.heard_at = Date.now();
    this.proof_by = this.heard_at + PROOF_MS;
    this.pinged_at = this.owed_since = 0;
  }

  /** Another tab has this road open: no waiting for it, and no staying on a lower one. */
  offered(id) {
    const index = this.roads.findIndex((road) => road.id === id);
    if (index < 0) return;
    if (this.state === "waiting") {
      this.road = index;
      this.#due();
    } else if (this.state === "live" && index < this.road && !this.climber) {
      clearTimeout(this.timers.climb);
      this.#climb(index);
    }
  }

  #go(happened) {
    const next = TABLE[this.state][happened];
    if (next === undefined) return;
    this.state = next;
    this.generation += 1;
    if (next === "loading") this.#fetch();
    if (next === "connecting") this.#connect();
    this.#tell();
  }

  #tell() {
    this.report({
      state: this.state,
      road: this.roads[this.road],
      quality: this.state === "live" ? this.quality.say(this.#owed()) : null,
      retry_at: this.state === "waiting" ? this.retry_at : 0,
      reason: this.reason,
    });
  }

  /** For how long (ms) something that should have come has been out: a pong, or the word that a quiet server owes. */
  #owed() {
    const now = Date.now();
    const silent = now - this.heard_at;
    return Math.max(this.heartbeat_s > 0 && silent > 1000 * (this.heartbeat_s + 1) ? silent : 0, this.owed_since ? now - this.owed_since : 0);
  }

  async #fetch() {
    const mine = this.generation;
    try {
      const cursor = await this.load(this.reason);
      if (mine !== this.generation) return;
      this.cursor = cursor;
      this.reason = "";
      this.#go("loaded");
    } catch (failure) {
      if (mine !== this.generation) return;
      // Nothing is swallowed: the words reach the reader through `status`.
      this.cursor = "";
      this.reason = failure.message;
      this.#wait("failed");
    }
  }

  #connect() {
    clearTimeout(this.timers.hello);
    const dial = this.#open(this.road, {
      opened: (hello) => this.#opened(hello),
      closed: (after_ms) => this.#refused(after_ms),
    });
    this.connection = dial;
    this.timers.hello = setTimeout(() => {
      this.#hangUp(true);
      this.#refused(0);
    }, this.roads[this.road].hello_ms ?? HELLO_MS);
  }

  /** One road; `role.opened` and `role.closed` decide what it is for, the frames are the same. */
  #open(index, role) {
    const dial = { opened: false, road: null };
    dial.road = this.roads[index].open({ cursor: this.cursor, known: this.known() }, {
      opened: (hello) => {
        if (dial.opened) return;
        dial.opened = true;
        role.opened(hello, dial);
      },
      frame: (event, data, id) => {
        if (dial === this.connection) this.#frame(event, data, id);
      },
      moved: (cursor) => {
        if (dial !== this.connection) return;
        this.cursor = cursor;
        this.#heard();
      },
      // `moved`: nothing is wrong with the server; who walked this road for us is no more.
      closed: (after_ms, moved = false) => {
        if (dial === this.climber) role.closed(after_ms);
        else if (dial === this.connection && moved) {
          this.#hangUp();
          this.#go("moved");
        } else if (dial === this.connection) dial.opened ? this.#lost(after_ms) : role.closed(after_ms);
      },
    });
    return dial;
  }

  #opened(hello) {
    clearTimeout(this.timers.hello);
    clearInterval(this.timers.tick);
    this.goodbye = null;
    this.good = this.road;
    this.misses = 0;
    this.quality = new Quality();
    this.opened_at = this.ticked_at = Date.now();
    this.#heard();
    this.pinged_at = this.owed_since = 0;
    this.heartbeat_s = hello.heartbeat_s ?? 0;
    this.timers.tick = setInterval(() => this.#tick(), TICK_MS);
    this.climb_ms = CLIMB_FIRST_MS;
    this.#plan();
    this.reason = "";
    this.#go("opened");
  }

  #heard() {
    this.heard_at = Date.now();
    this.proof_by = Infinity;
  }

  #frame(event, data, id) {
    this.#heard();
    if (event === "pong") {
      if (id === this.ping_id) this.#answered();
      this.frame(event, data);
      return;
    }
    if (event === "goodbye") {
      this.goodbye = data;
      return;
    }
    if (event === "reset") {
      const storm = Date.now() - this.reset_at < SETTLED_MS;
      this.reset_at = Date.now();
      this.cursor = "";
      this.#hangUp();
      this.reason = data.detail || data.reason;
      // A server that resets whatever it is told must not be asked in a tight circle.
      if (storm) this.#wait("storm");
      else this.#go("reset");
      return;
    }
    this.frame(event, data);
    // Only what has been handed over is a place to resume from; a heartbeat tells how far what is not for us has come.
    if (data.cursor && (data.seq !== undefined || event === "heartbeat")) this.cursor = data.cursor;
  }

  #refused(after_ms) {
    clearTimeout(this.timers.hello);
    this.connection = null;
    if (this.#leaves()) return;
    this.misses += 1;
    const loyal = this.road === this.good && this.misses < TRIES_ON_A_GOOD_ROAD;
    if (!loyal && this.road + 1 < this.roads.length) {
      this.road += 1;
      this.misses = 0;
      this.#go("refused");
      return;
    }
    if (!loyal) {
      this.road = 0;
      this.misses = 0;
    }
    this.#wait("failed", after_ms);
  }

  #lost(after_ms, dead = false) {
    if (Date.now() - this.opened_at > SETTLED_MS) this.failures = 0;
    this.#hangUp(dead);
    if (this.#leaves()) return;
    this.#wait("lost", after_ms);
  }

  /** A goodbye that says not to return is honoured; the reader may still ask to. */
  #leaves() {
    if (!this.goodbye || this.goodbye.may_return) return false;
    this.reason = this.goodbye.reason;
    this.left_at = Date.now();
    this.goodbye = null;
    this.#go("ended");
    return true;
  }

  #wait(happened, after_ms = 0) {
    const asked_ms = Math.max(after_ms, this.goodbye?.after_ms ?? 0);
    this.goodbye = null;
    const wait_ms = asked_ms + backoff(this.failures);
    this.failures += 1;
    this.retry_at = Date.now() + wait_ms;
    clearTimeout(this.timers.due);
    this.timers.due = setTimeout(() => this.#due(), wait_ms);
    this.#go(happened);
  }

  #due() {
    clearTimeout(this.timers.due);
    this.#go(this.cursor ? "due" : "blank");
  }

  #tick() {
    const now = Date.now();
    const leapt = now < this.ticked_at || now - this.ticked_at > LEAP_MS;
    this.ticked_at = now;
    if (leapt) this.doubt();
    const silent = this.heartbeat_s > 0 && now - this.heard_at > 1000 * (2 * this.heartbeat_s + 1);
    if (silent || now > this.proof_by) {
      this.reason = "The server fell silent.";
      this.#lost(0, true);
      return;
    }
    if (now - this.pinged_at >= (this.connection.road.ping ? PING_MS : 3 * PING_MS)) this.#ask(now);
    else if (this.#owed() > 0) this.#tell();
  }

  /** One question after the other; a new one is asked when the last was answered, or had its time. */
  #ask(now) {
    const { ping } = this.connection.road;
    if (this.owed_since) this.quality.took(NaN);
    this.owed_since ||= now;
    this.pinged_at = now;
    this.ping_sent = performance.now();
    this.ping_id = (this.ping_id ?? 0) + 1;
    if (ping) {
      this.proof_by = Math.min(this.proof_by, now + PONG_MS);
      ping(this.ping_id);
      return;
    }
    const mine = this.ping_id;
    // A failure is an answer that does not come: the next question counts it, and silence is the heartbeat's business.
    this.measure().then(() => mine === this.ping_id && this.state === "live" && this.#answered(), () => {});
  }

  #answered() {
    this.owed_since = 0;
    this.quality.took(performance.now() - this.ping_sent);
    this.#tell();
  }

  /** From a lower road, look now and then whether a better one is open again. */
  #plan() {
    clearTimeout(this.timers.climb);
    if (this.road === 0) return;
    this.timers.climb = setTimeout(() => this.#climb(0), this.climb_ms);
    this.climb_ms = Math.min(CLIMB_LAST_MS, this.climb_ms * 2);
  }

  #climb(index) {
    if (this.state !== "live" || index >= this.road) {
      this.#plan();
      return;
    }
    const give_up = setTimeout(() => next(), HELLO_MS);
    const next = () => {
      clearTimeout(give_up);
      this.climber?.road.close();
      this.climber = null;
      this.#climb(index + 1);
    };
    this.climber = this.#open(index, {
      opened: (hello, dial) => {
        clearTimeout(give_up);
        // Both roads may now bring the same frame; the store takes each seq once.
        this.connection?.road.close();
        this.connection = dial;
        this.climber = null;
        this.road = index;
        this.state = "connecting";
        this.#opened(hello);
      },
      closed: next,
    });
  }

  /** `dead`: the road leads nowhere any more, for whoever else may be on it. */
  #hangUp(dead = false) {
    for (const timer of Object.values(this.timers)) clearTimeout(timer);
    this.climber?.road.close();
    this.climber = null;
    this.connection?.road.close(dead);
    this.connection = null;
  }
}
