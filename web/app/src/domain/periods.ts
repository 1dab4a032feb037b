/** How often a task repeats: what `recur` says (client/tasks/periods.py), without the rules of RFC 5545. Pure. */

import { monthsLater } from "./dates.ts";
import { CalendarError, checkedDay, DAY, weekdayOf } from "./points.ts";
import { span } from "./spans.ts";

/** A span that is added again and again: to the wall clock, first the months. `weekdays`: Monday to Friday. */
export interface Every {
  readonly months: number;
  readonly days: number;
  readonly seconds: number;
  readonly weekdays: boolean;
}

/** undefined: it is no period, or a rule of RFC 5545, which this module does not read. */
export function everyOf(text: unknown): Every | undefined {
  if (typeof text !== "string") return undefined;
  const word = text.trim().toLowerCase();
  if (word.startsWith("freq=") || word.startsWith("rrule:") || word.includes(";freq=")) return undefined;
  if (word === "weekdays") return { months: 0, days: 0, seconds: 0, weekdays: true };
  const by = span(word);
  if (!by) return undefined;
  return { months: by.months, days: by.days + Math.floor(by.seconds / DAY), seconds: by.seconds % DAY, weekdays: false };
}

/** The occurrence with that number, from 0, after the wall clock of the first. Throws CalendarError beyond year 9999. */
export function nth({ months, days, seconds, weekdays }: Every, first: number, number: number): number {
  const [start, clock] = [Math.floor(first / DAY), ((first % DAY) + DAY) % DAY];
  if (weekdays) {
    const from = checkedDay(start + (weekdayOf(start) > 4 ? 7 - weekdayOf(start) : 0));
    const place = weekdayOf(from) + number;
    return checkedDay(from + 7 * Math.floor(place / 5) + (place % 5) - weekdayOf(from)) * DAY + clock;
  }
  const whole = (months ? monthsLater(start, number * months) : start) * DAY + clock + number * (days * DAY + seconds);
  checkedDay(Math.floor(whole / DAY));
  return whole;
}

/** With their numbers, in order: the last `most` that are not after `until`, and on, to the end of the calendar. */
export function* moments(every: Every, first: number, until: number, most: number): Generator<[number, number]> {
  for (let number = Math.max(0, lastUntil(every, first, until) - most); ; number += 1) {
    const wall = within(() => nth(every, first, number));
    if (wall === undefined) return;
    yield [number, wall];
  }
}

function lastUntil(every: Every, first: number, until: number): number {
  const isUntil = (number: number): boolean => (within(() => nth(every, first, number)) ?? Infinity) <= until;
  let [low, high] = [0, 1];
  while (isUntil(high)) [low, high] = [high, high * 2];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (isUntil(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/** undefined beyond the calendar. */
export function within<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof CalendarError) return undefined;
    throw error;
  }
}
