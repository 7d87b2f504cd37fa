// The key figures of a source at two moments: what each was, and how far they are apart.

import { difference } from "../difference.js";
import { el, say, severity } from "../dom.js";
import { Drawn, painter } from "../paint.js";
import { onTheme, palette } from "../palette.js";
import { spark } from "../spark.js";
import { pixel } from "../trail.js";
import { chosen, judged, reading } from "./tiles.js";

/** `sides` are [{ letter, store, span, tapes }], the first told against the second. */
export function mount(root, sides, source) {
  const tiles = chosen(sides[0].store, source).map((tile) => {
    const title = el("h2", {}, tile.title(sides[0].store, source));
    const apart = el("p.apart");
    const figures = sides.map((side) => {
      const [number, unit, shape] = [el("span", {}, "–"), el("small"), el("span.severity")];
      const canvas = el("canvas", { "aria-hidden": "true" });
      const row = el("p.figure", { "data-side": side.letter }, el("span.side", {}, side.letter), el("span.value", {}, number, unit), shape, canvas);
      return { side, row, number, unit, shape, canvas, its: reading(side, tile, source), drawn: new Drawn(), size: { width: 0, height: 0 } };
    });
    const card = el("article.card.tile.pair-tile", { "data-kpi": tile.kpi ?? tile.series.series }, el("header", {}, title), ...figures.map(({ row }) => row), apart);
    root.append(card);
    return { tile, card, title, apart, figures };
  });

  const draw = () => {
    const colours = palette();
    for (const { tile, card, title, apart, figures } of tiles) {
      say(title, tile.title(sides[0].store, source));
      const tables = figures.map(({ its }) => its.trail());
      // Both sparks have one scale, as the charts below have.
      let high = tile.high;
      tables.forEach((table, k) => {
        if (!table) return;
        const { from, to } = figures[k].side.span.shown();
        const [at, values] = table.rows();
        for (let i = 0; i < at.length; i += 1) if (values[i] > high && at[i] >= from && at[i] <= to) high = values[i];
      });
      const values = figures.map(({ side, row, number, unit, shape, canvas, its, drawn, size }, k) => {
        const { store, span } = side;
        const value = its.value();
        const said = Number.isNaN(value) ? { number: "–", unit: "" } : tile.value(value);
        const { level } = judged(store, tile, source, value);
        say(number, said.number);
        say(unit, said.unit);
        severity(shape, level === "fine" ? "none" : level);
        row.dataset.level = level;
        row.dataset.value = String(value);
        const table = tables[k];
        const { from, to } = span.shown();
        const colour = k === 0 ? colours.past : colours.beside;
        if (table && drawn.differs([table, high, size.height, colours, pixel(store.playhead, from, to, size.width)], { from, to }, size.width)) {
          spark(canvas, table, { from, to, low: 0, high, size, until: store.playhead, mark: colour, colour });
        }
        return value;
      });
      const { sign, words } = difference(...values, tile.value);
      say(apart, words);
      card.dataset.apart = sign;
    }
  };

  const all = tiles.flatMap(({ figures }) => figures);
  const { ask, stop } = painter(root, draw, (seen) => all.forEach(({ its }) => its.tape?.look(seen)));
  for (const { its } of all) if (its.tape) its.tape.changed = ask;
  const sized = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) all.find(({ canvas }) => canvas === target).size = contentRect;
    ask();
  });
  for (const { canvas } of all) sized.observe(canvas);
  const off = [...sides.flatMap(({ store, span }) => [store.on("metrics", ask), store.on("playhead", ask), store.on("alerts", ask), span.on(ask)]), onTheme(ask)];
  ask();
  return () => {
    stop();
    sized.disconnect();
    for (const { its } of all) its.tape?.close();
    for (const one of off) one();
    root.replaceChildren();
  };
}
