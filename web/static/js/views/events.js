// The log as a list: what happened, newest first, page by page from the end. Ticks are not told; charts show them.

import { el, say, severity } from "../dom.js";
import { clock, date, day, duration, text } from "../format.js";
import { t } from "../words.js";
import { message, micro, rfc3339, seconds } from "../wire.js";
import { MARKS } from "../panels/toasts.js";

const PAGE = 100;
// A filter by text is looked for in so many pages at a time; then the reader decides whether to go on.
const LOOKED = 10;
const WANTED = 60;
// Rows in the page at once: beyond that the reader chooses a time or a filter.
const MOST = 2_000;
const TYPING_MS = 200;
const MOVED_MS = 500;
const MARGIN_S = 120;
// A hair later it is known.
const KNOWN_S = 0.001;

const TYPES = { alert: "Alerts", notification: "Messages", annotation: "Annotations", system: "System", layout: "Dashboards", series: "New series" };
const USUAL = ["alert", "notification", "annotation", "system", "layout"];
const SYSTEM = {
  started: "The recorder started", stopped: "The recorder stopped", source_seen: "A source spoke", source_lost: "A source fell silent",
  collector_failed: "A collector failed", collector_recovered: "A collector works again",
};

export function mount(root, page) {
  const { store, span, route, ask } = page;
  const chosen = () => (route.get("types") ? route.get("types").split(",").filter((type) => Object.hasOwn(TYPES, type)) : USUAL);
  const kinds = Object.entries(TYPES).map(([type, words]) => {
    const box = el("input", { type: "checkbox", value: type, onchange: () => {
      const some = kinds.filter(({ box: { checked } }) => checked).map(({ type: one }) => one);
      route.go({ types: some.join(",") === USUAL.join(",") || some.length === 0 ? "" : some.join(",") }, true);
    } });
    return { type, box, item: el("label.tick", {}, box, t(words)) };
  });
  const source = el("select.select", { id: "event-source", "aria-label": t("Source"), onchange: () => route.go({ of: source.value }, true) });
  const find = el("input.input", { type: "search", id: "event-text", placeholder: t("Text"), "aria-label": t("Text that an event contains"), value: route.get("q") });
  let typing = 0;
  find.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => route.go({ q: find.value }, true), TYPING_MS);
  });
  const within = el("input", { type: "checkbox", id: "event-span", onchange: () => route.go({ all: within.checked ? "" : "1" }, true) });
  const list = el("ol.events", { "aria-label": t("Events") });
  const note = el("p.empty-line", { "aria-live": "polite" });
  const further = el("button.button", { type: "button", id: "further", hidden: true, onclick: () => look(true) }, t("Further back"));
  const fresh = el("button.button.small", { type: "button", id: "fresh", hidden: true, onclick: () => again() });
  const card = el("section.card", { id: "events", tabindex: "-1", "aria-labelledby": "events-title" }, list, note, further);
  root.append(
    el("div.head", {}, el("h1", { id: "events-title" }, t("Events")), fresh,
      el("div.tools", {}, el("div.ticks", { role: "group", "aria-label": t("Types") }, ...kinds.map(({ item }) => item)), source, find, el("label.tick", {}, within, t("only the time shown")))),
    card);

  let before = null;
  let ended = false;
  let looking = false;
  let turn = 0;
  let came = 0;
  let last_day = "";

  const tell = (why = "") => {
    const rows = list.querySelectorAll(".event").length;
    card.dataset.rows = String(rows);
    card.dataset.ended = String(ended);
    further.hidden = ended || rows >= MOST || rows === 0 && !why && looking;
    say(note, why || (rows >= MOST ? t("That is as much as fits; choose a time or a filter to see others.") : looking && rows === 0 ? t("Looking…") : rows > 0 ? (ended ? t("That is all.") : "") : ended ? t("Nothing of this kind happened.") : t("Nothing as far as was looked.")));
  };

  /** On from where it stopped. A place in the log does not move when new events come, so no row comes twice. */
  const look = async (asked_for = false) => {
    if (looking || ended || (!asked_for && list.childElementCount >= MOST)) return;
    looking = further.disabled = true;
    const mine = turn;
    tell();
    const watched = store.past ? micro(store.playhead) : "";
    try {
      const until = list.childElementCount + WANTED;
      const shown = span.shown();
      for (let pages = 0; pages < LOOKED && list.childElementCount < until && !ended; pages += 1) {
        const asked = new URLSearchParams({ type: chosen().join(","), order: "newest", limit: String(PAGE) });
        if (source.value) asked.set("source", source.value);
        if (before !== null) asked.set("before", String(before));
        if (within.checked) {
          asked.set("from", rfc3339(shown.from));
          if (!span.growing) asked.set("to", rfc3339(shown.to));
        }
        // What came after the moment that is watched has not happened yet.
        if (store.past && !(within.checked && shown.to <= store.playhead)) asked.set("to", micro(store.playhead));
        const { events, next } = await ask(`/api/realtime/events?${asked}`);
        if (mine !== turn) return;
        for (const one of events) put(one);
        before = next;
        ended = next === null;
      }
      looking = false;
      // The moment at which the list ends.
      card.dataset.at = watched;
      tell();
    } catch (failure) {
      looking = false;
      if (mine === turn) tell(failure.message);
    } finally {
      if (mine === turn) further.disabled = false;
    }
  };

  const put = (event) => {
    const told = said(event);
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const hay = `${told.title} ${told.more} ${event.source} ${event.type}`.toLowerCase();
    if (!words.every((word) => hay.includes(word))) return;
    const at = event.at === null ? NaN : seconds(event.at);
    const its_day = Number.isNaN(at) ? last_day : date(at);
    if (its_day !== last_day) {
      last_day = its_day;
      list.append(el("li.day", {}, its_day));
    }
    const from = told.from ?? at;
    const to = told.to ?? at;
    const place = { at: micro(at + KNOWN_S), view: "host", source: event.source || store.view.source, from: rfc3339(from - MARGIN_S), to: rfc3339(Math.min(to + MARGIN_S, Math.max(store.now(), to + 1))) };
    list.append(el("li.event", { "data-seq": String(event.seq), "data-type": event.type },
      Number.isNaN(at) ? el("span.when", {}, "–") : el("a.when", { href: route.href(place), title: t("Show the moment") }, el("time", { datetime: event.at }, clock(at))),
      told.shape, el("span.what", {}, told.title), el("span.from", {}, event.source), told.more ? el("p.more", {}, told.more) : null));
  };

  const again = () => {
    turn += 1;
    looking = false;
    before = null;
    ended = false;
    came = 0;
    last_day = "";
    fresh.hidden = true;
    further.disabled = false;
    list.replaceChildren();
    delete card.dataset.at;
    look();
  };

  const sources = () => {
    const names = [...store.view.sources.keys()].sort();
    if (names.join("\n") === source.dataset.names) return;
    source.dataset.names = names.join("\n");
    source.replaceChildren(el("option", { value: "" }, t("Any source")), ...names.map((name) => el("option", { value: name }, name)));
    source.value = route.get("of");
  };
  const filter = () => {
    const some = chosen();
    for (const { type, box } of kinds) box.checked = some.includes(type);
    source.value = route.get("of");
    within.checked = route.get("all") !== "1";
    if (document.activeElement !== find) find.value = route.get("q");
  };
  // What comes is announced and waits: rows under a reader's eyes do not move.
  const news = (type) => (heard) => {
    if (heard.type !== type || !chosen().includes(type) || (source.value && heard.source !== source.value)) return;
    came += 1;
    say(fresh, t("{n} new", { n: came }));
    fresh.hidden = false;
  };
  sources();
  filter();
  again();
  // Whoever scrolls to the end wants more.
  const watch = new IntersectionObserver((entries) => entries.at(-1).isIntersecting && list.childElementCount && !looking && look(), { rootMargin: "200px" });
  watch.observe(further);
  let moved = 0;
  const mark = () => ["types", "of", "q", "all"].map((name) => route.get(name)).join("\n");
  let was = mark();
  const off = [
    store.on("sources", sources), store.on("alerts", news("alert")), store.on("notifications", news("notification")), store.on("sources", news("system")), store.on("annotations", news("annotation")),
    span.on(() => within.checked && again()),
    // Another moment is watched, or now again; what is played goes on by itself.
    store.on("alerts", ({ type }) => {
      if (type !== "past" && type !== "now") return;
      clearTimeout(moved);
      moved = setTimeout(again, MOVED_MS);
    }),
    route.on(() => {
      if (mark() === was) return;
      was = mark();
      filter();
      again();
    }),
  ];
  return () => {
    turn += 1;
    clearTimeout(typing);
    clearTimeout(moved);
    watch.disconnect();
    for (const one of off) one();
    root.replaceChildren();
  };
}

/** One detail of the recorder's own events. */
function told([name, value]) {
  // The log keeps times in microseconds.
  if (name === "last_seen") return t("last seen {when}", { when: `${day(value / 1e6)} ${clock(value / 1e6)}` });
  return `${name.replaceAll("_", " ")} ${value}`;
}

/** An event in words: { shape, title, more, from?, to? }; the last two where it speaks of another time than its own. */
export function said({ type, at, data, seq, source }) {
  const mark = (kind) => el("span.mark", { "data-type": kind, role: "img", "aria-label": t(kind) }, MARKS[kind] ?? MARKS.info);
  if (type === "alert") {
    const { alert } = message("alert", { ...data, seq, at, source });
    const shape = el("span.severity");
    severity(shape, alert.state === "resolved" ? "fine" : alert.severity);
    return {
      shape, title: alert.message, from: alert.since,
      more: [alert.state === "resolved" ? t("Resolved after {time}", { time: duration(alert.at - alert.since) }) : t("Fired"), t("{value} against {limit}", { value: text(alert.unit, alert.value), limit: text(alert.unit, alert.threshold) }), alert.series].join(" · "),
    };
  }
  if (type === "notification") return { shape: mark(data.type), title: data.title || data.message, more: data.title ? data.message : "" };
  if (type === "annotation") {
    const from = data.since ? seconds(data.since) : undefined;
    const to = data.until ? seconds(data.until) : from;
    const state = { changed: t("Annotation changed"), removed: t("Annotation taken back") }[data.state] ?? t("Annotation");
    return { shape: mark("success"), title: data.text || state, from, to, more: [state, data.author, ...(data.tags ?? []).map((tag) => `#${tag}`)].filter(Boolean).join(" · ") };
  }
  if (type === "layout") {
    return { shape: mark("info"), title: t(data.state === "removed" ? "Dashboard {title} removed" : "Dashboard {title} saved", { title: data.title }), more: [data.author, data.provisioned].filter(Boolean).join(" · ") };
  }
  if (type === "system") {
    const detail = Object.entries(data.detail ?? {}).filter(([, value]) => typeof value !== "object").map(told).join(" · ");
    return { shape: mark(/lost|failed/.test(data.what) ? "warning" : "info"), title: t(SYSTEM[data.what] ?? data.what), more: detail };
  }
  if (type === "series") return { shape: mark("info"), title: t("{n} new series", { n: data.series.length }), more: data.series.slice(0, 8).map(({ series }) => series).join(", ") + (data.series.length > 8 ? ", …" : "") };
  return { shape: mark("error"), title: t("Damaged: events {first} to {last}", data), more: data.detail ?? "" };
}
