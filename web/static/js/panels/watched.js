// What is watched: each rule on each series it judges, how it stands now, and how far that is from firing.

import { el, say } from "../dom.js";
import { duration, text } from "../format.js";
import { KPIS } from "../kpis.js";
import { painter } from "../paint.js";
import { t } from "../words.js";
import { factor } from "./trigger.js";

const MOST = 60;
const SILENT_S = 120;

export function mount(root, page, wanted = () => true) {
  const { store, catalogue } = page;
  const body = el("tbody");
  const none = el("p.empty-line", { hidden: true }, t("No series is watched yet."));
  const more = el("p.note", { hidden: true });
  root.append(el("header", {}, el("h2", { id: "watched-title" }, t("Watched"))),
    el("div.scroll", { tabindex: "0", role: "group", "aria-labelledby": "watched-title" }, el("table", {}, el("thead", {}, el("tr", {},
      ...[t("rule"), t("source"), t("now"), t("fires above"), t("distance")].map((name, k) => el(k > 1 ? "th.n" : "th", { scope: "col" }, name)))), body)), none, more);
  const rows = new Map();

  const draw = () => {
    // What stood a moment ago stays until it is known what stands here.
    if (store.past && store.view.seq >= 0 && !(then.view === store.view && then.named)) return;
    const found = standing(store, then.named).filter(wanted);
    const shown = found.slice(0, MOST);
    const keys = new Set(shown.map(({ key }) => key));
    for (const [key, one] of rows) {
      if (keys.has(key)) continue;
      one.row.remove();
      rows.delete(key);
    }
    let before = null;
    for (const one of shown) {
      const row = rows.get(one.key) ?? made(rows, one);
      say(row.now, one.silent ? t("silent") : text(one.unit, one.value));
      row.row.title = t("{name}: fires above {limit} for {hold}, ends below {clear}", {
        name: one.name, limit: text(one.unit, one.above), hold: duration(one.hold_s), clear: text(one.unit, one.clear),
      });
      say(row.limit, text(one.unit, one.above));
      row.meter.value = Number.isNaN(one.share) ? 0 : Math.min(one.share, 1);
      say(row.distance, one.silent ? "–" : one.firing ? t("firing") : one.value > one.above ? t("crossed") : text(one.unit, one.above - one.value));
      row.row.dataset.state = one.silent ? "silent" : one.firing ? "firing" : one.value > one.above ? "crossed" : "fine";
      const place = before === null ? body.firstElementChild : before.nextElementSibling;
      if (place !== row.row) body.insertBefore(row.row, place);
      before = row.row;
    }
    none.hidden = shown.length > 0;
    more.hidden = found.length <= MOST && !unknown;
    say(more, unknown || t("The {n} nearest to firing of {all}.", { n: MOST, all: found.length }));
  };

  // A page knows the series of the source it opened on; what is watched on all the others has to be asked for.
  let unknown = "";
  const names = () => [...new Set(store.view.rules.map(({ kpi }) => KPIS[kpi]?.name).filter(Boolean))];
  const learn = () => catalogue.named(names()).then(() => (unknown = ""), (failure) => (unknown = failure.message)).then(ask);
  // And of a moment of the past, who had been named by then and what they had said: one question at a time, for the newest moment.
  let then = { view: null, named: null };
  let [asking, left] = [false, false];
  const look = async () => {
    if (asking) return;
    asking = true;
    while (!left && store.past && store.view.seq >= 0 && store.view !== then.view) {
      const { view } = store;
      then = { view, named: null };
      try {
        const { series, metrics } = await catalogue.stood(names(), store.playhead);
        if (store.view !== view) continue;
        then.named = new Set(series.map(({ id }) => id));
        unknown = "";
        store.replay({ type: "known", series, metrics });
      } catch (failure) {
        then.named = new Set();
        unknown = failure.message;
      }
    }
    asking = false;
    ask();
  };
  const { ask, stop } = painter(root, draw);
  ask();
  learn();
  look();
  const off = [...["metrics", "alerts", "series", "load"].map((topic) => store.on(topic, ask)), store.on("load", learn), store.on("sources", look)];
  const leave = () => {
    left = true;
    stop();
    for (const one of off) one();
    root.replaceChildren();
  };
  return Object.assign(leave, { ask });
}

function made(rows, { key, name, source, rule }) {
  const [now, limit, distance] = [el("td.n"), el("td.n"), el("span")];
  const meter = el("meter", { min: "0", max: "1", high: "0.85", "aria-label": t("How near {name} is to firing", { name }) });
  const row = el("tr", { "data-rule": rule, "data-source": source }, el("td", {}, name), el("td", {}, source), now, limit, el("td.n", {}, distance, meter));
  const one = { row, now, limit, distance, meter };
  rows.set(key, one);
  return one;
}

/** Every watched series the page knows of, the nearest to firing first; of the past those that were `named` by then, or have been heard since. */
export function standing({ view, past }, named = null) {
  const open = new Set([...view.alerts.values()].map(({ rule, series, source }) => `${rule} ${source} ${series}`));
  const all = [];
  for (const rule of view.rules) {
    const name = KPIS[rule.kpi]?.name;
    for (const one of view.by_name.get(name) ?? []) {
      const raw = view.latest.get(one.id);
      if (past && raw === undefined && !named?.has(one.id)) continue;
      const value = raw === undefined ? NaN : raw * factor(rule);
      const now = view.sources.get(one.source)?.last_seen ?? view.at;
      const labels = Object.values(one.labels).join(" ");
      const key = `${rule.rule} ${one.source} ${one.series}`;
      const silent = Number.isNaN(value) || Math.abs(now - view.latest_at.get(one.id)) > SILENT_S || view.sources.get(one.source)?.state === "lost";
      all.push({
        ...rule, key, source: one.source, name: [t(rule.title), labels].filter(Boolean).join(" "), value, silent,
        share: silent ? -1 : value / rule.above, firing: open.has(key),
      });
    }
  }
  return all.sort((a, b) => b.share - a.share || (a.key < b.key ? -1 : 1));
}
