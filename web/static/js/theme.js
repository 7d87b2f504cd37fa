// A classic script in <head>, so that the chosen look is there before the first paint and nothing flashes.
{
  const chosen = (name) => {
    try {
      return localStorage.getItem(`playhead.${name}`);
    } catch {
      // Storage may be forbidden; the system's theme is then the answer.
      return null;
    }
  };
  const { dataset } = document.documentElement;
  if (["light", "dark"].includes(chosen("theme"))) dataset.theme = chosen("theme");
  if (chosen("density") === "compact") dataset.density = "compact";
}
