// Web Locks say who is alive: the browser lets go of a lock when its holder closes or crashes, at once and without a word from it.

/** Runs `held` when the lock is ours, and keeps it until `signal` aborts. */
export function hold(name, signal, held) {
  return request(name, { signal }, () => {
    held();
    return new Promise((done) => {
      signal.addEventListener("abort", done, { once: true });
    });
  });
}

/** Runs `gone` when nobody holds the lock any more, unless `signal` aborts before. */
export function outlive(name, signal, gone) {
  return request(name, { signal, mode: "shared" }, () => {
    if (!signal.aborted) gone();
  });
}

function request(name, options, granted) {
  return navigator.locks.request(name, options, granted).catch((failure) => {
    // Aborted is what we asked for; anything else is the caller's matter.
    if (failure.name !== "AbortError") throw failure;
  });
}
