// Who uses the machine right now: the busiest commands, with their memory.

import { el, say } from "../dom.js";
import { percent, text } from "../format.js";
import { painter } from "../paint.js";
import { t } from "../words.js";

const ROWS = 6;
// Slow collectors tick every so often; a command that has not been named for this long is gone (seconds).
const GONE_S = 90;

export function mount(root, { store }, source) {
  const body = el("tbody");
  const none = el("p.empty-line", { hidden: true }, t("No process has been measured yet."));
  const table = el("table", {}, el("thead", {}, el("tr", {},
    el("th", { scope: "col" }, t("command")), el("th.n", { scope: "col" }, t("CPU %")), el("th.n", { scope: "col" }, t("memory")))), body);
  root.append(el("header", {}, el("h2", {}, t("Processes")), el("span.aside", {}, t("busiest commands"))), table, none);
  const rows = Array.from({ length: ROWS }, () => {
    const cells = [el("td.name"), el("td.n"), el("td.n")];
    const row = el("tr", {}, ...cells);
    body.append(row);
    return { row, cells };
  });

  const draw = () => {
    const { view } = store;
    if (!view.ready) return;
    const now = source === view.source ? view.at : view.sources.get(source)?.last_seen ?? view.at;
    const fresh = ({ id }) => view.latest_at.has(id) && Math.abs(now - (view.latest_at.get(id) ?? 0)) < GONE_S;
    const memory = new Map(store.find("system_process_memory_bytes", {}, source).filter(fresh).map((one) => [one.labels.command, view.latest.get(one.id)]));
    const busiest = store.find("system_process_cpu_ratio", {}, source).filter(fresh)
      .map((one) => [one.labels.command, view.latest.get(one.id)]).sort((a, b) => b[1] - a[1]).slice(0, ROWS);
    rows.forEach(({ row, cells }, k) => {
      const one = busiest[k];
      row.hidden = one === undefined;
      if (one === undefined) return;
      say(cells[0], one[0]);
      say(cells[1], percent(100 * one[1]));
      say(cells[2], text("bytes", memory.get(one[0])));
    });
    none.hidden = busiest.length > 0;
    table.hidden = busiest.length === 0;
  };

  const { ask, stop } = painter(root, draw);
  const off = store.on("metrics", ask);
  return () => {
    stop();
    off();
    root.replaceChildren();
  };
}
