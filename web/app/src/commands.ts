/** Every key and what it does. */

import { redo, remove, row, targets, toggleDone, undo } from "./deeds.ts";
import { closeDetail, go, helpOpen, route, selected } from "./state.ts";
import { isField, type Key } from "./ui/keys.ts";
import { moveCurrent, selectAll } from "./views/list.tsx";
import { shownPage } from "./views/pages.tsx";
import { toggleSelected } from "./views/row.tsx";
import { syncOpen } from "./views/sync.tsx";

const focusOn = (id: string) => (): void => {
  const field = document.getElementById(id) as HTMLInputElement | null;
  if (field) field.focus();
  else {
    go("list");
    setTimeout(() => document.getElementById(id)?.focus(), 50);
  }
};

/** Nothing is done to a task that nobody can see. */
const where = (): boolean => shownPage().detail;

function withRow(act: (id: string) => void): void {
  const id = row();
  if (id !== undefined) act(id);
}

/** Without a selection it is begun with the row that keys act on. */
function changeSelected(): void {
  if (selected.value.size === 0) withRow(toggleSelected);
  requestAnimationFrame(() => document.getElementById("bulk-words")?.focus());
}

export const KEYS: readonly Key[] = [
  { group: "Move", keys: ["j", "ArrowDown"], label: "next task", where, run: () => moveCurrent(1) },
  { group: "Move", keys: ["k", "ArrowUp"], label: "previous task", where, run: () => moveCurrent(-1) },
  { group: "Move", keys: ["o"], label: "open", where, run: () => withRow((id) => go(route.value.page, id)) },
  { group: "Move", keys: ["Escape"], label: "leave a field, close, select nothing", inFields: true, run: leave },
  { group: "Move", keys: ["g l"], label: "list", run: () => go("list") },
  { group: "Move", keys: ["g b"], label: "board", run: () => go("board") },
  { group: "Move", keys: ["g c"], label: "calendar", run: () => go("calendar") },
  { group: "Move", keys: ["g t"], label: "table", run: () => go("table") },
  { group: "Move", keys: ["g x"], label: "conflicts", run: () => go("conflicts") },
  { group: "Do", keys: ["n", "q"], label: "add a task", run: focusOn("quick-add") },
  { group: "Do", keys: ["d", "Space"], label: "check off, or reopen", where, run: () => void toggleDone(targets()) },
  { group: "Do", keys: ["Delete", "#"], label: "delete", where, run: () => void remove(targets()) },
  { group: "Do", keys: ["u", "$mod+z"], label: "undo", run: () => void undo() },
  { group: "Do", keys: ["U", "$mod+y", "$mod+Shift+z"], label: "redo", run: () => void redo() },
  { group: "Select", keys: ["x"], label: "select, or not", where, run: () => withRow(toggleSelected) },
  { group: "Select", keys: ["Shift+ArrowDown", "J"], label: "select downwards", where, run: () => moveCurrent(1, true) },
  { group: "Select", keys: ["Shift+ArrowUp", "K"], label: "select upwards", where, run: () => moveCurrent(-1, true) },
  { group: "Select", keys: ["$mod+a"], label: "select all", where, run: selectAll },
  { group: "Select", keys: ["m"], label: "change what is selected", where, run: changeSelected },
  { group: "Find", keys: ["/", "$mod+k"], label: "search", run: focusOn("search") },
  { group: "Find", keys: ["s"], label: "how the sync stands", run: () => void (syncOpen.value = true) },
  { group: "Find", keys: ["?"], label: "this help", run: () => void (helpOpen.value = true) },
];

function leave(): void {
  const { activeElement } = document;
  if (isField(activeElement)) (activeElement as HTMLElement).blur();
  else if (selected.value.size > 0) selected.value = new Set();
  else closeDetail();
}
