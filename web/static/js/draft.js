// A dashboard while it is edited: every change can be taken back and made again. Saving is somebody else's business.

const MOST_UNDO = 100;

let last = 0;

/** Panels with keys, so that each can be told from the others; a panel that says the same as one of `before` is that one. */
export function keyed(panels, before = []) {
  const left = [...before];
  return panels.map((panel) => {
    const said = content(panel);
    const k = left.findIndex((one) => content(one) === said);
    const key = k < 0 ? String((last += 1)) : left.splice(k, 1)[0].key;
    return { ...panel, key };
  });
}

export const fresh = () => String((last += 1));

/** What a panel says, wherever it stands. */
export function content({ key: _key, x: _x, y: _y, w: _w, h: _h, ...said }) {
  return JSON.stringify(Object.entries(said).sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** As the server takes it: without what only this page needs. */
export const plain = (panels) => panels.map(({ key: _key, ...panel }) => panel);

export class Draft {
  /** `base` is what it was made of: { id, seq, title, tags, panels }, the panels keyed; without a `seq` it is a new one. */
  constructor(base) {
    this.base = base;
    this.state = { title: base.title, tags: base.tags, panels: base.panels };
    this.past = [];
    this.future = [];
  }

  get dirty() {
    return this.past.length > 0;
  }

  /** `changes` are some of title, tags, panels. `joined`: it goes on from the change before it, and is taken back with it. */
  change(changes, joined = false) {
    const next = { ...this.state, ...changes };
    if (JSON.stringify(next) === JSON.stringify(this.state)) return;
    if (!joined || this.past.length === 0) this.past.push(this.state);
    if (this.past.length > MOST_UNDO) this.past.shift();
    this.future = [];
    this.state = next;
  }

  /** → whether there was anything to take back. */
  undo() {
    return this.#step(this.past, this.future);
  }

  redo() {
    return this.#step(this.future, this.past);
  }

  #step(from, to) {
    if (from.length === 0) return false;
    to.push(this.state);
    this.state = from.pop();
    return true;
  }

  /** What is sent to be saved. */
  body(author) {
    const { title, tags, panels } = this.state;
    return { title: title.trim(), tags, author, panels: plain(panels) };
  }
}
