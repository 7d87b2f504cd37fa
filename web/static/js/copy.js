// Text to the clipboard. Browsers give the modern way to `https` and to loopback only; elsewhere the old one has to do.

import { el, say } from "./dom.js";
import { t } from "./words.js";

const SAID_MS = 2_000;

/** → whether it is on the clipboard. */
export async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = el("textarea", { class: "unseen", readonly: true, "aria-hidden": "true" });
    area.value = text;
    const before = document.activeElement;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    before?.focus({ preventScroll: true });
    return done;
  }
}

/** A button that copies what `text()` gives, and says so in its own place. */
export function button(text, label = t("Copy"), title = "") {
  const made = el("button.button.small", { type: "button", title: title || undefined, "aria-live": "polite" }, label);
  let timer = 0;
  made.addEventListener("click", async () => {
    say(made, (await copied(text())) ? t("Copied") : t("Not allowed"));
    clearTimeout(timer);
    timer = setTimeout(() => say(made, label), SAID_MS);
  });
  return made;
}
