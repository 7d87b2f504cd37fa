// A stretch of the tape as one file to take away: title, from, to; the server writes it, and its progress is told.

import { refusal } from "../api.js";
import { el, say } from "../dom.js";
import { duration, text, timeZone } from "../format.js";
import { given } from "../saved.js";
import { t } from "../words.js";
import { micro } from "../wire.js";
import { meant, written } from "../zones.js";
import { sheet } from "./sheet.js";

const MOST_TITLE = 200;

export function open(page) {
  const { span, store } = page;
  const zone = timeZone();
  sheet("casefile", t("Save as incident"), (body) => {
    const now = Math.floor(store.present());
    const shown = span.shown();
    const title = el("input.input", { type: "text", id: "casefile-name", maxlength: String(MOST_TITLE), placeholder: t("The queue stood still") });
    const field = (name, at) => el("input.input", { type: "datetime-local", step: "1", id: `casefile-${name}`, value: written(at, zone), required: true });
    const [first, last] = [field("from", Math.floor(shown.from)), field("to", Math.min(Math.ceil(shown.to), now))];
    const words = el("p.note", { id: "casefile-words", role: "status" });
    const bar = el("progress", { id: "casefile-progress", max: "1", "aria-label": t("Progress"), hidden: true });
    const save = el("button.button.first", { type: "submit", id: "casefile-save" }, t("Save"));
    const cancel = el("button.button", { type: "button", hidden: true, onclick: () => under_way?.abort() }, t("Cancel"));
    let under_way = null;

    const read = () => ({ from: meant(first.value, zone), to: meant(last.value, zone) });
    const tell = (said, kind = "") => {
      body.dataset.said = kind;
      say(words, said);
    };
    const check = () => {
      const { from, to } = read();
      const wrong = !(from < to) ? t("From is not before To.") : from >= now ? t("That has not happened yet.") : "";
      save.disabled = wrong !== "";
      tell(wrong || t("{time} long. Events, alerts and marks of it go into one file, with a summary; playhead open FILE shows it.", { time: duration(to - from) }), wrong ? "wrong" : "");
    };
    const work = async () => {
      const { from, to } = read();
      under_way = new AbortController();
      save.disabled = true;
      cancel.hidden = bar.hidden = false;
      bar.removeAttribute("value");
      tell(t("The server is writing it…"), "busy");
      try {
        const asked = new URLSearchParams({ from: micro(from), to: micro(Math.min(to, store.present())), title: title.value.trim() });
        const { name, blob } = await fetched(`/api/realtime/incident?${asked}`, under_way.signal, (done, all) => {
          bar.value = all ? done / all : 0;
          tell(t("{done} of {all}", { done: text("bytes", done), all: text("bytes", all) }), "busy");
        });
        given(name, blob);
        tell(t("Saved as {name}, {size}.", { name, size: text("bytes", blob.size) }), "done");
      } catch (failure) {
        tell(failure.name === "AbortError" ? t("Not saved: it was cancelled.") : failure.message, failure.name === "AbortError" ? "" : "wrong");
      }
      under_way = null;
      save.disabled = false;
      cancel.hidden = bar.hidden = true;
    };
    const form = el("form.form", { onsubmit: (event) => {
      event.preventDefault();
      work();
    } },
    el("div.fields", {}, el("label.whole", {}, t("Title"), title), el("label", {}, t("From"), first), el("label", {}, t("To"), last)),
    words, bar, el("div.actions", {}, cancel, save));
    for (const one of [first, last]) one.addEventListener("input", check);
    check();
    body.append(form);
    return () => under_way?.abort();
  });
}

/** The file as it comes; `told(done, all)` in bytes. An Error in the server's own words otherwise. */
async function fetched(path, signal, told) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", signal });
  } catch (failure) {
    if (failure.name === "AbortError") throw failure;
    throw new Error(t("The server cannot be reached."), { cause: failure });
  }
  if (!answer.ok) throw refusal(answer.status, await answer.json().catch(() => ({})));
  const all = Number(answer.headers.get("Content-Length"));
  const name = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1] ?? "incident.playhead";
  const parts = [];
  let done = 0;
  const reader = answer.body.getReader();
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      parts.push(piece.value);
      done += piece.value.length;
      told(done, all);
    }
  } catch (failure) {
    if (failure.name === "AbortError") throw failure;
    throw new Error(t("The connection broke off; nothing was saved."), { cause: failure });
  }
  return { name, blob: new Blob(parts, { type: "application/zip" }) };
}
