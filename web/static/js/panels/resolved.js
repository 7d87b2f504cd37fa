// Alerts that are over, newest first, as the log tells them.

import { el, say } from "../dom.js";
import { ago, duration } from "../format.js";
import { t } from "../words.js";
import { message, micro } from "../wire.js";
import { entry } from "./alerts.js";

const PAGE = 100;
// Entries asked for at once; the log is looked through for so many pages, and then the reader decides.
const MORE = 12;
const LOOKED = 5;
const MOST = 300;
const MOVED_MS = 500;

export function mount(root, page, wanted = () => true) {
  const { store, ask } = page;
  const list = el("ul.entries");
  const none = el("p.empty-line", { hidden: true });
  const aside = el("span.aside");
  const further = el("button.button.small", { type: "button", hidden: true, onclick: () => look() }, t("Further back"));
  root.append(el("header", {}, el("h2", { id: "resolved-title" }, t("Resolved")), aside), list, none, further);
  const entries = [];
  let before = null;
  let ended = false;
  let looking = false;
  let turn = 0;

  const shown = () => entries.length;
  const tell = (why = "") => {
    say(aside, shown() ? String(shown()) : "");
    none.hidden = shown() > 0 && !why;
    say(none, why || (ended ? t("No alert that is over is in the log.") : t("None as far as was looked.")));
    further.hidden = ended || shown() >= MOST;
  };
  const put = (alert, first) => {
    const one = entry(page, alert);
    say(one.when, ago(store.now() - alert.at));
    one.at = alert.at;
    one.item.querySelector(".more").prepend(`${t("was on for {time}", { time: duration(alert.at - alert.since) })} · `);
    if (first) {
      list.prepend(one.item);
      entries.unshift(one);
    } else {
      list.append(one.item);
      entries.push(one);
    }
  };

  /** The next ones back in time; a busy filter ends the search before the log does. */
  const look = async () => {
    if (looking || ended) return;
    looking = further.disabled = true;
    const mine = turn;
    try {
      const until = shown() + MORE;
      for (let pages = 0; pages < LOOKED && shown() < until && !ended; pages += 1) {
        const asked = new URLSearchParams({ type: "alert", order: "newest", limit: String(PAGE) });
        // What ended after the moment that is watched has not ended yet.
        if (store.past) asked.set("to", micro(store.playhead));
        if (before !== null) asked.set("before", String(before));
        const { events, next } = await ask(`/api/realtime/events?${asked}`);
        if (mine !== turn) return;
        for (const { seq, at, type, source, data } of events) {
          if (type !== "alert") continue;
          const { alert } = message("alert", { ...data, seq, at, source });
          if (alert.state === "resolved" && wanted(alert)) put(alert, false);
          before = seq;
          // Where this look stops, the next goes on.
          if (shown() >= until) break;
        }
        if (shown() < until) {
          ended = next === null;
          before = next ?? before;
        }
      }
      tell();
    } catch (failure) {
      tell(failure.message);
    } finally {
      looking = further.disabled = false;
    }
  };

  const clear = () => {
    for (const one of entries.splice(0)) one.leave();
    list.replaceChildren();
  };
  const again = () => {
    turn += 1;
    looking = false;
    before = null;
    ended = false;
    clear();
    look();
  };
  again();
  let timer = 0;
  const off = store.on("alerts", (heard) => {
    // Another moment is watched, or now again.
    if (heard.type === "past" || heard.type === "now") {
      clearTimeout(timer);
      timer = setTimeout(again, MOVED_MS);
    }
    if (heard.type !== "alert" || heard.alert.state !== "resolved" || !wanted(heard.alert)) return;
    put(heard.alert, true);
    if (shown() > MOST) entries.pop().leave();
    tell();
  });
  const minutely = setInterval(() => {
    for (const { when, at } of entries) say(when, ago(store.now() - at));
  }, 60_000);
  const leave = () => {
    turn += 1;
    clearTimeout(timer);
    off();
    clearInterval(minutely);
    clear();
    root.replaceChildren();
  };
  return Object.assign(leave, { ask: again });
}
