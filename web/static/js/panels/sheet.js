// A dialog that is made when it is asked for and gone when it is closed; the focus returns to where it was.

import { el } from "../dom.js";
import { t } from "../words.js";

/** fill(body, close) → leave or nothing. Asked for again while it is open, it closes. */
export function sheet(id, title, fill, kind = "") {
  const open = document.getElementById(id);
  if (open) {
    open.close();
    return;
  }
  const heading = el("h2", { id: `${id}-title` }, title);
  const close = el("button.button.icon.small", { type: "button", "aria-label": t("Close"), onclick: () => dialog.close() }, "✕");
  const body = el("div.sheet-body");
  const dialog = el(`dialog.sheet${kind ? `.${kind}` : ""}`, { id, "aria-labelledby": heading.id }, el("header", {}, heading, close), body);
  const leave = fill(body, () => dialog.close()) ?? (() => {});
  dialog.addEventListener("close", () => {
    leave();
    dialog.remove();
  });
  // A click beside it closes it, as Escape does.
  dialog.addEventListener("pointerdown", (event) => {
    const { left, right, top, bottom } = dialog.getBoundingClientRect();
    if (event.target === dialog && (event.clientX < left || event.clientX > right || event.clientY < top || event.clientY > bottom)) dialog.close();
  });
  document.body.append(dialog);
  dialog.showModal();
  // To what it is about; on a phone that would raise the keyboard over it.
  if (matchMedia("(pointer: fine)").matches) body.querySelector("input, select, button")?.focus();
}
