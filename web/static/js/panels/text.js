// What somebody wrote on a dashboard: text, as nodes.

import { el } from "../dom.js";
import { blocks } from "../prose.js";

/** → the elements of a text; headings begin below those of the page. */
export function written(text) {
  return blocks(text).map(({ kind, level, parts, items, lines }) => {
    if (kind === "heading") return el(`h${level + 2}`, {}, ...spans(parts));
    if (kind === "list") return el("ul", {}, ...items.map((item) => el("li", {}, ...spans(item))));
    return el("p", {}, ...lines.flatMap((line, k) => [k ? el("br") : null, ...spans(line)]));
  });
}

const spans = (parts) => parts.map(({ text, href }) => (href ? el("a", { href, target: "_blank", rel: "noopener noreferrer" }, text) : text));
