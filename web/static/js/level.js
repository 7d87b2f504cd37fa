// One vertical scale for pictures that are compared: each says how far it reaches, and all reach as far as the furthest.

export class Level {
  constructor() {
    this.reach = new Map();
    this.listeners = new Map();
    // Another one whenever the scale is another: what was drawn for the one before is drawn anew.
    this.mark = 0;
  }

  /** `who` reaches from `least` (0 or below) to `most` → as far as all do. */
  join(who, { most, least }) {
    this.reach.set(who, { most, least });
    return this.#all(who);
  }

  /** `who` has nothing to show: the others go by themselves. */
  leave(who) {
    if (this.reach.delete(who)) this.#all(who);
  }

  /** changed() runs when another of them changes the scale. → unsubscribe */
  on(who, changed) {
    this.listeners.set(who, changed);
    return () => {
      this.listeners.delete(who);
      this.leave(who);
    };
  }

  #all(who) {
    const all = [...this.reach.values()];
    const most = Math.max(0, ...all.map((one) => one.most));
    const least = Math.min(0, ...all.map((one) => one.least));
    if (most !== this.most || least !== this.least) {
      Object.assign(this, { most, least });
      this.mark += 1;
      for (const [other, changed] of this.listeners) if (other !== who) changed();
    }
    return { most, least };
  }
}
