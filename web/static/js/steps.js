// The columns behind a chart that says one number for each step of the clock. As a tape of tapes.js for whoever draws it; its
// numbers are the server's, asked for again as steps go by.

import { Table } from "./series.js";
import { row } from "./timeline.js";

const SOON_MS = 30;
const OFTEN_MS = 5_000;
const POINTS = 300;

export class Steps {
  /** `selectors` mean the series, `ids` are those of the columns; `fn` and `step` are as `query` takes them. */
  constructor({ store, span, ask }, { selectors, ids, fn, step }) {
    Object.assign(this, { store, span, ask, selectors, ids, fn, step });
    this.table = new Table(ids.length, 1);
    this.tier = "raw";
    this.state = "loading";
    this.reason = "";
    // Another time is compared by readings alone.
    this.ghost = null;
    this.seen = false;
    this.stale = true;
    this.timer = 0;
    this.turn = 0;
    this.step_s = 0;
    this.asked_at = -Infinity;
    this.changed = () => {};
    const again = () => this.#outdate();
    this.off = [span.on(again), store.on("load", again), store.on("leap", again), store.on("tick", () => this.#tick())];
  }

  look(seen) {
    this.seen = seen;
    if (seen && this.stale) this.#soon();
  }

  /** What column k says: at a playhead the last step that was over, for one that is not holds what came later; live the newest. */
  said(k) {
    const { table, store } = this;
    return table.value(k, store.past ? row(table.rows()[0], store.playhead - this.step_s) : table.length - 1);
  }

  close() {
    clearTimeout(this.timer);
    this.turn += 1;
    this.seen = false;
    for (const off of this.off) off();
  }

  #outdate() {
    this.stale = true;
    if (this.seen) this.#soon();
  }

  /** The step that has only begun grows, and a new one begins. */
  #tick() {
    if (!this.span.moving) return;
    if (Date.now() - this.asked_at > Math.max(OFTEN_MS, (1000 * this.step_s) / 4)) this.#outdate();
    else if (this.seen) this.changed();
  }

  #soon() {
    if (this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.#load();
    }, SOON_MS);
  }

  async #load() {
    this.stale = false;
    this.asked_at = Date.now();
    this.turn += 1;
    const { turn } = this;
    const { from, to } = this.span.shown();
    const asked = new URLSearchParams({ from: from.toFixed(3), to: to.toFixed(3) });
    for (const text of this.selectors) asked.append("series", text);
    if (this.fn) asked.set("fn", this.fn);
    if (this.step) asked.set("step", this.step);
    else asked.set("points", String(POINTS));
    try {
      const told = await this.ask(`/api/realtime/query?${asked}`);
      if (turn !== this.turn) return;
      this.#loaded(told);
    } catch (failure) {
      if (turn !== this.turn) return;
      this.stale = true;
      if (this.state === "loading") this.state = "failed";
      this.reason = failure.message;
    }
    this.changed();
  }

  #loaded({ series, step }) {
    const of = new Map(series.map((one) => [one.id, one]));
    const at = [...new Set(series.flatMap((one) => one.at))].sort((one, other) => one - other);
    const row = new Map(at.map((moment, k) => [moment, k]));
    const values = this.ids.map((id) => {
      const column = new Array(at.length).fill(null);
      const one = of.get(id);
      one?.at.forEach((moment, k) => {
        column[row.get(moment)] = one.value[k];
      });
      return column;
    });
    this.step_s = step ?? 0;
    this.table = new Table(this.ids.length, Math.max(at.length, 1), step);
    this.table.load(at, values, 1.5 * step);
    this.state = "ready";
    this.reason = "";
  }
}
