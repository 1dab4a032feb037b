/** How a task is changed by words (client/tasks/modifications.py). What is given is not touched. */

import { parse } from "../../../sdk/src/json/strict.ts";
import { stored } from "./dates.ts";
import { MOMENTS, written } from "./points.ts";
import { isRecord, tagsOf, valueAt, type Task, type View } from "./tasks.ts";
import { VIRTUAL_TAGS } from "./virtual-tags.ts";
import { readWords, splitLine, WordError, type TaskWord } from "./words.ts";

type Change = (task: Task) => Task;
type FieldWord = Extract<TaskWord, { kind: "field" }>;

const NEVER_SET = new Set(["id", "_deleted"]);
const SHORT: Readonly<Record<string, string>> = {
  desc: "description",
  pri: "priority",
  prio: "priority",
  pro: "project",
  proj: "project",
  sched: "scheduled",
  dep: "depends",
  stat: "status",
  mod: "modified",
};

/** A new task of a line: `buy milk +errand due:friday`. Throws WordError, NoMomentError. */
export function taskOf(line: string, id: string, now: number, view?: View): Task {
  const at = written(now);
  const task = modification(splitLine(line), now, view)({ id, status: "pending", entry: at, modified: at });
  if (!("description" in task)) throw new WordError("a task needs a description");
  if ("recur" in task) {
    if (!("due" in task)) throw new WordError("what repeats needs a day when it is due first: due:friday");
    return { ...task, status: "recurring" };
  }
  return task;
}

/** Throws WordError, NoMomentError. */
export function modification(words: readonly string[], now: number, view?: View): Change {
  const read = readWords(words).map((word) => checked(word, view));
  const text = read.flatMap((word) => (word.kind === "text" ? [word.text] : [])).join(" ");
  // Of each name the last word counts, but what is wrong with one before it is said.
  const named = new Map<string, { depth: number; change: Change }>();
  for (const word of read) {
    if (word.kind === "text") continue;
    const name = `${word.kind}:${word.name}`;
    named.set(name, { depth: depth(word), change: step(word, now) });
  }
  const steps = [...named.values()].sort((one, other) => one.depth - other.depth);
  return (task) => steps.reduce((changed, { change }) => change(changed), text ? { ...task, description: text } : task);
}

/** Of what it sets, which comes after what it is inside. A tag is inside `tags`. */
function depth(word: Exclude<TaskWord, { kind: "text" }>): number {
  return word.kind === "tag" ? 1 : word.name.split(".").length - 1;
}

function checked(word: TaskWord, view: View | undefined): TaskWord {
  if (!view || word.kind === "text") return word;
  if (word.kind === "tag") {
    if (VIRTUAL_TAGS.has(word.name))
      throw new WordError(`${word.name} is a virtual tag: it follows from the task and cannot be set`);
    return word;
  }
  if (!word.value && !word.isJson && !view.fields.has(word.name) && !KNOWN.has(word.name))
    return { kind: "text", text: `${word.name}:` };
  return { ...word, name: fieldNamed(word.name, view) };
}

export const KNOWN: ReadonlySet<string> = new Set(
  (
    "description status project priority tags due wait scheduled until start end entry modified recur depends parent " +
    "annotations id urgency"
  ).split(" "),
);

/** The field that is meant: people shorten some. */
export function fieldNamed(name: string, view: View | undefined): string {
  if (!view || view.fields.has(name) || KNOWN.has(name)) return name;
  return Object.hasOwn(SHORT, name) ? SHORT[name]! : name;
}

function step(word: Exclude<TaskWord, { kind: "text" }>, now: number): Change {
  if (word.kind === "tag") return (task) => tagged(task, word.name, word.wanted);
  const { name, modifier, value, isJson } = word;
  if (modifier) throw new WordError(`"${name}.${modifier}" asks and does not set. To set a field: ${name}:VALUE`);
  if (NEVER_SET.has(name)) throw new WordError(`"${name}" cannot be set`);
  if (!value && !isJson) return (task) => without(task, name) as Task;
  if (isJson) {
    const json = jsonOf(word);
    return (task) => withValue(task, name, json) as Task;
  }
  if (name === "tags") return (task) => ({ ...task, tags: [...new Set(value.split(","))] });
  if (name === "depends") return (task) => ({ ...task, depends: [...new Set(value.split(",").filter(Boolean))] });
  if (MOMENTS.has(name)) {
    const at = stored(value, now);
    return (task) => withValue(task, name, at) as Task;
  }
  return (task) => withValue(task, name, alike(value, valueAt(task, name))) as Task;
}

export function tagged(task: Task, name: string, wanted: boolean): Task {
  const tags = task["tags"] === undefined ? [] : task["tags"];
  if (!Array.isArray(tags)) {
    if (!wanted) return task;
    throw new WordError(`the "tags" of ${task.id} are not a list. To make them one: tags:${name}`);
  }
  if (wanted) return tagsOf(task).includes(name) ? task : { ...task, tags: [...(tags as unknown[]), name] };
  const left = tags.filter((tag) => tag !== name);
  if (left.length === tags.length) return task;
  return left.length > 0 ? { ...task, tags: left } : (without(task, "tags") as Task);
}

type Fields = Readonly<Record<string, unknown>>;

/** Sets the field of that name, or the one inside others that the dots lead to. */
export function withValue(fields: Fields, path: string, value: unknown, above = ""): Fields {
  const dot = path.indexOf(".");
  if (Object.hasOwn(fields, path) || dot < 0) return { ...fields, [path]: value };
  const head = path.slice(0, dot);
  const inside = Object.hasOwn(fields, head) ? fields[head] : {};
  const name = above + head;
  if (!isRecord(inside)) throw new WordError(`"${name}" has no fields inside. To replace it: ${name}:={...}`);
  return { ...fields, [head]: withValue(inside, path.slice(dot + 1), value, `${name}.`) };
}

/** Removes both, the field of that name and the one inside others. The last field takes the object with it: it may have come with that field. */
export function without(fields: Fields, path: string): Fields {
  if (Object.hasOwn(fields, path)) return without(withoutOwn(fields, path), path);
  const dot = path.indexOf(".");
  const head = path.slice(0, dot);
  const inside = dot >= 0 && Object.hasOwn(fields, head) ? fields[head] : undefined;
  if (!isRecord(inside)) return fields;
  const left = without(inside, path.slice(dot + 1));
  const isKept = Object.keys(left).length > 0 || Object.keys(inside).length === 0;
  return isKept ? { ...fields, [head]: left } : withoutOwn(fields, head);
}

/** Removes the field of that name, dots or not. */
export function withoutOwn(fields: Fields, name: string): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([key]) => key !== name));
}

/** `text` as a value of the kind that is there, if it can be one. */
function alike(text: string, old: unknown): unknown {
  if (typeof old !== "number" && typeof old !== "boolean") return text;
  try {
    const value = parse(text);
    return typeof value === typeof old ? value : text;
  } catch {
    return text;
  }
}

export function jsonOf({ value }: Pick<FieldWord, "value">): unknown {
  try {
    return parse(value);
  } catch (error) {
    throw new WordError(`${value} is not JSON: ${(error as Error).message} A text needs quotes: ${JSON.stringify(value)}`);
  }
}
