// A sparkline on a canvas: as many points as there are pixels, peaks kept, holes left open.

import { faded, palette } from "./palette.js";

/**
 * Draws `table`'s only column over [from, to]; y runs from `low` to at least `high`; a dashed line marks `limit` where it
 * lies within. `size` is the canvas's box in CSS
 * pixels: handed in, because asking the canvas between two changes of text would lay the page out each time.
 * `until` (NaN: none) is a playhead: what comes after it is pale, and it is a line in `mark`.
 */
export function spark(canvas, table, { from, to, low, high, colour, size, limit = NaN, until = NaN, mark }) {
  const ratio = devicePixelRatio || 1;
  const width = Math.round(size.width * ratio);
  const height = Math.round(size.height * ratio);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const draw = canvas.getContext("2d");
  draw.clearRect(0, 0, width, height);
  const [at, value] = table.rows();
  const pad = 1.5 * ratio;
  let top = high;
  let begin = 0;
  while (begin < at.length - 1 && at[begin + 1] < from) begin += 1;
  for (let i = begin; i < at.length; i += 1) if (value[i] > top) top = value[i];
  if (!(top > low)) top = low + 1;
  const x = (i) => ((at[i] - from) / (to - from)) * width;
  const y = (v) => height - pad - ((v - low) / (top - low)) * (height - 2 * pad);

  const line = new Path2D();
  const fill = new Path2D();
  let pen = -1;
  let column = -Infinity;
  let highest = 0;
  let lowest = 0;
  let left = 0;
  const flush = () => {
    if (column === -Infinity) return;
    line.lineTo(column, y(highest));
    fill.lineTo(column, y(highest));
    if (lowest !== highest) line.lineTo(column, y(lowest));
  };
  const close = () => {
    flush();
    if (pen >= 0) {
      fill.lineTo(column, height);
      fill.lineTo(left, height);
      fill.closePath();
    }
    pen = -1;
    column = -Infinity;
  };
  for (let i = begin; i < at.length; i += 1) {
    const v = value[i];
    if (Number.isNaN(v)) {
      close();
      continue;
    }
    if (table.broken(i)) close();
    const px = Math.round(x(i));
    if (pen < 0) {
      line.moveTo(px, y(v));
      fill.moveTo(px, y(v));
      left = px;
    }
    if (px !== column) {
      flush();
      column = px;
      highest = lowest = v;
    } else {
      highest = Math.max(highest, v);
      lowest = Math.min(lowest, v);
    }
    pen = i;
  }
  close();
  draw.fillStyle = faded(colour, 0.16);
  draw.fill(fill);
  draw.strokeStyle = colour;
  draw.lineWidth = 1.4 * ratio;
  draw.lineJoin = "round";
  draw.stroke(line);
  if (limit > low && limit < top) {
    draw.strokeStyle = palette().muted;
    draw.lineWidth = ratio;
    draw.setLineDash([2 * ratio, 3 * ratio]);
    draw.beginPath();
    draw.moveTo(0, Math.round(y(limit)) + 0.5);
    draw.lineTo(width, Math.round(y(limit)) + 0.5);
    draw.stroke();
    draw.setLineDash([]);
  }
  if (!(until < to)) return;
  const edge = Math.max(0, ((until - from) / (to - from)) * width);
  draw.globalCompositeOperation = "destination-out";
  draw.globalAlpha = 0.62;
  draw.fillStyle = "#000";
  draw.fillRect(edge, 0, width - edge, height);
  Object.assign(draw, { globalCompositeOperation: "source-over", globalAlpha: 1, fillStyle: mark });
  draw.fillRect(Math.round(edge), 0, Math.max(1, Math.round(ratio)), height);
}
