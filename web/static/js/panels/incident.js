// Above the page of an incident that is open: which one it is, and that nothing can be written into it.

import { el } from "../dom.js";
import { clock, day, minute } from "../format.js";
import { t } from "../words.js";

const MINUTE_S = 60;

/** From one moment to another as people write it: the day once, seconds where they say something. */
export function stretch({ from, to }) {
  const time = from % MINUTE_S || to % MINUTE_S ? clock : minute;
  const [first, last] = [day(from), day(to)];
  return first === last ? `${first} ${time(from)}–${time(to)}` : `${first} ${time(from)} – ${last} ${time(to)}`;
}

export function mount(root, page) {
  const incident = page.store.incident;
  const link = el("a.button.small", { id: "to-summary", href: page.route.href({ view: "summary" }) }, t("Summary"));
  const here = () => {
    link.href = page.route.href({ view: "summary" });
    if (page.route.get("view") === "summary") link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  };
  root.append(
    el("p", { title: incident.title },
      el("b", {}, incident.title ? t("Incident: {title}", { title: incident.title }) : t("Incident"))),
    el("span.when", {}, stretch(incident)),
    el("span.wide", {}, t("recorded on {source}", { source: incident.source })),
    el("span", {}, t("read-only")),
    link);
  root.hidden = false;
  here();
  page.route.on(here);
}
