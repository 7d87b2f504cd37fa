// Numbers for people. Stored in base units, scaled here and nowhere else; every text keeps its width with tabular figures.

import { t } from "./words.js";

const SIZES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const RATES = ["B/s", "kB/s", "MB/s", "GB/s", "TB/s"];

// Units as collectors and applications write them → how they are shown.
const FAMILIES = {
  ratio: "ratio", percent: "percent", "%": "percent",
  bytes: "bytes", By: "bytes", bytes_per_second: "rate", "By/s": "rate",
  seconds: "seconds", s: "seconds", per_second: "per_s", ms: "milliseconds", milliseconds: "milliseconds",
  requests_per_second: "per_second", celsius: "celsius", hertz: "hertz",
};
const SUFFIX = { percent: "%", milliseconds: "ms", per_second: "req/s", per_s: "/s", celsius: "°C" };

/**
 * One scale for all numbers of one axis, chosen by the largest.
 * → { factor, suffix, base }: shown = value × factor; `base` is what "round" steps are made of (1024 for sizes).
 */
export function scale(unit, largest) {
  const family = FAMILIES[unit];
  const size = Math.abs(largest) || 0;
  if (family === "ratio") return { factor: 100, suffix: "%" };
  if (family === "bytes") return step(SIZES, 1024, size);
  if (family === "rate") return step(RATES, 1000, Math.max(size, 1000));
  if (family === "hertz") return step(["Hz", "kHz", "MHz", "GHz"], 1000, size);
  if (family === "seconds") {
    if (size < 0.001 && size > 0) return { factor: 1e6, suffix: "µs" };
    if (size < 1) return { factor: 1e3, suffix: "ms" };
    return { factor: 1, suffix: "s" };
  }
  return { factor: 1, suffix: SUFFIX[family] ?? "" };
}

function step(names, base, size) {
  let k = 0;
  while (k < names.length - 1 && size >= base ** (k + 1)) k += 1;
  return { factor: 1 / base ** k, suffix: names[k] };
}

/** How a unit that is not scaled is written: percent → %, milliseconds → ms. */
export const suffix = (unit) => SUFFIX[FAMILIES[unit]] ?? unit;

/** Three figures or so: 83.4, 5.31, 1,204, 0.02; never more than asked for. */
export function figures(number, most = 3) {
  if (!Number.isFinite(number)) return "–";
  const size = Math.abs(number);
  const whole = size >= 1 ? Math.floor(Math.log10(size)) + 1 : 1;
  const digits = size === 0 ? 0 : Math.max(0, most - whole);
  return fixed(number, Math.min(digits, 2));
}

/** So many decimal places, two at most. */
export const fixed = (number, digits) => decimals[digits].format(number);

/** A number of things: 1,204; never rounded. */
export const count = (number) => fixed(number, 0);

/** A value with its unit, as two texts; scaled as the `largest` beside it is. */
export function measured(unit, value, largest = value) {
  if (value === undefined || value === null || Number.isNaN(value)) return { number: "–", unit: "" };
  const { factor, suffix } = scale(unit, largest);
  const shown = value * factor;
  return { number: suffix === "%" ? percent(shown) : figures(shown), unit: suffix };
}

/** Percentages share one width: 0.02, 5.3, 83.4, 100. */
export function percent(value) {
  if (!Number.isFinite(value)) return "–";
  if (value !== 0 && Math.abs(value) < 0.1) return fixed(value, 2);
  return fixed(value, value >= 99.95 ? 0 : 1);
}

export function text(unit, value) {
  const { number, unit: suffix } = measured(unit, value);
  return suffix ? `${number} ${suffix}` : number;
}

/** Seconds → their largest part alone, where room is short: 12 d, 3 min, 40 s. */
export const span = (seconds) => duration(seconds).split(" ").slice(0, 2).join(" ");

const SPANS = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];

/** Seconds → the two largest parts: 12 d 4 h, 3 min 20 s, 40 s. */
export function duration(seconds) {
  let left = Math.max(0, Math.floor(seconds));
  const parts = [];
  for (const [name, size] of SPANS) {
    const count = Math.floor(left / size);
    if (count === 0 && parts.length === 0 && size > 1) continue;
    if (count > 0 || parts.length === 0) parts.push(`${count} ${name}`);
    left -= count * size;
    if (parts.length === 2 || size === 1) break;
    if (parts.length === 1 && Math.floor(left / (SPANS[SPANS.findIndex(([n]) => n === name) + 1]?.[1] ?? 1)) === 0) break;
  }
  return parts.join(" ");
}

/** Seconds ago, beside others that count. */
export const back = (seconds) => t("{time} ago", { time: span(seconds) });

/** Seconds ago, coarsely, so that the text does not change every second. */
export function ago(seconds) {
  if (seconds < 10) return t("just now");
  return t("{time} ago", { time: seconds < 60 ? `${10 * Math.floor(seconds / 10)} s` : span(seconds) });
}

// One way to write numbers, and one zone, for all of the page; "" is the browser's own zone.
let decimals = [];
let locale = "";
let zone = "";
let dates = {};

// Where a language alone leaves it open: days before months, and 24 hours.
const DATES = { en: "en-GB" };

/** Numbers and dates are written as readers of this language write them from now on: a BCP 47 tag. */
export function writeFor(language) {
  // Made once: a formatter costs a hundred times what it is asked to do.
  decimals = [0, 1, 2].map((digits) => new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  locale = DATES[language] ?? language;
  tellTimesIn(zone);
}

/** Times are told in this zone from now on: an IANA name, or "" for the browser's own. Throws RangeError for what is none. */
export function tellTimesIn(name) {
  const made = (options) => new Intl.DateTimeFormat(locale, { ...options, timeZone: name || undefined });
  dates = {
    clock: made({ hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false }),
    minute: made({ hour: "2-digit", minute: "2-digit", hour12: false }),
    day: made({ day: "numeric", month: "short" }),
    date: made({ weekday: "short", day: "numeric", month: "short", year: "numeric" }),
    zone: made({ timeZoneName: "short" }),
    parts: made({ year: "numeric", month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false }),
  };
  zone = name;
}
writeFor("en");

export const timeZone = () => zone;
/** Seconds that the zone is east of UTC at a moment. */
export function zoneOffset(at) {
  const part = Object.fromEntries(dates.parts.formatToParts(at * 1000).map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(part.year, part.month - 1, part.day, part.hour % 24, part.minute, part.second) / 1000 - Math.floor(at);
}
export const zoneName = (at) => dates.zone.formatToParts(at * 1000).find(({ type }) => type === "timeZoneName").value;
export const clock = (at) => dates.clock.format(at * 1000);
export const minute = (at) => dates.minute.format(at * 1000);
export const day = (at) => dates.day.format(at * 1000);
export const date = (at) => dates.date.format(at * 1000);

/** A moment, or from one to another (`until` is NaN where it is a moment). */
export const stretch = ({ since, until }) => `${day(since)} ${clock(since)}${Number.isNaN(until) ? "" : ` · ${duration(until - since)}`}`;

/** A label of a time axis whose labels stand `step_s` apart and that shows `span_s`. */
export const times = (at, step_s, span_s) => (step_s < 60 ? clock(at) : step_s < 86_400 && span_s <= 172_800 ? minute(at) : step_s < 86_400 ? `${day(at)} ${minute(at)}` : day(at));

/** The round number at or above `value` whose quarter is round too: grid lines people can read. */
export function ceiling(value, base = 10) {
  if (!(value > 0)) return 1;
  const quarter = value / 4;
  const magnitude = base ** Math.floor(Math.log(quarter) / Math.log(base));
  const steps = base === 2 ? [1, 1.5, 2] : [1, 1.5, 2, 2.5, 5, 10];
  const found = steps.find((one) => one * magnitude >= quarter * (1 - 1e-9)) ?? base;
  return 4 * found * magnitude;
}
