// Who reports to this server, and how each is, by shape; the headline says which one is shown.

import { el, say, severity } from "../dom.js";
import { clock, date, day, duration, text } from "../format.js";

const SHOWN_MS = 1_000;
// src-2 before src-10.
const ORDER = new Intl.Collator("en", { numeric: true });

export function mount(root, store, { bar, count, title, facts, time }) {
  const draw = () => {
    const { view } = store;
    if (!view.ready) return;
    const worst = new Map();
    for (const { source, severity: level } of view.alerts.values()) {
      if (worst.get(source) !== "critical") worst.set(source, level);
    }
    const all = [...view.sources.values()].sort((a, b) => (a.source === view.source ? -1 : b.source === view.source ? 1 : ORDER.compare(a.source, b.source)));
    root.replaceChildren(...all.map((one) => {
      const shape = el("span.severity");
      severity(shape, one.state === "lost" || (one.source === view.source && store.recording.stalled) ? "warning" : worst.get(one.source) ?? "fine");
      return el("li", { "data-source": one.source, "data-state": one.state, title: one.source },
        el("span.name", {}, one.source), shape,
        one.state === "lost" ? el("span.since", {}, Number.isNaN(one.last_seen) ? "never measured" : `silent for ${duration(store.now() - one.last_seen)}`) : null);
    }));
    say(count, all.length > 1 ? String(all.length) : "");
    say(bar, view.source);
    bar.title = title.title = view.source;
    bar.classList.add("shown");
    say(title, view.source);
    say(facts, described(store));
    facts.title = facts.textContent;
  };

  let drawn_at = 0;
  const tick = () => {
    const { at } = store.view;
    if (at) say(time, `${date(at)}  ${clock(at)}`);
    // Facts and sources change by the minute; the clock alone moves every second.
    if (Date.now() - drawn_at > 15 * SHOWN_MS) {
      drawn_at = Date.now();
      draw();
    }
  };
  const off = [store.on("sources", draw), store.on("alerts", draw), store.on("load", draw), store.on("recording", draw), store.on("metrics", tick)];
  return () => off.forEach((one) => one());
}

function described(store) {
  const { view } = store;
  const me = view.sources.get(view.source);
  if (me === undefined) return "";
  const known = me.facts ?? {};
  const total = store.value("system_memory_total_bytes") ?? known.memory_bytes;
  const up = store.value("system_uptime_seconds");
  const cores = known.cores ?? known.cpus ?? store.find("system_cpu_core_utilization_ratio").length;
  return [
    known.os ?? known.system ?? known.platform,
    cores ? `${cores} ${cores === 1 ? "core" : "cores"}` : null,
    total ? text("bytes", total) : null,
    up === undefined ? null : `up ${duration(up)}`,
    Number.isNaN(store.since) ? null : `recording since ${day(store.since)}`,
    `${me.series} series`,
  ].filter(Boolean).join(" · ");
}
