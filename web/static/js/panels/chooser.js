// Which two moments stand side by side: one is given, the other is chosen.

import { offset, told } from "../beside.js";
import { el, say } from "../dom.js";
import { clock, date, duration, timeZone } from "../format.js";
import { BEFORE } from "../ghosts.js";
import { micro } from "../wire.js";
import { t } from "../words.js";
import { meant, written } from "../zones.js";
import { sheet } from "./sheet.js";

// What is newer than this is not on the tape for certain (seconds).
const NEAR_S = 1;

const when = (at) => `${date(at)} ${clock(at)}`;

/** The moment that is looked at: the playhead, the end of a stretch that stands, or the newest there is. */
function looked({ player, span, store }) {
  if (player.past) return player.at;
  return Math.min(span.moving ? Infinity : span.shown().to, store.present() - NEAR_S);
}

/** Asks what `at` (epoch s; the moment that is looked at where it is left out) of `source` is to stand beside, and shows both. */
export function open(page, { at = looked(page), source = page.source } = {}) {
  const { store, reel, route } = page;
  const zone = timeZone();
  sheet("chooser", t("Compare side by side"), (body, close) => {
    const go = (shift_s) => {
      close();
      // Whoever leaves is where they were.
      if (page.view !== "compare") page.came = { href: route.href({}), view: page.view };
      route.go({ view: "compare", source: source === store.now_view.source && !route.get("source") ? "" : source, at: micro(at), beside: told(shift_s, BEFORE), against: "", play: "" });
    };
    const choices = BEFORE.map(([, seconds, label]) => {
      const said = el("span");
      return { seconds, said, button: el("button.choice", { type: "button", onclick: () => go(seconds) }, el("b", {}, t(label)), said) };
    });
    /** As far as it is known when the tape begins. */
    const offer = () => {
      for (const { seconds, said, button } of choices) {
        button.disabled = at - seconds < reel.begins;
        say(said, button.disabled ? t("before the tape began") : when(at - seconds));
      }
    };
    const asked = offset(route.get("beside"));
    const field = el("input.input", { type: "datetime-local", step: "1", id: "chooser-at", required: true, value: written(asked ? at - asked : Math.max(at - 900, reel.begins || 0), zone) });
    const words = el("p.note", { id: "chooser-words", "aria-live": "polite" });
    const show = el("button.button.first", { type: "submit" }, t("Compare"));
    const check = () => {
      const there = meant(field.value, zone);
      const apart_s = at - there;
      const wrong = Number.isNaN(there) ? t("That is no date and time.")
        : there > store.present() ? t("That has not happened yet.")
          : there < reel.begins - 1 ? t("The tape begins later, on {day}.", { day: when(reel.begins) })
            : Math.abs(apart_s) < 1 ? t("That is the same moment.") : "";
      field.setCustomValidity(wrong);
      show.disabled = wrong !== "";
      body.dataset.valid = String(wrong === "");
      say(words, wrong || (apart_s > 0 ? t("{time} before A", { time: duration(apart_s) }) : t("{time} after A", { time: duration(-apart_s) })));
      return wrong ? NaN : apart_s;
    };
    field.addEventListener("input", check);
    body.append(
      el("p.chosen", {}, el("span.side", { "data-side": "A" }, "A"), el("b", {}, when(at)), el("span.note", {}, source)),
      el("p.chosen", {}, el("span.side", { "data-side": "B" }, "B"), t("the other moment")),
      el("div.choice-list", {}, ...choices.map(({ button }) => button)),
      el("form.form", { onsubmit: (event) => {
        event.preventDefault();
        const shift_s = check();
        if (!Number.isNaN(shift_s)) go(shift_s);
      } }, el("label.picked", { for: "chooser-at" }, t("A picked moment"), field), words, el("div.actions", {}, show)));
    offer();
    check();
    return reel.on(() => {
      offer();
      check();
    });
  });
}
