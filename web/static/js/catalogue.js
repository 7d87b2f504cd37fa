// Which series there are, of a source with what they said last, or of everybody: asked of the server once, kept up by frames after that.

import { first, micro, seconds } from "./wire.js";

// Series that one question gives: few enough that taking them in holds up nobody.
const PAGE = 2_000;
// Series of everybody that are asked for at all; when there are more, `cut` says so, and whoever shows them has to.
export const MOST = 50_000;
const ALL = "";

export class Catalogue {
  /** ask(path) → Promise<data>. */
  constructor({ store, ask }) {
    Object.assign(this, { store, ask });
    this.epoch = "";
    this.asked = new Map();
    this.cut = false;
    this.held = false;
  }

  /** Resolves when every series of the source is in the store. */
  of(source) {
    this.#renew();
    return source === this.store.view.source ? Promise.resolve() : this.#once(source, () => this.#load(source));
  }

  /** Whether the series of every source are in the store, or as many as come in at all. */
  get whole() {
    return this.held && this.epoch === this.store.view.epoch;
  }

  /** Resolves when the series of every source are in the store, `MOST` at most; progress(n) tells how many have come. */
  all(progress = () => {}) {
    this.#renew();
    return this.#once(ALL, () => this.#leaf(progress));
  }

  /** Resolves when every series of these names, of whichever source, is in the store with what it said last. */
  named(names) {
    this.#renew();
    return names.length ? this.#once(`\n${names.join("\n")}`, () => this.#listed(names)) : Promise.resolve();
  }

  /** → Promise<{ series, metrics }>: the series of these names that had been named by `at` (epoch s), and what they had said last by then. */
  async stood(names, at) {
    const { epoch } = this.store.view;
    const found = [];
    if (names.length) await this.#pages(names, { as_of: micro(at) }, () => this.store.view.epoch === epoch, (series) => found.push(...series));
    return { series: found, metrics: newest(found) };
  }

  #renew() {
    const { epoch } = this.store.view;
    if (epoch === this.epoch) return;
    // Another log: what was asked of the one before says nothing of it.
    this.epoch = epoch;
    this.asked.clear();
    this.cut = this.held = false;
  }

  #once(key, load) {
    let asking = this.asked.get(key);
    if (asking === undefined) {
      asking = load().catch((failure) => {
        if (this.asked.get(key) === asking) this.asked.delete(key);
        throw failure;
      });
      this.asked.set(key, asking);
    }
    return asking;
  }

  async #load(source) {
    // A first paint of that source: its series, and what each said last.
    const data = await this.ask(`/api/realtime/dashboard/live?${new URLSearchParams({ source, hours: "0.01" })}`);
    const { series, metrics } = first(data);
    // Without the answer's own place in the log: the page's is where its frames are.
    this.store.apply({ type: "known", series, metrics });
  }

  /** Everybody's. */
  async #leaf(progress) {
    const known = await this.#listed([], progress);
    if (known === null) return;
    this.cut = known >= MOST;
    this.held = true;
  }

  /** Into the store, what any selector means, or everything without one → how many came; null: the log was replaced meanwhile. */
  #listed(selectors, progress = () => {}) {
    const { epoch } = this;
    return this.#pages(selectors, {}, () => this.epoch === epoch, (series, known) => {
      this.store.apply({ type: "known", series, metrics: newest(series) });
      progress(known);
    });
  }

  /** Page after page, as long as it is `wanted()` → how many came, null if it no longer is. */
  async #pages(selectors, asked, wanted, take) {
    const query = new URLSearchParams({ limit: String(PAGE), ...asked });
    for (const selector of selectors) query.append("match", selector);
    let known = 0;
    for (let after = 0; after !== null && known < MOST;) {
      query.set("after", String(after));
      const { series, next } = await this.ask(`/api/realtime/series?${query}`);
      if (!wanted()) return null;
      known += series.length;
      take(series, known);
      after = next;
    }
    return known;
  }
}

function newest(series) {
  return series.filter(({ last_seen }) => last_seen).map(({ id, last_seen, last_value }) => ({ id, value: last_value, at: seconds(last_seen) }));
}
