// A second moment beside the one that is watched, and always as far from it: what stood there, and what happens there, in lock-step.
//
// There is one clock, the player's. Here is no speed and no place of its own: this playhead is the player's, `shift_s` earlier, and moves in
// the same tick. What plays comes as a replay on a connection of its own, a hair ahead, and is folded when the clock has come to it. Where none
// can be had, and whenever the clock stands, what stood at the moment is asked for (`state?at=`).

import { before } from "./ghosts.js";
import { bring, mark, stood } from "./moment.js";
import { websocket } from "./projector.js";
import { Store } from "./store.js";
import { Tapes } from "./tapes.js";
import { first, message, micro, seconds } from "./wire.js";

// How much sooner than it is needed the tape is told (seconds of the reader's time).
const LEAD_S = 0.12;
// Further behind than this, or than a tick, the replay is moved to where the clock is, and no more often than that.
const SLACK_S = 0.1;
const COOL_MS = 1_000;
// Further ahead than this it is moved back: what waits to be folded is bounded so.
const AHEAD_S = 2;
const MOST_WAITING = 2_000;
const SAME_S = 1e-6;
// A moment this near to now has not happened yet (seconds).
const NEAR_S = 0.5;
const FAILED_MS = 2_000;
// What says what time it is on the tape, beside the ticks of the host itself.
const DATED = new Set(["alert", "notification", "annotation", "system"]);

/** How much earlier (s; negative: later) a text of the address means; 0 for what means nothing. */
export const offset = (text) => (text.startsWith("-") ? -before(text.slice(1)) : before(text));

/** The same as the address has it: `1d`, `90s`, `-12.5s`. */
export function told(shift_s, names) {
  const size = Math.abs(shift_s);
  const name = names.find(([, seconds]) => seconds === size)?.[0] ?? `${Number(size.toFixed(6))}s`;
  return shift_s < 0 ? `-${name}` : name;
}

/** The stretch that a span shows, `shift_s` earlier; what is chosen on it is chosen on the span. */
export class Shifted {
  constructor(span, shift_s) {
    Object.assign(this, { span, shift_s, growing: false });
    this.off = [];
  }

  shown() {
    const { from, to } = this.span.shown();
    return { from: from - this.shift_s, to: to - this.shift_s };
  }

  get moving() {
    return this.span.moving;
  }

  fix(from, to) {
    this.span.fix(from + this.shift_s, to + this.shift_s);
  }

  on(listener) {
    const off = this.span.on(listener);
    this.off.push(off);
    return off;
  }

  close() {
    for (const one of this.off) one();
  }
}

export class Beside {
  /** `player` watches `store`; ask(path) → Promise<data>; source(): whose page is shown; cursor(): where live stands; `road` as projector.js has them, null for none; begins(): when the tape does, NaN until it is `told` (a promise). */
  constructor({ player, store, span, ask, source, cursor = () => "", road = websocket, begins = () => NaN, told = null, shift_s }) {
    Object.assign(this, { player, other: store, ask, source, cursor, road, begins, told, shift_s });
    this.store = new Store({ first: store });
    this.span = new Shifted(span, shift_s);
    // Until it is known what stood there nothing is shown of it.
    this.store.rewind(null, this.at);
    this.tapes = new Tapes({ store: this.store, span: this.span, ask });
    // Why nothing is known of the moment, in the server's words.
    this.reason = "";
    this.asking = this.closed = this.bringing = false;
    this.shown_at = NaN;
    this.#forget();
    this.off = [
      store.on("playhead", () => this.#follow()),
      store.on("load", () => {
        this.shown_at = NaN;
        this.#follow();
      }),
      player.on(() => this.#pace()),
      this.store.on("need", () => this.#bring()),
    ];
    this.#pace();
    this.#follow();
  }

  #forget() {
    // `pending` is a seek that has not been answered: until then what is told is of before it. `due` is where the tape is that was told.
    Object.assign(this, { stream: null, ready: false, runs: false, pending: 0, speed: NaN, waiting: [], due: -Infinity, moved_ms: -Infinity });
  }

  /** The moment (epoch s). */
  get at() {
    return this.player.at - this.shift_s;
  }

  /** Whether the moment is still to come. */
  get early() {
    return this.store.playhead > this.store.present() - NEAR_S;
  }

  /** Whether frames are folded as the clock passes them; otherwise moments are asked for. */
  get streams() {
    return this.runs && this.pending === 0;
  }

  close() {
    this.closed = true;
    this.#end();
    this.span.close();
    for (const one of this.off) one();
  }

  /** The clock moved. */
  #follow() {
    if (Number.isNaN(this.other.playhead)) return;
    const was = this.store.playhead;
    const at = this.other.playhead - this.shift_s;
    // Somebody moved it: so much time does not go by between two frames of the screen, and the server's word takes back no more.
    if (this.runs && (was - at > Math.max(1, this.player.speed / 2) || at - was > Math.max(2, this.player.speed))) this.#seek();
    this.store.playhead = at;
    while (this.streams && this.waiting.length && this.waiting[0].due <= at + SAME_S) {
      const { told: one } = this.waiting.shift();
      if (one.type === "snapshot") {
        this.store.ahead = false;
        this.shown_at = NaN;
        this.reason = "";
        this.store.rewind(one, at);
        this.store.view.brought.add(this.store.view.source);
        this.#bring();
      } else this.store.replay(one);
    }
    if (!this.streams) this.store.ahead = at !== this.shown_at;
    this.store.point(at);
    if (!this.streams) this.#fetch();
  }

  /** The player plays, stands, or plays at another speed. */
  #pace() {
    if (this.closed || !this.player.past) return;
    const { playing, dragging, speed, stream } = this.player;
    const plays = playing && !dragging && speed !== "max" && Boolean(stream?.commands) && this.road !== null && !this.early;
    if (!plays) {
      if (this.stream !== null) this.#end();
      if (this.shown_at !== this.store.playhead) this.#fetch();
    } else if (this.stream === null) this.#open();
    else if (this.ready) this.#run();
  }

  #open() {
    const { speed } = this.player;
    this.speed = speed;
    const mine = this.road.open({ at: this.#place(), speed, known: this.store.now_view.known, cursor: this.cursor(), jumps: false }, {
      opened: () => {},
      told: (data, id) => this.stream === mine && this.#told(data, id),
      frame: (event, data) => this.stream === mine && this.#frame(event, data),
      refused: (_, id) => this.stream === mine && id === this.pending && this.#end(),
      closed: () => {
        if (this.stream !== mine) return;
        // One that never led here is not tried again; one that broke is, by the next word of the player.
        if (!this.ready) this.road = null;
        this.#end();
        this.#follow();
      },
    });
    this.stream = mine;
  }

  #end() {
    this.stream?.close();
    this.#forget();
    this.shown_at = NaN;
  }

  /** Where the tape is to be told from. */
  #place() {
    return Math.min(this.at + LEAD_S * this.player.speed, this.store.present() - NEAR_S);
  }

  #run() {
    const { speed, ready } = this.player;
    if (speed !== this.speed) {
      this.speed = speed;
      this.stream.say("replay_speed", { speed });
    }
    if (!ready || this.runs) return;
    this.runs = true;
    // The player may have gone on while this stream was on its way.
    if (Math.abs(this.due - this.#place()) > Math.max(0.5, SLACK_S * speed)) this.#seek();
    this.stream.say("replay_play");
  }

  #seek() {
    this.waiting = [];
    this.moved_ms = performance.now();
    this.store.ahead = true;
    this.pending = this.stream.say("replay_seek", { at: micro(this.#place()) });
  }

  #told(data, id) {
    const at = seconds(data.at);
    if (data.state === "live" || data.state === "ended") {
      this.#end();
      this.#follow();
      return;
    }
    if (!this.ready || (id !== undefined && id === this.pending)) {
      this.ready = true;
      this.pending = 0;
      this.waiting = [];
      this.due = at;
      this.#pace();
      return;
    }
    if (!this.streams || performance.now() - this.moved_ms < COOL_MS) return;
    const late_s = this.at - at;
    if (late_s > Math.max(this.store.now_view.interval_s, SLACK_S * this.speed) || -late_s > AHEAD_S * this.speed) this.#seek();
  }

  #frame(event, data) {
    // What comes before a seek is answered is of where it was before.
    if (this.pending !== 0) return;
    const one = event === "snapshot" ? { type: "snapshot", ...first(data) } : message(event, data);
    if (one === null || one.type === "clock") return;
    // The order of the log is the order of the tape; what others sent bears any time, and shows between the ticks it came between.
    if (one.type !== "snapshot" && (DATED.has(one.type) || (one.type === "metrics" && one.source === this.store.now_view.source))) this.due = Math.max(this.due, one.at);
    this.waiting.push({ due: this.due, told: one });
    if (this.runs && this.waiting.length > MOST_WAITING) this.#seek();
  }

  /** What else is looked at: the first picture of a replay has the host's own values only, and others come into sight. */
  #bring() {
    if (this.bringing || this.store.view.seq < 0) return;
    this.bringing = true;
    setTimeout(async () => {
      try {
        if (!this.closed && !this.asking && !this.early) await bring(this.ask, () => this.store.playhead, this.store, this.source());
      } catch (failure) {
        console.info(`What else was said then is not known: ${failure.message}`);
      }
      this.bringing = false;
    });
  }

  /** What stood at the playhead, one question after the other. */
  async #fetch() {
    if (this.asking) return;
    this.asking = true;
    await this.told;
    while (!this.closed && !this.streams && this.store.playhead !== this.shown_at && this.player.past) {
      const at = this.store.playhead;
      const wanted = this.store.wanted(this.source());
      let said = null;
      let reason = "";
      // Of what was before the tape it is known that nothing is.
      if (!this.early && !(at < this.begins())) {
        try {
          said = await stood(this.ask, at, { ...wanted, host: this.store.now_view.source });
        } catch (failure) {
          reason = failure.message;
        }
      }
      if (this.closed || this.streams) break;
      this.shown_at = at;
      this.reason = reason;
      this.store.ahead = this.store.playhead !== at;
      this.store.rewind(said?.snapshot ?? null, this.store.playhead, said?.told);
      mark(this.store.view, wanted);
      if (said === null && this.store.playhead !== at) await new Promise((done) => setTimeout(done, reason ? FAILED_MS : NEAR_S * 1000));
    }
    this.asking = false;
    if (!this.closed) this.#bring();
  }
}
