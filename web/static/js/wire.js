// Frames → messages for the store. The one place that knows how a frame is spelled (the server's side is `frames`).

/** RFC 3339 in UTC, six digits → epoch seconds, microseconds kept. Epoch seconds pass through; null, never, is NaN. */
export function seconds(text) {
  if (text === null) return NaN;
  if (typeof text === "number") return text;
  const whole = Date.parse(`${text.slice(0, 19)}Z`) / 1000;
  const fraction = text.slice(19, -1);
  return fraction ? whole + Number(`0${fraction}`) : whole;
}

/** Epoch seconds → RFC 3339 in UTC, for the clock, files and questions. */
export function rfc3339(at) {
  return new Date(at * 1000).toISOString();
}

/** The same to the microsecond, as the tape has it: what stood then may have changed within a millisecond. */
export function micro(at) {
  const whole = Math.floor(at);
  const parts = Math.round((at - whole) * 1e6);
  return `${new Date((whole + Math.floor(parts / 1e6)) * 1000).toISOString().slice(0, 19)}.${String(parts % 1e6).padStart(6, "0")}Z`;
}

const log = (data) => ({ seq: data.seq, at: seconds(data.at), source: data.source });

const told = (data) => (data.server_time ? { type: "clock", at: seconds(data.server_time) } : null);

const KINDS = {
  metrics: (data) => ({
    type: "metrics", ...log(data), ids: data.ids, values: data.values, conflated: data.conflated ?? 0,
  }),
  alert: (data) => ({ type: "alert", ...log(data), alert: alert(data) }),
  notification: (data) => ({ type: "notification", ...log(data), notification: notification(data) }),
  annotation: (data) => ({ type: "annotation", ...log(data), annotation: annotation(data) }),
  layout: (data) => ({ type: "layout", ...log(data), layout: layout(data) }),
  system: (data) => ({ type: "system", ...log(data), what: data.what, detail: data.detail ?? {} }),
  series: (data) => ({ type: "series", series: data.series }),
  snapshot: (data) => ({ type: "snapshot", ...first(data) }),
  hello: told, heartbeat: told, pong: told,
};

/** One frame → one message, or null for a frame that is the link's business or newer than this page. */
export function message(event, data) {
  const kind = KINDS[event];
  return kind === undefined ? null : kind(data);
}

/** `name{label="value",…}` → { name, labels }, with the escapes of the Prometheus text format. */
export function parsed(text) {
  const brace = text.indexOf("{");
  if (brace < 0) return { name: text, labels: {} };
  const labels = {};
  for (const [, key, value] of text.slice(brace).matchAll(/([A-Za-z_][\w.]*)="((?:[^"\\]|\\.)*)"/g)) {
    labels[key] = value.replace(/\\(.)/g, (_, escaped) => (escaped === "n" ? "\n" : escaped));
  }
  return { name: text.slice(0, brace), labels };
}

function alert(data) {
  return { ...data, at: seconds(data.at), since: seconds(data.since) };
}

function notification(data) {
  return { ...data, at: seconds(data.at) };
}

/** The incident that is open, as the page is told of it: { title, source, from, to }; null where a server records. */
export function incident(text) {
  if (!text) return null;
  const { title, source, from, to } = JSON.parse(text);
  return { title, source, from: seconds(from), to: seconds(to) };
}

/** What somebody marked: `until` is NaN where it is a moment. */
export function annotation(data) {
  return { ...data, at: seconds(data.at), since: seconds(data.since), until: seconds(data.until) };
}

/** A dashboard of somebody's own, as frames and answers tell it; its `seq` is its version. */
export function layout(data) {
  return { ...data, at: seconds(data.at) };
}

/** `dashboard/live` (or a snapshot, which has no charts) → what the store loads. */
export function first(data) {
  return {
    cursor: data.cursor,
    seq: Number(data.cursor.slice(data.cursor.lastIndexOf(":") + 1)),
    at: seconds(data.at),
    source: data.source,
    interval_s: data.interval_s,
    version: data.version,
    cached: data.cached,
    series: data.series,
    metrics: Object.values(data.metrics).map(({ id, value, at }) => ({ id, value, at: seconds(at) })),
    sources: data.sources.map((one) => ({
      ...one, first_seen: seconds(one.first_seen), last_seen: seconds(one.last_seen),
    })),
    rules: data.rules,
    alerts: data.alerts.map(alert),
    notifications: data.notifications.map(notification),
    annotations: (data.annotations ?? []).map(annotation),
  };
}
