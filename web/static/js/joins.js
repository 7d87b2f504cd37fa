// How several series become one figure, and what is said of it.

import { t } from "./words.js";

export const JOINS = {
  max: { words: (n) => t("highest of {n}", { n }), join: over((most, value) => Math.max(most, value)) },
  min: { words: (n) => t("lowest of {n}", { n }), join: over((least, value) => Math.min(least, value)) },
  sum: { words: (n) => t("sum of {n}", { n }), join: over((sum, value) => sum + value) },
};

/** Of those that said anything; NaN when none did. */
function over(two) {
  return (values) => values.reduce((all, value) => (Number.isNaN(value) ? all : Number.isNaN(all) ? value : two(all, value)), NaN);
}
