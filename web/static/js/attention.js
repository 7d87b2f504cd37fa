// Is anybody looking? A page that is hidden listens only for what matters; one that is frozen or put away rests; each is itself
// again with its reader.

// Whoever only looks something up in the next tab finds the page as it was.
const GRACE_MS = 10_000;

export class Attention {
  /** here(), away() and asleep() are called as it changes, and it begins with `here`. `page` is the document, `frame` its window. */
  constructor({ page, frame, here, away, asleep }) {
    Object.assign(this, { page, turns: { here, away, asleep }, state: "here", timer: 0 });
    page.addEventListener("visibilitychange", () => this.#look());
    // A page in the back/forward cache, or frozen, may hold no socket; nor should one that is closed leave any behind.
    page.addEventListener("freeze", () => this.#turn("asleep"));
    page.addEventListener("resume", () => this.#look());
    frame.addEventListener("pagehide", () => this.#turn("asleep"));
    frame.addEventListener("pageshow", () => this.#look());
    this.#look();
  }

  #look() {
    clearTimeout(this.timer);
    if (this.page.hidden) this.timer = setTimeout(() => this.#turn("away"), GRACE_MS);
    else this.#turn("here");
  }

  #turn(to) {
    clearTimeout(this.timer);
    if (this.state === to) return;
    this.state = to;
    this.turns[to]();
  }
}
