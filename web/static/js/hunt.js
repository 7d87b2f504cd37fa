// Looking through many series without holding up the page: some at a time, and what is typed next ends what was asked before.

import { Best, fits, words } from "./fuzzy.js";

const SLICE_MS = 3;
// Series looked at between two looks at the clock.
const ROUND = 25;
// Values of a label that are told apart; what has more is no choice to be offered.
const VALUES = 200;

export class Hunt {
  /** `store` has the series; now() → ms, later(run) → cancel: the page's own, unless a test has others. */
  constructor(store, { now = () => performance.now(), later = after } = {}) {
    Object.assign(this, { store, now, later });
    this.all = [];
    this.texts = [];
    this.epoch = "";
    this.stop = () => {};
  }

  /**
   * Looks for `typed` among the series that all of `where` ([key, value]; `source` and `name` are keys, too) hold of.
   * tell({ best: [series], found, facets, done }) is called after each slice, the last time with `done`. Facets, where they
   * are asked for, are Map(key → Map(value → how many)). The hunt before is over.
   */
  go(typed, { where = [], most = 8, facets = false }, tell) {
    this.stop();
    this.#renew();
    const wanted = words(typed);
    const best = new Best(most);
    const counts = new Map();
    const { all, texts } = this;
    let k = 0;
    let found = 0;
    let cancel = () => {};
    const run = () => {
      const end = this.now() + SLICE_MS;
      // One round at least: a machine that is busy elsewhere must not stop the hunt.
      do {
        for (const beyond = Math.min(all.length, k + ROUND); k < beyond; k += 1) {
          const one = all[k];
          if (!where.every(([key, value]) => held(one, key) === value)) continue;
          const text = (texts[k] ??= `${one.series} ${one.source}`.toLowerCase());
          const score = wanted.length ? fits(text, wanted) : 1;
          if (score === 0) continue;
          found += 1;
          best.put(score, one);
          if (facets) count(counts, one);
        }
      } while (k < all.length && this.now() < end);
      const done = k >= all.length;
      if (!done) cancel = this.later(run);
      tell({ best: best.all.map(({ item }) => item), found, facets: counts, done });
    };
    this.stop = () => cancel();
    run();
  }

  /** Series never go and never change: only what has come since is added. */
  #renew() {
    const { epoch, series } = this.store.view;
    if (epoch !== this.epoch || series.size < this.all.length) Object.assign(this, { epoch, all: [], texts: [] });
    if (series.size === this.all.length) return;
    this.all = [...series.values()];
  }
}

const held = (one, key) => (key === "source" ? one.source : key === "name" ? one.name : one.labels[key]);

function count(counts, one) {
  add(counts, "source", one.source);
  add(counts, "name", one.name);
  for (const key in one.labels) add(counts, key, one.labels[key]);
}

function add(counts, key, value) {
  let values = counts.get(key);
  if (values === undefined) counts.set(key, (values = new Map()));
  const before = values.get(value);
  if (before === undefined && values.size >= VALUES) return;
  values.set(value, (before ?? 0) + 1);
}

function after(run) {
  const timer = setTimeout(run, 0);
  return () => clearTimeout(timer);
}
