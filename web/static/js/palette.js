// The tokens of tokens.css, for canvases. Read once per theme, not once per line.

const TOKENS = ["ink", "muted", "line", "surface", "background", "live", "past", "beside", "critical", "warning", "raised"];
const SERIES = 6;

let read = null;
const listeners = new Set();

export function palette() {
  if (read) return read;
  const style = getComputedStyle(document.documentElement);
  const token = (name) => style.getPropertyValue(`--${name}`).trim();
  read = Object.fromEntries(TOKENS.map((name) => [name, token(name)]));
  read.series = Array.from({ length: SERIES }, (_, k) => token(`series-${k + 1}`));
  read.font = `11px ${token("font")}`;
  return read;
}

/** `listener` runs when the theme changed, by the toggle or by the system. → unsubscribe */
export function onTheme(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function watchTheme() {
  const changed = () => {
    read = null;
    for (const listener of listeners) listener();
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  new MutationObserver(changed).observe(document.documentElement, { attributeFilter: ["data-theme"] });
}

/** #rrggbb with an opacity, as canvases want it. */
export function faded(colour, opacity) {
  return `${colour}${Math.round(255 * opacity).toString(16).padStart(2, "0")}`;
}
