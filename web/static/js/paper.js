// On paper there is no scrolling to what is out of sight: every chart of the view is loaded and drawn for the sheet before the browser prints.

import { el, say } from "./dom.js";
import { clock, date } from "./format.js";
import { t } from "./words.js";

const PATIENCE_MS = 15_000;
const LOOK_MS = 50;

/** Resolves when every open tape has its history or has failed at it; they count as looked at until then → those that did not before. */
async function loaded(tapes) {
  const unseen = new Set();
  const until = Date.now() + PATIENCE_MS;
  do {
    // Again and again: charts come, and go out of sight, while the page is laid out for the sheet.
    for (const tape of tapes.open_) {
      if (tape.seen) continue;
      unseen.add(tape);
      tape.look(true);
    }
    await new Promise((done) => setTimeout(done, LOOK_MS));
  } while (Date.now() < until && [...tapes.open_].some(({ state }) => state === "loading"));
  return unseen;
}

/** Ctrl+P and ⌘P, and `button`, print the view as it is; `page` as views have it. */
export function mount(button, page) {
  const { span, store, route } = page;
  const html = document.documentElement;
  const what = el("b");
  const when = el("span");
  const printed = el("span");
  document.body.prepend(el("header.paper", { "aria-hidden": "true" }, what, when, printed));
  let busy = false;

  const print_ = async () => {
    if (busy || !store.view.ready) return;
    busy = true;
    const { theme } = html.dataset;
    const { from, to } = span.shown();
    const told = (at) => `${date(at)} ${clock(at)}`;
    say(what, `Playhead · ${route.get("source") || store.view.source}`);
    say(when, t("{from} to {to}", { from: told(from), to: told(to) }));
    say(printed, t("Printed {day}, {time}", { day: date(store.now()), time: clock(store.now()) }));
    // As wide as the sheet and in light colours, so that the canvases are drawn for it and not stretched to it.
    html.dataset.theme = "light";
    html.classList.add("printing");
    const unseen = (await Promise.all([page, page.beside].filter(Boolean).map(({ tapes }) => loaded(tapes)))).flatMap((some) => [...some]);
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    // Some browsers come back from print() at once: it is over when they say so.
    addEventListener("afterprint", () => {
      for (const tape of unseen) tape.look(false);
      html.classList.remove("printing");
      if (theme === undefined) delete html.dataset.theme;
      else html.dataset.theme = theme;
      busy = false;
    }, { once: true });
    window.print();
  };

  button.addEventListener("click", print_);
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "p" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    event.preventDefault();
    print_();
  });
}
