// One connection for all tabs of a browser. Runs in a shared worker, or in the tab that leads; the tabs dial it as they would a road.
//
//   tab → exchange   who · join {dial, road, cursor, known} · leave {dial, dead} · ping {dial, id}
//   exchange → tab   here {owner} · heard · opened {hello} · frame {event, data, id} · moved {cursor} · closed {after_ms} · offered {road}
//
// A road is walked once, whoever dials it, for as long as somebody does. Frames are kept for a while, so that who comes
// later, or from a little further back, joins without a hole and without a double.

// Tabs that come together (a restored session, a new leader) are walked for from the hindmost of them.
const GATHER_MS = 50;
// Five minutes of one host. Who stands further back loads the page's data afresh, which is cheaper.
const RING_FRAMES = 300;
const RING_VALUES = 100_000;
const PINGS = 64;

/** `epoch:seq` taken apart: a cursor is compared here, never made. */
function place(cursor) {
  const colon = cursor.lastIndexOf(":");
  return { epoch: cursor.slice(0, colon), seq: colon < 0 ? NaN : Number(cursor.slice(colon + 1)) };
}

export class Exchange {
  /** roads: as for a Link. post(to, message): to these dials or tabs. watch(tab, gone): calls gone() when that tab is no more. */
  constructor({ owner, roads, post, watch }) {
    Object.assign(this, { owner, roads, post, watch });
    this.tabs = new Set();
    this.lines = new Map();
  }

  receive({ from, act, ...said }) {
    if (!this.tabs.has(from)) {
      this.tabs.add(from);
      this.watch(from, () => this.#gone(from));
    }
    ACTS[act](this, from, said);
  }

  /** The others hear of it by our lock, and dial again at once. */
  close() {
    for (const line of [...this.lines.values()]) {
      line.dials.clear();
      line.end();
    }
  }

  join({ dial, road, cursor, known }) {
    this.post([dial], { act: "heard" });
    let line = this.lines.get(road);
    if (line === undefined) {
      line = new Line(this.roads.find(({ id }) => id === road), {
        post: this.post,
        opened: () => this.post([...this.tabs], { act: "offered", road }),
        over: (it) => this.lines.get(road) === it && this.lines.delete(road),
      });
      this.lines.set(road, line);
    }
    line.join(dial, { ...place(cursor), known });
  }

  line(dial) {
    return [...this.lines.values()].find(({ dials }) => dials.has(dial));
  }

  #gone(tab) {
    this.tabs.delete(tab);
    for (const line of [...this.lines.values()]) {
      for (const dial of [...line.dials.keys()]) if (dial.startsWith(`${tab}/`)) line.leave(dial, false);
    }
  }
}

// A dial that is not on any line any more has been told so; what it still says is late, not wrong.
const ACTS = {
  who: (exchange, tab) => exchange.post([tab], { act: "here", owner: exchange.owner }),
  join: (exchange, _tab, said) => exchange.join(said),
  leave: (exchange, _tab, { dial, dead }) => exchange.line(dial)?.leave(dial, dead),
  ping: (exchange, _tab, { dial, id }) => exchange.line(dial)?.ping(dial, id),
};

/** One road, walked for all who dialled it. */
class Line {
  constructor(road, { post, opened, over }) {
    Object.assign(this, { road, post, told: opened, over });
    this.dials = new Map();
    this.ring = [];
    this.values = 0;
    this.walk = null;
    this.hello = null;
    this.greeting = null;
    this.pings = new Map();
    this.asked = 0;
    this.timer = setTimeout(() => this.#walk(), GATHER_MS);
  }

  join(dial, from) {
    this.dials.set(dial, from);
    if (this.hello) this.#admit(dial, { ...this.hello, server_time: undefined }, this.greeting);
  }

  /** `dead`: the one who leaves has heard nothing for too long; that is true of everybody's road. */
  leave(dial, dead) {
    this.dials.delete(dial);
    if (dead || this.dials.size === 0) this.end();
  }

  ping(dial, id) {
    this.asked += 1;
    this.pings.set(this.asked, { dial, id });
    if (this.pings.size > PINGS) this.pings.delete(this.pings.keys().next().value);
    this.walk?.ping?.(this.asked);
  }

  end(after_ms = 0) {
    clearTimeout(this.timer);
    this.walk?.close();
    this.over(this);
    const left = [...this.dials.keys()];
    this.dials.clear();
    if (left.length) this.post(left, { act: "closed", after_ms });
  }

  /** Seqs of different logs do not compare: from the hindmost of those in the log of who came last, and so loaded last. */
  #walk(epoch = [...this.dials.values()].at(-1).epoch) {
    const all = [...this.dials.values()].filter((from) => from.epoch === epoch);
    const { seq } = all.reduce((a, b) => (b.seq < a.seq ? b : a));
    Object.assign(this, { epoch, floor: seq, edge: seq });
    const mine = (this.walked = {});
    const own = (run) => (...said) => mine === this.walked && run(...said);
    this.walk = this.road.open({ cursor: `${epoch}:${seq}`, known: Math.min(...all.map(({ known }) => known)) }, {
      opened: own((hello) => this.#opened(hello)),
      frame: own((event, data, id) => this.#frame(event, data, id)),
      moved: own((cursor) => this.#moved(cursor)),
      closed: own((after_ms) => this.end(after_ms)),
    });
  }

  #opened(hello) {
    const { epoch } = hello;
    if (epoch !== this.epoch && [...this.dials.values()].some((from) => from.epoch === epoch)) {
      // The server's log is that of others: what it says next to this walk is no business of theirs.
      this.walk.close();
      for (const [dial, from] of [...this.dials]) if (from.epoch !== epoch) this.#turnAway(dial);
      this.#walk(epoch);
      return;
    }
    this.hello = hello;
    for (const dial of [...this.dials.keys()]) this.#admit(dial, hello);
    if (this.dials.size) this.told();
  }

  /** `greeting`: what the server said when the road opened, for who was not there yet. */
  #admit(dial, hello, greeting = null) {
    const { epoch, seq } = this.dials.get(dial);
    if (epoch !== this.epoch || !(seq >= this.floor)) {
      this.#turnAway(dial);
      return;
    }
    this.post([dial], { act: "opened", hello });
    if (greeting) this.post([dial], { act: "frame", event: "hello", data: greeting });
    for (const one of this.ring) {
      if (one.event === "series" ? one.seq >= seq : one.seq > seq) {
        this.post([dial], { act: "frame", event: one.event, data: one.data });
      }
    }
  }

  /** Nothing was lost, so there is nothing to say: a fresh load leads to here. */
  #turnAway(dial) {
    this.post([dial], { act: "frame", event: "reset", data: { reason: "behind", detail: "" } });
    this.leave(dial, false);
  }

  #frame(event, data, id) {
    if (event === "pong") {
      const asker = this.pings.get(id);
      this.pings.delete(id);
      if (asker) this.post([asker.dial], { act: "frame", event, data, id: asker.id });
      return;
    }
    if (event === "hello") this.greeting = { ...data, server_time: undefined };
    let to = [...this.dials];
    if (data.seq !== undefined) {
      this.edge = data.seq;
      to = to.filter(([, { seq }]) => seq < data.seq);
    }
    if (event === "heartbeat") to = this.#reached(data.cursor);
    if (data.seq !== undefined || event === "series") this.#keep(event, data);
    this.post(to.map(([dial]) => dial), { act: "frame", event, data });
    if (event === "reset") {
      this.dials.clear();
      this.end();
    }
  }

  #moved(cursor) {
    this.post(this.#reached(cursor).map(([dial]) => dial), { act: "moved", cursor });
  }

  /** The road stands here: whom that takes further. Who is ahead of it must not be moved back. */
  #reached(cursor) {
    const { seq } = place(cursor);
    this.edge = seq;
    return [...this.dials].filter(([, from]) => from.seq <= seq);
  }

  #keep(event, data) {
    this.ring.push({ event, data, seq: this.edge });
    this.values += weight(data);
    let gone = null;
    // Names go together with the tick that they stand before.
    while (this.ring.length > RING_FRAMES || this.values > RING_VALUES || gone?.event === "series") {
      gone = this.ring.shift();
      if (gone === undefined) break;
      this.values -= weight(gone.data);
      this.floor = Math.max(this.floor, gone.seq);
    }
  }
}

function weight({ ids, series }) {
  return 1 + (ids?.length ?? series?.length ?? 0);
}
