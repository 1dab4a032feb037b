/** Which tasks are meant (client/tasks/filters.py). */

import { canonical } from "../../../sdk/src/json/canonical.ts";
import type { JsonObject } from "../../../sdk/src/json/values.ts";
import { isEnd, momentOf, NoMomentError, stored } from "./dates.ts";
import { parseExpression, plainWords, type Expression } from "./expressions.ts";
import { fieldNamed, jsonOf } from "./modifications.ts";
import { dayAt, MOMENTS, secondsAt, shown } from "./points.ts";
import { isRecord, statusOf, tagsOf, valueAt, type Task, type View } from "./tasks.ts";
import { urgency } from "./urgency.ts";
import { VIRTUAL_TAGS } from "./virtual-tags.ts";
import { splitLine, WordError, type TaskWord } from "./words.ts";

export type Filter = (task: Task) => boolean;
type FieldWord = Extract<TaskWord, { kind: "field" }>;

const HIDDEN = new Set(["COMPLETED", "DELETED", "WAITING", "PARENT", "TEMPLATE"]);
const SHORTEST_ID = 4;

export interface ReadFilter {
  readonly test: Filter;
  /** It asks for tasks that a list leaves out by itself. */
  readonly namesHidden: boolean;
}

/** Throws WordError, NoMomentError. */
export function readFilter(line: string, view: View): ReadFilter {
  return readFilterOf(splitLine(line), view);
}

/** The same of words that were taken apart. */
export function readFilterOf(words: readonly string[], view: View): ReadFilter {
  const expression = parseExpression(words);
  const namesHidden = [...plainWords(expression)].some(
    (word) =>
      (word.kind === "field" && word.name === "status") || (word.kind === "tag" && word.wanted && HIDDEN.has(word.name)),
  );
  return { test: testOf(expression, view), namesHidden };
}

function testOf(expression: Expression, view: View): Filter {
  switch (expression.kind) {
    case "word":
      return condition(expression.word, view);
    case "not": {
      const inside = testOf(expression.part, view);
      return (task) => !inside(task);
    }
    case "both": {
      const tests = expression.parts.map((part) => testOf(part, view));
      return (task) => tests.every((test) => test(task));
    }
    case "either": {
      const [one, other] = [testOf(expression.left, view), testOf(expression.right, view)];
      if (expression.exclusive) return (task) => one(task) !== other(task);
      return (task) => one(task) || other(task);
    }
  }
}

function condition(word: TaskWord, view: View): Filter {
  if (word.kind === "tag") {
    const virtual = view.tags.has(word.name) ? undefined : VIRTUAL_TAGS.get(word.name);
    if (virtual) return (task) => virtual(task, view) === word.wanted;
    return (task) => tagsOf(task).includes(word.name) === word.wanted;
  }
  if (word.kind === "text") return textTest(word.text);
  const name = fieldNamed(word.name, view);
  const test = fieldTest({ ...word, name }, view.now);
  if (name === "status") return (task) => test(view.isWaiting(task) ? "waiting" : statusOf(task));
  if (name === "urgency") return (task) => test(urgency(task, view));
  return (task) => test(valueAt(task, name));
}

function textTest(text: string): Filter {
  if (text.length > 2 && text.startsWith("/") && text.endsWith("/")) {
    let pattern: RegExp;
    try {
      pattern = new RegExp(text.slice(1, -1), "u");
    } catch (error) {
      throw new WordError(`${text} is not a pattern: ${(error as Error).message}. To mean it as text, write -- before it.`);
    }
    return (task) => texts(task).some((place) => pattern.test(place));
  }
  const folded = text.toLowerCase();
  return (task) =>
    foldedTexts(task).some((place) => place.includes(folded)) ||
    (text.length >= SHORTEST_ID && task.id.startsWith(text));
}

/** A task is another object once it is changed. */
const known = new WeakMap<Task, readonly string[]>();

/** What text is looked for in, without regard to capitals. */
function foldedTexts(task: Task): readonly string[] {
  let found = known.get(task);
  if (!found) known.set(task, (found = [...texts(task), ...tagsOf(task)].map((place) => place.toLowerCase())));
  return found;
}

/** The description, and what annotations say. */
function texts(task: Task): string[] {
  const { description, annotations } = task as { description?: unknown; annotations?: unknown };
  const found = typeof description === "string" ? [description] : [];
  if (Array.isArray(annotations))
    for (const note of annotations)
      if (isRecord(note) && typeof note["description"] === "string") found.push(note["description"]);
  return found;
}

function fieldTest({ name, modifier, value: text, isJson }: FieldWord, now: number): (value: unknown) => boolean {
  switch (modifier) {
    case "any":
      return (value) => value !== undefined;
    case "none":
      return (value) => value === undefined;
    case "before":
    case "after":
    case "by":
      return order(text, name, now, modifier);
    case "has":
    case "hasnt": {
      const folded = text.toLowerCase();
      const test = contains((value) => value.toLowerCase().includes(folded));
      return modifier === "has" ? test : (value) => !test(value);
    }
    case "startswith":
      return contains((value) => value.startsWith(text));
    case "endswith":
      return contains((value) => value.endsWith(text));
    case "word":
    case "noword": {
      const escaped = text.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
      const pattern = new RegExp(`(?<![\\p{L}\\p{N}_])${escaped}(?![\\p{L}\\p{N}_])`, "iu");
      const test = contains((value) => pattern.test(value));
      return modifier === "word" ? test : (value) => !test(value);
    }
  }
  const negative = modifier === "not" || modifier === "isnt";
  if (!text && !isJson) return (value) => (value === undefined) !== negative;
  const same = sameAs(text, isJson, name, now, modifier === "is" || modifier === "isnt");
  return negative ? (value) => !same(value) : same;
}

function sameAs(text: string, isJson: boolean, name: string, now: number, exactly: boolean): (value: unknown) => boolean {
  if (isJson) {
    const meant = canonicalOf(jsonOf({ value: text }));
    return (value) => value !== undefined && canonicalOf(value) === meant;
  }
  const meant = MOMENTS.has(name) ? stored(text, now) : undefined;
  const at = meant === undefined ? undefined : secondsAt(meant);
  // Said as a day, or as the moment when one begins, it means all of it.
  const day = meant !== undefined && shown(meant).length === 10 ? dayAt(meant) : undefined;
  const same = (value: unknown): boolean => {
    if (Array.isArray(value)) return value.some(same);
    const its = at === undefined ? undefined : secondsAt(value);
    if (its !== undefined) return its === at || (!exactly && day !== undefined && dayAt(value) === day);
    return written(value) === text || (!exactly && typeof value === "string" && value.startsWith(`${text}.`));
  };
  return same;
}

function canonicalOf(value: unknown): string {
  return canonical({ value } as JsonObject);
}

function contains(test: (text: string) => boolean): (value: unknown) => boolean {
  const found = (value: unknown): boolean =>
    Array.isArray(value) ? value.some(found) : value !== undefined && test(written(value));
  return found;
}

function order(text: string, name: string, now: number, side: string): (value: unknown) => boolean {
  const number = text.trim() === "" ? undefined : Number(text);
  let at: number | undefined;
  try {
    at = momentOf(text, now);
  } catch (error) {
    if (!(error instanceof NoMomentError) || MOMENTS.has(name)) throw error;
  }
  const ends = isEnd(text);
  return (value) => {
    const its = secondsAt(value);
    if (its !== undefined && at !== undefined) {
      // The end of a period is the first moment that is not in it any more.
      if (ends && its === at) return side === "after";
      return isOn(side, its, at);
    }
    if (typeof value === "number") return number !== undefined && !Number.isNaN(number) && isOn(side, value, number);
    return typeof value === "string" && its === undefined && isOn(side, value, text);
  };
}

function isOn<T extends number | string>(side: string, value: T, limit: T): boolean {
  return side === "before" ? value < limit : side === "after" ? value > limit : value <= limit;
}

/** As a person writes it. */
function written(value: unknown): string {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" || value === null ? String(value) : "";
}
