// Whether alerts come to the desktop while nobody looks, as a button that says so and why not.

import { el, say } from "../dom.js";
import { Herald } from "../herald.js";
import { t } from "../words.js";

const WORDS = {
  on: ["Desktop: on", "Alerts come to the desktop while nobody looks at this page."],
  off: ["Desktop: off", "Let alerts come to the desktop while nobody looks at this page."],
  denied: ["Desktop: denied", "The browser denies it; its settings for this page allow it again."],
  absent: ["Desktop: not here", "Browsers allow this over https and on this very machine only."],
};

/** → { button, about }: the button, and a place for the words about it. */
export function desktop(shape = "button.button") {
  const herald = new Herald();
  const about = el("span.note");
  const button = el(shape, { type: "button", id: "desktop", onclick: async () => {
    await herald.want(herald.state !== "on");
    tell();
  } });
  const tell = () => {
    const [words, why] = WORDS[herald.state];
    say(button, t(words));
    say(about, t(why));
    button.title = t(why);
    button.setAttribute("aria-pressed", String(herald.state === "on"));
    button.disabled = herald.state === "denied" || herald.state === "absent";
  };
  tell();
  return { button, about };
}
