// The wall: how fast it turns, where it goes, when it is night and which alert stands in front.

import assert from "node:assert/strict";
import { test } from "node:test";

import { night, pace, places, worst } from "../../../web/static/js/wall.js";

const VIEWS = ["host", "overview", "alerts"];

test("a turn has bounds, and no turn is asked for by nothing", () => {
  assert.deepEqual(["30", "1", "99999"].map(pace), [30, 5, 3_600]);
  for (const text of ["", "0", "-3", "soon"]) assert.ok(Number.isNaN(pace(text)), text);
});

test("the round is what the address names, else everything there is", () => {
  assert.deepEqual(places("overview,host/rack/1,nowhere,alerts", [], VIEWS), [
    { view: "overview", source: "" }, { view: "host", source: "rack/1" }, { view: "alerts", source: "" },
  ]);
  assert.deepEqual(places("", ["b", "a"], VIEWS).map(({ view, source }) => `${view}/${source}`), ["overview/", "host/a", "host/b"]);
  assert.deepEqual(places("", ["a"], VIEWS), [{ view: "host", source: "a" }]);
  assert.equal(places("", Array.from({ length: 500 }, (_, k) => `h${k}`), VIEWS).length, 40);
});

test("night goes over midnight, within a day, or never", () => {
  const hours = (text) => [0, 5, 6, 12, 21, 22, 23].filter((hour) => night(text, hour));
  assert.deepEqual(hours(""), [0, 5, 22, 23]);
  assert.deepEqual(hours("0-6"), [0, 5]);
  assert.deepEqual(hours("21-5"), [0, 21, 22, 23]);
  assert.deepEqual(hours("off"), []);
});

test("in front stands what is critical, then what is new", () => {
  const alert = (severity, since) => ({ severity, since });
  assert.deepEqual(worst([alert("warning", 9), alert("critical", 1), alert("critical", 5)]), alert("critical", 5));
  assert.equal(worst([]), undefined);
});
