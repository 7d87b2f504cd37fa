// What was marked, as small flags on top of a picture; the words come with a look at one.

import { el } from "./dom.js";
import { stretch } from "./format.js";

const MOST = 30;

/** → { element, draw(picture) }; the element belongs over a uPlot's plot. */
export function flags(page) {
  const element = el("div.flags");
  let drawn = "[]";
  return {
    element,
    draw(picture) {
      const { min, max } = picture.scales.x;
      // As the picture knows it: asking the element between two changes of text would lay the page out each time.
      const width = picture.bbox.width / devicePixelRatio;
      const all = page.reel.marks.filter(({ since, until }) => since < max && (Number.isNaN(until) ? since : until) > min).slice(-MOST);
      const mark = JSON.stringify(all.length ? [Math.round(width), min, max, all] : all);
      if (mark === drawn) return;
      drawn = mark;
      const x = (at) => Math.min(width, Math.max(0, ((at - min) / (max - min)) * width));
      element.replaceChildren(...all.map((one) => {
        const words = el("span", {}, one.text, el("small", {}, stretch(one)));
        const flag = el("button.flag", { type: "button", tabindex: "-1", "aria-label": one.text, onclick: () => page.note({ one }) }, words);
        flag.addEventListener("pointerdown", (event) => event.stopPropagation());
        flag.addEventListener("mousedown", (event) => event.stopPropagation());
        flag.style.left = `${x(one.since).toFixed(1)}px`;
        flag.style.setProperty("--length", `${Number.isNaN(one.until) ? 0 : (x(one.until) - x(one.since)).toFixed(1)}px`);
        // Words at the right edge open to the left.
        flag.classList.toggle("late", x(one.since) > width / 2);
        return flag;
      }));
    },
  };
}
