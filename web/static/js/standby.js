// What stands in when the server cannot be reached: a service worker, and the time when the server was last heard from.

import { keep } from "./kept.js";

const NOTE_MS = 10_000;

/** live() says whether the server is being heard from. Browsers have service workers on https and on loopback only. */
export function standBy(live) {
  let stands = false;
  const note = () => {
    if (!live()) return;
    keep("heard", String(Date.now() / 1000));
    if (stands) return;
    stands = true;
    navigator.serviceWorker?.register("/service.js", { updateViaCache: "none" })
      .catch((failure) => console.info(`No page for when the server is away: ${failure.message}`));
  };
  note();
  setInterval(note, NOTE_MS);
  addEventListener("pagehide", note);
}
