// The page's words. English stands where it is used and is its own key; a catalogue turns it into another language.
//
//   t("Nothing is firing.")            t("{n} open", { n: 3 })
//
// Catalogues are modules under words/: { "English text": "its translation" }. A text that is missing stays English.

const LANGUAGES = { en: "English", de: "Deutsch" };

let catalogue = {};
let chosen = "en";

export const languages = () => Object.entries(LANGUAGES);
export const language = () => chosen;

/** The language asked for, or else the first of the browser's that is spoken here. */
export function preferred(wanted, browser = navigator.languages ?? []) {
  return [wanted, ...browser.map((one) => one.slice(0, 2))].find((one) => Object.hasOwn(LANGUAGES, one)) ?? "en";
}

/** To be awaited before anything is said. A catalogue that cannot be had leaves English. */
export async function speak(wanted) {
  chosen = "en";
  catalogue = {};
  if (wanted !== "en") {
    try {
      ({ default: catalogue } = await import(`./words/${wanted}.js`));
      chosen = wanted;
    } catch (failure) {
      console.info(`No words for ${wanted}: ${failure.message}`);
    }
  }
  document.documentElement.lang = chosen;
}

/** The words that stand in the page itself: of an element with `data-t` its first text, or the attribute that is named. */
export function fill(root) {
  for (const element of root.querySelectorAll("[data-t]")) {
    const name = element.dataset.t;
    if (name) element.setAttribute(name, t(element.getAttribute(name)));
    else element.firstChild.data = element.firstChild.data.replace(/\S.*\S|\S/s, (words) => t(words));
  }
}

export function t(text, values) {
  const said = catalogue[text] ?? text;
  return values ? said.replace(/\{(\w+)\}/g, (_, name) => String(values[name])) : said;
}
