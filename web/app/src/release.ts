/** The service worker: it keeps this release for when there is no network, and says when there is a newer one. */

import { signal } from "@preact/signals";

/** A newer release is here, and waits. */
export const newRelease = signal(false);
const LOOK_EVERY_MILLISECONDS = 30 * 60_000;

let waiting: ServiceWorker | undefined;

export async function keepRelease(): Promise<void> {
  if (!("serviceWorker" in navigator)) return;
  const before = navigator.serviceWorker.controller;
  const registration = await navigator.serviceWorker.register("/app/sw.js", { updateViaCache: "none" });
  const look = (): void => {
    if (!registration.waiting || !before) return;
    waiting = registration.waiting;
    // Nobody looks on: nothing is disturbed.
    if (document.visibilityState === "hidden") takeRelease();
    else newRelease.value = true;
  };
  look();
  registration.addEventListener("updatefound", () => {
    const { installing } = registration;
    installing?.addEventListener("statechange", () => installing.state === "installed" && look());
  });
  let reloading = false;
  navigator.serviceWorker.addEventListener("controllerchange", () => {
    // Without one before this page was loaded from the server as it is.
    if (!before || reloading) return;
    reloading = true;
    location.reload();
  });
  const ask = (): void => void registration.update().catch(() => undefined);
  setInterval(ask, LOOK_EVERY_MILLISECONDS);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") ask();
    else look();
  });
}

export function takeRelease(): void {
  waiting?.postMessage("take over");
}
