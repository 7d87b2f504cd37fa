// Panels moved and resized by pointer and by keyboard. The grid is worked out from where it was when the panel was taken up, so
// that what gave way comes back when it is let free again.

import { bottom, moved, nudged, resized } from "./grid.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const EDGE_PX = 60;
const SCROLL_PX = 14;

/**
 * `grid` is the element with the slots; `pitch()` → { x, y }, pixels from one column and row to the next.
 *   panels() → those that stand now     show(panels): they are being moved     done(panels): they stand
 *   tell(what, panel): "taken", "moved", "placed", "back", for whoever cannot see it
 */
export class Arranger {
  constructor(grid, { pitch, panels, show, done, tell }) {
    Object.assign(this, { grid, pitch, panels, show, done, tell });
    this.hold = null;
  }

  /** Makes `handle` move the panel, and `corner` resize it. */
  bind(key, handle, corner) {
    handle.addEventListener("pointerdown", (event) => this.#drag(event, key, handle, moved, ({ x, y }, dx, dy) => ({ x: x + dx, y: y + dy })));
    corner.addEventListener("pointerdown", (event) => this.#drag(event, key, corner, resized, ({ w, h }, dx, dy) => ({ w: w + dx, h: h + dy })));
    handle.addEventListener("keydown", (event) => this.#press(event, key, handle));
    handle.addEventListener("blur", () => this.hold?.by === handle && this.#place());
  }

  /** Puts down what is held, where it is. */
  settle() {
    if (this.hold) this.#place();
  }

  #take(key, by) {
    const start = this.panels();
    const { x, y } = start.find((one) => one.key === key);
    this.hold = { key, by, start, first: start, now: start, wish: { x, y } };
    by.setAttribute("aria-pressed", "true");
    by.closest(".slot").classList.add("held");
  }

  #free() {
    const { by } = this.hold;
    by.setAttribute("aria-pressed", "false");
    by.closest(".slot").classList.remove("held");
    this.hold = null;
  }

  #place() {
    const { now, key } = this.hold;
    this.#free();
    this.done(now);
    this.tell("placed", now.find((one) => one.key === key));
  }

  #back() {
    const { first, key } = this.hold;
    this.#free();
    this.done(first);
    this.tell("back", first.find((one) => one.key === key));
  }

  #drag(event, key, by, change, goal) {
    if (event.button !== 0) return;
    event.preventDefault();
    this.settle();
    by.focus({ preventScroll: true });
    this.#take(key, by);
    by.setPointerCapture(event.pointerId);
    const { hold } = this;
    const panel = hold.start.find((one) => one.key === key);
    const [from_x, from_y] = [event.pageX, event.pageY];
    const step = this.pitch();
    const follow = (there) => {
      if (this.hold !== hold) return;
      if (there.clientY > innerHeight - EDGE_PX) scrollBy(0, SCROLL_PX);
      else if (there.clientY < EDGE_PX * 2) scrollBy(0, -SCROLL_PX);
      const wish = goal(panel, Math.round((there.pageX - from_x) / step.x), Math.round((there.pageY - from_y) / step.y));
      // Below everything there is nothing to stand on.
      if (wish.y > bottom(hold.start)) wish.y = bottom(hold.start);
      hold.now = change(hold.start, key, wish);
      this.show(hold.now);
    };
    const end = (what) => {
      for (const [name, listener] of listeners) by.removeEventListener(name, listener);
      if (this.hold === hold) what();
    };
    const listeners = [["pointermove", follow], ["pointerup", () => end(() => this.#place())], ["pointercancel", () => end(() => this.#back())]];
    for (const [name, listener] of listeners) by.addEventListener(name, listener);
  }

  #press(event, key, by) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key];
    const held = this.hold?.key === key;
    if (arrow) {
      if (!held) this.#take(key, by);
      this.#step(key, arrow, event.shiftKey);
    } else if (event.key === "Enter" || event.key === " ") {
      if (held) this.#place();
      else {
        this.#take(key, by);
        this.tell("taken", this.hold.now.find((one) => one.key === key));
      }
    } else if (event.key === "Escape" && held) {
      this.#back();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  #step(key, [dx, dy], sizing) {
    const { hold } = this;
    if (sizing) {
      const { w, h } = hold.now.find((one) => one.key === key);
      hold.now = resized(hold.now, key, { w: w + dx, h: h + dy });
      const { x, y } = hold.now.find((one) => one.key === key);
      Object.assign(hold, { start: hold.now, wish: { x, y } });
    } else {
      const { panels, wish } = nudged(hold.start, key, hold.wish, { dx, dy });
      Object.assign(hold, { now: panels, wish });
    }
    this.show(hold.now);
    this.tell("moved", hold.now.find((one) => one.key === key));
  }
}
