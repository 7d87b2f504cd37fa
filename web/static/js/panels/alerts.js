// Open alerts, worst first, and their count by shape in the bar and the rail.

import { el, say, severity } from "../dom.js";
import { clock, day, duration, suffix, text } from "../format.js";
import { painter } from "../paint.js";
import { t } from "../words.js";

const RANK = { critical: 0, warning: 1 };

export function mount(root, { store }) {
  const list = el("ul.entries");
  const none = el("p.empty-line", { hidden: true });
  const aside = el("span.aside");
  root.append(el("header", {}, el("h2", { id: "alerts-title" }, t("Alerts")), aside), list, none);

  const draw = () => {
    const { view } = store;
    if (!view.ready) return;
    const open = [...view.alerts.values()].sort((a, b) => RANK[a.severity] - RANK[b.severity] || b.since - a.since);
    say(aside, open.length ? t("{n} open", { n: open.length }) : "");
    list.replaceChildren(...open.map((alert) => entry(alert, store.now())));
    none.hidden = open.length > 0;
    say(none, view.rules.length
      ? t("Nothing is firing. Watched: {rules}.", { rules: view.rules.map(({ title, above, unit }) => t("{title} above {limit} {unit}", { title: t(title), limit: above, unit: suffix(unit) })).join(", ") })
      : t("Nothing is firing."));
    root.dataset.open = open.map(({ id }) => id).join(" ");
  };

  const { ask, stop } = painter(root, draw);
  ask();
  const off = [store.on("alerts", ask), ...["metrics", "clock"].map((topic) => store.on(topic, () => store.view.alerts.size && ask()))];
  return () => {
    stop();
    for (const one of off) one();
    root.replaceChildren();
  };
}

function entry(alert, now) {
  const shape = el("span.severity");
  severity(shape, alert.severity);
  return el("li", { "data-id": alert.id }, shape, el("span.what", {}, alert.message),
    el("span.when", {}, t("for {time}", { time: duration(now - alert.since) })),
    el("p.more", {}, `${t("{value} against {limit}", { value: text(alert.unit, alert.value), limit: text(alert.unit, alert.threshold) })} · ${t("since {when}", { when: `${day(alert.since)} ${clock(alert.since)}` })} · ${alert.source} · ${alert.series}`));
}

/** The counts outside the panel: bar and rail. */
export function mountCounts({ bar, rail }, store) {
  const critical = el("span", {}, "");
  const warning = el("span", {}, "");
  const none = el("span.none", {}, "");
  const shapes = [el("span.severity"), el("span.severity"), el("span.severity")];
  ["critical", "warning", "fine"].forEach((level, k) => severity(shapes[k], level));
  const parts = [el("span", {}, shapes[0], " ", critical), el("span", {}, shapes[1], " ", warning), el("span", {}, shapes[2], " ", none)];
  bar.append(...parts);
  const draw = () => {
    const { view } = store;
    const count = { critical: 0, warning: 0 };
    for (const one of view.alerts.values()) count[one.severity] += 1;
    say(critical, String(count.critical));
    say(warning, String(count.warning));
    say(none, view.ready ? "0" : "–");
    const all = count.critical + count.warning;
    parts[0].hidden = count.critical === 0;
    parts[1].hidden = count.warning === 0;
    parts[2].hidden = all > 0;
    bar.setAttribute("aria-label", t("Open alerts: {critical} critical, {warning} warning", count));
    say(rail, all ? String(all) : "");
  };
  draw();
  const off = [store.on("alerts", draw), store.on("load", draw)];
  return () => off.forEach((one) => one());
}
