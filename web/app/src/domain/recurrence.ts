/**
 * Repeating tasks (client/tasks/recurrence.py). Pure.
 *
 * A task of the status `recurring` with `due` and `recur` is a pattern; each time it is due is a task of its own, whose
 * id comes from the pattern's id and that moment. So whoever makes an occurrence makes the same one. Patterns with a
 * rule of RFC 5545 are left to the command line.
 */

import { sha256 } from "../../../sdk/src/json/sha256.ts";
import { idOfNumber } from "./ids.ts";
import { everyOf, moments, nth, within, type Every } from "./periods.ts";
import { atWall, DAY, pointOf, secondsOf, textOf, wallOf, written, type Point } from "./points.ts";
import type { Task } from "./tasks.ts";
import { zoneNamed, type Zone } from "./zones.ts";

/** After a long absence the last so many are made. */
const MOST = 100;
/** Fields that keep their distance to `due`. */
const MOVING = ["wait", "scheduled", "until"];
const OF_THE_PATTERN = new Set(
  (
    "id status recur made_until until modified due exdates timezone ical mask uuid taskwarrior_id " +
    "taskwarrior_modified urgency uid"
  ).split(" "),
);
const BASIC = /^\d{8}T\d{6}Z$/;
const encoder = new TextEncoder();
const HERE: Zone = { wallOf, atWall };
const UTC: Zone = { wallOf: (at) => at, atWall: (wall) => wall };

export interface Made {
  readonly occurrences: readonly Task[];
  /** The pattern afterwards; the same one if nothing is to be made. */
  readonly pattern: Task;
}

/** Whether tasks are to be made of it. */
export function isPattern(task: Task): boolean {
  return task["status"] === "recurring" && pointOf(task["due"]) !== undefined;
}

/**
 * What is to be made now: all that is due, and the next one. undefined: its period or its zone is not understood here.
 * `taken`: numbers of occurrences that Taskwarrior has made. `now`: seconds since 1970.
 */
export function occurrences(pattern: Task, now: number, taken: ReadonlySet<number> = new Set()): Made | undefined {
  const series = Series.of(pattern);
  if (!series) return undefined;
  const found: Occurrence[] = [];
  for (const [number, wall] of moments(series.every, series.firstWall, series.clock.wallOf(now), MOST)) {
    if (series.isOver(wall)) break;
    if (series.isToBeMade(number, wall) && !taken.has(number)) found.push({ number, wall });
    if (series.at(wall) > now) break;
  }
  const last = found.slice(-MOST);
  if (last.length === 0) return { occurrences: [], pattern };
  const made_until = textOf(series.point(last.at(-1)!.wall));
  return { occurrences: last.map((one) => series.body(one)), pattern: { ...pattern, made_until } };
}

/** The numbers of occurrences that are there, by the id of their pattern. */
export function numbersTaken(tasks: Iterable<Task>): ReadonlyMap<string, ReadonlySet<number>> {
  const found = new Map<string, Set<number>>();
  for (const task of tasks) {
    if (!("imask" in task)) continue;
    const { imask, parent } = task as { imask?: unknown; parent?: unknown };
    if (typeof imask !== "number" || typeof parent !== "string") continue;
    const numbers = found.get(parent) ?? new Set<number>();
    found.set(parent, numbers.add(Math.trunc(imask)));
  }
  return found;
}

interface Occurrence {
  readonly number: number;
  /** What the clock of the series shows. */
  readonly wall: number;
}

class Series {
  readonly every: Every;
  readonly firstWall: number;
  /** What the wall of this series shows. */
  readonly clock: Zone;
  private readonly pattern: Task;
  private readonly first: Point;
  /** Where what moves with it hangs. */
  private readonly zone: Zone;
  /** How many Taskwarrior has made; undefined: it is no pattern of Taskwarrior's. */
  private readonly mask: number | undefined;
  private readonly untilMoves: boolean;

  private constructor(pattern: Task, every: Every, first: Point, zone: Zone) {
    [this.pattern, this.every, this.first] = [pattern, every, first];
    const { mask } = pattern as { mask?: unknown };
    this.mask = typeof mask === "string" ? [...mask].length : undefined;
    this.zone = this.mask === undefined ? zone : HERE;
    this.clock = first.kind === "instant" ? this.zone : HERE;
    this.firstWall = this.wallOf(first);
    this.untilMoves = within(() => this.isUntilMoving()) ?? false;
  }

  static of(pattern: Task): Series | undefined {
    const [first, every] = [pointOf(pattern["due"]), everyOf(pattern["recur"])];
    const { timezone } = pattern as { timezone?: unknown };
    const zone = timezone === undefined || timezone === null ? UTC : zoneNamed(timezone);
    return first && every && zone && new Series(pattern, every, first, zone);
  }

  isOver(wall: number): boolean {
    const ends = this.untilMoves ? undefined : pointOf(this.pattern["until"]);
    return ends !== undefined && this.isAfter(wall, ends);
  }

  /** Whether it was not made before, nor taken out. */
  isToBeMade(number: number, wall: number): boolean {
    if (this.mask !== undefined && number < this.mask) return false;
    const made = pointOf(this.pattern["made_until"]);
    if (made !== undefined && !this.isAfter(wall, made)) return false;
    const { exdates } = this.pattern as { exdates?: unknown };
    const excluded = Array.isArray(exdates) ? exdates.map(pointOf) : [];
    return excluded.every((point) => point === undefined || this.at(wall) !== secondsOf(point));
  }

  body({ number, wall }: Occurrence): Task {
    const inherited = Object.entries(this.pattern).filter(([name]) => !OF_THE_PATTERN.has(name));
    const { id, due } = this.pattern as { id: string; due: string };
    const moved = MOVING.filter((name) => name in this.pattern && (name !== "until" || this.untilMoves));
    const point = this.point(wall);
    const text = textOf(point);
    return {
      ...Object.fromEntries(inherited),
      ...Object.fromEntries(moved.map((name) => [name, this.moved(this.pattern[name], wall)])),
      ...(this.mask === undefined ? {} : { imask: number }),
      id: derivedId("occurrence", id, this.mask === undefined ? momentOf(point) : `#${number}`),
      status: "pending",
      due: this.mask !== undefined && BASIC.test(due) ? basic(text) : text,
      parent: id,
    };
  }

  /** The moment as the pattern's `due` is one: a day, a local time or an instant. */
  point(wall: number): Point {
    if (this.first.kind === "instant") return { kind: "instant", at: this.zone.atWall(wall) };
    // What begins on a day and repeats within a day goes on at local times.
    if (this.first.kind === "day" && !this.every.seconds) return { kind: "day", day: Math.floor(wall / DAY) };
    return { kind: "local", wall };
  }

  at(wall: number): number {
    return secondsOf(this.point(wall));
  }

  private wallOf(point: Point): number {
    if (point.kind === "instant") return this.clock.wallOf(point.at);
    return point.kind === "day" ? point.day * DAY : point.wall;
  }

  /** A day as a limit is all of it. */
  private isAfter(wall: number, limit: Point): boolean {
    return limit.kind === "day" ? Math.floor(wall / DAY) > limit.day : this.at(wall) > secondsOf(limit);
  }

  /** Whether `until` is a day or moment of each occurrence: before the second one, a series would be none. */
  private isUntilMoving(): boolean {
    const until = pointOf(this.pattern["until"]);
    if (until === undefined || this.mask !== undefined) return false;
    return !this.isAfter(this.firstWall, until) && this.isAfter(nth(this.every, this.firstWall, 1), until);
  }

  private moved(value: unknown, wall: number): unknown {
    const point = pointOf(value);
    if (point === undefined) return value;
    const text = within(() => textOf(shifted(point, wall - this.firstWall, this.zone)));
    if (text === undefined) return value;
    return typeof value === "string" && BASIC.test(value) ? basic(text) : text;
  }
}

function shifted(point: Point, distance: number, zone: Zone): Point {
  if (point.kind === "day") return { kind: "day", day: point.day + Math.floor(distance / DAY) };
  if (point.kind === "local") return { kind: "local", wall: point.wall + distance };
  return { kind: "instant", at: zone.atWall(zone.wallOf(point.at) + distance) };
}

/** What stands for a moment in the id of an occurrence. */
function momentOf(point: Point): string {
  return written(point.kind === "instant" ? point.at : point.kind === "day" ? point.day * DAY : point.wall);
}

function basic(text: string): string {
  return text.replace(/[-:]/g, "");
}

/** Always the same id for the same parts, and for others another. */
function derivedId(...parts: string[]): string {
  const text = parts.map((part) => `${[...part].length}:${part}`).join("");
  return idOfNumber(BigInt(`0x${sha256(encoder.encode(text))}`));
}
