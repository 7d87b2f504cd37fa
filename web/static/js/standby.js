// What stands in when the server cannot be reached: a service worker, and the time when the server was last heard from.

import { keep } from "./kept.js";

const NOTE_MS = 10_000;

/** live() says whether the server is being heard from. Browsers have service workers on https and on loopback only. */
export function standBy(live) {
  const note = () => live() && keep("heard", String(Date.now() / 1000));
  note();
  setInterval(note, NOTE_MS);
  addEventListener("pagehide", note);
  navigator.serviceWorker?.register("/service.js", { updateViaCache: "none" })
    .catch((failure) => console.info(`No page for when the server is away: ${failure.message}`));
}
