// The columns behind charts: history by one question for all that ask at a time, the present appended from frames.
//
//   tapes.open({ kind, ids }) → Tape, to be closed     tape.table: one shared time axis, a column a series
//
// Counters come as their rise a second, and are appended so: a tick says what they stand at.
//
// A tape that nobody looks at is not asked for; one that missed something (a conflated tick, a set clock, a break in the
// connection) is asked for again, now and then, while it is looked at.

import { Ghosts } from "./ghosts.js";
import { NONE, Table } from "./series.js";
import { row } from "./timeline.js";
import { Weave } from "./weave.js";

const GATHER_MS = 20;
// The server's bounds for one question: charts, and series on all of them.
const MOST_AT_ONCE = 40;
const MOST_SERIES = 400;
// Asking again for completeness' sake happens never more often than this.
const WHOLE_MS = 3_000;
const FAILED_MS = 5_000;
const LIVE_ROWS = 300;
const MOST_ROWS = 2_100;
// Other hosts' clocks may go a little fast; what claims to be from much later is not drawn before its time.
const EARLY_S = 60;

/** One chart's columns. `state`: "loading" until the first answer, then "ready" or "failed" (`reason` says why). */
export class Tape {
  constructor(tapes, kind, ids, points, source) {
    Object.assign(this, { tapes, kind, ids, points, source });
    this.table = new Table(ids.length, LIVE_ROWS);
    this.tier = "raw";
    this.state = "loading";
    this.reason = "";
    this.seen = false;
    this.stale = true;
    this.asked_at = -Infinity;
    this.until = Infinity;
    // The same of another time, to compare with: { table, until }.
    this.ghost = null;
    // Of one source every row is whole.
    this.weave = new Set(ids.map((id) => tapes.store.view.series.get(id)?.source)).size > 1 ? new Weave(ids.length) : null;
    this.changed = () => {};
  }

  /** Whether it is looked at now. */
  look(seen) {
    if (seen && !this.seen) {
      this.seen = seen;
      this.tapes.store.need(this);
    }
    this.seen = seen;
    if (seen && this.stale) this.tapes.want(this);
  }

  /** What column k says: at a playhead what was known of its moment, while that is dragged ahead of what is known the last row before it; live the newest row. */
  said(k) {
    const { store } = this.tapes;
    if (store.past && !store.ahead) return store.said(this.ids[k], this.source && { source: this.source });
    const { table } = this;
    return table.value(k, store.past ? row(table.rows()[0], store.playhead) : table.length - 1);
  }

  close() {
    this.tapes.close(this);
  }
}

export class Tapes {
  /** ask(path, options) → Promise<data>; `span` says which time is shown. */
  constructor({ store, span, ask }) {
    Object.assign(this, { store, span, ask });
    this.ghosts = new Ghosts({ store, span, ask });
    this.open_ = new Set();
    this.of = new Map();
    this.wanted = new Set();
    this.timer = 0;
    this.generation = 0;
    // Of a past that stands still nothing new is said by what is played.
    const again = () => !store.past && this.#outdate();
    store.on("metrics", (message) => message.type === "metrics" && this.#append(message));
    store.on("leap", again);
    // A fresh first paint, or a snapshot: what came between is in the log and not on the charts.
    store.on("load", again);
    store.on("metrics", (message) => message.type === "snapshot" && again());
    store.on("playhead", (at) => {
      for (const tape of this.open_) if (at > tape.until && tape.seen) this.want(tape);
    });
    span.on(() => {
      this.generation += 1;
      this.again();
    });
  }

  /** Every chart is compared with itself so many seconds before; 0: with nothing. */
  against(shift_s) {
    if (!this.ghosts.set(shift_s)) return;
    for (const tape of this.open_) {
      tape.ghost = null;
      tape.asked_at = -Infinity;
      tape.changed();
    }
    this.#outdate();
  }

  /** `source`: whose series they are, though the store does not know them; `counters`: they are such. */
  open({ kind, ids, points = 600, counters = false, source }) {
    const tape = new Tape(this, kind, ids, points, source);
    this.open_.add(tape);
    ids.forEach((id, column) => {
      if (!this.of.has(id)) this.of.set(id, new Set());
      this.of.get(id).add({ tape, column });
      if (counters) this.store.view.counters.add(id);
    });
    return tape;
  }

  close(tape) {
    this.open_.delete(tape);
    this.store.spare(tape);
    this.wanted.delete(tape);
    for (const id of tape.ids) {
      const all = this.of.get(id);
      for (const slot of all ?? []) if (slot.tape === tape) all.delete(slot);
      if (all?.size === 0) this.of.delete(id);
    }
  }

  /** Ask for its history soon, with all the others that are wanted by then. */
  want(tape) {
    this.wanted.add(tape);
    const wait_ms = Math.max(GATHER_MS, tape.asked_at + WHOLE_MS - Date.now());
    if (this.timer && wait_ms >= this.wait_ms) return;
    clearTimeout(this.timer);
    this.wait_ms = wait_ms;
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.#load();
    }, wait_ms);
  }

  /** Every column anew, whatever is held. */
  again() {
    for (const tape of this.open_) tape.asked_at = -Infinity;
    this.#outdate();
  }

  #outdate() {
    for (const tape of this.open_) {
      tape.stale = true;
      if (tape.seen) this.want(tape);
    }
  }

  async #load() {
    const due = Date.now() - WHOLE_MS;
    const all = [...this.wanted].filter((tape) => tape.seen && tape.asked_at <= due);
    const some = [];
    for (let series = 0; some.length < Math.min(all.length, MOST_AT_ONCE); some.push(all[some.length])) {
      series += all[some.length].ids.length;
      if (some.length && series > MOST_SERIES) break;
    }
    for (const tape of some) this.wanted.delete(tape);
    for (const tape of this.wanted) if (tape.seen) this.want(tape);
    if (some.length === 0 || !this.store.view.ready) return;
    const { generation } = this;
    const { from, to: end } = this.span.shown();
    // What has not happened yet is asked for when the playhead comes to it.
    const to = Math.min(end, Math.max(from + 1, this.store.present()));
    const bounds = this.span.growing ? { from: from.toFixed(3), to: "now" } : { from: from.toFixed(3), to: to.toFixed(3) };
    const asked = new URLSearchParams({ ...bounds, points: String(Math.max(...some.map(({ points }) => points))) });
    for (const { kind, ids } of some) asked.append("chart", `${kind}:${ids.join(",")}`);
    for (const tape of some) {
      tape.stale = false;
      tape.asked_at = Date.now();
      tape.until = this.span.growing || to === end ? Infinity : to;
    }
    try {
      const { charts } = await this.ask(`/api/realtime/charts?${asked}`);
      if (generation !== this.generation) return;
      some.forEach((tape, k) => this.#loaded(tape, charts[k]));
      this.ghosts.load(some, Number(asked.get("points")));
    } catch (failure) {
      for (const tape of some) {
        tape.stale = true;
        if (tape.state === "loading") tape.state = "failed";
        tape.reason = failure.message;
        tape.changed();
      }
      setTimeout(() => some.forEach((tape) => this.open_.has(tape) && tape.seen && this.want(tape)), FAILED_MS);
    }
  }

  #loaded(tape, { at, values, tier }) {
    const interval_s = this.store.view.interval_s;
    const rows = Math.min(MOST_ROWS, Math.max(at.length, Math.ceil((this.span.shown().to - this.span.shown().from) / interval_s))) + LIVE_ROWS;
    const { from } = this.span.shown();
    const old = tape.table;
    tape.table = new Table(tape.ids.length, rows, interval_s);
    // Where nothing was recorded the answer has an empty row; thinned rows stand as far apart as the values lie still.
    tape.table.load(at, values, Infinity);
    // What came while the question was under way is newer than the answer.
    const [was, ...columns] = old.rows();
    const last = at.length ? at[at.length - 1] : from;
    if (this.span.growing) for (let i = 0; i < was.length; i += 1) if (was[i] > last) tape.table.append(was[i], columns.map((column) => column[i]));
    tape.weave?.seed(tape.table);
    tape.tier = tier;
    tape.state = "ready";
    tape.reason = "";
    tape.changed();
  }

  #append({ ids, values, at, source, conflated }) {
    if (this.store.past) return;
    const { view } = this.store;
    if (at > view.at + (source === view.source ? 0 : EARLY_S)) return;
    const rows = new Map();
    for (let i = 0; i < ids.length; i += 1) {
      const slots = this.of.get(ids[i]);
      if (slots === undefined) continue;
      const stood = view.counters.has(ids[i]) ? view.stood.get(ids[i]) : null;
      const value = stood === null ? values[i] : stood?.at === at ? stood.rise : NONE;
      if (!this.span.growing) continue;
      for (const { tape, column } of slots) {
        let row = rows.get(tape);
        if (row === undefined) rows.set(tape, (row = new Array(tape.ids.length).fill(NONE)));
        row[column] = value;
      }
    }
    for (const [tape, row] of rows) {
      if (tape.weave) tape.weave.append(tape.table, at, row);
      else tape.table.append(at, row);
      // A tick that was conflated on the way is not wrong, but seconds between are missing.
      const missing = conflated > 0 || (tape.table.overflowed && tape.table.first > this.span.shown().from) || (tape.ghost && at > tape.ghost.until);
      if (missing && !tape.stale) {
        tape.stale = true;
        if (tape.seen) this.want(tape);
      }
      if (tape.seen) tape.changed();
    }
  }
}
