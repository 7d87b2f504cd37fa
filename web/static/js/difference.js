// How far one figure lies from another, in words that help to decide.

import { figures } from "./format.js";
import { t } from "./words.js";

// So many times as much is said as a factor, and no longer in percent.
const TIMES = 10;

/**
 * `a` against `b`, where `tell(value, largest)` → { number, unit } as the figure is written, on the scale of the largest. A share differs by points, everything else
 * also by a part of what it was. → { sign: "more" | "less" | "same" | "none", words }
 */
export function difference(a, b, tell) {
  if (Number.isNaN(a) || Number.isNaN(b)) return { sign: "none", words: t("nothing to compare") };
  const [one, other] = [tell(a), tell(b)];
  // Who reads the same twice is not told that they differ.
  if (one.number === other.number && one.unit === other.unit) return { sign: "same", words: t("no difference") };
  // Who reads two figures in one unit is not left to convert what lies between them.
  const size = Math.abs(a - b);
  const { number, unit } = tell(size, one.unit === other.unit ? Math.max(Math.abs(a), Math.abs(b)) : size);
  const sign = a > b ? "more" : "less";
  const mark = a > b ? "+" : "\u2212";
  if (unit === "%") return { sign, words: t("{n} points", { n: `${mark}${number}` }) };
  const by = `${mark}${number}${unit ? ` ${unit}` : ""}`;
  return { sign, words: a * b > 0 ? `${by} · ${part(a / b)}` : by };
}

function part(times) {
  if (times >= TIMES) return `${figures(times)}×`;
  const percent = Math.round((times - 1) * 100);
  return `${percent < 0 ? "\u2212" : "+"}${Math.abs(percent)} %`;
}
