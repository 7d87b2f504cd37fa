// What is the matter, what was, what is watched, and what was said about it.

import { el } from "../dom.js";
import { clock } from "../format.js";
import * as alerts from "../panels/alerts.js";
import { desktop } from "../panels/desktop.js";
import * as marks from "../panels/marks.js";
import * as notifications from "../panels/notifications.js";
import * as resolved from "../panels/resolved.js";
import * as watched from "../panels/watched.js";
import { t } from "../words.js";

const TEST_S = 5;
const SEVERITIES = { "": "Any severity", critical: "Critical", warning: "Warning" };

export function mount(root, page) {
  const { store, route } = page;
  const card = (id, title) => el("section.card", { id, tabindex: "-1", "aria-labelledby": title });
  const [open, said, over, watch, noted] = [card("alerts", "alerts-title"), card("notifications", "notifications-title"), card("resolved", "resolved-title"), card("watched", "watched-title"), card("marks", "marks-title")];

  const severity = el("select.select", { id: "severity", "aria-label": t("Severity"), onchange: () => route.go({ severity: severity.value }, true) },
    ...Object.entries(SEVERITIES).map(([value, words]) => el("option", { value }, t(words))));
  const source = el("select.select", { id: "of-source", "aria-label": t("Source"), onchange: () => route.go({ of: source.value }, true) });
  const check = el("button.button", { type: "button", id: "check-alerts", onclick: () => busy(check, () => look(page)) }, t("Check alerts"));
  const test = el("button.button", { type: "button", id: "test-alert", "data-writes": "", onclick: () => busy(test, () => tryOne(page)) }, t("Test alert"));
  const sources = () => {
    const names = [...store.view.sources.keys()].sort();
    if (names.join("\n") === source.dataset.names) return;
    source.dataset.names = names.join("\n");
    source.replaceChildren(el("option", { value: "" }, t("Any source")), ...names.map((name) => el("option", { value: name }, name)));
    filter();
  };
  const filter = () => {
    severity.value = Object.hasOwn(SEVERITIES, route.get("severity")) ? route.get("severity") : "";
    source.value = route.get("of");
  };
  sources();

  // What cannot be chosen filters nothing.
  const wanted = (one) => (!severity.value || one.severity === severity.value) && (!source.value || one.source === source.value);
  root.append(
    el("div.head", {}, el("h1", {}, t("Alerts and notifications")), el("div.tools", {}, severity, source, check, test, desktop().button)),
    el("div.pair", {}, open, said), el("div.pair", {}, watch, over),
    noted,
  );
  const panels = [alerts.mount(open, page, wanted), watched.mount(watch, page, wanted), resolved.mount(over, page, wanted)];
  const talk = notifications.mount(said, page);
  const leave_marks = marks.mount(noted, page);
  const off = [
    store.on("sources", sources),
    route.on((_, before) => {
      if ((before.get("severity") ?? "") === route.get("severity") && (before.get("of") ?? "") === route.get("of")) return;
      filter();
      for (const one of panels) one.ask();
    }),
    page.keys.on("c", t("check the alerts"), () => check.click()),
  ];
  return () => {
    for (const one of [...panels, talk, leave_marks, ...off]) one();
    root.replaceChildren();
  };
}

async function busy(button, run) {
  button.disabled = true;
  await run();
  button.disabled = false;
}

/** Asks the server itself, whatever the page believes, and says what it found. */
async function look({ ask, store, toast }) {
  try {
    const { alerts: open, rules } = await ask("/api/realtime/alerts");
    // Asked of the server, which answers of now, whatever moment is watched.
    const when = clock(store.present());
    toast(open.length
      ? { type: "warning", title: t("{n} firing at {when}", { n: open.length, when }), more: open.map(({ message, source }) => `${message} · ${source}`).join("\n") }
      : { type: "success", title: t("Nothing is firing at {when}", { when }), more: t("{n} rules on {sources} sources.", { n: rules.length, sources: store.view.sources.size }) });
  } catch (failure) {
    toast({ type: "error", title: t("The alerts could not be checked"), more: failure.message });
  }
}

/** The toasts of its firing and its end come by the same way as any other alert's. */
async function tryOne({ ask, toast }) {
  try {
    await ask(`/api/realtime/alerts/test?seconds=${TEST_S}`, { method: "POST", late_ms: 2_000 * TEST_S });
  } catch (failure) {
    toast({ type: "error", title: t("The alert was not tested"), more: failure.message });
  }
}
