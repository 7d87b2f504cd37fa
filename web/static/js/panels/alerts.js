// Open alerts, worst first.

import { el, say, severity } from "../dom.js";
import { clock, day, duration, text } from "../format.js";
import { painter } from "../paint.js";
import { micro } from "../wire.js";
import { t } from "../words.js";
import * as trigger from "./trigger.js";

const RANK = { critical: 0, warning: 1 };
// Of each side of what an alert's link leads to.
const MARGIN_S = 120;
// A hair later it is known.
const KNOWN_S = 0.001;

/** `wanted(alert)` says which are listed, all when it is left out; `others` is said where others fire. On a page with several lists each has an id and a title of its own. */
export function mount(root, page, wanted = () => true, { id: named = "alerts-title", title = t("Alerts"), others = t("Nothing that is firing passes the filter.") } = {}) {
  const { store } = page;
  const list = el("ul.entries");
  const none = el("p.empty-line", { hidden: true });
  const aside = el("span.aside");
  root.append(el("header", {}, el("h2", { id: named }, title), aside), list, none);
  const entries = new Map();

  const draw = () => {
    const { view } = store;
    if (!view.ready) return;
    const all = [...view.alerts.values()];
    const open = all.filter(wanted).sort((a, b) => RANK[a.severity] - RANK[b.severity] || b.since - a.since);
    say(aside, open.length ? t("{n} open", { n: open.length }) : "");
    const shown = new Set(open.map(({ id }) => id));
    for (const [id, one] of entries) {
      if (shown.has(id)) continue;
      one.leave();
      entries.delete(id);
    }
    let before = null;
    for (const alert of open) {
      let one = entries.get(alert.id);
      if (one === undefined) entries.set(alert.id, (one = entry(page, alert)));
      say(one.when, t("for {time}", { time: duration(store.now() - alert.since) }));
      const place = before === null ? list.firstElementChild : before.nextElementSibling;
      if (place !== one.item) list.insertBefore(one.item, place);
      before = one.item;
    }
    none.hidden = open.length > 0;
    say(none, all.length ? others : t("Nothing is firing."));
    root.dataset.open = open.map(({ id }) => id).join(" ");
  };

  const { ask, stop } = painter(root, draw);
  ask();
  const off = [store.on("alerts", ask), ...["metrics", "clock"].map((topic) => store.on(topic, () => store.view.alerts.size && ask()))];
  const leave = () => {
    stop();
    for (const one of entries.values()) one.leave();
    for (const one of off) one();
    root.replaceChildren();
  };
  return Object.assign(leave, { ask });
}

/** One alert, open or over → { item, when, leave }. */
export function entry(page, alert) {
  const shape = el("span.severity");
  severity(shape, alert.state === "resolved" ? "fine" : alert.severity);
  const when = el("span.when");
  const canvas = el("canvas.trigger", { role: "img", "aria-label": t("{series} around the alert", { series: alert.series }) });
  const item = el("li.alert", { "data-id": alert.id, "data-state": alert.state }, shape, el("span.what", {}, alert.message), when, canvas,
    el("p.more", {}, [
      t("{value} against {limit}", { value: text(alert.unit, alert.value), limit: text(alert.unit, alert.threshold) }),
      t("since {when}", { when: `${day(alert.since)} ${clock(alert.since)}` }), alert.source, alert.series,
    ].join(" · "), " ", el("a.jump", { href: place(page, alert) }, t("Show the moment")),
    " ", el("button.link.jump", { type: "button", "aria-label": t("Compare the moment of {text} side by side", { text: alert.message }), onclick: () => page.abreast({ at: alert.at + KNOWN_S, source: alert.source }) }, t("Side by side"))));
  const stop = trigger.mount(canvas, page, alert);
  return {
    item, when,
    leave() {
      stop();
      item.remove();
    },
  };
}

/** Where an alert can be seen among everything else of its source. */
export function place({ route, store }, alert) {
  const to = (alert.state === "resolved" ? alert.at : Math.min(store.now(), alert.since + MARGIN_S)) + MARGIN_S;
  const text = (at) => new Date(at * 1000).toISOString();
  return route.href({ view: "host", source: alert.source, at: micro(alert.at + KNOWN_S), from: text(alert.since - MARGIN_S), to: text(Math.min(to, store.now())) });
}
