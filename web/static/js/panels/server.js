// Playhead itself: what it costs, how fast it answers, what its cache and its log are doing. Asked only while looked at.

import { el, say } from "../dom.js";
import { count, figures, percent, text } from "../format.js";
import { t } from "../words.js";

const EVERY_MS = 5_000;
const ENDPOINTS = 8;

const FIGURES = [
  ["Cache hit rate", ({ cache }) => share(cache.hit_rate)],
  ["Hits · misses", ({ cache }) => [`${count(cache.hits)} · ${count(cache.misses)}`]],
  ["Cached answers", ({ cache }) => [count(cache.entries), text("bytes", cache.bytes)]],
  ["Evicted", ({ cache }) => [count(cache.evictions)]],
  ["Connections", ({ connections }) => [count(Object.values(connections).reduce((sum, n) => sum + n, 0)), Object.entries(connections).filter(([, n]) => n).map(([road, n]) => `${n} ${road}`).join(", ")]],
  ["Requests", ({ requests: { recent } }) => [figures(recent.per_second), t("per second")]],
  ["Errors", ({ requests: { recent } }) => share(recent.error_ratio)],
  ["Loop lag", ({ loop_lag_s }) => pair("seconds", loop_lag_s)],
  ["Commit p99", ({ log }) => pair("seconds", log.commit_p99_s)],
  ["Log", ({ log }) => pair("bytes", log.bytes + log.wal_bytes)],
  ["Events", ({ log }) => [count(log.events)]],
  ["A sample takes", ({ log }) => [figures(log.bytes_per_sample ?? NaN), t("bytes")]],
  ["CPU", ({ process }) => [share(process.cpu_ratio)[0], t("% of a core")]],
  ["Memory", ({ process }) => pair("bytes", process.resident_bytes)],
];

const share = (ratio) => [percent(100 * (ratio ?? NaN)), "%"];

const milliseconds = (value) => text("seconds", value === null ? null : value / 1000);

function pair(unit, value) {
  const [number, ...suffix] = text(unit, value ?? undefined).split(" ");
  return [number, suffix.join(" ")];
}

export function mount(root, { store, ask, act }) {
  const aside = el("span.aside");
  const cells = FIGURES.map(([name]) => {
    const number = el("span", {}, "–");
    const unit = el("small");
    return { number, unit, pair: el("div", {}, el("dt", {}, t(name)), el("dd", {}, number, unit)) };
  });
  const body = el("tbody");
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
      button(t("Clear cache"), () => act("/api/realtime/cache/clear", ({ cleared }) => t("Cache cleared: {n} entries went.", { n: cleared }))),
      button(t("Preload cache"), () => act("/api/realtime/cache/preload", ({ preloaded, entries }) => t("Cache preloaded: {spans} spans, {n} entries now.", { spans: preloaded, n: entries }))))),
    el("dl.figures", {}, ...cells.map((one) => one.pair)),
    el("div.scroll", { tabindex: "0", role: "region", "aria-label": t("Requests by endpoint") }, el("table", {}, el("thead", {}, el("tr", {},
      ...[t("endpoint"), t("requests"), t("errors"), "p50", "p95", "p99"].map((name, k) => el(k ? "th.n" : "th", { scope: "col" }, name)))), body)));

  const draw = (stats) => {
    FIGURES.forEach(([, read], k) => {
      const [number, unit = ""] = read(stats);
      say(cells[k].number, number);
      say(cells[k].unit, unit);
    });
    const busiest = [...stats.requests.endpoints].sort((a, b) => b.count - a.count).slice(0, ENDPOINTS);
    body.replaceChildren(...busiest.map((one) => el("tr", {}, el("td", {}, one.endpoint),
      ...[count(one.count), count(one.errors), ...[one.p50_ms, one.p95_ms, one.p99_ms].map(milliseconds)].map((cell) => el("td.n", {}, cell)))));
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
