/** Time that moves only when told to. Hand-made, because Debian's node cannot mock Date. */
export function clock(t) {
  const real = { setTimeout, setInterval, clearTimeout, clearInterval, now: Date.now };
  const due = new Map();
  let now = 1_000_000;
  let next = 1;
  const plan = (every) => (run, ms = 0) => {
    due.set(next, { run, at: now + ms, every: every ? ms : 0 });
    return next++;
  };
  const cancel = (id) => due.delete(id);
  Object.assign(globalThis, { setTimeout: plan(false), setInterval: plan(true), clearTimeout: cancel, clearInterval: cancel });
  Date.now = () => now;
  t.after(() => {
    const { now: its, ...timers } = real;
    Object.assign(globalThis, timers);
    Date.now = its;
  });
  const pass = (ms) => {
    const until = now + ms;
    for (;;) {
      const [id, one] = [...due].filter(([, { at }]) => at <= until).sort((a, b) => a[1].at - b[1].at)[0] ?? [];
      if (one === undefined) break;
      now = one.at;
      if (one.every) one.at += one.every;
      else due.delete(id);
      one.run();
    }
    now = until;
  };
  /** The machine slept: nothing ran, and the clock has moved. */
  pass.leap = (ms) => {
    now += ms;
    for (const one of due.values()) one.at = Math.max(one.at, now);
  };
  return pass;
}

/** What was promised has run. */
export const settle = () => new Promise((done) => setImmediate(done));
