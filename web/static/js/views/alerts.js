// What is the matter, and what was said about it.

import { el } from "../dom.js";
import * as alerts from "../panels/alerts.js";
import * as notifications from "../panels/notifications.js";
import { t } from "../words.js";

export function mount(root, page) {
  const open = el("section.card", { id: "alerts", tabindex: "-1", "aria-labelledby": "alerts-title" });
  const said = el("section.card", { id: "notifications", tabindex: "-1", "aria-labelledby": "notifications-title" });
  root.append(el("h1", {}, t("Alerts and notifications")), el("div.pair", {}, open, said));
  const leave = [alerts.mount(open, page), notifications.mount(said, page)];
  return () => {
    for (const one of leave) one();
    root.replaceChildren();
  };
}
