// The dashboards that people have arranged: found, begun, brought in from a file.

import { Boards, taken } from "../boards.js";
import { el, say } from "../dom.js";
import { clock, day } from "../format.js";
import { kept } from "../kept.js";
import { dialog } from "../panels/dialog.js";
import { offers } from "../templates.js";
import { t } from "../words.js";

const MOST_BYTES = 256 * 1024;
const SOON_MS = 300;

export function mount(root, page) {
  const { store, route, ask } = page;
  const boards = new Boards(ask);
  const search = el("input.input", { id: "boards-search", type: "search", value: route.get("q"), placeholder: t("Search by title or tag"), "aria-label": t("Search by title or tag") });
  const file = el("input.unseen", { id: "boards-file", type: "file", accept: ".json,application/json", tabindex: "-1", "aria-label": t("A dashboard as JSON") });
  const begin = el("button.button.first", { type: "button", id: "boards-new", onclick: fresh }, t("New dashboard"));
  const bring = el("button.button", { type: "button", id: "boards-import", onclick: () => file.click() }, t("Import"));
  const list = el("ul.boards", { id: "boards" });
  const note = el("section.card.empty-state", { hidden: true });
  const problems = el("section.card.problems", { hidden: true, role: "alert" });
  root.append(el("div.host", {}, el("h1", { id: "boards-title", tabindex: "-1" }, t("Dashboards")), el("div.actions", {}, search, begin, bring, file)), problems, list, note);

  let known = null;

  const draw = () => {
    if (known === null) return;
    const words = search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const shown = known.filter(({ title, tags, author }) => words.every((word) => [title, author, ...tags].some((text) => text.toLowerCase().includes(word))));
    list.replaceChildren(...shown.map((one) => entry(one, route)));
    note.hidden = shown.length > 0;
    if (shown.length > 0) return;
    if (known.length > 0) note.replaceChildren(el("p", {}, t("No dashboard is called or tagged “{words}”.", { words: search.value.trim() })));
    else {
      note.replaceChildren(
        el("h2", {}, t("Nothing is arranged yet")),
        el("p", {}, t("Put charts, figures, texts and open alerts side by side, as you look at them. Every saving is a version that can be put back.")),
        el("ul.offers", {}, ...templates((id) => start(id))),
      );
    }
  };

  const load = async () => {
    try {
      const told = await boards.list();
      known = told.dashboards;
      problems.hidden = told.problems.length === 0;
      problems.replaceChildren(...told.problems.map((one) => el("p", {}, `${t("The file {file} cannot be used:", { file: one.file || t("(the directory)") })} ${[one.field, one.detail].filter(Boolean).join(": ")}`)));
      draw();
    } catch (failure) {
      note.hidden = false;
      note.replaceChildren(el("p", {}, failure.message), el("button.button", { type: "button", onclick: load }, t("Try again")));
    }
  };

  const start = (template) => route.go({ view: "dashboard", template });

  async function fresh() {
    const answer = await dialog({ title: t("New dashboard"), content: [el("ul.offers", {}, ...templates((id, node) => {
      node.closest("dialog").dispatchEvent(new Event("cancel", { cancelable: true }));
      start(id);
    }))] });
    if (answer) start("blank");
  }

  search.addEventListener("input", () => {
    draw();
    route.go({ q: search.value.trim() }, true);
  });
  file.addEventListener("change", async () => {
    const [one] = file.files;
    file.value = "";
    if (one) await take(one);
  });

  /** A file as `export` made it, or as people write it. */
  async function take(one) {
    try {
      if (one.size > MOST_BYTES) throw new Error(t("{name} is too large to be a dashboard.", { name: one.name }));
      let sent;
      try {
        sent = JSON.parse(await one.text());
      } catch (failure) {
        throw new Error(t("{name} is not JSON: {reason}", { name: one.name, reason: failure.message }), { cause: failure });
      }
      await create({ ...sent, author: sent.author ?? kept("author") });
    } catch (failure) {
      page.toast({ type: "error", title: t("That was not imported"), more: failure.message });
    }
  }

  async function create(sent) {
    let saved;
    try {
      saved = await boards.create(sent);
    } catch (failure) {
      if (!taken(failure) || !sent.id) throw failure;
      const copy = await dialog({ title: t("There is a dashboard {id} already", { id: sent.id }), ok: t("Import as a copy"), content: [el("p", {}, t("The one that is there stays as it is."))] });
      if (!copy) return;
      const { id: _id, ...rest } = sent;
      saved = await boards.create(rest);
    }
    page.toast({ type: "success", title: t("Imported {title}", { title: saved.title }) });
    route.go({ view: "dashboard", id: saved.id });
  }

  load();
  let timer = 0;
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(load, SOON_MS);
  };
  const off = [store.on("layouts", soon), store.on("load", soon)];
  return () => {
    clearTimeout(timer);
    for (const one of off) one();
    root.replaceChildren();
  };
}

/** Buttons for what one may begin with; picked(id, button). */
function templates(picked) {
  return offers().map(([id, name, more]) => {
    const button = el("button.offer", { type: "button", "data-template": id, onclick: () => picked(id, button) }, el("b", {}, name), el("span", {}, more));
    return el("li", {}, button);
  });
}

function entry(one, route) {
  const facts = el("p.facts");
  say(facts, [one.author, `${day(one.at)} ${clock(one.at)}`].filter(Boolean).join(" · "));
  return el("li.card.board-card", { "data-id": one.id },
    el("a", { href: route.href({ view: "dashboard", id: one.id, q: "" }) }, el("h2", {}, one.title)),
    one.places ? outline(one.places) : null,
    el("p.tags", {}, ...one.tags.map((tag) => el("span.tag", {}, tag)), one.provisioned ? el("span.tag.file", { title: t("Read-only: it is kept as the file {file} says.", { file: one.provisioned }) }, t("from {file}", { file: one.provisioned })) : null),
    facts);
}

const SVG = "http://www.w3.org/2000/svg";
const ROWS_SHOWN = 18;

/** What stands where, from afar. */
function outline(places) {
  const root = document.createElementNS(SVG, "svg");
  root.setAttribute("viewBox", `0 0 120 ${ROWS_SHOWN * 4}`);
  root.setAttribute("preserveAspectRatio", "none");
  root.setAttribute("class", "outline");
  root.setAttribute("aria-hidden", "true");
  for (const { kind, x, y, w, h } of places) {
    if (y >= ROWS_SHOWN) continue;
    const box = document.createElementNS(SVG, "rect");
    for (const [name, value] of Object.entries({ x: x * 10 + 1, y: y * 4 + 1, width: w * 10 - 2, height: Math.min(h, ROWS_SHOWN - y) * 4 - 2, rx: 1.5, class: kind })) box.setAttribute(name, String(value));
    root.append(box);
  }
  return root;
}
