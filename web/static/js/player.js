// What is watched: the present, or a moment of the past that stands or is played. The store does not know which; this does.
//
//   live ─drag/seek─► past: paused ⇄ playing ─reaches now, or live()─► live
//
// A moment that stands is asked for (`state?at=`): one question at a time, always for the newest place, while charts read
// the columns they hold. What plays is a replay on a connection of its own; where none can be had it goes step by step.

import { bring, mark, stood } from "./moment.js";
import { first, message, micro, seconds } from "./wire.js";
import { t } from "./words.js";

// A playhead this near to now is there (seconds).
const NEAR_S = 0.5;
const FAILED_MS = 2_000;
// Between two words of the server the playhead goes on by itself, for no longer than this: it does not run ahead of the tape.
const AHEAD_MS = 700;
const FASTEST = 1000;

export class Player {
  /**
   * ask(path) → Promise<data>; source(): whose page is shown; cursor(): where live stands; begins(): when an incident does; roads: of `projector`, best first,
   * null until further() → Promise has set them; frame(fn) calls once a frame is due; warn(words): something was refused.
   */
  constructor({ store, ask, roads = [], further = async () => {}, source = () => store.now_view.source, cursor = () => "", begins = () => NaN, frame = (fn) => requestAnimationFrame(fn), warn = () => {} }) {
    Object.assign(this, { store, ask, roads, further, source, cursor, begins, frame, warn });
    this.listeners = new Set();
    this.at = NaN;
    this.speed = 1;
    this.playing = false;
    this.dragging = false;
    this.paired = false;
    // What is to be said of how it plays, beside the moment.
    this.notice = "";
    this.shown_at = NaN;
    this.asking = this.due = this.running = this.resting = this.went_on = this.bringing = this.scant = false;
    this.road = 0;
    this.stream = this.stretch = null;
    this.#forget();
    store.on("need", () => this.past && this.#bring());
  }

  #forget() {
    // `pending` is the last command that has not been answered: until then what is told is of before it.
    Object.assign(this, { stream: null, ready: false, pending: 0, anchor: { at: NaN, ms: 0 }, id: "", me: "", holder: null, watchers: [], after: 0, last: null });
  }

  get past() {
    return !Number.isNaN(this.at);
  }

  /** Whether others may be watching the same. */
  get shared() {
    return this.invited || this.watchers.length > 1;
  }

  /** Whether this is the one whose commands are obeyed. */
  get holds() {
    return !this.shared || this.holder === this.me;
  }

  /** on(fn(player)) → unsubscribe: how it plays changed. Where it is, the store's `playhead` tells. */
  on(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /**
   * Beside a second moment: no silence is jumped, for the other may have something to say in it, and what reaches now
   * stands there instead of being live.
   */
  pair(on) {
    if (on === this.paired) return;
    this.paired = on;
    if (this.stream === null || this.shared) return;
    this.#close();
    if (this.playing) this.#open();
  }

  /** To a moment (epoch s), which then stands or plays on. A moment that is not over is now. */
  seek(at) {
    if (at >= this.store.present() - NEAR_S) {
      this.#arrive();
      return;
    }
    const { from, to } = this.stretch ?? {};
    if (!this.shared && (at < from || at > to)) {
      // What plays ends there: elsewhere it is another.
      const streams = this.playing && this.stream !== null;
      this.stretch = null;
      this.#close();
      this.#move(at);
      if (streams) this.#open();
      this.#tell();
      return;
    }
    if (this.ready && (this.playing || this.shared) && this.stream.commands) {
      this.#say("replay_seek", { at: micro(at) });
      this.#move(at, false);
    } else {
      const streams = this.playing && this.stream !== null;
      if (streams) this.#close();
      this.moved = true;
      this.#move(at);
      if (streams) this.#open();
    }
    this.#tell();
  }

  /** The playhead is held at a moment; `drop` lets go of it, and it goes on if it did. */
  drag(at) {
    if (!this.dragging) {
      this.dragging = true;
      this.went_on = this.playing;
      if (this.playing && !this.shared) this.#halt();
      this.#move(Math.min(at, this.store.present() - NEAR_S));
      this.#tell();
    } else this.#move(Math.min(at, this.store.present() - NEAR_S));
  }

  drop() {
    const { went_on } = this;
    this.dragging = this.went_on = false;
    // While it was dragged only the half was asked for.
    if (this.scant) this.shown_at = NaN;
    this.seek(this.at);
    if (went_on && this.past && !this.playing) this.play();
  }

  /** A stretch (epoch s) over and over, until one leaves it. */
  loop(from, to) {
    this.#close();
    this.playing = false;
    this.stretch = { from, to };
    this.#move(from);
    this.play();
  }

  toggle() {
    if (this.store.incident && !this.past) {
      // From the end it plays all of it, as a film does.
      this.seek(this.begins());
      this.play();
    } else if (this.playing || !this.past) this.pause();
    else this.play();
  }

  play() {
    if (!this.past || this.playing) return;
    this.playing = true;
    this.#set(this.at);
    if (this.ready && this.stream.commands) {
      if (this.moved) this.#say("replay_seek", { at: micro(this.at) });
      this.moved = false;
      this.#say("replay_play");
    } else if (this.stream === null) this.#open();
    this.#run();
    this.#tell();
  }

  /** Stands where it is; what is live stands at now. */
  pause() {
    if (!this.past) this.#move(this.store.present() - NEAR_S);
    else if (this.playing) this.#halt();
    this.#tell();
  }

  faster(speed) {
    if (speed === this.speed) return;
    this.speed = speed;
    this.#set(this.at);
    if (this.ready && this.stream.commands) this.#say("replay_speed", { speed });
    else if (this.playing && this.stream !== null && !this.stream.commands) {
      this.#close();
      this.#open();
    }
    this.#tell();
  }

  live() {
    if (!this.past) return;
    this.#close();
    this.at = this.shown_at = NaN;
    this.playing = this.dragging = this.invited = this.moved = false;
    this.road = 0;
    this.stretch = null;
    this.notice = "";
    this.store.ahead = false;
    this.store.forward();
    this.#tell();
  }

  /** It has come to now. */
  #arrive() {
    if (!this.paired) {
      this.live();
      return;
    }
    this.#close();
    this.playing = this.invited = false;
    this.stretch = null;
    this.shown_at = NaN;
    this.#move(this.store.present() - NEAR_S);
    this.#tell();
  }

  /** Nobody looks: nothing is read for nobody, unless others watch along. */
  rest() {
    if (!this.playing || this.shared) return;
    this.resting = true;
    this.pause();
  }

  wake() {
    if (this.resting) this.play();
    this.resting = false;
  }

  /** Watches a replay that others watch; where it has ended, the moment `at` (epoch s) stands in its place. */
  join(id, at = NaN) {
    if (this.id === id) return;
    this.#close();
    this.invited = true;
    this.#move(Number.isNaN(at) ? this.store.present() - NEAR_S : at, false);
    this.#open(id);
    this.#tell();
  }

  /** → Promise<id> of a replay that others can join, at what is watched now. */
  async share() {
    if (!this.past) this.#move(this.store.present() - NEAR_S, true);
    this.invited = true;
    if (this.stream === null || !this.stream.commands) {
      this.#close();
      this.road = 0;
      this.#open();
    } else if (this.moved) this.#say("replay_seek", { at: micro(this.at) });
    this.moved = false;
    const until = performance.now() + 5_000;
    while (!this.id && this.stream !== null && performance.now() < until) await new Promise((done) => setTimeout(done, 30));
    if (!this.id) {
      this.invited = false;
      throw new Error(t("A replay can be shared over a WebSocket only, and there is none."));
    }
    this.#tell();
    return this.id;
  }

  /** Gives the remote to another watcher; without one, takes it where nobody holds it, or lets go of it. */
  hand(to) {
    if (this.ready && this.stream.commands) this.#say("replay_hand", to ? { to } : {});
  }

  #say(event, data) {
    this.pending = this.stream.say(event, data);
  }

  /** No longer playing; where it plays as a stream that takes no commands, the stream ends. */
  #halt() {
    this.playing = false;
    if (this.ready && this.stream.commands) this.#say("replay_pause");
    else {
      this.#close();
      this.shown_at = NaN;
      this.#move(this.at);
    }
  }

  #open(join = "") {
    if (this.roads === null) {
      this.#await(join);
      return;
    }
    const road = this.roads[this.road];
    this.moved = false;
    if (road === undefined) {
      this.#note(t("Step by step: no stream can be had."));
      this.#set(this.at);
      return;
    }
    const mine = road.open({ at: this.at, speed: this.speed, join, known: this.store.now_view.known, cursor: this.cursor(), until: this.stretch?.to, jumps: !this.paired }, {
      opened: (me) => {
        this.me = me;
      },
      told: (data, id) => this.stream === mine && this.#told(data, id),
      frame: (event, data) => this.stream === mine && this.#frame(event, data),
      refused: (words, id, code) => this.stream === mine && this.#refused(words, id, code),
      closed: () => {
        if (this.stream !== mine) return;
        const { ready } = this;
        const together = join || (this.invited ? this.id : "");
        this.#forget();
        if (together) {
          // It may be the line alone that broke.
          if (ready) this.#open(together);
          else this.#part();
          this.#tell();
          return;
        }
        // A road that led here once may do so again; one that never did is left for the next.
        if (!ready) this.road += 1;
        if (this.playing) this.#open();
        this.#tell();
      },
    });
    this.stream = mine;
  }

  /** The replay that was shared is no more: it goes on alone, from the same moment. */
  #part() {
    this.invited = false;
    this.warn(t("The shared replay is over. It goes on here alone, at the same moment."));
    if (this.playing) this.#open();
    else this.seek(this.at);
  }

  /** The server can be reached again: every road may lead to a replay again, and what could not be shown can be asked for. */
  reached() {
    this.road = 0;
    if (!this.past || this.stream !== null) return;
    if (this.playing) this.#open();
    else if (this.notice) {
      this.shown_at = NaN;
      this.#fetch();
    }
    this.#tell();
  }

  /** Another source is looked at while the past is shown: what it said last stood in no picture. */
  turn() {
    if (this.past) this.#bring();
  }

  /** Says why one is not obeyed who does not hold the remote. */
  deny() {
    this.warn(this.holder === null ? t("Nobody holds the remote: take it first.") : t("{name} holds the remote", { name: this.holder.slice(0, 4) }));
  }

  /** Until the roads are known it goes step by step; then what is wanted by then is opened. */
  async #await(join) {
    this.joining = join;
    await this.further();
    if (this.stream !== null || this.joining !== join || !(join ? this.invited : this.playing)) return;
    if (this.roads !== null) this.#open(join);
    else {
      if (join) this.invited = false;
      this.#note(t("Step by step: no stream can be had."));
    }
  }

  #close() {
    this.stream?.close();
    this.#forget();
  }

  /** Where the replay stands, in the server's words. */
  #told(data, id) {
    const before = this.ready;
    this.ready = true;
    this.last = data;
    Object.assign(this, { id: data.id ?? "", holder: data.holder ?? null, watchers: data.watchers ?? [], after: data.after });
    if (id !== undefined && id === this.pending) this.pending = 0;
    if (!before && this.stream.commands && !this.invited && this.playing) this.#say("replay_play");
    if (this.pending || this.dragging) {
      this.#tell();
      return;
    }
    if (data.state === "live") {
      this.#arrive();
      return;
    }
    this.playing = data.state === "playing";
    this.speed = data.speed;
    this.#set(seconds(data.at));
    this.at = this.anchor.at;
    this.store.ahead = false;
    this.#note([
      data.tier && data.tier !== "raw" ? t("from buckets of {tier}: the samples are gone", { tier: data.tier }) : "",
      data.skipped ? t("jumped a stretch in which nothing came") : "",
      data.loop ? t("over and over") : "",
      data.gap ? t("some of it cannot be read") : "",
      this.stream.commands ? "" : t("over server-sent events"),
    ].filter(Boolean).join(" · "));
    this.#point();
    if (this.playing) this.#run();
    // Where a stream stops, what is dated this very moment may not have been told; beside another both are of theirs to the event.
    else if (this.paired) this.#fetch();
    this.#tell();
  }

  /** A command that was not obeyed changes nothing: it is where it was. */
  #refused(words, id, code) {
    if (code === "not_holder") this.deny();
    // Of a replay that is no more it is said when it is left.
    else if (this.ready || !this.invited) this.warn(words);
    if (id !== this.pending) return;
    this.pending = 0;
    if (this.last) this.#told(this.last);
  }

  #frame(event, data) {
    if (event === "snapshot") {
      this.shown_at = this.at;
      this.store.ahead = false;
      this.store.rewind(first(data), this.at);
      this.store.view.brought.add(this.store.view.source);
      this.#bring();
      return;
    }
    const told = message(event, data);
    // What time it is, and what begins to be told now, is the live link's business.
    if (told !== null && told.type !== "clock") this.store.replay(told);
  }

  /** What else is looked at: the first picture of a replay has the host's own values only, and others come into sight. */
  #bring() {
    // Whatever is under way asks for all there is by then.
    if (this.bringing || this.dragging || this.store.view.seq < 0) return;
    this.bringing = true;
    queueMicrotask(async () => {
      const { view } = this.store;
      try {
        if (this.past && !this.asking) await bring(this.ask, () => this.at, this.store, this.source());
      } catch (failure) {
        this.warn(failure.message);
      }
      this.bringing = false;
      // Another moment was told of meanwhile.
      if (this.past && this.store.view !== view) this.#bring();
    });
  }

  /** It is at this moment now, and goes on from here by itself. */
  #set(at) {
    this.anchor = { at, ms: performance.now() };
  }

  #move(at, ask = true) {
    this.at = at;
    this.#set(at);
    if (!this.store.past) this.store.leave(at);
    this.store.ahead = !(Math.abs(at - this.shown_at) < 0.001);
    this.#point();
    if (ask) this.#fetch();
  }

  /** The playhead is told at most once a frame. */
  #point() {
    if (this.due) return;
    this.due = true;
    this.frame(() => {
      this.due = false;
      if (this.past) this.store.point(this.at);
    });
  }

  /** What stood at the playhead, one question after the other. */
  async #fetch() {
    if (this.asking) return;
    this.asking = true;
    while (this.past && this.at !== this.shown_at && !(this.playing && this.stream !== null && !this.dragging)) {
      const { at, dragging } = this;
      // What is dragged reads the columns of others.
      const all = this.store.wanted(this.source());
      const scant = dragging && all.sources.length + all.counters.size > 1;
      const wanted = scant ? { sources: [this.source()], counters: new Map() } : all;
      let told = null;
      let failure = null;
      try {
        told = await stood(this.ask, at, { ...wanted, host: this.store.now_view.source });
      } catch (refused) {
        failure = refused;
      }
      if (!this.past || (this.playing && this.ready && !this.dragging)) break;
      this.shown_at = at;
      this.scant = scant;
      this.store.ahead = this.at !== at || scant;
      this.store.rewind(told?.snapshot ?? null, this.at, told?.told);
      mark(this.store.view, wanted);
      if (failure || !this.playing) this.#note(failure ? failure.message : "");
      if (failure && this.at !== at) await new Promise((done) => setTimeout(done, FAILED_MS));
    }
    this.asking = false;
    if (this.past) this.#bring();
  }

  /** The playhead moves while it plays: a little way by itself, or step by step where there is no stream. */
  #run() {
    if (this.running) return;
    this.running = true;
    this.frame(() => {
      this.running = false;
      if (!this.playing || !this.past) return;
      if (!this.dragging && !this.pending) this.#go(performance.now());
      if (this.past) this.#run();
    });
  }

  #go(now_ms) {
    const passed_ms = now_ms - this.anchor.ms;
    const { at } = this.anchor;
    if (this.stream !== null) {
      if (!this.ready || this.speed === "max") return;
      this.at = Math.min(at + (Math.min(passed_ms, AHEAD_MS) / 1000) * this.speed, this.store.present());
      this.#point();
      return;
    }
    const wanted = at + (passed_ms / 1000) * (this.speed === "max" ? FASTEST : this.speed);
    if (wanted >= this.store.present() - NEAR_S) this.#arrive();
    else this.#move(wanted);
  }

  #note(words) {
    if (words === this.notice) return;
    this.notice = words;
    this.#tell();
  }

  #tell() {
    for (const listener of [...this.listeners]) listener(this);
  }
}
