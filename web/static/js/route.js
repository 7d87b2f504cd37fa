// What is shown stands in the address: a link is a view, and Back goes back. Nothing else knows how it is spelled.

import { seconds } from "./wire.js";

// Parameters that belong to one view leave with it; these stay.
const LASTING = ["range", "from", "to", "at", "speed", "play", "against", "replay", "road", "tz", "lang", "wall", "rotate", "round", "night"];

// So many digits are seconds since 1970; fewer a year.
const EPOCH = /^\d{9,10}(\.\d+)?$/;

/** A moment as it stands in an address → epoch s: RFC 3339 with any offset, or epoch seconds as scripts have them. NaN for what is none. */
export function moment(text) {
  if (EPOCH.test(text)) return Number(text);
  return text.endsWith("Z") && !Number.isNaN(Date.parse(text)) ? seconds(text) : Date.parse(text) / 1000;
}

export class Route {
  /** `frame` is the window: its location, its history, its events. */
  constructor(frame) {
    this.frame = frame;
    this.listeners = new Set();
    this.asked = new URLSearchParams(frame.location.search);
    frame.addEventListener("popstate", () => this.#turn());
    frame.document.addEventListener("click", (event) => this.#click(event));
  }

  /** A parameter of the address; "" where it does not stand. */
  get(name) {
    return this.asked.get(name) ?? "";
  }

  /** The address of this page with some parameters changed: "" or null takes one out. A change of view drops what only the old one meant. */
  href(changes) {
    const asked = new URLSearchParams(this.asked);
    if (changes.view !== undefined && changes.view !== this.get("view")) {
      for (const name of [...asked.keys()]) if (!LASTING.includes(name)) asked.delete(name);
    }
    for (const [name, value] of Object.entries(changes)) {
      if (value === "" || value === null) asked.delete(name);
      else asked.set(name, String(value));
    }
    const text = asked.toString();
    return this.frame.location.pathname + (text ? `?${text}` : "");
  }

  /** Goes there; `quietly` replaces the entry of the history instead of adding one: what is typed is no place to go back to. */
  go(changes, quietly = false) {
    this.visit(this.href(changes), quietly);
  }

  visit(href, quietly = false) {
    if (href === this.frame.location.pathname + this.frame.location.search) return;
    if (quietly) this.frame.history.replaceState(null, "", href);
    else this.frame.history.pushState(null, "", href);
    this.#turn();
  }

  /** on(fn(route, before)) → unsubscribe; `before` are the parameters that stood there. */
  on(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  #turn() {
    const before = this.asked;
    this.asked = new URLSearchParams(this.frame.location.search);
    for (const listener of [...this.listeners]) listener(this, before);
  }

  /** A plain click on a link to this very page stays in it; with a modifier, or to elsewhere, it is the browser's. */
  #click(event) {
    if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const link = event.target.closest?.("a[href]");
    if (!link || link.target || link.hasAttribute("download")) return;
    const there = new URL(link.href, this.frame.location.href);
    if (there.origin !== this.frame.location.origin || there.pathname !== this.frame.location.pathname || there.hash) return;
    event.preventDefault();
    // A link to a view leads there at the moment that is watched now, and in the company in which it is.
    if (there.searchParams.has("view")) for (const name of LASTING) if (this.asked.has(name) && !there.searchParams.has(name)) there.searchParams.set(name, this.get(name));
    this.visit(there.pathname + there.search);
  }
}
