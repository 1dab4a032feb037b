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
/** Begins the names of locks that open pages hold: the rest is the path of one of their scripts. */
const OPEN = "hypertask-open:";
/** Milliseconds that the server has to send the page before the one that is kept is shown. */
const PATIENCE = 2000;

self.addEventListener("install", (event) => {
  const fresh = FILES.map((path) => new Request(path, { cache: "reload" }));
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(fresh)));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      await removeFormer();
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
  // A page of a former release may have been closed, or loaded again.
  if (event.data === "opened") event.waitUntil(removeFormer());
  if (event.data === "release") event.ports[0]?.postMessage(RELEASE);
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin || !url.pathname.startsWith(PAGE)) return;
  if (request.mode === "navigate" && url.pathname === PAGE) event.respondWith(page(event));
  else if (url.pathname.startsWith(`${PAGE}assets/`) || FILES.includes(url.pathname)) event.respondWith(kept(request));
});

/** Former releases leave, but for those of which a page is open still: what it loads later is not at the server any more. */
async function removeFormer() {
  const { installing, waiting } = self.registration;
  // What a newer release keeps is its own to judge.
  if ([installing, waiting].some((one) => one && (one.state === "installing" || one.state === "installed"))) return;
  const { held = [] } = (await self.navigator.locks?.query()) ?? {};
  const open = held.flatMap(({ name }) => (name.startsWith(OPEN) ? [name.slice(OPEN.length)] : []));
  const has = async (cacheName, script) => (await caches.match(script, { cacheName })) !== undefined;
  const foreign = [];
  for (const script of open) if (!(await has(NAME, script))) foreign.push(script);
  for (const name of await caches.keys()) {
    if (!name.startsWith(PREFIX) || name === NAME) continue;
    const needed = await Promise.all(foreign.map((script) => has(name, script)));
    if (!needed.includes(true)) await caches.delete(name);
  }
}

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

/** A file of a release never changes; those with a hash in their names may be of a former one, in a page that is open still. */
async function kept(request) {
  const own = await caches.match(request, { ignoreSearch: true, cacheName: NAME });
  return own ?? (await caches.match(request, { ignoreSearch: true })) ?? fetch(request);
}
