// What nothing on a first look wears: it comes with the first thing that does.

let worn = null;

/** Resolves when it holds. */
export function dress() {
  worn ??= new Promise((done, failed) => {
    const link = document.querySelector("link[data-late]");
    link.onload = done;
    link.onerror = () => failed(new Error(link.dataset.href));
    Object.assign(link, { rel: "stylesheet", href: link.dataset.href });
  }).catch((failure) => {
    worn = null;
    throw failure;
  });
  return worn;
}
