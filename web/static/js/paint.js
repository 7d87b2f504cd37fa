// At most one drawing per animation frame, none while the page is hidden or the element is out of sight, none that looks like the last;
// and no more of them in a frame than leave it in time.

// What a frame at 60 Hz has left beside layout and painting. Who is not drawn in it is the first of the next.
const FRAME_MS = 8;

const queue = new Set();
let turn = 0;

function frame() {
  turn = 0;
  const end = performance.now() + FRAME_MS;
  for (const run of queue) {
    queue.delete(run);
    // Before it runs: one that fails does not stop the others.
    if (queue.size) turn ||= requestAnimationFrame(frame);
    run();
    if (performance.now() >= end) break;
  }
  if (queue.size || turn === 0) return;
  cancelAnimationFrame(turn);
  turn = 0;
}

function soon(run) {
  queue.add(run);
  turn ||= requestAnimationFrame(frame);
}

/** painter(el, draw, seen?) → { ask(), stop() }. What was asked for while out of sight is drawn on return; seen(whether) tells of both. */
export function painter(element, draw, tell = () => {}) {
  let wanted = true;
  let seen = false;
  const run = () => {
    wanted = false;
    draw();
  };
  const ask = () => {
    wanted = true;
    if (seen) soon(run);
  };
  const watch = new IntersectionObserver((entries) => {
    seen = entries.at(-1).isIntersecting;
    tell(seen);
    if (seen && wanted) ask();
  }, { rootMargin: "100px" });
  watch.observe(element);
  // On paper there is no scrolling to what is out of sight.
  const print = () => wanted && run();
  addEventListener("beforeprint", print);
  return {
    ask,
    stop() {
      watch.disconnect();
      removeEventListener("beforeprint", print);
      queue.delete(run);
    },
  };
}

/** What a picture was last drawn of: whether drawing it again would show anything else. A second that is less than a pixel wide waits for the next. */
export class Drawn {
  constructor() {
    this.forget();
  }

  /** `what` are the things it is made of, compared by identity; `width` in CSS pixels. */
  differs(what, { from, to }, width) {
    const pixel_s = (to - from) / Math.max(1, width * (devicePixelRatio || 1));
    const same = what.length === this.what.length && what.every((one, k) => one === this.what[k]) && width === this.width;
    if (same && Math.abs(to - this.to) < pixel_s && Math.abs(from - this.from) < pixel_s) return false;
    // Whether nothing but the time is another.
    this.moved = same;
    Object.assign(this, { what, from, to, width });
    return true;
  }

  forget() {
    Object.assign(this, { what: [], from: NaN, to: NaN, width: NaN });
  }
}
