// What is chosen is asked for exactly, whoever asks: the page, a link, a shell.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

import { MOST, aligned, command, joined, parted, question, selector, unitOf } from "../../../web/static/js/selection.js";

test("a selector means one series of one source, whatever letters are in them", () => {
  assert.equal(selector({ series: "up", source: "web-1" }), 'up{source="web-1"}');
  assert.equal(selector({ series: 'up{a="}"}', source: 'we"b\\' }), 'up{a="}",source="we\\"b\\\\"}');
});

test("an address holds them one a line, each once, and no more than can be told apart", () => {
  const some = ['a{source="x"}', 'b{source="y\\n"}'];
  assert.deepEqual(parted(joined(some)), some);
  assert.deepEqual(parted("a\n a \n\nb"), ["a", "b"]);
  assert.equal(parted(Array.from({ length: 50 }, (_, k) => `s${k}`).join("\n")).length, MOST);
});

test("a shell hands the question on to the letter", () => {
  const asked = question(["a{b=\"it's $HOME `x`\",source=\"y\"}"], { from: "-900s", to: "now", fn: "max", step: "10s", points: 600 });
  const line = command("http://127.0.0.1:8765", asked).replace("curl", "printf '%s\\n'");
  const words = execFileSync("sh", ["-c", line], { encoding: "utf-8" }).trim().split("\n");
  assert.deepEqual(words, [
    "-G", "http://127.0.0.1:8765/api/realtime/query",
    "--data-urlencode", "series=a{b=\"it's $HOME `x`\",source=\"y\"}", "--data-urlencode", "from=-900s", "--data-urlencode", "to=now",
    "--data-urlencode", "fn=max", "--data-urlencode", "step=10s",
  ]);
});

test("units say what a function makes of them", () => {
  assert.deepEqual(["", "max", "count", "rate"].map((fn) => unitOf({ unit: "bytes" }, fn)), ["bytes", "bytes", "", "bytes_per_second"]);
});

const list = (column) => [...column].map((one) => (Number.isNaN(one) ? null : one));

test("series read at other moments share an axis: a reading stands until the next, and a silence is a silence", () => {
  const { at, held, exact } = aligned([
    { at: [0, 1, 2, 10, 11], value: [1, 2, 3, 4, 5] },
    { at: [0.5, 1.5, 2.5], value: [10, 20, 30] },
  ]);
  assert.deepEqual([...at], [0, 0.5, 1, 1.5, 2, 2.5, 5, 10, 11]);
  assert.deepEqual(list(exact[0]), [1, null, 2, null, 3, null, null, 4, 5]);
  assert.deepEqual(list(held[0]), [1, 1, 2, 2, 3, 3, null, 4, 5]);
  assert.deepEqual(list(held[1]), [null, 10, 10, 20, 20, 30, null, null, null]);
});

test("steps in which nothing was read stay empty", () => {
  const { held } = aligned([{ at: [0, 10, 20], value: [1, null, 3] }]);
  assert.deepEqual(list(held[0]), [1, null, 3]);
  assert.deepEqual(list(aligned([{ at: [], value: [] }]).held[0]), []);
});
