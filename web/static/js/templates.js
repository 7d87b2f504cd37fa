// Dashboards to begin with: each says something on any recorder, whatever its hosts are called.

import { t } from "./words.js";

const every = (name, more = "") => `${name}{source=~".+"${more}}`;
const half = (title, y, x, panel) => ({ kind: "chart", x, y, w: 6, h: 6, title, ...panel });

export const TEMPLATES = {
  blank: () => ({ title: t("New dashboard"), tags: [], panels: [] }),
  hosts: () => ({
    title: t("All hosts side by side"), tags: ["hosts"],
    panels: [
      { kind: "tile", x: 0, y: 0, w: 4, h: 3, title: t("Busiest CPU"), series: [every("system_cpu_utilization_ratio")] },
      { kind: "tile", x: 4, y: 0, w: 4, h: 3, title: t("Fullest memory"), series: [every("system_memory_utilization_ratio")] },
      { kind: "tile", x: 8, y: 0, w: 4, h: 3, title: t("Fullest file system"), series: [every("system_filesystem_utilization_ratio")] },
      half(t("CPU busy"), 3, 0, { series: [every("system_cpu_utilization_ratio")] }),
      half(t("Memory in use"), 3, 6, { series: [every("system_memory_utilization_ratio")] }),
      half(t("Load 1 m"), 9, 0, { series: [every("system_load", ',period="1m"')] }),
      half(t("File systems"), 9, 6, { series: [every("system_filesystem_utilization_ratio")] }),
      { kind: "alerts", x: 0, y: 15, w: 12, h: 5 },
    ],
  }),
  service: () => ({
    title: t("Service: requests, errors, duration"), tags: ["service"],
    panels: [
      { kind: "text", x: 0, y: 0, w: 12, h: 2, text: t("Rates, failures and times of the source chosen above, by what its metrics are called.") },
      { kind: "chart", x: 0, y: 2, w: 12, h: 6, title: t("Requests"), series: ['{__name__=~".*requests?(_total|_per_second|_rate)?"}'], source: "$source" },
      half(t("Errors"), 8, 0, { series: ['{__name__=~".*(error|fail)[^.]*"}'], source: "$source" }),
      half(t("Duration"), 8, 6, { series: ['{__name__=~".*(duration|latency|response_time|request_time).*"}'], source: "$source" }),
      { kind: "alerts", x: 0, y: 14, w: 12, h: 4 },
    ],
  }),
  host: () => ({
    title: t("One host at a glance"), tags: ["hosts"],
    panels: [
      { kind: "tile", x: 0, y: 0, w: 3, h: 3, title: t("CPU"), series: ["system_cpu_utilization_ratio"], source: "$source" },
      { kind: "tile", x: 3, y: 0, w: 3, h: 3, title: t("Memory"), series: ["system_memory_utilization_ratio"], source: "$source" },
      { kind: "tile", x: 6, y: 0, w: 3, h: 3, title: t("Load 1 m"), series: ['system_load{period="1m"}'], source: "$source" },
      { kind: "tile", x: 9, y: 0, w: 3, h: 3, title: t("Fullest file system"), series: ["system_filesystem_utilization_ratio"], source: "$source" },
      half("", 3, 0, { series: ["system_cpu_mode_ratio"], source: "$source" }),
      half("", 3, 6, { series: ["system_memory_bytes"], source: "$source" }),
      half("", 9, 0, { series: ["system_disk_io_bytes_per_second"], source: "$source" }),
      half("", 9, 6, { series: ["system_network_io_bytes_per_second"], source: "$source" }),
    ],
  }),
};

/** What is offered on "new": [id, what it is called, what it shows]. */
export const offers = () => [
  ["blank", t("Empty"), t("Begin with nothing.")],
  ["hosts", t("All hosts side by side"), t("One metric a chart, a line for each host. New ones appear by themselves.")],
  ["host", t("One host at a glance"), t("Of the source that a reader chooses.")],
  ["service", t("Service: requests, errors, duration"), t("Of the source that a reader chooses, by the names of its metrics.")],
];
