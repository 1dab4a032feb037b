/** What can wait until people see something does not take the processor from what they wait for. */

/** Where nobody looks no frame is drawn. */
const UNSEEN_MILLISECONDS = 200;
/** How long the pages are waited for: what a browser cannot load is not to keep edits from the server. */
const PAGES_MILLISECONDS = 1000;

let pagesAreThere = (): void => undefined;
const pages = new Promise<void>((resolve) => (pagesAreThere = resolve));

/** Called once: the pages are loaded, and drawn with what is known by then. */
export { pagesAreThere };

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Resolves when what was changed last is on the screen; where nobody looks, soon. */
export async function drawn(): Promise<void> {
  await Promise.race([pages, pause(PAGES_MILLISECONDS)]);
  await new Promise<void>((resolve) => {
    requestAnimationFrame(() => setTimeout(resolve));
    setTimeout(resolve, UNSEEN_MILLISECONDS);
  });
}
