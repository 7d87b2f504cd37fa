// What is on the page as a file: every chart of the view over the time shown, in one CSV or JSON.

import { perSecond } from "../plan.js";
import { saved } from "../saved.js";
import { t } from "../words.js";
import { rfc3339 } from "../wire.js";

const POINTS = 600;
// What one question to the server may hold.
const MOST_CHARTS = 60;
const MOST_IDS = 400;

/** `form` is "csv" or "json". */
export async function save(page, form) {
  const { store, span, tapes, toast, send } = page;
  const charts = [...tapes.open_].filter(({ ids }) => ids.length > 0).map(({ kind, ids }) => ({ kind, ids }));
  if (charts.length === 0) {
    toast({ type: "warning", title: t("There is no chart on this page to export") });
    return;
  }
  const { from, to } = span.shown();
  try {
    const columns = new Map();
    for (const some of bundles(charts)) {
      const answer = await send("POST", "/api/realtime/charts", { charts: some, from: rfc3339(from), to: rfc3339(to), points: POINTS });
      answer.charts.forEach(({ at, values, tier }, k) => some[k].ids.forEach((id, n) => columns.set(id, { at, values: values[n], tier })));
    }
    const series = [...columns].map(([id, { at, values, tier }]) => {
      const { source, series: name, unit, kind } = store.view.series.get(id);
      const kept = at.map((moment, i) => [moment, values[i]]).filter(([, value]) => value !== null);
      return { source, series: name, unit: kind === "counter" ? perSecond(unit) : unit, tier, at: kept.map(([moment]) => rfc3339(moment)), value: kept.map(([, value]) => value) };
    }).filter(({ at }) => at.length > 0);
    const name = `playhead-${page.view}-${rfc3339(to).slice(0, 19).replaceAll(":", "-")}`;
    const rows = series.reduce((sum, { at }) => sum + at.length, 0);
    if (form === "json") saved(`${name}.json`, "application/json", JSON.stringify({ from: rfc3339(from), to: rfc3339(to), version: store.now_view.version, series }));
    else saved(`${name}.csv`, "text/csv", csv(series));
    toast({ type: "success", title: t("Exported {charts} charts", { charts: charts.length }), more: t("{rows} values of {n} series.", { rows, n: series.length }) });
  } catch (failure) {
    toast({ type: "error", title: t("The export did not work"), more: failure.message });
  }
}

/** Charts in as few questions as may be. */
export function bundles(charts) {
  const all = [];
  let ids = 0;
  for (const one of charts) {
    if (all.length === 0 || all.at(-1).length === MOST_CHARTS || ids + one.ids.length > MOST_IDS) {
      all.push([]);
      ids = 0;
    }
    all.at(-1).push(one);
    ids += one.ids.length;
  }
  return all;
}

const quoted = (field) => (/[",\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field);

/** A row a value (RFC 4180), in base units; what is drawn as a rise a second is told as one. */
export function csv(series) {
  const lines = ["at,source,series,unit,value"];
  for (const { source, series: name, unit, at, value } of series) {
    const tail = `${quoted(source)},${quoted(name)},${quoted(unit)}`;
    at.forEach((moment, i) => lines.push(`${moment},${tail},${value[i]}`));
  }
  return `${lines.join("\r\n")}\r\n`;
}
