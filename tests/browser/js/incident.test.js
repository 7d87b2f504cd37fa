// What is different where an incident is open: its end is the present, and all of it is what is shown.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Player } from "../../../web/static/js/player.js";
import { Span } from "../../../web/static/js/span.js";
import { Store } from "../../../web/static/js/store.js";
import { incident, seconds } from "../../../web/static/js/wire.js";

const NIGHT = incident('{"title":"The night","source":"web-01","from":"2026-11-23T03:00:00.000000Z","to":"2026-11-23T04:00:00.500000Z"}');

test("the page is told which incident it is, or of none", () => {
  assert.deepEqual(NIGHT, { title: "The night", source: "web-01", from: seconds("2026-11-23T03:00:00Z"), to: seconds("2026-11-23T04:00:00.5Z") });
  assert.equal(incident(undefined), null);
});

test("the end of an incident is the present, whatever a clock says, and stays it", async () => {
  const store = new Store({ incident: NIGHT });
  store.heard(NIGHT.to - 100);
  assert.equal(store.present(), NIGHT.to);
  await new Promise((done) => setTimeout(done, 5));
  assert.equal(store.now(), NIGHT.to);
});

test("back to live is back to all of it", () => {
  const span = new Span({ now: () => NIGHT.to, begun: () => NIGHT.from, seconds: 900, whole: NIGHT });
  span.last(300);
  assert.ok(span.moving);
  span.live();
  assert.deepEqual(span.shown(), { from: NIGHT.from, to: NIGHT.to });
});

test("from its end it plays from its beginning; where it is recorded, play at now means pause", () => {
  const made = (store) => new Player({ store, ask: () => new Promise(() => {}), begins: () => NIGHT.from, frame: () => {} });
  const shown = made(new Store({ incident: NIGHT }));
  shown.toggle();
  assert.deepEqual([shown.at, shown.playing], [NIGHT.from, true]);
  const live = made(new Store());
  live.store.heard(NIGHT.to);
  live.toggle();
  assert.ok(live.past && !live.playing);
});
