// The key figures of a source: name and severity, one number, a sparkline, and one line that helps to decide.

import { el, say, severity } from "../dom.js";
import { figures, measured, percent, scale, span as largest, suffix, text } from "../format.js";
import { joined } from "../kpis.js";
import { onTheme, palette } from "../palette.js";
import { Drawn, painter } from "../paint.js";
import { perSecond, readable } from "../plan.js";
import { spark } from "../spark.js";
import { Trail, pixel } from "../trail.js";
import { t } from "../words.js";

const share = (value) => ({ number: percent(value), unit: "%" });
// An application has no figures that we know by name: the first of what it pushes then.
const OWN = 7;

const TILES = [
  {
    kpi: "cpu_percent", rule: "cpu", title: () => t("CPU"), value: share, high: 100,
    context: (store, source) => {
      const cores = store.find("system_cpu_core_utilization_ratio", {}, source).length || facts(store, source).cores;
      return cores ? t(cores === 1 ? "{n} core" : "{n} cores", { n: cores }) : "";
    },
  },
  {
    kpi: "memory_percent", rule: "memory", title: () => t("Memory"), value: share, high: 100,
    context: (store, source) => {
      const total = store.value("system_memory_total_bytes", {}, source);
      if (total === undefined) return "";
      const used = (store.kpi("memory_percent", source) / 100) * total;
      const { factor, suffix: size } = scale("bytes", total);
      return t("{used} of {total}", { used: figures(used * factor), total: `${figures(total * factor)} ${size}` });
    },
  },
  {
    kpi: "disk_percent", rule: "disk", title: (store, source) => t("Disk {place}", { place: fullest(store, source)?.labels.mountpoint ?? "" }), value: share, high: 100,
    context: (store, source) => {
      const one = fullest(store, source);
      if (one === null) return "";
      const place = { mountpoint: one.labels.mountpoint };
      const left = store.value("system_filesystem_bytes", { ...place, state: "available" }, source)
        ?? store.value("system_filesystem_bytes", { ...place, state: "free" }, source);
      return left === undefined ? "" : t("{size} free", { size: text("bytes", left) });
    },
  },
  {
    kpi: "network_receive", also: "network_transmit", title: () => t("Network"), high: 1e4,
    value: (...values) => measured("bytes_per_second", ...values),
    context: (store, source) => {
      const [into, out] = [store.kpi("network_receive", source), store.kpi("network_transmit", source)];
      const { factor } = scale("bytes_per_second", into + out);
      return Number.isNaN(into) ? "" : t("in {in} · out {out}", { in: figures(into * factor), out: figures(out * factor) });
    },
  },
  {
    kpi: "load_1m", title: () => t("Load 1 m"), value: (value) => ({ number: figures(value), unit: "" }), high: 1,
    context: (store, source) => {
      const [five, fifteen] = ["5m", "15m"].map((period) => store.value("system_load", { period }, source));
      return five === undefined ? "" : `5 m ${figures(five)} · 15 m ${figures(fifteen)}`;
    },
  },
  {
    kpi: "response_time_ms", rule: "response_time", title: () => t("Response p95"), high: 5,
    value: (value) => ({ number: figures(value), unit: "ms" }),
    context: (store, source) => {
      const rate = store.kpi("requests_per_second", source);
      return Number.isNaN(rate) ? "" : t("{rate} req/s", { rate: figures(rate) });
    },
  },
  {
    kpi: "error_rate", rule: "error_rate", title: () => t("Errors"), value: share, high: 1,
    context: (store) => {
      const rule = store.view.rules.find((one) => one.rule === "error_rate");
      return rule ? t("alert above {limit} %", { limit: rule.above }) : "";
    },
  },
];

const facts = (store, source) => store.view.sources.get(source)?.facts ?? {};

function fullest(store, source) {
  let found = null;
  let most = -1;
  for (const one of store.find("system_filesystem_utilization_ratio", {}, source)) {
    const value = store.view.latest.get(one.id);
    if (value > most) [found, most] = [one, value];
  }
  return found;
}

/** The tiles that have something to say of this source. */
export function chosen(store, source) {
  if (source === store.view.source) return TILES;
  const known = TILES.filter(({ kpi }) => store.members(kpi, source).length);
  // A figure or two that bear a known name do not make a host.
  if (known.length > 2) return known;
  return [...(store.view.of_source.get(source) ?? [])].sort((a, b) => a.name.localeCompare(b.name)).slice(0, OWN).map((one) => ({
    series: one, title: () => readable(one.name, one.unit), high: 0, counter: one.kind === "counter",
    value: (...values) => measured(one.kind === "counter" ? perSecond(one.unit) : one.unit, ...values),
    context: () => Object.values(one.labels).join(" ") || one.help,
  }));
}

/** What a value means: { level, words }; words replace the tile's own line while something is the matter. */
export function judged(store, tile, source, value) {
  const { view } = store;
  const rule = view.rules.find((one) => one.rule === tile.rule);
  if (rule === undefined || Number.isNaN(value)) return { level: "none", words: "" };
  const unit = suffix(rule.unit);
  const firing = [...view.alerts.values()].filter((one) => one.rule === rule.rule && one.source === source);
  if (firing.length) {
    const since = Math.min(...firing.map((one) => one.since));
    const time = largest(store.now() - since);
    const words = value > rule.above ? t("above {limit} {unit} for {time}", { limit: rule.above, unit, time }) : t("alert for {time}", { time });
    return { level: rule.severity, words };
  }
  if (value > rule.above) return { level: "warning", words: t("over {limit} {unit} · hold {time} s", { limit: rule.above, unit, time: rule.hold_s }) };
  return { level: "fine", words: "" };
}

/** What a tile tells of a source in one store: { tape, trail() → its column as a Table, value() → at the playhead or now, NaN for nothing known }. */
export function reading({ store, tapes }, tile, source) {
  const kpis = tile.kpi ? [tile.kpi, tile.also].filter(Boolean) : [];
  const parts = kpis.map((kpi) => store.members(kpi, source).length);
  const ids = tile.kpi ? kpis.flatMap((kpi) => store.members(kpi, source).map(({ id }) => id)) : [tile.series.id];
  const join = tile.kpi
    ? (values) => kpis.reduce((sum, kpi, k) => sum + joined(kpi, values.slice(k ? parts[0] : 0, k ? undefined : parts[0])), 0)
    : ([value]) => value;
  const trail = new Trail(join);
  const tape = ids.length ? tapes.open({ kind: "line", ids, points: 240 }) : null;
  return {
    tape,
    trail: () => tape && trail.follow(tape.table),
    value() {
      // Until what stood there is known, the columns tell.
      if (store.ahead && tape) return join(ids.map((_, k) => tape.said(k)));
      return tile.kpi ? kpis.reduce((sum, kpi) => sum + store.kpi(kpi, source), 0) : store.said(tile.series.id);
    },
  };
}

export function mount(root, page, source) {
  const { store, span } = page;
  const tiles = chosen(store, source).map((tile) => {
    const shape = el("span.severity");
    const title = el("h2", {}, tile.title(store, source));
    const number = el("span", {}, "–");
    const unit = el("small");
    const line = el("canvas", { "aria-hidden": "true" });
    const context = el("p.context");
    const card = el("article.card.tile", { "data-kpi": tile.kpi ?? tile.series.series },
      el("header", {}, title, shape), el("p.value", {}, number, unit), line, context);
    root.append(card);
    const its = reading(page, tile, source);
    return { tile, card, shape, title, number, unit, line, context, its, tape: its.tape, drawn: new Drawn(), size: { width: 0, height: 0 } };
  });

  const draw = () => {
    const { view } = store;
    const colours = palette();
    const { from, to } = span.shown();
    for (const { tile, card, shape, title, number, unit, line, context, its, drawn, size: box } of tiles) {
      const table = its.trail();
      const value = its.value();
      const { level, words } = judged(store, tile, source, value);
      const said = Number.isNaN(value) ? { number: "–", unit: "" } : tile.value(value);
      say(title, tile.title(store, source));
      say(number, said.number);
      say(unit, said.unit);
      const line_text = words || tile.context(store, source);
      say(context, line_text);
      context.title = line_text;
      severity(shape, level);
      card.dataset.level = level;
      card.dataset.value = String(value);
      if (table && drawn.differs([table, level, box.height, colours, pixel(store.playhead, from, to, box.width)], { from, to }, box.width)) {
        spark(line, table, {
          from, to, low: 0, high: tile.high, size: box, until: store.playhead, mark: colours.past,
          colour: level === "critical" ? colours.critical : level === "warning" ? colours.warning : colours.series[0],
        });
      }
    }
    root.dataset.seq = String(view.seq);
  };

  const { ask, stop } = painter(root, draw, (seen) => tiles.forEach(({ tape }) => tape?.look(seen)));
  for (const { tape } of tiles) if (tape) tape.changed = ask;
  const size = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) {
      tiles.find(({ line }) => line === target).size = contentRect;
    }
    ask();
  });
  for (const { line } of tiles) size.observe(line);
  const off = [store.on("metrics", ask), store.on("playhead", ask), store.on("alerts", ask), span.on(ask), onTheme(ask)];
  ask();
  return () => {
    stop();
    size.disconnect();
    for (const { tape } of tiles) tape?.close();
    for (const one of off) one();
    root.replaceChildren();
  };
}
