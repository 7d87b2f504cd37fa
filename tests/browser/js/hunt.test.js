// What was typed finds what was meant, and looking through many holds up nobody.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Best, fits, words } from "../../../web/static/js/fuzzy.js";
import { Hunt } from "../../../web/static/js/hunt.js";

const ranked = (typed, texts) => texts.map((text) => [fits(text, words(typed)), text]).filter(([score]) => score > 0).sort((a, b) => b[0] - a[0]).map(([, text]) => text);

test("whole parts of a name before its middle, runs before scattered letters, and nothing that lacks a letter", () => {
  assert.deepEqual(ranked("cpu", ["gcpu_ratio", "system_cpu_ratio", "cpu", "system_copy_use", "memory"]), ["cpu", "system_cpu_ratio", "gcpu_ratio", "system_copy_use"]);
  assert.deepEqual(ranked("sysload", ["system_load", "system_disk"]), ["system_load"]);
});

test("words may come in any order, and all of them have to be there", () => {
  const texts = ['system_cpu_mode_ratio{mode="user"} web-01', 'system_cpu_mode_ratio{mode="user"} web-02', 'system_cpu_mode_ratio{mode="idle"} web-01'];
  assert.deepEqual(ranked("web-01 user", texts), [texts[0]]);
  assert.deepEqual(ranked("user cpu", texts).length, 2);
  assert.deepEqual(ranked("zz", texts), []);
});

test("the best are kept, in order, and no more of them", () => {
  const best = new Best(3);
  [1, 5, 3, 5, 2, 9].forEach((score, k) => best.put(score, k));
  assert.deepEqual(best.all.map(({ item }) => item), [5, 1, 3]);
});

/** So many series of ten sources, and a loop that runs what is put off by hand. */
function crowd(many) {
  const series = new Map();
  for (let id = 1; id <= many; id += 1) {
    const labels = { mode: id % 2 ? "user" : "system", core: String(id) };
    const name = id % 5 ? "system_cpu_mode_ratio" : "shop_orders_total";
    series.set(id, { id, name, labels, source: `web-${id % 10}`, series: `${name}{core="${id}",mode="${labels.mode}"}` });
  }
  const put = [];
  const later = (run) => {
    put.push(run);
    return () => put.splice(put.indexOf(run), 1);
  };
  return { store: { view: { epoch: "e", series } }, put, later };
}

test("fifty thousand series are looked through in slices that no key press feels", () => {
  const { store, put, later } = crowd(50_000);
  const hunt = new Hunt(store, { later });
  let told;
  let slices = 0;
  // The clock of the processor: what else runs on this machine is not the page's doing.
  const spent = [];
  const timed = (run) => {
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    spent.push((user + system) / 1000);
  };
  timed(() => hunt.go("orders 49995", { most: 8 }, (one) => { told = one; slices += 1; }));
  while (put.length) timed(put.shift());
  assert.ok(told.done && slices > 1, `${slices} slices`);
  assert.deepEqual(told.best.map(({ id }) => id), [49_995]);
  const middle = spent.sort((a, b) => a - b)[spent.length >> 1];
  // The slices are of three by their own clock; how long they take is for the bench to say, that they end is for this.
  assert.ok(middle < 40, `${middle} ms`);
});

test("what is typed next ends what was looked for before", () => {
  const { store, put, later } = crowd(1_000);
  let now = 0;
  const hunt = new Hunt(store, { later, now: () => (now += 3) });
  const heard = [];
  hunt.go("cpu", {}, () => heard.push("first"));
  hunt.go("orders", {}, ({ done }) => heard.push(done ? "done" : "second"));
  while (put.length) put.shift()();
  assert.deepEqual(heard.filter((one) => one === "first"), ["first"]);
  assert.equal(heard.at(-1), "done");
});

test("each slice gets on, however slow the machine", () => {
  const { store, put, later } = crowd(100);
  let now = 0;
  const hunt = new Hunt(store, { later, now: () => (now += 1_000) });
  let told;
  hunt.go("cpu", {}, (one) => { told = one; });
  for (let slice = 0; slice < 10 && put.length; slice += 1) put.shift()();
  assert.ok(told.done && told.found === 80, `${told.found}`);
});

test("labels narrow it down, are counted, and what comes later is found", () => {
  const { store, put, later } = crowd(1_000);
  const hunt = new Hunt(store, { later, now: () => 0 });
  let told;
  hunt.go("cpu", { where: [["source", "web-1"], ["mode", "user"]], facets: true }, (one) => { told = one; });
  assert.equal(told.found, 100);
  assert.deepEqual([...told.facets.get("mode")], [["user", 100]]);
  assert.equal(told.facets.get("core").size, 100);
  store.view.series.set(2_000, { id: 2_000, name: "late", labels: {}, source: "web-1", series: "late" });
  hunt.go("late", {}, (one) => { told = one; });
  assert.deepEqual(told.best.map(({ id }) => id), [2_000]);
  assert.equal(put.length, 0);
});
