// One chart: title and unit, legend with the values at the cursor, the picture, and the same as a table.

import { el, say } from "../dom.js";
import { figures, percent } from "../format.js";
import { flags } from "../flags.js";
import { called } from "../ghosts.js";
import { draw } from "../plot.js";
import { Drawn, painter } from "../paint.js";
import { onTheme } from "../palette.js";
import { row as rowAt } from "../timeline.js";
import { veil } from "../veil.js";
import { t } from "../words.js";

const LEGEND = 4;
const SUMMARY_MS = 10_000;
const FIGURES = ["newest", "least", "mean", "most"];

/**
 * `chart` as plan.js makes it; `page` has store, span and tapes. Fills the article `root`. A chart of several sources says in
 * each line whose it is; one with columns of its own gives them by `open() → Tape`; one on a dashboard already is `own`. One of several
 * that are compared has their `level`, and is told from the others by its `side`, a letter.
 */
export function mount(root, page, chart) {
  const { store, span, tapes } = page;
  root.id = `chart-${chart.id}`;
  const title = el("h3", { id: `${root.id}-title`, title: chart.help || undefined }, chart.side ? el("span.side", {}, chart.side) : null, t(chart.title));
  const unit = el("span.unit");
  const haunted = el("span.haunted", { hidden: true });
  const entries = chart.lines.map(({ label }, k) => {
    const value = el("b", {}, "–");
    return { k, value, item: el("li", { title: label || undefined }, el(`i.swatch.c${(k % 6) + 1}`), label ? el("span", {}, label) : null, value) };
  });
  const legend = el("ul.legend", { "aria-hidden": "true" }, ...entries.map(({ item }) => item));
  const plot = el("div.plot");
  const empty = el("p.empty", {}, "");
  const figures_rows = chart.lines.map(() => FIGURES.map(() => el("td.n")));
  const body = el("tbody", {}, ...chart.lines.map(({ label }, k) => el("tr", {}, el("th", { scope: "row" }, label || t(chart.title)), ...figures_rows[k])));
  const current = el("th", { scope: "col" }, t("now"));
  const figures_ = el("div.unseen.summary", {}, el("table", {},
    el("caption", {}, t("{title}: newest, least, mean and most of the shown time", { title: t(chart.title) })),
    el("thead", {}, el("tr", {}, ...[t("series"), null, t("least"), t("mean"), t("most")].map((name) => (name === null ? current : el("th", { scope: "col" }, name))))), body));
  const more = el("button.button.small.icon", {
    type: "button", "aria-expanded": "false", title: t("Figures"), "aria-label": t("Figures of {title}", { title: t(chart.title) }),
    onclick() {
      const shown = figures_.classList.toggle("unseen") === false;
      more.setAttribute("aria-expanded", String(shown));
      if (shown) summarize();
    },
  }, "Σ");
  const keep = el("button.button.small.icon.keep", {
    type: "button", title: t("Add to a dashboard"), "aria-label": t("Add {title} to a dashboard", { title: t(chart.title) }),
    onclick: page.lazy(() => import("./offer.js"), (it) => it.offer(page, chart)),
  }, "+");
  const save = el("button.button.small.save", { type: "button", "aria-label": t("Save {title} as CSV", { title: t(chart.title) }), onclick: page.lazy(() => import("../saved.js"), ({ saved }) => download(saved)) }, "CSV");
  const explore = el("a.button.small.explore", { href: page.route.href({ view: "explore" }), "aria-label": t("Explore {title}", { title: t(chart.title) }) }, t("Explore"));
  const lead = page.lazy(() => import("../selection.js"), ({ joined, selector }) => {
    const { view } = store;
    const fn = chart.lines.every(({ id }) => view.series.get(id)?.kind === "counter") ? "rate" : "";
    explore.href = page.route.href({ view: "explore", series: joined(chart.lines.map(({ series, source = chart.source }) => selector({ series, source }))), fn });
  });
  // The time shown stands in the address, and has moved since: the link is made when somebody comes near.
  for (const near of ["pointerenter", "focusin"]) root.addEventListener(near, lead);
  plot.append(empty, haunted);
  root.append(el("header", {}, el("span.title", {}, title, unit), legend, el("span.tools", {}, explore, chart.own ? null : keep, more, save)), plot, figures_);
  root.setAttribute("aria-labelledby", title.id);

  const tape = chart.open?.() ?? tapes.open({ kind: chart.kind, ids: chart.lines.map(({ id }) => id) });
  const after = veil();
  const marked = flags(page);
  let picture = null;
  let summed_at = 0;
  const drawn = new Drawn();
  // Handed to us: asking the element between two changes of text would lay the page out each time.
  let box = { width: 0, height: 0 };

  const drawn_series = new Set(chart.lines.map(({ series, source = chart.source }) => `${source} ${series}`));
  let marks = [];
  const mark = () => {
    // Of the past it is known how long they went on.
    marks = (store.past ? page.reel.alerts : store.view.spans).filter(({ rule, series, source }) => (source === chart.source && chart.rule && rule === chart.rule) || drawn_series.has(`${source} ${series}`));
  };
  mark();
  const whole = () => (chart.unit === "ratio" && chart.kind === "stack" ? 1 : chart.whole ? store.value(chart.whole, {}, chart.source) ?? NaN : NaN);
  // The loopback's bytes never leave the host, and would rule the picture of those that do: not drawn beside real devices.
  const loopback = chart.lines.map(({ id }) => /^lo\d*$/.test(store.view.series.get(id)?.labels.device ?? ""));
  const aside = (k) => loopback[k] && !loopback.every(Boolean);

  const build = () => {
    picture?.destroy();
    picture = draw(chart, plot, {
      marks: () => marks, whole, aside, moved: read, chosen: (from, to) => span.fix(from, to), box, level: chart.level && ((reach) => chart.level.join(root, reach)),
    });
    picture.picture.over.append(after.element, marked.element);
  };

  /** Legend at the cursor as it is drawn; without one what was known at the playhead, at the newest row otherwise. */
  function read() {
    // uPlot tells of its cursor once before there is anything under it.
    if (picture === null || picture.lines.length === 0) return;
    const { picture: { cursor }, lines, y } = picture;
    const under = cursor.left >= 0 ? nearest(picture.at, picture.picture.posToVal(cursor.left, "x")) : -1;
    const hover = under >= 0;
    // What was nothing all along says nothing, and of many only the largest have room: the rest leaves the legend, not the chart.
    const peaks = lines.filter(({ away }) => !away).map(({ peak }) => peak).sort((a, b) => b - a);
    const least = Math.max(peaks[LEGEND] ?? 0, entries.length > 3 ? 0 : -1);
    for (const { k, item, value } of entries) {
      const now = (hover ? lines[k].raw[under] : tape.said(k)) * y.factor;
      say(value, y.suffix === "%" ? percent(now) : figures(now));
      item.hidden = lines[k].away || lines[k].peak <= least;
    }
  }

  const show = () => {
    const full = tape.table.length > 1;
    root.dataset.state = full ? "full" : tape.state;
    root.dataset.rows = String(tape.table.length);
    root.dataset.lastX = String(tape.table.last);
    root.dataset.tier = tape.tier;
    empty.hidden = full || tape.state === "loading";
    say(empty, full ? "" : tape.state === "failed" ? tape.reason : t("Nothing recorded in this time"));
    if (!full) {
      // What was drawn is of another time.
      if (tape.state !== "loading") picture?.update(tape.table, span.shown());
      chart.level?.leave(root);
      drawn.forget();
      return;
    }
    if (picture === null) build();
    const { table } = tape;
    // Rows that were moved within their buffer are no longer where the picture looks for them.
    const what = [table, table.moves, tape.ghost, box.height, chart.level?.mark, marks.map(({ id, to }) => `${id} ${to}`).join()];
    if (drawn.differs(what, span.shown(), box.width)) picture.update(table, span.shown(), tape.ghost?.table, drawn.moved);
    haunted.hidden = tape.ghost === null;
    if (tape.ghost) say(haunted, `┄ ${called(tape.ghost.shift_s)}${tape.ghost.table.length ? "" : t(": nothing recorded")}`);
    say(unit, [picture.y.suffix, chart.words && t(chart.words), tape.tier === "raw" ? "" : t("from buckets of {tier}", { tier: tape.tier }), chart.missing ? t("{n} more are not drawn", { n: chart.missing }) : ""].filter(Boolean).join(" "));
    root.dataset.top = String(picture.max);
    after.move(picture.picture, store.playhead);
    marked.draw(picture.picture);
    read();
    if (Date.now() - summed_at > SUMMARY_MS || !figures_.matches(".unseen")) summarize();
  };

  const told = () => {
    if (picture === null || !tape.seen) return;
    read();
    if (!figures_.matches(".unseen")) summarize();
  };

  /** The same chart as figures, for a screen reader and for who wants to know: newest, least, mean and most of what is shown. */
  function summarize() {
    if (picture === null || picture.lines.length === 0) return;
    summed_at = Date.now();
    say(current, store.past ? t("at the playhead") : t("now"));
    const { factor, suffix } = picture.y;
    const { from, to } = span.shown();
    const said = (value) => (Number.isFinite(value) ? `${figures(value * factor)} ${suffix}`.trim() : t("none"));
    figures_rows.forEach((cells, k) => {
      const found = summary(tape.table.rows()[0], picture.lines[k].raw, from, to);
      if (store.past) found.newest = tape.said(k);
      FIGURES.forEach((name, column) => say(cells[column], said(found[name])));
    });
  }

  /** What is on screen as a file: every row the page holds, in base units, shortest exact numbers. */
  function download(saved) {
    const quoted = (field) => `"${field.replaceAll('"', '""')}"`;
    const rows = tape.table.rows();
    const lines = [["at", ...chart.lines.map(({ series, column = series }) => quoted(column))].join(",")];
    for (let i = 0; i < rows[0].length; i += 1) {
      lines.push(rows.map((column) => (Number.isNaN(column[i]) ? "" : String(column[i]))).join(","));
    }
    saved(`${chart.source}-${chart.id}.csv`, "text/csv", `${lines.join("\n")}\n`);
  }

  const { ask, stop } = painter(root, show, (seen) => tape.look(seen));
  tape.changed = ask;
  const size = new ResizeObserver((entries) => {
    box = entries.at(-1).contentRect;
    if (picture === null) return;
    picture.picture.setSize({ width: box.width, height: box.height });
    ask();
  });
  size.observe(plot);
  plot.addEventListener("dblclick", page.undo);
  const known = () => {
    mark();
    ask();
  };
  const off = [
    span.on(ask),
    ...["alerts", "load"].map((topic) => store.on(topic, known)),
    page.reel.on(known),
    ...(chart.level ? [chart.level.on(root, () => ask())] : []),
    // A playhead that moves is a line that moves: nothing is drawn for it.
    store.on("playhead", () => {
      if (picture === null || !tape.seen) return;
      after.move(picture.picture, store.playhead);
      read();
    }),
    // What stood there comes after it, and more of it later.
    store.on("metrics", () => store.past && told()),
    onTheme(() => {
      picture?.picture.redraw(true, true);
      drawn.forget();
      ask();
    }),
  ];
  return () => {
    stop();
    size.disconnect();
    tape.close();
    picture?.destroy();
    for (const one of off) one();
    root.replaceChildren();
  };
}

/** The row whose time is nearest to a moment; -1 where there is none. */
function nearest(at, moment) {
  const before = rowAt(at, moment);
  return before + 1 < at.length && (before < 0 || at[before + 1] - moment < moment - at[before]) ? before + 1 : before;
}

function summary(at, raw, from, to) {
  let [count, sum, least, most, newest] = [0, 0, Infinity, -Infinity, NaN];
  for (let i = 0; i < raw.length; i += 1) {
    const v = raw[i];
    if (Number.isNaN(v) || at[i] < from || at[i] > to) continue;
    count += 1;
    sum += v;
    least = Math.min(least, v);
    most = Math.max(most, v);
    newest = v;
  }
  return { newest, least, mean: sum / count, most };
}
