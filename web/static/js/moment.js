// What stood at a moment, as the server tells it (`state?at=`).

import { first, micro, seconds } from "./wire.js";

// Of the answer's charts nothing is used: it takes the shortest.
const HOURS = 0.01;
// How a counter rose is read off its last readings; one that has said nothing for so long rises no more (seconds).
const RISE_S = 120;
// So many, that no row is thinned out; and the server's bound for one question.
const POINTS = 2_000;
const MOST_AT_ONCE = 40;
const SAME_S = 2e-6;

/**
 * → { snapshot, told }: all as it was at `at` (epoch s), null without a `host` to ask for, and the messages that say what the other `sources` said
 * last and how `counters` (source → ids) rose to it. `latest_at` says when those did that are not asked for.
 */
export async function stood(ask, at, { host = "", sources, counters, latest_at = new Map() }) {
  const asked = (source) => ask(`/api/realtime/state?${new URLSearchParams({ at: micro(at), hours: HOURS, ...(source && { source }) })}`);
  const others = sources.filter((one) => one !== host);
  const told = others.map((one) => asked(one).catch((failure) => {
    // Who had not been heard by then has said nothing; of the one whose page it is, it is told why.
    if (failure.status === 404 && one !== sources[0]) return null;
    throw failure;
  }));
  const [all, its, rises] = await Promise.all([host ? asked("") : null, Promise.all(told).then((found) => found.filter(Boolean)), risen(ask, at, counters)]);
  const answers = [all, ...its].filter(Boolean);
  const last = new Map(answers.flatMap(({ metrics }) => Object.values(metrics)).map((one) => [one.id, seconds(one.at)]));
  const known = its.map((one) => ({ type: "known", series: one.series, metrics: first(one).metrics }));
  const rose = rises.map(({ id, at: times, values }) => {
    const when = last.get(id) ?? latest_at.get(id);
    return { id, at: when, rise: values[times.findLastIndex((time) => Math.abs(time - when) < SAME_S)] ?? NaN };
  });
  return { snapshot: all && first(all), told: [...known, { type: "risen", rises: rose }] };
}

/** How counters rose lately, as it was known then, a source at a time: what others said at other moments would add rows. Only raw rows are of a moment. */
async function risen(ask, at, counters) {
  const charts = [...counters];
  const found = [];
  for (let k = 0; k < charts.length; k += MOST_AT_ONCE) {
    const some = charts.slice(k, k + MOST_AT_ONCE);
    const query = new URLSearchParams({ from: micro(at - RISE_S), to: micro(at), as_of: micro(at), points: String(POINTS) });
    for (const [, ids] of some) query.append("chart", `line:${ids.join(",")}`);
    const answer = await ask(`/api/realtime/charts?${query}`);
    answer.charts.forEach((one, n) => one.tier === "raw" && some[n][1].forEach((id, column) => found.push({ id, at: one.at, values: one.values[column] })));
  }
  return found;
}

/** Asks for what is looked at in a store and has not been asked for, at the moment `at()`, until there is no more. `source` is looked at in any case. */
export async function bring(ask, at, store, source) {
  const { view } = store;
  while (store.view === view && store.past) {
    const wanted = store.wanted(source, view.brought);
    if (wanted.sources.length + wanted.counters.size === 0) return;
    mark(view, wanted);
    const { told } = await stood(ask, at(), { ...wanted, latest_at: view.latest_at });
    if (store.view === view) for (const one of told) store.replay(one);
  }
}

/** What was wanted is asked for. */
export function mark(view, { sources, counters }) {
  for (const one of [...sources, ...[...counters.values()].flat()]) view.brought.add(one);
}
