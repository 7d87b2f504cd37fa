// The style sheets that nothing on a first look needs: they come after it, or with the first thing that does.

let worn = null;

/** Resolves when they hold. They stand in the page's head in their places among the others, so what overrules what stays the same. */
export function dress() {
  worn ??= Promise.all([...document.querySelectorAll("link[data-late]")].map((link) => new Promise((done, failed) => {
    link.onload = done;
    link.onerror = () => failed(new Error(link.dataset.href));
    Object.assign(link, { rel: "stylesheet", href: link.dataset.href });
  }))).catch((failure) => {
    worn = null;
    throw failure;
  });
  return worn;
}
