// The bar below the page, without the bar: which stretch it shows, where a moment stands in it, what lies under a finger,
// and which moment comes next. Pure, as the server's `pacing` is: now is an argument. All times are epoch seconds.

export const SHORTEST_S = 60;
export const LONGEST_S = 366 * 86_400;
const DEFAULT_S = 86_400;
// What is shown of a tape that is younger than this (seconds).
const YOUNGEST_S = 900;
// What has not happened yet takes this part of the bar, so that its end can be reached.
const AHEAD = 0.01;

/** How fast it may play; "max" is as fast as the server reads. */
export const SPEEDS = [0.25, 0.5, 1, 2, 5, 10, 30, 60, 100, 300, 1000, "max"];

/** The next faster (or slower) one. */
export function faster(speed, by = 1) {
  const k = SPEEDS.indexOf(speed);
  return SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, (k < 0 ? SPEEDS.indexOf(1) : k) + by))];
}

/** A speed as the address has it; 1 for what is none. */
export const speedOf = (text) => SPEEDS.find((one) => String(one) === text) ?? 1;

export const speedName = (speed) => (speed === "max" ? "max" : `${String(speed).replace(/^0/, "")}×`);

/** The first look: the last day, or all there is if that is less. `begins` is NaN where nothing is known. */
export function whole(begins, now, most = DEFAULT_S) {
  const wanted = Number.isNaN(begins) ? YOUNGEST_S : Math.max(YOUNGEST_S, now - begins);
  const length = Math.min(most, wanted);
  return fit({ from: now - length * (1 - AHEAD), to: now + length * AHEAD }, begins, now);
}

/** A stretch that can be shown: no shorter than a minute, no longer than a year, and not beyond the ends of the tape. */
export function fit({ from, to }, begins, now) {
  const tape = Math.max(YOUNGEST_S, now - (Number.isNaN(begins) ? now : begins));
  const most = Math.min(LONGEST_S, tape * (1 + AHEAD));
  const length = Math.min(Math.max(to - from, SHORTEST_S), Math.max(most, SHORTEST_S));
  const last = now + length * AHEAD;
  let end = Math.min(from + (to - from + length) / 2, last);
  if (end - length < now - tape) end = Math.min(last, now - tape + length);
  return { from: end - length, to: end };
}

/** Closer (factor below 1) or further away, with one moment kept where it stands. */
export function zoom({ from, to }, factor, around, begins, now) {
  const length = Math.min(Math.max((to - from) * factor, SHORTEST_S), LONGEST_S);
  const part = (around - from) / (to - from);
  return fit({ from: around - part * length, to: around + (1 - part) * length }, begins, now);
}

export function pan({ from, to }, by_s, begins, now) {
  return fit({ from: from + by_s, to: to + by_s }, begins, now);
}

/** Whether the end of the tape is in it: it then moves on with the time. */
export const follows = ({ from, to }, now) => to >= now && from <= now;

/** A stretch of the same length in which `at` stands; the very same if it does already. */
export function reach(shown, at, begins, now) {
  if (at >= shown.from && at <= shown.to) return shown;
  const length = shown.to - shown.from;
  return fit({ from: at - length / 2, to: at + length / 2 }, begins, now);
}

/** Moment → pixel. */
export const place = ({ from, to }, width, at) => ((at - from) / (to - from)) * width;

/** Pixel → moment, within what can be watched. */
export function moment({ from, to }, width, x, begins, now) {
  const at = from + (x / width) * (to - from);
  return Math.min(now, Math.max(Number.isNaN(begins) ? -Infinity : begins, at));
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 1_209_600];
// Beyond two weeks people count in months.
const MONTHS = [1, 2, 3, 6, 12];
const SHORT_MONTH_S = 28 * 86_400;
const MONTH_S = 2_629_746;

/** Where labels stand: { step, at: […] }, no nearer to each other than `apart` pixels, on round times of a zone `offset_s` east of UTC. */
export function grid({ from, to }, width, apart, offset_s = 0) {
  const least = ((to - from) / width) * apart;
  const at = [];
  const step = STEPS.find((one) => one >= least);
  if (step === undefined) {
    const months = MONTHS.find((one) => one * SHORT_MONTH_S >= least) ?? MONTHS.at(-1);
    const begin = new Date((from + offset_s) * 1000);
    const first = (k) => Date.UTC(begin.getUTCFullYear(), k) / 1000 - offset_s;
    for (let k = Math.floor(begin.getUTCMonth() / months) * months; first(k) <= to; k += months) if (first(k) >= from) at.push(first(k));
    return { step: months * MONTH_S, at };
  }
  for (let one = Math.ceil((from + offset_s) / step) * step - offset_s; one <= to; one += step) at.push(one);
  return { step, at };
}

/** What lies within `near` pixels of `x`, the nearest first in doubt: a mark ({ since, until? }) or null. Spans are hit anywhere in them. */
export function hit(shown, width, marks, x, near) {
  let found = null;
  let least = near;
  for (const one of marks) {
    const [a, b] = [place(shown, width, one.since), place(shown, width, one.until ?? one.since)];
    const away = x < a ? a - x : x > b ? x - b : one.until ? near / 2 : 0;
    if (away <= least) [found, least] = [one, away];
  }
  return found;
}

/** The nearest of `moments` after `at` (direction 1) or before it (-1); NaN where there is none. A moment one stands on is not "next". */
export function next(moments, at, direction) {
  let found = NaN;
  for (const one of moments) {
    const away = (one - at) * direction;
    if (away > 0.001 && !(away >= (found - at) * direction)) found = one;
  }
  return found;
}

/** The bar as the address has it, NaN where it is not said. */
export const told = (from, to) => ({ from: Date.parse(from) / 1000, to: Date.parse(to) / 1000 });

/**
 * The stretch that charts show around a playhead, in pages: the same for everybody who watches that moment, and still
 * while the playhead moves within the middle half of it.
 */
export function leaf(at, seconds) {
  const from = Math.floor(at / (seconds / 2)) * (seconds / 2) - seconds / 4;
  return { from, to: from + seconds };
}

/** The last row at or before `at`; -1 where there is none. `times` rise. */
export function row(times, at) {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= at + 0.0005) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
