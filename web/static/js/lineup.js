// Which series of a source have anything to show.

// Series of commands that have gone are not drawn; of the others only the busiest.
export const COMMANDS = new Set(["system_process_cpu_ratio", "system_process_memory_bytes"]);
const BUSIEST = 8;
// Where a stretch begins nothing has been said in it yet: what spoke so lately before the playhead is about to (seconds).
const LATELY_S = 120;

/**
 * Those that said anything in one of `looks` ([{ view, from, past, at }]: a view of a store, since when its time is shown, whether it
 * is of the past: what was not named then has nothing to show, and where its playhead stands), commands among them only while they are busy, or are in `kept`
 * (ids) already: they would come and go with every tick.
 */
export function lineup(looks, source, kept) {
  const named = looks[0].view.of_source.get(source) ?? [];
  // A moment of which nothing is known says nothing of the others; where it is alone there may be anything.
  const told = looks.filter(({ view }) => view.seq >= 0);
  const known = (told.length ? told : looks).map((look) => ({ ...look, from: Math.min(look.from, Number.isFinite(look.at) ? look.at - LATELY_S : Infinity), past: look.past && named.some(({ id }) => look.view.latest_at.has(id)) }));
  const said = (id, { view, from, past }) => (past ? view.latest_at.get(id) >= from : !(view.latest_at.get(id) < from));
  const all = named.filter(({ id }) => known.some((look) => said(id, look)));
  const latest = ({ id }) => Math.max(...looks.map(({ view }) => view.latest.get(id) ?? 0));
  const busy = new Set(kept);
  for (const name of COMMANDS) {
    const some = all.filter((one) => one.name === name).sort((a, b) => latest(b) - latest(a));
    for (const { id } of some.slice(0, BUSIEST)) busy.add(id);
  }
  return all.filter((one) => !COMMANDS.has(one.name) || busy.has(one.id));
}
