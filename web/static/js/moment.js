// What stood at a moment, as the server tells it (`state?at=`).

import { first, micro } from "./wire.js";

// Of the answer's charts nothing is used: it takes the shortest.
const HOURS = 0.01;

const asked = (ask, at, source = "") => ask(`/api/realtime/state?${new URLSearchParams({ at: micro(at), hours: HOURS, ...(source && { source }) })}`);

/** → { snapshot, known }: all as it was at `at` (epoch s), and what `source` said last, null where that is the `host`, whose values are in the snapshot. */
export async function stood(ask, at, host, source) {
  const [all, its] = await Promise.all([host ? asked(ask, at) : null, source === host ? null : asked(ask, at, source)]);
  return { snapshot: all && first(all), known: its && { type: "known", series: its.series, metrics: first(its).metrics } };
}
