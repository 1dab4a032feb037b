/**
 * The service worker of one release. It keeps the files of that release, so that the app opens without a network, and
 * nothing else: what the server knows of documents is no business of its. While there is a network the page itself comes
 * from the server, so that nobody is shown an old release for long. Where the server has no app any more it sends a
 * worker in the place of this one that removes itself.
 */

const RELEASE = __RELEASE__;
const FILES = __FILES__;
const PREFIX = "hypertask-app-";
const NAME = PREFIX + RELEASE;
const PAGE = "/app/";
/** Milliseconds that the server has to send the page before the one that is kept is shown. */
const PATIENCE = 2000;

self.addEventListener("install", (event) => {
  const fresh = FILES.map((path) => new Request(path, { cache: "reload" }));
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(fresh)));
  // What never changes the browser takes from there by itself, without this worker, where it can.
  const route = { condition: { urlPattern: { pathname: `${PAGE}assets/*` } }, source: { cacheName: NAME } };
  event.addRoutes?.(route).catch(() => undefined);
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) if (name.startsWith(PREFIX) && name !== NAME) await caches.delete(name);
      // The page is asked for while this is still being started.
      await self.registration.navigationPreload?.enable();
      await self.clients.claim();
    })(),
  );
});

self.addEventListener("message", (event) => {
  // Somebody has said so in a page.
  if (event.data === "take over") void self.skipWaiting();
  // A page that nobody looks at says so: it need not be the only one.
  if (event.data === "take over unseen") event.waitUntil(takeOverUnseen());
  if (event.data === "release") event.ports[0]?.postMessage(RELEASE);
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin || !url.pathname.startsWith(PAGE)) return;
  if (request.mode === "navigate" && url.pathname === PAGE) event.respondWith(page(event));
  else if (url.pathname.startsWith(`${PAGE}assets/`) || FILES.includes(url.pathname)) event.respondWith(kept(request));
});

async function takeOverUnseen() {
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  if (pages.every(({ visibilityState }) => visibilityState === "hidden")) await self.skipWaiting();
}

/** The page of the server; the one that is kept where there is no answer. */
async function page(event) {
  const asked = Promise.resolve(event.preloadResponse).then((answer) => answer ?? fetch(event.request));
  event.waitUntil(asked.catch(() => undefined));
  const keeps = await caches.match(PAGE, { cacheName: NAME });
  if (!keeps) return asked;
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE, undefined));
  try {
    const answer = await Promise.race([asked, late]);
    return answer && answer.status < 500 ? answer : keeps;
  } catch {
    return keeps;
  }
}

/** A file of a release never changes. */
async function kept(request) {
  const known = await caches.match(request, { ignoreSearch: true });
  return known ?? fetch(request);
}
