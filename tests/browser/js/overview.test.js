// The pure parts of the overview: order, choice of figures, and how they are made of series.

import assert from "node:assert/strict";
import { test } from "node:test";

import { UNUSUAL, figures, joined } from "../../../web/static/js/panels/source.js";
import { ordered } from "../../../web/static/js/views/overview.js";

const source = (name, health = "fine", more = {}) => ({ source: name, health, lost: false, unusual: 0, ...more });

test("what needs a look comes first, then by name as people count", () => {
  const all = [
    source("web-10"), source("web-2"), source("odd", "fine", { unusual: UNUSUAL + 1 }), source("usual", "fine", { unusual: UNUSUAL - 1 }),
    source("gone", "warning", { lost: true }), source("warm", "warning"), source("hot", "critical"),
  ];
  assert.deepEqual(ordered(all).map((one) => one.source), ["hot", "gone", "warm", "odd", "usual", "web-2", "web-10"]);
});

const spark = (ids, way = "first", scale = 1, unit = "percent") => ({ unit, fn: "max", ids, way, scale, value: [] });
const HOST = {
  unusual: 0, unusual_in: null,
  sparks: {
    cpu_percent: spark([1], "first", 100), memory_percent: spark([2], "first", 100), disk_percent: spark([3, 4], "highest", 100),
    load_1m: spark([9]), network_receive_bytes_per_second: spark([5, 6], "sum", 1, "bytes_per_second"), network_transmit_bytes_per_second: spark([7], "sum", 1, "bytes_per_second"),
  },
};

test("a host has four figures, and what is unusual is always among them", () => {
  assert.deepEqual(figures(HOST).map(({ key }) => key), ["cpu_percent", "memory_percent", "disk_percent", "network_receive_bytes_per_second"]);
  const odd = figures({ ...HOST, unusual: UNUSUAL, unusual_in: "load_1m" });
  assert.deepEqual(odd.map(({ key }) => key), ["cpu_percent", "memory_percent", "disk_percent", "load_1m"]);
  assert.deepEqual(odd.map((one) => one.odd), [false, false, false, true]);
});

test("an application has its own series, counters as what they rise", () => {
  const [one, two] = figures({
    unusual: 0, unusual_in: null,
    sparks: { 'shop_orders_total{shop="berlin"}': { ...spark([1], "first", 1, "per_second"), fn: "rate" }, shop_carts: spark([2], "first", 1, "") },
  });
  assert.deepEqual([one.title, one.rate, two.title, two.rate], ["Orders berlin", true, "Carts", false]);
});

test("a figure is made of its series: the first, the highest, the sum, and parts are added up", () => {
  const [cpu, , disk, network] = figures(HOST);
  assert.equal(joined(cpu.parts, [0.25]), 25);
  assert.equal(joined(disk.parts, [0.1, 0.5]), 50);
  assert.equal(joined(network.parts, [1, 2, 4]), 7);
  assert.equal(joined(network.parts, [1, undefined, NaN]), 1);
  assert.ok(Number.isNaN(joined(network.parts, [NaN, undefined, NaN])));
});
