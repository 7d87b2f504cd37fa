// What the reader decides: how much time is shown, whether it moves, and in which light.

import { el, say } from "../dom.js";
import { before, BEFORE, called } from "../ghosts.js";
import { keep } from "../kept.js";
import { clock, day } from "../format.js";
import { t } from "../words.js";

// As the address has it → seconds, and what it is called.
export const RANGES = [
  ["5m", 300, "Last 5 min"], ["15m", 900, "Last 15 min"], ["1h", 3_600, "Last hour"], ["6h", 21_600, "Last 6 hours"],
  ["24h", 86_400, "Last 24 hours"], ["7d", 604_800, "Last 7 days"], ["30d", 2_592_000, "Last 30 days"],
];
const THEMES = { auto: "Theme: as the system", light: "Theme: light", dark: "Theme: dark" };
const STILL = "still";
const PICK = "pick";
const SAVE = "save";
const HERE = "here";
const ABREAST = "abreast";

export function mount(root, page) {
  const { store, span, keys } = page;
  const still = el("option", { value: STILL, hidden: true });
  const select = el("select.select", { id: "range", "aria-label": t("Time shown") },
    ...RANGES.map(([, seconds, label]) => el("option", { value: String(seconds) }, t(label))), still, el("option", { value: PICK }, t("Pick a time…")), el("option", { value: SAVE }, t("Save as incident…")));
  select.addEventListener("change", () => {
    const chosen = select.value;
    shown();
    if (chosen === PICK) pick();
    else if (chosen === SAVE) casefile();
    else span.last(Number(chosen));
  });
  // Against: another time under the one that is shown.
  const picked = el("option", { value: "", hidden: true });
  const against = el("select.select.wide", { id: "against", "aria-label": t("Compare with") },
    el("option", { value: "none" }, t("Compare")), ...BEFORE.map(([name, , label]) => el("option", { value: name }, t(label))), picked, el("option", { value: HERE }, t("The moment watched")), el("option", { value: ABREAST }, t("Side by side…")));
  against.addEventListener("change", () => {
    // What is watched now is what the present is compared with from here on.
    const { player } = page;
    if (against.value === ABREAST) {
      compared();
      page.abreast();
      return;
    }
    const shift_s = Math.round(store.present() - player.at);
    if (against.value === HERE) player.live();
    page.route.go({ against: against.value === "none" ? "" : against.value === HERE ? `${shift_s}s` : against.value });
  });
  const compared = () => {
    const asked = page.route.get("against");
    const shift_s = before(asked);
    const known = BEFORE.some(([name]) => name === asked);
    picked.hidden = shift_s === 0 || known;
    picked.value = asked;
    if (!picked.hidden) say(picked, called(shift_s));
    against.value = shift_s ? asked : "none";
    against.querySelector(`[value="${HERE}"]`).disabled = !page.player.past;
    page.tapes.against(shift_s);
  };
  page.route.on(compared);
  page.player.on(compared);
  const back = el("button.button.icon.wide", { type: "button", id: "undo", title: t("Back to what was shown (Backspace)"), "aria-label": t("Back to what was shown"), onclick: page.undo }, "↶");
  const shown = () => {
    const { from, to } = span.told();
    still.hidden = span.moving;
    if (!span.moving) say(still, day(from) === day(to) ? `${day(from)} ${clock(from)} – ${clock(to)}` : `${day(from)} ${clock(from)} – ${day(to)} ${clock(to)}`);
    select.value = span.moving ? String(span.seconds) : STILL;
    back.disabled = !span.changed;
    document.documentElement.dataset.span = span.moving ? "moving" : "still";
  };

  const toggle = el("button.button.icon", { type: "button", id: "realtime" });
  const switchOver = () => (["paused", "ended"].includes(store.link.state) ? page.resume() : page.pause());
  toggle.addEventListener("click", switchOver);
  const show = () => {
    const paused = store.link.state === "paused" || store.link.state === "ended";
    say(toggle, paused ? "▶" : "❚❚");
    toggle.setAttribute("aria-label", t(paused ? "Resume real time" : "Pause real time"));
    toggle.title = t(paused ? "Resume real time (P)" : "Pause real time (P)");
    toggle.setAttribute("aria-pressed", String(paused));
  };

  /** The look is kept, and worn from the first paint on (`theme.js`). */
  page.theme = (name) => wear("theme", name, name === "auto");
  page.density = (name) => wear("density", name, name === "comfortable");
  const turn = () => {
    const names = Object.keys(THEMES);
    const next = names[(names.indexOf(document.documentElement.dataset.theme ?? "auto") + 1) % names.length];
    page.theme(next);
    page.announce(t(THEMES[next]));
  };

  // Rare things come when they are asked for.
  const { lazy } = page;
  const pick = lazy(() => import("./picker.js"), (it) => it.open(page, RANGES));
  const casefile = lazy(() => import("./casefile.js"), (it) => it.open(page));
  /** Two moments side by side: `what` ({ at, source }) is one of them, the other is asked for. */
  page.abreast = (what) => lazy(() => import("./chooser.js"), (it) => it.open(page, what))();
  const actions = [
    ["abreast", t("Compare side by side"), "y", () => page.abreast()],
    ["refresh", t("Refresh all"), "u", () => page.refresh()],
    ["latest", t("Live metrics"), "m", lazy(() => import("./latest.js"), (it) => it.open(page))],
    ["performance", t("Performance"), "i", lazy(() => import("./server.js"), (it) => it.open(page))],
    ["csv", t("Export as CSV"), "e", lazy(() => import("./export.js"), (it) => it.save(page, "csv"))],
    ["casefile", t("Save as incident"), "z", casefile],
    ["json", t("Export as JSON"), "", lazy(() => import("./export.js"), (it) => it.save(page, "json"))],
  ];
  const settings = lazy(() => import("./settings.js"), (it) => it.open(page, actions));
  const gear = el("button.button.icon", { type: "button", id: "settings", title: t("Settings (S)"), "aria-label": t("Settings"), onclick: settings }, "⚙");

  root.append(back, select, against, toggle, gear);
  compared();
  show();
  shown();
  keys.on("p", t("pause, resume"), switchOver);
  keys.on("t", t("theme: system, light, dark"), turn);
  keys.on("r", t("time shown"), () => select.focus());
  keys.on("d", t("time shown, to the second"), pick);
  keys.on("s", t("settings"), settings);
  for (const [, label, key, run] of actions) if (key) keys.on(key, label.toLowerCase(), run);
  keys.on("Backspace", t("back to what was shown before"), page.undo);
  keys.on("0", t("back to live"), () => span.live());
  keys.on("+", t("closer"), () => span.zoom(0.5));
  keys.on("-", t("further away"), () => span.zoom(2));
  store.on("link", show);
  span.on(shown);
}

function wear(name, value, usual) {
  if (usual) delete document.documentElement.dataset[name];
  else document.documentElement.dataset[name] = value;
  keep(name, value);
}
