// One figure of somebody's own dashboard: its value at the playhead, live the newest in the shown time, and a sparkline.

import { el, say, severity } from "../dom.js";
import { measured } from "../format.js";
import { JOINS } from "../joins.js";
import { onTheme, palette } from "../palette.js";
import { painter } from "../paint.js";
import { spark } from "../spark.js";
import { Trail } from "../trail.js";
import { t } from "../words.js";

/** `made` is the panel's chart (sheet.js), `open() → Tape` its columns. Fills the article `card`. */
export function mount(card, page, made, { open, join = "max", words = "" }) {
  const { store, span } = page;
  const shape = el("span.severity");
  const number = el("span", {}, "–");
  const unit = el("small");
  const line = el("canvas", { "aria-hidden": "true" });
  const context = el("p.context");
  card.append(el("header", {}, el("h3", { title: made.title }, made.title), shape), el("p.value", {}, number, unit), line, context);
  const { words: joint, join: joined } = JOINS[join] ?? JOINS.max;
  const tape = open();
  const trail = new Trail(joined);
  let box = { width: 0, height: 0 };

  const draw = () => {
    const colours = palette();
    const table = trail.follow(tape.table);
    const { from, to } = span.shown();
    const value = store.past ? joined(made.lines.map((_, k) => tape.said(k))) : newest(table, to + AHEAD_S);
    const firing = [...store.view.alerts.values()].filter((one) => made.lines.some(({ series, source = made.source }) => series === one.series && one.source === source));
    const level = firing.some((one) => one.severity === "critical") ? "critical" : firing.length ? "warning" : "none";
    const said = measured(made.unit, value);
    say(number, said.number);
    say(unit, said.unit);
    const more = [made.lines.length > 1 ? joint(made.lines.length) : made.lines[0].label || made.source, words];
    say(context, tape.state === "failed" ? tape.reason : firing.length ? firing[0].message : more.filter(Boolean).join(" · "));
    context.title = context.textContent;
    severity(shape, level);
    card.dataset.level = level;
    card.dataset.value = String(value);
    const colour = level === "critical" ? colours.critical : level === "warning" ? colours.warning : colours.series[0];
    spark(line, table, { from, to, low: 0, high: 0, size: box, colour, until: store.playhead, mark: colours.past });
  };

  const { ask, stop } = painter(card, draw, (seen) => tape.look(seen));
  tape.changed = ask;
  const size = new ResizeObserver(([{ contentRect }]) => {
    box = contentRect;
    ask();
  });
  size.observe(line);
  const off = [store.on("alerts", ask), store.on("playhead", ask), store.on("metrics", () => store.past && ask()), span.on(ask), onTheme(ask)];
  ask();
  return () => {
    stop();
    size.disconnect();
    tape.close();
    for (const one of off) one();
    card.replaceChildren();
  };
}

// Rows bear the times of their sources, which may be a little ahead of the host's own.
const AHEAD_S = 1;
const SAME_S = 0.0005;

/** The last value that there is up to a moment (epoch s). */
function newest(table, to) {
  const [at, values] = table.rows();
  for (let i = at.length - 1; i >= 0; i -= 1) if (at[i] <= to + SAME_S && !Number.isNaN(values[i])) return values[i];
  return NaN;
}
