/** What a task is, and what has to be known of the others to judge one (client/tasks/view.py). */

import { dayAt, secondsAt, wallOf, DAY } from "./points.ts";

export type Task = { readonly id: string } & Readonly<Record<string, unknown>>;

/** `waiting`, as earlier versions of Taskwarrior stored it, and none are pending. */
export function statusOf(task: Task): string {
  const { status } = task as { status?: unknown };
  return typeof status === "string" && status !== "waiting" ? status : "pending";
}

export function isOpen(task: Task): boolean {
  const status = statusOf(task);
  return status !== "completed" && status !== "deleted";
}

export function tagsOf(task: Task): string[] {
  const tags = task["tags"];
  return Array.isArray(tags) ? tags.filter((tag): tag is string => typeof tag === "string") : [];
}

/** The ids that `depends` names: a list, or a text with commas. */
export function dependencies(task: Task): string[] {
  const value = task["depends"];
  if (typeof value === "string") return value.split(",").filter(Boolean);
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
}

const LONGEST_TITLE = 300;

/** What people call it; of a long text the beginning. */
export function titleOf(task: Task): string {
  for (const field of ["description", "title", "name", "text", "subject"]) {
    const value = task[field];
    if (typeof value === "string" && value.trim()) return clipped(value, LONGEST_TITLE);
  }
  return task.id;
}

/** The first characters, with a mark if there are more; no character is cut in two. */
export function clipped(text: string, most: number): string {
  if (text.length <= most) return text;
  const start = text.slice(0, most);
  return `${/[\ud800-\udbff]$/.test(start) ? start.slice(0, -1) : start}…`;
}

/** As people read it: what is no plain value as JSON. An object may have any fields, `toString` among them. */
export function readable(value: unknown): string {
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}

/** The view on all tasks at a moment. What is to be known of all of them is looked for when it is asked for. */
export class View {
  /** Seconds since 1970. */
  readonly now: number;
  /** Days since 1970 where the user is. */
  readonly today: number;
  private readonly tasks: readonly Task[];
  private readonly known: Partial<Record<"tags" | "fields" | "projects" | "open" | "needed", ReadonlySet<string>>> = {};

  constructor(tasks: Iterable<Task>, now: number) {
    this.now = now;
    this.today = Math.floor(wallOf(now) / DAY);
    this.tasks = Array.isArray(tasks) ? tasks : [...tasks];
  }

  get tags(): ReadonlySet<string> {
    return (this.known.tags ??= new Set(this.tasks.flatMap(tagsOf)));
  }

  get fields(): ReadonlySet<string> {
    return (this.known.fields ??= new Set(this.tasks.flatMap((task) => Object.keys(task))));
  }

  /** Of open tasks. */
  get projects(): ReadonlySet<string> {
    if (this.known.projects) return this.known.projects;
    const projects = new Set<string>();
    for (const task of this.tasks) {
      const { project } = task as { project?: unknown };
      if (typeof project === "string" && isOpen(task)) projects.add(project);
    }
    return (this.known.projects = projects);
  }

  private get open(): ReadonlySet<string> {
    return (this.known.open ??= new Set(this.tasks.filter(isOpen).map(({ id }) => id)));
  }

  /** Tasks that an open one depends on. */
  private get needed(): ReadonlySet<string> {
    const depending = (): Task[] => this.tasks.filter((task) => "depends" in task && isOpen(task));
    return (this.known.needed ??= new Set(depending().flatMap(dependencies)));
  }

  isWaiting(task: Task): boolean {
    if (!("wait" in task) || statusOf(task) !== "pending") return false;
    const wait = secondsAt(task["wait"]);
    return wait !== undefined && wait > this.now;
  }

  isBlocked(task: Task): boolean {
    return "depends" in task && isOpen(task) && dependencies(task).some((one) => this.open.has(one));
  }

  isBlocking(task: Task): boolean {
    return this.needed.has(task.id) && isOpen(task);
  }

  isOverdue(task: Task): boolean {
    if (!("due" in task) || !isOpen(task) || statusOf(task) === "recurring") return false;
    const due = secondsAt(task["due"]);
    return due !== undefined && due < this.now;
  }

  /** Whether the due day of an open task fits. */
  isDue(task: Task, test: (day: number) => boolean): boolean {
    if (!("due" in task) || !isOpen(task)) return false;
    const day = dayAt(task["due"]);
    return day !== undefined && test(day);
  }
}

/** What a list shows by itself: what is not done, not put off and no pattern for other tasks. */
export function isPending(task: Task, now: number): boolean {
  const { status } = task as { status?: unknown };
  if (status === "completed" || status === "deleted" || status === "recurring") return false;
  const wait = "wait" in task ? secondsAt(task["wait"]) : undefined;
  return wait === undefined || wait <= now;
}

/** The field of that name, else the one inside others that the dots lead to; undefined: it is not there. */
export function valueAt(task: Readonly<Record<string, unknown>>, path: string): unknown {
  if (Object.hasOwn(task, path)) return task[path];
  const dot = path.indexOf(".");
  const inside = dot < 0 ? undefined : Object.hasOwn(task, path.slice(0, dot)) ? task[path.slice(0, dot)] : undefined;
  return isRecord(inside) ? valueAt(inside, path.slice(dot + 1)) : undefined;
}

/** What a table has under a key that may come from a document: of `constructor` and the like nothing. */
export function entryOf<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
