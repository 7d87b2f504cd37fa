// The roads of the page, walked together with the other tabs of this browser: in a shared worker where there is one, else by
// the tab that leads, else by each tab alone. To the link they are roads like any other.
//
// All of it stands on Web Locks, which are there in secure contexts only: a page from plain http on another host goes alone.

import { Exchange } from "./exchange.js";
import { hold, outlive } from "./locks.js";

// A worker that has not answered by then will not.
const PATIENCE_MS = 3_000;
// Another build is another protocol between the tabs: they share by build, which is in every module's address.
const GROUP = `playhead ${new URL(".", import.meta.url).pathname}`;

export class Share {
  /** roads: best first. ways: best first. offered(road id): another tab has this road open. */
  constructor({ roads, ways, offered }) {
    Object.assign(this, { ways, offered });
    this.raw = roads;
    this.roads = roads.map((road) => ({ ...road, open: (position, on) => this.#open(road, position, on) }));
    this.dials = new Map();
    this.made = 0;
    this.way = null;
    this.owner = "";
  }

  /** The tab rests: nothing of it is left with the others. */
  release() {
    clearTimeout(this.timer);
    this.held?.abort();
    this.way?.close();
    this.way = null;
    this.owner = "";
  }

  #open(road, position, on) {
    if (this.ways.length === 0) return road.open(position, on);
    this.reach();
    this.made += 1;
    const id = `${this.tab}/${this.made}`;
    const dial = { road, position, on, joined: false, heard: false, alone: null };
    this.dials.set(id, dial);
    if (this.owner) this.#join(id, dial);
    return {
      close: (dead = false) => {
        if (!this.dials.delete(id)) return;
        if (dial.alone) dial.alone.close();
        else if (dial.joined) this.#post({ act: "leave", dial: id, dead });
        // Not a word, not even that it was heard: who should walk for us hangs.
        if (dead && dial.joined && !dial.heard) this.#next();
      },
      ping: road.speaks ? (ping) => (dial.alone ? dial.alone.ping(ping) : this.#post({ act: "ping", dial: id, id: ping })) : undefined,
    };
  }

  /** Finds the others; done before the first road is asked for, it costs no time then. */
  reach() {
    if (this.way !== null || this.ways.length === 0) return;
    const { signal } = (this.held = new AbortController());
    const failed = () => !signal.aborted && this.#next();
    // A new name each time: the owner counts us out by the lock of the old one.
    this.tab = crypto.randomUUID();
    this.way = { post() {}, again() {}, close() {} };
    this.#expect();
    // Who joins is watched by its lock; so the lock comes first.
    hold(this.tab, signal, () => {
      this.way = this.ways[0]({ receive: (message) => !signal.aborted && this.#receive(message), failed, signal, roads: this.raw });
      this.#post({ act: "who" });
    }).catch(failed);
  }

  #post(message) {
    this.way.post({ ...message, from: this.tab });
  }

  #join(id, dial) {
    dial.joined = true;
    this.#post({ act: "join", dial: id, road: dial.road.id, ...dial.position });
  }

  #receive({ act, to, ...said }) {
    if (act === "here") this.#here(said.owner);
    else if (act === "offered") this.offered(said.road);
    else for (const id of to) this.#told(id, act, said);
  }

  #told(id, act, { hello, event, data, id: ping, cursor, after_ms }) {
    const dial = this.dials.get(id);
    if (dial === undefined) return;
    if (act === "heard") dial.heard = true;
    if (act === "opened") dial.on.opened(hello);
    if (act === "frame") dial.on.frame(event, data, ping);
    if (act === "moved") dial.on.moved(cursor);
    if (act === "closed") {
      this.dials.delete(id);
      dial.on.closed(after_ms);
    }
  }

  #here(owner) {
    if (owner === this.owner) return;
    if (this.owner) this.#gone();
    clearTimeout(this.timer);
    this.owner = owner;
    for (const [id, dial] of this.dials) this.#join(id, dial);
    outlive(owner, this.held.signal, () => owner === this.owner && this.#gone());
  }

  #expect() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#next(), PATIENCE_MS);
  }

  /** Who walked for us has closed or crashed: somebody else will be `here`; each dial goes on from where it stands. */
  #gone() {
    this.owner = "";
    this.#expect();
    this.way.again();
    this.#post({ act: "who" });
    const left = [...this.dials.values()];
    this.dials.clear();
    for (const { on } of left) on.closed(0, true);
  }

  /** This way does not work here. */
  #next() {
    this.ways = this.ways.slice(1);
    const left = [...this.dials];
    this.release();
    if (this.ways.length) {
      // Under a new name, so as new dials.
      this.dials.clear();
      for (const [, { on }] of left) on.closed(0, true);
      return;
    }
    for (const [, dial] of left) dial.alone = dial.road.open(dial.position, dial.on);
  }
}

/** What this browser has, best first. */
export function ways() {
  if (!globalThis.navigator?.locks) return [];
  return [globalThis.SharedWorker && worker, globalThis.BroadcastChannel && leader].filter(Boolean);
}

function worker({ receive, failed }) {
  let port = null;
  const again = () => {
    port?.close();
    const it = new SharedWorker(new URL("./worker.js", import.meta.url), { type: "module", name: GROUP });
    it.onerror = failed;
    it.port.onmessage = ({ data }) => receive(data);
    port = it.port;
  };
  again();
  return { post: (message) => port.postMessage(message), again, close: () => port.close() };
}

/** One tab leads and has the exchange; the others wait for its lock, and the first of them is the next. */
function leader({ receive, failed, signal, roads }) {
  const channel = new BroadcastChannel(GROUP);
  let exchange = null;
  channel.onmessage = ({ data }) => (data.from ? exchange?.receive(data) : receive(data));
  const lead = () => {
    const owner = crypto.randomUUID();
    const post = (to, message) => {
      channel.postMessage({ ...message, to });
      queueMicrotask(() => receive({ ...message, to }));
    };
    hold(owner, signal, () => {
      exchange = new Exchange({ owner, roads, post, watch: (tab, gone) => outlive(tab, signal, gone) });
      post([], { act: "here", owner });
    }).catch(failed);
  };
  hold(GROUP, signal, lead).catch(failed);
  return {
    post: (message) => (exchange ? exchange.receive(message) : channel.postMessage(message)),
    again() {},
    close() {
      exchange?.close();
      channel.close();
    },
  };
}
