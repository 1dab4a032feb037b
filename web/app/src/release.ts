/** The service worker: it keeps this release for when there is no network, and says when there is a newer one. */

import { signal } from "@preact/signals";

/** A newer release is here, and waits until this page is loaded again. */
export const newRelease = signal(false);
const LOOK_EVERY_MILLISECONDS = 30 * 60_000;
/** What the newer worker has to take over. */
const TAKE_OVER_MILLISECONDS = 3000;

let waiting: ServiceWorker | undefined;
/** Somebody has asked for it in this page. */
let asked = false;
/** Where somebody has typed. */
const typedIn = new Set<HTMLInputElement | HTMLTextAreaElement>();

/** `shown`: from then on the server may be asked. */
export async function keepRelease(shown: Promise<void>): Promise<void> {
  if (!("serviceWorker" in navigator)) return;
  const before = navigator.serviceWorker.controller;
  document.addEventListener("input", ({ target }) => {
    if (target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement) typedIn.add(target);
  });
  navigator.serviceWorker.addEventListener("controllerchange", () => {
    // Without one before this page was loaded from the server as it is.
    if (!before) return;
    waiting = undefined;
    if (asked || isIdle()) location.reload();
    else newRelease.value = true;
  });
  await shown;
  const registration = await navigator.serviceWorker.register("/app/sw.js", { updateViaCache: "none" });
  const look = (): void => {
    if (!registration.waiting || !before) return;
    waiting = registration.waiting;
    newRelease.value = true;
    if (isIdle()) waiting.postMessage("take over unseen");
  };
  const watch = (): void => {
    const { installing } = registration;
    installing?.addEventListener("statechange", () => installing.state === "installed" && look());
  };
  look();
  watch(); // the browser may have found it before
  registration.addEventListener("updatefound", watch);
  const ask = (): void => void registration.update().catch(() => undefined);
  setInterval(ask, LOOK_EVERY_MILLISECONDS);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") ask();
    else look();
  });
}

/** Nobody looks at this page, and nothing is typed in it that would be lost. */
function isIdle(): boolean {
  for (const field of typedIn) if (!field.isConnected || field.value === "") typedIn.delete(field);
  return document.visibilityState === "hidden" && typedIn.size === 0;
}

/** Loads the newer release. */
export function takeRelease(): void {
  asked = true;
  // Another page may have let it take over already.
  if (!waiting) return location.reload();
  waiting.postMessage("take over");
  // The browser waits until the former worker rests, and a page may have asked it for something just then. The page that
  // the server has is the newer one all the same.
  setTimeout(() => location.reload(), TAKE_OVER_MILLISECONDS);
}
