// The page's own files, kept in this browser; and a page that says so when the server cannot be reached. Nothing that the
// server measured is ever kept: what is old cannot be taken for live.
//
// The server puts the build in the place of the mark, so that a new build is a new worker.

const ASSETS = "{{ assets }}/";
const SHELF = `playhead ${ASSETS}`;
const OFFLINE = "/offline";
// What the offline page is made of.
const FILES = ["css/tokens.css", "css/offline.css", "icon.svg", "js/theme.js", "js/offline.js", "js/dom.js", "js/format.js", "js/kept.js", "js/words.js", "js/words/de.js"];
// A page of the build before may still be open and look at a view it has not loaded yet.
const BUILDS = 2;

addEventListener("install", (event) => event.waitUntil(stock()));
addEventListener("activate", (event) => event.waitUntil(begin()));
addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  if (request.mode === "navigate") event.respondWith(page(event));
  else if (pathname.startsWith("/assets/")) event.respondWith(asset(request));
});

async function stock() {
  const shelf = await caches.open(SHELF);
  await shelf.addAll([OFFLINE, ...FILES.map((file) => ASSETS + file)]);
  await skipWaiting();
}

async function begin() {
  // In the order they were made.
  const shelves = (await caches.keys()).filter((name) => name.startsWith("playhead "));
  await Promise.all(shelves.slice(0, -BUILDS).map((name) => caches.delete(name)));
  // So that a visit does not wait for us to wake up.
  await registration.navigationPreload?.enable();
  await clients.claim();
}

/** From the server, always; what it says, good or bad, is passed on. */
async function page({ request, preloadResponse }) {
  try {
    return (await preloadResponse) ?? (await fetch(request));
  } catch {
    // Of our own build: that of the one before may be put by as well.
    const shelf = await caches.open(SHELF);
    return (await shelf.match(OFFLINE)) ?? Response.error();
  }
}

/** A file of a build never changes. Only those of our own build are put by: there are so many, and no more. */
async function asset(request) {
  const found = await caches.match(request);
  if (found) return found;
  const answer = await fetch(request);
  if (answer.ok && new URL(request.url).pathname.startsWith(ASSETS)) {
    const shelf = await caches.open(SHELF);
    await shelf.put(request, answer.clone());
  }
  return answer;
}
