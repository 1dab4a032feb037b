/** A finger that stays where it is, in the place of a key that is held. */

const LONG_MILLISECONDS = 500;

let timer: ReturnType<typeof setTimeout> | undefined;
let wasLong = false;

/** What an element needs so that `act` is called when a finger stays on it. What it would open by a tap is not opened then. */
export function longPress(act: () => void) {
  const end = (): void => clearTimeout(timer);
  return {
    onPointerDown: ({ pointerType }: PointerEvent): void => {
      end();
      wasLong = false;
      if (pointerType !== "touch") return;
      timer = setTimeout(() => {
        wasLong = true;
        act();
      }, LONG_MILLISECONDS);
    },
    onPointerUp: end,
    // The list is scrolled.
    onPointerCancel: end,
    onContextMenu: (event: Event): void => {
      if ((event as PointerEvent).pointerType === "touch") event.preventDefault();
    },
  };
}

/** Whether a click is the end of such a press. */
export function endsLongPress(): boolean {
  const found = wasLong;
  wasLong = false;
  return found;
}
