// Where panels stand on a grid of twelve columns: moved, resized and added; what is in the way gives way downwards, and nothing floats.
//
// A panel has { key, kind, x, y, w, h }. Every function gives new panels and leaves the old ones as they are.

export const COLUMNS = 12;
export const ROWS = 1_000;
export const HEIGHT = 50;
/** What a new panel takes. */
export const SIZES = { chart: { w: 6, h: 6 }, tile: { w: 3, h: 3 }, text: { w: 4, h: 4 }, alerts: { w: 6, h: 5 } };

// Smaller, and a panel says nothing any more.
const LEAST = { chart: { w: 3, h: 4 }, tile: { w: 2, h: 3 }, text: { w: 2, h: 1 }, alerts: { w: 3, h: 3 } };

const clamp = (value, least, most) => Math.max(least, Math.min(most, value));
const abreast = (one, other) => one.x < other.x + other.w && other.x < one.x + one.w;
const overlap = (one, other) => abreast(one, other) && one.y < other.y + other.h && other.y < one.y + one.h;
const same = (one, other) => one.every(({ key, x, y, w, h }, k) => other[k].key === key && other[k].x === x && other[k].y === y && other[k].w === w && other[k].h === h);

/** Top to bottom, left to right: the order in which a person, and a phone, reads them. */
export function reading(panels) {
  return [...panels].sort((one, other) => one.y - other.y || one.x - other.x);
}

/** The first row that is free of everything. */
export const bottom = (panels) => panels.reduce((most, { y, h }) => Math.max(most, y + h), 0);

/** The panel at another place, as far as that is on the grid. */
export function moved(panels, key, { x, y }) {
  const was = panels.find((one) => one.key === key);
  const now = { ...was, x: clamp(x, 0, COLUMNS - was.w), y: clamp(y, 0, ROWS - was.h) };
  return arranged(panels, now, now.y > was.y);
}

/** The panel in another size: at least what its kind needs, at most what is left of the grid. */
export function resized(panels, key, { w, h }) {
  const was = panels.find((one) => one.key === key);
  const least = LEAST[was.kind];
  const now = { ...was, w: clamp(w, Math.min(least.w, was.w), COLUMNS - was.x), h: clamp(h, Math.min(least.h, was.h), HEIGHT) };
  return arranged(panels, now, false);
}

/** A new one, at the first place that has room for it. */
export function added(panels, panel) {
  const room = (x, y) => !panels.some((one) => overlap(one, { ...panel, x, y }));
  for (let y = 0; ; y += 1) {
    for (let x = 0; x + panel.w <= COLUMNS; x += 1) {
      if (room(x, y)) return [...panels, { ...panel, x, y }];
    }
  }
}

/** Without it, and what stood below moves up. */
export const removed = (panels, key) => packed(reading(panels.filter((one) => one.key !== key)));

/**
 * One step by the keyboard. `start` is the grid before the first step, `wish` where the panel was sent so far: a panel is
 * carried over others, so a step is as many rows as it takes until something moves.
 * → { panels, wish }
 */
export function nudged(start, key, wish, { dx, dy }) {
  const { w, h } = start.find((one) => one.key === key);
  const others = start.filter((one) => one.key !== key);
  const last = Math.min(ROWS - h, bottom(others));
  const before = moved(start, key, wish);
  if (dx) {
    const to = { ...wish, x: clamp(wish.x + dx, 0, COLUMNS - w) };
    return { panels: moved(start, key, to), wish: to };
  }
  let { y } = wish;
  while (y + dy >= 0 && y + dy <= last) {
    y += dy;
    const panels = moved(start, key, { x: wish.x, y });
    if (!same(panels, before)) return { panels, wish: { x: wish.x, y } };
  }
  return { panels: before, wish };
}

/** The grid with one panel as it is to be: whoever is passed by more than half gives way. */
function arranged(panels, now, down) {
  const others = reading(panels.filter((one) => one.key !== now.key));
  const before = (one) => (down ? now.y + now.h <= one.y + one.h / 2 : now.y < one.y + one.h / 2);
  const place = others.findIndex((one) => abreast(one, now) && before(one));
  const order = place < 0 ? [...others, now] : [...others.slice(0, place), now, ...others.slice(place)];
  const settled = new Map(packed(order).map((one) => [one.key, one]));
  return panels.map(({ key }) => settled.get(key));
}

/** In this order, each moves up until it meets one that has its place already, or down until it has room. */
function packed(order) {
  const settled = [];
  for (const one of order) {
    const free = (y) => !settled.some((other) => overlap(other, { ...one, y }));
    let { y } = one;
    while (y > 0 && free(y) && free(y - 1)) y -= 1;
    while (!free(y)) y += 1;
    settled.push({ ...one, y });
  }
  return settled;
}
