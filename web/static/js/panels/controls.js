// What the reader decides: how much time is shown, whether it moves, and in which light.

import { el, say } from "../dom.js";
import { keep } from "../kept.js";
import { clock, day } from "../format.js";
import { t } from "../words.js";

// As the address has it → seconds, and what it is called.
export const RANGES = [
  ["5m", 300, "Last 5 min"], ["15m", 900, "Last 15 min"], ["1h", 3_600, "Last hour"], ["6h", 21_600, "Last 6 hours"],
  ["24h", 86_400, "Last 24 hours"], ["7d", 604_800, "Last 7 days"], ["30d", 2_592_000, "Last 30 days"],
];
const THEMES = { auto: ["◐", "Theme: as the system"], light: ["☀", "Theme: light"], dark: ["☾", "Theme: dark"] };
const STILL = "still";

export function mount(root, page) {
  const { store, span, keys } = page;
  const still = el("option", { value: STILL, hidden: true });
  const select = el("select.select", { id: "range", "aria-label": t("Time shown") },
    ...RANGES.map(([, seconds, label]) => el("option", { value: String(seconds) }, t(label))), still);
  select.addEventListener("change", () => span.last(Number(select.value)));
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

  const theme = el("button.button.icon.wide", { type: "button", id: "theme" });
  const light = () => document.documentElement.dataset.theme ?? "auto";
  const label = () => {
    const [shape, words] = THEMES[light()];
    say(theme, shape);
    theme.setAttribute("aria-label", t(words));
    theme.title = `${t(words)} (T)`;
  };
  const turn = () => {
    const names = Object.keys(THEMES);
    const next = names[(names.indexOf(light()) + 1) % names.length];
    if (next === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    keep("theme", next);
    label();
  };
  theme.addEventListener("click", turn);

  root.append(back, select, toggle, theme);
  show();
  shown();
  label();
  keys.on("p", t("pause, resume"), switchOver);
  keys.on("t", t("theme: system, light, dark"), turn);
  keys.on("r", t("time shown"), () => select.focus());
  keys.on("Backspace", t("back to what was shown before"), page.undo);
  keys.on("0", t("back to live"), () => span.live());
  keys.on("+", t("closer"), () => span.zoom(0.5));
  keys.on("-", t("further away"), () => span.zoom(2));
  store.on("link", show);
  span.on(shown);
}
