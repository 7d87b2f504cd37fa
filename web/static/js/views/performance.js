// Playhead itself: what it costs and how it answers, as figures and as charts of its own series.

import { el } from "../dom.js";
import * as server from "../panels/server.js";
import { t } from "../words.js";

export function mount(root, page) {
  const card = el("section.card", { id: "server", "aria-labelledby": "server-title" });
  root.append(el("h1", {}, t("Performance")), card);
  const leave = server.mount(card, page);
  return () => {
    leave();
    root.replaceChildren();
  };
}
