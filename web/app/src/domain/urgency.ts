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
  const scheduled = "scheduled" in task ? secondsAt(task["scheduled"]) : undefined;
  cause("project", Number(Boolean(task["project"])));
  cause("active", Number("start" in task));
  cause("scheduled", Number(scheduled !== undefined && scheduled < view.now));
  cause("waiting", Number(view.isWaiting(task)));
  cause("blocked", Number(view.isBlocked(task)));
  cause("blocking", Number(view.isBlocking(task)));
  cause("annotations", several(task["annotations"]));
  cause("tags", several(task["tags"]));
  cause("due", dueFactor(task["due"], view));
  cause("age", age(task["entry"], view));
  if (typeof task["priority"] === "string") cause(`priority.${task["priority"]}`, 1);
  cause("next", Number(tagsOf(task).includes("next")));
}

function several(value: unknown): number {
  return [0, 0.8, 0.9, 1][Math.min(Array.isArray(value) ? value.length : 0, 3)]!;
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
