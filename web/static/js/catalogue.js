// Which series there are of a source: asked of the server once, kept up by the `series` frames after that.

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
    const { series } = await this.ask(`/api/realtime/series?${new URLSearchParams({ match: `{source=${JSON.stringify(source)}}` })}`);
    this.store.apply({ type: "series", series });
  }
}
