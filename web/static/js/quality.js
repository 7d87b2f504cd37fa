// How good the line is, from what was measured on it: round trips, how they vary, and answers that did not come.

const KEPT = 12;
const FAIR_MS = 250;
const POOR_MS = 1_000;
const UNSTEADY_MS = 100;
// An answer that is out for so long is worth a word.
const OWED_MS = 2_500;

export class Quality {
  constructor() {
    this.trips = [];
  }

  /** A question was answered after so many ms, or, NaN, never. */
  took(ms) {
    this.trips.push(ms);
    if (this.trips.length > KEPT) this.trips.shift();
  }

  /**
   * owed_ms: for how long an answer, or a heartbeat that was promised, has been out.
   * → round_ms (median), jitter_ms (mean change from one to the next), missed, owed_ms, grade "good", "fair", "poor", or "" while nothing is known.
   */
  say(owed_ms = 0) {
    const came = this.trips.filter((ms) => !Number.isNaN(ms));
    const missed = this.trips.length - came.length;
    const round_ms = came.length ? [...came].sort((a, b) => a - b)[came.length >> 1] : null;
    const jitter_ms = came.length > 1
      ? came.slice(1).reduce((sum, ms, k) => sum + Math.abs(ms - came[k]), 0) / (came.length - 1) : null;
    const late = owed_ms > OWED_MS;
    return { round_ms, jitter_ms, missed, owed_ms: late ? owed_ms : 0, grade: grade(round_ms, jitter_ms, missed, late) };
  }
}

function grade(round_ms, jitter_ms, missed, late) {
  if (late || missed > 1 || round_ms >= POOR_MS) return "poor";
  if (missed > 0 || round_ms >= FAIR_MS || jitter_ms >= UNSTEADY_MS) return "fair";
  return round_ms === null ? "" : "good";
}
