// The picture of a chart: uPlot has the axes, the cursor, the selection and the canvas; the paths are ours, straight from the typed columns.

import uPlot from "../vendor/uPlot.esm.js";
import { ceiling, fixed, scale, timeZone, times } from "./format.js";
import { faded, palette } from "./palette.js";
import { pixels, slide, told } from "./slide.js";

const LINE = 1.4;
// Seconds between labels of the time axis: what people count in.
const STEPS = [1, 5, 10, 15, 30, 60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000];

/**
 * A uPlot with our paths. `chart` says what is drawn and how (see plan.js); `plot` is the element it fills.
 *   marks(): where something was the matter, [{ severity, from, to }] in epoch seconds
 *   whole(): the value that the full height stands for, NaN when the data says
 *   moved(): the cursor moved    chosen(from, to): a stretch was selected    box: the element's { width, height } where it is known
 *   level({ most, least }) → the same of all pictures that it is compared with: they have one vertical scale, and the cursors
 *   of such pictures stand at the same distance from where each begins, instead of at the same time
 * → { picture, update(table, { from, to }, ghost, moved), lines, y, at, destroy() }; `moved`: nothing but the time has changed; `lines[k]` has the raw column, the drawn upper edge and,
 * in stacks, the lower one.
 */
export function draw(chart, plot, { marks, whole, aside, moved, chosen, box, level = null }) {
  const stack = chart.kind === "stack";
  // `drawn` is what there is to see, as slide.js wants it.
  const state = { y: { factor: 1, suffix: "" }, max: 1, lines: [], drawn: null };
  const sign = chart.lines.map(({ below }) => (below ? -1 : 1));
  // A line may bring the colour it has elsewhere; beyond the colours there are it is dashed as well.
  const place = (k) => chart.lines[k].colour ?? k;
  const colour = (k) => palette().series[place(k) % palette().series.length];

  const axis = {
    stroke: () => palette().muted,
    get font() {
      return palette().font;
    },
    ticks: { show: false },
    border: { show: false },
  };
  const options = {
    width: box?.width || plot.clientWidth, height: box?.height || plot.clientHeight, padding: [8, 4, 0, 0],
    legend: { show: false },
    ...(timeZone() && { tzDate: (at) => uPlot.tzDate(new Date(at * 1000), timeZone()) }),
    cursor: {
      y: false, drag: { x: true, y: false, setScale: false, dist: 6 }, sync: { key: level ? "beside" : "playhead", scales: [level ? null : "x", null], setSeries: false, filters: { pub: (type) => type === "mousemove" || type === "mouseleave" } },
      points: { show: false },
    },
    scales: { x: { time: true, auto: false }, y: { auto: false, range: (_, low, high) => [low, high] } },
    axes: [
      { ...axis, grid: { show: false }, size: 24, gap: 6, space: 72, incrs: STEPS, values: (...axis) => labels(state, ...axis) },
      {
        ...axis, size: 48, gap: 6, grid: { stroke: () => palette().line, width: 1 },
        splits: (_, __, low, high) => [0, 0.25, 0.5, 0.75, 1].map((part) => low + part * (high - low)),
        values: (_, splits) => splits.map((split) => tick((chart.kind === "mirror" ? Math.abs(split) : split) * state.y.factor, state.max * state.y.factor)),
      },
    ],
    series: [{}, ...chart.lines.map((_, k) => ({
      stroke: () => colour(k),
      fill: () => faded(colour(k), stack ? 0.82 : chart.kind === "mirror" ? 0.2 : 0),
      width: stack ? 0 : LINE,
      dash: (chart.lines[k].colour ?? 0) < palette().series.length ? [] : [5, 4],
      points: { show: false },
      paths: (u, __, from, to) => paths(k, from, to),
    }))],
    hooks: {
      drawClear: [(u) => gaps(u, state)],
      draw: [(u) => {
        if (state.ghost) haunt(u, chart, state);
        spans(u, marks(), state);
      }],
      setCursor: [moved],
      setSelect: [(u) => {
        const { left, width } = u.select;
        if (width < 6) return;
        u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        chosen(u.posToVal(left, "x"), u.posToVal(left + width, "x"));
      }],
    },
  };
  const paths = (k, from, to) => (state.lines[k].away ? null : stack ? area(state.picture, state, k, from, to) : trace(state.picture, state, k, sign[k], from, to, chart.kind === "mirror"));
  const dashed = chart.lines.some(({ colour: one }) => (one ?? 0) >= palette().series.length);
  const empty = [[], ...chart.lines.map(() => [])];
  state.picture = new uPlot(options, empty, plot);

  state.update = (table, { from, to }, ghost = null, moved = false) => {
    // What is laid over the picture ends with the time, dashes would begin anew, and who points at it wants to know where.
    const same = moved && !ghost && !dashed && state.picture.cursor.left < 0 && marks().length === 0;
    state.ghost = ghost && ghosted(ghost, stack, aside);
    const [at, ...columns] = table.rows();
    state.at = at;
    state.to = to;
    state.broken = table.breaks();
    state.lines = columns.map((raw, k) => ({ raw, peak: 0, edge: raw, floor: null, away: aside(k) }));
    let most = 0;
    let least = 0;
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
          const value = line.raw[i];
          const v = Math.abs(value);
          if (v === v) state.holes[i] = 0;
          if (v > line.peak) line.peak = v;
          if (v > most && at[i] >= from && !line.away) most = v;
          if (value < least && at[i] >= from && !line.away) least = value;
        }
      }
    }
    if (state.ghost) most = Math.max(most, tallest(state.ghost, from, to));
    const full = whole();
    if (full > most) most = full;
    if (level) ({ most, least } = level({ most, least }));
    state.y = scale(chart.unit, most);
    const base = state.y.suffix.includes("i") ? 2 : 10;
    // Parts that make a whole add up to a hair more now and then.
    state.max = full === 1 && most < 1.02 ? 1 : ceiling(most * state.y.factor, base) / state.y.factor;
    // Below zero as far as above, so that zero is on a line of the grid.
    if (least < 0) state.max = Math.max(state.max, ceiling(-least * state.y.factor, base) / state.y.factor);
    const low = chart.kind === "mirror" || least < 0 ? -state.max : 0;
    const { drawn, picture } = state;
    const { canvas } = picture.ctx;
    if (same && drawn?.low === low && drawn.high === state.max && drawn.width === canvas.width && drawn.height === canvas.height) {
      const by = pixels(drawn, { from, to }, picture.bbox.width, state);
      if (!Number.isNaN(by)) {
        [at, ...columns].forEach((column, k) => (picture.data[k] = column));
        slide(picture, by, at, paths);
        if (by > 0) Object.assign(drawn, { from: picture.scales.x.min, to: picture.scales.x.max, ...told(picture.scales.x.min, state) });
        return;
      }
    }
    // uPlot does not know where it was moved to: whatever comes is new to it.
    picture.scales.x.min = NaN;
    state.picture.batch(() => {
      state.picture.setData([at, ...columns], false);
      state.picture.setScale("x", { min: from, max: to });
      state.picture.setScale("y", { min: low, max: state.max });
    });
    state.drawn = { ...state.labelled, ...told(from, state), from, to, low, high: state.max, width: canvas.width, height: canvas.height };
  };
  state.destroy = () => state.picture.destroy();
  return state;
}

/** Times under the axis; one that would be cut off at the right edge, or stand in the values' column, is left out. */
function labels(state, u, splits, _, __, step) {
  const { min, max } = u.scales.x;
  const margin_s = ((step < 60 ? 26 : 16) * devicePixelRatio * (max - min)) / u.bbox.width;
  const first = splits.find((at) => at >= min + margin_s);
  const next = splits.find((at) => at > max - margin_s) ?? splits.at(-1) + step;
  state.labelled = { first: first < next ? first : Infinity, next, margin_s };
  return splits.map((at) => (at > max - margin_s || at < min + margin_s ? "" : times(at, step, max - min)));
}

function tick(value, most) {
  if (value === 0) return "0";
  return fixed(value, most >= 40 ? 0 : most >= 4 ? 1 : 2);
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

/** Another time as lines: of a stack its height alone, or nobody could tell the two apart. */
function ghosted(table, stack, aside) {
  const [at, ...columns] = table.rows();
  if (!stack) return { at, columns: columns.map((column, k) => (aside(k) ? [] : column)) };
  const height = Float64Array.from(at, (_, i) => {
    let sum = NaN;
    for (const column of columns) if (!Number.isNaN(column[i])) sum = (Number.isNaN(sum) ? 0 : sum) + column[i];
    return sum;
  });
  return { at, columns: [height] };
}

function tallest({ at, columns }, from, to) {
  let most = 0;
  for (const column of columns) for (let i = 0; i < column.length; i += 1) if (at[i] >= from && at[i] <= to) most = Math.max(most, Math.abs(column[i]) || 0);
  return most;
}

/** Over the lines, dashed and faded: what was at another time. */
function haunt(u, chart, { ghost: { at, columns } }) {
  const { ctx } = u;
  const { left, top, width, height } = u.bbox;
  const colours = palette();
  const [x, y] = positions(u);
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  ctx.lineWidth = LINE * devicePixelRatio;
  ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
  columns.forEach((column, k) => {
    ctx.strokeStyle = faded(columns.length === 1 ? colours.ink : colours.series[k % colours.series.length], 0.7);
    const sign = chart.lines[k].below ? -1 : 1;
    ctx.beginPath();
    let open = false;
    for (let i = 0; i < column.length; i += 1) {
      const v = column[i];
      if (Number.isNaN(v)) open = false;
      else if (open) ctx.lineTo(x(at[i]), y(sign * v));
      else {
        open = true;
        ctx.moveTo(x(at[i]), y(sign * v));
      }
    }
    ctx.stroke();
  });
  ctx.restore();
}

/** Fills the height of the picture between two moments; where they are out of it, nothing. */
function band(u, from, to, fill, part = 1) {
  const { left, top, width, height } = u.bbox;
  const a = Math.max(left, u.valToPos(from, "x", true));
  const b = Math.min(left + width, u.valToPos(to, "x", true));
  if (b <= a) return;
  u.ctx.fillStyle = fill;
  u.ctx.fillRect(a, top, b - a, height * part);
}

/** Behind the lines: where nothing was recorded. */
function gaps(u, state) {
  const { at, broken, holes } = state;
  state.gaps = [];
  if (at === undefined) return;
  let solid = -1;
  for (let i = 0; i < at.length; i += 1) {
    if (holes[i]) continue;
    if (solid >= 0 && (solid < i - 1 || broken[i])) state.gaps.push([at[solid], at[i]]);
    solid = i;
  }
  for (const [lost, found] of state.gaps) band(u, lost, found, faded(palette().muted, 0.1));
}

/** Over the lines, for a stack hides what is behind it: where an alert was on, with an edge on top that any colour lets see. */
function spans(u, marks, { gaps: missing, to: end }) {
  const colours = palette();
  for (const { severity, from, to } of marks) {
    const colour = colours[severity] ?? colours.warning;
    const shade = (begin, until) => {
      band(u, begin, until, faded(colour, 0.13));
      band(u, begin, until, colour, (2 * devicePixelRatio) / u.bbox.height);
    };
    // What was not recorded is not known to have been above anything: the shade stops there.
    let begin = from;
    for (const [lost, found] of missing ?? []) {
      if (found <= begin || lost >= (to ?? end)) continue;
      if (lost > begin) shade(begin, lost);
      begin = found;
    }
    shade(begin, to ?? end);
  }
}
