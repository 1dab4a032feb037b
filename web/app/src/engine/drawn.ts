/** What can wait until people see something does not take the processor from what they wait for. */

/** Where nobody looks no frame is drawn. */
const UNSEEN_MILLISECONDS = 200;

/** Resolves when what was changed last is on the screen; where nobody looks, soon. */
export function drawn(): Promise<void> {
  return new Promise((resolve) => {
    requestAnimationFrame(() => setTimeout(resolve));
    setTimeout(resolve, UNSEEN_MILLISECONDS);
  });
}
