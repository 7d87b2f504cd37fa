// The box of the search. What finds comes with the first look at it.

import { el } from "../dom.js";
import { t } from "../words.js";

export function mount(root, page) {
  const input = el("input.field", {
    id: "search-box", type: "text", role: "combobox", "aria-expanded": "false", "aria-controls": "search-list", "aria-autocomplete": "list", "aria-haspopup": "listbox",
    "aria-label": t("Search series, sources, alerts"), placeholder: t("Search series, sources, alerts"), spellcheck: "false", autocomplete: "off", autocapitalize: "off", enterkeyhint: "go",
  });
  const hint = el("kbd", { "aria-hidden": "true" }, "/");
  const list = el("div.found", { id: "search-list", role: "listbox", "aria-label": t("Found"), hidden: true });
  const told = el("p.unseen", { role: "status" });
  const enter = () => {
    // On a phone the box is not there before.
    root.classList.add("open");
    input.focus();
  };
  const opener = el("button.button.icon", { type: "button", id: "open-search", "aria-label": t("Search"), onclick: enter });
  opener.append(glass());
  const close = el("button.button.icon", { type: "button", id: "close-search", "aria-label": t("Close") }, "×");
  root.append(opener, el("div.search-box", {}, input, hint, close), list, told);

  let finds = false;
  const come = page.lazy(() => import("./found.js"), (it) => {
    if (finds) return;
    finds = true;
    it.mount(root, page, { input, list, told, close });
  });
  input.addEventListener("focus", () => {
    root.classList.add("open");
    if (!finds) come();
  });
  input.addEventListener("blur", () => root.classList.remove("open"));
  page.keys.on("/", t("search"), enter);
}

function glass() {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("class", "glyph");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", "M9 3.500a5.500 5.500 0 100 11 5.500 5.500 0 000-11zM13 13l4 4");
  svg.append(path);
  return svg;
}
