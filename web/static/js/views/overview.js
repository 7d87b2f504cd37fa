// Every source at a glance, what is unusual first. Only cards in sight cost anything.

import { button } from "../copy.js";
import { el, say, severity } from "../dom.js";
import { health } from "../panels/rail.js";
import * as card from "../panels/source.js";
import { t } from "../words.js";

// src-2 before src-10.
const ORDER = new Intl.Collator("en", { numeric: true });
const RANK = { critical: 0, warning: 1, fine: 2 };
const SOON_MS = 400;
// What is unusual is looked up this often while somebody looks, and when the order changes.
const AGAIN_MS = 60_000;
const FAILED_MS = 5_000;
// As many as one answer of the server tells of.
const MOST = 500;
const SHOWS = ["", "critical", "warning", "silent"];

/** [{ source, health, lost, unusual }] → what needs a look first: alerts, the silent, the unusual; then by name, as people count. */
export function ordered(all) {
  const odd = ({ unusual }) => (unusual >= card.UNUSUAL ? unusual : 0);
  return [...all].sort((a, b) => RANK[a.health] - RANK[b.health] || Number(b.lost) - Number(a.lost) || odd(b) - odd(a) || ORDER.compare(a.source, b.source));
}

export function mount(root, page) {
  const { store, route, keys } = page;
  const title = el("h1", { id: "glance", tabindex: "-1" }, t("Overview"));
  const find = el("input.field", { type: "search", id: "find-source", placeholder: t("Filter by name"), "aria-label": t("Filter sources by name"), spellcheck: "false", autocomplete: "off" });
  const shows = SHOWS.map((show) => {
    const shape = el("span.severity");
    if (show === "critical" || show === "warning") severity(shape, show);
    const count = el("b", {}, "0");
    const words = { "": t("All"), critical: t("Critical"), warning: t("Warning"), silent: t("Silent") }[show];
    const made = el("button.button.small", { type: "button", "data-show": show, "aria-pressed": "false", onclick: () => route.go({ show }, true) }, shape.textContent ? shape : null, words, count);
    return { show, made, count };
  });
  const head = el("header.view-head", {}, title, el("div.shows", { role: "group", "aria-label": t("Show") }, ...shows.map(({ made }) => made)), find);
  const note = el("p.card.note", { hidden: true, role: "status" });
  const none = el("p.card.note", { hidden: true });
  const grid = el("ul.sources", { id: "cards", "aria-label": t("Sources") });
  const first = el("section.card.first", { hidden: true, "aria-labelledby": "first-title" });
  root.append(head, note, none, grid, first);

  const cards = new Map();
  let glances = new Map();
  let odd_order = new Map();

  const listed = () => [...store.view.sources.values()].map((one) => {
    const lost = one.state === "lost";
    return { source: one.source, health: health(store, one), lost, unusual: store.past ? 0 : odd_order.get(one.source) ?? 0 };
  });

  /** Whether a person is just about to hit one of them. */
  const touched = () => (grid.matches(":hover") && matchMedia("(hover: hover)").matches) || grid.contains(document.activeElement);
  let disordered = true;
  let told = false;

  const arrange = () => {
    // Before it is known what is unusual there is no order, and cards that come in none would jump.
    if (!told) return;
    for (const name of store.view.sources.keys()) {
      if (cards.has(name)) continue;
      const item = el("li.card.source");
      cards.set(name, { item, card: card.mount(item, page, name, () => glances.get(name)) });
      // A new one stands at the end until the order is made anew.
      grid.append(item);
      disordered = true;
    }
    for (const [name, { item, card: one }] of cards) {
      if (store.view.sources.has(name)) continue;
      one.leave();
      item.remove();
      cards.delete(name);
    }
    if (disordered && !touched()) {
      disordered = false;
      odd_order = new Map([...glances].map(([name, { unusual }]) => [name, unusual]));
      let before = null;
      for (const { source } of ordered(listed())) {
        const { item } = cards.get(source);
        const place = before === null ? grid.firstElementChild : before.nextElementSibling;
        if (place !== item) grid.insertBefore(item, place);
        before = item;
      }
    }
    filter();
    begin();
  };

  const filter = () => {
    if (!told) return;
    const text = route.get("find").toLowerCase();
    const show = SHOWS.includes(route.get("show")) ? route.get("show") : "";
    if (document.activeElement !== find && find.value !== route.get("find")) find.value = route.get("find");
    const all = listed();
    const is = (one, wanted) => wanted === "" || (wanted === "silent" ? one.lost : one.health === wanted && !(wanted === "warning" && one.lost && !alerted(one.source)));
    let left = 0;
    for (const one of all) {
      const fits = one.source.toLowerCase().includes(text) && is(one, show);
      cards.get(one.source).item.hidden = !fits;
      left += fits ? 1 : 0;
    }
    for (const { show: wanted, made, count } of shows) {
      say(count, String(all.filter((one) => is(one, wanted)).length));
      made.setAttribute("aria-pressed", String(show === wanted));
    }
    none.hidden = left > 0;
    if (left === 0) {
      say(none, text ? t("No source is called anything like “{text}”.", { text: route.get("find") })
        : { critical: t("Nothing is critical."), warning: t("There is no warning."), silent: t("No source is silent.") }[show] ?? t("There is no source yet."));
    }
  };
  const alerted = (source) => [...store.view.alerts.values()].some((one) => one.source === source);

  /** With this host alone, the page says how the next one comes in. */
  const begin = () => {
    const alone = store.view.sources.size === 1 && store.view.sources.has(store.view.source);
    if (alone && first.childElementCount === 0) first.append(...pushing());
    first.hidden = !alone;
  };

  let waiting = 0;
  const soon = () => {
    if (!waiting) {
      waiting = setTimeout(() => {
        waiting = 0;
        arrange();
      }, SOON_MS);
    }
  };

  let asking = false;
  let timer = 0;
  const look = async () => {
    if (asking) return;
    asking = true;
    clearTimeout(timer);
    let next_ms = AGAIN_MS;
    try {
      const { sources } = await page.ask("/api/realtime/overview");
      if (gone) return;
      disordered ||= glances.size === 0;
      glances = new Map(sources.map((one) => [one.source, one]));
      note.hidden = true;
      told = true;
      arrange();
      for (const { card: one } of cards.values()) one.ask();
    } catch (failure) {
      if (gone) return;
      next_ms = FAILED_MS;
      note.hidden = false;
      say(note, t("The figures could not be had: {reason}", { reason: failure.message }));
      told = true;
      arrange();
    } finally {
      asking = false;
      if (!gone) timer = setTimeout(again, next_ms);
    }
  };
  const again = () => {
    if (document.visibilityState === "visible" && store.link.state !== "paused") look();
    else timer = setTimeout(again, AGAIN_MS);
  };

  let gone = false;
  find.addEventListener("input", () => route.go({ find: find.value }, true));
  find.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && find.value) {
      find.value = "";
      route.go({ find: "" }, true);
      event.preventDefault();
    }
  });
  grid.addEventListener("pointerleave", () => disordered && soon());
  grid.addEventListener("focusout", () => disordered && soon());
  let states = "";
  const matters = () => {
    const now = JSON.stringify(listed().map(({ source, health: level, lost }) => [source, level, lost]));
    if (now === states) return;
    states = now;
    disordered = true;
    soon();
    // A source that nobody knew has figures to be asked for.
    if (!store.past && [...store.view.sources.keys()].some((name) => !glances.has(name)) && store.view.sources.size <= MOST) look();
  };
  const off = [
    store.on("metrics", (message) => (message.type === "metrics" ? cards.get(message.source)?.card.ask() : cards.forEach(({ card: one }) => one.ask()))),
    store.on("tick", () => cards.forEach(({ card: one, item }) => item.dataset.state === "lost" && one.ask())),
    store.on("alerts", () => {
      matters();
      cards.forEach(({ card: one }) => one.ask());
    }),
    store.on("sources", ({ type }) => {
      // Of another moment another order is true.
      if (type === "past" || type === "now") states = "";
      matters();
    }), store.on("recording", matters), store.on("load", () => (store.past ? matters() : look())), route.on(filter),
    keys.on("f", t("filter sources"), () => find.focus()),
  ];
  matters();
  look();
  return () => {
    gone = true;
    clearTimeout(waiting);
    clearTimeout(timer);
    for (const { card: one } of cards.values()) one.leave();
    for (const one of off) one();
    root.replaceChildren();
  };
}

function pushing() {
  const address = `${location.origin}/api/realtime/metrics`;
  const one = `curl ${address} -H 'Content-Type: application/json' \\\n  -d '{"source": "my-app", "name": "orders_open", "value": 42}'`;
  const host = `while sleep 1; do read load rest < /proc/loadavg\n  curl -s -o /dev/null ${address} -H 'Content-Type: application/json' \\\n    -d "{\\"source\\": \\"$(hostname)\\", \\"name\\": \\"system_load\\", \\"labels\\": {\\"period\\": \\"1m\\"}, \\"value\\": $load}"\ndone`;
  const block = (words, text) => el("div.snippet", {}, el("p", {}, words), button(() => text), el("pre", { tabindex: "0" }, el("code", {}, text)));
  return [
    el("h2", { id: "first-title" }, t("Push your first number")),
    el("p", {}, t("This host records itself. Anything else appears here by itself as soon as it sends a number: no registration, nothing to set up.")),
    block(t("From an application, a job, a script"), one),
    block(t("From another machine, with nothing installed on it"), host),
    el("p", {}, el("a", { href: "/api/docs" }, t("All that can be sent, and how"))),
  ];
}
