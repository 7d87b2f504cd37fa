// The values around an alert as a small picture, with the line that was crossed and the time it was on.

import { KPIS } from "../kpis.js";
import { palette, faded, onTheme } from "../palette.js";
import { Table } from "../series.js";
import { spark } from "../spark.js";

const POINTS = 160;
const BEFORE_S = 120;
const AFTER_S = 60;
const EVERY_MS = 10_000;

/** How many of a rule's unit one of its series' unit is, whatever unit whoever pushes has declared. */
export const factor = ({ kpi }) => KPIS[kpi]?.times ?? 1;

/** The stretch worth looking at: something of before, all of it (up to an hour), something of after. */
export function stretch(alert, now) {
  const to = alert.state === "resolved" ? alert.at + AFTER_S : now;
  return { from: Math.max(alert.since - BEFORE_S, to - 3_600), to };
}

/** A selector of this very series on its source. */
export function selector({ series, source }) {
  const brace = series.indexOf("{");
  const its = `source=${JSON.stringify(source)}`;
  return brace < 0 ? `${series}{${its}}` : `${series.slice(0, brace + 1)}${its},${series.slice(brace + 1)}`;
}

/** Draws into `canvas` while it is in sight; an open alert again and again. → stop */
export function mount(canvas, page, alert) {
  const { ask, store } = page;
  let table = null;
  let size = { width: 0, height: 0 };
  let seen = false;
  let asked_at = -Infinity;
  let asking = false;

  const draw = () => {
    if (table === null || !size.width) return;
    const { from, to } = stretch(alert, store.now());
    const { critical, warning, muted } = palette();
    const line = alert.threshold / factor(store.view.rules.find(({ rule }) => rule === alert.rule) ?? {});
    const [, values] = table.rows();
    let high = line * 1.1;
    let low = Math.min(0, line);
    for (const value of values) {
      if (value > high) high = value;
      if (value < low) low = value;
    }
    spark(canvas, table, { from, to, low, high, colour: alert.severity === "critical" ? critical : warning, size });
    const pen = canvas.getContext("2d");
    const [wide, tall] = [canvas.width, canvas.height];
    const x = (at) => Math.min(Math.max((at - from) / (to - from), 0), 1) * wide;
    const y = tall - (tall * (line - low)) / (high - low || 1);
    // The time it was on, under the line; the line itself, dashed.
    const end = alert.state === "resolved" ? alert.at : to;
    pen.fillStyle = faded(alert.severity === "critical" ? critical : warning, 0.12);
    pen.fillRect(x(alert.since), 0, Math.max(1, x(end) - x(alert.since)), tall);
    pen.strokeStyle = muted;
    pen.lineWidth = devicePixelRatio || 1;
    pen.setLineDash([3, 3]);
    pen.beginPath();
    pen.moveTo(0, y);
    pen.lineTo(wide, y);
    pen.stroke();
    pen.setLineDash([]);
  };

  const load = async () => {
    if (!seen || asking || document.hidden || Date.now() - asked_at < EVERY_MS) return;
    const { from, to } = stretch(alert, store.now());
    // At the moment that is watched it has not begun, and the list is about to say so.
    if (from >= to) return;
    asked_at = Date.now();
    asking = true;
    try {
      const asked = new URLSearchParams({ series: selector(alert), from: from.toFixed(3), to: to.toFixed(3), points: String(POINTS) });
      const found = (await ask(`/api/realtime/query?${asked}`)).series.find(({ series }) => series === alert.series);
      if (found) {
        table = new Table(1, found.at.length + 1, store.view.interval_s);
        table.load(found.at, [found.value.map((value) => value ?? NaN)]);
        draw();
      }
      canvas.dataset.rows = String(found?.at.length ?? 0);
    } catch (failure) {
      // Retention may have taken the samples, or the line is down: the words beside say what is known.
      canvas.title = failure.message;
    } finally {
      asking = false;
    }
  };

  const watch = new IntersectionObserver((entries) => {
    seen = entries.at(-1).isIntersecting;
    load();
  }, { rootMargin: "100px" });
  watch.observe(canvas);
  const box = new ResizeObserver(([{ contentRect: { width, height } }]) => {
    size = { width, height };
    draw();
  });
  box.observe(canvas);
  const timer = alert.state === "firing" ? setInterval(load, EVERY_MS) : 0;
  const off = onTheme(draw);
  return () => {
    watch.disconnect();
    box.disconnect();
    clearInterval(timer);
    off();
  };
}
