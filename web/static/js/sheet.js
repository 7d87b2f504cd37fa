// A panel of somebody's own dashboard and the series it means → a chart as panels/chart.js draws it.

import { WAYS, perSecond, plan, readable } from "./plan.js";

// More lines nobody can tell from each other; what is left out is said.
export const MOST = 20;

const ORDER = new Intl.Collator("en", { numeric: true });
const SECOND = new Set(WAYS.map(([, second]) => second));

/** `series` are those that the panel's selectors mean; `count` says how many there are in all. */
export function sheet(panel, series, count = series.length) {
  const options = panel.options ?? {};
  const shown = [...series].sort((one, other) => ORDER.compare(one.source, other.source) || ORDER.compare(one.series, other.series)).slice(0, MOST);
  const made = planned(panel, shown) ?? listed(shown);
  const kind = ["line", "stack", "mirror"].includes(options.draw) ? options.draw : made.kind;
  const lines = made.lines.map((line) => ({ ...line, below: kind === "mirror" && (line.below || downwards(shown.find(({ id }) => id === line.id))) }));
  return {
    ...made, kind, lines, id: `panel-${panel.key}`, title: panel.title || made.title,
    unit: options.unit || stepped(panel, shown, made.unit), source: panel.source || shown[0]?.source || "", missing: count - shown.length,
  };
}

/** As the view of a host would draw it, where that is one chart with all of them. */
function planned(panel, series) {
  if (new Set(series.map(({ source }) => source)).size !== 1 || new Set(series.map(({ name }) => name)).size !== 1) return null;
  const charts = plan(series).flatMap(({ charts: some }) => some);
  return charts.length === 1 && charts[0].lines.length === series.length ? charts[0] : null;
}

/** One line each, named by what tells them apart. */
function listed(series) {
  const many = (of) => new Set(series.map(of)).size > 1;
  const labels = [...new Set(series.flatMap((one) => Object.keys(one.labels)))].filter((name) => many((one) => one.labels[name]));
  const [sources, names, units] = [many(({ source }) => source), many(({ name }) => name), many(unit)];
  const lines = series.map((one) => ({
    id: one.id, series: one.series, source: one.source, below: false,
    column: sources ? `${one.source} ${one.series}` : one.series,
    label: [sources && one.source, names && readable(one.name, one.unit), ...labels.map((name) => one.labels[name])].filter(Boolean).join(" "),
  }));
  const [first] = series;
  return {
    title: first && !names ? readable(first.name, first.unit) : "", unit: first && !units ? unit(first) : "", kind: "line", rule: "", words: "", whole: "",
    help: first && !names ? first.help : "", lines,
  };
}

const unit = (series) => (series.kind === "counter" ? perSecond(series.unit) : series.unit);
const downwards = (series) => Object.values(series?.labels ?? {}).some((value) => SECOND.has(value));

/** What a function makes of the unit: of readings it is theirs, and no rate of a counter unless it is asked for. */
function stepped({ fn = "", step = "" }, series, plainly) {
  if (!fn && !step) return plainly;
  const [first] = series;
  if (first === undefined || series.some((one) => one.unit !== first.unit)) return "";
  if (fn === "count") return "";
  return fn === "rate" ? perSecond(first.unit) : first.unit;
}
