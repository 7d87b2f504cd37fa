// Every series with its newest value, unit and age, as the server has them: filtered, sorted, asked again while it is open.

import { el, say } from "../dom.js";
import { ago, clock, count, date, text } from "../format.js";
import { t } from "../words.js";
import { sheet } from "./sheet.js";

const EVERY_MS = 2_000;
// Rows in the page at once; a filter finds the others.
const MOST = 400;
const COLUMNS = [
  ["source", "source", (one) => one.source], ["series", "series", (one) => one.series], ["value", "value", (one) => one.value], ["unit", "unit", (one) => one.unit], ["age", "age", (one) => one.age_s],
];

export function open({ ask, store }) {
  sheet("latest", t("Live metrics"), (body) => {
    const find = el("input.input", { type: "search", placeholder: t("Filter by name, label, source or unit"), "aria-label": t("Filter"), oninput: () => draw() });
    const aside = el("p.note", { "aria-live": "polite" });
    const rows = el("tbody");
    const heads = COLUMNS.map(([id, label], k) => el(k === 2 || k === 4 ? "th.n" : "th", { scope: "col" }, el("button.link", { type: "button", "data-sort": id, onclick: () => sortBy(id) }, t(label))));
    // What stood at a moment is asked for a source at a time: of all there are, there is now alone.
    const warn = el("p.note.elsewhere", { role: "status" });
    const place = () => {
      warn.hidden = !store.past;
      say(warn, store.past ? t("These are the figures of now, not of {time}, where the playhead stands.", { time: `${date(store.playhead)} ${clock(store.playhead)}` }) : "");
    };
    place();
    const off = [store.on("playhead", place), store.on("metrics", place)];
    body.append(warn, find, aside, el("div.scroll.tall", { tabindex: "0", role: "region", "aria-label": t("Live metrics") }, el("table", {}, el("thead", {}, el("tr", {}, ...heads)), rows)));
    let all = [];
    let sort = "source";
    let up = true;
    let failed = "";

    const sortBy = (id) => {
      up = id === sort ? !up : true;
      sort = id;
      draw();
    };
    const draw = () => {
      const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
      const read = COLUMNS.find(([id]) => id === sort)[2];
      const found = all.filter((one) => words.every((word) => one.hay.includes(word)));
      const order = (a, b) => {
        const [x, y] = [read(a), read(b)];
        return (x === y ? 0 : x < y ? -1 : 1) || (a.series < b.series ? -1 : 1);
      };
      found.sort((a, b) => (up ? order(a, b) : order(b, a)));
      heads.forEach((head, k) => head.setAttribute("aria-sort", COLUMNS[k][0] === sort ? (up ? "ascending" : "descending") : "none"));
      rows.replaceChildren(...found.slice(0, MOST).map((one) => el("tr", { "data-series": one.series, "data-source": one.source },
        el("td", {}, one.source), el("td.name", { title: one.series }, one.series), el("td.n", { title: String(one.value) }, text(one.unit, one.value)), el("td", {}, one.unit), el("td.n", {}, one.age_s < 10 ? `${one.age_s.toFixed(1)} s` : ago(one.age_s)))));
      say(aside, failed || (found.length > MOST ? t("{n} of {all} series; the first {most} are listed.", { n: count(found.length), all: count(all.length), most: MOST }) : t("{n} of {all} series.", { n: count(found.length), all: count(all.length) })));
    };
    const refresh = async () => {
      if (document.hidden) return;
      try {
        const { series } = await ask("/api/realtime/metrics/live");
        failed = "";
        all = Object.entries(series).map(([name, one]) => ({ ...one, series: name, hay: `${one.source} ${name} ${one.unit}`.toLowerCase() }));
      } catch (failure) {
        failed = failure.message;
      }
      draw();
    };
    refresh();
    const timer = setInterval(refresh, EVERY_MS);
    return () => {
      clearInterval(timer);
      for (const one of off) one();
    };
  }, "wide");
}
