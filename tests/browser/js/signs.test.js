// What a page tells while nobody looks at it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Herald } from "../../../web/static/js/herald.js";
import { Lookout } from "../../../web/static/js/lookout.js";
import { blank } from "../../../web/static/js/store.js";
import { clock, settle } from "./clock.js";

const ALERT = {
  id: "cpu-1-5", rule: "cpu", state: "firing", severity: "critical", series: "cpu", value: 91, threshold: 80, unit: "percent",
  since: "2026-11-23T03:11:36.000000Z", at: "2026-11-23T03:11:46.000000Z", source: "web-1", message: "CPU at 91 %",
};
const LIVE = {
  cursor: "f:40", at: "2026-11-23T03:12:00.000000Z", source: "web-1", interval_s: 1, version: "1", cached: false, series: [], metrics: {}, sources: [],
  rules: [], alerts: [ALERT], notifications: [],
};

function watched(t) {
  clock(t);
  const walks = [];
  const told = [];
  const lookout = new Lookout({
    roads: [{ id: "ws", open(position, on) { walks.push({ position, on }); return { close() {} }; } }],
    load: async () => LIVE,
    told: ({ type, alert, notification }) => told.push(`${type} ${alert?.state ?? notification.message}`),
    changed() {},
  });
  return { lookout, walks, told };
}

const view = (seq) => Object.assign(blank(), { ready: true, epoch: "e", seq, source: "web-1" });

test("a lookout goes on from where the page stands, hears facts, and leaves the page's own state alone", (t) => {
  const { lookout, walks, told } = watched(t);
  const its = view(10);
  lookout.start(its, "e:10");
  assert.equal(walks[0].position.cursor, "e:10");
  walks[0].on.opened({});
  walks[0].on.frame("alert", { ...ALERT, seq: 12, cursor: "e:12" });
  walks[0].on.frame("notification", { seq: 13, cursor: "e:13", id: "n", type: "error", title: "", message: "backup failed", at: ALERT.at, source: "app" });
  assert.deepEqual(told, ["alert firing", "notification backup failed"]);
  assert.equal(lookout.store.view.alerts.size, 1);
  assert.equal(lookout.store.view.notifications.length, 1);
  // The page resumes from 10 and must take each of them as new.
  assert.deepEqual([its.seq, its.alerts.size, its.notifications.length], [10, 0, 0]);
  walks[0].on.frame("alert", { ...ALERT, state: "resolved", seq: 14, cursor: "e:14" });
  assert.deepEqual(told.at(-1), "alert resolved");
  assert.equal(lookout.store.view.alerts.size, 0);
  lookout.stop();
  assert.equal(lookout.store, null);
});

test("what a lookout finds open after a reset is news, what it knew is none", async (t) => {
  const { lookout, walks, told } = watched(t);
  lookout.start(view(10), "e:10");
  walks[0].on.opened({});
  walks[0].on.frame("reset", { reason: "foreign", detail: "another log" });
  await settle();
  assert.deepEqual(told, ["alert firing"]);
  assert.equal(walks.at(-1).position.cursor, "f:40");
  walks.at(-1).on.opened({});
  lookout.stop();

  const again = watched(t);
  const known = view(10);
  known.alerts.set(ALERT.id, { ...ALERT, since: 0, at: 0 });
  again.lookout.start(known, "");
  await settle();
  assert.deepEqual(again.told, []);
  again.lookout.stop();
});

test("word goes to the desktop only when it is wanted, allowed, and nobody looks", async (t) => {
  const { localStorage } = globalThis;
  t.after(() => Object.assign(globalThis, { localStorage }));
  const said = [];
  class Notice {
    static permission = "default";
    static async requestPermission() {
      Notice.permission = "granted";
    }
    constructor(title, { body, tag }) {
      said.push({ title, body, tag });
    }
  }
  const page = { hidden: true };
  const herald = new Herald({ page, Notice, visit() {} });
  const fired = { type: "alert", alert: { ...ALERT } };
  herald.tell(fired);
  assert.equal(herald.state, "off");
  assert.equal(await herald.want(true), "on");
  herald.tell(fired);
  herald.tell({ type: "alert", alert: { ...ALERT, state: "resolved" } });
  herald.tell({ type: "notification", notification: { id: "1", type: "info", title: "", message: "fine" } });
  page.hidden = false;
  herald.tell(fired);
  assert.deepEqual(said.map(({ title }) => title), ["CPU at 91 %", "Resolved: CPU at 91 %"]);
  assert.equal(said[0].tag, said[1].tag);
  assert.equal(said[0].body, "91.0 % against 80.0 % · web-1");
  assert.equal(await herald.want(false), "off");
  Notice.permission = "denied";
  assert.equal(await herald.want(true), "denied");
  assert.equal(new Herald({ page, Notice: undefined, visit() {} }).state, "absent");
});
