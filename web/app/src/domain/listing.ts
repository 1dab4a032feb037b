/** Which tasks a list shows, in which order and in which groups. Pure. */

import { readFilter } from "./filters.ts";
import { dayAt, dayText, secondsAt } from "./points.ts";
import { clipped, entryOf, isPending, readable, statusOf, tagsOf, titleOf, valueAt, type Task, type View } from "./tasks.ts";
import { urgency } from "./urgency.ts";

export const SORTS = ["urgency", "due", "entry", "modified", "project", "description", "priority"] as const;
export const GROUPINGS = ["none", "project", "tags", "due", "priority", "status"] as const;

export interface Group {
  readonly key: string;
  readonly label: string;
  readonly tasks: readonly Task[];
}

/** Throws WordError, NoMomentError for what is no filter. */
export function listed(tasks: readonly Task[], filter: string, view: View): Task[] {
  if (filter.trim() === "") return tasks.filter((task) => isPending(task, view.now));
  const { test, namesHidden } = readFilter(filter, view);
  return tasks.filter((task) => (namesHidden || isPending(task, view.now)) && test(task));
}

/** A new list; equal ones stand by their ids, so that nothing moves without a reason. */
export function sorted(tasks: readonly Task[], by: string, view: View): Task[] {
  const keyed = tasks.map((task) => ({ task, key: sortKey(task, by, view) }));
  keyed.sort((one, other) => compare(one.key, other.key) || (one.task.id < other.task.id ? -1 : 1));
  return keyed.map(({ task }) => task);
}

/** undefined: what is asked for is not there, and comes last. */
type SortKey = number | string | undefined;
const PRIORITIES = ["H", "M", "L"];
const PRIORITY_NAMES: Readonly<Record<string, string>> = { H: "High", M: "Medium", L: "Low" };

function sortKey(task: Task, by: string, view: View): SortKey {
  switch (by) {
    case "urgency":
      return -urgency(task, view);
    case "due":
      return secondsAt(task["due"]);
    case "entry":
    case "modified":
      return negative(secondsAt(task[by]));
    case "priority": {
      const place = PRIORITIES.indexOf(readable(task["priority"]));
      return place < 0 ? undefined : place;
    }
    case "description":
      return titleOf(task).toLowerCase();
    default: {
      const value = valueAt(task, by);
      return typeof value === "number" || value === undefined ? value : readable(value).toLowerCase();
    }
  }
}

function negative(value: number | undefined): number | undefined {
  return value === undefined ? undefined : -value;
}

function compare(one: SortKey, other: SortKey): number {
  if (typeof one === "number" && typeof other === "number") return one - other;
  if (typeof one === "string" && typeof other === "string") return one.localeCompare(other);
  return rank(one) - rank(other);
}

function rank(key: SortKey): number {
  return typeof key === "number" ? 0 : key === undefined ? 2 : 1;
}

/** In the order of the tasks; what has none of it is the last group. A task with two tags is in two. */
export function grouped(tasks: readonly Task[], by: string, view: View): Group[] {
  if (by === "none") return [{ key: "", label: "", tasks }];
  const groups = new Map<string, Task[]>();
  for (const task of tasks)
    for (const key of groupKeys(task, by, view)) {
      const found = groups.get(key);
      if (found) found.push(task);
      else groups.set(key, [task]);
    }
  const keys = [...groups.keys()].sort((one, other) => groupRank(one, by) - groupRank(other, by) || one.localeCompare(other));
  return keys.map((key) => ({ key, label: clipped(groupLabel(key, by), LONGEST_LABEL), tasks: groups.get(key)! }));
}

const DUE = ["overdue", "today", "tomorrow", "this week", "later", ""];

function groupKeys(task: Task, by: string, view: View): string[] {
  if (by === "tags") {
    const tags = tagsOf(task);
    return tags.length > 0 ? [...new Set(tags)] : [""];
  }
  if (by === "status") return [view.isWaiting(task) ? "waiting" : statusOf(task)];
  if (by === "due") return [dueKey(task, view)];
  const value = valueAt(task, by);
  if (Array.isArray(value)) return value.length > 0 ? value.map(readable) : [""];
  return [value === undefined || value === null || typeof value === "object" ? "" : String(value)];
}

function dueKey(task: Task, view: View): string {
  const day = dayAt(task["due"]);
  if (day === undefined) return "";
  if (day < view.today) return "overdue";
  return day === view.today ? "today" : day === view.today + 1 ? "tomorrow" : day < view.today + 7 ? "this week" : "later";
}

function groupRank(key: string, by: string): number {
  if (by === "due") return DUE.indexOf(key);
  if (key === "") return 1_000;
  if (by === "priority") return PRIORITIES.includes(key) ? PRIORITIES.indexOf(key) : 500;
  return 0;
}

const LONGEST_DATE = 40;
const LONGEST_LABEL = 100;

const NONE: Readonly<Record<string, string>> = {
  project: "No project",
  tags: "No tags",
  due: "No date",
  priority: "No priority",
};

function groupLabel(key: string, by: string): string {
  if (key === "") return entryOf(NONE, by) ?? `No ${by}`;
  if (by === "tags") return `+${key}`;
  if (by === "priority") return entryOf(PRIORITY_NAMES, key) ?? key;
  return by === "due" || by === "status" ? key.charAt(0).toUpperCase() + key.slice(1) : key;
}

/** How a due day is called near today. */
export function dueText(value: unknown, view: View): string {
  const day = dayAt(value);
  if (day === undefined) return clipped(readable(value), LONGEST_DATE);
  const away = day - view.today;
  const clock = /[T ]\d\d:?\d\d/.test(String(value)) ? clockOf(value) : "";
  const near = away === 0 ? "Today" : away === 1 ? "Tomorrow" : away === -1 ? "Yesterday" : undefined;
  const date = new Date(day * 86_400_000);
  const options: Intl.DateTimeFormatOptions =
    away > 1 && away < 7
      ? { weekday: "long", timeZone: "UTC" }
      : { day: "numeric", month: "short", timeZone: "UTC", ...(sameYear(day, view.today) ? {} : { year: "numeric" }) };
  const text = near ?? (day > 2_900_000 ? dayText(day) : new Intl.DateTimeFormat(undefined, options).format(date));
  return clock ? `${text}, ${clock}` : text;
}

function clockOf(value: unknown): string {
  const seconds = secondsAt(value);
  if (seconds === undefined) return "";
  return new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" }).format(new Date(seconds * 1000));
}

function sameYear(one: number, other: number): boolean {
  return dayText(one).slice(0, 4) === dayText(other).slice(0, 4);
}
