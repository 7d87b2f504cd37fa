// When things are drawn, by node's own runner: `node --test tests/browser/js/`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Drawn, painter } from "../../../web/static/js/paint.js";

const LONG_MS = 5;

/** Frames that come when they are told to, elements that are seen when they are told to, and drawings that take `LONG_MS`. */
function screen(t) {
  const real = { requestAnimationFrame: globalThis.requestAnimationFrame, cancelAnimationFrame: globalThis.cancelAnimationFrame, IntersectionObserver: globalThis.IntersectionObserver, addEventListener: globalThis.addEventListener, removeEventListener: globalThis.removeEventListener, now: performance.now };
  let now = 0;
  let next = 1;
  const due = new Map();
  performance.now = () => now;
  Object.assign(globalThis, {
    requestAnimationFrame: (run) => (due.set(next, run), next++),
    cancelAnimationFrame: (id) => due.delete(id),
    IntersectionObserver: class {
      constructor(tell) {
        this.tell = tell;
      }
      observe(element) {
        element.see = (isIntersecting) => this.tell([{ isIntersecting }]);
      }
      disconnect() {}
    },
    addEventListener() {}, removeEventListener() {},
  });
  t.after(() => {
    performance.now = real.now;
    Object.assign(globalThis, real);
  });
  return {
    frame() {
      const runs = [...due.values()];
      due.clear();
      for (const run of runs) run();
      return due.size;
    },
    work: () => (now += LONG_MS),
  };
}

test("what is asked for at once is drawn over as many frames as it takes, each once, nobody twice before all the others", (t) => {
  const { frame, work } = screen(t);
  const drawn = [];
  const all = Array.from({ length: 5 }, (_, k) => {
    const element = {};
    const one = painter(element, () => (work(), drawn.push(k)));
    element.see(true);
    return one;
  });
  assert.equal(frame(), 1);
  assert.deepEqual(drawn, [0, 1]);
  all[0].ask();
  all[4].ask();
  frame();
  assert.deepEqual(drawn, [0, 1, 2, 3]);
  assert.equal(frame(), 0);
  assert.deepEqual(drawn, [0, 1, 2, 3, 4, 0]);
  all.forEach(({ ask }) => ask());
  all.forEach(({ stop }) => stop());
  frame();
  assert.equal(drawn.length, 6);
});

test("what is out of sight is drawn when it comes back, and a drawing that fails keeps nobody else from being drawn", (t) => {
  const { frame, work } = screen(t);
  const drawn = [];
  const [first, second] = [{}, {}];
  const one = painter(first, () => {
    work();
    throw new Error("no canvas");
  });
  const other = painter(second, () => drawn.push(work()));
  first.see(true);
  second.see(true);
  assert.throws(frame, /no canvas/);
  frame();
  assert.equal(drawn.length, 1);
  second.see(false);
  other.ask();
  frame();
  assert.equal(drawn.length, 1);
  second.see(true);
  frame();
  assert.equal(drawn.length, 2);
  one.stop();
  other.stop();
});

test("a second that is less than a pixel wide waits for the next", () => {
  globalThis.devicePixelRatio = 1;
  const drawn = new Drawn();
  assert.ok(drawn.differs(["a"], { from: 0, to: 900 }, 450));
  assert.ok(!drawn.differs(["a"], { from: 1, to: 901 }, 450));
  assert.ok(drawn.differs(["b"], { from: 1, to: 901 }, 450));
  assert.ok(drawn.differs(["b"], { from: 3, to: 903 }, 450));
  drawn.forget();
  assert.ok(drawn.differs(["b"], { from: 3, to: 903 }, 450));
});
