// What tells without looking: the title and the icon of the tab, by the worst that is open.

import { palette } from "../palette.js";

const SHAPES = { critical: "M16 5l12 22H4z", warning: "M16 3l13 13-13 13L3 16z", held: "M9 7h5v18H9zM18 7h5v18h-5z", lost: "M8 5l8 8 8-8 3 3-8 8 8 8-3 3-8-8-8 8-3-3 8-8-8-8z" };
const MARKS = { held: "❚❚ ", lost: "✕ ", fine: "" };

/** `icon` is the link of the page's icon. read() → { view, link, unseen }: what is known now, by whoever hears. → draw() */
export function mount(icon, read) {
  const still = icon.getAttribute("href");
  return function draw() {
    const { view, link, unseen } = read();
    const count = { critical: 0, warning: 0 };
    for (const { severity } of view.alerts.values()) count[severity] += 1;
    // A title that is not kept up must not look as if it were.
    const worst = link === "paused" || link === "ended" ? "held" : link === "lost" ? "lost" : count.critical ? "critical" : count.warning ? "warning" : "fine";
    const mark = MARKS[worst] ?? `${worst === "critical" ? "▲" : "◆"} ${count[worst]} · `;
    const title = `${unseen ? `(${unseen}) ` : ""}${mark}${view.source ? `${view.source} · ` : ""}Playhead`;
    if (document.title !== title) document.title = title;
    const href = worst === "fine" ? still : drawn(worst);
    if (icon.getAttribute("href") !== href) icon.setAttribute("href", href);
    document.documentElement.dataset.sign = worst;
  };
}

function drawn(worst) {
  const { background, muted } = palette();
  const colour = palette()[worst] ?? muted;
  return `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="${background}"/><path d="${SHAPES[worst]}" fill="${colour}"/></svg>`)}`;
}
