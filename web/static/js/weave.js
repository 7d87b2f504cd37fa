// Several sources in one table: each ticks by its own clock. As the server draws them together (columns.align), a reading
// stands until the next of its own pace; where a source missed one, its gap stays.

import { NONE } from "./series.js";

// Clocks and roads differ by this much at most: what comes so late belongs to the newest row.
const LATE_S = 5;
const PACES = 2.5;
// Before a pace is known.
const STANDS_S = 15;

export class Weave {
  constructor(columns) {
    this.at = new Float64Array(columns).fill(-Infinity);
    this.value = new Float64Array(columns).fill(NONE);
    this.stands = new Float64Array(columns).fill(STANDS_S);
  }

  /** What the rows of `table` say last goes on from there. */
  seed(table) {
    const [at, ...columns] = table.rows();
    columns.forEach((column, k) => {
      let i = at.length - 1;
      while (i >= 0 && Number.isNaN(column[i])) i -= 1;
      if (i < 0 || at[i] <= this.at[k]) return;
      this.at[k] = at[i];
      this.value[k] = column[i];
    });
  }

  /** Appends a tick of one source; `row` has NONE where it says nothing. */
  append(table, at, row) {
    const when = at < table.last && table.last - at < LATE_S ? table.last : at;
    for (let k = 0; k < row.length; k += 1) {
      if (!Number.isNaN(row[k])) {
        if (at > this.at[k] && this.at[k] > -Infinity) this.stands[k] = Math.max(1, PACES * (at - this.at[k]));
        this.at[k] = at;
        this.value[k] = row[k];
      } else if (when - this.at[k] <= this.stands[k]) {
        row[k] = this.value[k];
      }
    }
    return table.append(when, row);
  }
}
