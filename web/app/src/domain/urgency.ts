/** How urgent a task is: a sum of terms (client/tasks/urgency.py). The coefficients are Taskwarrior's. */

import { secondsAt } from "./points.ts";
import type { Task, View } from "./tasks.ts";

const COEFFICIENTS = {
  next: 15,
  due: 12,
  blocking: 8,
  "priority.H": 6,
  "priority.M": 3.9,
  "priority.L": 1.8,
  scheduled: 5,
  active: 4,
  age: 2,
  annotations: 1,
  tags: 1,
  project: 1,
  waiting: -3,
  blocked: -5,
} as const;
const DAY = 86_400;

type Cause = keyof typeof COEFFICIENTS;
type Note = (cause: Cause, value: number) => void;

export function urgency(task: Task, view: View): number {
  return sumOf(task, view, undefined);
}

/** What each cause adds, without those that add nothing. */
export function terms(task: Task, view: View): [string, number][] {
  const found: [string, number][] = [];
  sumOf(task, view, (cause, value) => found.push([cause, value]));
  return found;
}

/** A list asks this of each of its tasks: what is not there is not looked at further, and nothing is made on the way. */
function sumOf(task: Task, view: View, note: Note | undefined): number {
  const { project, priority, tags } = task as { project?: unknown; priority?: unknown; tags?: unknown };
  let sum = 0;
  if (project) sum += term("project", 1, note);
  if ("start" in task) sum += term("active", 1, note);
  if ("scheduled" in task) {
    const scheduled = secondsAt(task["scheduled"]);
    if (scheduled !== undefined && scheduled < view.now) sum += term("scheduled", 1, note);
  }
  if (view.isWaiting(task)) sum += term("waiting", 1, note);
  if (view.isBlocked(task)) sum += term("blocked", 1, note);
  if (view.isBlocking(task)) sum += term("blocking", 1, note);
  if ("annotations" in task) sum += term("annotations", several(task["annotations"]), note);
  if (tags !== undefined) sum += term("tags", several(tags), note);
  if ("due" in task) sum += term("due", dueFactor(task["due"], view), note);
  sum += term("age", age(task["entry"], view), note);
  if (priority === "H") sum += term("priority.H", 1, note);
  else if (priority === "M") sum += term("priority.M", 1, note);
  else if (priority === "L") sum += term("priority.L", 1, note);
  if (Array.isArray(tags) && tags.includes("next")) sum += term("next", 1, note);
  return sum;
}

function term(cause: Cause, factor: number, note: Note | undefined): number {
  const value = COEFFICIENTS[cause] * factor;
  if (value && note) note(cause, value);
  return value;
}

const SEVERAL = [0, 0.8, 0.9, 1];

function several(value: unknown): number {
  return Array.isArray(value) ? SEVERAL[Math.min(value.length, 3)]! : 0;
}

function dueFactor(value: unknown, view: View): number {
  const at = secondsAt(value);
  if (at === undefined) return 0;
  const late = (view.now - at) / DAY;
  return Math.min(1, Math.max(0.2, ((late + 14) * 0.8) / 21 + 0.2));
}

function age(value: unknown, view: View): number {
  const at = secondsAt(value);
  return at === undefined ? 0 : Math.min(1, Math.max(0, (view.now - at) / DAY / 365));
}
