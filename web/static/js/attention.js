// Is anybody looking? A page that is hidden, frozen or put away rests, and is itself again with its reader.

// Whoever only looks something up in the next tab finds the page as it was.
const GRACE_MS = 10_000;

export class Attention {
  /** rest() and wake() are called in turn. `page` is the document, `frame` its window. */
  constructor({ page, frame, rest, wake }) {
    Object.assign(this, { page, rest, wake, resting: false, timer: 0 });
    page.addEventListener("visibilitychange", () => this.#look());
    // A page in the back/forward cache, or frozen, may hold no socket; nor should one that is closed leave any behind.
    page.addEventListener("freeze", () => this.#sleep());
    page.addEventListener("resume", () => this.#look());
    frame.addEventListener("pagehide", () => this.#sleep());
    frame.addEventListener("pageshow", () => this.#look());
    this.#look();
  }

  #look() {
    clearTimeout(this.timer);
    if (this.page.hidden) {
      this.timer = setTimeout(() => this.#sleep(), GRACE_MS);
    } else if (this.resting) {
      this.resting = false;
      this.wake();
    }
  }

  #sleep() {
    clearTimeout(this.timer);
    if (this.resting) return;
    this.resting = true;
    this.rest();
  }
}
