// A screen on a wall, that nobody touches: the page without its controls, big, going round by itself.
//
//   ?wall=1&rotate=30&round=overview,host/web-01,alerts&night=22-6
//
// Each turn shows the next screenful of a place, then the next place. What begins to fire comes to front, and stays there while it is critical.

import { el, say, severity } from "./dom.js";
import { clock, date, duration, minute } from "./format.js";
import { t } from "./words.js";

// A turn is no shorter, or nobody could read it; and no longer than an hour.
const SHORTEST_S = 5;
const LONGEST_S = 3_600;
// Without turns what is shown still moves by some pixels, so that nothing burns in.
const STILL_S = 60;
const SHIFTS = [[0, 0], [3, 1], [4, 4], [1, 3], [-2, 2], [-4, -1], [-3, -4], [1, -3]];
// Screenfuls of one place: what stands further down is for whoever scrolls.
const SCREENS = 3;
const MOST_PLACES = 40;
const NIGHT = [22, 6];

/** Seconds of a turn; NaN where there is to be none. */
export function pace(text) {
  const seconds = Number(text);
  return text && seconds > 0 ? Math.min(LONGEST_S, Math.max(SHORTEST_S, seconds)) : NaN;
}

/** "overview,host/web-01" → where to go, in turn; "" is everything: the overview and every source. */
export function places(text, sources, views) {
  const named = text.split(",").filter(Boolean).map((one) => {
    const [view, ...source] = one.split("/");
    return { view, source: source.join("/") };
  }).filter(({ view }) => views.includes(view));
  if (named.length) return named.slice(0, MOST_PLACES);
  const hosts = [...sources].sort().map((source) => ({ view: "host", source }));
  return (hosts.length > 1 ? [{ view: "overview", source: "" }, ...hosts] : hosts).slice(0, MOST_PLACES);
}

/** Whether it is night at this hour: "22-6" over midnight, "0-6" within a day, "off" never. */
export function night(text, hour) {
  if (text === "off") return false;
  const asked = /^(\d\d?)-(\d\d?)$/.exec(text)?.slice(1).map(Number) ?? NIGHT;
  const [from, to] = asked;
  return from <= to ? hour >= from && hour < to : hour >= from || hour < to;
}

/** The alert that matters most: critical before warning, then the newest. */
export function worst(alerts) {
  return [...alerts].sort((a, b) => (a.severity === "critical" ? 0 : 1) - (b.severity === "critical" ? 0 : 1) || b.since - a.since)[0];
}

/** Hangs the wall on the page; what the address says is followed from then on. */
export function mount({ store, route, views }) {
  const html = document.documentElement;
  const time = el("b");
  const today = el("span");
  const shape = el("span.severity");
  const matter = el("span.wall-matter");
  const more = el("span.wall-more");
  const front = el("div.wall-front", { hidden: true, role: "alert" }, shape, matter, more);
  const hand = el("div.wall-clock", { "aria-hidden": "true", hidden: true }, today, time);
  document.body.append(hand, front);

  let on = false;
  let at = 0;
  let screen = 0;
  let turned = 0;
  let shifted = 0;
  let timer = 0;
  let lock = null;

  const firing = () => [...store.view.alerts.values()];
  const all = () => places(route.get("round"), store.now_view.sources.keys(), views);
  const here = () => `${route.get("view")}/${route.get("source")}`;

  /** Quietly: nobody goes back through a night of turns. */
  const go = ({ view, source }) => {
    screen = 0;
    scrollTo(0, 0);
    route.go({ view, source }, true);
  };

  const turn = () => {
    shifted += 1;
    const [x, y] = SHIFTS[shifted % SHIFTS.length];
    html.style.setProperty("--shift-x", `${x}px`);
    html.style.setProperty("--shift-y", `${y}px`);
    // What is critical is not turned away from; a warning may stand for weeks.
    if (Number.isNaN(pace(route.get("rotate"))) || firing().some((one) => one.severity === "critical")) return;
    const below = html.scrollHeight - innerHeight - scrollY;
    if (below > innerHeight / 4 && screen + 1 < SCREENS) {
      screen += 1;
      scrollBy({ top: innerHeight, behavior: "instant" });
      return;
    }
    const round = all();
    if (round.length === 0) return;
    at = (at + 1) % round.length;
    go(round[at]);
  };

  const tick = () => {
    const now = store.now();
    if (!now) return;
    say(time, clock(now));
    say(today, date(now));
    html.dataset.wall = night(route.get("night"), Number(minute(now).slice(0, 2)) % 24) ? "night" : "day";
    const turn_s = pace(route.get("rotate")) || STILL_S;
    if (performance.now() - turned >= turn_s * 1000) {
      turned = performance.now();
      turn();
    }
    const first = worst(firing());
    front.hidden = first === undefined;
    if (first === undefined) return;
    severity(shape, first.severity);
    front.dataset.level = first.severity;
    say(matter, `${first.source}: ${first.message}`);
    say(more, [t("for {time}", { time: duration(now - first.since) }), firing().length > 1 ? t("{n} open", { n: firing().length }) : ""].filter(Boolean).join(" · "));
  };

  /** Its source comes to front, wherever the round is. */
  const alerted = () => {
    const first = on && worst(firing());
    if (first && store.view.sources.has(first.source) && here() !== `host/${first.source}`) go({ view: "host", source: first.source });
    if (on) tick();
  };

  /** A screen that nobody touches would go dark. Where there are no such locks, its own settings have to do. */
  const wake = async () => {
    if (!on || document.hidden || !navigator.wakeLock) return;
    try {
      lock = await navigator.wakeLock.request("screen");
    } catch (failure) {
      console.info(`The screen may go dark: ${failure.message}`);
    }
  };

  const leave = () => route.go({ wall: "" });
  const escape = (event) => event.key === "Escape" && leave();
  const full = () => document.fullscreenElement === null && leave();

  const follow = () => {
    const wanted = route.get("wall") === "1";
    if (wanted === on) return;
    on = wanted;
    hand.hidden = !on;
    if (on) {
      turned = performance.now();
      at = Math.max(0, all().findIndex(({ view, source }) => `${view}/${source}` === here()));
      tick();
      timer = setInterval(tick, 1_000);
      addEventListener("keydown", escape);
      // Esc in full screen is the browser's own.
      document.addEventListener("fullscreenchange", full);
      document.addEventListener("visibilitychange", wake);
      wake();
      alerted();
    } else {
      clearInterval(timer);
      removeEventListener("keydown", escape);
      document.removeEventListener("fullscreenchange", full);
      document.removeEventListener("visibilitychange", wake);
      lock?.release();
      lock = null;
      front.hidden = true;
      delete html.dataset.wall;
      if (document.fullscreenElement) document.exitFullscreen();
    }
    dispatchEvent(new Event("resize"));
  };
  route.on(follow);
  store.on("alerts", alerted);
  follow();
}
