// A chart put on a dashboard of somebody's own, from wherever it is shown.

import { Boards, body, stale } from "../boards.js";
import { el } from "../dom.js";
import { added } from "../grid.js";
import { keyed, fresh } from "../draft.js";
import { kept } from "../kept.js";
import { t } from "../words.js";
import { dialog } from "./dialog.js";

const SIZE = { w: 6, h: 6 };
const MOST_SERIES = 20;
const MOST_TRIES = 3;

/** Asks which dashboard, and puts the chart there. */
export async function offer(page, chart) {
  const boards = new Boards(page.ask);
  let known;
  try {
    known = (await boards.list()).dashboards.filter(({ provisioned }) => !provisioned);
  } catch (failure) {
    page.toast({ type: "error", title: t("The dashboards could not be asked for"), more: failure.message });
    return;
  }
  const choice = el("select.select", { id: "offer-board", name: "board" }, ...known.map(({ id, title }) => el("option", { value: id }, title)), el("option", { value: "" }, t("A new dashboard")));
  const name = el("input.input", { id: "offer-title", maxlength: "200", value: t("New dashboard") });
  const naming = el("label.asked", { hidden: known.length > 0 }, el("span", {}, t("Title")), name);
  choice.addEventListener("change", () => (naming.hidden = choice.value !== ""));
  const said = await dialog({
    title: t("Add {title} to a dashboard", { title: t(chart.title) }), ok: t("Add"),
    content: [el("label.asked", {}, el("span", {}, t("Dashboard")), choice), naming],
  });
  if (!said) return;
  const panel = panelled(page.store, chart);
  try {
    const saved = choice.value ? await put(boards, choice.value, panel) : await boards.create({ title: name.value.trim() || t("New dashboard"), author: kept("author"), panels: [{ ...panel, x: 0, y: 0 }] });
    page.toast({ type: "success", title: t("Added to {title}", { title: saved.title }), action: { label: t("Show it"), run: () => page.route.go({ view: "dashboard", id: saved.id }) } });
  } catch (failure) {
    page.toast({ type: "error", title: t("It was not added"), more: failure.message });
  }
}

/** At the first place with room. Whoever saves in the same moment is not written over. */
async function put(boards, id, panel) {
  for (let tries = 1; ; tries += 1) {
    const now = await boards.one(id);
    try {
      return await boards.save(id, body({ ...now, panels: added(keyed(now.panels), { ...panel, key: fresh() }) }), now.seq);
    } catch (failure) {
      if (!stale(failure) || tries === MOST_TRIES) throw failure;
    }
  }
}

/** A chart as a panel: by the name of its metric where it shows all of it, so that what comes later is shown as well. */
export function panelled(store, chart) {
  const names = new Set(chart.lines.map(({ id }) => store.view.series.get(id)?.name));
  const [name] = names;
  const whole = names.size === 1 && store.find(name, {}, chart.source).length === chart.lines.length;
  const panel = { kind: "chart", ...SIZE, title: t(chart.title), series: whole ? [name] : chart.lines.slice(0, MOST_SERIES).map(({ series }) => series) };
  if (chart.source !== store.view.source) panel.source = chart.source;
  if (!whole && chart.kind !== "line") panel.options = { draw: chart.kind };
  return panel;
}
