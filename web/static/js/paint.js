// At most one drawing per animation frame, none while the page is hidden or the element is out of sight.

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
