// One column out of the columns a figure is made of, kept up as rows come.

import { Table } from "./series.js";
import { row } from "./timeline.js";

export class Trail {
  /** join(values) → the figure's value. */
  constructor(join) {
    this.join = join;
    this.of = null;
    this.table = new Table(1, 1);
  }

  follow(table) {
    const [at, ...columns] = table.rows();
    let i = at.length;
    if (this.of !== table) {
      this.of = table;
      this.table = new Table(1, table.capacity);
      Object.assign(this.table, { gap_s: table.gap_s, loaded_gap_s: table.loaded_gap_s, loaded_until: table.loaded_until });
      i = 0;
    } else {
      while (i > 0 && at[i - 1] > this.table.last) i -= 1;
    }
    for (; i < at.length; i += 1) this.table.append(at[i], [this.join(columns.map((column) => column[i]))]);
    return this.table;
  }

  /** The newest row's value. */
  get last() {
    return this.table.length ? this.table.columns[0][this.table.end - 1] : NaN;
  }
}

/** Where the playhead stands on a spark, to the pixel; -1 where there is none. */
export const pixel = (at, from, to, width) => (Number.isNaN(at) ? -1 : Math.round((width * (at - from)) / (to - from)));

/** The column's value at a playhead that is dragged ahead of what is known of its moment. */
export function trailed(table, at, otherwise) {
  const [times, values] = table.rows();
  const found = values[row(times, at)];
  return found === undefined || Number.isNaN(found) ? otherwise : found;
}
