// The text of a panel: plain, with headings, lists and links to http and https. It is taken apart here and built of nodes by
// whoever shows it; there is no way from it to markup.
//
//   # Heading    ## Smaller    - an item    [words](https://…)    https://…

const HEADING = /^(#{1,3})\s+(.+)$/;
const ITEM = /^\s*[-*]\s+(.+)$/;
const LINK = /\[([^\]\n]+)\]\((https?:\/\/[^\s()]+)\)|https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]]/g;

/** → [{ kind: "heading", level, parts } | { kind: "list", items: [parts] } | { kind: "lines", lines: [parts] }] */
export function blocks(text) {
  const found = [];
  let open = null;
  for (const line of text.split(/\r?\n/)) {
    const heading = HEADING.exec(line);
    const item = ITEM.exec(line);
    if (heading) {
      found.push({ kind: "heading", level: heading[1].length, parts: parts(heading[2]) });
      open = null;
    } else if (line.trim() === "") {
      open = null;
    } else {
      const kind = item ? "list" : "lines";
      if (open?.kind !== kind) found.push((open = item ? { kind, items: [] } : { kind, lines: [] }));
      (open.items ?? open.lines).push(parts(item ? item[1] : line));
    }
  }
  return found;
}

/** → [{ text, href }]; `href` is "" for what is no link. */
export function parts(line) {
  const found = [];
  let from = 0;
  for (const match of line.matchAll(LINK)) {
    const [whole, words, address] = match;
    const href = web(address ?? whole);
    if (!href) continue;
    if (match.index > from) found.push({ text: line.slice(from, match.index), href: "" });
    found.push({ text: words ?? whole, href });
    from = match.index + whole.length;
  }
  if (from < line.length) found.push({ text: line.slice(from), href: "" });
  return found;
}

/** The address in the browser's own spelling, if it leads to the web; else "". */
function web(address) {
  if (!URL.canParse(address)) return "";
  const { protocol, href } = new URL(address);
  return ["http:", "https:"].includes(protocol) ? href : "";
}
