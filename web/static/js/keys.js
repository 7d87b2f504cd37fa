// The keyboard: what each key does, and the sheet that says so.

import { el } from "./dom.js";
import { t } from "./words.js";

const PRESSED = "button, summary, [role=button], [role=tab], [role=option], [role=checkbox]";
const TYPING = "input, textarea, select, [contenteditable]";

export class Keys {
  constructor() {
    this.bound = new Map();
    document.addEventListener("keydown", (event) => this.#press(event));
  }

  /** on("p", "what it does", run) → unsubscribe. `event.key` as the browser names it; letters in lower case. A view may take a key for as long as it is shown. */
  on(key, words, run) {
    const one = { words, run };
    this.bound.set(key, [...(this.bound.get(key) ?? []), one]);
    return () => {
      const left = this.bound.get(key).filter((other) => other !== one);
      if (left.length) this.bound.set(key, left);
      else this.bound.delete(key);
    };
  }

  /** The sheet of all keys, in a dialog that `?` and the opener show. */
  sheet(dialog, opener) {
    const open = () => {
      const close = el("button.button", { type: "button", onclick: () => dialog.close() }, t("Close"));
      const name = (key) => (key === " " ? t("Space") : key.length === 1 ? key.toUpperCase() : key);
      dialog.replaceChildren(el("h2", { id: "keys-title" }, t("Keys")),
        el("dl", {}, ...[...this.bound].flatMap(([key, all]) => [el("dt", {}, el("kbd", {}, name(key))), el("dd", {}, all.at(-1).words)])), close);
      dialog.showModal();
    };
    opener.addEventListener("click", open);
    this.on("?", t("this sheet"), () => (dialog.open ? dialog.close() : open()));
  }

  #press(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.(TYPING)) return;
    // What has the focus is pressed with it.
    if (event.key === " " && event.target.closest?.(PRESSED)) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    // A dialog has its own keys; only the sheet's is heard behind it.
    if (key !== "?" && document.querySelector("dialog[open]")) return;
    const all = this.bound.get(key);
    if (all === undefined) return;
    event.preventDefault();
    all.at(-1).run(event);
  }
}
