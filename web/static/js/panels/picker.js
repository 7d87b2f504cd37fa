// Which time is shown, to the second: from and to in the zone of the page, or one of the stretches people ask for.

import { el, say } from "../dom.js";
import { date, clock, duration, timeZone, zoneName } from "../format.js";
import { t } from "../words.js";
import { meant, midnight, written } from "../zones.js";
import { sheet } from "./sheet.js";

const LATER_S = 5;

/** `ranges` as controls.js has them. */
export function open(page, ranges) {
  const { span, store } = page;
  const zone = timeZone();
  sheet("picker", t("Time shown"), (body, close) => {
    const { from, to } = span.shown();
    const field = (name, label, at) => el("input.input", { type: "datetime-local", step: "1", id: `picker-${name}`, value: written(at, zone), required: true, "aria-label": label });
    const [first, last] = [field("from", t("From"), from), field("to", t("To"), to)];
    const words = el("p.note", { id: "picker-words", "aria-live": "polite" });
    const show = el("button.button.first", { type: "submit" }, t("Show"));

    const read = () => ({ from: meant(first.value, zone), to: meant(last.value, zone) });
    const check = () => {
      const { from: begin, to: end } = read();
      const now = store.now();
      const wrong = Number.isNaN(begin) ? t("From is no date and time.")
        : Number.isNaN(end) ? t("To is no date and time.")
          : begin >= end ? t("From is not before To.")
            : begin > now ? t("That has not happened yet.") : "";
      first.setCustomValidity(begin >= end || begin > now || Number.isNaN(begin) ? wrong : "");
      last.setCustomValidity(Number.isNaN(end) ? wrong : "");
      show.disabled = wrong !== "";
      body.dataset.valid = String(wrong === "");
      say(words, wrong || [
        t("{time} long.", { time: duration(end - begin) }),
        end > now + LATER_S ? t("It ends in the future: shown is up to now.") : "",
        end < store.since ? t("The record begins later, on {day}: there is nothing to show.", { day: `${date(store.since)} ${clock(store.since)}` })
          : begin < store.since ? t("The record begins on {day}.", { day: `${date(store.since)} ${clock(store.since)}` }) : "",
      ].filter(Boolean).join(" "));
    };
    const quick = (label, run) => el("button.button.small", { type: "button", onclick: () => {
      run();
      close();
    } }, label);
    const whole = (days, end) => () => span.fix(midnight(store.now(), zone, days), end());
    const form = el("form.form", { onsubmit: (event) => {
      event.preventDefault();
      const { from: begin, to: end } = read();
      span.fix(begin, Math.min(end, store.now()));
      close();
    } },
    el("div.fields", {}, el("label", {}, t("From"), first), el("label", {}, t("To"), last)),
    words,
    el("p.note", {}, t("Times are in {zone}.", { zone: zone || [...new Set([Intl.DateTimeFormat().resolvedOptions().timeZone, zoneName(store.now())])].join(", ") })),
    el("div.quick", { role: "group", "aria-label": t("Up to now") }, ...ranges.map(([, seconds, label]) => quick(t(label), () => span.last(seconds)))),
    el("div.quick", { role: "group", "aria-label": t("Days") },
      quick(t("Today"), whole(0, () => store.now())), quick(t("Yesterday"), whole(-1, () => midnight(store.now(), zone))), quick(t("Last 2 days"), whole(-1, () => store.now()))),
    el("div.actions", {}, show));
    for (const one of [first, last]) one.addEventListener("input", check);
    check();
    body.append(form);
  });
}
