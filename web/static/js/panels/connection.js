// How the page hears from the server, told honestly: road and round trip in the bar, a banner while it does not.

import { late } from "../api.js";
import { el, say, severity } from "../dom.js";
import { clock, day, duration, fixed } from "../format.js";
import { t } from "../words.js";

const TITLES = {
  idle: "Starting", loading: "Loading", connecting: "Connecting", live: "Live", waiting: "Reconnecting", paused: "Paused", ended: "Ended",
};
// A blink of a restart needs no banner and no dimming.
const PATIENCE_MS = 1_500;

/** `past()` says what is played in place of what is live, "" while nothing is; `back(words)` that a break is over and filled in. */
export function mount(root, store, { banner, announce, hurry, resume, past, back }) {
  const word = el("b");
  const road = el("span.road", { "aria-hidden": "true" });
  root.append(el("span.dot", { "aria-hidden": "true" }), word, road);
  const shape = el("span.severity");
  const words = el("p");
  const button = el("button.button.small", { type: "button" });
  button.addEventListener("click", () => (store.link.state === "waiting" ? hurry() : resume()));
  banner.append(shape, words, button);

  let away_since = 0;
  let spoken = "";
  // A break that nobody chose, and that ends without a fresh first paint, which says so itself.
  let lost_at = 0;

  const draw = () => {
    const { state, road: on, quality, retry_at, reason } = store.link;
    const { stalled } = store.recording;
    const now = Date.now();
    const here = state === "live" || state === "idle" || (state === "loading" && !store.view.ready);
    if (here) away_since = 0;
    else if (away_since === 0) away_since = now;
    if (state === "waiting") lost_at ||= now;
    else if (state === "loading" || state === "paused") lost_at = 0;
    else if (state === "live" && lost_at > 0) {
      if (now - lost_at > PATIENCE_MS) back(t("What was recorded in the {time} without a connection is filled in.", { time: duration((now - lost_at) / 1000) }));
      lost_at = 0;
    }
    const long = away_since > 0 && now - away_since > PATIENCE_MS;
    const offline = state === "waiting" && !navigator.onLine;
    const left_s = Math.max(0, Math.ceil((retry_at - now) / 1000));

    document.documentElement.dataset.link = state;
    document.documentElement.dataset.road = state === "live" ? on.id : "";
    document.documentElement.dataset.quality = quality?.grade ?? "";
    document.documentElement.dataset.recording = stalled ? "stalled" : "";
    document.documentElement.classList.toggle("stale", long || stalled);
    const played = past();
    say(word, played || t(offline ? "Offline" : state === "live" && quality.grade === "poor" ? "Unsteady" : state === "live" && late.count > 0 ? "Slow" : TITLES[state]));
    document.documentElement.dataset.answers = late.count > 0 ? "late" : "";
    root.title = state !== "live" ? "" : late.count > 0 ? t("The server takes long: answers that are out: {n}", { n: late.count }) : measured(quality);
    say(road, played ? "" : state === "live"
      ? [on.title, line(quality)].filter(Boolean).join(" · ")
      : state === "waiting" ? t("in {n} s", { n: left_s }) : "");

    severity(shape, stalled ? "critical" : "warning");
    banner.dataset.state = stalled ? "stalled" : state;
    banner.hidden = !(stalled || state === "ended" || state === "paused" || (long && !here));
    say(words, stalled ? still(store) : {
      waiting: offline ? t("This device is offline. The page will catch up by itself.")
        : `${reason ? t(reason) : t("No connection to the server.")} ${left_s ? t("Trying again in {n} s; what was missed will be filled in.", { n: left_s }) : t("Trying again now; what was missed will be filled in.")}`,
      ended: t("The server ended this connection: {reason}", { reason }),
      paused: t("Paused. What happens meanwhile is recorded."),
    }[state] ?? t("Connecting to the server. What was missed will be filled in."));
    button.hidden = !["waiting", "ended", "paused"].includes(state);
    say(button, t(state === "waiting" ? "Try now" : state === "paused" ? "Resume" : "Connect again"));

    // The countdown is for the eye; a screen reader hears only what changed.
    const speech = stalled ? still(store) : state === "live" ? t("Live on {road}", { road: on.title }) : long || state === "paused" || state === "ended" ? t(TITLES[state]) : spoken;
    if (speech !== spoken) say(announce, (spoken = speech));
  };

  draw();
  late.changed = draw;
  const off = [store.on("link", draw), store.on("recording", draw), () => (late.changed = () => {})];
  // What is played changes rarely; that it moves is told often.
  let told = "";
  off.push(store.on("playhead", () => told !== past() && ((told = past()), draw())));
  const timer = setInterval(() => store.link.state !== "live" && draw(), 500);
  return () => {
    for (const one of off) one();
    clearInterval(timer);
  };
}

/** What fits in the bar: the round trip, how much it varies if that is much, or for how long an answer has been out. */
function line({ round_ms, jitter_ms, owed_ms }) {
  if (owed_ms) return t("no answer for {n} s", { n: Math.round(owed_ms / 1000) });
  if (round_ms === null) return "";
  return jitter_ms > Math.max(20, round_ms / 2) ? `${ms(round_ms)} ± ${ms(jitter_ms)}` : ms(round_ms);
}

function measured({ round_ms, jitter_ms, missed }) {
  if (round_ms === null && !missed) return t("The round trip is not measured yet");
  return [
    round_ms === null ? "" : t("Round trip {time}", { time: ms(round_ms) }),
    round_ms === null || jitter_ms === null ? "" : t("varying by {time}", { time: ms(jitter_ms) }),
    missed ? t("{n} of the last without an answer", { n: missed }) : "",
  ].filter(Boolean).join(", ");
}

const ms = (value) => `${fixed(value, value < 10 ? 1 : 0)} ms`;

/** The line lives, the recorder does not: since when, and why, in the server's words. */
function still({ now_view, recording: { reason } }) {
  const { at } = now_view;
  const why = reason || t("no tick has come");
  if (!at) return t("Nothing is recorded: {why}.", { why });
  const when = day(at) === day(Date.now() / 1000) ? clock(at) : `${day(at)} ${clock(at)}`;
  return t("Not recording since {when}: {why}.", { when, why });
}
