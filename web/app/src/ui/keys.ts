/** Keys: one table that acts, and that `?` shows. */

export interface Key {
  /** As `j`, `Shift+ArrowDown`, `$mod+z` (Control, or Command on a Mac), `g l` for one after the other. */
  readonly keys: readonly string[];
  readonly label: string;
  readonly group: string;
  readonly run: (event: KeyboardEvent) => void;
  /** Also while somebody types in a field. */
  readonly inFields?: boolean;
  /** Where it does something; elsewhere the browser does with the key what it always does. */
  readonly where?: () => boolean;
}

const SEQUENCE_MILLISECONDS = 1_000;
const MAC = /Mac|iP(hone|ad)/.test(navigator.platform);

export function bindKeys(keys: () => readonly Key[]): () => void {
  let before = "";
  let at = 0;
  const pressed = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || event.isComposing) return;
    const name = nameOf(event);
    const sequence = before && event.timeStamp - at < SEQUENCE_MILLISECONDS ? `${before} ${name}` : name;
    [before, at] = [name, event.timeStamp];
    if (document.querySelector("dialog[open]")) return;
    const inField = isField(event.target);
    // It presses a button, and acts on a task only beside one.
    if (name === "Space" && event.target instanceof Element && event.target.closest("button, summary")) return;
    const all = keys().filter((one) => (!inField || one.inFields) && (one.where?.() ?? true));
    const found = all.find((one) => one.keys.includes(sequence)) ?? all.find((one) => one.keys.includes(name));
    if (!found) return;
    before = "";
    event.preventDefault();
    found.run(event);
  };
  addEventListener("keydown", pressed);
  return () => removeEventListener("keydown", pressed);
}

function nameOf(event: KeyboardEvent): string {
  const mod = MAC ? event.metaKey : event.ctrlKey;
  const named = event.key.length > 1;
  const typed = named ? event.key : latin(event);
  const key = mod && !named ? typed.toLowerCase() : typed;
  // A character says itself whether Shift was pressed.
  const shift = event.shiftKey && (named || mod) ? "Shift+" : "";
  return `${mod ? "$mod+" : ""}${event.altKey ? "Alt+" : ""}${shift}${key === " " ? "Space" : key}`;
}

/** Letters of other scripts are those that stand in their places on a keyboard for Latin ones. */
function latin({ key, code, shiftKey }: KeyboardEvent): string {
  const letter = key > "\x7f" ? /^Key([A-Z])$/.exec(code)?.[1] : undefined;
  return letter === undefined ? key : shiftKey ? letter : letter.toLowerCase();
}

/** Where letters are text. */
export function isField(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  return target instanceof HTMLInputElement && !["checkbox", "radio", "button"].includes(target.type);
}

const SHOWN: Readonly<Record<string, string>> = {
  ArrowUp: "↑",
  ArrowDown: "↓",
  ArrowLeft: "←",
  ArrowRight: "→",
  Escape: "Esc",
  Delete: "Del",
  $mod: MAC ? "⌘" : "Ctrl",
};

/** As it is printed on a keyboard. */
export function shownKey(key: string): string[] {
  return key.split(/[ +]/).flatMap((part) => {
    if (/^\p{Lu}$/u.test(part)) return ["Shift", part];
    return [SHOWN[part] ?? (part.length === 1 ? part.toUpperCase() : part)];
  });
}
