// Messages for people, newest first.

import { el, say } from "../dom.js";
import { ago, clock, day } from "../format.js";
import { painter } from "../paint.js";
import { t } from "../words.js";
import { MARKS } from "./toasts.js";

export function mount(root, { store, test, bell }) {
  const list = el("ul.entries");
  const none = el("p.empty-line", { hidden: true }, t("No messages yet. Applications send them to POST /api/realtime/notifications."));
  const button = el("button.button.small", { type: "button", id: "test-notification", "data-writes": "" }, t("Send a test"));
  button.addEventListener("click", async () => {
    button.disabled = true;
    await test();
    button.disabled = false;
  });
  root.append(el("header", {}, el("h2", { id: "notifications-title" }, t("Notifications")), el("span.end", {}, button)), list, none);
  const draw = () => {
    const { view } = store;
    if (!view.ready) return;
    list.replaceChildren(...view.notifications.map((one) => entry(one, store.now())));
    none.hidden = view.notifications.length > 0;
  };

  const { ask, stop } = painter(root, draw);
  const off = store.on("notifications", ask);
  ask();
  const minutely = setInterval(ask, 60_000);
  // Looked at: half of the panel has been on screen for a moment.
  let timer = 0;
  const watch = new IntersectionObserver((entries) => {
    clearTimeout(timer);
    if (entries.at(-1).isIntersecting) timer = setTimeout(() => bell.look(), 1500);
  }, { threshold: 0.5 });
  watch.observe(root);
  return () => {
    stop();
    clearInterval(minutely);
    clearTimeout(timer);
    watch.disconnect();
    off();
    root.replaceChildren();
  };
}

function entry({ id, type, title, message, at, source }, now) {
  return el("li", { "data-id": id },
    el("span.mark", { "data-type": type, role: "img", "aria-label": type }, MARKS[type] ?? MARKS.info),
    el("span.what", {}, title || message),
    el("time.when", { datetime: new Date(at * 1000).toISOString(), title: `${day(at)} ${clock(at)}` }, ago(now - at)),
    el("p.more", {}, [title ? message : "", source].filter(Boolean).join(" · ")));
}
