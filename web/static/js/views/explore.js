// Any series: found by fuzzy search and labels, several on one chart a unit, as readings or by a function of steps; taken along as a link, CSV, PNG or command.

import { button as copying } from "../copy.js";
import { el, say } from "../dom.js";
import { clock, date, measured, text as written, timeZone } from "../format.js";
import { Hunt } from "../hunt.js";
import { palette } from "../palette.js";
import * as graph from "../panels/graph.js";
import { readable } from "../plan.js";
import { given } from "../saved.js";
import { FUNCTIONS, MOST, aligned, command, joined, parted, question, selector, unitOf } from "../selection.js";
import { row as rowAt } from "../timeline.js";
import { t } from "../words.js";

const RESULTS = 100;
const FACETS = 6;
const CHOICES = 8;
const ROWS = 300;
const POINTS = 600;
// Typing rests for so long before the address and the numbers follow.
const REST_MS = 150;
const STEPS = ["", "1s", "10s", "1m", "5m", "15m", "1h", "6h", "1d"];
const CSV = "text/csv";
const PATIENCE_MS = 20_000;

export function mount(root, page) {
  const { store, route, span, catalogue } = page;
  const hunt = new Hunt(store);

  // What is found.
  const find = el("input.field", { type: "search", id: "find-series", placeholder: t("Find series: part of a name, a label, a source"), "aria-label": t("Find series"), spellcheck: "false", autocomplete: "off", autocapitalize: "off" });
  const chips = el("div.shows.where", { role: "group", "aria-label": t("Only with") });
  const count = el("p.note", { id: "found-count", role: "status" }, "\u00a0");
  const facets = el("div.facets", { role: "group", "aria-label": t("Labels") });
  const results = el("ul.results", { id: "found-series", "aria-label": t("Series found") });
  const left = el("section.card.finder", { "aria-labelledby": "explore-title" }, find, chips, count, facets, results);

  // What is chosen, and what is asked of it.
  const fn = el("select.select", { id: "fn", "aria-label": t("Function") }, ...FUNCTIONS.map((one) => el("option", { value: one }, one || t("readings, peaks kept"))));
  const step = el("select.select", { id: "step", "aria-label": t("Step") }, ...STEPS.map((one) => el("option", { value: one }, one ? t("every {step}", { step: one }) : t("step: automatic"))));
  const as = ["chart", "table"].map((one) => el("button.button", { type: "button", "data-as": one, onclick: () => route.go({ as: one === "chart" ? "" : one }, true) }, one === "chart" ? t("Chart") : t("Table")));
  const link = copying(() => location.href, t("Copy link"));
  const csv = el("button.button.small", { type: "button", id: "save-csv", onclick: () => save(csv, download) }, "CSV");
  const png = el("button.button.small", { type: "button", id: "save-png", onclick: () => save(png, picture) }, "PNG");
  const shell = el("button.button.small", { type: "button", id: "show-curl", "aria-expanded": "false", "aria-controls": "curl", onclick: () => toggle() }, "curl");
  const line = el("code");
  const told = el("div.snippet", { id: "curl", hidden: true }, el("p", {}, t("The same from a shell")), copying(() => line.textContent), el("pre", { tabindex: "0" }, line));
  const chosen = el("ul.chosen", { id: "chosen", "aria-label": t("Series shown") });
  const note = el("p.card.note", { hidden: true, role: "status" });
  const charts = el("div.graphs", { id: "graphs" });
  const table = el("div.card.scroll", { id: "numbers", tabindex: "0", role: "region", "aria-label": t("Numbers"), hidden: true });
  const bar = el("div.asking", {}, fn, step, el("div.shows", { role: "group", "aria-label": t("Show as") }, ...as), el("div.take", {}, link, csv, png, shell));
  const right = el("section.outcome", { "aria-label": t("What is shown") }, bar, told, chosen, note, charts, table);
  const title = el("h1", { id: "explore-title", tabindex: "-1" }, t("Explore"));
  root.append(el("header.view-head", {}, title), el("div.explore", {}, left, right));

  let gone = false;
  const where = () => parted(route.get("where")).map((one) => one.split(/=(.*)/s).slice(0, 2)).filter(([, value]) => value !== undefined);
  const picks = () => parted(route.get("series"));
  const told_fn = () => (FUNCTIONS.includes(route.get("fn")) ? route.get("fn") : "");
  const told_step = () => (/^\d+(\.\d+)?(ms|s|m|h|d|w)?$/.test(route.get("step")) ? route.get("step") : "");

  // ---- finding

  let failed = "";
  const look = () => hunt.go(route.get("q"), { where: where(), most: RESULTS, facets: true }, (one) => {
    if (gone || (!one.done && one.best.length < Math.min(RESULTS, 20))) return;
    list(one);
  });

  const list = ({ best, found, facets: counts, done }) => {
    const on = new Set(picks());
    const focused = results.contains(document.activeElement) ? document.activeElement.dataset.series : "";
    results.replaceChildren(...best.map((one) => {
      const mine = selector(one);
      const value = store.view.latest.get(one.id);
      return el("li", {}, el("button.result", {
        type: "button", "data-series": mine, "aria-pressed": String(on.has(mine)), title: one.help || undefined, onclick: () => pick(mine),
      }, el("span.name", {}, one.name), el("span.value", {}, value === undefined ? "" : written(one.unit, value)), el("span.labels", {}, [one.source, ...Object.entries(one.labels).map(([key, said]) => `${key}=${said}`)].join("  "))));
    }));
    if (focused) [...results.querySelectorAll("button")].find((one) => one.dataset.series === focused)?.focus({ preventScroll: true });
    const words = [
      done ? t("{n} series", { n: found }) : t("{n} series so far …", { n: found }),
      found > best.length ? t("the best {n} are listed", { n: best.length }) : null,
      catalogue.cut ? t("only the first {n} of the server are looked through", { n: store.view.series.size }) : null,
      failed || (catalogue.whole ? null : t("more are being read …")),
    ];
    say(count, words.filter(Boolean).join(" · "));
    results.dataset.done = String(done && catalogue.whole);
    if (done && found === 0) results.append(el("li.empty-line", {}, t("No series is like that. Take a label away, or a letter.")));
    narrow(counts, found);
  };

  /** Labels that divide what was found, those with the fewest values first. */
  const narrow = (counts, found) => {
    const set = new Set(where().map(([key]) => key));
    const useful = [...counts].filter(([key, values]) => !set.has(key) && values.size > 1).sort((a, b) => (a[0] === "source" ? -1 : b[0] === "source" ? 1 : a[1].size - b[1].size)).slice(0, FACETS);
    facets.hidden = found === 0 || useful.length === 0;
    facets.replaceChildren(...useful.map(([key, values]) => el("div.facet", {}, el("span.key", {}, key), ...[...values].sort((a, b) => b[1] - a[1]).slice(0, CHOICES).map(([value, n]) => el("button.link.choice", {
      type: "button", "data-key": key, "data-value": value, onclick: () => route.go({ where: [...parted(route.get("where")), `${key}=${value}`].join("\n") }, true),
    }, value || "–", " ", el("span", {}, String(n)))), values.size > CHOICES ? el("span.key", {}, t("and {n} more", { n: values.size - CHOICES })) : null)));
    chips.hidden = set.size === 0;
    chips.replaceChildren(...where().map(([key, value]) => el("button.button.small", {
      type: "button", "aria-label": t("Without {label}", { label: `${key}=${value}` }),
      onclick: () => route.go({ where: parted(route.get("where")).filter((one) => one !== `${key}=${value}`).join("\n") }, true),
    }, `${key}=${value}`, el("span", { "aria-hidden": "true" }, "×"))));
  };

  const pick = (mine) => {
    const before = picks();
    if (!before.includes(mine) && before.length >= MOST) {
      page.toast({ type: "info", title: t("{n} series at a time", { n: MOST }), more: t("More cannot be told apart. Take one away first.") });
      return;
    }
    route.go({ series: joined(before.includes(mine) ? before.filter((one) => one !== mine) : [...before, mine]) });
  };

  let typing = 0;
  find.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => route.go({ q: find.value.trim() }, true), REST_MS);
  });
  left.addEventListener("keydown", (event) => {
    const all = [...results.querySelectorAll("button")];
    const k = all.indexOf(document.activeElement);
    if (event.key === "ArrowDown" && (event.target === find || k >= 0)) (all[k + 1] ?? all.at(-1))?.focus();
    else if (event.key === "ArrowUp" && k === 0) find.focus();
    else if (event.key === "ArrowUp" && k > 0) all[k - 1].focus();
    else if (event.key === "Enter" && event.target === find) all[0]?.click();
    else if (event.key === "Escape" && k >= 0) find.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  // ---- showing

  let cards = [];
  let rows = [];
  let need = null;
  let shape = "";
  let answer = null;
  let answered = "";
  let asking = 0;
  let timer = 0;
  const bounds = () => {
    const { from, to } = span.shown();
    return { from, to: Math.min(to, Math.max(from + 1, store.present())) };
  };
  const asked = (from, to, selectors = picks()) => question(selectors, { from, to, fn: told_fn(), step: told_step(), points: POINTS });

  /** Asks for what is chosen, in the time that is shown. */
  const load = async () => {
    clearTimeout(timer);
    const wanted = picks();
    if (wanted.length === 0) {
      asking += 1;
      answer = null;
      answered = "";
      show();
      return;
    }
    const { from, to } = bounds();
    const text = String(asked(from.toFixed(3), to.toFixed(3)));
    // A playhead that moves within what is shown asks for nothing.
    if (text === answered) return;
    const mine = (asking += 1);
    right.setAttribute("aria-busy", "true");
    try {
      const data = await page.ask(`/api/realtime/query?${text}`);
      if (gone || mine !== asking) return;
      answer = data;
      answered = text;
      note.hidden = true;
      show();
    } catch (failure) {
      if (gone || mine !== asking) return;
      note.hidden = false;
      say(note, failure.message);
      if (answer === null) show();
    }
    right.removeAttribute("aria-busy");
    // What moves with the time is asked for again as often as a picture of it changes.
    if (span.growing) timer = setTimeout(again, 1000 * Math.min(60, Math.max(2, (to - from) / 300)));
  };
  const again = () => {
    if (document.visibilityState === "visible" && span.growing && store.link.state !== "paused") load();
    else if (span.growing) timer = setTimeout(again, 2_000);
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(load, REST_MS);
  };

  const label = (one) => {
    const many = new Set(answer.series.map(({ source }) => source)).size > 1;
    const said = Object.values(one.labels).join(" ");
    return [many ? one.source : null, readable(one.name, one.unit), said].filter(Boolean).join(" · ");
  };

  /** What the k-th said at the playhead: readings as they were known then, of steps the last that was over. */
  const said_of = (k) => {
    const one = answer?.series[k];
    if (one === undefined) return NaN;
    if (!answer.step) return store.said(one.id, { plain: true, source: one.source });
    return one.value[rowAt(one.at, store.playhead - answer.step)] ?? NaN;
  };

  /** The figure beside each that moves with the playhead. */
  const point = () => {
    for (const { k, unit, newest, now } of rows) {
      const value = store.past ? said_of(k) : newest;
      now.item.dataset.newest = String(value);
      say(now.name, store.past ? t("at the playhead") : t("now"));
      say(now.value, written(unit, value));
    }
  };

  const show = () => {
    const fn_ = told_fn();
    const series = (answer?.series ?? []).slice(0, MOST);
    const columns = aligned(series);
    const lines = series.map((one, k) => ({ one, colour: k, label: label(one), unit: unitOf(one, fn_), said: () => said_of(k), held: columns.held[k], exact: columns.exact[k] }));
    // Numbers of different units never share an axis: each unit has a chart of its own.
    const units = [...new Set(lines.map(({ unit }) => unit))];
    const now = JSON.stringify(lines.map(({ one, unit }) => [one.id, unit]));
    if (now !== shape) {
      shape = now;
      if (need) store.spare(need);
      need = lines.length ? store.need({ seen: true, ids: lines.map(({ one }) => one.id) }) : null;
      for (const { made } of cards) made.leave();
      cards = units.map((unit) => {
        const card = el("article", { "data-unit": unit });
        charts.append(card);
        return { unit, card, made: graph.mount(card, page, { unit, lines: lines.filter((one) => one.unit === unit) }) };
      });
    }
    const words = { "": t("readings"), last: t("last"), avg: t("mean"), min: t("least"), max: t("most"), sum: t("sum"), count: t("count"), rate: t("rate"), increase: t("increase") }[fn_];
    for (const { unit, made, card } of cards) {
      const mine = lines.filter((one) => one.unit === unit);
      made.show(columns.at, mine.map(({ held }) => held));
      const names = [...new Set(mine.map(({ one }) => readable(one.name, one.unit)))];
      say(card.querySelector("h3"), `${names.length > 2 ? t("{n} metrics", { n: names.length }) : names.join(", ")} · ${words}`);
      card.dataset.rows = String(columns.at.length);
    }
    const selectors = picks();
    rows = lines.map(({ one, colour, label: said, unit, exact }, k) => ({ k, now: { name: el("small"), value: el("span") }, one, colour, said, unit, ...summary(exact), mine: selectors.find((text) => text === selector(one)) }));
    const missing = answer === null ? [] : selectors.filter((text) => !answer.series.some((one) => selector(one) === text) && answer.series.length === 0);
    chosen.replaceChildren(...rows.map(({ now, one, colour, said, unit, least, mean, most, mine }) => now.item = el("li", { "data-series": selector(one), "data-least": String(least), "data-most": String(most), "data-mean": String(mean) },
      graph.swatch(colour), el("span.name", { title: selector(one) }, said),
      el("span.n", {}, now.name, " ", now.value), ...[[t("least"), least], [t("mean"), mean], [t("most"), most]].map(([name, value]) => el("span.n", {}, el("small", {}, name), " ", written(unit, value))),
      mine === undefined ? null : el("button.button.small.icon", { type: "button", "aria-label": t("Take {series} away", { series: said }), onclick: () => pick(mine) }, "×"))));
    point();
    charts.hidden = route.get("as") === "table" || lines.length === 0;
    table.hidden = route.get("as") !== "table" || lines.length === 0;
    if (!table.hidden) numbers(lines, columns.at);
    for (const one of as) one.setAttribute("aria-pressed", String(one.dataset.as === (route.get("as") === "table" ? "table" : "chart")));
    if (selectors.length === 0) {
      note.hidden = false;
      say(note, t("Choose series on the left: up to {n}, of any sources. Each unit gets a chart of its own.", { n: MOST }));
    } else if (answer !== null && (lines.length === 0 || missing.length)) {
      note.hidden = false;
      say(note, t("There is no series {series}.", { series: selectors.join(", ") }));
    } else if (answer !== null && columns.at.length === 0) {
      note.hidden = false;
      say(note, t("Nothing recorded in this time"));
    } else if (answer?.series.length > MOST) {
      note.hidden = false;
      say(note, t("{n} series fit; the first {most} are shown.", { n: answer.series.length, most: MOST }));
    }
    for (const one of [csv, png, shell, link]) one.disabled = lines.length === 0;
    root.dataset.shown = String(lines.length);
    say(line, curl());
  };

  const numbers = (lines, at) => {
    const first = Math.max(0, at.length - ROWS);
    const head = el("tr", {}, el("th", { scope: "col" }, t("time")), ...lines.map(({ label: said, colour }) => el("th.n", { scope: "col" }, graph.swatch(colour), " ", said)));
    const body = [];
    for (let row = at.length - 1; row >= first; row -= 1) {
      if (lines.every(({ exact }) => Number.isNaN(exact[row]))) continue;
      body.push(el("tr", {}, el("th", { scope: "row" }, `${date(at[row])} ${clock(at[row])}`), ...lines.map(({ exact, unit }) => {
        const { number, unit: suffix } = measured(unit, exact[row]);
        return el("td.n", {}, number === "–" ? "" : `${number} ${suffix}`.trim());
      })));
    }
    const { scrollTop, scrollLeft } = table;
    table.replaceChildren(el("table", {}, el("caption", {}, t("{n} newest rows of {all}; the file has all of them", { n: body.length, all: at.length })), el("thead", {}, head), el("tbody", {}, ...body)));
    Object.assign(table, { scrollTop, scrollLeft });
  };

  // ---- taking along

  const absolute = (at) => new Date(at * 1000).toISOString();
  const curl = () => {
    const { from, to } = bounds();
    const length = Math.round(to - from);
    return command(location.origin, span.growing ? asked(`-${length}s`, "now") : asked(absolute(from), absolute(to)));
  };
  const toggle = () => {
    told.hidden = !told.hidden;
    shell.setAttribute("aria-expanded", String(!told.hidden));
  };
  const name = (kind) => `playhead-${absolute(bounds().to).slice(0, 19).replaceAll(":", "")}.${kind}`;

  async function save(made, how) {
    made.disabled = true;
    try {
      await how();
    } catch (failure) {
      page.toast({ type: "error", title: t("That did not work"), more: failure.message });
    }
    made.disabled = false;
  }

  async function download() {
    const { from, to } = bounds();
    const got = await fetch(`/api/realtime/query?${asked(absolute(from), absolute(to))}`, { headers: { Accept: CSV }, cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!got.ok) throw new Error((await got.json()).detail);
    given(name("csv"), await got.blob());
  }

  async function picture() {
    const drawn = cards.filter(({ made }) => made.canvas);
    if (drawn.length === 0) throw new Error(t("There is no chart to be drawn."));
    const { from, to } = bounds();
    const blob = await sheet(drawn.map(({ card, made }) => ({ title: `${card.querySelector("h3").textContent}  ${made.suffix}`, canvas: made.canvas, entries: made.entries() })),
      `${date(from)} ${clock(from)} – ${date(to)} ${clock(to)} ${timeZone()}`.trim());
    given(name("png"), blob);
  }

  fn.addEventListener("change", () => route.go({ fn: fn.value }));
  step.addEventListener("change", () => route.go({ step: step.value, fn: step.value && !told_fn() ? "last" : told_fn() }));

  let before = { series: null, q: null };
  const told_by = () => {
    const next = { series: `${route.get("series")} ${route.get("fn")} ${route.get("step")}`, q: `${route.get("q")}\n\n${route.get("where")}`, as: route.get("as") };
    fn.value = told_fn();
    if (told_step() && ![...step.options].some(({ value }) => value === told_step())) step.append(el("option", { value: told_step() }, t("every {step}", { step: told_step() })));
    step.value = told_step();
    if (document.activeElement !== find) find.value = route.get("q");
    if (next.q !== before.q || next.series !== before.series) look();
    if (next.series !== before.series) load();
    else if (next.as !== before.as) show();
    before = next;
  };

  const off = [
    route.on(told_by), span.on(soon), store.on("load", () => {
      answered = "";
      soon();
    }),
    store.on("playhead", point), store.on("metrics", () => store.past && point()),
    page.keys.on("f", t("find series"), () => find.focus()),
  ];
  show();
  told_by();
  catalogue.all(() => look()).then(() => !gone && look(), (failure) => {
    failed = t("the others could not be read: {reason}", { reason: failure.message });
    look();
  });
  return () => {
    gone = true;
    hunt.stop();
    clearTimeout(timer);
    clearTimeout(typing);
    if (need) store.spare(need);
    for (const { made } of cards) made.leave();
    for (const one of off) one();
    root.replaceChildren();
  };
}

function summary(column) {
  let [count, sum, least, most, newest] = [0, 0, Infinity, -Infinity, NaN];
  for (const value of column) {
    if (Number.isNaN(value)) continue;
    count += 1;
    sum += value;
    least = Math.min(least, value);
    most = Math.max(most, value);
    newest = value;
  }
  return count ? { newest, least, mean: sum / count, most } : { newest: NaN, least: NaN, mean: NaN, most: NaN };
}

/** Charts with their titles, legends and time on one sheet → a PNG. */
function sheet(charts, time) {
  const ratio = devicePixelRatio || 1;
  const colours = palette();
  const pad = 16 * ratio;
  const line = 20 * ratio;
  const width = Math.max(...charts.map(({ canvas }) => canvas.width)) + 2 * pad;
  const height = pad + line + charts.reduce((sum, { canvas, entries }) => sum + canvas.height + line * (1 + entries.length) + pad, 0);
  const made = el("canvas");
  Object.assign(made, { width, height });
  const draw = made.getContext("2d");
  draw.fillStyle = colours.surface;
  draw.fillRect(0, 0, width, height);
  const font = (size, weight = "") => `${weight} ${size * ratio}px ${colours.font.replace(/^\S+\s/, "")}`;
  let y = pad + line / 2;
  const write = (text, x, colour, how) => {
    Object.assign(draw, { fillStyle: colour, font: how, textBaseline: "middle" });
    draw.fillText(text, x, y, width - x - pad);
  };
  write(time, pad, colours.muted, font(12));
  for (const { title, canvas, entries } of charts) {
    y += line;
    write(title, pad, colours.ink, font(13, "600"));
    for (const { colour, label, value } of entries) {
      y += line;
      draw.fillStyle = colours.series[colour % colours.series.length];
      draw.fillRect(pad, y - 4 * ratio, 8 * ratio, 8 * ratio);
      write(`${label}   ${value}`, pad + 14 * ratio, colours.ink, font(12));
    }
    y += line / 2;
    draw.drawImage(canvas, pad, y);
    y += canvas.height + pad - line / 2;
  }
  return new Promise((done, fail) => made.toBlob((blob) => (blob ? done(blob) : fail(new Error(t("The browser could not make a picture.")))), "image/png"));
}
