// The named numbers of the tiles, from the latest samples: the same definitions as the server's `kpis`.

const of = (name, labels = {}) => ({ name, labels });
const busy = of("system_cpu_utilization_ratio");

/** kpi → which series, and how several become one. `times` brings base units to the kpi's. */
export const KPIS = {
  cpu_percent: { ...busy, join: "only", times: 100 },
  memory_percent: { ...of("system_memory_utilization_ratio"), join: "only", times: 100 },
  disk_percent: { ...of("system_filesystem_utilization_ratio"), join: "max", times: 100 },
  load_1m: { ...of("system_load", { period: "1m" }), join: "only", times: 1 },
  network_receive: { ...of("system_network_io_bytes_per_second", { direction: "receive" }), join: "sum", times: 1 },
  network_transmit: { ...of("system_network_io_bytes_per_second", { direction: "transmit" }), join: "sum", times: 1 },
  requests_per_second: { ...of("playhead_http_requests_per_second"), join: "only", times: 1 },
  response_time_ms: { ...of("playhead_http_response_time_seconds"), join: "only", times: 1000 },
  error_rate: { ...of("playhead_http_error_ratio"), join: "only", times: 100 },
};

// Interfaces whose bytes cross another one too, or never leave the host: counted only when there is nothing else.
const VIRTUAL = /^(lo\d*$|veth|br-|docker|virbr|vnet|tap|tun|wg|cni|cali|flannel|bond|team|dummy)/;

export const NAMES = Object.keys(KPIS);

export function matches(kpi, series) {
  const { name, labels } = KPIS[kpi];
  return series.name === name && Object.entries(labels).every(([key, value]) => series.labels[key] === value);
}

/** Those of a kpi's series that count: each byte once. */
export function counted(kpi, all) {
  if (KPIS[kpi].join !== "sum") return all;
  const physical = all.filter(({ labels }) => !VIRTUAL.test(labels.device ?? ""));
  return physical.length ? physical : all;
}

/** Values of the series of one kpi → the kpi, NaN when there is none. */
export function joined(kpi, values) {
  const { join, times } = KPIS[kpi];
  let answer = NaN;
  for (const value of values) {
    if (value === undefined || Number.isNaN(value)) continue;
    if (Number.isNaN(answer)) answer = value;
    else if (join === "sum") answer += value;
    else answer = Math.max(answer, value);
  }
  return answer * times;
}
