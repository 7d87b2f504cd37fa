// How long to stay away: full jitter, so that a thousand pages do not come back in the same second.

export const FLOOR_MS = 500;
export const CEILING_MS = 20_000;

/** Milliseconds to wait after `failures` failed returns in a row (0 for the first loss). */
export function backoff(failures, random = Math.random) {
  const roof = Math.min(CEILING_MS, FLOOR_MS * 2 ** (failures + 2));
  return FLOOR_MS + random() * (roof - FLOOR_MS);
}
