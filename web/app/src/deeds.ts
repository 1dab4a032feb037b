/** What people do with tasks, from any page. Each is said, and can be taken back. */

import type { Document } from "../../sdk/src/client.ts";
import { newId } from "./domain/ids.ts";
import { modification, taskOf, without } from "./domain/modifications.ts";
import { written } from "./domain/points.ts";
import { isOpen, titleOf, type Task } from "./domain/tasks.ts";
import { splitLine } from "./domain/words.ts";
import { closeDetail, current, engine, mayWrite, route, selected, view } from "./state.ts";
import { say, sayError } from "./ui/messages.tsx";
import { idsThere, isListThere } from "./ui/there.ts";

const nowSeconds = (): number => Date.now() / 1000;

/** Adds a task of a line. Returns its id; throws WordError and the like, for where it was typed. */
export async function add(line: string, more: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const task = { ...taskOf(line, newId(), nowSeconds(), view.peek()), ...more } as Task;
  await engine.peek()!.put(`Added: ${titleOf(task)}`, task as Document);
  return task.id;
}

/** What an action is about: the selection, or the row that keys act on, or the open document. */
export function targets(): string[] {
  if (selected.value.size > 0) return [...selected.value];
  const id = row() ?? route.value.id;
  return id ? [id] : [];
}

/** The row that keys act on, if it is one of the page that is shown. */
export function row(): string | undefined {
  const { value } = current;
  return value !== undefined && (isListThere() || idsThere().includes(value)) ? value : undefined;
}

export async function toggleDone(ids: readonly string[]): Promise<void> {
  const found = tasksOf(ids);
  const reopens = found.length > 0 && found.every((task) => !isOpen(task));
  const at = written(nowSeconds());
  await edit(reopens ? "Reopened" : "Done", ids, (task) => {
    if (reopens) return { ...(without(task, "end") as Task), status: "pending" };
    return isOpen(task) ? { ...task, status: "completed", end: at } : task;
  });
}

export async function remove(ids: readonly string[]): Promise<void> {
  await edit("Deleted", ids, () => undefined);
  selected.value = new Set();
  if (ids.includes(route.value.id)) closeDetail();
}

/** Changes tasks by words: `+tag due:friday project:home`. Throws WordError and the like, for where it was typed. */
export async function modify(ids: readonly string[], line: string): Promise<void> {
  const change = modification(splitLine(line), nowSeconds(), view.peek());
  await edit("Changed", ids, change, true);
}

export async function set(ids: readonly string[], change: (task: Task) => Task): Promise<void> {
  await edit("Changed", ids, change);
}

/** Says what was done, with the way back. `throws`: leaves it to the caller to say why it was not. */
async function edit(
  label: string,
  ids: readonly string[],
  change: (task: Task) => Task | undefined,
  throws = false,
): Promise<void> {
  if (ids.length === 0) return;
  if (!mayWrite.peek()) return sayError("You may read this space, not change it.");
  const text = `${label}: ${ids.length === 1 ? titleOf(tasksOf(ids)[0] ?? { id: ids[0] }) : `${ids.length} tasks`}`;
  try {
    await engine.peek()!.edit(text, ids, (doc) => stamped(doc, change(doc as Task)));
    say(text, { label: "Undo", run: () => void undo() });
  } catch (error) {
    if (throws) throw error;
    sayError(error);
  }
}

/** The command line sets `modified` with each change; documents of other kinds do not have one. */
export function stamped(before: Document, after: Task | undefined): Document | undefined {
  if (!after || after === before) return after as Document | undefined;
  const has = "modified" in before || "entry" in before || "status" in before;
  return (has ? { ...after, modified: written(nowSeconds()) } : after) as Document;
}

export async function undo(): Promise<void> {
  try {
    const label = await engine.peek()!.undo();
    say(label ? `Taken back: ${label}` : "There is nothing to take back.", label ? { label: "Redo", run: () => void redo() } : undefined);
  } catch (error) {
    sayError(error);
  }
}

export async function redo(): Promise<void> {
  try {
    const label = await engine.peek()!.redo();
    say(label ? `Done again: ${label}` : "There is nothing to do again.");
  } catch (error) {
    sayError(error);
  }
}

function tasksOf(ids: readonly string[]): Task[] {
  const docs = engine.peek()!.docs.peek();
  return ids.flatMap((id) => (docs.get(id) as Task | undefined) ?? []);
}
