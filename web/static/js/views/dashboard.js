// One dashboard that somebody arranged: shown, edited, its versions looked at and put back.

import { Boards, body, file, gone, stale } from "../boards.js";
import { el, say } from "../dom.js";
import { Draft, fresh, keyed } from "../draft.js";
import { clock, day } from "../format.js";
import { COLUMNS, SIZES, added, reading, removed } from "../grid.js";
import { keep, kept } from "../kept.js";
import { Matches } from "../matches.js";
import { Board, called } from "../panels/board.js";
import { choosing } from "../selector.js";
import { t } from "../words.js";

// More than one can draw, so that "and more" can be said.
const MOST_MATCHED = 200;

// What is being edited outlives a look at another view, and a change of the source.
const drafts = new Map();

export function mount(root, page) {
  const { store, route, ask, keys } = page;
  const boards = new Boards(ask);
  const id = route.get("id");
  const matches = new Matches({ store, ask, limit: MOST_MATCHED });
  const chosen = page.source;

  const title = el("h1", { id: "board-title", tabindex: "-1" }, "\u00a0");
  const facts = el("p.facts", { id: "board-facts" }, "\u00a0");
  const picker = el("select.select", { id: "board-source", "aria-label": t("Source"), hidden: true });
  const actions = el("div.actions", { id: "board-actions" });
  const bar = el("section.card.edit-bar", { id: "board-edit", hidden: true, "aria-label": t("Edit") });
  const notice = el("section.card.board-notice", { id: "board-notice", hidden: true, role: "status" });
  const grid = el("div.board", { id: "board", "aria-labelledby": "board-title", role: "region" });
  const empty = el("section.card.empty-state", { id: "board-empty", hidden: true });
  const heard = el("p.unseen", { id: "board-heard", role: "status", "aria-live": "assertive" });
  root.append(el("div.host", {}, title, facts, picker, actions), notice, bar, el("h2.unseen", {}, t("Panels")), grid, empty, heard);

  /** As it is saved, null for one that is new; as another version, while that is looked at. */
  let saved = null;
  let preview = null;
  let draft = drafts.get(id) ?? null;
  /** What somebody else saved while this was edited. */
  let theirs = null;
  let saving = false;
  let left = false;

  const panels = () => (preview ? preview.panels : draft ? draft.state.panels : saved?.panels ?? []);
  const announce = (words) => say(heard, words);

  const board = new Board(grid, page, { matches, chosen, dress: (slot, panel) => (draft && !preview ? grip(slot, panel) : null) });

  /** What asks the reader comes when it has to; → Promise of the answer, null for none. */
  const asking = (load, ask_) => new Promise((done) => {
    page.lazy(load, (it) => ask_(it).then(done))().then((there) => there || done(null));
  });
  const dialog = (what) => asking(() => import("../panels/dialog.js"), (it) => it.dialog(what));
  const formed = (panel, words) => asking(() => import("../panels/form.js"), (it) => it.form(page, panel, { host: host(), chosen, ...words }));

  let arranger = null;
  const hands = {
    pitch: () => {
      const { columnGap, rowGap, gridAutoRows } = getComputedStyle(grid);
      return { x: (grid.clientWidth + parseFloat(columnGap)) / COLUMNS, y: parseFloat(gridAutoRows) + parseFloat(rowGap) };
    },
    panels: () => draft.state.panels,
    show: (now) => board.show(now, false),
    done(now) {
      draft.change({ panels: now });
      drawn();
    },
    tell(what, panel) {
      const words = { name: called(panel), column: panel.x + 1, row: panel.y + 1, w: panel.w, h: panel.h };
      const where = t("column {column}, row {row}, {w} wide, {h} high", words);
      if (what === "taken") announce(t("{name} taken up. Arrows move it, Shift and arrows resize it, Enter puts it down, Escape puts it back. {where}", { ...words, where }));
      else if (what === "placed") announce(t("{name} put down: {where}", { ...words, where }));
      else if (what === "back") announce(t("{name} put back: {where}", { ...words, where }));
      else announce(`${words.name}: ${where}`);
    },
  };
  /** → whether panels can be moved: what moves them comes with the first edit. */
  const ready = async () => arranger !== null || page.lazy(() => import("../arrange.js"), ({ Arranger }) => (arranger ??= new Arranger(grid, hands)))();

  /** What an edit lays over a panel. */
  function grip(slot, panel) {
    const name = called(panel);
    const button = (cls, sign, words, run) => el(`button.button.small.icon.${cls}`, { type: "button", title: words, "aria-label": `${words}: ${name}`, onclick: run }, sign);
    const handle = el("button.handle", { type: "button", "aria-pressed": "false", "aria-label": t("Move or resize {name}", { name }), title: t("Drag, or: arrows move, Shift and arrows resize") }, el("span", { "aria-hidden": "true" }, "⠿"), el("span.handle-name", {}, name));
    const corner = el("span.corner", { "aria-hidden": "true" });
    const { key } = panel;
    arranger.bind(key, handle, corner);
    return el("div.grip", {}, el("div.grip-bar", {}, handle,
      button("change", "✎", t("Edit"), () => change(key)), button("copy", "", t("Duplicate"), () => duplicate(key)), button("drop", "✕", t("Remove"), () => drop(key))), corner);
  }

  const find = (key) => draft.state.panels.find((one) => one.key === key);
  const host = () => store.view.source;

  async function add(kind = "chart") {
    arranger?.settle();
    const made = await formed({ kind }, { title: t("Add a panel"), ok: t("Add") });
    if (made === null || left) return;
    put({ ...made, ...SIZES[made.kind], key: fresh() }, t("{name} added", { name: called(made) }));
  }

  async function change(key) {
    arranger?.settle();
    const was = find(key);
    const made = await formed(was, { title: t("Edit {name}", { name: called(was) }), ok: t("Apply") });
    if (made === null || left || !find(key)) return;
    draft.change({ panels: draft.state.panels.map((one) => (one.key === key ? made : one)) });
    drawn();
    grid.querySelector(`[data-key="${key}"] .change`)?.focus();
  }

  function duplicate(key) {
    put({ ...find(key), key: fresh() }, t("{name} duplicated", { name: called(find(key)) }));
  }

  function put(panel, words) {
    draft.change({ panels: added(draft.state.panels, panel) });
    drawn();
    announce(words);
    const slot = grid.querySelector(`[data-key="${panel.key}"]`);
    slot.scrollIntoView({ block: "nearest" });
    slot.querySelector(".handle").focus({ preventScroll: true });
  }

  function drop(key) {
    const order = reading(draft.state.panels);
    const next = order[order.findIndex((one) => one.key === key) + 1] ?? order.at(-2);
    announce(t("{name} removed; Control and Z brings it back", { name: called(find(key)) }));
    draft.change({ panels: removed(draft.state.panels, key) });
    drawn();
    (grid.querySelector(`[data-key="${next?.key}"] .drop`) ?? bar.querySelector("#board-add")).focus({ preventScroll: true });
  }

  function step(back) {
    arranger?.settle();
    const done = back ? draft.undo() : draft.redo();
    announce(done ? (back ? t("Undone") : t("Done again")) : t("There is nothing more"));
    drawn();
  }

  // The bar of an edit is made once: what is typed into must stay.
  const name = el("input.input", { id: "board-name", maxlength: "200", required: true, "aria-label": t("Title") });
  const tags = el("input.input", { id: "board-tags", "aria-label": t("Tags, with commas between"), placeholder: t("Tags, with commas between") });
  const author = el("input.input", { id: "board-author", maxlength: "100", value: kept("author"), "aria-label": t("Your name"), placeholder: t("Your name") });
  const undo = el("button.button.icon", { type: "button", id: "board-undo", title: t("Undo (Ctrl+Z)"), "aria-label": t("Undo"), onclick: () => step(true) }, "↶");
  const redo = el("button.button.icon", { type: "button", id: "board-redo", title: t("Redo (Ctrl+Shift+Z)"), "aria-label": t("Redo"), onclick: () => step(false) }, "↷");
  const store_ = el("button.button.first", { type: "button", id: "board-save", onclick: () => save() }, t("Save"));
  const plus = (kind, words) => el("button.button", { type: "button", id: kind === "chart" ? "board-add" : `board-add-${kind}`, onclick: () => add(kind) }, `+ ${words}`);
  bar.append(el("div.row", {}, name, tags, author),
    el("div.row", {}, plus("chart", t("Chart")), plus("tile", t("Tile")), plus("text", t("Text")), plus("alerts", t("Alerts")), el("span.gap"), undo, redo,
      el("button.button", { type: "button", id: "board-cancel", onclick: cancel }, t("Cancel")), store_));
  let typing = "";
  for (const [input, what] of [[name, () => ({ title: name.value })], [tags, () => ({ tags: listed(tags.value) })]]) {
    input.addEventListener("input", () => {
      draft.change(what(), typing === input.id);
      typing = input.id;
      drawn();
    });
    input.addEventListener("blur", () => (typing = ""));
  }
  author.addEventListener("change", () => keep("author", author.value.trim()));

  /** After a change of what is shown. */
  function drawn() {
    const now = panels();
    board.show(now);
    grid.dataset.panels = String(now.length);
    grid.dataset.version = String(preview?.seq ?? saved?.seq ?? "");
    empty.hidden = now.length > 0 || (!saved && !draft);
    if (!empty.hidden) {
      empty.replaceChildren(el("p", {}, draft ? t("An empty grid. Add the first panel.") : t("There is nothing on this dashboard yet.")));
    }
    const about = preview ?? draft?.state ?? saved;
    say(title, about?.title || "\u00a0");
    if (draft) {
      undo.disabled = draft.past.length === 0;
      redo.disabled = draft.future.length === 0;
      if (document.activeElement !== name) name.value = draft.state.title;
      if (document.activeElement !== tags) tags.value = draft.state.tags.join(", ");
    }
    sources(now);
  }

  function sources(now) {
    picker.hidden = !choosing(now);
    if (picker.hidden) return;
    const all = [...store.view.sources.keys()].sort();
    if (!all.includes(chosen)) all.push(chosen);
    if (picker.options.length !== all.length) picker.replaceChildren(...all.map((one) => el("option", { value: one }, one)));
    picker.value = chosen;
  }

  /** After a change of mode: looked at, edited, another version. */
  function turned() {
    root.dataset.mode = preview ? "preview" : draft ? "edit" : saved ? "view" : "none";
    bar.hidden = !draft || preview !== null;
    const about = preview ?? saved;
    say(facts, about ? [about.author, `${day(about.at)} ${clock(about.at)}`, ...about.tags.map((tag) => `#${tag}`)].filter(Boolean).join(" · ") : draft ? t("not saved yet") : "\u00a0");
    const button = (key, words, run) => el("button.button", { type: "button", id: `board-${key}`, onclick: run }, words);
    const file_ = saved?.provisioned;
    actions.replaceChildren(...(preview || !saved ? [] : draft ? [button("history", t("History"), history_)] : [
      file_ ? null : button("start", t("Edit"), edit), file_ ? button("fork", t("Edit a copy"), fork) : null,
      button("history", t("History"), history_), button("link", t("Copy link"), link), button("export", t("Export"), save_file), file_ ? null : button("delete", t("Delete"), remove),
    ].filter(Boolean)));
    told();
    drawn();
    board.redress();
  }

  /** The line above the panels: which version this is, who saved meanwhile, where a file is. */
  function told() {
    const button = (words, run, key) => el("button.button.small", { type: "button", id: key, onclick: run }, words);
    const lines = [];
    if (preview) {
      const restorable = !saved?.provisioned && preview.state !== "removed";
      lines.push(el("p", {}, t("This is version {seq}, saved {when} by {author}.", { seq: preview.seq, when: `${day(preview.at)} ${clock(preview.at)}`, author: preview.author || t("somebody") })),
        restorable ? button(t("Restore this version"), () => restore(preview), "board-restore") : null, button(draft ? t("Back to my edit") : t("Back to the newest"), back, "board-back"));
    } else if (draft && theirs) {
      lines.push(el("p", {}, theirs.state === "removed" ? t("{author} removed this dashboard meanwhile.", { author: theirs.author || t("Somebody") })
        : t("{author} saved this dashboard meanwhile.", { author: theirs.author || t("Somebody") })),
      theirs.state === "removed" ? null : button(t("See theirs"), () => look(theirs.seq), "board-theirs"));
    } else if (saved?.provisioned) {
      lines.push(el("p", {}, t("Read-only: it is kept as the file {file} says.", { file: saved.provisioned })));
    }
    notice.hidden = lines.length === 0;
    notice.replaceChildren(...lines.filter(Boolean));
  }

  async function edit() {
    if (!(await ready()) || left || draft || !saved) return;
    draft = new Draft({ ...saved });
    begun();
  }

  function fork() {
    const copy = { title: t("{title} (copy)", { title: saved.title }), tags: saved.tags, panels: keyed(saved.panels) };
    drafts.set("", new Draft(copy));
    route.go({ id: "", template: "" });
  }

  function begun() {
    drafts.set(id, draft);
    turned();
    name.focus();
  }

  async function cancel() {
    arranger?.settle();
    if (draft.dirty && !(await dialog({ title: t("Drop what was changed?"), ok: t("Drop it"), cancel: t("Go on editing") }))) return;
    dropped();
    if (!saved) route.go({ view: "dashboards" });
    else {
      turned();
      actions.querySelector("button")?.focus();
    }
  }

  function dropped() {
    drafts.delete(id);
    draft = null;
    if (theirs && theirs.state !== "removed") take(theirs);
    theirs = null;
  }

  /** `over`: the version that is known to stand there and is written over; on purpose, where it is not the one edited. */
  async function save(over = draft.base.seq) {
    arranger?.settle();
    if (saving) return;
    if (!draft.state.title.trim()) {
      name.focus();
      page.toast({ type: "warning", title: t("A dashboard has a title") });
      return;
    }
    saving = true;
    store_.disabled = true;
    const mine = draft;
    try {
      const sent = mine.body(kept("author"));
      const now = mine.base.seq === undefined ? await boards.create(sent) : await boards.save(id, sent, over);
      drafts.delete(id);
      if (left) return;
      page.toast({ type: "success", title: t("Saved {title}", { title: now.title }) });
      draft = null;
      theirs = null;
      if (now.id !== id) {
        route.go({ id: now.id, template: "" }, true);
        return;
      }
      take(now, mine.state.panels);
      turned();
      actions.querySelector("button")?.focus();
    } catch (failure) {
      if (left) return;
      if (stale(failure)) await conflict();
      else page.toast({ type: "error", title: t("It was not saved"), more: failure.message });
    } finally {
      saving = false;
      store_.disabled = false;
    }
  }

  /** Somebody was quicker. Nothing is lost whatever is chosen: every version stays in the history. */
  async function conflict() {
    let now = null;
    try {
      now = await boards.one(id);
    } catch (failure) {
      if (!gone(failure)) {
        page.toast({ type: "error", title: t("It was not saved"), more: failure.message });
        return;
      }
    }
    theirs = now ?? theirs;
    told();
    const who = theirs?.author || t("Somebody");
    const answer = await dialog({
      title: now ? t("{author} saved this dashboard meanwhile", { author: who }) : t("This dashboard was removed meanwhile"),
      content: [el("p", {}, t("Your edit is still here, and every version stays in the history."))],
      choices: [now ? { label: t("See theirs"), value: "see" } : null, { label: t("Save mine as a copy"), value: "copy" }, { label: now ? t("Save mine over it") : t("Save mine again"), value: "over" }].filter(Boolean),
      cancel: t("Go on editing"),
    });
    if (answer === "see") await look(now.seq);
    else if (answer === "over") {
      saving = false;
      await save(now ? now.seq : null);
    } else if (answer === "copy") {
      const copy = new Draft({ title: draft.state.title, tags: draft.state.tags, panels: draft.state.panels });
      copy.change({ title: t("{title} (copy)", { title: draft.state.title }) });
      try {
        const made = await boards.create(copy.body(kept("author")));
        drafts.delete(id);
        page.toast({ type: "success", title: t("Saved {title}", { title: made.title }) });
        route.go({ id: made.id });
      } catch (failure) {
        page.toast({ type: "error", title: t("It was not saved"), more: failure.message });
      }
    }
  }

  async function remove() {
    const was = saved;
    if (!(await dialog({ title: t("Delete {title}?", { title: was.title }), ok: t("Delete"), content: [el("p", {}, t("It can be brought back at once, and its versions stay."))] }))) return;
    try {
      await boards.remove(id, was.seq);
    } catch (failure) {
      page.toast({ type: "error", title: t("It was not deleted"), more: failure.message });
      return;
    }
    route.go({ view: "dashboards" });
    page.toast({
      type: "info", title: t("Deleted {title}", { title: was.title }),
      action: { label: t("Undo"), run: () => again(was) },
    });
  }

  /** Brought back where it was, unless somebody has made another there. */
  async function again(was) {
    try {
      await boards.create({ ...body(was), id: was.id });
      route.go({ view: "dashboard", id: was.id });
    } catch (failure) {
      page.toast({ type: "error", title: t("It was not brought back"), more: failure.message });
    }
  }

  const save_file = page.lazy(() => import("../saved.js"), (it) => it.saved(`${saved.id}.json`, "application/json", file(saved)));

  async function link() {
    const address = new URL(route.href({}), location.href).href;
    try {
      await navigator.clipboard.writeText(address);
      page.toast({ type: "success", title: t("The link is copied") });
    } catch {
      // No secure context, or not allowed: it can still be taken by hand.
      const field = el("input.input", { readonly: true, value: address, "aria-label": t("Link") });
      await dialog({ title: t("Link"), content: [field], cancel: t("Close") });
    }
  }

  async function history_() {
    arranger?.settle();
    const rows = el("ul.versions", { id: "board-versions" });
    const more = el("button.button", { type: "button", hidden: true }, t("Earlier versions"));
    let before = 0;
    const page_ = async () => {
      try {
        const { versions, next } = await boards.history(id, before);
        rows.append(...versions.map((one) => version(one)));
        before = next;
        more.hidden = next === null;
        if (rows.childElementCount === 0 && next === null) rows.append(el("li.note", {}, t("There are no versions.")));
      } catch (failure) {
        rows.append(el("li.wrong", {}, failure.message));
      }
    };
    const version = (one) => el("li", { "data-version": one.seq },
      el("span", {}, el("b", {}, one.state === "removed" ? t("removed") : one.title), el("small", {}, [one.author, `${day(one.at)} ${clock(one.at)}`].filter(Boolean).join(" · "))),
      one.seq === saved?.seq ? el("span.tag", {}, t("this one")) : null,
      one.state === "removed" || one.seq === saved?.seq ? null : el("button.button.small", {
        type: "button",
        onclick(event) {
          event.target.closest("dialog").dispatchEvent(new Event("cancel", { cancelable: true }));
          look(one.seq);
        },
      }, t("Look at it")));
    more.addEventListener("click", page_);
    await page_();
    if (!left) await dialog({ title: t("Versions"), content: [rows, more], cancel: t("Close"), wide: true });
  }

  async function look(seq) {
    try {
      const one = await boards.one(id, seq);
      if (left) return;
      preview = { ...one, panels: keyed(one.panels, panels()) };
      turned();
      notice.querySelector("button")?.focus();
    } catch (failure) {
      page.toast({ type: "error", title: t("That version cannot be shown"), more: failure.message });
    }
  }

  function back() {
    preview = null;
    turned();
    (draft ? name : actions.querySelector("button"))?.focus();
  }

  /** An old version saved again: what stands now becomes history, too. */
  async function restore(version) {
    try {
      const now = await boards.save(id, body(version), saved?.seq ?? null);
      drafts.delete(id);
      if (left) return;
      [draft, preview, theirs] = [null, null, null];
      take(now, version.panels);
      turned();
      page.toast({ type: "success", title: t("Version {seq} is restored", { seq: version.seq }) });
    } catch (failure) {
      page.toast({ type: "error", title: t("It was not restored"), more: failure.message });
    }
  }

  /** What is saved, as it was told: panels that stayed the same are not drawn anew. */
  function take(layout, before = saved?.panels ?? []) {
    saved = { ...layout, panels: keyed(layout.panels, before) };
  }

  /** Somebody saved it, or removed it: followed at once, unless it is being edited. */
  function follow(layout) {
    if (layout.id !== id || (saved && layout.seq <= saved.seq) || saving) return;
    if (draft) {
      theirs = layout;
      told();
    } else if (layout.state === "removed") {
      saved = null;
      missing(layout);
    } else {
      take(layout);
      if (preview) told();
      else turned();
    }
  }

  function missing(last) {
    turned();
    say(title, t("There is no dashboard {id}", { id }));
    grid.replaceChildren();
    empty.hidden = false;
    const words = last ? t("It was removed {when} by {author}. Its versions are still there.", { when: `${day(last.at)} ${clock(last.at)}`, author: last.author || t("somebody") }) : t("Nobody has saved one under this name.");
    empty.replaceChildren(el("p", {}, words), ...(last ? [el("button.button", { type: "button", onclick: history_ }, t("History"))] : []), el("a.button", { href: route.href({ view: "dashboards" }) }, t("All dashboards")));
  }

  async function load() {
    if ((draft || !id) && !(await ready())) return;
    if (!id) {
      const template = route.get("template");
      const begin = ({ TEMPLATES }) => {
        if (left || (draft && (!template || draft.template === template))) return;
        const made = (Object.hasOwn(TEMPLATES, template) ? TEMPLATES[template] : TEMPLATES.blank)();
        draft = Object.assign(new Draft({ ...made, panels: keyed(made.panels) }), { template });
      };
      if (!draft || (template && draft.template !== template)) await page.lazy(() => import("../templates.js"), begin)();
      if (left || !draft) return;
      drafts.set(id, draft);
      turned();
      name.focus();
      name.select();
      return;
    }
    try {
      const now = await boards.one(id);
      if (left) return;
      if (draft) {
        // An edit goes on where it was left; what was saved since is told.
        saved ??= { ...draft.base };
        if (now.seq > saved.seq) theirs = now;
        turned();
      } else if (!saved || now.seq > saved.seq) {
        take(now);
        turned();
      }
    } catch (failure) {
      if (left) return;
      if (gone(failure)) {
        const { versions: [last] } = await boards.history(id);
        if (!left && !draft) missing(last);
      } else if (!saved) {
        empty.hidden = false;
        empty.replaceChildren(el("p", {}, failure.message), el("button.button", { type: "button", onclick: load }, t("Try again")));
      }
    }
  }

  picker.addEventListener("change", () => route.go({ source: picker.value }));
  const press = (event) => {
    if (!draft || preview || !(event.ctrlKey || event.metaKey) || event.altKey || document.querySelector("dialog[open]")) return;
    // A field has an undo of its own.
    if (event.target.closest?.("input, textarea")) return;
    const key = event.key.toLowerCase();
    if (key === "z" || key === "y") step(key === "z" && !event.shiftKey);
    else if (key === "s") save();
    else return;
    event.preventDefault();
  };
  document.addEventListener("keydown", press);
  const warn = (event) => draft?.dirty && event.preventDefault();
  addEventListener("beforeunload", warn);
  const off = [
    keys.on("e", t("edit this dashboard"), () => !draft && saved && !saved.provisioned && !preview && !store.incident && edit()),
    store.on("layouts", ({ layout }) => follow(layout)), store.on("load", load), store.on("sources", () => sources(panels())),
  ];
  load();
  return () => {
    left = true;
    document.removeEventListener("keydown", press);
    removeEventListener("beforeunload", warn);
    arranger?.settle();
    board.leave();
    matches.stop();
    for (const one of off) one();
    root.replaceChildren();
  };
}

const listed = (text) => [...new Set(text.split(",").map((tag) => tag.trim()).filter(Boolean))];
