// How many alerts are open, by shape, in the bar and in the rail.

import { el, say, severity } from "../dom.js";
import { t } from "../words.js";

export function mount({ bar, rail }, store) {
  const critical = el("span", {}, "");
  const warning = el("span", {}, "");
  const none = el("span.none", {}, "");
  const shapes = [el("span.severity"), el("span.severity"), el("span.severity")];
  ["critical", "warning", "fine"].forEach((level, k) => severity(shapes[k], level));
  const parts = [el("span", {}, shapes[0], " ", critical), el("span", {}, shapes[1], " ", warning), el("span", {}, shapes[2], " ", none)];
  bar.append(...parts);
  const draw = () => {
    const { view } = store;
    const count = { critical: 0, warning: 0 };
    for (const one of view.alerts.values()) count[one.severity] += 1;
    say(critical, String(count.critical));
    say(warning, String(count.warning));
    say(none, view.ready ? "0" : "–");
    const all = count.critical + count.warning;
    parts[0].hidden = count.critical === 0;
    parts[1].hidden = count.warning === 0;
    parts[2].hidden = all > 0;
    bar.setAttribute("aria-label", t("Open alerts: {critical} critical, {warning} warning", count));
    say(rail, all ? String(all) : "");
  };
  draw();
  const off = [store.on("alerts", draw), store.on("load", draw)];
  return () => off.forEach((one) => one());
}
