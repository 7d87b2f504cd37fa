// The time that is shown: the last so many seconds up to now, or a stretch that stands still. One for all charts.
//
// Every change is remembered, so that a zoom can be taken back. `now` is the newest tick, or the playhead's moment: it is
// handed in, because the span does not know what is played.

const MOST_UNDO = 100;
export const SHORTEST_S = 2;
// A young recorder fills the picture with the little it has, two minutes at least, and the picture grows to what was chosen.
const YOUNGEST_S = 120;

export class Span {
  /** now() → epoch s; begun() → when the record begins (epoch s; NaN: not known). */
  constructor({ now, begun, seconds }) {
    Object.assign(this, { now, begun });
    this.shape = { seconds, from: NaN, to: NaN };
    this.undo = [];
    this.listeners = new Set();
  }

  get seconds() {
    return this.shape.seconds;
  }

  /** Whether the right edge is now. */
  get moving() {
    return Number.isNaN(this.shape.from);
  }

  /** → { from, to } in epoch seconds. */
  shown() {
    const { seconds, from, to } = this.shape;
    if (!this.moving) return { from, to };
    const now = this.now();
    const first = this.begun();
    return { from: Math.max(Number.isNaN(first) ? -Infinity : Math.min(first, now - YOUNGEST_S), now - seconds), to: now };
  }

  /** The last so many seconds, up to now. */
  last(seconds) {
    this.#change({ seconds, from: NaN, to: NaN });
  }

  /** A stretch that stands still; kept at `SHORTEST_S` at least. */
  fix(from, to) {
    const middle = (from + to) / 2;
    const half = Math.max(to - from, SHORTEST_S) / 2;
    this.#change({ ...this.shape, from: middle - half, to: middle + half });
  }

  /** Left and right by a part of what is shown. */
  pan(part) {
    const { from, to } = this.shown();
    const by = part * (to - from);
    if (to + by >= this.now()) this.last(this.moving ? this.seconds : to - from);
    else this.fix(from + by, to + by);
  }

  /** In and out around a moment (its middle when none is given). */
  zoom(factor, around = NaN) {
    const { from, to } = this.shown();
    const fixed = Number.isNaN(around) ? (from + to) / 2 : around;
    this.fix(fixed - (fixed - from) * factor, fixed + (to - fixed) * factor);
  }

  /** How it is told: { seconds, from, to }, the last two NaN while it moves. Comes back through `restore`. */
  told() {
    return { ...this.shape };
  }

  /** What was shown at another time, from the address. Going back is not another change to take back. */
  restore(shape) {
    if (same(shape, this.shape)) return;
    if (this.undo.length && same(this.undo.at(-1), shape)) this.undo.pop();
    else this.undo.push(this.shape);
    this.shape = shape;
    this.#tell();
  }

  /** Whether there is anything to take back. */
  get changed() {
    return this.undo.length > 0;
  }

  /** Up to now again, as wide as was chosen. */
  live() {
    if (!this.moving) this.last(this.seconds);
  }

  /** The clock's moment was moved from outside: what is shown moves with it. */
  moved() {
    this.#tell();
  }

  on(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  #change(shape) {
    if (same(shape, this.shape)) return;
    this.undo.push(this.shape);
    if (this.undo.length > MOST_UNDO) this.undo.shift();
    this.shape = shape;
    this.#tell();
  }

  #tell() {
    for (const listener of [...this.listeners]) listener(this);
  }
}

const same = (one, other) => one.seconds === other.seconds && Object.is(one.from, other.from) && Object.is(one.to, other.to);
