// The time that is shown: the last so many seconds up to now, or a stretch that stands still. One for all charts.
//
// Every change is remembered, so that a zoom can be taken back. While a playhead stands in the past, what moves goes by
// it in pages: the chart stands still, and the playhead walks over it.

import { leaf } from "./timeline.js";

const MOST_UNDO = 100;
export const SHORTEST_S = 2;
// A young recorder fills the picture with the little it has, two minutes at least, and the picture grows to what was chosen.
const YOUNGEST_S = 120;

export class Span {
  /** now() → the newest tick (epoch s); begun() → when the record begins (epoch s; NaN: not known); playhead() → NaN while live; `whole` ({ from, to } or null): all there is, where nothing is added any more. */
  constructor({ now, begun, seconds, playhead = () => NaN, whole = null }) {
    Object.assign(this, { now, begun, playhead, whole });
    this.shape = { seconds, from: NaN, to: NaN };
    this.undo = [];
    this.listeners = new Set();
  }

  get seconds() {
    return this.shape.seconds;
  }

  /** Whether it goes with the time: the right edge is now, or the playhead stands within. */
  get moving() {
    return Number.isNaN(this.shape.from);
  }

  /** Whether the right edge is now, and what comes belongs at it. */
  get growing() {
    return this.moving && Number.isNaN(this.playhead());
  }

  /** → { from, to } in epoch seconds. */
  shown() {
    const { seconds, from, to } = this.shape;
    if (!this.moving) return { from, to };
    const now = this.now();
    const first = this.begun();
    const at = this.playhead();
    if (!Number.isNaN(at)) {
      let length = YOUNGEST_S;
      while (length < seconds && length < now - first) length *= 2;
      return leaf(at, Math.min(length, seconds));
    }
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

  /** Up to now again, as wide as was chosen; or all there is. */
  live() {
    if (this.whole) this.fix(this.whole.from, this.whole.to);
    else if (!this.moving) this.last(this.seconds);
  }

  /** The playhead was moved from outside. What stands still turns its page when the playhead leaves it. */
  moved() {
    const at = this.playhead();
    const { from, to } = this.shape;
    if (!this.moving && (at < from || at > to)) this.shape = { ...this.shape, ...leaf(at, to - from) };
    const { from: shown, to: end } = this.shown();
    const mark = `${shown} ${end} ${this.growing}`;
    if (mark === this.mark) return;
    this.mark = mark;
    this.#tell(true);
  }

  /** on(fn(span, turned)) → unsubscribe; `turned`: the playhead did it, and it is no place to go back to. */
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

  #tell(turned = false) {
    for (const listener of [...this.listeners]) listener(this, turned);
  }
}

const same = (one, other) => one.seconds === other.seconds && Object.is(one.from, other.from) && Object.is(one.to, other.to);
