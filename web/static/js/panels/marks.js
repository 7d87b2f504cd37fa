// What people and programs marked: noted, changed and taken back in a dialog, listed and searched in a panel.

import { send } from "../api.js";
import { el, say } from "../dom.js";
import { clock, day, stretch as said } from "../format.js";
import { keep, kept } from "../kept.js";
import { t } from "../words.js";
import { annotation, micro } from "../wire.js";

const PATH = "/api/realtime/annotations";
const MOST_TEXT = 4_000;
const MOST_LISTED = 100;
const TYPED_MS = 200;

const when = (at) => `${day(at)} ${clock(at)}`;

/** The dialog: a new mark at `at` (epoch s), or `one` that is there. `stretch` ({ from, to } or null) is what may be marked instead of a moment. */
export function note(page, { at, stretch = null, one = null }) {
  if (page.store.incident) {
    page.toast({ type: "info", title: t("An incident is read-only: nothing can be written into it") });
    return;
  }
  const text = el("textarea", { id: "mark-text", required: true, maxlength: String(MOST_TEXT), rows: "3" }, one?.text ?? "");
  const tags = el("input", { id: "mark-tags", type: "text", maxlength: "400", placeholder: t("deploy, shop"), value: one?.tags.join(", ") ?? "" });
  const author = el("input", { id: "mark-author", type: "text", maxlength: "200", value: one?.author ?? kept("author") });
  const whole = el("input", { id: "mark-stretch", type: "checkbox" });
  const fault = el("p.fault", { role: "alert", hidden: true });
  const save = el("button.button", { type: "submit" }, one ? t("Change") : t("Mark"));
  const field = (label, input) => el("label", { for: input.id }, label, input);
  const tried = async (run) => {
    save.disabled = true;
    fault.hidden = true;
    try {
      await run();
      dialog.close();
    } catch (failure) {
      fault.hidden = false;
      say(fault, failure.message);
    }
    save.disabled = false;
  };
  const form = el("form", { method: "dialog", onsubmit: (event) => {
    event.preventDefault();
    tried(() => {
      keep("author", author.value.trim());
      const body = { text: text.value.trim(), tags: tags.value.split(",").map((tag) => tag.trim()).filter(Boolean), author: author.value.trim() };
      if (one) body.id = one.id;
      else if (whole.checked) Object.assign(body, { at: micro(stretch.from), until: micro(stretch.to) });
      else body.at = micro(at);
      return send("POST", PATH, body);
    });
  } },
  el("h2", { id: "mark-title" }, one ? t("Change what was marked") : t("Mark this moment")),
  el("p.note", {}, one ? said(one) : when(at)),
  field(t("What happened"), text), field(t("Tags, with commas between"), tags), field(t("Who says so"), author),
  stretch ? el("label.tick", { for: "mark-stretch" }, whole, t("The whole stretch shown: {time}", { time: said({ since: stretch.from, until: stretch.to }) })) : null,
  fault,
  el("div.choices", {},
    one ? el("button.button", { type: "button", onclick: () => tried(() => page.ask(`${PATH}?id=${encodeURIComponent(one.id)}`, { method: "DELETE" })) }, t("Take it back")) : null,
    el("button.button", { type: "button", onclick: () => dialog.close() }, t("Cancel")), save));
  const dialog = el("dialog.sheet.mark", { "aria-labelledby": "mark-title", onclose: () => dialog.remove() }, form);
  document.body.append(dialog);
  dialog.showModal();
  text.focus();
}

/** The list of what was marked, the latest first, searched by text as one types. */
export function mount(root, page) {
  const { store, ask } = page;
  const find = el("input.find", { type: "search", id: "find-marks", "aria-label": t("Search marks"), placeholder: t("Search marks") });
  const list = el("ul.entries");
  const none = el("p.empty-line", { hidden: true });
  const aside = el("span.aside");
  root.append(el("header", {}, el("h2", { id: "marks-title" }, t("Marks")), aside, el("span.end", {}, find)), list, none);
  let turn = 0;
  let timer = 0;

  const load = async () => {
    turn += 1;
    const mine = turn;
    const watched = store.past ? micro(store.playhead) : "";
    try {
      const { annotations, more } = await ask(`${PATH}?${new URLSearchParams({ limit: String(MOST_LISTED), ...(watched && { to: watched }), ...(find.value.trim() && { text: find.value.trim() }) })}`);
      if (mine !== turn) return;
      list.replaceChildren(...annotations.map(annotation).map((one) => entry(page, one)));
      // The moment at which the list ends.
      root.dataset.at = watched;
      none.hidden = annotations.length > 0;
      say(none, find.value.trim() ? t("Nothing like that was marked.") : t("Nothing is marked yet. B marks the moment under the playhead; deploy scripts send to POST /api/realtime/annotations."));
      say(aside, more ? t("and {n} more", { n: more }) : "");
    } catch (failure) {
      if (mine !== turn) return;
      none.hidden = false;
      say(none, failure.message);
    }
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(load, TYPED_MS);
  };
  find.addEventListener("input", soon);
  load();
  const off = [store.on("news", ({ type }) => type === "annotation" && soon()), store.on("load", soon), store.on("annotations", ({ type }) => (type === "past" || type === "now") && soon())];
  return () => {
    clearTimeout(timer);
    turn += 1;
    for (const one of off) one();
    root.replaceChildren();
  };
}

function entry(page, one) {
  const there = page.route.href({ view: "host", at: micro(one.since) });
  const abreast = el("button.link.jump", { type: "button", "aria-label": t("Compare the moment of {text} side by side", { text: one.text }), onclick: () => page.abreast({ at: one.since }) }, t("Side by side"));
  return el("li", { "data-id": one.id },
    el("span.mark-sign", { "aria-hidden": "true" }, "▾"), el("span.what", {}, one.text),
    el("span.when", {}, el("button.button.small", { type: "button", "data-writes": "", "aria-label": t("Change {text}", { text: one.text }), onclick: () => note(page, { one }) }, t("Change"))),
    el("p.more", {}, el("a.jump", { href: there }, said(one)), [one.tags.join(", "), one.author, one.source].filter(Boolean).map((words) => ` · ${words}`).join(""), " · ", abreast));
}
