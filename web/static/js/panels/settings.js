// What a reader chooses once: zone, language, look, pace, and what the page can do for them now.

import { el, say } from "../dom.js";
import { clock, timeZone, zoneName } from "../format.js";
import { kept } from "../kept.js";
import { language, languages, t } from "../words.js";
import { desktop } from "./desktop.js";
import { sheet } from "./sheet.js";

const THEMES = { auto: "As the system", light: "Light", dark: "Dark" };
const DENSITIES = { comfortable: "Comfortable", compact: "Compact" };
// Milliseconds between two looks, and what that is called.
const PACES = { 0: "Every second", 2000: "Every 2 seconds", 5000: "Every 5 seconds", 10000: "Every 10 seconds" };

/** `actions`: [[id, label, key, run]], what the page can do. */
export function open(page, actions) {
  const { store } = page;
  sheet("settings-sheet", t("Settings"), (body, close) => {
    const choice = (id, label, options, value, run, why = "") => {
      const select = el("select.select", { id, onchange: () => run(select.value) }, ...options);
      select.value = value;
      const note = el("span.note", {}, why);
      return { select, note, row: el("label.setting", {}, el("span", {}, label), select, note) };
    };
    const plain = (all) => Object.entries(all).map(([value, words]) => el("option", { value }, t(words)));

    const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const server = store.now_view.sources.get(store.now_view.source)?.facts?.time_zone;
    const zones = [
      el("option", { value: "" }, t("This browser: {zone}", { zone: own })), el("option", { value: "UTC" }, "UTC"),
      server && server !== "UTC" ? el("option", { value: server }, t("The server: {zone}", { zone: server })) : null,
      el("optgroup", { label: t("All zones") }, ...Intl.supportedValuesOf("timeZone").filter((name) => name !== server).map((name) => el("option", { value: name }, name))),
    ].filter(Boolean);
    // A link may name one by another of its names.
    if (!zones.some((one) => one.value === timeZone()) && !Intl.supportedValuesOf("timeZone").includes(timeZone())) zones.push(el("option", { value: timeZone() }, timeZone()));
    const told = () => `${clock(store.now())} ${zoneName(store.now())}`;
    const zone = choice("zone", t("Time zone"), zones, timeZone(), (value) => {
      page.zone(value);
      say(zone.note, told());
    }, told());
    const tongue = choice("language", t("Language"), languages().map(([value, name]) => el("option", { value }, name)), language(), (value) => page.speak(value));
    const theme = choice("theme-choice", t("Theme"), plain(THEMES), document.documentElement.dataset.theme ?? "auto", (value) => page.theme(value));
    const density = choice("density", t("Density"), plain(DENSITIES), document.documentElement.dataset.density ?? "comfortable", (value) => page.density(value));
    const pace = choice("pace", t("Update"), plain(PACES), kept("pace") || "0", (value) => page.pace(Number(value)),
      t("Every reading is received and none is lost; this says how often the page shows them. Alerts and messages come at once."));

    const word = desktop("button.button.small");

    body.append(
      el("div.settings-list", {}, zone.row, tongue.row, theme.row, density.row, pace.row, el("div.setting", {}, el("span", {}, t("Notifications")), word.button, word.about)),
      el("div.quick", { role: "group", "aria-label": t("Do now") }, ...actions.map(([id, label, key, run]) => el("button.button", { type: "button", id: `do-${id}`, onclick: () => {
        close();
        run();
      } }, label, " ", key ? el("kbd", {}, key.toUpperCase()) : null))),
    );
    const timer = setInterval(() => say(zone.note, told()), 1000);
    return () => clearInterval(timer);
  });
}
