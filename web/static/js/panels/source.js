// A source at a glance: its name and health, what is the matter, and a few figures with their sparks.

import { el, say, severity } from "../dom.js";
import { clock, day, figures as rounded, measured, percent, span as largest, suffix } from "../format.js";
import { Drawn, painter } from "../paint.js";
import { onTheme, palette } from "../palette.js";
import { readable } from "../plan.js";
import { spark } from "../spark.js";
import { Trail, pixel } from "../trail.js";
import { parsed } from "../wire.js";
import { t } from "../words.js";
import { health } from "./rail.js";

const SHOWN = 4;
// From so many deviations on a figure is called unusual.
export const UNUSUAL = 4;
const POINTS = 120;
// As in overview.css: asking the canvas would lay the page out each time.
const GAP = 14;
const HEIGHT = 26;
const UNIT_RATE = /_?per_second$/;

// Figures of hosts in the order they are shown; `of` are the server's sparks that are added up to one.
const KNOWN = [
  { of: ["cpu_percent"], title: "CPU", high: 100, rule: "cpu" },
  { of: ["memory_percent"], title: "Memory", high: 100, rule: "memory" },
  { of: ["disk_percent"], title: "Disk", high: 100, rule: "disk" },
  { of: ["network_receive_bytes_per_second", "network_transmit_bytes_per_second"], title: "Network", high: 1e4 },
  { of: ["disk_read_bytes_per_second", "disk_write_bytes_per_second"], title: "Disk traffic", high: 1e5 },
  { of: ["load_1m"], title: "Load 1 m", high: 1 },
];

/**
 * What is shown of a source, from its entry in the answer of `overview`:
 * [{ key, title, unit, high, rule, rate, parts: [{ ids, way, scale }] }]. What is unusual is always among them.
 */
export function figures({ sparks, unusual, unusual_in }) {
  const known = KNOWN.map((one) => ({ ...one, of: one.of.filter((name) => sparks[name]) })).filter(({ of }) => of.length);
  const all = known.length
    ? known.map(({ of, title, high, rule }) => ({ key: of[0], names: of, title: t(title), unit: sparks[of[0]].unit, high, rule: rule ?? "", rate: false, parts: of.map((name) => sparks[name]) }))
    : Object.entries(sparks).map(([text, one]) => ({ key: text, names: [text], ...called(text, one), high: 0, rule: "", rate: one.fn === "rate", parts: [one] }));
  const odd = unusual >= UNUSUAL ? all.findIndex(({ names }) => names.includes(unusual_in)) : -1;
  if (odd >= SHOWN) all.splice(SHOWN - 1, 0, ...all.splice(odd, 1));
  return all.slice(0, SHOWN).map((one) => ({ ...one, odd: odd >= 0 && one.names.includes(unusual_in) }));
}

function called(text, { unit, fn }) {
  const { name, labels } = parsed(text);
  const own = fn === "rate" ? unit.replace(UNIT_RATE, "") : unit;
  return { title: [readable(name, own), ...Object.values(labels)].join(" "), unit };
}

/** Values of a row, part after part → the figure. NaN where nothing was read. */
export function joined(parts, values) {
  let sum = NaN;
  let k = 0;
  for (const { ids, way, scale } of parts) {
    let found = NaN;
    for (const value of values.slice(k, (k += ids.length))) {
      if (value === undefined || Number.isNaN(value)) continue;
      if (Number.isNaN(found)) found = value;
      else if (way === "sum") found += value;
      else if (way === "highest") found = Math.max(found, value);
    }
    if (!Number.isNaN(found)) sum = (Number.isNaN(sum) ? 0 : sum) + found * scale;
  }
  return sum;
}

/** Fills the article `root`; `glanced()` is the source's entry in the newest overview, undefined before there is one. */
export function mount(root, page, source, glanced) {
  const { store, span, tapes, route } = page;
  // What is unusual now was not so then.
  const glance = () => (store.past && glanced() ? { ...glanced(), unusual: 0, unusual_in: null } : glanced());
  const shape = el("span.severity");
  const link = el("a", { href: "" }, source);
  const since = el("span.since");
  const list = el("dl.glance");
  const matter = el("p.matter", {}, "\u00a0");
  root.replaceChildren(el("header", {}, shape, el("h2", { title: source }, link), since), list, matter);
  root.dataset.source = source;
  let tiles = [];
  let mark = "";
  let seen = false;

  const furnish = () => {
    const told = glance();
    const wanted = told ? figures(told) : [];
    const now = JSON.stringify([store.view.epoch, wanted.map(({ key, parts, odd }) => [key, odd, parts.map(({ ids }) => ids)])]);
    if (now === mark) return;
    mark = now;
    for (const { tape } of tiles) tape.close();
    tiles = wanted.map((figure) => {
      const number = el("span", {}, "–");
      const unit = el("small");
      const line = el("canvas", { "aria-hidden": "true" });
      const ids = figure.parts.flatMap((part) => part.ids);
      const cell = el("div", { "data-figure": figure.key }, el("dt", { title: figure.title }, figure.title), el("dd", {}, number, unit, line));
      const tape = tapes.open({ kind: "line", ids, points: POINTS, counters: figure.rate, source });
      tape.changed = ask;
      tape.look(seen);
      return { figure, ids, cell, number, unit, line, tape, trail: new Trail((values) => joined(figure.parts, values)), drawn: new Drawn() };
    });
    list.replaceChildren(...tiles.map(({ cell }) => cell));
  };

  const draw = () => {
    furnish();
    const { view } = store;
    const me = view.sources.get(source) ?? { source, state: "lost", last_seen: NaN };
    const worst = health(store, me);
    severity(shape, worst);
    root.dataset.level = worst;
    root.dataset.state = me.state;
    const silent = me.state === "lost";
    say(since, silent ? lost(store, me) : "");
    if (since.title !== since.textContent) since.title = since.textContent;
    const href = route.href({ view: "host", source });
    if (link.getAttribute("href") !== href) link.setAttribute("href", href);
    const firing = [...view.alerts.values()].filter((one) => one.source === source);
    say(matter, words(store, firing, tiles, glance()) || "\u00a0");
    matter.title = matter.textContent;
    const colours = palette();
    const { from, to } = span.shown();
    for (const { figure, ids, cell, number, unit, line, trail, tape, drawn } of tiles) {
      const table = trail.follow(tape.table);
      let value = joined(figure.parts, ids.map((id, k) => (store.past ? tape.said(k) : figure.rate ? store.said(id, { source }) : view.latest.get(id))));
      if (!store.past && Number.isNaN(value)) value = told(glance(), figure, table);
      const rule = view.rules.find((one) => one.rule === figure.rule);
      const alarm = firing.find((one) => one.rule === figure.rule && figure.rule);
      const level = alarm?.severity ?? (rule && value > rule.above ? "warning" : figure.odd ? "odd" : "fine");
      const said = figure.unit === "percent" ? { number: percent(value), unit: "%" } : measured(figure.unit, value);
      say(number, said.number);
      say(unit, said.number === "–" ? "" : said.unit);
      cell.dataset.level = level;
      cell.dataset.value = String(value);
      if (!drawn.differs([table, level, silent, size.height, colours, pixel(store.playhead, from, to, size.width)], { from, to }, size.width)) continue;
      const colour = level === "critical" ? colours.critical : level === "warning" ? colours.warning : silent ? colours.muted : colours.series[0];
      spark(line, table, { from, to, low: 0, high: figure.high, size, colour, limit: rule?.above ?? NaN, until: store.playhead, mark: colours.past });
    }
  };

  let size = { width: 0, height: 0 };
  const { ask, stop } = painter(root, draw, (now) => {
    seen = now;
    for (const { tape } of tiles) tape.look(now);
  });
  const watch = new ResizeObserver(([{ contentRect: { width } }]) => {
    // Four abreast, in what is left of the list's width between their gaps.
    size = { width: Math.max(0, (width - (SHOWN - 1) * GAP) / SHOWN), height: HEIGHT };
    ask();
  });
  watch.observe(list);
  const off = [span.on(ask), store.on("playhead", ask), onTheme(ask)];
  ask();
  return {
    ask,
    leave() {
      stop();
      watch.disconnect();
      for (const { tape } of tiles) tape.close();
      for (const one of off) one();
    },
  };
}

function last(table) {
  const [, value] = table.rows();
  for (let i = value.length - 1; i >= 0; i -= 1) if (!Number.isNaN(value[i])) return value[i];
  return NaN;
}

/** Of what says nothing now: the newest that was read, or what the server knows. */
function told(glance, figure, table) {
  const newest = last(table);
  if (!Number.isNaN(newest) || !glance) return newest;
  const known = figure.names.map((name) => glance.kpis[name]).filter((value) => value !== null && value !== undefined);
  return known.length ? known.reduce((sum, value) => sum + value, 0) : NaN;
}

function lost(store, { last_seen }) {
  if (!last_seen) return t("never measured");
  const at = store.now() - last_seen < 86_400 ? clock(last_seen) : `${day(last_seen)} ${clock(last_seen)}`;
  return t("silent for {time}, since {at}", { time: largest(store.now() - last_seen), at });
}

/** The one line that says what is the matter: the worst alert, else what is far from usual. */
function words(store, firing, tiles, glance) {
  if (firing.length) {
    const [worst] = firing.sort((a, b) => (a.severity === "critical" ? 0 : 1) - (b.severity === "critical" ? 0 : 1) || a.since - b.since);
    const rule = store.view.rules.find((one) => one.rule === worst.rule);
    const said = rule
      ? t("{name} above {limit} {unit} for {time}", { name: t(rule.title ?? rule.rule), limit: rounded(rule.above), unit: suffix(rule.unit), time: largest(store.now() - worst.since) })
      : t("alert for {time}", { time: largest(store.now() - worst.since) });
    return firing.length > 1 ? t("{text} · {n} more", { text: said, n: firing.length - 1 }) : said;
  }
  const odd = glance && tiles.find(({ figure }) => figure.odd);
  return odd ? t("{name} is far from usual", { name: odd.figure.title }) : "";
}
