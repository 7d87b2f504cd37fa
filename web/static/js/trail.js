// One column out of the columns a figure is made of, kept up as rows come.

import { Table } from "./series.js";

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
}

/** Where the playhead stands on a spark, to the pixel; -1 where there is none. */
export const pixel = (at, from, to, width) => (Number.isNaN(at) ? -1 : Math.round((width * (at - from)) / (to - from)));
