// What the page knows, folded from messages in order: `evolve` again. It cannot tell live from replay.
//
// There are two views while the past is shown: what is known now goes on being folded behind it, so the way back has no gap.

import { counted, joined, matches } from "./kpis.js";

const NOTIFICATIONS = 50;
const SPANS = 100;
// A series that has been silent for longer no longer counts into a sum or a maximum (seconds).
const STALE_S = 120;
const LEAP_S = 60;
const NEWS = new Set(["alert", "notification", "annotation"]);
// What is told anew when another view is shown.
const SHOWN = ["playhead", "metrics", "alerts", "notifications", "annotations", "sources"];
// Every tick of a host bears these, and nobody else's samples do: what tells its own clock from samples somebody sent in its name.
const PULSE = new Set(["playhead_loop_lag_seconds", "playhead_http_requests_per_second"]);
export function blank() {
  return {
    ready: false, epoch: "", seq: -1, at: 0, source: "", interval_s: 1, version: "",
    series: new Map(), known: 0, latest: new Map(), latest_at: new Map(), by_name: new Map(), of_source: new Map(), members: new Map(),
    sources: new Map(), rules: [], alerts: new Map(), spans: [], notifications: [], annotations: new Map(), pulse: new Set(),
    // Which series are counters; the last reading of each, { at, value, rise }, and its rise a second since the one before, NaN where it fell.
    counters: new Set(), stood: new Map(),
    // Whose readings (sources) and whose rises (ids) of the past moment have been asked for.
    brought: new Set(),
  };
}

/** Folds one message into the view, in place; answers the topics that changed. */
export function evolve(view, message) {
  if (message.seq !== undefined && message.type !== "load" && message.type !== "snapshot") {
    // Two roads may overlap for a moment; every seq counts once.
    if (message.seq <= view.seq) return [];
    view.seq = message.seq;
  }
  return FOLDS[message.type](view, message);
}

const FOLDS = {
  load: (view, message) => {
    const epoch = message.cursor.slice(0, message.cursor.lastIndexOf(":"));
    // Another epoch is another log: ids and seqs of the old one mean nothing in it.
    if (view.epoch !== epoch || view.source !== message.source) Object.assign(view, blank(), { epoch });
    const newer = view.seq > message.seq;
    view.source = message.source;
    declare(view, message.series);
    view.interval_s = message.interval_s;
    // A refetch that raced with live frames knows less about the present than they do.
    if (!newer) present(view, message);
    view.ready = true;
    return ["load", "metrics", "alerts", "notifications", "annotations", "sources"];
  },
  snapshot: (view, message) => {
    if (view.seq > message.seq) return [];
    declare(view, message.series);
    present(view, message);
    return ["metrics", "alerts", "notifications", "annotations", "sources"];
  },
  metrics: (view, message) => {
    const { ids, values, at } = message;
    const mine = message.source === view.source;
    const ticked = mine && (view.pulse.size === 0 || ids.some((id) => view.pulse.has(id)));
    // "Now" is the host's newest tick in the order they come, not the greatest time anybody has claimed.
    const leapt = ticked && now(view, at);
    for (let i = 0; i < ids.length; i += 1) {
      const id = ids[i];
      // A late sample sent in the host's name is history; the tick alone says what is.
      if (mine && !ticked && at < view.latest_at.get(id)) continue;
      view.latest.set(id, values[i]);
      view.latest_at.set(id, at);
      if (view.counters.has(id)) stand(view, id, at, values[i]);
    }
    const source = view.sources.get(message.source);
    if (source) {
      source.last_seen = Math.max(source.last_seen || 0, at);
      source.first_seen = Math.min(source.first_seen || at, at);
      source.state = "live";
    } else {
      view.sources.set(message.source, {
        source: message.source, state: "live", first_seen: at, last_seen: at, series: ids.length, facts: {},
      });
    }
    return ["metrics", source ? null : "sources", ticked ? "tick" : null, leapt ? "leap" : null].filter(Boolean);
  },
  series: (view, message) => {
    declare(view, message.series);
    return ["series", "sources"];
  },
  known: (view, message) => {
    declare(view, message.series);
    // A frame that came meanwhile knows better.
    newest(view, message.metrics.filter(({ id, at }) => !(view.latest_at.get(id) > at)));
    return ["series", "metrics"];
  },
  /** Of readings that are known already, how they rose to it, which the answer of a moment does not say. */
  risen: (view, message) => {
    for (const { id, at, rise } of message.rises) {
      const one = view.stood.get(id);
      if (one?.at === at && Number.isNaN(one.rise)) one.rise = rise;
    }
    return ["metrics"];
  },
  alert: (view, { alert }) => {
    mark(view, alert);
    if (alert.state === "firing") view.alerts.set(alert.id, alert);
    else view.alerts.delete(alert.id);
    return ["alerts"];
  },
  notification: (view, { notification }) => {
    view.notifications.unshift(notification);
    view.notifications.length = Math.min(view.notifications.length, NOTIFICATIONS);
    return ["notifications"];
  },
  annotation: (view, { annotation }) => {
    if (annotation.state === "removed") view.annotations.delete(annotation.id);
    else view.annotations.set(annotation.id, annotation);
    return ["annotations"];
  },
  // Whoever shows a dashboard of somebody's own asks for it; that it was saved or removed is told to them.
  layout: () => ["layouts"],
  system: (view, message) => {
    const source = view.sources.get(message.detail.source ?? message.source);
    if (source && message.what === "source_lost") source.state = "lost";
    if (source && message.what === "source_seen") source.state = "live";
    return ["sources"];
  },
  clock: () => [],
};

/** The host's clock as its tick tells it → whether it was set: back, and what bears a later time has not happened yet; or forward, and the log may hold what lies between. */
function now(view, at) {
  const leapt = view.at > 0 && (at < view.at || at > view.at + LEAP_S);
  view.at = at;
  return leapt;
}

function present(view, message) {
  view.seq = message.seq;
  view.at = message.at;
  view.version = message.version;
  view.rules = message.rules;
  newest(view, message.metrics);
  view.sources = new Map(message.sources.map((one) => [one.source, one]));
  view.alerts = new Map(message.alerts.map((one) => [one.id, one]));
  for (const one of message.alerts) mark(view, one);
  view.notifications = message.notifications.slice(0, NOTIFICATIONS);
  view.annotations = new Map(message.annotations.map((one) => [one.id, one]));
}

/** What series said last, as an answer has it. */
function newest(view, metrics) {
  for (const { id, value, at } of metrics) {
    view.latest.set(id, value);
    view.latest_at.set(id, at);
    if (view.counters.has(id)) stand(view, id, at, value);
  }
}

/** A counter's reading. Where it falls it began anew, and what it rose before that is not known; a late one says nothing of how it rises. */
function stand(view, id, at, value) {
  const was = view.stood.get(id);
  if (was && at <= was.at) return;
  view.stood.set(id, { at, value, rise: was && value >= was.value ? (value - was.value) / (at - was.at) : NaN });
}

function declare(view, all) {
  for (const one of all) {
    if (view.series.has(one.id)) continue;
    view.series.set(one.id, one);
    if (one.kind === "counter") view.counters.add(one.id);
    view.known = Math.max(view.known, one.id);
    listed(view.by_name, one.name).push(one);
    listed(view.of_source, one.source).push(one);
    view.members.delete(one.source);
    if (one.source === view.source && PULSE.has(one.name)) view.pulse.add(one.id);
  }
}

function listed(map, key) {
  let list = map.get(key);
  if (list === undefined) map.set(key, (list = []));
  return list;
}

/** Where an alert was on, for the shaded spans of the charts. */
function mark(view, alert) {
  const open = view.spans.find((span) => span.id === alert.id && span.to === null);
  if (alert.state === "firing" && !open) {
    view.spans.push({ id: alert.id, rule: alert.rule, series: alert.series, source: alert.source, severity: alert.severity, from: alert.since, to: null });
    if (view.spans.length > SPANS) view.spans.shift();
  }
  if (alert.state === "resolved" && open) open.to = alert.at;
}

export class Store {
  /**
   * `incident` ({ title, source, from, to }) where one is open to be read: its end is the present, and stays it. `first`: the store
   * of another moment of the same log, beside which this is; what is known now, and what time it is, they share.
   */
  constructor({ incident = null, first = null } = {}) {
    this.incident = first?.incident ?? incident;
    this.first = first;
    this.now_view = first?.now_view ?? blank();
    // What is shown: the one above, or another while the playhead stands in the past.
    this.view = this.now_view;
    this.playhead = NaN;
    // The playhead is dragged: what is known of its moment comes after it.
    this.ahead = false;
    this.link = { state: "idle", road: null, quality: null, retry_at: 0, reason: "" };
    this.recording = { stalled: false, reason: "" };
    this.since = NaN;
    this.ahead_s = NaN;
    this.listeners = new Map();
    // Whose readings somebody looks at: { seen, ids, source? }; `source` of those whose series are not known here.
    this.needs = new Set();
  }

  /** What is told live: shown, unless the playhead stands in the past. */
  apply(message) {
    const topics = evolve(this.now_view, message);
    for (const topic of topics) {
      // The recorder lives, whatever is watched; and a page that is loaded afresh has other columns.
      if (topic === "tick") this.#tell("beat", message);
      // How a dashboard is arranged has nothing to do with the moment it shows.
      if (!this.past || topic === "series" || topic === "layouts") this.#tell(topic, message);
    }
    if (topics.length && NEWS.has(message.type)) this.#tell("news", message);
    return topics.length > 0;
  }

  /** Whether the playhead stands in the past; `playhead` (epoch s) says where, NaN while live. */
  get past() {
    return this.view !== this.now_view;
  }

  /** The playhead leaves the present: until it is known what stood there, what stood here is shown. */
  leave(at) {
    this.view = { ...this.now_view };
    this.point(at);
  }

  /** What stood at `at` (epoch s), as `dashboard/live` or a snapshot tells it and messages `more`, is shown from now on; null: nothing is known of it. */
  rewind(message, at, more = []) {
    const { series, known, by_name, of_source, members, pulse, counters, epoch, source, seq } = this.now_view;
    // Names never change, so those of today are shared; what was measured is not.
    this.view = { ...blank(), series, known, by_name, of_source, members, pulse, counters, epoch, source, seq: -1 };
    if (message) evolve(this.view, { ...message, type: "snapshot" });
    for (const one of more) evolve(this.view, one);
    this.view.ready = true;
    this.playhead = at;
    for (const topic of SHOWN) this.#tell(topic, { type: "past", seq });
  }

  /** One message of a replay. */
  replay(message) {
    for (const topic of evolve(this.view, message)) this.#tell(topic, message);
  }

  /** The playhead moved (epoch s). */
  point(at) {
    this.playhead = at;
    this.#tell("playhead", at);
  }

  /** What is known now is shown again. */
  forward() {
    if (!this.past) return;
    this.view = this.now_view;
    this.playhead = NaN;
    for (const topic of SHOWN) this.#tell(topic, { type: "now" });
  }

  /** The state of the link is not in the log, so it is not in the view. */
  linked(status) {
    this.link = status;
    this.#tell("link", status);
  }

  /** Whether the server still records; not in the log either, because then nothing is. */
  recorded(status) {
    this.recording = status;
    this.#tell("recording", status);
  }

  /** The server says what time it is (epoch s): what ages are counted to, whatever the samples claim. */
  heard(at) {
    this.ahead_s = at - performance.now() / 1000;
    this.#tell("clock", at);
  }

  /** Epoch seconds by the server's clock, by its newest tick before it has told; in the past the playhead's moment. */
  now() {
    if (this.past) return this.playhead;
    return this.present();
  }

  /** What time it is really, whatever is watched. */
  present() {
    if (this.incident) return this.incident.to;
    if (this.first) return this.first.present();
    return Number.isNaN(this.ahead_s) ? this.now_view.at : performance.now() / 1000 + this.ahead_s;
  }

  /** When the log begins (epoch s), by its first event: a sample may bear any time. */
  begun(at) {
    this.since = at;
    this.#tell("sources", at);
  }

  /** on(topic, fn(message)) → unsubscribe. Topics: load metrics tick leap series alerts notifications annotations layouts
   * sources link recording clock; playhead (it moved), beat (a live tick, seen or not), news (a live fact, seen or not). */
  on(topic, listener) {
    const all = this.listeners.get(topic) ?? new Set();
    this.listeners.set(topic, all.add(listener));
    return () => all.delete(listener);
  }

  /** The newest value of a series of a source, undefined when there is none. */
  value(name, labels = {}, source = this.view.source) {
    const found = this.find(name, labels, source)[0];
    return found === undefined ? undefined : this.view.latest.get(found.id);
  }

  find(name, labels = {}, source = this.view.source) {
    return (this.view.by_name.get(name) ?? []).filter((one) => one.source === source
      && Object.entries(labels).every(([key, value]) => one.labels[key] === value));
  }

  /** The series that a kpi of a source is made of. */
  members(name, source = this.view.source) {
    const { view } = this;
    let all = view.members.get(source);
    if (all === undefined) view.members.set(source, (all = new Map()));
    let found = all.get(name);
    if (found === undefined) {
      found = counted(name, (view.of_source.get(source) ?? []).filter((one) => matches(name, one)));
      all.set(name, found);
    }
    return found;
  }

  /**
   * What a series said last, at the playhead or now: the one answer for tiles, legends, cards and columns. A counter by its rise a second,
   * `plain` by what it stands at. NaN: nothing is known, or a series of the host has been silent for long while the host was not: what it measured is gone.
   * What is silent rises no more.
   */
  said(id, { plain = false, source = this.view.series.get(id)?.source } = {}) {
    const { view } = this;
    if (!view.latest.has(id) || (source === view.source && !this.#fresh(id, source))) return NaN;
    if (plain || !view.counters.has(id)) return view.latest.get(id);
    if (view.sources.get(source)?.state === "lost" || (this.past && this.playhead - view.latest_at.get(id) > STALE_S)) return NaN;
    return view.stood.get(id)?.rise ?? NaN;
  }

  #fresh(id, source) {
    const { view } = this;
    const now = source === view.source ? view.at : view.sources.get(source)?.last_seen ?? view.at;
    return Math.abs(now - view.latest_at.get(id)) < STALE_S;
  }

  /** Somebody looks at series → one to be let go of by `spare`. */
  need(one) {
    this.needs.add(one);
    this.#tell("need", one);
    return one;
  }

  spare(one) {
    this.needs.delete(one);
  }

  /** What has to be asked of a moment for all that is looked at and of `source`: { sources, counters: source → ids }, without what is `brought`. */
  wanted(source, brought = new Set()) {
    const { series, counters: all } = this.view;
    const sources = new Set([source]);
    const counters = new Map();
    for (const { seen, ids, source: its } of this.needs) {
      if (!seen) continue;
      for (const id of ids) {
        const owner = its ?? series.get(id)?.source;
        if (owner === undefined) continue;
        sources.add(owner);
        if (all.has(id) && !brought.has(id)) listed(counters, owner).push(id);
      }
    }
    return { sources: [...sources].filter((one) => !brought.has(one)), counters };
  }

  /** A kpi of a source as it is now: what has been silent for long does not count; NaN when nothing is known. */
  kpi(name, source = this.view.source) {
    return joined(name, this.members(name, source).map(({ id }) => (this.#fresh(id, source) ? this.view.latest.get(id) : NaN)));
  }

  #tell(topic, message) {
    for (const listener of this.listeners.get(topic) ?? []) listener(message);
  }
}
