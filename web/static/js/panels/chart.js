// One live chart: uPlot keeps the axes, the cursor and the canvas; the paths are ours, straight from the typed columns.

import uPlot from "../../vendor/uPlot.esm.js";
import { el, say } from "../dom.js";
import { ceiling, clock, figures, minute, percent, scale } from "../format.js";
import { painter } from "../paint.js";
import { faded, onTheme, palette } from "../palette.js";
import { aside, shown } from "../store.js";

const LINE = 1.4;
const LEGEND = 4;
const SUMMARY_MS = 10_000;
// Seconds between labels of the time axis: what people count in.
const STEPS = [1, 5, 10, 15, 30, 60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
const WORDS = { cpu: "of all cores" };

export function mount(root, store, name) {
  const title = el("h2", { id: `${root.id}-title` });
  const unit = el("span.unit");
  const legend = el("ul.legend", { "aria-hidden": "true" });
  const save = el("button.button.small.save", { type: "button", onclick: () => download(store, name) }, "CSV");
  const plot = el("div.plot");
  const empty = el("p.empty", { hidden: true }, "Nothing recorded yet");
  const table = el("table.unseen");
  plot.append(empty, save);
  root.append(el("header", {}, el("span.title", {}, title, unit), legend), plot, table);
  root.setAttribute("aria-labelledby", title.id);

  let chart = null;
  let drawn = null;
  let summed_at = 0;

  const build = () => {
    chart?.picture.destroy();
    drawn = store.view.charts.get(name);
    chart = picture(store, drawn, plot, () => read());
    legend.replaceChildren(...chart.entries.map(({ item }) => item));
    say(title, drawn.title);
    save.setAttribute("aria-label", `Save ${drawn.title} as CSV`);
  };

  /** Legend at the cursor while there is one, at the newest row otherwise. */
  const read = () => {
    // uPlot tells of its cursor once before there is anything under it.
    if (chart === null || chart.lines.length === 0) return;
    const { picture: { cursor }, lines, entries, y } = chart;
    const { length } = drawn.table;
    const hover = cursor.idx !== null && cursor.idx !== undefined && cursor.left >= 0;
    const row = hover ? cursor.idx : length - 1;
    // What was nothing all along says nothing, and of many only the largest have room: the rest leaves the legend, not the chart.
    const peaks = lines.filter(({ away }) => !away).map(({ peak }) => peak).sort((a, b) => b - a);
    const least = Math.max(peaks[LEGEND] ?? 0, entries.length > 3 ? 0 : -1);
    for (const { k, item, value } of entries) {
      const now = row < 0 ? NaN : lines[k].raw[row] * y.factor;
      say(value, y.suffix === "%" ? percent(now) : figures(now));
      item.hidden = lines[k].away || lines[k].peak <= least;
    }
  };

  const draw = () => {
    const data = store.view.charts.get(name);
    if (data === undefined) return;
    if (drawn !== data && (chart === null || String(drawn.columns.map(({ id }) => id)) !== String(data.columns.map(({ id }) => id)))) {
      build();
    }
    drawn = data;
    const full = data.table.length > 1;
    empty.hidden = full;
    root.dataset.rows = String(data.table.length);
    root.dataset.lastX = String(data.table.last);
    if (!full) return;
    chart.update(data);
    say(unit, [chart.y.suffix, WORDS[name]].filter(Boolean).join(" "));
    read();
    if (Date.now() - summed_at > SUMMARY_MS) {
      summed_at = Date.now();
      table.replaceChildren(...summary(data, chart));
    }
  };

  const { ask, stop } = painter(root, draw);
  const size = new ResizeObserver(() => {
    if (chart === null) return;
    chart.picture.setSize({ width: plot.clientWidth, height: plot.clientHeight });
    ask();
  });
  size.observe(plot);
  const off = [
    store.on("metrics", ask), store.on("alerts", ask), store.on("load", ask),
    onTheme(() => {
      chart?.picture.redraw(true, true);
      ask();
    }),
  ];
  return () => {
    stop();
    size.disconnect();
    chart?.picture.destroy();
    for (const one of off) one();
    root.replaceChildren();
  };
}

/** A uPlot with our paths. `lines[k]` has the raw column, the drawn upper edge and, in stacks, the lower one. */
function picture(store, data, plot, moved) {
  const stack = data.kind === "stack";
  const state = { y: { factor: 1, suffix: "" }, max: 1, lines: [], data };
  const sign = data.columns.map(({ below }) => (below ? -1 : 1));
  const colour = (k) => palette().series[k % palette().series.length];

  state.entries = data.columns.map(({ label }, k) => {
    const value = el("b", {}, "–");
    const item = el("li", {}, el(`i.swatch.c${(k % 6) + 1}`), `${label} `, value);
    return { k, item, value };
  });

  const axis = {
    stroke: () => palette().muted,
    get font() {
      return palette().font;
    },
    ticks: { show: false },
    border: { show: false },
  };
  const options = {
    width: plot.clientWidth, height: plot.clientHeight, padding: [8, 4, 0, 0],
    legend: { show: false },
    cursor: {
      y: false, drag: { x: false, y: false }, sync: { key: "playhead", scales: ["x", null] },
      points: { show: false },
    },
    scales: { x: { time: true, auto: false }, y: { auto: false, range: (_, low, high) => [low, high] } },
    axes: [
      { ...axis, grid: { show: false }, size: 24, gap: 6, space: 72, incrs: STEPS, values: labels },
      {
        ...axis, size: 48, gap: 6, grid: { stroke: () => palette().line, width: 1 },
        splits: (_, __, low, high) => [0, 0.25, 0.5, 0.75, 1].map((part) => low + part * (high - low)),
        values: (_, splits) => splits.map((split) => tick(Math.abs(split) * state.y.factor, state.max * state.y.factor)),
      },
    ],
    series: [{}, ...data.columns.map((_, k) => ({
      stroke: () => colour(k),
      fill: () => faded(colour(k), stack ? 0.82 : data.kind === "mirror" ? 0.2 : 0),
      width: stack ? 0 : LINE,
      points: { show: false },
      paths: (u, __, from, to) => (state.lines[k].away ? null : stack ? area(u, state, k, from, to) : trace(u, state, k, sign[k], from, to, data.kind === "mirror")),
    }))],
    hooks: { drawClear: [(u) => behind(u, store, state)], setCursor: [moved] },
  };
  const empty = [[], ...data.columns.map(() => [])];
  state.picture = new uPlot(options, empty, plot);

  state.update = (fresh) => {
    state.data = fresh;
    const { from, to } = shown(store.view);
    const [at, ...columns] = fresh.table.rows();
    state.at = at;
    state.broken = fresh.table.breaks();
    state.lines = columns.map((raw, k) => ({ raw, peak: 0, edge: raw, floor: null, away: aside(store.view, fresh, k) }));
    let most = 0;
    state.holes = new Uint8Array(at.length).fill(1);
    if (stack) {
      let below = new Float64Array(at.length);
      for (const line of state.lines) {
        const edge = new Float64Array(at.length);
        for (let i = 0; i < at.length; i += 1) {
          const v = line.raw[i];
          if (v === v) state.holes[i] = 0;
          if (v > line.peak) line.peak = v;
          // A part that is missing adds nothing; a row where every part is missing is a hole.
          edge[i] = below[i] + (v > 0 ? v : 0);
          if (edge[i] > most && at[i] >= from) most = edge[i];
        }
        line.floor = below;
        line.edge = below = edge;
      }
    } else {
      for (const line of state.lines) {
        for (let i = 0; i < at.length; i += 1) {
          const v = Math.abs(line.raw[i]);
          if (v === v) state.holes[i] = 0;
          if (v > line.peak) line.peak = v;
          if (v > most && at[i] >= from && !line.away) most = v;
        }
      }
    }
    const whole = fresh.unit === "ratio" && stack ? 1 : fresh.name === "memory" ? store.value("system_memory_total_bytes") : undefined;
    if (whole !== undefined) most = Math.max(most, whole);
    state.y = scale(fresh.unit, most);
    const base = state.y.suffix.includes("i") ? 2 : 10;
    state.max = whole === 1 ? 1 : ceiling(most * state.y.factor, base) / state.y.factor;
    const low = fresh.kind === "mirror" ? -state.max : 0;
    state.picture.batch(() => {
      state.picture.setData([at, ...columns], false);
      state.picture.setScale("x", { min: from, max: to });
      state.picture.setScale("y", { min: low, max: state.max });
    });
  };
  return state;
}

/** Times under the axis; one that would be cut off at the right edge, or stand in the values' column, is left out. */
function labels(u, splits, _, __, step) {
  const { min, max } = u.scales.x;
  const margin_s = ((step < 60 ? 26 : 16) * devicePixelRatio * (max - min)) / u.bbox.width;
  return splits.map((at) => (at > max - margin_s || at < min + margin_s / 2 ? "" : (step < 60 ? clock : minute)(at)));
}

function tick(value, most) {
  if (value === 0) return "0";
  return value.toFixed(most >= 40 ? 0 : most >= 4 ? 1 : 2);
}

/** Values → canvas pixels. Both scales are linear, so two numbers each do, instead of a call through uPlot a point. */
function positions(u) {
  const { left, top, width, height } = u.bbox;
  const { x, y } = u.scales;
  const [across, down] = [width / (x.max - x.min), height / (y.max - y.min)];
  return [(v) => left + (v - x.min) * across, (v) => top + (y.max - v) * down];
}

/** One part of a stack: along its upper edge and back along its lower, one polygon for every unbroken run. */
function area(u, { at, broken, lines, holes }, k, from, to) {
  const fill = new Path2D();
  const { edge, floor } = lines[k];
  const [x, y] = positions(u);
  let run = [];
  const close = () => {
    if (run.length > 2) {
      fill.moveTo(run[0], run[1]);
      for (let i = 3; i < run.length; i += 3) fill.lineTo(run[i], run[i + 1]);
      for (let i = run.length - 3; i >= 0; i -= 3) fill.lineTo(run[i], run[i + 2]);
      fill.closePath();
    }
    run = [];
  };
  let column = -Infinity;
  let high = 0;
  let low = 0;
  for (let i = from; i <= to; i += 1) {
    if (holes[i]) {
      close();
      column = -Infinity;
      continue;
    }
    if (i > from && broken[i]) {
      close();
      column = -Infinity;
    }
    const px = Math.round(x(at[i]));
    if (px === column) {
      // Several rows on one pixel: the highest of each edge, so that a peak is never thinner than a pixel and never gone.
      high = Math.max(high, edge[i]);
      low = Math.max(low, floor[i]);
      run[run.length - 2] = y(high);
      run[run.length - 1] = y(low);
    } else {
      column = px;
      high = edge[i];
      low = floor[i];
      run.push(px, y(high), y(low));
    }
  }
  close();
  return { stroke: null, fill, clip: null, flags: 0 };
}

/** A line, or one half of a mirror; the highest and the lowest value of every pixel column are drawn. */
function trace(u, { at, broken, lines }, k, sign, from, to, filled) {
  const stroke = new Path2D();
  const fill = filled ? new Path2D() : null;
  const { raw } = lines[k];
  const [x, up] = positions(u);
  const y = (v) => up(sign * v);
  const zero = y(0);
  let column = -Infinity;
  let high = 0;
  let low = 0;
  let first = 0;
  let open = false;
  let left = 0;
  const flush = () => {
    if (column === -Infinity) return;
    const [a, b] = first === high ? [high, low] : [low, high];
    stroke.lineTo(column, y(a));
    if (a !== b) stroke.lineTo(column, y(b));
    fill?.lineTo(column, y(high));
  };
  const close = () => {
    flush();
    if (open && fill) {
      fill.lineTo(column, zero);
      fill.lineTo(left, zero);
      fill.closePath();
    }
    open = false;
    column = -Infinity;
  };
  for (let i = from; i <= to; i += 1) {
    const v = raw[i];
    if (Number.isNaN(v)) {
      close();
      continue;
    }
    if (i > from && broken[i]) close();
    const px = Math.round(x(at[i]));
    if (!open) {
      open = true;
      left = px;
      stroke.moveTo(px, y(v));
      fill?.moveTo(px, zero);
    }
    if (px === column) {
      high = Math.max(high, v);
      low = Math.min(low, v);
    } else {
      flush();
      column = px;
      high = low = first = v;
    }
  }
  close();
  return { stroke, fill, clip: null, flags: 0 };
}

/** Behind the lines: where an alert was on, and where nothing was recorded. */
function behind(u, store, { data, at, broken, holes }) {
  if (at === undefined) return;
  const { left, top, width, height } = u.bbox;
  const colours = palette();
  const band = (from, to, fill) => {
    const a = Math.max(left, u.valToPos(from, "x", true));
    const b = Math.min(left + width, u.valToPos(to, "x", true));
    if (b <= a) return;
    u.ctx.fillStyle = fill;
    u.ctx.fillRect(a, top, b - a, height);
  };
  const gaps = [];
  let solid = -1;
  for (let i = 0; i < at.length; i += 1) {
    if (holes[i]) continue;
    if (solid >= 0 && (solid < i - 1 || broken[i])) gaps.push([at[solid], at[i]]);
    solid = i;
  }
  for (const [lost, found] of gaps) band(lost, found, faded(colours.muted, 0.1));
  for (const { rule, severity, from, to } of store.view.spans) {
    if (rule !== data.name) continue;
    // What was not recorded is not known to have been above anything: the shade stops there.
    let begin = from;
    const colour = faded(colours[severity] ?? colours.warning, 0.14);
    for (const [lost, found] of gaps) {
      if (found <= begin || lost >= (to ?? store.view.at)) continue;
      if (lost > begin) band(begin, lost, colour);
      begin = found;
    }
    band(begin, to ?? store.view.at, colour);
  }
}

/** The same chart for a screen reader: per series now, least, most and mean over what is shown. */
function summary({ title, columns }, { lines, y }) {
  const cell = (value) => el("td", {}, Number.isFinite(value) ? `${figures(value * y.factor)} ${y.suffix}` : "none");
  return [
    el("caption", {}, `${title}: newest, least, most and mean of the shown time`),
    el("tbody", {}, ...columns.map(({ label }, k) => {
      const { raw } = lines[k];
      let [count, sum, least, most] = [0, 0, Infinity, -Infinity];
      for (const v of raw) {
        if (Number.isNaN(v)) continue;
        count += 1;
        sum += v;
        least = Math.min(least, v);
        most = Math.max(most, v);
      }
      return el("tr", {}, el("th", { scope: "row" }, label), cell(raw[raw.length - 1]), cell(least), cell(most), cell(sum / count));
    })),
  ];
}

/** What is on screen as a file: every row the page holds, in base units, shortest exact numbers. */
function download(store, name) {
  const { columns, table } = store.view.charts.get(name);
  const quoted = (field) => `"${field.replaceAll('"', '""')}"`;
  const rows = table.rows();
  const lines = [["at", ...columns.map(({ series }) => quoted(series))].join(",")];
  for (let i = 0; i < rows[0].length; i += 1) {
    lines.push(rows.map((column) => (Number.isNaN(column[i]) ? "" : String(column[i]))).join(","));
  }
  const href = URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "text/csv" }));
  el("a", { href, download: `${store.view.source}-${name}.csv` }).click();
  // The browser has taken its reference once the click is handled; the object need not outlive it.
  setTimeout(() => URL.revokeObjectURL(href), 1000);
}
