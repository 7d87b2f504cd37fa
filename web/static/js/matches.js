// Which series selectors mean: asked of the server, and again when one appears that may be meant too.

import { may } from "./selector.js";

const SOON_MS = 400;
// New sources come with hundreds of series in a row of frames; that is one question.
const AGAIN_MS = 2_000;

export class Matches {
  /** ask(path) → Promise<data>; `limit` series at most are asked for. */
  constructor({ store, ask, limit }) {
    Object.assign(this, { store, ask, limit });
    this.watched = new Set();
    this.off = [store.on("series", ({ series }) => this.#appeared(series)), store.on("load", () => this.#again())];
  }

  /**
   * found({ series, more, error }) runs with the series that any of the selectors means, `more` when there are more than
   * `limit`, and whenever that changes. → stop()
   */
  watch(selectors, found) {
    const one = { selectors, found, ids: "", asked_at: -Infinity, timer: 0, series: [] };
    this.watched.add(one);
    this.#soon(one, 0);
    return () => {
      clearTimeout(one.timer);
      this.watched.delete(one);
    };
  }

  stop() {
    for (const one of this.watched) clearTimeout(one.timer);
    this.watched.clear();
    for (const off of this.off) off();
  }

  #appeared(series) {
    for (const one of this.watched) {
      const known = new Set(one.series.map(({ id }) => id));
      if (series.some((fresh) => !known.has(fresh.id) && one.selectors.some((text) => may(text, fresh)))) this.#soon(one, SOON_MS);
    }
  }

  #again() {
    for (const one of this.watched) this.#soon(one, 0);
  }

  #soon(one, wait_ms) {
    if (one.timer) return;
    one.timer = setTimeout(() => this.#look(one), Math.max(wait_ms, one.asked_at + AGAIN_MS - Date.now()));
  }

  async #look(one) {
    one.asked_at = Date.now();
    let told;
    try {
      const asked = new URLSearchParams([...one.selectors.map((text) => ["match", text]), ["limit", String(this.limit)]]);
      const { series, next } = await this.ask(`/api/realtime/series?${asked}`);
      one.series = series;
      told = { series, more: next !== null, error: "" };
    } catch (failure) {
      told = { series: [], more: false, error: failure.message };
    }
    one.timer = 0;
    if (!this.watched.has(one)) return;
    if (!told.error) this.store.apply({ type: "series", series: told.series });
    const ids = `${told.series.map(({ id }) => id)} ${told.more} ${told.error}`;
    if (ids === one.ids) return;
    one.ids = ids;
    one.found(told);
  }
}
