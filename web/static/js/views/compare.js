// Two moments of one source side by side: the same charts on one vertical scale, every figure with its difference, one clock for both.

import { Beside, offset } from "../beside.js";
import { el, say } from "../dom.js";
import { back, clock, date, duration, stretch } from "../format.js";
import { BEFORE, called } from "../ghosts.js";
import { Level } from "../level.js";
import { COMMANDS, lineup } from "../lineup.js";
import * as alerts from "../panels/alerts.js";
import * as chart from "../panels/chart.js";
import * as pair from "../panels/pair.js";
import { plan } from "../plan.js";
import { micro } from "../wire.js";
import { t } from "../words.js";

const SOON_MS = 250;
const LATEST_MS = 2_000;
// Ticks that may be missing before it is said that nothing was recorded.
const PATIENT = 3;
// Past the raw horizon the newest that is known may be a bucket of an hour old.
const COARSE_S = 7_200;
const MOST_MARKS = 5;
const PICK = "pick";

/** How far B lies from A, in words. */
const apart = (shift_s) => (shift_s > 0 ? called(shift_s) : t("{time} after A", { time: duration(-shift_s) }));

export function mount(root, page) {
  const { store, route, player, keys } = page;
  const source = page.source;
  if (!player.past) player.pause();
  player.pair(true);
  root.classList.add("compare");
  root.dataset.source = source;

  const which = el("select.select", { id: "compare-with", "aria-label": t("Moment B") });
  which.addEventListener("change", () => {
    if (which.value === PICK) {
      choices();
      page.abreast({ at: player.at, source });
    } else route.go({ beside: which.value, at: micro(player.at) });
  });
  const choices = () => {
    const asked = route.get("beside");
    const own = offset(asked) && !BEFORE.some(([name]) => name === asked);
    which.replaceChildren(...BEFORE.map(([name, , label]) => el("option", { value: name }, t(label))),
      ...(own ? [el("option", { value: asked }, apart(offset(asked)))] : []), el("option", { value: PICK }, t("A picked moment…")));
    which.value = asked;
  };
  const swap = el("button.button", { type: "button", id: "compare-swap", title: t("A becomes B, and B becomes A"), onclick: () => {
    const shift_s = offset(route.get("beside"));
    const asked = route.get("beside");
    if (page.beside && !page.beside.early) route.go({ at: micro(player.at - shift_s), beside: asked.startsWith("-") ? asked.slice(1) : `-${asked}` });
  } }, t("Swap A and B"));
  const leave_for = () => (page.came ? route.visit(page.came.href) : route.go({ view: "host", source }));
  const out = el("button.button", { type: "button", id: "compare-leave", title: `${t("Leave the comparison")} (Esc)`, onclick: leave_for }, t("Leave"));
  const head = el("div.head", {}, el("h1", { id: "compare-title", tabindex: "-1" }, t("{source}: two moments", { source })), el("div.tools", {}, which, swap, out));
  const rest = el("div.compare-body");
  root.append(head, rest);

  let leave = () => {};
  let shown = NaN;
  const build = () => {
    const shift_s = offset(route.get("beside"));
    choices();
    if (shift_s === shown) return;
    shown = shift_s;
    leave();
    page.beside = null;
    swap.disabled = shift_s === 0;
    if (shift_s === 0) {
      const choose = el("button.button.first", { type: "button", onclick: () => page.abreast({ at: player.at, source }) }, t("Choose the other moment"));
      rest.replaceChildren(el("div.card.note", {}, el("p", {}, t("The address names no second moment to compare with.")), choose));
      leave = () => rest.replaceChildren();
      return;
    }
    leave = both(rest, page, source, shift_s);
  };
  build();
  page.announce(t("Two moments side by side: {a} and {b}", { a: `${date(player.at)} ${clock(player.at)}`, b: `${date(player.at - shown)} ${clock(player.at - shown)}` }));
  const off = [
    route.on(() => route.get("view") === "compare" && build()),
    // Live again: to where one was, and to now.
    player.on(() => {
      if (player.past || route.get("view") !== "compare") return;
      const wanted = page.came?.view ?? "host";
      route.go({ view: wanted, at: "", ...(wanted === "host" && { source: route.get("source") }) });
    }),
    keys.on("Escape", t("leave the comparison"), leave_for),
  ];
  return () => {
    for (const one of off) one();
    leave();
    page.beside = null;
    player.pair(false);
    root.replaceChildren();
  };
}

/** Everything of both moments, `shift_s` apart. → leave */
function both(root, page, source, shift_s) {
  const { store, span, tapes, player, reel, route, catalogue } = page;
  const beside = new Beside({ player, store, span, ask: page.ask, source: () => source, cursor: page.cursor, begins: () => reel.begins, told: answered(reel), road: ["", "ws"].includes(route.get("road")) ? undefined : null, shift_s });
  page.beside = beside;
  const there = () => ({ at: micro(beside.at), ...(span.moving ? {} : { from: new Date(beside.span.shown().from * 1000).toISOString(), to: new Date(beside.span.shown().to * 1000).toISOString() }) });
  const sides = [
    { letter: "A", store, span, tapes, page },
    { letter: "B", store: beside.store, span: beside.span, tapes: beside.tapes, page: Object.assign(Object.create(page), {
      store: beside.store, span: beside.span, tapes: beside.tapes, route: { get: (name) => route.get(name), href: (changes) => route.href({ ...there(), ...changes }) },
    }) },
  ];

  // Which is which stays in sight, however far one scrolls.
  const heads = sides.map(({ letter }) => {
    const [time, day, words, note] = [el("b.time"), el("span.day"), el("span.words"), el("span.remark")];
    return { time, day, words, note, card: el("article.moment", { "data-side": letter, "aria-label": t("Moment {letter}", { letter }) }, el("span.side", {}, letter), time, day, words, note) };
  });
  const jumps = el("nav.jumps", { "aria-label": t("Sections of this page") });
  const figures = el("div.tiles.pairs", { id: "tiles" });
  const heard = sides.map(({ letter }) => el("section.card.heard", { "data-side": letter, "aria-labelledby": `heard-${letter}` }));
  const noted = sides.map(() => el("ul.noted"));
  const sections = el("div.pair-sections");
  root.replaceChildren(el("div.moments", {}, ...heads.map(({ card }) => card), jumps), figures, el("div.twins", {}, ...heard), sections);
  const panels = sides.map((side, k) => alerts.mount(heard[k], side.page, (one) => one.source === source, { id: `heard-${side.letter}`, title: t("Alerts at {letter}", { letter: side.letter }), others: t("Nothing of this source is firing.") }));
  heard.forEach((card, k) => card.append(noted[k]));

  /** What is to be known of a moment beside its figures; `silent`: they are not of it. */
  const remark = ({ store: its, letter }) => {
    const at = its.playhead;
    const { view } = its;
    if (letter === "B" && beside.early) return { words: t("This moment has not come yet"), silent: true };
    if (at < reel.begins) return { words: t("Before the tape began, on {day}", { day: `${date(reel.begins)} ${clock(reel.begins)}` }), silent: true };
    if (letter === "B" && beside.reason) return { words: beside.reason, silent: true };
    const last = source === view.source ? view.at : view.sources.get(source)?.last_seen;
    if (view.seq >= 0 && !last) return { words: t("Nothing recorded yet"), silent: true };
    const coarse = at < reel.told?.raw_since;
    if (!its.ahead && at - last > (coarse ? COARSE_S : PATIENT * view.interval_s + 1)) return { words: t("Nothing recorded since {time}", { time: clock(last) }), silent: true };
    if (coarse) return { words: t("from buckets: the samples are gone"), silent: false };
    return { words: "", silent: false };
  };
  const point = () => {
    if (!player.past) return;
    sides.forEach((side, k) => {
      const at = side.store.playhead;
      const { time, day, words, note, card } = heads[k];
      say(time, clock(at));
      say(day, date(at));
      say(words, k === 0 ? back(store.present() - at) : apart(shift_s));
      const { words: said, silent } = remark(side);
      say(note, said);
      card.dataset.silent = heard[k].dataset.silent = String(silent);
      figures.dataset[`silent${side.letter}`] = String(silent);
      card.dataset.at = micro(at);
      card.dataset.tick = micro(side.store.view.at || 0);
      card.dataset.seq = String(side.store.view.seq);
      card.dataset.ahead = String(side.store.ahead);
    });
  };

  const mark = () => sides.forEach((side, k) => {
    const { from, to } = side.span.shown();
    const all = reel.marks.filter(({ since, until }) => since <= to && (Number.isNaN(until) ? since : until) >= from).slice(-MOST_MARKS);
    noted[k].hidden = all.length === 0;
    noted[k].replaceChildren(...all.map((one) => el("li", {}, el("span.mark-sign", { "aria-hidden": "true" }, "▾"), el("span.what", {}, one.text), el("span.when", {}, stretch(one)))));
  });

  const placed = new Map();
  const places = new Map();
  const section = (id, words) => {
    const grid = el("div.twins");
    const heading = el("h2.section", { id: `section-${id}-title`, tabindex: "-1" }, t(words));
    const one = el("section", { id: `section-${id}`, "aria-labelledby": heading.id }, heading, grid);
    const jump = el("a", { href: `#section-${id}`, onclick: (event) => {
      event.preventDefault();
      one.scrollIntoView({ block: "start" });
      heading.focus({ preventScroll: true });
    } }, t(words));
    return { root: one, grid, jump };
  };
  const arrange = () => {
    const kept = [...placed.values()].filter(({ name }) => COMMANDS.has(name)).flatMap(({ ids }) => ids);
    const planned = plan(lineup(sides.map((side) => ({ view: side.store.view, from: side.span.shown().from, past: true, at: side.store.playhead })), source, kept));
    const wanted = new Set();
    for (const { id, title, charts } of planned) {
      if (!places.has(id)) places.set(id, section(id, title));
      const place = places.get(id);
      for (const one of charts) {
        const ids = one.lines.map((line) => line.id);
        const old = placed.get(one.id);
        wanted.add(one.id);
        if (old && String(old.ids) === String(ids)) continue;
        old?.leave();
        const cards = old?.cards ?? sides.map(({ letter }) => el("article.card.chart", { "data-side": letter }));
        const level = new Level();
        // The same chart twice, one under the other where there is no room for two.
        const leaves = sides.map((side, k) => chart.mount(cards[k], side.page, { ...one, id: k ? `b-${one.id}` : one.id, source, level, side: side.letter }));
        placed.set(one.id, { cards, ids, name: one.name, leave: () => leaves.forEach((run) => run()) });
      }
      inOrder(place.grid, charts.flatMap((one) => placed.get(one.id).cards));
    }
    for (const [id, one] of placed) {
      if (wanted.has(id)) continue;
      one.leave();
      for (const card of one.cards) card.remove();
      placed.delete(id);
    }
    inOrder(sections, planned.map(({ id }) => places.get(id).root));
    inOrder(jumps, planned.map(({ id }) => places.get(id).jump));
  };

  let known = "";
  let leave_figures = () => {};
  const furnish = () => {
    const mark_ = `${store.view.epoch} ${(store.view.of_source.get(source) ?? []).length}`;
    if (mark_ !== known) {
      known = mark_;
      leave_figures();
      leave_figures = pair.mount(figures, sides, source);
    }
    arrange();
    mark();
    point();
  };
  let waiting = 0;
  const soon = () => {
    waiting ||= setTimeout(() => {
      waiting = 0;
      furnish();
    }, SOON_MS);
  };
  furnish();
  page.reveal?.([player.at, beside.at]);
  catalogue.of(source).then(furnish, (failure) => page.toast({ type: "error", title: t("Not everything could be loaded"), more: failure.message }));
  const off = [
    store.on("load", soon), store.on("series", soon), span.on(soon), reel.on(soon), player.on(point),
    // What is seen first of a moment may have more to show than the one before.
    ...sides.flatMap(({ store: its }) => [its.on("playhead", point), its.on("metrics", ({ type }) => (type === "past" ? soon() : point()))]),
  ];
  return () => {
    clearTimeout(waiting);
    for (const one of off) one();
    for (const one of placed.values()) one.leave();
    for (const one of panels) one();
    leave_figures();
    beside.close();
    root.replaceChildren();
  };
}

/** Until the bar has an answer, whichever; what waits for it does not wait for ever. */
const answered = (reel) => (reel.told ? null : new Promise((done) => {
  const off = reel.on(() => {
    off();
    done();
  });
  setTimeout(done, LATEST_MS);
}));

/** The children of `root` are these, in this order; what stands there already is not moved. */
function inOrder(root, wanted) {
  for (const one of [...root.children]) if (!wanted.includes(one)) one.remove();
  wanted.forEach((one, k) => root.children[k] !== one && root.insertBefore(one, root.children[k] ?? null));
}
