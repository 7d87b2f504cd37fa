// What the search box finds: sources, series, views, dashboards, open alerts. An ARIA combobox with a list box.

import { el, say, severity } from "../dom.js";
import { Best, fits, words } from "../fuzzy.js";
import { Hunt } from "../hunt.js";
import { selector } from "../selection.js";
import { t } from "../words.js";
import { health } from "./rail.js";

const EACH = 5;
const SERIES = 10;
const MOST_READ = 1_000;

/** Takes over the box as search.js made it: what was typed before it came is looked for at once. */
export function mount(root, page, { input, list, told, close }) {
  const { store, route, catalogue } = page;
  const hunt = new Hunt(store);
  let dashboards = [];
  let options = [];
  let active = -1;
  let asking = false;
  let failed = "";

  const open = () => input.getAttribute("aria-expanded") === "true";
  const choose = (k) => {
    options[active]?.node.setAttribute("aria-selected", "false");
    active = k;
    const one = options[active];
    one?.node.setAttribute("aria-selected", "true");
    one?.node.scrollIntoView({ block: "nearest" });
    if (one) input.setAttribute("aria-activedescendant", one.node.id);
    else input.removeAttribute("aria-activedescendant");
  };
  const leave = () => {
    hunt.stop();
    input.value = "";
    input.setAttribute("aria-expanded", "false");
    list.hidden = true;
    options = [];
    choose(-1);
    input.blur();
    root.classList.remove("open");
  };
  const run = (k) => {
    const one = options[k];
    if (!one) return;
    if (!one.stays) leave();
    one.run();
  };

  /** The few things that are looked through at once. */
  const few = (wanted) => {
    const { view } = store;
    const of = (items, text) => {
      const best = new Best(EACH);
      for (const item of items) {
        const score = fits(text(item).toLowerCase(), wanted);
        if (score > 0) best.put(score, item);
      }
      return best.all.map(({ item }) => item);
    };
    const go = (changes) => () => route.go(changes);
    const views = [...document.querySelectorAll("#rail-views a[data-view]")].map((link) => ({ view: link.dataset.view, name: link.querySelector("span").textContent }));
    return [
      { title: t("Alerts"), items: of([...view.alerts.values()], ({ message, source, rule }) => `${rule} ${source} ${message}`).map((one) => ({ level: one.severity, text: one.message, more: one.source, run: go({ view: "alerts" }) })) },
      { title: t("Sources"), items: of([...view.sources.values()], ({ source }) => source).map((one) => ({ level: health(store, one), text: one.source, more: one.state === "lost" ? t("silent") : "", run: go({ view: "host", source: one.source }) })) },
      { title: t("Views"), items: of(views, ({ name, view: key }) => `${name} ${key}`).map((one) => ({ text: one.name, more: "", run: go({ view: one.view }) })) },
      { title: t("Dashboards"), items: of(dashboards, ({ title, tags = [] }) => [title, ...tags].join(" ")).map((one) => ({ text: one.title, more: (one.tags ?? []).join(", "), run: go({ view: "dashboard", id: one.id }) })) },
    ];
  };

  const draw = ({ best, found, done }, wanted) => {
    const series = { title: t("Series"), items: best.map((one) => ({ text: one.series, more: one.source, run: () => route.go({ view: "explore", series: selector(one) }) })) };
    const [alerts, ...others] = few(wanted);
    const groups = [alerts, others[0], series, ...others.slice(1)].filter(({ items }) => items.length);
    const whole = catalogue.whole;
    if (!whole) {
      groups.push({ title: "", items: [{ text: asking ? t("{n} series looked through …", { n: store.view.series.size }) : failed || t("Look through the series of all sources"), more: "", stays: true, run: everything }] });
    }
    const before = options[active]?.mark;
    options = [];
    list.replaceChildren(...groups.map(({ title, items }, g) => {
      const id = `search-group-${g}`;
      return el("div", { role: "group", ...(title ? { "aria-labelledby": id } : { "aria-label": t("More") }) },
        title ? el("p.group", { id }, title, title === series.title && found > best.length ? el("span", {}, t("{n} found", { n: found })) : null) : null,
        ...items.map((one) => {
          const k = options.length;
          const shape = el("span.severity", { "aria-hidden": "true" });
          if (one.level) severity(shape, one.level);
          const node = el("div.option", { id: `search-option-${k}`, role: "option", "aria-selected": "false" }, shape, el("span.text", {}, one.text), el("span.more", {}, one.more));
          // Before the input loses the focus, or the list would be gone when the click comes.
          node.addEventListener("pointerdown", (event) => event.preventDefault());
          node.addEventListener("click", () => run(k));
          node.addEventListener("pointermove", () => active !== k && choose(k));
          options.push({ ...one, node, mark: `${title} ${one.text} ${one.more}` });
          return node;
        }));
    }));
    if (done && options.length === (whole ? 0 : 1)) list.prepend(el("p.empty-line", {}, t("Nothing is called anything like “{text}”.", { text: input.value })));
    active = -1;
    const again = options.findIndex(({ mark }) => mark === before);
    choose(again >= 0 ? again : options.length ? 0 : -1);
    if (done) say(told, t("{n} found", { n: options.filter(({ stays }) => !stays).length }));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    list.dataset.done = String(done);
  };

  const look = () => {
    const wanted = words(input.value);
    if (wanted.length === 0) {
      hunt.stop();
      list.hidden = true;
      input.setAttribute("aria-expanded", "false");
      options = [];
      choose(-1);
      return;
    }
    // What has been drawn stays until there is more to say: an empty list between two letters would flash.
    let drawn = 0;
    hunt.go(input.value, { most: SERIES }, (one) => {
      if (one.done || (one.best.length && drawn === 0)) draw(one, wanted);
      drawn += one.best.length;
    });
  };

  /** Asks the server for the series of all sources. */
  async function everything() {
    if (asking) return;
    asking = true;
    failed = "";
    look();
    try {
      await catalogue.all();
    } catch (failure) {
      failed = t("That did not work: {reason} Again?", { reason: failure.message });
    }
    asking = false;
    if (open()) look();
  }

  const learn = async () => {
    if (!document.querySelector('#rail-views a[data-view="dashboards"]')) return;
    try {
      dashboards = (await page.ask("/api/realtime/dashboards")).dashboards.slice(0, MOST_READ);
      if (open()) look();
    } catch (failure) {
      console.info(`Dashboards cannot be searched now: ${failure.message}`);
    }
  };

  input.addEventListener("focus", learn);
  input.addEventListener("blur", () => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
  });
  input.addEventListener("input", look);
  input.addEventListener("keydown", (event) => {
    const last = options.length - 1;
    const move = { ArrowDown: active >= last ? 0 : active + 1, ArrowUp: active <= 0 ? last : active - 1, PageDown: Math.min(last, active + EACH), PageUp: Math.max(0, active - EACH) }[event.key];
    if (event.key === "Escape") leave();
    else if (event.key === "Enter") run(active);
    else if (event.key === "ArrowDown" && list.hidden) look();
    else if (move !== undefined && options.length) choose(move);
    else return;
    event.preventDefault();
  });
  close.addEventListener("click", leave);
  if (document.activeElement !== input) return;
  learn();
  look();
}
