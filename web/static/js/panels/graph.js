// A chart of series that were chosen, in one unit: what `query` answered, whatever it was asked.

import { el, say } from "../dom.js";
import { figures, percent } from "../format.js";
import { draw } from "../plot.js";
import { Drawn, painter } from "../paint.js";
import { onTheme } from "../palette.js";
import { Table } from "../series.js";
import { veil } from "../veil.js";

/** `unit` of all `lines` ([{ colour, label, said }]), of which `said()` is what was known at the playhead. `show(columns, at)` takes what is drawn from then on; `card` is for files. */
export function mount(root, page, { unit, lines }) {
  const { store, span } = page;
  const said = el("span.unit");
  const title = el("h3", {});
  const plot = el("div.plot");
  const values = lines.map(() => el("b", {}, "–"));
  const legend = el("ul.legend", { "aria-hidden": "true" }, ...lines.map(({ colour, label }, k) => el("li", { title: label }, swatch(colour), el("span", {}, label), values[k])));
  root.classList.add("card", "chart", "graph");
  root.append(el("header", {}, el("span.title", {}, title, said), legend), plot);
  const after = veil();
  const drawn = new Drawn();
  let table = new Table(lines.length, 1);
  let picture = null;

  const build = () => {
    picture = draw({ kind: "line", unit, lines: lines.map(({ colour }) => ({ colour })) }, plot, {
      marks: () => [], whole: () => NaN, aside: () => false, moved: read, chosen: (from, to) => span.fix(from, to),
    });
    picture.picture.over.append(after.element);
  };

  /** Values at the cursor as drawn, else what was known at the playhead, else the newest of each. */
  function read() {
    if (picture === null || picture.lines.length === 0) return;
    const { picture: { cursor }, lines: columns, y } = picture;
    const hover = cursor.idx !== null && cursor.idx !== undefined && cursor.left >= 0;
    columns.forEach(({ raw }, k) => {
      const value = hover ? raw[cursor.idx] : store.past ? lines[k].said() : newest(raw);
      say(values[k], y.suffix === "%" ? percent(value * y.factor) : figures(value * y.factor));
    });
    say(said, y.suffix);
  }

  const paint = () => {
    const { from, to } = span.shown();
    if (table.length && picture === null) build();
    if (picture === null) return;
    if (drawn.differs([table], { from, to }, plot.clientWidth)) picture.update(table, { from, to });
    after.move(picture.picture, store.playhead);
    read();
  };
  const { ask, stop } = painter(root, paint);
  const size = new ResizeObserver(() => {
    picture?.picture.setSize({ width: plot.clientWidth, height: plot.clientHeight });
    ask();
  });
  size.observe(plot);
  const off = [span.on(ask), store.on("playhead", ask), store.on("metrics", () => store.past && ask()), onTheme(() => picture?.picture.redraw(true, true))];
  return {
    /** What is drawn from now on: the times, and a column a line. */
    show(at, columns) {
      table = new Table(lines.length, Math.max(1, at.length));
      // Silences are rows of nothing already.
      table.load(at, columns, Infinity);
      ask();
    },
    get canvas() {
      return picture?.picture.ctx.canvas ?? null;
    },
    get suffix() {
      return picture?.y.suffix ?? "";
    },
    entries: () => lines.map(({ colour, label }, k) => ({ colour, label, value: values[k].textContent })),
    leave() {
      stop();
      size.disconnect();
      picture?.destroy();
      for (const one of off) one();
      root.remove();
    },
  };
}

// Colours that are told apart; beyond these a line is dashed as well.
const COLOURS = 6;

export const swatch = (colour) => el(`i.swatch.c${(colour % COLOURS) + 1}${colour >= COLOURS ? ".dashed" : ""}`);

export function newest(raw) {
  for (let i = raw.length - 1; i >= 0; i -= 1) if (!Number.isNaN(raw[i])) return raw[i];
  return NaN;
}
