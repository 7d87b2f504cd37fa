// What the reader decides: how much time is shown, whether it moves, and in which light.

import { el, say } from "../dom.js";

export const RANGES = [
  [5 / 60, "Last 5 min"], [0.25, "Last 15 min"], [1, "Last hour"], [6, "Last 6 hours"], [24, "Last 24 hours"],
];
const THEMES = { auto: ["◐", "Theme: as the system"], light: ["☀", "Theme: light"], dark: ["☾", "Theme: dark"] };

export function mount(root, store, { range, setRange, pause, resume, keys }) {
  const select = el("select.select", { id: "range", "aria-label": "Time shown" },
    ...RANGES.map(([hours, label]) => el("option", { value: String(hours), selected: hours === range }, label)));
  select.addEventListener("change", () => setRange(Number(select.value)));

  const toggle = el("button.button.icon", { type: "button", id: "realtime" });
  const switchOver = () => (["paused", "ended"].includes(store.link.state) ? resume() : pause());
  toggle.addEventListener("click", switchOver);
  const show = () => {
    const still = store.link.state === "paused" || store.link.state === "ended";
    say(toggle, still ? "▶" : "❚❚");
    toggle.setAttribute("aria-label", still ? "Resume real time" : "Pause real time");
    toggle.title = still ? "Resume real time (P)" : "Pause real time (P)";
    toggle.setAttribute("aria-pressed", String(still));
  };

  const theme = el("button.button.icon.wide", { type: "button", id: "theme" });
  const light = () => document.documentElement.dataset.theme ?? "auto";
  const label = () => {
    const [shape, words] = THEMES[light()];
    say(theme, shape);
    theme.setAttribute("aria-label", words);
    theme.title = `${words} (T)`;
  };
  const turn = () => {
    const names = Object.keys(THEMES);
    const next = names[(names.indexOf(light()) + 1) % names.length];
    if (next === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    try {
      localStorage.setItem("playhead.theme", next);
    } catch {
      // Storage may be forbidden: the choice then lasts as long as the page.
    }
    label();
  };
  theme.addEventListener("click", turn);

  root.append(select, toggle, theme);
  show();
  label();

  const stop_sheet = sheet(keys);
  const BY_KEY = {
    p: switchOver, t: turn, "?": () => (keys.open ? keys.close() : keys.showModal()),
    r: () => select.focus(), a: () => visit("alerts"), n: () => visit("notifications"), g: () => visit("overview"),
  };
  const press = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, textarea, select")) return;
    const run = BY_KEY[event.key];
    if (run === undefined) return;
    event.preventDefault();
    run();
  };
  document.addEventListener("keydown", press);
  const off = store.on("link", show);
  return () => {
    off();
    stop_sheet();
    document.removeEventListener("keydown", press);
  };
}

/** To a section, with the focus: the next Tab goes on from there, and a screen reader says where it is. */
function visit(id) {
  location.assign(`#${id}`);
  document.getElementById(id).focus({ preventScroll: true });
}

const KEYS = [
  ["P", "pause, resume"], ["T", "theme: system, light, dark"], ["R", "time shown"], ["G", "to the top"], ["A", "alerts"], ["N", "notifications"], ["?", "this sheet"],
];

function sheet(dialog) {
  const close = el("button.button", { type: "button", onclick: () => dialog.close() }, "Close");
  dialog.append(el("h2", { id: "keys-title" }, "Keys"),
    el("dl", {}, ...KEYS.flatMap(([key, words]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, words)])), close);
  const opener = document.getElementById("open-keys");
  const open = () => dialog.showModal();
  opener.addEventListener("click", open);
  return () => opener.removeEventListener("click", open);
}
