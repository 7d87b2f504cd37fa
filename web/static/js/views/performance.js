// Playhead itself: what it costs and how it answers, as figures and as charts of its own series.

import { el } from "../dom.js";
import * as chart from "../panels/chart.js";
import * as server from "../panels/server.js";
import { plan } from "../plan.js";
import { t } from "../words.js";

const OWN = /^playhead_/;

export function mount(root, page) {
  const { store } = page;
  const card = el("section.card", { id: "server", "aria-labelledby": "server-title" });
  const grid = el("div.charts");
  root.append(el("h1", {}, t("Performance")), card,
    el("section", { "aria-labelledby": "own-title" }, el("h2.section", { id: "own-title" }, t("As it records itself")), grid));
  const leave = server.mount(card, page);
  const placed = new Map();

  // The server speaks of itself on its own host's source, and nowhere else.
  const arrange = () => {
    const { source } = store.view;
    const charts = plan((store.view.of_source.get(source) ?? []).filter(({ name }) => OWN.test(name))).flatMap((section) => section.charts);
    const kept = new Set();
    for (const one of charts) {
      const ids = one.lines.map(({ id }) => id).join();
      const old = placed.get(one.id);
      kept.add(one.id);
      if (old?.ids === ids) continue;
      const made = old?.card ?? el("article.card.chart");
      old?.leave();
      if (!old) grid.append(made);
      placed.set(one.id, { card: made, ids, leave: chart.mount(made, page, { ...one, source }) });
    }
    for (const [id, one] of placed) {
      if (kept.has(id)) continue;
      one.leave();
      one.card.remove();
      placed.delete(id);
    }
  };
  arrange();
  const off = [store.on("series", arrange), store.on("load", arrange)];
  return () => {
    leave();
    for (const one of [...[...placed.values()].map((chart_) => chart_.leave), ...off]) one();
    root.replaceChildren();
  };
}
