// Another time under the one that is shown.

import assert from "node:assert/strict";
import { test } from "node:test";

import { before, called, Ghosts } from "../../../web/static/js/ghosts.js";

const AT = 1_795_400_000;

function room(answer) {
  const asked = [];
  const span = { growing: true, shown: () => ({ from: AT - 100, to: AT }) };
  const store = { present: () => AT, now_view: { interval_s: 1 } };
  const ghosts = new Ghosts({ store, span, ask: async (path) => {
    asked.push(new URL(path, "http://x").searchParams);
    return answer();
  } });
  const tape = { kind: "line", ids: [1], ghost: null, told: 0, changed: () => (tape.told += 1) };
  return { ghosts, tape, asked, span };
}

test("the address says how long before, in names and in seconds; what means nothing is nothing", () => {
  assert.deepEqual(["1h", "1d", "7d", "90s", "12.5s"].map(before), [3600, 86_400, 604_800, 90, 12.5]);
  assert.deepEqual(["", "s", "-5s", "0s", "1y", "99999999999s", "<b>"].map(before), [0, 0, 0, 0, 0, 0, 0]);
  assert.equal(called(3600), "One hour before");
  assert.equal(called(90), "1 min 30 s before");
});

test("a ghost is asked for as long before, and stands where it would if it were of the shown time", async () => {
  const { ghosts, tape, asked } = room(() => ({ charts: [{ at: [AT - 3700, AT - 3600, AT - 3590], values: [[1, 2, 3]] }] }));
  ghosts.set(3600);
  await ghosts.load([tape], 600);
  assert.deepEqual([asked[0].get("from"), asked[0].get("chart"), asked[0].get("points")], [(AT - 3700).toFixed(3), "line:1", "600"]);
  assert.ok(Number(asked[0].get("to")) > AT - 3600);
  const [at, values] = tape.ghost.table.rows();
  assert.deepEqual([[...at], [...values]], [[AT - 100, AT, AT + 10], [1, 2, 3]]);
  assert.equal(tape.told, 1);
});

test("what is answered after another choice is not drawn, and a refusal leaves the picture as it is", async () => {
  let let_go;
  const { ghosts, tape } = room(() => new Promise((done) => {
    let_go = () => done({ charts: [{ at: [AT - 3600], values: [[9]] }] });
  }));
  ghosts.set(3600);
  const first = ghosts.load([tape], 600);
  ghosts.set(86_400);
  let_go();
  await first;
  assert.equal(tape.ghost, null);
  const other = room(() => {
    throw new Error("refused");
  });
  other.ghosts.set(3600);
  await other.ghosts.load([other.tape], 600);
  assert.equal(other.tape.ghost.table.length, 0);
  other.ghosts.set(0);
  await other.ghosts.load([other.tape], 600);
  assert.equal(other.tape.ghost, null);
});
