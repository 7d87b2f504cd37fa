// The key figures: name and severity, one number, a sparkline, and one line that helps to decide.

import { el, say, severity } from "../dom.js";
import { figures, measured, percent, scale, span, suffix, text } from "../format.js";
import { onTheme, palette } from "../palette.js";
import { painter } from "../paint.js";
import { spark } from "../spark.js";
import { shown } from "../store.js";

const share = (value) => ({ number: percent(value), unit: "%" });

const TILES = [
  {
    kpi: "cpu_percent", rule: "cpu", title: () => "CPU", value: share, high: 100,
    context: (store) => {
      const cores = store.find("system_cpu_core_utilization_ratio").length || facts(store).cores;
      return cores ? `${cores} ${cores === 1 ? "core" : "cores"}` : "";
    },
  },
  {
    kpi: "memory_percent", rule: "memory", title: () => "Memory", value: share, high: 100,
    context: (store) => {
      const total = store.value("system_memory_total_bytes");
      if (total === undefined) return "";
      const used = (store.kpi("memory_percent") / 100) * total;
      const { factor, suffix: size } = scale("bytes", total);
      return `${figures(used * factor)} of ${figures(total * factor)} ${size}`;
    },
  },
  {
    kpi: "disk_percent", rule: "disk", title: (store) => `Disk ${fullest(store)?.labels.mountpoint ?? ""}`, value: share, high: 100,
    context: (store) => {
      const one = fullest(store);
      if (one === null) return "";
      const place = { mountpoint: one.labels.mountpoint };
      const left = store.value("system_filesystem_bytes", { ...place, state: "available" })
        ?? store.value("system_filesystem_bytes", { ...place, state: "free" });
      return left === undefined ? "" : `${text("bytes", left)} free`;
    },
  },
  {
    kpi: "network_receive", also: "network_transmit", title: () => "Network", high: 1e4,
    value: (value) => measured("bytes_per_second", value),
    context: (store) => {
      const [into, out] = [store.kpi("network_receive"), store.kpi("network_transmit")];
      const { factor } = scale("bytes_per_second", into + out);
      return Number.isNaN(into) ? "" : `in ${figures(into * factor)} · out ${figures(out * factor)}`;
    },
  },
  {
    kpi: "load_1m", title: () => "Load 1 m", value: (value) => ({ number: figures(value), unit: "" }), high: 1,
    context: (store) => {
      const [five, fifteen] = ["5m", "15m"].map((period) => store.value("system_load", { period }));
      return five === undefined ? "" : `5 m ${figures(five)} · 15 m ${figures(fifteen)}`;
    },
  },
  {
    kpi: "response_time_ms", rule: "response_time", title: () => "Response p95", high: 5,
    value: (value) => ({ number: figures(value), unit: "ms" }),
    context: (store) => {
      const rate = store.kpi("requests_per_second");
      return Number.isNaN(rate) ? "" : `${figures(rate)} req/s`;
    },
  },
  {
    kpi: "error_rate", rule: "error_rate", title: () => "Errors", value: share, high: 1,
    context: (store) => {
      const rule = store.view.rules.find((one) => one.rule === "error_rate");
      return rule ? `alert above ${rule.above} %` : "";
    },
  },
];

const facts = (store) => store.view.sources.get(store.view.source)?.facts ?? {};

function fullest(store) {
  let found = null;
  let most = -1;
  for (const one of store.find("system_filesystem_utilization_ratio")) {
    const value = store.view.latest.get(one.id);
    if (value > most) [found, most] = [one, value];
  }
  return found;
}

/** What a value means: { level, words }; words replace the tile's own line while something is the matter. */
function judged(store, tile, value) {
  const { view } = store;
  const rule = view.rules.find((one) => one.rule === tile.rule);
  if (rule === undefined || Number.isNaN(value)) return { level: "none", words: "" };
  const unit = suffix(rule.unit);
  const firing = [...view.alerts.values()].filter((one) => one.rule === rule.rule && one.source === view.source);
  if (firing.length) {
    const since = Math.min(...firing.map((one) => one.since));
    const time = span(store.now() - since);
    const words = value > rule.above ? `above ${rule.above} ${unit} for ${time}` : `alert for ${time}`;
    return { level: rule.severity, words };
  }
  if (value > rule.above) return { level: "warning", words: `over ${rule.above} ${unit} · hold ${rule.hold_s} s` };
  return { level: "fine", words: "" };
}

export function mount(root, store) {
  const tiles = TILES.map((tile) => {
    const shape = el("span.severity");
    const title = el("h2", {}, tile.title(store));
    const number = el("span", {}, "–");
    const unit = el("small");
    const line = el("canvas", { "aria-hidden": "true" });
    const context = el("p.context");
    const card = el("article.card.tile", { "data-kpi": tile.kpi },
      el("header", {}, title, shape), el("p.value", {}, number, unit), line, context);
    root.append(card);
    return { tile, card, shape, title, number, unit, line, context, size: { width: 0, height: 0 } };
  });

  const draw = () => {
    const { view } = store;
    const colours = palette();
    const { from, to } = shown(view);
    for (const { tile, card, shape, title, number, unit, line, context, size: box } of tiles) {
      let value = store.kpi(tile.kpi);
      if (tile.also) value += store.kpi(tile.also);
      const { level, words } = judged(store, tile, value);
      const said = Number.isNaN(value) ? { number: "–", unit: "" } : tile.value(value);
      say(title, tile.title(store));
      say(number, said.number);
      say(unit, said.unit);
      const line_text = words || tile.context(store);
      say(context, line_text);
      context.title = line_text;
      severity(shape, level);
      card.dataset.level = level;
      card.dataset.value = String(value);
      spark(line, view.trails.get(tile.kpi), {
        from, to, low: 0, high: tile.high, size: box,
        colour: level === "critical" ? colours.critical : level === "warning" ? colours.warning : colours.series[0],
      });
    }
    root.dataset.seq = String(view.seq);
  };

  const { ask, stop } = painter(root, draw);
  const size = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) {
      tiles.find(({ line }) => line === target).size = contentRect;
    }
    ask();
  });
  for (const { line } of tiles) size.observe(line);
  const off = [store.on("metrics", ask), store.on("alerts", ask), onTheme(ask)];
  return () => {
    stop();
    size.disconnect();
    for (const one of off) one();
  };
}
