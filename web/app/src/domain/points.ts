/**
 * Days and moments as they stand in a task, as client/tasks/moments.py has them:
 *
 *     2026-12-24                a day: all of it, the same day in every zone
 *     2026-12-24T18:00:00       a local time: what the clock on the user's wall shows
 *     2026-12-24T17:00:00Z      an instant (RFC 3339, or 20261224T170000Z)
 *
 * The zone of the user is the one of the platform.
 */

import { instant } from "../../../sdk/src/merge/clock.ts";

export type Point =
  /** Days since 1970-01-01. */
  | { readonly kind: "day"; readonly day: number }
  /** Seconds of the wall clock since 1970-01-01T00:00. */
  | { readonly kind: "local"; readonly wall: number }
  /** Seconds since 1970, UTC. */
  | { readonly kind: "instant"; readonly at: number };

/** Fields of a task whose values are days or moments. */
export const MOMENTS: ReadonlySet<string> = new Set(["due", "wait", "scheduled", "until", "start", "end", "entry"]);

export const DAY = 86_400;
const FIRST_DAY = daysOf(1, 1, 1);
const LAST_DAY = daysOf(9999, 12, 31);
const ON_DAY = /^(\d{4})-(\d\d)-(\d\d)$/;
const ON_WALL = /^(\d{4})-?(\d\d)-?(\d\d)[Tt ](\d\d):?(\d\d)(?::?(\d\d)(?:\.\d+)?)?$/;

/** Beyond the calendar: years 1 to 9999. */
export class CalendarError extends RangeError {}

/** Days since 1970 of a date of the proleptic Gregorian calendar; months from 1. */
export function daysOf(year: number, month: number, day: number): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return Math.round(date.getTime() / 1000 / DAY);
}

export interface YearMonthDay {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

export function dateOf(days: number): YearMonthDay {
  const date = new Date(days * DAY * 1000);
  return { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
}

export function checkedDay(days: number): number {
  if (days < FIRST_DAY || days > LAST_DAY || Number.isNaN(days)) throw new CalendarError("beyond the calendar");
  return days;
}

/** The date, if there is one. Throws CalendarError for the 30th of February. */
export function dayOfDate(year: number, month: number, day: number): number {
  const days = daysOf(year, month, day);
  const back = dateOf(days);
  if (year < 1 || back.month !== month || back.day !== day) throw new CalendarError("no such day");
  return days;
}

/** 0 is Monday. */
export function weekdayOf(days: number): number {
  return (((days + 3) % 7) + 7) % 7;
}

export function daysInMonth(year: number, month: number): number {
  return dateOf(daysOf(year, month + 1, 1) - 1).day;
}

/** The ISO week: its year and its number. */
export function weekOf(days: number): { year: number; week: number } {
  const thursday = days - weekdayOf(days) + 3;
  const { year } = dateOf(thursday);
  return { year, week: Math.floor((thursday - daysOf(year, 1, 1)) / 7) + 1 };
}

/** The wall clock where the user is, at that second of UTC. */
export function wallOf(at: number): number {
  const date = new Date(Math.floor(at) * 1000);
  const wall = new Date(0);
  wall.setUTCFullYear(date.getFullYear(), date.getMonth(), date.getDate());
  wall.setUTCHours(date.getHours(), date.getMinutes(), date.getSeconds());
  return wall.getTime() / 1000;
}

/**
 * The second of UTC at which the clocks where the user is show that. Of a time that they show twice the first; one that
 * they skip has the offset of before the change.
 */
export function atWall(wall: number): number {
  const [shown, date] = [new Date(wall * 1000), new Date(0)];
  date.setFullYear(shown.getUTCFullYear(), shown.getUTCMonth(), shown.getUTCDate());
  date.setHours(shown.getUTCHours(), shown.getUTCMinutes(), shown.getUTCSeconds(), 0);
  return date.getTime() / 1000;
}

/** A day or a local time as it is written, in lower case or not. Throws CalendarError for a day that no month has. */
export function onDay(text: string): Point | undefined {
  let match = ON_DAY.exec(text);
  if (match) return { kind: "day", day: dayOfDate(Number(match[1]), Number(match[2]), Number(match[3])) };
  match = ON_WALL.exec(text);
  if (!match) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0));
  if (hour! > 23 || minute! > 59) throw new CalendarError("no such time");
  const wall = dayOfDate(year!, month!, day!) * DAY + hour! * 3600 + minute! * 60 + Math.min(second!, 59);
  return { kind: "local", wall };
}

/** What a field says; undefined if it is no moment. */
export function pointOf(value: unknown): Point | undefined {
  if (typeof value !== "string") return undefined;
  const at = instant(value);
  if (at !== undefined) return { kind: "instant", at };
  try {
    return onDay(value);
  } catch (error) {
    if (error instanceof CalendarError) return undefined;
    throw error;
  }
}

/** As it stands in a task; without what is shorter than a second. */
export function textOf(point: Point): string {
  if (point.kind === "day") return dayText(point.day);
  if (point.kind === "local") return `${dayText(Math.floor(point.wall / DAY))}T${clockText(point.wall)}`;
  return written(point.at);
}

export function dayText(days: number): string {
  const { year, month, day } = dateOf(days);
  return `${pad(year, 4)}-${pad(month)}-${pad(day)}`;
}

function clockText(wall: number): string {
  const seconds = ((Math.floor(wall) % DAY) + DAY) % DAY;
  return [3600, 60, 1].map((unit) => pad(Math.floor(seconds / unit) % (unit === 3600 ? 24 : 60))).join(":");
}

/** An instant as it stands in a task. */
export function written(at: number): string {
  const whole = Math.floor(at);
  return `${dayText(Math.floor(whole / DAY))}T${clockText(whole)}Z`;
}

function pad(number: number, width = 2): string {
  return String(number).padStart(width, "0");
}

/** When that is, in seconds since 1970; of a day its beginning where the user is. */
export function secondsOf(point: Point): number {
  if (point.kind === "instant") return point.at;
  return atWall(point.kind === "day" ? point.day * DAY : point.wall);
}

/** The same of a field; undefined if it says no moment. */
export function secondsAt(value: unknown): number | undefined {
  const point = pointOf(value);
  return point && secondsOf(point);
}

/** The day that this is where the user is. */
export function dayOf(point: Point): number {
  if (point.kind === "day") return point.day;
  return Math.floor((point.kind === "local" ? point.wall : wallOf(point.at)) / DAY);
}

export function dayAt(value: unknown): number | undefined {
  const point = pointOf(value);
  return point && dayOf(point);
}

/** The day, and the time if it is not midnight, where the user is; what is no moment as it stands. */
export function shown(value: unknown): string {
  const point = pointOf(value);
  if (!point) return typeof value === "object" ? JSON.stringify(value) : String(value);
  if (point.kind === "day") return dayText(point.day);
  const wall = point.kind === "local" ? point.wall : wallOf(point.at);
  const clock = clockText(wall);
  return dayText(Math.floor(wall / DAY)) + (clock === "00:00:00" ? "" : ` ${clock.slice(0, 5)}`);
}
