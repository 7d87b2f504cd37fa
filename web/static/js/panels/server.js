// Playhead itself: what it costs, how fast it answers, what its cache and its log are doing. Asked only while looked at.

import { el, say } from "../dom.js";
import { count, duration, figures, percent, text } from "../format.js";
import { t } from "../words.js";
import { sheet } from "./sheet.js";

const EVERY_MS = 5_000;

// What is told of the server, by subject: [name, read(stats) → [number, unit]].
const SUBJECTS = [
  ["Cache", [
    ["Cache hit rate", ({ cache }) => share(cache.hit_rate)],
    ["Hits · misses", ({ cache }) => [`${count(cache.hits)} · ${count(cache.misses)}`]],
    ["Cached answers", ({ cache }) => [count(cache.entries), t("of {n}", { n: count(cache.max_entries) })]],
    ["Cache size", ({ cache }) => pair("bytes", cache.bytes)],
    ["Evicted", ({ cache }) => [count(cache.evictions)]],
    ["Expired", ({ cache }) => [count(cache.expirations)]],
    ["Outdated by events", ({ cache }) => [count(cache.invalidations)]],
  ]],
  ["Requests", [
    ["Requests", ({ requests: { recent } }) => [figures(recent.per_second), t("per second")]],
    ["Errors", ({ requests: { recent } }) => share(recent.error_ratio)],
    ["Response p95", ({ requests: { recent } }) => pair("seconds", recent.p95_s)],
    ["Since the start", ({ requests: { total } }) => [count(total.count)]],
    ["Refused", ({ requests: { total } }) => [count(total.refused)]],
    ["Loop lag", ({ loop_lag_s }) => pair("seconds", loop_lag_s)],
  ]],
  ["Connections", [
    ["Connections", ({ connections }) => [count(Object.values(connections).reduce((sum, n) => sum + n, 0)), Object.entries(connections).filter(([, n]) => n).map(([road, n]) => `${n} ${road}`).join(", ")]],
    ["Rooms", ({ delivery }) => [count(delivery.rooms_total)]],
    ["Waiting to be taken", ({ delivery }) => pair("bytes", delivery.waiting_bytes)],
    ["Read again from the log", ({ delivery }) => [count(delivery.log_reads)]],
    ["Goodbyes", ({ delivery }) => [count(Object.values(delivery.goodbyes).reduce((sum, n) => sum + n, 0)), Object.entries(delivery.goodbyes).map(([code, n]) => `${n} ${code}`).join(", ")]],
  ]],
  ["Log", [
    ["Events", ({ log }) => [count(log.events)]],
    ["Head · floor", ({ log }) => [`${count(log.head)} · ${count(log.floor)}`]],
    ["Log", ({ log }) => pair("bytes", log.bytes + log.wal_bytes)],
    ["Samples", ({ log }) => [count(log.samples)]],
    ["A sample takes", ({ log }) => [figures(log.bytes_per_sample ?? NaN), t("bytes")]],
    ["Commit p50", ({ log }) => pair("seconds", log.commit_p50_s)],
    ["Commit p99", ({ log }) => pair("seconds", log.commit_p99_s)],
    ["Waiting to be written", ({ log }) => [count(log.queue_events), t("events")]],
    ["Damaged", ({ log }) => [count(log.damaged)]],
  ]],
  ["Process", [
    ["CPU", ({ process }) => [share(process.cpu_ratio)[0], t("% of a core")]],
    ["Memory", ({ process }) => pair("bytes", process.resident_bytes)],
    ["Threads", ({ process }) => [count(process.threads)]],
    ["Up", ({ process }) => [duration(process.uptime_s)]],
  ]],
];
const FIGURES = SUBJECTS.flatMap(([, all]) => all);

const share = (ratio) => [percent(100 * (ratio ?? NaN)), "%"];

const milliseconds = (value) => text("seconds", value === null ? null : value / 1000);

function pair(unit, value) {
  const [number, ...suffix] = text(unit, value ?? undefined).split(" ");
  return [number, suffix.join(" ")];
}

/** The same over any view. */
export function open(page) {
  sheet("performance", t("Performance"), (body) => mount(body, page), "wide");
}

export function mount(root, { store, ask, act }) {
  const aside = el("span.aside");
  const cells = FIGURES.map(([name]) => {
    const number = el("span", {}, "–");
    const unit = el("small");
    return { number, unit, pair: el("div", {}, el("dt", {}, t(name)), el("dd", {}, number, unit)) };
  });
  const body = el("tbody");
  const rooms = el("tbody");
  let next = 0;
  const subjects = SUBJECTS.map(([name, all]) => el("section.subject", {}, el("h3", {}, t(name)), el("dl.figures", {}, ...cells.slice(next, (next += all.length)).map((one) => one.pair))));
  const button = (label, run) => {
    const made = el("button.button.small", { type: "button" }, label);
    made.addEventListener("click", async () => {
      made.disabled = true;
      await run();
      made.disabled = false;
      refresh();
    });
    return made;
  };
  root.append(
    el("header", {}, el("h2", { id: "server-title" }, t("Server")), aside, el("span.end", {},
      button(t("Clear cache"), () => act("/api/realtime/cache/clear", ({ cleared }) => t("Cache cleared: {cleared} entries went.", { cleared }))),
      button(t("Preload cache"), () => act("/api/realtime/cache/preload", ({ preloaded, entries, hours }) => t("Cache preloaded: {preloaded} came for {hours} h, {entries} entries now.", { preloaded, entries, hours: hours.join(", ") }))))),
    el("div.subjects", {}, ...subjects),
    el("div.scroll", { tabindex: "0", role: "region", "aria-label": t("Requests by endpoint") }, el("table.endpoints", {}, el("thead", {}, el("tr", {},
      ...[t("endpoint"), t("requests"), t("errors"), t("refused"), "p50", "p95", "p99", t("most")].map((name, k) => el(k ? "th.n" : "th", { scope: "col" }, name)))), body)),
    el("div.scroll", { tabindex: "0", role: "region", "aria-label": t("Rooms") }, el("table.rooms", {}, el("thead", {}, el("tr", {},
      el("th", { scope: "col" }, t("room")), el("th.n", { scope: "col" }, t("present")))), rooms)));

  const draw = (stats) => {
    FIGURES.forEach(([, read], k) => {
      const [number, unit = ""] = read(stats);
      say(cells[k].number, number);
      say(cells[k].unit, unit);
    });
    const busiest = [...stats.requests.endpoints].sort((a, b) => b.count - a.count);
    body.replaceChildren(...busiest.map((one) => el("tr", {}, el("td", {}, one.endpoint),
      ...[count(one.count), count(one.errors), count(one.refused), ...[one.p50_ms, one.p95_ms, one.p99_ms, one.max_ms].map(milliseconds)].map((cell) => el("td.n", {}, cell)))));
    rooms.replaceChildren(...Object.entries(stats.delivery.rooms).map(([room, present]) => el("tr", {}, el("td", {}, room), el("td.n", {}, count(present)))));
  };

  let visible = false;
  const refresh = async () => {
    if (!visible || document.hidden || store.link.state !== "live") return;
    try {
      draw(await ask("/api/realtime/performance/stats"));
      say(aside, store.view.version ? `Playhead ${store.view.version}` : "");
    } catch (failure) {
      say(aside, failure.message);
    }
  };
  const watch = new IntersectionObserver((entries) => {
    visible = entries.at(-1).isIntersecting;
    if (visible) refresh();
  });
  watch.observe(root);
  const timer = setInterval(refresh, EVERY_MS);
  let was = "";
  const off = store.on("link", ({ state }) => {
    if (state === "live" && was !== "live") refresh();
    was = state;
  });
  return () => {
    watch.disconnect();
    clearInterval(timer);
    off();
    root.replaceChildren();
  };
}
