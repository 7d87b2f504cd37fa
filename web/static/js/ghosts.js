// Another time under the one that is shown, on the same axes: how it was an hour, a day or a week before, or as long before as one likes.

import { duration } from "./format.js";
import { Table } from "./series.js";
import { t } from "./words.js";

/** As the address has it → seconds before, and what it is called. */
export const BEFORE = [["1h", 3_600, "One hour before"], ["1d", 86_400, "Same time the day before"], ["7d", 604_800, "A week before"]];
const MOST_S = 3 * 366 * 86_400;
// More than is shown now, so that what grows has something to grow over.
const MARGIN = 0.25;

/** How long before (s) a text of the address means; 0 for none, and for what means nothing. */
export function before(text) {
  const known = BEFORE.find(([name]) => name === text);
  if (known) return known[1];
  const seconds = /^(\d{1,9}(?:\.\d{1,6})?)s$/.exec(text)?.[1];
  return seconds > 0 && seconds <= MOST_S ? Number(seconds) : 0;
}

/** What so many seconds before is called. */
export function called(shift_s) {
  const known = BEFORE.find(([, seconds]) => seconds === shift_s);
  return known ? t(known[2]) : t("{time} before", { time: duration(shift_s) });
}

export class Ghosts {
  /** ask(path) → Promise<data>; span says which time is shown. */
  constructor({ store, span, ask }) {
    Object.assign(this, { store, span, ask });
    this.shift_s = 0;
    this.turn = 0;
  }

  /** Other charts than before are compared with. */
  set(shift_s) {
    if (shift_s === this.shift_s) return false;
    this.shift_s = shift_s;
    this.turn += 1;
    return true;
  }

  /** Fills `ghost` ({ table, until }, null for none) of tapes, whose rows stand where they would if they were of the shown time. */
  async load(tapes, points) {
    const { shift_s, turn } = this;
    if (shift_s === 0) {
      for (const tape of tapes) tape.ghost = null;
      return;
    }
    const { from, to } = this.span.shown();
    const more = this.span.growing ? MARGIN * (to - from) : 0;
    const end = Math.min(to + more - shift_s, this.store.present());
    const asked = new URLSearchParams({ from: (from - shift_s).toFixed(3), to: Math.max(end, from - shift_s + 1).toFixed(3), points: String(points) });
    for (const { kind, ids } of tapes) asked.append("chart", `${kind}:${ids.join(",")}`);
    let charts = [];
    try {
      ({ charts } = await this.ask(`/api/realtime/charts?${asked}`));
    } catch (failure) {
      // The picture of the shown time does not depend on it.
      console.info(`Nothing to compare with: ${failure.message}`);
    }
    if (turn !== this.turn) return;
    tapes.forEach((tape, k) => {
      const { at = [], values = [] } = charts[k] ?? {};
      const table = new Table(tape.ids.length, Math.max(1, at.length), this.store.now_view.interval_s);
      table.load(at.map((one) => one + shift_s), values, Infinity);
      tape.ghost = { table, until: to + more, shift_s };
      tape.changed();
    });
  }
}
