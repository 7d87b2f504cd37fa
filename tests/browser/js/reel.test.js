// Where one may go next on the tape, as far as only the log knows it. Only the server's answers are made up.

import assert from "node:assert/strict";
import { test } from "node:test";

import { noted } from "../../../web/static/js/reel.js";

const AT = 1_795_400_000;
const text = (at) => new Date(at * 1000).toISOString();

test("that a source fell silent or spoke is a moment to go to, and that the recorder started is not told twice", async () => {
  const all = [["source_seen", 10], ["started", 20], ["source_lost", 30], ["source_seen", 40]].map(([what, second]) => ({ at: text(AT + second), data: { what } }));
  const asked = [];
  const ask = async (path) => {
    const wanted = new URL(path, "http://x").searchParams;
    asked.push([wanted.get("type"), wanted.get("order")]);
    const within = all.filter(({ at }) => (wanted.has("from") ? at >= wanted.get("from") : at < wanted.get("to")));
    return { events: wanted.get("order") === "oldest" ? within : within.reverse() };
  };
  const second = async (at, direction) => Math.round(1000 * ((await noted(ask, AT + at, direction)) - AT)) / 1000;
  assert.deepEqual([await second(12, 1), await second(30.001, 1), await second(30.001, -1), await second(35, -1)], [30.001, 40.001, 10.001, 30.001]);
  assert.ok(Number.isNaN(await second(50, 1)));
  assert.deepEqual(asked[0], ["system", "oldest"]);
  assert.deepEqual(asked[2], ["system", "newest"]);
});
