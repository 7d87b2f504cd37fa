// Series → sections of charts, from their metadata alone. Nothing is wired by hand: what is not known here by name is
// drawn by what its unit, its kind and its labels say.
//
//   plan(series) → [{ id, title, charts: [Chart] }]
//   Chart: { id, title, unit, kind: "stack" | "line" | "mirror", rule, help, lines: [{ id, series, label, below }] }

// Lines on one chart; a metric of more series is drawn as several charts, in the order people count.
export const MOST_LINES = 8;

const ORDER = new Intl.Collator("en", { numeric: true });

// What is known of a metric beyond its metadata. `part`: the label whose values make a whole, or go two ways.
const KNOWN = {
  system_cpu_mode_ratio: { id: "cpu", section: "cpu", title: "CPU", kind: "stack", part: "mode", parts: ["user", "system", "iowait", "softirq", "steal", "nice", "irq"], rule: "cpu", words: "of all cores" },
  system_cpu_core_utilization_ratio: { id: "cores", section: "cpu", title: "Cores" },
  system_cpu_utilization_ratio: { section: "cpu", title: "CPU busy", rule: "cpu", rank: 9 },
  system_load: { id: "load", section: "cpu", title: "Load", order: ["1m", "5m", "15m"] },
  system_pressure_ratio: { section: "cpu", title: "Pressure" },
  system_cpu_frequency_hertz: { section: "cpu", title: "Clock rate", rank: 8 },
  system_context_switches_per_second: { section: "cpu", title: "Context switches", rank: 6 },
  system_interrupts_per_second: { section: "cpu", title: "Interrupts", rank: 7 },
  system_memory_bytes: { id: "memory", section: "memory", title: "Memory", kind: "stack", part: "state", parts: ["used", "cached", "buffers"], whole: "system_memory_total_bytes", rule: "memory" },
  system_memory_utilization_ratio: { section: "memory", title: "Memory in use", rule: "memory", rank: 7 },
  system_swap_bytes: { section: "memory", title: "Swap", kind: "stack", part: "state", parts: ["used", "free"] },
  system_swap_utilization_ratio: { section: "memory", title: "Swap in use", rank: 8 },
  system_paging_bytes_per_second: { section: "memory", title: "Paging", kind: "mirror", part: "direction", parts: ["in", "out"] },
  system_disk_io_bytes_per_second: { id: "disk", section: "disk", title: "Disk", kind: "mirror", part: "direction", parts: ["read", "write"] },
  system_disk_operations_per_second: { section: "disk", title: "Disk operations", kind: "mirror", part: "direction", parts: ["read", "write"] },
  system_disk_io_time_ratio: { section: "disk", title: "Disk busy" },
  system_disk_operation_time_seconds: { section: "disk", title: "Disk response", kind: "mirror", part: "direction", parts: ["read", "write"] },
  system_filesystem_utilization_ratio: { section: "disk", title: "File systems", rule: "disk" },
  system_filesystem_bytes: { section: "disk", title: "Space", kind: "stack", part: "state", parts: ["used", "reserved", "free", "available"], apart: true, rank: 6 },
  system_filesystem_inodes_utilization_ratio: { section: "disk", title: "Inodes", rank: 7 },
  system_network_io_bytes_per_second: { id: "network", section: "network", title: "Network", kind: "mirror", part: "direction", parts: ["receive", "transmit"] },
  system_network_packets_per_second: { section: "network", title: "Packets", kind: "mirror", part: "direction", parts: ["receive", "transmit"] },
  system_network_errors_per_second: { section: "network", title: "Network errors", kind: "mirror", part: "direction", parts: ["receive", "transmit"] },
  system_network_dropped_per_second: { section: "network", title: "Dropped packets", kind: "mirror", part: "direction", parts: ["receive", "transmit"] },
  system_processes: { section: "processes", title: "Processes by state" },
  system_threads: { section: "processes", title: "Threads" },
  system_process_cpu_ratio: { section: "processes", title: "CPU by command", rank: 1 },
  system_process_memory_bytes: { section: "processes", title: "Memory by command", rank: 2 },
  system_file_descriptors: { section: "processes", title: "Open files", rank: 6 },
  system_temperature_celsius: { section: "sensors", title: "Temperature" },
  system_fan_speed_rpm: { section: "sensors", title: "Fans" },
  system_battery_ratio: { section: "sensors", title: "Battery" },
  system_battery_charging: { section: "sensors", title: "On mains power" },
  playhead_http_response_time_seconds: { section: "playhead", title: "Response p95", rule: "response_time" },
  playhead_http_error_ratio: { section: "playhead", title: "Errors", rule: "error_rate" },
  playhead_http_requests_per_second: { section: "playhead", title: "Requests" },
};
// Facts that hardly move: a tile or the headline says them, a chart would be a straight line.
const STILL = new Set(["system_uptime_seconds", "system_boot_timestamp_seconds", "system_memory_total_bytes", "playhead_alert_test"]);
// What another metric says in more detail, where that is recorded.
const SAID = { system_cpu_utilization_ratio: "system_cpu_mode_ratio" };

// Sections in the order they stand; [id, title, names that belong to it].
const SECTIONS = [
  ["cpu", "CPU", /^system_(cpu|load|pressure|context|interrupts)/],
  ["memory", "Memory", /^system_(memory|swap|paging)/],
  ["disk", "Disks", /^system_(disk|filesystem)/],
  ["network", "Network", /^system_network/],
  ["processes", "Processes", /^system_(process|threads|file_descriptors)/],
  ["sensors", "Sensors", /^system_(temperature|fan|battery)/],
  ["container", "Container", /^container_/],
  ["system", "System", /^system_/],
];
const LAST = [["playhead", "Playhead itself", /^playhead_/]];

// Labels whose values are parts of one whole, and values that go against each other, in metrics nobody told us about.
const PARTS = new Set(["mode", "state", "cpu_mode", "memory_state"]);
export const WAYS = [["receive", "transmit"], ["read", "write"], ["in", "out"], ["rx", "tx"], ["sent", "received"], ["hit", "miss"]];
const ADDITIVE = new Set(["bytes", "By", "ratio", "bytes_per_second", "By/s", "per_second"]);

export function plan(series) {
  const metrics = new Map();
  for (const one of series) {
    if (STILL.has(one.name)) continue;
    if (metrics.has(one.name)) metrics.get(one.name).push(one);
    else metrics.set(one.name, [one]);
  }
  const sections = new Map();
  for (const [name, all] of metrics) {
    if (metrics.has(SAID[name])) continue;
    const { id, title } = section(name);
    if (!sections.has(id)) sections.set(id, { id, title, charts: [] });
    sections.get(id).charts.push(...charts(name, all));
  }
  const order = [...SECTIONS, ...LAST].map(([id]) => id);
  // What applications push stands before what we say of ourselves, and after the machine.
  const rank = ({ id }) => (id === "playhead" ? 1000 : order.includes(id) ? order.indexOf(id) : 500);
  const sorted = [...sections.values()].sort((a, b) => rank(a) - rank(b) || ORDER.compare(a.title, b.title));
  for (const one of sorted) one.charts.sort((a, b) => a.rank - b.rank || ORDER.compare(a.title, b.title));
  return sorted;
}

function section(name) {
  for (const [id, title, pattern] of [...SECTIONS, ...LAST]) if (pattern.test(name)) return { id, title };
  const word = name.split(/[_.:]/)[0];
  return { id: `app-${word}`, title: word };
}

/** The charts of one metric. */
function charts(name, all) {
  const known = KNOWN[name] ?? {};
  const [{ unit, kind, help }] = all;
  const varying = labels(all);
  const part = known.part ?? pair(all, varying) ?? whole(all, varying, unit);
  const shape = known.kind ?? (part === undefined ? "line" : part.ways ? "mirror" : "stack");
  const label = typeof part === "string" ? part : part?.label;
  const parts = known.parts ?? part?.ways;
  const counter = kind === "counter";
  const base = {
    title: known.title ?? readable(name, unit), unit: counter ? perSecond(unit) : unit, kind: shape, rule: known.rule ?? "",
    words: known.words ?? "", whole: known.whole ?? "", help, name, rank: Object.hasOwn(KNOWN, name) ? known.rank ?? Object.keys(KNOWN).indexOf(name) / 100 : 5,
  };
  const place = (one) => (parts ? parts.indexOf(one.labels[label]) : -1);
  const kept = known.parts ? all.filter((one) => place(one) >= 0) : all;
  const others = varying.filter((one) => one !== label);
  const owner = (one) => others.map((key) => one.labels[key] ?? "").join(" ");
  const drawn = kept.map((one) => ({
    id: one.id, series: one.series, owner: owner(one), place: place(one),
    label: lineLabel(one, others, label), below: shape === "mirror" && place(one) === 1,
    order: known.order ? known.order.indexOf(Object.values(one.labels)[0]) : 0,
  }));
  drawn.sort((a, b) => virtual(a.owner) - virtual(b.owner) || ORDER.compare(a.owner, b.owner) || a.place - b.place || a.order - b.order || ORDER.compare(a.label, b.label));
  if (drawn.length === 0) return [];
  // Parts of different wholes are never stacked on each other: each whole has a chart of its own.
  const apart = shape === "stack" && new Set(drawn.map((one) => one.owner)).size > 1;
  const groups = apart ? grouped(drawn, (one) => one.owner) : shape === "mirror" ? bunches(drawn) : slices(drawn);
  return groups.map((lines, k) => ({
    ...base,
    id: known.id && k === 0 ? known.id : slug(apart ? `${name}-${lines[0].owner}` : k ? `${name}-${k + 1}` : name),
    title: apart && lines[0].owner ? `${base.title} · ${lines[0].owner}` : groups.length > 1 && !apart ? `${base.title} · ${k + 1}` : base.title,
    lines: lines.map(({ id, series, label: said, below }) => ({ id, series, label: apart ? lineOwn(said, lines[0].owner) : said, below })),
  }));
}

/** Names of the labels whose values differ, or that only some have. */
function labels(all) {
  const names = new Set(all.flatMap((one) => Object.keys(one.labels)));
  return [...names].filter((name) => new Set(all.map((one) => one.labels[name])).size > 1);
}

function pair(all, varying) {
  for (const label of varying) {
    const values = new Set(all.map((one) => one.labels[label]));
    const ways = WAYS.find((way) => values.size === 2 && way.every((one) => values.has(one)));
    if (ways) return { label, ways };
  }
  return undefined;
}

function whole(all, varying, unit) {
  const label = varying.find((one) => PARTS.has(one));
  return label !== undefined && ADDITIVE.has(unit) ? { label } : undefined;
}

function grouped(lines, key) {
  const found = new Map();
  for (const one of lines) {
    if (found.has(key(one))) found.get(key(one)).push(one);
    else found.set(key(one), [one]);
  }
  return [...found.values()];
}

/** At most so many lines each. */
function slices(lines) {
  return Array.from({ length: Math.ceil(lines.length / MOST_LINES) }, (_, k) => lines.slice(k * MOST_LINES, (k + 1) * MOST_LINES));
}

/** As `slices`, and both ways of a device on the same chart. */
function bunches(lines) {
  const found = [];
  for (const group of grouped(lines, (one) => one.owner)) {
    if (found.length && found.at(-1).length + group.length <= MOST_LINES) found.at(-1).push(...group);
    else found.push(group);
  }
  return found;
}

// Interfaces and devices whose bytes cross another one too stand behind the real ones.
const VIRTUAL = /^(lo\d*$|veth|br-|docker|virbr|vnet|tap|tun|wg|cni|cali|flannel|bond|team|dummy|loop|ram|dm-|md\d)/;
const virtual = (owner) => (VIRTUAL.test(owner) ? 1 : 0);

function lineLabel(one, others, part) {
  const said = others.map((key) => one.labels[key]).filter(Boolean);
  if (part !== undefined && one.labels[part] !== undefined) said.push(one.labels[part]);
  // A line that is alone on its chart needs no name beside the title.
  return said.join(" ").replace(/\breceive\b/, "in").replace(/\btransmit\b/, "out");
}

const lineOwn = (label, owner) => (owner && label.startsWith(`${owner} `) ? label.slice(owner.length + 1) : label);

const WORDS = { http: "HTTP", cpu: "CPU", io: "I/O", db: "DB", sql: "SQL", gc: "GC", tcp: "TCP", udp: "UDP", api: "API", url: "URL", id: "ID" };
const UNITS = /_(total|seconds|bytes|ratio|percent|celsius|hertz|per_second|bytes_per_second)$/;

/** shop_orders_total → "Orders": the first word is the application's, and stands over the section. */
export function readable(name, unit) {
  let text = name;
  for (let cut = text.replace(UNITS, ""); cut !== text && cut.includes("_"); cut = text.replace(UNITS, "")) text = cut;
  if (unit && text.endsWith(`_${unit}`)) text = text.slice(0, -unit.length - 1);
  const words = text.split(/[_.:]+/).filter(Boolean);
  const own = words.length > 1 ? words.slice(1) : words;
  const said = own.map((one) => WORDS[one] ?? one).join(" ");
  return said.charAt(0).toUpperCase() + said.slice(1);
}

const RATES = { "": "per_second", bytes: "bytes_per_second", By: "bytes_per_second" };
export const perSecond = (unit) => RATES[unit] ?? `${unit}/s`;

/** A text that can be an id, and is another for another text. */
export function slug(text) {
  const plain = text.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "");
  if (plain === text.replaceAll("_", "-")) return plain;
  let hash = 0;
  for (const letter of text) hash = (Math.imul(31, hash) + letter.codePointAt(0)) >>> 0;
  return `${plain}-${hash.toString(36)}`;
}
