// What a reader has chosen, kept in this browser. Storage may be forbidden: a choice then lasts as long as the page.

const choices = new Map();

/** The text kept under a name; "" when there is none. */
export function kept(name) {
  if (choices.has(name)) return choices.get(name);
  try {
    return localStorage.getItem(`playhead.${name}`) ?? "";
  } catch {
    return "";
  }
}

export function keep(name, text) {
  choices.set(name, text);
  try {
    localStorage.setItem(`playhead.${name}`, text);
  } catch {
    // Said at the top: it lasts as long as the page.
  }
}
