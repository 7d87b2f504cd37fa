// The panels of a dashboard on their grid. They stand in the document in the order in which they are read.

import { content } from "../draft.js";
import { el, say } from "../dom.js";
import { reading } from "../grid.js";
import { VARIABLE, asked } from "../selector.js";
import { sheet } from "../sheet.js";
import { Steps } from "../steps.js";
import { t } from "../words.js";
import * as alerts from "./alerts.js";
import * as chart from "./chart.js";
import * as figure from "./figure.js";
import { written } from "./text.js";

const KINDS = { chart: () => t("Chart"), tile: () => t("Tile"), text: () => t("Text"), alerts: () => t("Alerts") };

/** What a panel is called where its own title does not say. */
export function called(panel) {
  return panel.title || (panel.series ?? []).join(", ") || KINDS[panel.kind]();
}

/**
 * `matches` says which series selectors mean, `chosen` is the source in `$source`; `dress(slot, panel)` is asked for what an
 * edit lays over a panel, and may give null.
 */
export class Board {
  constructor(root, page, { matches, chosen, dress }) {
    Object.assign(this, { root, page, matches, chosen, dress });
    this.slots = new Map();
  }

  /** `settled`: nothing is being moved, so the document may be brought into the order of reading. */
  show(panels, settled = true) {
    const order = reading(panels);
    for (const panel of order) {
      const slot = this.slots.get(panel.key) ?? this.#slot(panel);
      const { root } = slot;
      for (const side of ["x", "y"]) root.style.setProperty(`--${side}`, String(panel[side] + 1));
      for (const side of ["w", "h"]) root.style.setProperty(`--${side}`, String(panel[side]));
      Object.assign(root.dataset, { x: panel.x, y: panel.y, w: panel.w, h: panel.h });
      const said = content(panel);
      if (slot.said !== said) this.#fill(slot, panel, said);
    }
    const kept = new Set(order.map(({ key }) => key));
    for (const [key, slot] of this.slots) {
      if (kept.has(key)) continue;
      slot.leave();
      slot.root.remove();
      this.slots.delete(key);
    }
    if (!settled) return;
    // What has the focus would lose it by being moved in the document.
    const focus = this.root.contains(document.activeElement) ? document.activeElement : null;
    order.forEach(({ key }, k) => {
      const { root } = this.slots.get(key);
      if (this.root.children[k] !== root) this.root.insertBefore(root, this.root.children[k] ?? null);
    });
    if (focus && document.activeElement !== focus) focus.focus({ preventScroll: true });
  }

  /** What lies over the panels is another; what they show is not. */
  redress() {
    for (const { root, panel } of this.slots.values()) {
      root.querySelector(":scope > .grip")?.remove();
      const over = this.dress(root, panel);
      if (over) root.append(over);
    }
  }

  leave() {
    for (const slot of this.slots.values()) slot.leave();
    this.slots.clear();
    this.root.replaceChildren();
  }

  #slot(panel) {
    const root = el("div.slot", { "data-key": panel.key });
    const slot = { root, said: "", leave: () => {} };
    this.slots.set(panel.key, slot);
    this.root.append(root);
    return slot;
  }

  #fill(slot, panel, said) {
    slot.leave();
    Object.assign(slot, { said, panel });
    const card = el("article.card", { "data-kind": panel.kind });
    slot.root.dataset.kind = panel.kind;
    slot.root.replaceChildren(...[card, this.dress(slot.root, panel)].filter(Boolean));
    slot.leave = this[panel.kind](card, { ...panel, title: (panel.title ?? "").replaceAll(VARIABLE, () => this.chosen) });
  }

  text(card, panel) {
    card.classList.add("written");
    if (panel.title) card.append(el("header", {}, el("h3", {}, panel.title)));
    card.append(...written(panel.text ?? ""));
    return () => {};
  }

  alerts(card, panel) {
    const wanted = panel.severity ?? [];
    return alerts.mount(card, this.page, (one) => wanted.length === 0 || wanted.includes(one.severity), { id: `panel-${panel.key}-title`, title: panel.title || t("Alerts") });
  }

  chart(card, panel) {
    return this.#measured(card, panel, "chart", (made, open) => chart.mount(card, this.page, { ...made, open, own: true }));
  }

  tile(card, panel) {
    const { join } = panel.options ?? {};
    const words = panel.fn || panel.step ? [panel.fn ?? "last", panel.step].filter(Boolean).join(" ") : "";
    return this.#measured(card, panel, "tile", (made, open) => figure.mount(card, this.page, made, {
      join, words, open: open ?? (() => this.page.tapes.open({ kind: "line", ids: made.lines.map(({ id }) => id), points: 240 })),
    }));
  }

  /** A panel of series: drawn once it is known which, and again when there are others. */
  #measured(card, panel, look, draw) {
    const { store, span, ask } = this.page;
    const selectors = asked(panel, { host: store.view.source, chosen: this.chosen });
    let leave = () => {};
    card.classList.add("waiting");
    const stop = this.matches.watch(selectors, ({ series, more, error }) => {
      leave();
      leave = () => {};
      card.className = `card ${series.length ? look : "waiting"}`;
      card.dataset.series = String(series.length);
      if (series.length === 0) {
        const words = el("p.note");
        say(words, error || t("Nothing is recorded under {selectors} yet; it appears here when it is.", { selectors: selectors.join(", ") }));
        card.replaceChildren(el("header", {}, el("h3", {}, called(panel))), words);
        return;
      }
      card.replaceChildren();
      const made = sheet(panel, series, series.length + (more ? 1 : 0));
      const columns = () => new Steps({ store, span, ask }, { selectors, ids: made.lines.map(({ id }) => id), fn: panel.fn, step: panel.step });
      leave = draw(made, panel.fn || panel.step ? columns : undefined);
    });
    return () => {
      stop();
      leave();
    };
  }
}
