// What just happened, in the corner: info 5 s, alerts 10 s, errors until dismissed. Always text, never markup.

import { el, severity } from "../dom.js";
import { text } from "../format.js";
import { t } from "../words.js";

export const MARKS = { info: "●", success: "✔", warning: "◆", error: "▲" };

const STAY_MS = { info: 5_000, success: 5_000, warning: 10_000, alert: 10_000, error: 0 };
const MOST = 4;
const MOST_ON_A_PHONE = 2;
const LEAVE_MS = 150;

export function mount(root, store) {
  const off = [
    // Whoever watches the past hears of the present, and of nothing else.
    store.on("news", (message) => told(message, store.past ? (title) => t("Now: {title}", { title }) : undefined)),
  ];
  const told = ({ type, notification, alert }, now = (title) => title) => {
    if (type === "notification") {
      const { title, message } = notification;
      show(root, { type: notification.type, title: now(title || message), more: title ? message : "" });
    }
    if (type === "alert") {
      const over = alert.state === "resolved";
      show(root, {
        type: "alert", level: over ? "fine" : alert.severity,
        title: now(over ? t("Resolved: {message}", { message: alert.message }) : alert.message),
        more: `${t("{value} against {limit}", { value: text(alert.unit, alert.value), limit: text(alert.unit, alert.threshold) })} · ${alert.source}`,
      });
    }
  };
  return () => off.forEach((one) => one());
}

/** { type, title, more?, level?, action?: { label, run } } */
export function show(root, { type, title, more = "", level, action }) {
  const shape = level ? el("span.severity") : el("span.mark", { "data-type": type, role: "img", "aria-label": type }, MARKS[type] ?? MARKS.info);
  if (level) severity(shape, level);
  const close = el("button.close", { type: "button", "aria-label": t("Dismiss") }, "✕");
  const toast = el("div.toast", { "data-type": type, "data-level": level }, shape, el("p.what", {}, title), close, more ? el("p.more", {}, more) : null);
  if (action) toast.append(el("button.button.small.more", { type: "button", onclick: action.run }, action.label));
  const stay_ms = action ? 0 : STAY_MS[type] ?? STAY_MS.info;
  toast.classList.toggle("stays", stay_ms === 0);
  let timer = 0;
  const leave = () => {
    clearTimeout(timer);
    toast.classList.add("leaving");
    setTimeout(() => toast.remove(), LEAVE_MS);
  };
  const count = () => {
    if (stay_ms) timer = setTimeout(leave, stay_ms);
  };
  close.addEventListener("click", leave);
  // Nobody should have to read against the clock.
  toast.addEventListener("pointerenter", () => clearTimeout(timer));
  toast.addEventListener("pointerleave", count);
  toast.addEventListener("focusin", () => clearTimeout(timer));
  toast.addEventListener("focusout", count);
  count();
  root.append(toast);
  // After a long absence many arrive at once: the list below keeps them all. What waits for the reader is never pushed out by what does not.
  const most = matchMedia("(max-width: 640px)").matches ? MOST_ON_A_PHONE : MOST;
  const passing = [...root.children].filter((one) => !one.matches(".stays"));
  for (const one of passing.slice(0, Math.max(0, passing.length - most))) one.remove();
  // More than fit on the screen: the newest is in sight.
  root.scrollTop = root.scrollHeight;
}
