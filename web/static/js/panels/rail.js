// Where one can go: the views, and every source with its health by shape, what is unusual first.

import { el, say, severity } from "../dom.js";
import { duration } from "../format.js";
import { t } from "../words.js";

// src-2 before src-10.
const ORDER = new Intl.Collator("en", { numeric: true });
const RANK = { critical: 0, warning: 1, fine: 2 };
const LOST = 1;
const SOON_MS = 1_000;

/** `views` are the links of the views, marked by where the page is; `sources` is the list. */
export function mount({ views, sources, count, bar }, page) {
  const { store, route } = page;
  const items = new Map();

  const here = () => {
    for (const link of views.querySelectorAll("a")) {
      // One dashboard is a place among the dashboards; two moments are those of a source.
      if (link.dataset.view === ({ dashboard: "dashboards", compare: "host" }[page.view] ?? page.view)) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const shown = page.view === "host" || page.view === "compare" ? route.get("source") || store.view.source : "";
    for (const [name, { link }] of items) {
      if (name === shown) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    say(bar, shown || store.view.source);
    bar.title = bar.textContent;
    bar.classList.add("shown");
  };

  const draw = () => {
    const { view } = store;
    if (!view.ready) return;
    const all = [...view.sources.values()].map((one) => ({ ...one, health: health(store, one) }));
    const rank = (one) => (one.source === view.source ? -1 : RANK[one.health]);
    all.sort((a, b) => rank(a) - rank(b) || ORDER.compare(a.source, b.source));
    let before = null;
    for (const one of all) {
      const { item, shape, since } = items.get(one.source) ?? made(one.source);
      severity(shape, one.health);
      item.dataset.state = one.state;
      say(since, one.state !== "lost" ? "" : Number.isNaN(one.last_seen) ? t("never measured") : t("silent for {time}", { time: duration(store.now() - one.last_seen) }));
      const place = before === null ? sources.firstElementChild : before.nextElementSibling;
      if (place !== item) sources.insertBefore(item, place);
      before = item;
    }
    for (const [name, { item }] of items) {
      if (view.sources.has(name)) continue;
      item.remove();
      items.delete(name);
    }
    say(count, all.length > 1 ? String(all.length) : "");
    here();
  };

  const made = (source) => {
    const shape = el("span.severity");
    const since = el("span.since");
    const link = el("a", { href: `/analytics?${new URLSearchParams({ view: "host", source })}`, title: source }, el("span.name", {}, source), shape, since);
    const item = el("li", { "data-source": source }, link);
    const one = { item, link, shape, since };
    items.set(source, one);
    return one;
  };

  let timer = 0;
  const soon = () => {
    if (!timer) {
      timer = setTimeout(() => {
        timer = 0;
        draw();
      }, SOON_MS);
    }
  };
  store.on("sources", soon);
  store.on("load", draw);
  store.on("alerts", draw);
  store.on("recording", draw);
  return { here };
}

/** The worst of a source: its alerts, and that it is silent. */
export function health(store, { source, state }) {
  let worst = state === "lost" || (source === store.view.source && store.recording.stalled) ? LOST : 2;
  for (const one of store.view.alerts.values()) if (one.source === source) worst = Math.min(worst, RANK[one.severity]);
  return Object.keys(RANK)[worst];
}
