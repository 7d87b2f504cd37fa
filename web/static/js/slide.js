// A picture a moment later: what is drawn already moves to the left, and only what has come is drawn at its right edge. A line of
// hundreds of points takes the browser milliseconds to draw; to move it takes a twentieth of that.

import { palette } from "./palette.js";
import { row } from "./timeline.js";

// A row may have been completed since it was drawn (seconds), and a line is as thick as it is (pixels).
const OPEN_S = 5;
const EDGE_PX = 4;
const MOST = 0.25;

/** What is to be known of the rows that a picture from `from` on shows: its last one, what stood there, and how many lie before it. */
export function told(from, { at, lines }) {
  const last = at.at(-1) ?? -Infinity;
  return { last, rows: at.length - 1 - row(at, from), tail: lines.map(({ raw }) => raw.at(-1)) };
}

/**
 * By how many of its pixels a picture moves to end at `to`; NaN: it has to be drawn anew. `drawn` is what it shows ({ from, to, first,
 * next, margin_s, …told }: labels of the time axis stand from `first` on, and one is due at `next`); `broken` and `holes` are of the
 * rows `at`, `lines` their values.
 */
export function pixels(drawn, { from, to }, width, { at, broken, holes, lines }) {
  const each_s = (drawn.to - drawn.from) / width;
  // A window that grows is another scale.
  if (!(Math.abs(to - from - (drawn.to - drawn.from)) < 0.01 * each_s)) return NaN;
  const by = Math.floor((to - drawn.to) / each_s + 1e-6);
  if (!(by >= 0 && by <= MOST * width)) return NaN;
  const moved_s = by * each_s;
  if (!(drawn.next > drawn.to + moved_s - drawn.margin_s) || drawn.first < drawn.from + moved_s + drawn.margin_s) return NaN;
  // What came late stands in what is only moved; so does the way to the next row, and what completes the last, once that one is long drawn.
  const last = row(at, drawn.last);
  if (last - row(at, drawn.from) !== drawn.rows) return NaN;
  if (drawn.last < drawn.to - OPEN_S && (last < at.length - 1 || lines.some(({ raw }, k) => !Object.is(raw[last], drawn.tail[k])))) return NaN;
  // A hole is shaded over its whole length.
  for (let i = at.length - 1; i >= 0 && at[i] > drawn.to - OPEN_S; i -= 1) if (broken[i] || holes[i]) return NaN;
  return by;
}

/** Moves the picture of the uPlot `u` by so many of its pixels; `paths(k, first, last)` gives the paths of line k between two rows of `at`. */
export function slide(u, by, at, paths) {
  const { ctx, bbox: { left, top, width, height }, scales: { x } } = u;
  const { canvas } = ctx;
  const each_s = (x.max - x.min) / width;
  Object.assign(x, { min: x.min + by * each_s, max: x.max + by * each_s });
  Object.assign(x, { _min: x.min, _max: x.max });
  if (by === 0) return;
  const right = left + width;
  const edge = right - by - Math.ceil(OPEN_S / each_s) - EDGE_PX;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, 0, canvas.width - left, canvas.height);
  ctx.clip();
  ctx.globalCompositeOperation = "copy";
  const kept = canvas.width - left - by;
  ctx.drawImage(canvas, left + by, 0, kept, canvas.height, left, 0, kept, canvas.height);
  ctx.restore();

  // From here on as uPlot draws it, to the fraction of a pixel.
  const ratio = devicePixelRatio;
  const below = top + height + Math.ceil(2 * ratio);
  ctx.save();
  ctx.beginPath();
  ctx.rect(edge, 0, canvas.width - edge, below);
  ctx.clip();
  ctx.clearRect(edge, 0, canvas.width - edge, below);
  lined(ctx, ratio, () => {
    ctx.strokeStyle = palette().line;
    ctx.beginPath();
    for (const split of u.axes[1]._splits) {
      const y = Math.round(u.valToPos(split, "y", true));
      ctx.moveTo(left, y);
      ctx.lineTo(right, y);
    }
    ctx.stroke();
  });
  const first = Math.max(0, row(at, x.min + (edge - EDGE_PX - left) * each_s) - 1);
  u.series.forEach((series, k) => {
    const { stroke, fill } = (k && paths(k - 1, first, at.length - 1)) || {};
    lined(ctx, series.width * ratio, (thick) => {
      ctx.beginPath();
      ctx.rect(left - thick / 2, top - thick / 2, width + thick, height + thick);
      ctx.clip();
      Object.assign(ctx, { lineJoin: "round", lineCap: "butt", fillStyle: series._fill, strokeStyle: series._stroke });
      if (fill) ctx.fill(fill);
      if (stroke && thick) ctx.stroke(stroke);
    });
  });
  ctx.restore();
}

function lined(ctx, width, draw) {
  const thick = Math.round(width * 1000) / 1000;
  ctx.save();
  ctx.translate((thick % 2) / 2, (thick % 2) / 2);
  if (thick) ctx.lineWidth = thick;
  draw(thick);
  ctx.restore();
}
