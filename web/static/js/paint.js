// At most one drawing per animation frame, none while the page is hidden or the element is out of sight, none that looks like the last.

/** painter(el, draw, seen?) → { ask(), stop() }. What was asked for while out of sight is drawn on return; seen(whether) tells of both. */
export function painter(element, draw, tell = () => {}) {
  let asked = 0;
  let wanted = true;
  let seen = false;
  const run = () => {
    asked = 0;
    wanted = false;
    draw();
  };
  const ask = () => {
    wanted = true;
    if (seen && asked === 0) asked = requestAnimationFrame(run);
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
      cancelAnimationFrame(asked);
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
    Object.assign(this, { what, from, to, width });
    return true;
  }

  forget() {
    Object.assign(this, { what: [], from: NaN, to: NaN, width: NaN });
  }
}
