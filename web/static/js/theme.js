// A classic script in <head>, so that the chosen theme is there before the first paint and nothing flashes.
{
  let chosen = null;
  try {
    chosen = localStorage.getItem("playhead.theme");
  } catch {
    // Storage may be forbidden; the system's theme is then the answer.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
