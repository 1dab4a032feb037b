/** Tags that no task has and every filter knows: +OVERDUE, +TODAY (client/tasks/virtual_tags.py). */

import { dateOf, secondsAt, weekOf } from "./points.ts";
import { isOpen, statusOf, type Task, type View } from "./tasks.ts";

export type Test = (task: Task, view: View) => boolean;

const DUE_DAYS = 7;
const CORE = new Set(
  (
    "id description status entry modified due wait scheduled until start end tags project depends annotations recur " +
    "parent mask imask made_until exdates uuid urgency taskwarrior_id taskwarrior_modified rtype template last timezone"
  ).split(" "),
);

const has = (field: string): Test => (task) => {
  const value = task[field];
  return value !== undefined && value !== null && value !== "" && !(Array.isArray(value) && value.length === 0);
};
const status = (wanted: string): Test => (task) => statusOf(task) === wanted;
const due = (test: (day: number, today: number) => boolean): Test => (task, view) =>
  view.isDue(task, (day) => test(day, view.today));

function sameMonths(months: number): Test {
  return due((day, today) => {
    const [one, other] = [dateOf(day), dateOf(today)];
    return one.year === other.year && Math.floor((one.month - 1) / months) === Math.floor((other.month - 1) / months);
  });
}

function sameWeek(day: number, today: number): boolean {
  const [one, other] = [weekOf(day), weekOf(today)];
  return one.year === other.year && one.week === other.week;
}

const isReady: Test = (task, view) => {
  if (statusOf(task) !== "pending" || view.isWaiting(task) || view.isBlocked(task)) return false;
  const scheduled = secondsAt(task["scheduled"]);
  return scheduled === undefined || scheduled < view.now;
};
const today = due((day, now) => day === now);

export const VIRTUAL_TAGS: ReadonlyMap<string, Test> = new Map<string, Test>([
  ["ACTIVE", (task) => "start" in task && isOpen(task)],
  ["ANNOTATED", has("annotations")],
  ["BLOCKED", (task, view) => view.isBlocked(task)],
  ["BLOCKING", (task, view) => view.isBlocking(task)],
  ["CHILD", has("parent")],
  ["COMPLETED", status("completed")],
  ["DELETED", status("deleted")],
  ["DUE", due((day, now) => now <= day && day < now + DUE_DAYS)],
  ["DUETODAY", today],
  ["INSTANCE", has("parent")],
  ["MONTH", sameMonths(1)],
  ["OVERDUE", (task, view) => view.isOverdue(task)],
  ["PARENT", status("recurring")],
  ["PENDING", (task, view) => statusOf(task) === "pending" && !view.isWaiting(task)],
  ["PRIORITY", has("priority")],
  ["PROJECT", has("project")],
  ["QUARTER", sameMonths(3)],
  ["READY", isReady],
  ["SCHEDULED", has("scheduled")],
  ["TAGGED", has("tags")],
  ["TEMPLATE", status("recurring")],
  ["TODAY", today],
  ["TOMORROW", due((day, now) => day === now + 1)],
  ["UDA", (task) => Object.keys(task).some((name) => !CORE.has(name))],
  ["UNBLOCKED", (task, view) => !view.isBlocked(task)],
  ["UNTIL", has("until")],
  ["WAITING", (task, view) => view.isWaiting(task)],
  ["WEEK", due(sameWeek)],
  ["YEAR", sameMonths(12)],
  ["YESTERDAY", due((day, now) => day === now - 1)],
]);
