// What the page knows, folded from messages in order: `evolve` again. It cannot tell live from replay.

import { KPIS, NAMES, counted, joined, matches } from "./kpis.js";
import { NONE, Table } from "./series.js";

const NOTIFICATIONS = 50;
const SPANS = 100;
const ROWS = 7_200;
// A series that has been silent for longer no longer counts into a sum or a maximum (seconds).
const STALE_S = 120;
const YOUNGEST_S = 120;
const LEAP_S = 60;
// Every tick of a host bears these, and nobody else's samples do: what tells its own clock from samples somebody sent in its name.
const PULSE = new Set(["playhead_loop_lag_seconds", "playhead_http_requests_per_second"]);
// A series of one of these names, declared while we watch, belongs on a chart: the page asks for its charts again.
const CHARTED = new Map([
  ["system_cpu_mode_ratio", "cpu"], ["system_memory_bytes", "memory"], ["system_disk_io_bytes_per_second", "disk"],
  ["system_network_io_bytes_per_second", "network"], ["system_load", "load"],
]);

export function blank() {
  return {
    ready: false, epoch: "", seq: -1, at: 0, source: "", hours: 0.25, interval_s: 1, version: "",
    series: new Map(), known: 0, latest: new Map(), latest_at: new Map(), by_name: new Map(),
    charts: new Map(), slots: new Map(), trails: new Map(NAMES.map((kpi) => [kpi, new Table(1, ROWS)])), members: NAMES.map(() => []),
    sources: new Map(), rules: [], alerts: new Map(), spans: [], notifications: [],
    incomplete: "", pulse: new Set(),
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
    view.hours = message.hours;
    view.interval_s = message.interval_s;
    if (message.charts) chart(view, message.charts);
    // A refetch that raced with live frames brings history only; the frames know better about the present.
    if (!newer) present(view, message);
    view.ready = true;
    view.incomplete = "";
    return ["load", "metrics", "alerts", "notifications", "sources"];
  },
  trails: (view, message) => {
    for (const [kpi, { at, value }] of message.trails) {
      const span_s = at.length > 1 ? at[at.length - 1] - at[0] : 0;
      view.trails.get(kpi).load(at, [value], (8 * span_s) / Math.max(1, at.length));
    }
    return ["metrics"];
  },
  snapshot: (view, message) => {
    if (view.seq > message.seq) return [];
    declare(view, message.series);
    present(view, message);
    return ["metrics", "alerts", "notifications", "sources"];
  },
  metrics: (view, message) => {
    const { ids, values, at } = message;
    const mine = message.source === view.source;
    const ticked = mine && (view.pulse.size === 0 || ids.some((id) => view.pulse.has(id)));
    // "Now" is the host's newest tick in the order they come, not the greatest time anybody has claimed.
    if (ticked) now(view, at);
    const early = mine && at > view.at;
    const barren = new Set([...view.charts.values()].filter(({ columns }) => columns.length === 0).map(({ name }) => name));
    const rows = new Map();
    for (let i = 0; i < ids.length; i += 1) {
      const id = ids[i];
      // A late sample sent in the host's name is history; the tick alone says what is.
      if (mine && !ticked && at < view.latest_at.get(id)) continue;
      view.latest.set(id, values[i]);
      view.latest_at.set(id, at);
      const slot = view.slots.get(id);
      // A chart that came empty, because its time held nothing yet, learns its columns once there is something.
      if (slot === undefined && ticked && barren.size && barren.has(CHARTED.get(view.series.get(id)?.name))) view.incomplete = "empty";
      if (slot === undefined || early) continue;
      let row = rows.get(slot.chart);
      if (row === undefined) rows.set(slot.chart, (row = new Array(slot.chart.columns.length).fill(NONE)));
      row[slot.column] = values[i];
    }
    for (const [one, row] of rows) {
      one.table.append(at, row);
      if (one.table.overflowed && one.table.first > view.at - view.hours * 3600) view.incomplete = "window";
    }
    // A gauge that was conflated on the way is not wrong, but seconds between are missing from the charts.
    if (message.conflated > 0) view.incomplete = "conflated";
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
    if (ticked) trail(view, at);
    return ["metrics", source ? null : "sources", ticked ? "tick" : null].filter(Boolean);
  },
  series: (view, message) => {
    declare(view, message.series);
    for (const { name, source } of message.series) {
      if (source === view.source && CHARTED.has(name)) view.incomplete = "series";
    }
    return ["sources"];
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
  system: (view, message) => {
    const source = view.sources.get(message.detail.source ?? message.source);
    if (source && message.what === "source_lost") source.state = "lost";
    if (source && message.what === "source_seen") source.state = "live";
    return ["sources"];
  },
  clock: () => [],
};

/** The host's clock as its tick tells it. Set back, it takes what bears a later time off the picture, not off the log. */
function now(view, at) {
  if (at < view.at) {
    for (const { table } of view.charts.values()) table.cut(at);
    for (const table of view.trails.values()) table.cut(at);
    view.incomplete = "clock";
  } else if (at > view.at + LEAP_S) {
    // Set forward, or back to where it was: the log may hold what lies between.
    view.incomplete = "clock";
  }
  view.at = at;
}

function present(view, message) {
  view.seq = message.seq;
  now(view, message.at);
  view.version = message.version;
  view.rules = message.rules;
  for (const { id, value, at } of message.metrics) {
    view.latest.set(id, value);
    view.latest_at.set(id, at);
  }
  view.sources = new Map(message.sources.map((one) => [one.source, one]));
  view.alerts = new Map(message.alerts.map((one) => [one.id, one]));
  for (const one of message.alerts) mark(view, one);
  view.notifications = message.notifications.slice(0, NOTIFICATIONS);
}

function declare(view, all) {
  const touched = new Set();
  for (const one of all) {
    if (view.series.has(one.id)) continue;
    view.series.set(one.id, one);
    view.known = Math.max(view.known, one.id);
    const list = view.by_name.get(one.name);
    if (list) list.push(one);
    else view.by_name.set(one.name, [one]);
    if (one.source === view.source) {
      if (PULSE.has(one.name)) view.pulse.add(one.id);
      NAMES.forEach((kpi, k) => {
        if (matches(kpi, one)) touched.add(k);
      });
    }
  }
  for (const k of touched) {
    const all_of = view.by_name.get(KPIS[NAMES[k]].name).filter((one) => one.source === view.source && matches(NAMES[k], one));
    view.members[k] = counted(NAMES[k], all_of).map(({ id }) => id);
  }
}

function chart(view, charts) {
  const rows = Math.min(ROWS, Math.ceil((view.hours * 3600) / view.interval_s)) + 900;
  view.slots.clear();
  for (const data of charts) {
    const ids = data.series.map(({ id }) => id);
    const old = view.charts.get(data.chart);
    const same = old && old.table.capacity === rows && String(old.columns.map(({ id }) => id)) === String(ids);
    const one = {
      name: data.chart, title: data.title, unit: data.unit, kind: data.kind,
      columns: data.series.map(({ id, series, label, side }) => ({
        id, series, label: said(label), below: side === "down",
      })),
      table: same ? old.table : new Table(ids.length, rows, view.interval_s),
    };
    one.table.load(data.at, data.series.map(({ values }) => values), thinned(data, view.interval_s));
    if (!same && old) keep(old, one);
    one.columns.forEach(({ id }, column) => view.slots.set(id, { chart: one, column }));
    view.charts.set(data.chart, one);
  }
}

/** Labels of charts are short: a legend has little room. */
const said = (label) => label.replace(/\breceive\b/, "in").replace(/\btransmit\b/, "out");

/**
 * The shown time, the same for every chart: a young recorder fills the picture with the little it has, two minutes at
 * least, and the picture grows to the chosen range.
 */
export function shown(view) {
  let first = view.at - YOUNGEST_S;
  for (const { table } of view.charts.values()) first = Math.min(first, table.first);
  return { from: Math.max(first, view.at - view.hours * 3600), to: view.at };
}

/** The loopback's bytes never leave the host, and would rule the picture of those that do: not drawn beside real devices. */
export function aside(view, { name, columns }, k) {
  const loopback = ({ id }) => /^lo\d*$/.test(view.series.get(id)?.labels.device ?? "");
  return name === "network" && loopback(columns[k]) && !columns.every(loopback);
}

/** Rows that arrived while the refetch was under way, carried over to a table with other columns. */
function keep(old, one) {
  const [at, ...columns] = old.table.rows();
  const from = one.columns.map(({ id }) => old.columns.findIndex((other) => other.id === id));
  for (let i = 0; i < at.length; i += 1) {
    if (at[i] > one.table.last) one.table.append(at[i], from.map((k) => (k < 0 ? NONE : columns[k][i])));
  }
}

/** How far apart rows may be before it is a hole. Thinned history has no even step; there the server puts an empty row. */
function thinned({ at }, interval_s) {
  if (at.length < 2) return 3 * interval_s;
  const span_s = at[at.length - 1] - at[0];
  if (span_s / (at.length - 1) < 1.3 * interval_s) return 3 * interval_s;
  return Infinity;
}

function trail(view, at) {
  NAMES.forEach((kpi, k) => {
    const fresh = view.members[k].map((id) => (Math.abs(at - view.latest_at.get(id)) < STALE_S ? view.latest.get(id) : NONE));
    const value = joined(kpi, fresh);
    if (!Number.isNaN(value)) view.trails.get(kpi).append(at, [value]);
  });
}

/** Where an alert was on, for the shaded spans of the charts. */
function mark(view, alert) {
  const open = view.spans.find((span) => span.id === alert.id && span.to === null);
  if (alert.state === "firing" && !open) {
    view.spans.push({ id: alert.id, rule: alert.rule, severity: alert.severity, from: alert.since, to: null });
    if (view.spans.length > SPANS) view.spans.shift();
  }
  if (alert.state === "resolved" && open) open.to = alert.at;
}

export class Store {
  constructor() {
    this.view = blank();
    this.link = { state: "idle", road: null, quality: null, retry_at: 0, reason: "" };
    this.recording = { stalled: false, reason: "" };
    this.since = NaN;
    this.ahead_s = NaN;
    this.listeners = new Map();
  }

  apply(message) {
    const topics = evolve(this.view, message);
    for (const topic of topics) this.#tell(topic, message);
    return topics.length > 0;
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

  /** Epoch seconds by the server's clock; by its newest tick before it has told. */
  now() {
    return Number.isNaN(this.ahead_s) ? this.view.at : performance.now() / 1000 + this.ahead_s;
  }

  /** When the log begins (epoch s), by its first event: a sample may bear any time. */
  begun(at) {
    this.since = at;
    this.#tell("sources", at);
  }

  /** on(topic, fn(message)) → unsubscribe. Topics: load metrics tick alerts notifications sources link recording clock. */
  on(topic, listener) {
    const all = this.listeners.get(topic) ?? new Set();
    this.listeners.set(topic, all.add(listener));
    return () => all.delete(listener);
  }

  /** The newest value of a series of the shown source, undefined when there is none. */
  value(name, labels = {}) {
    const found = this.find(name, labels)[0];
    return found === undefined ? undefined : this.view.latest.get(found.id);
  }

  find(name, labels = {}) {
    return (this.view.by_name.get(name) ?? []).filter((one) => one.source === this.view.source
      && Object.entries(labels).every(([key, value]) => one.labels[key] === value));
  }

  kpi(name) {
    const k = NAMES.indexOf(name);
    return joined(name, this.view.members[k].map((id) => this.view.latest.get(id)));
  }

  #tell(topic, message) {
    for (const listener of this.listeners.get(topic) ?? []) listener(message);
  }
}
