// How often the page takes in what comes. Readings may wait and come in together; a fact never waits, and what came before it goes
// before it: the store takes seqs in order.

const MOST = 1_000;

export class Pace {
  /** apply(message): the store's. every_ms: 0 takes everything in as it comes. */
  constructor({ apply, every_ms = 0 }) {
    Object.assign(this, { apply, every_ms });
    this.waiting = [];
    this.timer = 0;
  }

  /** A new pace holds from now on, and nothing waits for the old one. */
  set(every_ms) {
    this.every_ms = every_ms;
    this.flush();
  }

  take(message) {
    if (message.type === "metrics" && this.every_ms > 0) {
      this.waiting.push(message);
      if (this.waiting.length >= MOST) this.flush();
      // On the clock's own multiples: all that moves moves at once, on every screen.
      else this.timer ||= setTimeout(() => this.flush(), this.every_ms - (Date.now() % this.every_ms));
      return;
    }
    this.flush();
    this.apply(message);
  }

  flush() {
    clearTimeout(this.timer);
    this.timer = 0;
    for (const message of this.waiting.splice(0)) this.apply(message);
  }
}
