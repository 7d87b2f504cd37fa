// What a panel of a dashboard shows, asked in a dialog.

import { el, say } from "../dom.js";
import { VARIABLE, asked } from "../selector.js";
import { t } from "../words.js";
import { dialog } from "./dialog.js";

const KINDS = [["chart", () => t("Chart")], ["tile", () => t("Tile: one figure")], ["text", () => t("Text")], ["alerts", () => t("Open alerts")]];
const DRAWS = [["", () => t("as its metadata says")], ["line", () => t("lines")], ["stack", () => t("stacked")], ["mirror", () => t("two ways, mirrored")]];
const JOINS = [["max", () => t("the highest")], ["min", () => t("the lowest")], ["sum", () => t("their sum")]];
const FNS = ["", "last", "min", "max", "avg", "sum", "count", "rate", "increase"];
const SOON_MS = 250;
const FOUND = 60;
const MOST_FOUND = 8;
const MOST_SERIES = 20;

/** The panel as it is to be, or null. `panel` has a kind at least; `host` and `chosen` are whose series are meant. */
export async function form(page, panel, { host, chosen, title, ok }) {
  const { store, ask } = page;
  const options = panel.options ?? {};
  const select = (id, pairs, value) => {
    const made = el("select.select", { id }, ...pairs.map(([one, words]) => el("option", { value: one }, typeof words === "function" ? words() : words)));
    made.value = value;
    return made;
  };
  const field = (words, control, more = null) => el("label.asked", {}, el("span", {}, words), control, more);

  const kind = select("panel-kind", KINDS, panel.kind);
  const name = el("input.input", { id: "panel-title", maxlength: "200", value: panel.title ?? "" });
  const series = el("textarea.input", { id: "panel-series", rows: "3", spellcheck: "false", placeholder: 'system_load{period="1m"}' });
  series.value = (panel.series ?? []).join("\n");
  const sources = [["", t("this host ({source})", { source: host })], [VARIABLE, t("whichever the reader chooses ($source)")],
    ...[...store.view.sources.keys()].filter((one) => one !== host).sort().map((one) => [one, one])];
  if (panel.source && !sources.some(([one]) => one === panel.source)) sources.push([panel.source, panel.source]);
  const source = select("panel-source", sources, panel.source ?? "");
  const search = el("input.input", { id: "panel-search", type: "search", placeholder: t("Find a metric by words of its name"), autocomplete: "off", "aria-label": t("Find a metric by words of its name") });
  const results = el("ul.picks", { id: "panel-found", "aria-live": "polite" });
  const meant = el("p.meant", { id: "panel-meant", role: "status" });
  const draw = select("panel-draw", DRAWS, options.draw ?? "");
  const join = select("panel-join", JOINS, options.join ?? "max");
  const unit = el("input.input", { id: "panel-unit", maxlength: "32", value: options.unit ?? "", placeholder: t("as recorded") });
  const fn = select("panel-fn", FNS.map((one) => [one, one || t("readings as they are")]), panel.fn ?? "");
  const step = el("input.input", { id: "panel-step", maxlength: "32", value: panel.step ?? "", placeholder: "1m", pattern: "\\d+(\\.\\d+)?(ms|s|m|h|d|w)?" });
  const text = el("textarea.input", { id: "panel-text", rows: "8", maxlength: "4000" });
  text.value = panel.text ?? "";
  const severities = ["critical", "warning"].map((one) => el("input", { type: "checkbox", value: one, id: `panel-${one}`, checked: (panel.severity ?? []).includes(one) }));
  const wrong = el("p.wrong", { id: "panel-wrong", role: "alert" });

  const measured = el("fieldset.measures", {}, field(t("Source"), source), el("div.asked", {}, search, results),
    field(t("Series or selectors, one a line"), series, meant),
    el("div.row", {}, field(t("Each step says"), fn), field(t("Step"), step), field(t("Unit"), unit)));
  const drawn = field(t("Drawn as"), draw);
  const joint = field(t("Of several series"), join);
  const prose = field(t("Text: # heading, - list, https:// link"), text);
  const listed = el("fieldset.row", {}, ...severities.map((box) => el("label.check", {}, box, ` ${t(box.value)}`)), el("span.meant", {}, t("None: all")));
  const turn = () => {
    measured.hidden = !["chart", "tile"].includes(kind.value);
    drawn.hidden = kind.value !== "chart";
    joint.hidden = kind.value !== "tile";
    prose.hidden = kind.value !== "text";
    listed.hidden = kind.value !== "alerts";
  };

  const lines = () => series.value.split("\n").map((one) => one.trim()).filter(Boolean);

  /** Which series are meant, in the server's words. → whether it knows what is asked. */
  let turns = 0;
  const look = async () => {
    turns += 1;
    const turn_ = turns;
    const selectors = asked({ series: lines(), source: source.value }, { host, chosen });
    let words = "";
    let fine = false;
    if (selectors.length === 0) words = t("Name a series, or find one above.");
    else if (selectors.length > MOST_SERIES) words = t("At most {n} lines.", { n: MOST_SERIES });
    else {
      try {
        const { series: found, next } = await ask(`/api/realtime/series?${new URLSearchParams([...selectors.map((one) => ["match", one]), ["limit", String(FOUND)]])}`);
        fine = true;
        words = found.length === 0 ? t("Nothing is recorded under this yet.") : t("{n} series: {names}", { n: next === null ? found.length : `${found.length}+`, names: [...new Set(found.map((one) => one.series))].slice(0, 4).join(", ") + (found.length > 4 ? " …" : "") });
      } catch (failure) {
        words = failure.message;
      }
    }
    if (turn_ === turns) {
      say(meant, words);
      meant.classList.toggle("wrong", !fine && selectors.length > 0);
    }
    return fine;
  };

  let searches = 0;
  const find = async () => {
    searches += 1;
    const turn_ = searches;
    const words = search.value.trim().split(/\s+/).filter(Boolean);
    if (words.length === 0) {
      results.replaceChildren();
      return;
    }
    const pattern = `(?i).*${words.map((one) => one.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join(".*")}.*`;
    const selector = asked({ series: [`{__name__=~${JSON.stringify(pattern)}}`], source: source.value }, { host, chosen })[0];
    let found;
    try {
      found = (await ask(`/api/realtime/series?${new URLSearchParams({ match: selector, limit: "400" })}`)).series;
    } catch (failure) {
      found = [];
      console.info(`Nothing could be searched: ${failure.message}`);
    }
    if (turn_ !== searches) return;
    const names = new Map();
    for (const one of found) names.set(one.name, [...(names.get(one.name) ?? []), one]);
    const choices = [...names].flatMap(([metric, all]) => [[metric, all.length > 1 ? t("all {n}", { n: all.length }) : all[0].help], ...(all.length > 1 && names.size <= 2 ? all.map((one) => [one.series, ""]) : [])]);
    results.replaceChildren(...(choices.length ? choices.slice(0, MOST_FOUND).map(([what, more]) => el("li", {}, el("button.pick", {
      type: "button",
      onclick() {
        if (kind.value === "tile") series.value = what;
        else if (!lines().includes(what)) series.value = [...lines(), what].join("\n");
        look();
      },
    }, el("b", {}, what), el("small", {}, more)))) : [el("li.meant", {}, t("Nothing of that name on this source."))]));
  };

  let looking = 0;
  let finding = 0;
  const soon = (timer, run) => {
    clearTimeout(timer);
    return setTimeout(run, SOON_MS);
  };
  series.addEventListener("input", () => (looking = soon(looking, look)));
  search.addEventListener("input", () => (finding = soon(finding, find)));
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    // Enter takes what is found first, and does not send the form.
    event.preventDefault();
    results.querySelector("button")?.click();
  });
  source.addEventListener("change", () => {
    look();
    find();
  });
  kind.addEventListener("change", turn);
  turn();
  if (lines().length) look();

  const result = () => {
    const made = { ...panel, kind: kind.value, title: name.value.trim() };
    for (const key of ["series", "source", "fn", "step", "text", "severity", "options"]) delete made[key];
    const { draw: _draw, join: _join, unit: _unit, ...extra } = options;
    if (["chart", "tile"].includes(kind.value)) {
      Object.assign(made, { series: lines() }, source.value && { source: source.value }, fn.value && { fn: fn.value }, step.value.trim() && { step: step.value.trim() });
      if (unit.value.trim()) extra.unit = unit.value.trim();
    }
    if (kind.value === "chart" && draw.value) extra.draw = draw.value;
    if (kind.value === "tile" && join.value !== "max") extra.join = join.value;
    if (kind.value === "text") made.text = text.value;
    if (kind.value === "alerts") {
      const some = severities.filter((box) => box.checked).map((box) => box.value);
      if (some.length) made.severity = some;
    }
    if (Object.keys(extra).length) made.options = extra;
    if (!made.title) delete made.title;
    return made;
  };

  const check = async () => {
    say(wrong, "");
    if (kind.value === "text" && !text.value.trim()) say(wrong, t("A text panel has something to say."));
    else if (kind.value === "tile" && lines().length > 1) say(wrong, t("A tile shows one figure: one line, which may mean several series."));
    else if (["chart", "tile"].includes(kind.value) && !(await look())) say(wrong, t("It is not known which series are meant."));
    return wrong.textContent === "";
  };
  const answer = await dialog({ title, ok, check, wide: true, content: [el("div.row", {}, field(t("Kind"), kind), field(t("Title"), name)), measured, el("div.row", {}, drawn, joint), prose, listed, wrong] });
  return answer ? result() : null;
}
