// Making elements. Text goes in as text nodes only: there is no way through here from a string to markup.

/** el("button.quiet", { type: "button", onclick }, "Pause") */
export function el(what, properties = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  const made = document.createElement(tag);
  if (classes.length) made.className = classes.join(" ");
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") made.toggleAttribute(name, value);
    else if (value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Sets text only where it differs, so that nothing is laid out, or read aloud, for nothing. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const SHAPES = { fine: "●", warning: "◆", critical: "▲", none: "" };
const WORDS = { fine: "fine", warning: "warning", critical: "critical", none: "" };

/** Severity is a shape and a colour and a word, never a colour alone. */
export function severity(node, level) {
  if (node.dataset.severity === level) return;
  node.dataset.severity = level;
  node.className = "severity";
  node.textContent = SHAPES[level];
  if (WORDS[level]) {
    node.setAttribute("role", "img");
    node.setAttribute("aria-label", WORDS[level]);
  } else {
    node.removeAttribute("role");
    node.removeAttribute("aria-label");
  }
}
