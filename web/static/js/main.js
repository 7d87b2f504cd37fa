// The only module that sees everyone: link → wire → store → views.

import { ask, send } from "./api.js";
import { Attention } from "./attention.js";
import { Catalogue } from "./catalogue.js";
import { tellTimesIn, writeFor } from "./format.js";
import { keep, kept } from "./kept.js";
import { Keys } from "./keys.js";
import { Link } from "./link.js";
import { Pace } from "./pace.js";
import { watchTheme } from "./palette.js";
import * as bell from "./panels/bell.js";
import * as connection from "./panels/connection.js";
import * as controls from "./panels/controls.js";
import * as counts from "./panels/counts.js";
import * as rail from "./panels/rail.js";
import * as search from "./panels/search.js";
import * as signs from "./panels/signs.js";
import * as toasts from "./panels/toasts.js";
import { Player } from "./player.js";
import { Pulse } from "./pulse.js";
import { Reel } from "./reel.js";
import { poll, quiet, ROADS, sse, websocket } from "./roads.js";
import { moment, Route } from "./route.js";
import { Span } from "./span.js";
import { Store } from "./store.js";
import { dress } from "./styles.js";
import { Tapes } from "./tapes.js";
import { speedName, speedOf } from "./timeline.js";
import { first, incident, message, micro, seconds } from "./wire.js";
import { fill, language, preferred, speak, t } from "./words.js";

// Each comes when it is visited: who looks at the overview of a hundred hosts needs no charts yet.
const VIEWS = {
  host: () => import("./views/host.js"),
  overview: () => import("./views/overview.js"),
  explore: () => import("./views/explore.js"),
  alerts: () => import("./views/alerts.js"),
  events: () => import("./views/events.js"),
  performance: () => import("./views/performance.js"),
  dashboards: () => import("./views/dashboards.js"),
  dashboard: () => import("./views/dashboard.js"),
  // Both moments stand on the bar of the tape.
  compare: () => Promise.all([import("./views/compare.js"), further()]).then(([view]) => view),
};
// Places that mean nothing without what else the address says: nobody arrives there.
const PASSING = new Set(["dashboard", "compare"]);
// What they look like is there from the first paint on; that of others comes with them.
const DRESSED = new Set(["host", "overview"]);
const LATER_MS = 300;
const NOTED_MS = 1_000;
const PASSED = 10;
const LATEST_MS = 3_000;
const RANGE = 900;
// Clocks differ: what a link of just now names is not said to be of the future.
const PATIENT_S = 60;
// `dashboard/live` draws charts as well; the page asks for its own, so it takes the shortest.
const HOURS = 0.01;

const $ = (id) => document.getElementById(id);

const route = new Route(window);
await speak(preferred(route.get("lang") || kept("lang")));
writeFor(language());
fill(document);
try {
  tellTimesIn(route.get("tz") || kept("tz"));
} catch (failure) {
  console.info(`No such time zone: ${failure.message}`);
}

/** A known view's modules, all at once instead of one level a round trip; `ahead.js` has done so for the one that the address names. */
function ahead(view) {
  if (!Object.hasOwn(VIEWS, view)) return;
  for (const link of document.querySelectorAll(`link[data-ahead~="${view}"]`)) Object.assign(link, { href: link.dataset.href, rel: "modulepreload" });
}
ahead(route.get("view") || kept("view"));

const store = new Store({ incident: incident(document.documentElement.dataset.incident) });
const seconds_of = (range) => controls.RANGES.find(([text]) => text === range)?.[1];

/** The span as the address has it. */
const shape = () => {
  const [from, to] = [moment(route.get("from")), moment(route.get("to"))];
  const still = from < to;
  // Of an incident all is shown, unless the address says otherwise.
  if (!still && store.incident && !route.get("range")) return { seconds: RANGE, from: store.incident.from, to: store.incident.to };
  return { seconds: seconds_of(route.get("range")) ?? seconds_of(kept("range")) ?? RANGE, from: still ? from : NaN, to: still ? to : NaN };
};

const span = new Span({
  now: () => store.now_view.at,
  begun: () => store.now_view.sources.get(page.source)?.first_seen ?? NaN,
  seconds: RANGE,
  playhead: () => store.playhead,
  whole: store.incident,
});
span.shape = shape();
const tapes = new Tapes({ store, span, ask });
const catalogue = new Catalogue({ store, ask });
const keys = new Keys();
const player = new Player({
  store, ask, source: () => page.source, cursor: () => link.cursor, begins: () => reel.begins, roads: null, further,
  warn: (words) => page.toast({ type: "warning", title: t("The replay"), more: words }),
});
const reel = new Reel({ store, ask, hidden: () => document.hidden });

/** What a view is given. `view` is the one that is shown, `source` the one it is about. */
const page = {
  store, span, route, tapes, catalogue, keys, player, reel, ask, send, act, test, pause, resume, refresh,
  view: "",
  get source() {
    return route.get("source") || store.now_view.source;
  },
  copy, here, lazy, cursor: () => link.cursor,
  note: lazy(() => import("./panels/marks.js"), (it, what) => it.note(page, what)),
  announce: (words) => ($("announce").textContent = words),
  toast: (what) => toasts.show($("toasts"), what),
  undo: () => span.changed && history.back(),
  /** Times are told in this zone; "" is the browser's own. A link tells it, too. */
  zone(name) {
    tellTimesIn(name);
    keep("tz", name);
    route.go({ tz: name }, true);
    again();
  },
  /** Words are set where they are said: another language is another page. */
  speak(name) {
    keep("lang", name);
    if (route.get("lang")) route.go({ lang: name }, true);
    note();
    location.reload();
  },
  pace(every_ms) {
    keep("pace", String(every_ms));
    pace.set(every_ms);
  },
};

const pace = new Pace({ apply: (told) => store.apply(told), every_ms: Number(kept("pace")) || 0 });

/** Who listens while nobody looks; it comes later. */
let lookout = null;

/** Runs what is loaded when it is asked for, with what it wears: run(module, …said). That it cannot be had is told → whether it could. */
function lazy(load, run, wears = true) {
  return async (...said) => {
    let it;
    try {
      [it] = await Promise.all([load(), wears && dress()]);
    } catch (failure) {
      page.toast({ type: "error", title: t("This could not be loaded"), more: failure.message });
      return false;
    }
    run(it, ...said);
    return true;
  };
}

let later = null;

/**
 * What nobody needs to see the first figures: the bar of the tape, the way to play it, the printer; who listens while nobody
 * looks, and what stands in while there is no server.
 */
function further() {
  const load = () => Promise.all([
    import("./panels/timeline.js"), import("./projector.js"), import("./paper.js"), import("./herald.js"), import("./lookout.js"), import("./standby.js"),
  ]);
  return (later ??= lazy(load, ([timeline, { ROADS: streams }, paper, { Herald }, { Lookout }, { standBy }]) => {
    player.roads = streams.filter(({ id }) => !route.get("road") || { ws: "websocket" }[route.get("road")] === id || route.get("road") === id);
    timeline.mount($("timeline"), page, { watching: $("watching") });
    beginning();
    paper.mount($("print"), page);
    const herald = new Herald({
      visit() {
        focus();
        visit("alerts", "alerts");
      },
    });
    store.on("news", (heard) => herald.tell(heard));
    lookout = new Lookout({
      roads: shared.slice(roads.length),
      load: () => ask(`/api/realtime/dashboard/live?hours=${HOURS}`),
      told: (heard) => herald.tell(heard),
      changed: () => sign(),
    });
    standBy(() => store.link.state === "live");
  }, false)().then((there) => {
    if (!there) later = null;
    // What fails in what did come fails again: it is told once, and nothing is mounted over what stands half.
  }, reportError));
}

let build = "";

/** A fresh first paint; `reason` is why the one before no longer holds. → the cursor to continue from. */
async function load(reason) {
  pace.flush();
  const data = await ask(`/api/realtime/dashboard/live?hours=${HOURS}`);
  store.apply({ type: "load", ...first(data) });
  document.documentElement.classList.remove("loading", "failed");
  if (reason && build) page.toast({ type: "info", title: t("There was a break in the connection"), more: `${reason} ${t("The page was loaded afresh; the charts show what was recorded meanwhile.")}` });
  // Of another log nothing is known at that moment.
  if (player.past && store.view.epoch !== store.now_view.epoch) player.live();
  if (!build) {
    if (route.get("at") || route.get("replay")) await further();
    // A link opens at a moment that stands, unless it says that it plays; of a replay that is shared others say so.
    const plays = route.get("play") !== "" && !route.get("replay");
    follow();
    if (plays) player.play();
  }
  build ||= data.version;
  show();
  if (later !== null) beginning();
  return data.cursor;
}

let dated = "";

/** When the log began: its first fact about the server itself, which no sample with a strange time can move. */
async function beginning() {
  if (dated === store.now_view.epoch) return;
  dated = store.now_view.epoch;
  try {
    const { events: [oldest] } = await ask("/api/realtime/events?type=system&limit=1");
    if (oldest) store.begun(seconds(oldest.at));
  } catch (failure) {
    dated = "";
    console.info(`The age of the log is not known: ${failure.message}`);
  }
}

function frame(event, data) {
  if (event === "hello" && build && data.version && data.version !== build) {
    build = data.version;
    page.toast({
      type: "info", title: t("The server is now version {version}", { version: data.version }), more: t("This page is from the version before."),
      action: { label: t("Load the new page"), run: () => location.reload() },
    });
  }
  if (event === "error") console.warn(`The server answered: ${data.detail}`);
  const told = message(event, data);
  if (told === null) return;
  if (told.type === "clock") store.heard(told.at);
  else {
    // That readings are shown later does not make the recorder late.
    if (told.type === "metrics" && told.ids.some((id) => store.now_view.pulse.has(id))) pulse.beat();
    pace.take(told);
  }
}

/** Why the server takes no readings, in its own words. */
async function unready() {
  const answer = await fetch("/readyz", { cache: "no-store", signal: AbortSignal.timeout(4_000) });
  return (await answer.json()).data.reasons;
}

const pulse = new Pulse({ why: unready, report: (status) => store.recorded(status) });
store.on("beat", () => pulse.beat());
store.on("load", () => {
  pulse.interval_s = store.now_view.interval_s;
});

const asked = { ws: websocket, sse, poll }[route.get("road")];
const roads = asked ? [asked] : ROADS;

// One connection for all tabs of this browser, whichever tab opens it; and a quiet one for those that nobody looks at. Where tabs cannot
// find each other, on plain http from elsewhere, each has its own.
const every = [...roads, ...roads.map(quiet)];
const share = navigator.locks ? await import("./share.js").then(({ Share, ways }) => new Share({ roads: every, ways: ways(), offered: (id) => link.offered(id) })) : null;
const shared = share?.roads ?? every;

const link = new Link({
  roads: shared.slice(0, roads.length),
  load,
  known: () => store.now_view.known,
  frame,
  status: (status) => {
    store.linked(status);
    pulse.linked(status.state === "live");
    document.documentElement.classList.toggle("failed", !store.now_view.ready && status.state === "waiting");
  },
  measure: () => ask("/healthz"),
});

const sign = signs.mount(document.querySelector("link[rel=icon]"), () => {
  const view = lookout?.store?.view ?? store.now_view;
  return { view, link: lookout?.store ? (lookout.state === "waiting" ? "lost" : lookout.state) : store.link.state, unseen: page.bell.unseen(view) };
});

/** The reader's own pause outlasts a look at another tab. */
let held = false;

function pause() {
  held = true;
  link.pause();
  share?.release();
}

function resume() {
  held = false;
  link.resume();
}

async function test() {
  try {
    await ask("/api/realtime/notifications", {
      method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ type: "info", title: t("Test notification"), message: t("It was stored, sent to every page that watches, and came back to this one.") }),
    });
  } catch (failure) {
    page.toast({ type: "error", title: t("The test was not sent"), more: failure.message });
  }
}

/** Everything on the page asked for again, and said when it is there. */
async function refresh() {
  const began = performance.now();
  try {
    const data = await ask(`/api/realtime/dashboard/live?hours=${HOURS}`);
    pace.flush();
    store.apply({ type: "load", ...first(data) });
    tapes.again();
    page.toast({ type: "success", title: t("Everything was asked again"), more: t("The server answered in {ms} ms; charts follow.", { ms: Math.round(performance.now() - began) }) });
  } catch (failure) {
    page.toast({ type: "error", title: t("The refresh did not work"), more: failure.message });
  }
}

/** POSTs and says what came of it. */
async function act(path, words) {
  try {
    page.toast({ type: "success", title: words(await ask(path, { method: "POST" })) });
  } catch (failure) {
    page.toast({ type: "error", title: t("That did not work"), more: failure.message });
  }
}

/** The address of what is watched: of the very moment, also when it is now; `more` are further parameters. */
function here(more = {}) {
  const at = player.past ? player.at : store.now_view.at;
  return new URL(route.href({ at: micro(at), speed: player.speed === 1 ? "" : player.speed, play: "", ...more }), location.href).href;
}

/** Text into the clipboard; where the browser does not allow that, it is shown to be copied by hand. */
async function copy(text, title) {
  try {
    await navigator.clipboard.writeText(text);
    page.toast({ type: "success", title, more: t("It is in the clipboard.") });
  } catch (failure) {
    console.info(`No clipboard: ${failure.message}`);
    page.toast({ type: "info", title, more: text });
  }
}

let leave = () => {};
let shown = "";
let turn = 0;
let showing = Promise.resolve();

let landing = "";

/** Where one arrives without naming a view: where one was last, else where there is most to see. What comes later moves nobody. */
function arrived() {
  landing ||= Object.hasOwn(VIEWS, kept("view")) ? kept("view") : store.now_view.sources.size > 1 ? "overview" : "host";
  return landing;
}

/** The view that the address names, mounted; the same again only when it is about something else. */
const show = () => (showing = mounted());

async function mounted() {
  if (!store.now_view.ready) return;
  const named = Object.hasOwn(VIEWS, route.get("view"));
  const wanted = named ? route.get("view") : arrived();
  if (named && !PASSING.has(wanted)) keep("view", wanted);
  const mark = `${wanted} ${route.get("source")} ${route.get("id")}`;
  if (mark === shown) return;
  shown = mark;
  turn += 1;
  const mine = turn;
  let view;
  try {
    ahead(wanted);
    const dressed = DRESSED.has(wanted) && route.get("wall") !== "1";
    [view] = await Promise.all([VIEWS[wanted](), dressed ? null : dress()]);
  } catch (failure) {
    shown = "";
    page.toast({ type: "error", title: t("This view could not be loaded"), more: failure.message });
    return;
  }
  if (mine !== turn) return;
  leave();
  page.view = wanted;
  document.documentElement.dataset.view = wanted;
  // An element of its own: what a view leaves behind cannot come up in the next.
  const root = document.createElement("div");
  root.className = "view";
  $("content").replaceChildren(root);
  leave = view.mount(root, page);
  places.here();
  scrollTo(0, 0);
}

/** The same view anew: what it says has to be said otherwise. */
function again() {
  shown = "";
  show();
}

/** What stands in the address when the span changes: each change is a place to go back to, unless the playhead turned the page. */
let restoring = false;
span.on((_, turned) => {
  // What the address says already is no other place to go back to.
  if (restoring || (turned && span.moving)) return;
  const told = span.told();
  const range = controls.RANGES.find(([, one]) => one === told.seconds)?.[0] ?? "";
  if (range) keep("range", range);
  const text = (at) => (Number.isNaN(at) ? "" : new Date(at * 1000).toISOString());
  route.go({ range, from: text(told.from), to: text(told.to) }, turned);
});
store.on("playhead", () => span.moved());
route.on((asked, before) => {
  const told = span.told();
  const wanted = shape();
  // The address has milliseconds.
  const near = (one, other) => Object.is(one, other) || Math.abs(one - other) < 0.01;
  if (wanted.seconds !== told.seconds || !near(wanted.from, told.from) || !near(wanted.to, told.to)) {
    restoring = true;
    span.restore(wanted);
    restoring = false;
  }
  const elsewhere = ["at", "replay"].some((name) => (before.get(name) ?? "") !== route.get(name));
  // A link that was made a second ago bears the moment of then: what plays goes on.
  if (elsewhere && !noting && !(player.playing && passed.includes(asked.get("at")))) follow();
  if ((before.get("source") ?? "") !== route.get("source")) player.turn();
  show();
});

/** The moment that the address names is watched; without one it is now. */
function follow() {
  const asked_at = route.get("at");
  const at = moment(asked_at);
  player.speed = speedOf(route.get("speed"));
  const together = route.get("replay");
  if (asked_at && Number.isNaN(at)) page.toast({ type: "warning", title: t("The address asks for a moment that is none: {text}", { text: asked_at }), more: t("The newest is shown in its place.") });
  else if (at > store.present() + PATIENT_S) page.toast({ type: "warning", title: t("The address asks for a moment after the newest"), more: t("The newest is shown in its place.") });
  if (together) player.join(together, at);
  else if (Number.isNaN(at)) player.live();
  else if (Math.abs(at - player.at) > 1e-6 || !player.past) player.seek(at);
}

/**
 * What is watched is named in the address, and whether it plays: whoever loads the page anew is where they were. The way there and
 * back to now are places to go back to, the moments between are not.
 */
let noting = false;
let noted_ms = -Infinity;
let passed = [];
function note() {
  if (player.dragging || (player.invited && !player.id)) return;
  noted_ms = performance.now();
  noting = true;
  const together = player.past && player.invited;
  const at = player.past ? micro(player.at) : "";
  passed = player.playing ? [at, ...passed.slice(0, PASSED - 1)] : [];
  route.go({ at, speed: player.speed === 1 ? "" : player.speed, play: player.playing && !together ? "1" : "", replay: together ? player.id : "" }, player.past === (route.get("at") !== ""));
  noting = false;
}
player.on(() => (player.playing ? pass() : note()));
store.on("playhead", () => player.playing && pass());

/** While it plays the moment is named once a second: a browser bears no more. */
function pass() {
  if (performance.now() - noted_ms >= NOTED_MS) note();
}

/** What is on a wall comes when one is asked for, and goes by the address from then on. */
let wall = null;
const hang = () => {
  if (route.get("wall") === "1") wall ??= Promise.all([import("./wall.js"), dress()]).then(([one]) => one.mount({ store, route, views: Object.keys(VIEWS) }));
};
route.on(hang);
store.on("load", hang);

watchTheme();
document.documentElement.classList.add("loading");
toasts.mount($("toasts"), store);
connection.mount($("connection"), store, {
  banner: $("banner"), announce: $("announce"), hurry: () => link.hurry(), resume,
  back: (more) => page.toast({ type: "success", title: t("Live again"), more }),
  past: () => (!player.past ? store.incident ? t("Incident") : "" : player.playing ? t("Replay {speed}", { speed: speedName(player.speed) }) : t("Replay, paused")),
});
search.mount($("search"), page);
if (store.incident) {
  VIEWS.summary = () => import("./views/summary.js");
  await dress();
  (await import("./panels/incident.js")).mount($("incident"), page);
}
controls.mount($("controls"), page);
const places = rail.mount({ views: $("rail-views"), sources: $("sources"), count: $("sources-count"), bar: $("bar-source") }, page);
counts.mount({ bar: $("counts"), rail: $("rail-alerts") }, store);
page.bell = bell.mount({ bell: $("bell"), count: $("bell-count"), rail: $("rail-notifications"), changed: () => page.bell && sign() }, store);
for (const topic of ["news", "alerts", "load", "link"]) store.on(topic, sign);
sign();
keys.on("o", t("overview of all sources"), () => visit("overview", "glance"));
keys.on("g", t("to the host"), () => visit("host", "overview"));
keys.on("x", t("explore"), () => visit("explore", "find-series"));
keys.on("h", t("dashboards of your own"), () => visit("dashboards", "boards-title"));
keys.on("a", t("alerts"), () => visit("alerts", "alerts"));
keys.on("n", t("notifications"), () => visit("alerts", "notifications"));
keys.on("v", t("events"), () => visit("events", "events"));
keys.on("w", t("wall mode; Esc leaves it"), () => {
  route.go({ wall: "1" });
  document.documentElement.requestFullscreen?.().catch((failure) => console.info(`Not in full screen: ${failure.message}`));
});
keys.sheet($("keys"), $("open-keys"));

/** To a place in a view, with the focus: the next Tab goes on from there, and a screen reader says where it is. */
async function visit(view, id) {
  route.go({ view });
  await showing;
  $(id)?.focus();
}

addEventListener("online", () => link.hurry());
addEventListener("offline", () => link.doubt());
share?.reach();
link.start();
// A connection that is late keeps nobody from the rest; what could not be had is asked for again when the server is back.
setTimeout(further, LATEST_MS);
store.on("link", ({ state }) => {
  if (state === "live" && later === null) setTimeout(further, LATER_MS);
});
let reached = false;
store.on("link", ({ state }) => {
  if (state === "live" && !reached) player.reached();
  reached = state === "live";
});
if (!store.incident) pulse.start();
let gone = false;
// After the start: a page that opens in the background rests in its turn.
new Attention({
  page: document, frame: window,
  here() {
    gone = false;
    lookout?.stop();
    if (!held && link.state === "paused") link.resume();
    player.wake();
    sign();
  },
  away() {
    player.rest();
    link.pause();
    // Who stopped the page has stopped all of it.
    gone = !held;
    further().then(() => {
      if (gone) lookout?.start(store.now_view, link.cursor);
      sign();
    });
  },
  asleep() {
    gone = false;
    lookout?.stop();
    link.pause();
    share?.release();
    sign();
  },
});
