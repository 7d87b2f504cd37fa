// The only module that sees everyone: link → wire → store → panels.

import { Attention } from "./attention.js";
import { Link } from "./link.js";
import { watchTheme } from "./palette.js";
import * as alerts from "./panels/alerts.js";
import * as chart from "./panels/chart.js";
import * as connection from "./panels/connection.js";
import * as controls from "./panels/controls.js";
import * as notifications from "./panels/notifications.js";
import * as processes from "./panels/processes.js";
import * as rail from "./panels/rail.js";
import * as server from "./panels/server.js";
import * as sources from "./panels/sources.js";
import * as tiles from "./panels/tiles.js";
import * as toasts from "./panels/toasts.js";
import { Pulse } from "./pulse.js";
import { poll, sse, websocket } from "./roads.js";
import { Share, ways } from "./share.js";
import { Store } from "./store.js";
import { TRAIL_SERIES, first, message, seconds, trails } from "./wire.js";

const CHARTS = ["cpu", "memory", "disk", "network", "load"];
const TRAIL_POINTS = 240;
// A refetch for completeness' sake is never asked for more often than this.
const WHOLE_MS = 3_000;
const RANGE = "playhead.hours";

const $ = (id) => document.getElementById(id);

/** GET → the envelope's data; an Error in the server's own words otherwise. */
async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(20_000), ...options });
  } catch (failure) {
    throw new Error(failure.name === "TimeoutError" ? "The server did not answer in time." : "The server cannot be reached.", { cause: failure });
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.detail ?? body.title ?? `The server answered ${answer.status}.`);
  // A network that wants a sign-in first answers anything with a page of its own.
  if (body.data === undefined) throw new Error("Something on the way answered in the server's place; does this network want you to sign in?");
  return body.data;
}

function remembered() {
  try {
    const hours = Number(localStorage.getItem(RANGE));
    return controls.RANGES.some(([one]) => one === hours) ? hours : 0.25;
  } catch {
    return 0.25;
  }
}

const store = new Store();
let hours = remembered();
let build = "";

/** A fresh first paint; `reason` is why the one before no longer holds. → the cursor to continue from. */
async function load(reason) {
  const data = await ask(`/api/realtime/dashboard/live?hours=${hours}`);
  store.apply({ type: "load", ...first(data) });
  document.documentElement.classList.remove("loading", "failed");
  if (reason && build) toasts.show($("toasts"), { type: "info", title: "There was a break in the connection", more: `${reason} The page was loaded afresh; the charts show what was recorded meanwhile.` });
  build ||= data.version;
  backfill();
  beginning();
  return data.cursor;
}

/** The sparklines' past. Not worth waiting for, and no matter if it fails: the present fills them too. */
async function backfill() {
  const asked = new URLSearchParams({ from: `-${Math.round(hours * 60)}m`, points: String(TRAIL_POINTS) });
  for (const name of TRAIL_SERIES) asked.append("series", name);
  try {
    store.apply(trails(await ask(`/api/realtime/query?${asked}`), store.view.source));
  } catch (failure) {
    console.info(`Sparklines begin now: ${failure.message}`);
  }
}

let dated = "";

/** When the log began: its first fact about the server itself, which no sample with a strange time can move. */
async function beginning() {
  if (dated === store.view.epoch) return;
  dated = store.view.epoch;
  try {
    const { events: [oldest] } = await ask("/api/realtime/events?type=system&limit=1");
    if (oldest) store.begun(seconds(oldest.at));
  } catch (failure) {
    dated = "";
    console.info(`The age of the log is not known: ${failure.message}`);
  }
}

let whole_at = 0;
let whole_timer = 0;

/** The charts miss something that the log has (a conflated gauge, a new device): ask for them again, now and then. */
function makeWhole() {
  if (!store.view.incomplete || whole_timer) return;
  whole_timer = setTimeout(async () => {
    whole_at = Date.now();
    store.view.incomplete = "";
    try {
      store.apply({ type: "load", ...first(await ask(`/api/realtime/dashboard/live?hours=${hours}`)) });
    } catch {
      // The link notices a server that is gone; until then the page still misses what it missed.
      store.view.incomplete = "failed";
    }
    whole_timer = 0;
  }, Math.max(200, whole_at + WHOLE_MS - Date.now()));
}

function frame(event, data) {
  if (event === "hello" && build && data.version && data.version !== build) {
    build = data.version;
    toasts.show($("toasts"), {
      type: "info", title: `The server is now version ${data.version}`, more: "This page is from the version before.",
      action: { label: "Load the new page", run: () => location.reload() },
    });
  }
  if (event === "error") console.warn(`The server answered: ${data.detail}`);
  const told = message(event, data);
  if (told === null) return;
  if (told.type === "clock") store.heard(told.at);
  else store.apply(told);
  makeWhole();
}

/** Why the server takes no readings, in its own words. */
async function unready() {
  const answer = await fetch("/readyz", { cache: "no-store", signal: AbortSignal.timeout(4_000) });
  return (await answer.json()).data.reasons;
}

const pulse = new Pulse({ why: unready, report: (status) => store.recorded(status) });
store.on("tick", () => pulse.beat());
store.on("load", () => {
  pulse.interval_s = store.view.interval_s;
});

const roads = [websocket, sse, poll];
const asked = { ws: websocket, sse, poll }[new URLSearchParams(location.search).get("road")];

// One connection for all tabs of this browser, whichever tab opens it.
const share = new Share({ roads: asked ? [asked] : roads, ways: ways(), offered: (id) => link.offered(id) });

const link = new Link({
  roads: share.roads,
  load,
  known: () => store.view.known,
  frame,
  status: (status) => {
    store.linked(status);
    pulse.linked(status.state === "live");
    document.documentElement.classList.toggle("failed", !store.view.ready && status.state === "waiting");
  },
  measure: () => ask("/healthz"),
});

/** The reader's own pause outlasts a look at another tab. */
let held = false;

function pause() {
  held = true;
  link.pause();
  share.release();
}

function resume() {
  held = false;
  link.resume();
}

async function test() {
  try {
    await ask("/api/realtime/notifications", {
      method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ type: "info", title: "Test notification", message: "It was stored, sent to every page that watches, and came back to this one." }),
    });
  } catch (failure) {
    toasts.show($("toasts"), { type: "error", title: "The test was not sent", more: failure.message });
  }
}

async function act(path, words) {
  try {
    toasts.show($("toasts"), { type: "success", title: words(await ask(path, { method: "POST" })) });
  } catch (failure) {
    toasts.show($("toasts"), { type: "error", title: "That did not work", more: failure.message });
  }
}

function setRange(wanted) {
  hours = wanted;
  try {
    localStorage.setItem(RANGE, String(hours));
  } catch {
    // Storage may be forbidden: the choice then lasts as long as the page.
  }
  store.view.incomplete = "range";
  whole_at = 0;
  makeWhole();
  backfill();
}

watchTheme();
document.documentElement.classList.add("loading");
toasts.mount($("toasts"), store);
connection.mount($("connection"), store, {
  banner: $("banner"), announce: $("announce"), hurry: () => link.hurry(), resume,
});
controls.mount($("controls"), store, {
  range: hours, setRange, pause, resume, keys: $("keys"),
});
sources.mount($("sources"), store, { bar: $("bar-source"), count: $("sources-count"), title: $("host"), facts: $("facts"), time: $("clock") });
alerts.mountCounts({ bar: $("counts"), rail: $("rail-alerts") }, store);
tiles.mount($("tiles"), store);
for (const name of CHARTS) chart.mount($(`chart-${name}`), store, name);
processes.mount($("processes"), store);
alerts.mount($("alerts"), store);
notifications.mount($("notifications"), store, { test, bell: $("bell"), rail: $("rail-notifications") });
server.mount($("server"), store, { ask, act });
rail.mount($("rail-views"));

addEventListener("online", () => link.hurry());
addEventListener("offline", () => link.doubt());
share.reach();
link.start();
pulse.start();
// After the start: a page that opens in the background rests in its turn.
new Attention({
  page: document, frame: window,
  rest() {
    link.pause();
    share.release();
  },
  wake() {
    if (!held && link.state === "paused") link.resume();
  },
});
