// What the bar shows: the tape from afar, asked of the server for the stretch that is looked at, and the moments on it.
//
//   reel.look(shown, buckets)     reel.told: the newest answer     reel.on(fn)     reel.next(at, direction)     reel.marks

import { next } from "./timeline.js";
import { annotation, micro, seconds } from "./wire.js";

const GATHER_MS = 120;
// While the end of the tape is shown it is asked for again when a bar is full, though never more often than this.
const FRESH_MS = 4_000;
const NEWS_MS = 600;
const FAILED_MS = 5_000;
// A minute more than is shown to either side, so that a push of the bar has something to show at once.
const MARGIN = 0.25;
const FEWEST = 10;
const KNOWN_S = 0.001;
const BESIDE_S = 2 * KNOWN_S;
const NOTED = new Set(["source_lost", "source_seen", "collector_failed", "collector_recovered"]);

export class Reel {
  /** ask(path) → Promise<data>; hidden() whether nobody looks. */
  constructor({ store, ask, hidden = () => false }) {
    Object.assign(this, { store, ask, hidden });
    this.told = null;
    this.all = null;
    this.reason = "";
    this.shown = null;
    this.buckets = 300;
    this.timer = 0;
    this.due_at = Infinity;
    this.turn = 0;
    this.listeners = new Set();
    const news = () => this.want(NEWS_MS, true);
    store.on("news", ({ type }) => type !== "notification" && news());
    store.on("load", news);
  }

  /** When the tape begins (epoch s, NaN: not known yet); of an incident that is open, when it does. */
  get begins() {
    return this.told ? Math.max(this.told.begins, this.store.incident?.from ?? -Infinity) : NaN;
  }

  /** Look at a stretch { from, to }, in about so many bars. */
  look(shown, buckets) {
    const near = this.shown && Math.abs(shown.from - this.shown.from) + Math.abs(shown.to - this.shown.to) < 0.002 * (shown.to - shown.from);
    this.shown = shown;
    if (near && buckets === this.buckets) return;
    this.buckets = buckets;
    this.want(GATHER_MS);
  }

  /** Ask again soon; `whole`: for the moments of the whole tape, too. */
  want(wait_ms, whole = false) {
    if (whole) this.all = null;
    const due_at = Date.now() + wait_ms;
    if (this.timer && due_at >= this.due_at) return;
    clearTimeout(this.timer);
    this.due_at = due_at;
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.#load();
    }, wait_ms);
  }

  async #load() {
    if (this.shown === null || !this.store.now_view.ready) return;
    if (this.hidden()) {
      this.want(FRESH_MS);
      return;
    }
    this.turn += 1;
    const mine = this.turn;
    const { from, to } = this.shown;
    const more = MARGIN * (to - from);
    const now = this.store.present();
    try {
      const end = Math.min(to + more, now + 1);
      const told = read(await this.ask(`/api/realtime/timeline?${asked(from - more, end, Math.round(this.buckets * (1 + MARGIN)))}`));
      // Where one may go next lies anywhere on the tape.
      if (this.all === null && !Number.isNaN(told.begins)) this.all = read(await this.ask(`/api/realtime/timeline?${asked(told.begins - 1, now + 1, FEWEST)}`));
      if (mine !== this.turn) return;
      this.told = told;
      this.reason = "";
      if (to >= now) this.want(Math.max(FRESH_MS, 1000 * told.step));
    } catch (failure) {
      if (mine !== this.turn) return;
      this.reason = failure.message;
      this.want(FAILED_MS);
    }
    for (const listener of [...this.listeners]) listener(this);
  }

  /** on(fn) → unsubscribe: there is an answer, or none could be had (`reason`). */
  on(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Alerts as spans of a picture, as far as they are known; what is open lasts until now. */
  get alerts() {
    const found = new Map();
    const now = this.store.present();
    for (const one of [this.all, this.told]) for (const { id, rule, series, source, severity, since, until } of one?.alerts ?? []) found.set(id, { id, rule, series, source, severity, from: since, to: Number.isNaN(until) ? now : until });
    return [...found.values()];
  }

  /** What was marked, as far as it is known, the earliest first. */
  get marks() {
    const found = new Map();
    for (const one of [this.all, this.told]) for (const mark of one?.annotations ?? []) found.set(mark.id, mark);
    return [...found.values()].sort((a, b) => a.since - b.since);
  }

  /** Moments one may want to go to: when alerts began and ended, marks that people made, starts of the recorder. */
  moments() {
    const found = new Set();
    for (const one of [this.told, this.all]) {
      if (one === null) continue;
      for (const { since } of one.alerts) found.add(since);
      for (const { until } of one.alerts) if (!Number.isNaN(until)) found.add(until);
      for (const { since } of one.annotations) found.add(since);
      for (const at of one.starts) found.add(at);
    }
    return [...found];
  }

  /** The next of them after `at` (direction 1), or the one before (-1); NaN where there is none. */
  next(at, direction) {
    return next(this.moments(), at, direction);
  }
}

/** When an alert began to fire that is told next after `at`, or before it: as it was seen, and not when its cause began. NaN where there is none. */
export async function fired(ask, at, direction) {
  return found(ask, "alert", at, direction, ({ data }) => data.state === "firing");
}

/** When a source fell silent or spoke, or a collector failed or worked again, next after `at` or before it; NaN where there is none. */
export async function noted(ask, at, direction) {
  return found(ask, "system", at, direction, ({ data }) => NOTED.has(data.what));
}

async function found(ask, type, at, direction, meant) {
  const wanted = direction > 0 ? { from: micro(at + BESIDE_S), order: "oldest" } : { to: micro(at - BESIDE_S), order: "newest" };
  const { events } = await ask(`/api/realtime/events?${new URLSearchParams({ type, limit: "50", ...wanted })}`);
  const one = events.find(meant);
  // A hair later it is known.
  return one === undefined ? NaN : seconds(one.at) + KNOWN_S;
}

const asked = (from, to, buckets) => new URLSearchParams({ from: from.toFixed(3), to: to.toFixed(3), buckets: String(buckets) });

/** The answer of `timeline` → with epoch seconds; spans are { since, until }, `until` NaN while they are open. */
export function read({ tape, alerts, annotations, gaps, starts, ...told }) {
  return {
    ...told,
    begins: seconds(tape.begins),
    edge: seconds(tape.edge),
    raw_since: seconds(tape.raw_since),
    alerts: alerts.map(({ from, to, ...one }) => ({ ...one, since: seconds(from), until: seconds(to) })),
    annotations: annotations.map(annotation),
    gaps: gaps.map(({ from, to, cause }) => ({ since: seconds(from), until: seconds(to), cause })),
    starts: starts.map(seconds),
  };
}
