// The shared worker: one for all tabs of a browser that show the same build of the page. It ends with the last of them.

import { Exchange } from "./exchange.js";
import { hold, outlive } from "./locks.js";
import { quiet, ROADS } from "./roads.js";

const owner = crypto.randomUUID();
const forever = new AbortController().signal;
const ports = new Map();

const exchange = new Exchange({
  owner,
  roads: [...ROADS, ...ROADS.map(quiet)],
  post(to, message) {
    for (const tab of new Set(to.map((dial) => dial.split("/")[0]))) ports.get(tab)?.postMessage({ ...message, to });
  },
  watch: (tab, gone) => outlive(tab, forever, () => {
    ports.delete(tab);
    gone();
  }),
});

// A tab that is answered may watch for our end, so the lock comes before the first answer.
const ours = new Promise((held) => {
  hold(owner, forever, held);
});

self.onconnect = ({ ports: [port] }) => {
  port.onmessage = async ({ data }) => {
    ports.set(data.from, port);
    await ours;
    exchange.receive(data);
  };
};
