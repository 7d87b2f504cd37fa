// How many messages nobody has looked at yet, in the bar and in the rail.

import { say } from "../dom.js";
import { keep, kept } from "../kept.js";
import { t } from "../words.js";

const SEEN = "seen";

/** → { look(), unseen(view) }: what there is now has been looked at; how many of a view have not. `changed` when that did. */
export function mount({ bell, count, rail, changed = () => {} }, store) {
  // The newest seq looked at, in this epoch; a reader's own business, so it stays in the browser.
  let seen = kept(SEEN);
  const unseen = ({ notifications }) => {
    const [epoch, seq] = split(seen);
    return notifications.filter(({ cursor }) => {
      const [its, at] = split(cursor);
      return its !== epoch || at > seq;
    }).length;
  };
  const tell = () => {
    const fresh = unseen(store.now_view);
    say(count, fresh ? String(fresh) : "");
    say(rail, fresh ? String(fresh) : "");
    bell.classList.toggle("icon", fresh === 0);
    bell.setAttribute("aria-label", fresh ? t("Notifications, {n} new", { n: fresh }) : t("Notifications"));
    bell.dataset.count = String(fresh);
    changed();
  };
  const look = () => {
    const newest = store.now_view.notifications[0];
    if (newest === undefined) return;
    seen = newest.cursor;
    keep(SEEN, seen);
    tell();
  };
  bell.addEventListener("click", look);
  store.on("notifications", tell);
  store.on("news", tell);
  return { look, unseen };
}

function split(cursor) {
  const colon = cursor.lastIndexOf(":");
  return [cursor.slice(0, colon), Number(cursor.slice(colon + 1))];
}
