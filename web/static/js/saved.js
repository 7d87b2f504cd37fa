// A file of the reader's.

import { el } from "./dom.js";

export const saved = (name, media, text) => given(name, new Blob([text], { type: media }));

export function given(name, blob) {
  const href = URL.createObjectURL(blob);
  el("a", { href, download: name }).click();
  // The browser has taken its reference once the click is handled; the object need not outlive it.
  setTimeout(() => URL.revokeObjectURL(href), 1000);
}
