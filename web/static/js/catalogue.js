// Which series there are of a source, and what they said last: asked of the server once, kept up by frames after that.

import { first } from "./wire.js";

export class Catalogue {
  /** ask(path) → Promise<data>. */
  constructor({ store, ask }) {
    Object.assign(this, { store, ask });
    this.epoch = "";
    this.asked = new Map();
  }

  /** Resolves when every series of the source is in the store. */
  of(source) {
    const { epoch } = this.store.view;
    if (epoch !== this.epoch) {
      // Another log: what was asked of the one before says nothing of it.
      this.epoch = epoch;
      this.asked.clear();
    }
    if (source === this.store.view.source) return Promise.resolve();
    let asking = this.asked.get(source);
    if (asking === undefined) {
      asking = this.#load(source).catch((failure) => {
        this.asked.delete(source);
        throw failure;
      });
      this.asked.set(source, asking);
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
}
