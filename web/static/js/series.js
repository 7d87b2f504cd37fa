// Columns of numbers that share one time axis, in typed arrays: a second is appended in place, nothing is copied.

/** A missing sample. Typed arrays have no null; NaN is never a value here, the server refuses it. */
export const NONE = NaN;

// Rows of the same tick may arrive in two frames; closer than this they are one row (seconds).
const SAME_S = 0.001;

export class Table {
  /** `capacity` rows are kept; the buffer is twice that, so that sliding costs one copy in `capacity` appends. */
  constructor(columns, capacity, interval_s = 1) {
    this.capacity = capacity;
    this.columns = Array.from({ length: columns }, () => new Float64Array(2 * capacity));
    this.at = new Float64Array(2 * capacity);
    this.start = 0;
    this.end = 0;
    // Two rows further apart than this have a hole between them. Loaded rows may be thinned out, live ones are not.
    this.gap_s = 3 * interval_s;
    this.loaded_gap_s = this.gap_s;
    this.loaded_until = -Infinity;
    this.overflowed = false;
    // How often rows were moved to the front of the buffers: windows taken before show others since.
    this.moves = 0;
  }

  get length() {
    return this.end - this.start;
  }

  get last() {
    return this.length ? this.at[this.end - 1] : -Infinity;
  }

  get first() {
    return this.length ? this.at[this.start] : Infinity;
  }

  /** The samples of one tick; a tick already there is completed, one older than the newest is refused (false). */
  append(at, values) {
    const same = this.length > 0 && Math.abs(at - this.last) < SAME_S;
    if (!same && at < this.last) return false;
    if (!same) this.#push(at);
    const row = this.end - 1;
    this.columns.forEach((column, k) => {
      if (!same || !Number.isNaN(values[k])) column[row] = values[k];
    });
    return true;
  }

  /** History: replaces every row up to its last one. Rows newer than that are kept, so a refetch fills a hole. */
  load(at, columns, gap_s = this.gap_s) {
    const until = at.length ? at[at.length - 1] : -Infinity;
    let keep = this.start;
    while (keep < this.end && this.at[keep] <= until + SAME_S) keep += 1;
    const newer_at = this.at.slice(keep, this.end);
    const newer = this.columns.map((column) => column.slice(keep, this.end));
    this.start = this.end = 0;
    const skip = Math.max(0, at.length + newer_at.length - this.capacity);
    for (let i = skip; i < at.length; i += 1) {
      this.at[this.end] = at[i];
      this.columns.forEach((column, k) => {
        column[this.end] = columns[k][i] ?? NONE;
      });
      this.end += 1;
    }
    this.loaded_until = until;
    this.loaded_gap_s = Math.max(gap_s, this.gap_s);
    for (let i = 0; i < newer_at.length; i += 1) {
      this.append(newer_at[i], newer.map((column) => column[i]));
    }
    this.overflowed = false;
  }

  /** Forget rows after `at`: the clock was set back, and what bears those times has not happened yet. */
  cut(at) {
    while (this.length && this.at[this.end - 1] > at) this.end -= 1;
  }

  /** Forget rows before `at`, but keep the last one before it: the line comes in from outside the picture. */
  trim(at) {
    while (this.length > 1 && this.at[this.start + 1] <= at) this.start += 1;
  }

  /** Of row `i` (counted in `rows()`) column `k`; NaN where there is no such row. */
  value(k, i) {
    return i >= 0 && i < this.length ? this.columns[k][this.start + i] : NONE;
  }

  /** [at, …columns]: windows on the buffers, valid until the next append. */
  rows() {
    return [this.at, ...this.columns].map((column) => column.subarray(this.start, this.end));
  }

  /** Is there a hole between row i-1 and row i (counted in `rows()`)? */
  broken(i) {
    if (i <= 0) return false;
    const at = this.at[this.start + i];
    const gap_s = at <= this.loaded_until ? this.loaded_gap_s : this.gap_s;
    return at - this.at[this.start + i - 1] > gap_s;
  }

  /** `broken(i)` for every row at once, for those that draw them all: each chart does, whenever it is drawn. */
  breaks() {
    const { at, start, gap_s, loaded_gap_s, loaded_until } = this;
    const found = new Uint8Array(this.length);
    for (let i = 1; i < found.length; i += 1) {
      const row = start + i;
      if (at[row] - at[row - 1] > (at[row] <= loaded_until ? loaded_gap_s : gap_s)) found[i] = 1;
    }
    return found;
  }

  #push(at) {
    if (this.length === this.capacity) {
      this.start += 1;
      this.overflowed = true;
    }
    if (this.end === this.at.length) {
      for (const column of [this.at, ...this.columns]) column.copyWithin(0, this.start, this.end);
      this.end -= this.start;
      this.start = 0;
      this.moves += 1;
    }
    this.at[this.end] = at;
    for (const column of this.columns) column[this.end] = NONE;
    this.end += 1;
  }
}
