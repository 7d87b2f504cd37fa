// Stands where the page would, while the server cannot be reached: since when, and back as soon as it answers.

import { say } from "./dom.js";
import { clock, date, duration, tellTimesIn, writeFor } from "./format.js";
import { kept } from "./kept.js";
import { fill, language, preferred, speak, t } from "./words.js";

const AGAIN_MS = 5_000;
const PATIENCE_MS = 4_000;

const asked = new URLSearchParams(location.search);
await speak(preferred(asked.get("lang") || kept("lang")));
writeFor(language());
tellTimesIn(kept("tz"));
fill(document);
document.title = t("Playhead is offline");

// The page notes when it last heard from the server; without that this browser has never been there.
const heard = Number(kept("heard"));

function tell() {
  const ago_s = Date.now() / 1000 - heard;
  say(document.getElementById("since"), heard
    ? t("Last heard from on {day} at {time}, {ago} ago.", { day: date(heard), time: clock(heard), ago: duration(ago_s) })
    : t("This browser has not heard from it before."));
}

async function again() {
  try {
    const answer = await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (answer.ok) location.reload();
  } catch {
    // Still away: that is what this page says.
  }
}

tell();
setInterval(tell, 1_000);
setInterval(again, AGAIN_MS);
addEventListener("online", again);
document.getElementById("again").addEventListener("click", again);
