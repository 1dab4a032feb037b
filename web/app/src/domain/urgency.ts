/** How urgent a task is: a sum of terms (client/tasks/urgency.py). The coefficients are Taskwarrior's. */

import { secondsAt } from "./points.ts";
import { tagsOf, type Task, type View } from "./tasks.ts";

const COEFFICIENTS: Readonly<Record<string, number>> = {
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
};
const DAY = 86_400;

export function urgency(task: Task, view: View): number {
  let sum = 0;
  each(task, view, (_, value) => (sum += value));
  return sum;
}

/** What each cause adds, without those that add nothing. */
export function terms(task: Task, view: View): [string, number][] {
  const found: [string, number][] = [];
  each(task, view, (name, value) => found.push([name, value]));
  return found;
}

function each(task: Task, view: View, add: (name: string, value: number) => void): void {
  const cause = (name: string, factor: number): void => {
    const value = factor && Object.hasOwn(COEFFICIENTS, name) ? COEFFICIENTS[name]! * factor : 0;
    if (value) add(name, value);
  };
  // A list asks this of each of its tasks: what is not there is not looked at further. The order is that of the sum.
  const { priority } = task as { priority?: unknown };
  if (task["project"]) cause("project", 1);
  if ("start" in task) cause("active", 1);
  if ("scheduled" in task) {
    const scheduled = secondsAt(task["scheduled"]);
    cause("scheduled", Number(scheduled !== undefined && scheduled < view.now));
  }
  if (view.isWaiting(task)) cause("waiting", 1);
  if (view.isBlocked(task)) cause("blocked", 1);
  if (view.isBlocking(task)) cause("blocking", 1);
  cause("annotations", several(task["annotations"]));
  cause("tags", several(task["tags"]));
  if ("due" in task) cause("due", dueFactor(task["due"], view));
  cause("age", age(task["entry"], view));
  if (typeof priority === "string") cause(`priority.${priority}`, 1);
  if (tagsOf(task).includes("next")) cause("next", 1);
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
