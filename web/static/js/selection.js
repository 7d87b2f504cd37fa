// Series that were chosen, and what is asked of them: as selectors, as an address, as a command. Pure.

import { perSecond } from "./plan.js";

// Series at a time: as many as can be told apart.
export const MOST = 12;
export const FUNCTIONS = ["", "last", "avg", "min", "max", "sum", "count", "rate", "increase"];
const BETWEEN = "\n";

/** The selector that means one series of one source. */
export function selector({ series, source }) {
  const named = `source=${quoted(source)}`;
  return series.endsWith("}") ? `${series.slice(0, -1)},${named}}` : `${series}{${named}}`;
}

const quoted = (text) => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;

/** As the address has them: one a line. A newline in a selector is written as \n, so none can be mistaken. */
export const joined = (selectors) => selectors.slice(0, MOST).join(BETWEEN);
export const parted = (text) => [...new Set(text.split(BETWEEN).map((one) => one.trim()).filter(Boolean))].slice(0, MOST);

/** What the numbers are in once `fn` was taken of them. */
export function unitOf({ unit }, fn) {
  if (fn === "count") return "";
  return fn === "rate" ? perSecond(unit) : unit;
}

/** The question as `query` takes it. `from`, `to`: texts. */
export function question(selectors, { from, to, fn, step, points }) {
  const asked = new URLSearchParams();
  for (const one of selectors) asked.append("series", one);
  asked.set("from", from);
  asked.set("to", to);
  if (fn) asked.set("fn", fn);
  if (step) asked.set("step", step);
  if (!step) asked.set("points", String(points));
  return asked;
}

/** The same as a line for a shell; every argument is quoted so that nothing in it is taken for anything else. */
export function command(origin, asked, accept = "") {
  const shell = (text) => (/^[\w./:=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  const parts = [`curl -G ${shell(`${origin}/api/realtime/query`)}`];
  if (accept) parts.push(`-H ${shell(`Accept: ${accept}`)}`);
  for (const [name, value] of asked) parts.push(`--data-urlencode ${shell(`${name}=${value}`)}`);
  return parts.join(" \\\n  ");
}

// A reading stands until the next, unless that is later than this many of its usual distances.
const LATE = 3;

/**
 * Columns as `query` gives them → one time axis for all: { at, held, exact }, columns of NaN where nothing is known. `exact` are the
 * readings where they were read; `held` carries each on until the next, so that a line is a line beside series read at other moments.
 */
export function aligned(series) {
  const stands = series.map(({ at }) => LATE * middle(at));
  const moments = new Set();
  series.forEach(({ at }, k) => at.forEach((one, i) => {
    moments.add(one);
    // Where a silence begins the line ends.
    if (i + 1 < at.length && at[i + 1] - one > stands[k]) moments.add(one + stands[k]);
  }));
  const axis = Float64Array.from(moments).sort();
  const exact = series.map(() => new Float64Array(axis.length).fill(NaN));
  const held = series.map(() => new Float64Array(axis.length).fill(NaN));
  series.forEach(({ at, value }, k) => {
    let i = -1;
    for (let row = 0; row < axis.length; row += 1) {
      while (i + 1 < at.length && at[i + 1] <= axis[row]) i += 1;
      if (i < 0) continue;
      if (at[i] === axis[row]) exact[k][row] = value[i] ?? NaN;
      const ended = i + 1 === at.length ? axis[row] > at[i] : axis[row] - at[i] >= stands[k];
      if (at[i] === axis[row] || !ended) held[k][row] = value[i] ?? NaN;
    }
  });
  return { at: axis, held, exact };
}

function middle(at) {
  if (at.length < 2) return Infinity;
  const steps = at.slice(1).map((one, i) => one - at[i]).sort((a, b) => a - b);
  return steps[steps.length >> 1];
}
