// How well a text fits what was typed. Pure; called fifty thousand times a search, so it makes nothing.

const PARTED = new Set(" _-.:/{}=,\"");
const WHOLE = 1_000;
const WORD = 100;
const LOOSE = 40;

/** What was typed → its words, in lower case. */
export const words = (typed) => typed.toLowerCase().split(/\s+/).filter(Boolean);

/**
 * Every word has to be in `text` (lower case), letters in their order at least: 0 where one is not. A run of letters counts
 * more than scattered ones, the beginning of a part of the name more than its middle, and a short text more than a long one.
 */
export function fits(text, wanted) {
  let sum = 1;
  for (const word of wanted) {
    const score = one(text, word);
    if (score === 0) return 0;
    sum += score;
  }
  return sum - Math.min(text.length, 500) / 50;
}

function one(text, word) {
  let at = text.indexOf(word);
  if (at < 0) return loose(text, word);
  if (text === word) return WHOLE;
  // The first place that begins a part, if there is one.
  for (let next = at; next >= 0; next = text.indexOf(word, next + 1)) {
    if (next === 0 || PARTED.has(text[next - 1])) {
      at = next;
      const ends = next + word.length === text.length || PARTED.has(text[next + word.length]);
      return WORD + 40 + (ends ? 20 : 0) - Math.min(at, 40) / 4;
    }
  }
  return WORD - Math.min(at, 40) / 4;
}

/** Letters in their order, with others between: never better than a run. */
function loose(text, word) {
  // Of two letters one finds something in everything.
  if (word.length < 3) return 0;
  let at = -1;
  let score = 0;
  for (let k = 0; k < word.length; k += 1) {
    const next = text.indexOf(word[k], at + 1);
    if (next < 0) return 0;
    if (next === at + 1) score += 2;
    else if (next === 0 || PARTED.has(text[next - 1])) score += 1.5;
    else score -= Math.min(next - at, 10) / 4;
    at = next;
  }
  // Scattered over all of a long text it is an accident.
  return score <= 0 ? 0 : Math.min(LOOSE, (LOOSE * score) / (2 * word.length));
}

/** The `most` best of what is put in, best first; of equals the first put in. */
export class Best {
  constructor(most) {
    this.most = most;
    this.all = [];
  }

  put(score, item) {
    const { all, most } = this;
    if (all.length === most && score <= all[most - 1].score) return;
    let place = all.length;
    while (place > 0 && all[place - 1].score < score) place -= 1;
    all.splice(place, 0, { score, item });
    if (all.length > most) all.pop();
  }
}
