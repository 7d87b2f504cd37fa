// Messages for people, newest first; the bell counts those not looked at yet.

import { el, say } from "../dom.js";
import { ago, clock, day } from "../format.js";
import { painter } from "../paint.js";

export const MARKS = { info: "●", success: "✔", warning: "◆", error: "▲" };
const SEEN = "playhead.seen";

export function mount(root, store, { test, bell, rail }) {
  const list = el("ul.entries");
  const none = el("p.empty-line", { hidden: true }, "No messages yet. Applications send them to POST /api/realtime/notifications.");
  const button = el("button.button.small", { type: "button", id: "test-notification" }, "Send a test");
  button.addEventListener("click", async () => {
    button.disabled = true;
    await test();
    button.disabled = false;
  });
  root.append(el("header", {}, el("h2", { id: "notifications-title" }, "Notifications"), el("span.end", {}, button)), list, none);
  const count = el("span.count");
  bell.append(glyph(), count);

  // The newest seq looked at, in this epoch; a reader's own business, so it stays in the browser.
  let seen = stored();
  const look = () => {
    const newest = store.view.notifications[0];
    if (newest === undefined) return;
    seen = newest.cursor;
    try {
      localStorage.setItem(SEEN, seen);
    } catch {
      // Storage may be forbidden: the bell then counts anew on the next visit.
    }
    tell();
  };
  const tell = () => {
    const { notifications } = store.view;
    const [epoch, seq] = split(seen);
    const fresh = notifications.filter(({ cursor }) => {
      const [its, at] = split(cursor);
      return its !== epoch || at > seq;
    }).length;
    say(count, fresh ? String(fresh) : "");
    say(rail, fresh ? String(fresh) : "");
    bell.classList.toggle("icon", fresh === 0);
    bell.setAttribute("aria-label", fresh ? `Notifications, ${fresh} new` : "Notifications");
    bell.dataset.count = String(fresh);
  };

  const draw = () => {
    const { view } = store;
    if (!view.ready) return;
    list.replaceChildren(...view.notifications.map((one) => entry(one, store.now())));
    none.hidden = view.notifications.length > 0;
  };

  const { ask, stop } = painter(root, draw);
  const off = [store.on("notifications", () => {
    tell();
    ask();
  })];
  const minutely = setInterval(ask, 60_000);
  bell.addEventListener("click", look);
  // Looked at: half of the panel has been on screen for a moment.
  let timer = 0;
  const watch = new IntersectionObserver((entries) => {
    clearTimeout(timer);
    if (entries.at(-1).isIntersecting) timer = setTimeout(look, 1500);
  }, { threshold: 0.5 });
  watch.observe(root);
  return () => {
    stop();
    clearInterval(minutely);
    clearTimeout(timer);
    watch.disconnect();
    bell.removeEventListener("click", look);
    for (const one of off) one();
  };
}

function entry({ id, type, title, message, at, source }, now) {
  return el("li", { "data-id": id },
    el("span.mark", { "data-type": type, role: "img", "aria-label": type }, MARKS[type] ?? MARKS.info),
    el("span.what", {}, title || message),
    el("time.when", { datetime: new Date(at * 1000).toISOString(), title: `${day(at)} ${clock(at)}` }, ago(now - at)),
    el("p.more", {}, [title ? message : "", source].filter(Boolean).join(" · ")));
}

function stored() {
  try {
    return localStorage.getItem(SEEN) ?? "";
  } catch {
    return "";
  }
}

function split(cursor) {
  const colon = cursor.lastIndexOf(":");
  return [cursor.slice(0, colon), Number(cursor.slice(colon + 1))];
}

function glyph() {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "glyph");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", "M5 13V9a5 5 0 0110 0v4l1.5 2h-13zM8.5 17h3");
  svg.append(path);
  return svg;
}
