// A question to the reader, in a dialog: an answer, or null when it was dismissed.

import { el } from "../dom.js";
import { t } from "../words.js";

let number = 0;

/**
 * `content` are nodes; `ok` the label of the answer true, `choices` those of others: [{ label, value }]. `check()` is asked
 * before "true" is taken, and keeps the dialog open by a false. → the answer
 */
export function dialog({ title, content = [], ok = "", choices = [], cancel = t("Cancel"), check = async () => true, wide = false }) {
  number += 1;
  const id = `dialog-${number}`;
  const root = el(wide ? "dialog.sheet.question.broad" : "dialog.sheet.question", { "aria-labelledby": id });
  return new Promise((resolve) => {
    const end = (answer) => {
      root.close();
      root.remove();
      resolve(answer);
    };
    const form = el("form", {
      method: "dialog",
      async onsubmit(event) {
        event.preventDefault();
        if (await check()) end(true);
      },
    }, el("h2", { id }, title), ...content, el("div.answers", {},
      ok ? el("button.button.first", { type: "submit" }, ok) : null,
      ...choices.map(({ label, value }) => el("button.button", { type: "button", onclick: () => end(value) }, label)),
      el("button.button", { type: "button", onclick: () => end(null) }, cancel)));
    root.addEventListener("cancel", (event) => {
      event.preventDefault();
      end(null);
    });
    root.append(form);
    document.body.append(root);
    root.showModal();
  });
}
