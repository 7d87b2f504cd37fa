// One source in full, generated from the metadata of its series: key figures, then a section a subject.

import { el, say } from "../dom.js";
import { clock, date, day, duration, text } from "../format.js";
import { NAMES } from "../kpis.js";
import { COMMANDS, lineup } from "../lineup.js";
import { plan } from "../plan.js";
import * as chart from "../panels/chart.js";
import * as processes from "../panels/processes.js";
import * as tiles from "../panels/tiles.js";
import { t } from "../words.js";

const FACTS_MS = 15_000;
// Ticks that are waited for before what there is by then is laid out.
const PATIENT = 4;

export function mount(root, page) {
  const { store, span, route, catalogue } = page;
  const source = route.get("source") || store.view.source;
  const title = el("h1", { id: "host", title: source }, source);
  const facts = el("p", { id: "facts" }, "\u00a0");
  const time = el("p.clock", { id: "clock", "aria-hidden": "true" });
  const figures = el("div.tiles", { id: "tiles" });
  const note = el("p.card.note", { hidden: true });
  const head = el("section", { id: "overview", tabindex: "-1", "aria-labelledby": "host" }, el("div.host", {}, title, facts, time), figures);
  const jumps = el("nav.jumps", { "aria-label": t("Sections of this page") });
  root.append(head, jumps, note);
  root.dataset.source = source;

  let leave_tiles = null;
  const placed = new Map();
  const sections = new Map();

  const shown = () => lineup([{ view: store.view, from: span.shown().from, past: store.past, at: store.playhead }], source, [...placed.values()].filter(({ name }) => COMMANDS.has(name)).flatMap(({ ids }) => ids));

  /**
   * This host has spoken no more than once: what takes two moments to tell, most of a CPU, comes with the next, and would come
   * between what is there.
   */
  const begins = () => {
    const { view } = store;
    const spoken_s = view.at - view.sources.get(source)?.first_seen;
    return source === view.source && !store.past && !late && !(spoken_s >= store.now_view.interval_s);
  };
  let late = false;
  const patience = setTimeout(() => {
    late = true;
    soon();
  }, PATIENT * 1000 * store.now_view.interval_s);

  let past = false;
  let lost = false;
  const arrange = () => {
    ({ past } = store);
    const early = begins();
    const planned = early ? [] : plan(shown());
    const wanted = new Set();
    for (const { id, title: words, charts } of planned) {
      let place = sections.get(id);
      if (place === undefined) {
        place = section(id, words);
        sections.set(id, place);
        if (id === "processes") {
          const card = el("article.card", { id: "processes", "aria-label": t("Processes") });
          place.grid.append(card);
          place.first = card;
          place.leave = processes.mount(card, page, source);
        }
      }
      for (const one of charts) {
        const ids = one.lines.map((line) => line.id);
        const old = placed.get(one.id);
        wanted.add(one.id);
        if (old && String(old.ids) === String(ids)) continue;
        const card = old?.card ?? el("article.card.chart");
        old?.leave();
        if (!old) place.grid.append(card);
        placed.set(one.id, { card, ids, name: one.name, leave: chart.mount(card, page, { ...one, source }) });
      }
      // Charts stand in the order of the plan, whenever their series came: everybody sees the same page.
      let before = place.first;
      for (const one of charts) {
        const { card } = placed.get(one.id);
        const next = before ? before.nextElementSibling : place.grid.firstElementChild;
        if (next !== card) place.grid.insertBefore(card, next);
        before = card;
      }
    }
    for (const [id, one] of placed) {
      if (wanted.has(id)) continue;
      one.leave();
      one.card.remove();
      placed.delete(id);
    }
    for (const [id, place] of sections) {
      place.root.hidden = place.grid.childElementCount === 0;
      place.jump.hidden = place.root.hidden;
      // Sections stand in the order of the plan, whenever they came.
      const k = planned.findIndex((one) => one.id === id);
      if (k >= 0 && root.children[k + 3] !== place.root) root.insertBefore(place.root, root.children[k + 3] ?? null);
      if (k >= 0 && jumps.children[k] !== place.jump) jumps.insertBefore(place.jump, jumps.children[k] ?? null);
    }
    lost = planned.length === 0;
    note.hidden = !lost;
    say(note, early ? t("The first readings are coming; the charts stand with the second.") : lost ? t("Nothing of {source} was recorded in this time.", { source }) : "");
  };

  const section = (id, words) => {
    const grid = el("div.charts");
    const heading = el("h2.section", { id: `section-${id}-title`, tabindex: "-1" }, t(words));
    const one = el("section", { id: `section-${id}`, "aria-labelledby": heading.id }, heading, grid);
    const jump = el("a", { href: `#section-${id}` }, t(words));
    jump.addEventListener("click", (event) => {
      event.preventDefault();
      one.scrollIntoView({ block: "start" });
      heading.focus({ preventScroll: true });
    });
    jumps.append(jump);
    root.append(one);
    return { root: one, grid, jump, leave: null, first: null };
  };

  let described_at = 0;
  const describe = () => {
    described_at = Date.now();
    say(facts, described(store, source));
    facts.title = facts.textContent;
  };
  const tick = () => {
    const told = (source === store.view.source ? store.view.at : store.view.sources.get(source)?.last_seen) || store.playhead;
    // What is shown is of the playhead, also before it is known what stood there.
    const at = store.past ? Math.min(told, store.playhead) : told;
    if (at) say(time, `${date(at)}  ${clock(at)}`);
    // Facts change by the minute; the clock alone moves every second.
    if (Date.now() - described_at > FACTS_MS) describe();
  };

  let known = "";
  const furnish = () => {
    // Tiles know their series from the start; a figure that comes later brings them anew.
    const mark = `${store.view.epoch} ${NAMES.map((kpi) => store.members(kpi, source).length)} ${(store.view.of_source.get(source) ?? []).length > 0}`;
    if (mark !== known) {
      known = mark;
      leave_tiles?.();
      leave_tiles = tiles.mount(figures, page, source);
    }
    arrange();
    describe();
    tick();
  };

  let waiting = 0;
  const soon = () => {
    if (!waiting) {
      waiting = setTimeout(() => {
        waiting = 0;
        furnish();
      }, 250);
    }
  };

  /** Another moment is shown, or another source has come; from the past back to now other series have something to show. */
  const again = () => (past === store.past ? describe() : soon());

  const heard = () => {
    tick();
    // Of what there is to show the first has come.
    if (lost) soon();
  };

  furnish();
  catalogue.of(source).then(furnish, (failure) => {
    note.hidden = false;
    say(note, failure.message);
  });
  const off = [store.on("load", furnish), store.on("series", soon), store.on("sources", again), store.on("metrics", heard), span.on(soon)];
  return () => {
    clearTimeout(waiting);
    clearTimeout(patience);
    leave_tiles?.();
    for (const one of placed.values()) one.leave();
    for (const one of sections.values()) one.leave?.();
    for (const one of off) one();
    root.replaceChildren();
  };
}

function described(store, source) {
  const { view } = store;
  const me = view.sources.get(source);
  if (me === undefined) return t("Nothing is known of this source.");
  const known = me.facts ?? {};
  const total = store.value("system_memory_total_bytes", {}, source) ?? known.memory_bytes;
  const up = store.value("system_uptime_seconds", {}, source);
  const cores = known.cores ?? known.cpus ?? store.find("system_cpu_core_utilization_ratio", {}, source).length;
  return [
    known.os ?? known.system ?? known.platform,
    cores ? t(cores === 1 ? "{n} core" : "{n} cores", { n: cores }) : null,
    total ? text("bytes", total) : null,
    up === undefined ? null : t("up {time}", { time: duration(up) }),
    source === view.source && !Number.isNaN(store.since) ? t("recording since {day}", { day: day(store.since) }) : null,
    source !== view.source && me.first_seen ? t("first seen {day}", { day: day(me.first_seen) }) : null,
    t("{n} series", { n: me.series }),
    me.state === "lost" && me.last_seen ? t("silent for {time}", { time: duration(store.now() - me.last_seen) }) : null,
  ].filter(Boolean).join(" · ");
}
