// A text as a file of the reader's.

import { el } from "./dom.js";

export function saved(name, media, text) {
  const href = URL.createObjectURL(new Blob([text], { type: media }));
  el("a", { href, download: name }).click();
  // The browser has taken its reference once the click is handled; the object need not outlive it.
  setTimeout(() => URL.revokeObjectURL(href), 1000);
}
