// The link to the server: which road, where to resume, when to return. It knows nothing of what the frames mean.
//
//   idle ─start─► loading ─loaded─► connecting ─hello─► live
//                    ▲  └─failed─► waiting ◄──lost──────┘ │
//                    └──────reset───────────────────────────┘       pause ─► paused, goodbye for good ─► ended

import { backoff } from "./backoff.js";

/** (state, what happened) → next state; a pair that is not here changes nothing. */
export const TABLE = {
  idle: { start: "loading" },
  loading: { loaded: "connecting", failed: "waiting", pause: "paused" },
  connecting: { opened: "live", refused: "connecting", failed: "waiting", reset: "loading", ended: "ended", pause: "paused" },
  live: { lost: "waiting", reset: "loading", storm: "waiting", ended: "ended", pause: "paused" },
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

export class Link {
  /**
   * roads: best first. load(reason) → Promise<cursor>: a fresh first paint. known() → highest series id named to us.
   * frame(event, data): every frame of the road in use. status(what): called on every change.
   * measure() → Promise: one small round trip, for roads that cannot ping.
   */
  constructor({ roads, load, known, frame, status, measure }) {
    Object.assign(this, { roads, load, known, frame, report: status, measure });
    this.state = "idle";
    this.cursor = "";
    this.road = 0;
    this.good = -1;
    this.misses = 0;
    this.failures = 0;
    this.latency_ms = null;
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

  start() {
    this.#go("start");
  }

  pause() {
    this.#hangUp();
    this.left_at = Date.now();
    this.#go("pause");
  }

  /** Back from a pause, or from a goodbye that was meant for good and the reader overrules. */
  resume() {
    const away_ms = Date.now() - this.left_at;
    this.failures = 0;
    this.#go(away_ms > STALE_MS || !this.cursor ? "stale" : "resume");
  }

  /** Do not wait any longer: the network came back, or the reader asks. */
  hurry() {
    if (this.state === "waiting") this.#due();
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
      latency_ms: this.state === "live" ? this.latency_ms : null,
      retry_at: this.state === "waiting" ? this.retry_at : 0,
      reason: this.reason,
    });
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
      current: (it) => it === this.connection,
    });
    this.connection = dial;
    this.timers.hello = setTimeout(() => {
      this.#hangUp();
      this.#refused(0);
    }, HELLO_MS);
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
        if (dial === this.connection) this.cursor = cursor;
        this.heard_at = Date.now();
      },
      closed: (after_ms) => {
        if (dial === this.climber) role.closed(after_ms);
        else if (dial === this.connection) dial.opened ? this.#lost(after_ms) : role.closed(after_ms);
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
    this.latency_ms = null;
    this.opened_at = this.heard_at = Date.now();
    this.pinged_at = 0;
    this.heartbeat_s = hello.heartbeat_s ?? 0;
    this.timers.tick = setInterval(() => this.#tick(), TICK_MS);
    this.climb_ms = CLIMB_FIRST_MS;
    this.#plan();
    this.reason = "";
    this.#go("opened");
  }

  #frame(event, data, id) {
    this.heard_at = Date.now();
    if (event === "pong") {
      if (id === this.ping_id) {
        this.latency_ms = performance.now() - this.ping_sent;
        this.#tell();
      }
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
    // Only what has been handed over is a place to resume from.
    if (data.seq !== undefined && data.cursor) this.cursor = data.cursor;
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

  #lost(after_ms) {
    if (Date.now() - this.opened_at > SETTLED_MS) this.failures = 0;
    this.#hangUp();
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
    if (this.heartbeat_s > 0 && now - this.heard_at > 1000 * (2.5 * this.heartbeat_s + 1)) {
      this.reason = "The server fell silent.";
      this.#lost(0);
      return;
    }
    const ping = this.connection?.road.ping;
    const due_ms = ping ? PING_MS : 3 * PING_MS;
    if (now - this.pinged_at < due_ms) return;
    this.pinged_at = now;
    this.ping_sent = performance.now();
    if (ping) {
      this.ping_id = (this.ping_id ?? 0) + 1;
      ping(this.ping_id);
    } else {
      const mine = this.generation;
      this.measure().then(
        (took_ms) => {
          if (mine !== this.generation) return;
          this.latency_ms = took_ms;
          this.#tell();
        },
        () => {
          // No answer, no number: silence itself is the heartbeat's business.
          this.latency_ms = null;
        },
      );
    }
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

  #hangUp() {
    for (const timer of Object.values(this.timers)) clearTimeout(timer);
    this.climber?.road.close();
    this.climber = null;
    this.connection?.road.close();
    this.connection = null;
  }
}
