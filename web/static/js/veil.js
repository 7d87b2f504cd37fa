// The playhead on a picture: a line, and what came after it under a veil. You can see the storm coming.

import { el } from "./dom.js";

/** → { element, move(picture, at) }; the element belongs over a uPlot's plot, `at` is NaN while there is no playhead. */
export function veil() {
  const cover = el("i");
  const element = el("div.veil", { "aria-hidden": "true", hidden: true }, cover);
  return {
    element,
    move(picture, at) {
      const { min, max } = picture.scales.x;
      element.hidden = Number.isNaN(at) || !(at < max);
      if (!element.hidden) cover.style.transform = `translateX(${at < min ? -2 : picture.valToPos(at, "x").toFixed(1)}px)`;
    },
  };
}
