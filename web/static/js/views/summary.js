// What happened in the incident that is open: what fired, what changed most, who noted what. Each leads to its moment.

import { el, severity } from "../dom.js";
import { clock, count, day, fixed, text } from "../format.js";
import { palette, onTheme } from "../palette.js";
import { stretch } from "../panels/incident.js";
import { readable } from "../plan.js";
import { joined, selector } from "../selection.js";
import { Table } from "../series.js";
import { spark } from "../spark.js";
import { annotation, micro, parsed, seconds } from "../wire.js";
import { t } from "../words.js";

const WIDTH = 220;
const HEIGHT = 34;
// What never moved before is any number of deviations off.
const MOST_SCORE = 1_000;

const when = (at) => `${day(at)} ${clock(at)}`;

export function mount(root, page) {
  const { store, ask } = page;
  const title = el("h1", { id: "summary-title", tabindex: "-1" }, store.incident.title || t("Incident"));
  const note = el("p.card.note", { role: "status" }, t("Loading"));
  const body = el("div.view");
  root.append(el("header.view-head", {}, title), note, body);
  let gone = false;
  let off = () => {};
  ask("/api/realtime/incident/summary").then((told) => {
    if (gone) return;
    note.remove();
    const draw = fill(body, page, told);
    off = onTheme(draw);
    draw();
    root.dataset.ready = "true";
  }, (failure) => (note.textContent = failure.message));
  return () => {
    gone = true;
    off();
  };
}

/** → draw: the lines anew, in the colours of the day. */
function fill(root, page, told) {
  const { route, store: { incident } } = page;
  // To a moment with the whole incident around it, and then whatever else the view needs.
  const there = (at, more) => route.href({ from: micro(incident.from), to: micro(incident.to), at: micro(Math.min(Math.max(at, incident.from), incident.to)), ...more });
  const lines = [];
  const link = (href, words) => el("a.there", { href }, words);
  const moment = (at, more) => link(there(at, more), when(at));

  const alerts = told.alerts.map((one) => {
    const mark = el("span.severity");
    severity(mark, one.severity);
    return [
      moment(seconds(one.from), { view: "host", source: one.source }),
      el("div.said", {}, mark, " ", one.message), named(one),
      one.to === null ? t("still open") : when(seconds(one.to)),
    ];
  });
  const changes = told.changed.map((one) => {
    const line = el("canvas.line", { role: "img", "aria-label": t("before the incident, and in it") });
    lines.push([line, one.line]);
    const explore = { view: "explore", series: joined([selector(one)]), source: "" };
    return [
      named(one, link(there(seconds(one.at), explore), readable(parsed(one.series).name, one.unit))),
      line,
      number(text(one.unit, one.before)), number(text(one.unit, one.peak)),
      moment(seconds(one.at), { view: "host", source: one.source }),
      number(one.score > MOST_SCORE ? `> ${count(MOST_SCORE)}` : fixed(one.score, 1)),
    ];
  });
  const notes = told.annotations.map((each) => {
    const one = annotation(each);
    return [
      moment(one.since, { view: "host", source: "" }),
      el("div.said", {}, one.text), one.tags.join(", "),
      [one.author || one.source, each.later ? t("afterwards") : ""].filter(Boolean).join(" · "),
    ];
  });
  const part = (id, name, heads, rows, otherwise) => el("section.card", { "aria-labelledby": id, id: `${id}-part` },
    el("header", {}, el("h2", { id }, name), rows.length ? el("span.aside", {}, count(rows.length)) : null),
    rows.length ? table(heads, rows) : el("p.empty-line", {}, otherwise));
  root.append(
    el("p.note", {}, [
      stretch(incident), incident.source,
      t("{events} events, {samples} samples of {series} series", { events: count(told.events), samples: count(told.samples), series: count(told.series) }),
      t("written {when} by Playhead {version}", { when: when(seconds(told.created_at)), version: told.playhead }),
    ].join(" · ")),
    part("fired", t("What fired"), [t("From"), t("What"), t("Series"), t("To")], alerts, t("No alert was open.")),
    part("changed", t("What changed most"), [t("Series"), t("Before, and the incident"), [t("Usual")], [t("Furthest off")], t("At"), [t("Deviations")]], changes, t("Nothing stood out.")),
    part("noted", t("Who noted what"), [t("When"), t("What"), t("Tags"), t("Who")], notes, t("Nobody noted anything.")),
    part("began", t("When the recorder started"), [t("When")], told.starts.map((at) => [moment(seconds(at), { view: "host", source: "" })]), t("It ran throughout.")));
  if (told.damaged.length) root.append(part("damaged", t("What is damaged"), [t("Where"), t("What")], told.damaged.map(({ table: name, key, what }) => [`${name} ${key}`, what]), ""));
  return () => {
    for (const [canvas, values] of lines) drawn(canvas, values);
  };
}

const number = (words) => ({ words });

/** What a series is called, with what it is of below. */
function named({ series, source }, head = null) {
  return el("div.named", {}, head, head ? null : series, el("span.of", {}, head ? `${series} · ${source}` : source));
}

/** `heads` in a list are of numbers. */
function table(heads, rows) {
  const cell = (one) => (one?.words === undefined ? el("td", {}, one) : el("td.n", {}, one.words));
  return el("div.scroll", {}, el("table.what", {},
    el("thead", {}, el("tr", {}, ...heads.map((one) => (Array.isArray(one) ? el("th.n", { scope: "col" }, one[0]) : el("th", { scope: "col" }, one))))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map(cell))))));
}

/** The second half, the incident, in the colour of what was watched; what was before is pale. */
function drawn(canvas, values) {
  const known = values.filter((value) => value !== null);
  const table = new Table(1, values.length + 1, 1);
  table.load(values.map((_, k) => k), [values.map((value) => value ?? NaN)]);
  const { series, muted } = palette();
  const low = Math.min(...known);
  const high = Math.max(...known);
  const span = { from: 0, to: values.length - 1, low, high: high > low ? high : low + 1, size: { width: WIDTH, height: HEIGHT } };
  spark(canvas, table, { ...span, colour: series[0], mark: muted });
  const pen = canvas.getContext("2d");
  pen.save();
  pen.globalCompositeOperation = "destination-over";
  pen.globalAlpha = 0.14;
  pen.fillStyle = palette().past;
  pen.fillRect(canvas.width / 2, 0, canvas.width / 2, canvas.height);
  pen.restore();
}
