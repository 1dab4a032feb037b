/** Words for days and moments, as client/tasks/moments.py and date_words.py read them. Weeks begin on Monday. */

import { instant } from "../../../sdk/src/merge/clock.ts";
import {
  CalendarError,
  checkedDay,
  DAY,
  dateOf,
  dayOfDate,
  daysInMonth,
  daysOf,
  onDay,
  secondsOf,
  textOf,
  wallOf,
  weekdayOf,
  type Point,
} from "./points.ts";
import { span, type Span } from "./spans.ts";

/** The message shows what is a date. */
export class NoMomentError extends Error {
  constructor(text: string) {
    super(`"${text}" is not a date. Examples: 2026-12-24, 2026-12-24T18:00, tomorrow, friday, 3d, 2w, eom`);
  }
}

const DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const MONTHS = (
  "january february march april may june july august september october november december"
).split(" ");
const PERIOD = /^([se])o([np]?)([wmqy])$/;
const ENDS = /^(eod|eo[np]?[wmqy]|eoww)$/;
const SUM = /^(.+?)\s*((?:[+-]\s*(?:\d{1,5}(?:\.\d{1,3})?\s?[a-z]+|p[0-9tymwdhs]+)\s*)+)$/;
const EASTER: Readonly<Record<string, number>> = {
  goodfriday: -2,
  easter: 0,
  eastermonday: 1,
  ascension: 39,
  pentecost: 49,
};

const day = (days: number): Point => ({ kind: "day", day: checkedDay(days) });

/** What `text` says, as it stands in a task: a day where no time was said. `now`: seconds since 1970. */
export function stored(text: string, now: number): string {
  return textOf(pointMeant(text, now));
}

/** The moment that `text` says, in seconds since 1970; of a day the beginning, `eom` and its like the end. */
export function momentOf(text: string, now: number): number {
  const point = pointMeant(text, now);
  return secondsOf(point.kind === "day" && isEnd(text) ? { kind: "day", day: point.day + 1 } : point);
}

/** Throws NoMomentError. */
function pointMeant(text: string, now: number): Point {
  let point: Point | undefined;
  try {
    point = meant(text, now);
  } catch (error) {
    if (!(error instanceof CalendarError)) throw error;
  }
  if (!point) throw new NoMomentError(text);
  return point;
}

function meant(text: string, now: number): Point | undefined {
  const word = text.trim().toLowerCase();
  const at = instant(text.trim());
  if (at !== undefined) return { kind: "instant", at };
  return onDay(word) ?? named(word, now) ?? inSum(word, now);
}

function inSum(word: string, now: number): Point | undefined {
  const sign = word.startsWith("-") ? -1 : 1;
  const alone = word.replace(/^[+-]/, "");
  const by = /^[\dp]/.test(alone) ? span(alone) : undefined;
  if (by) return shifted({ kind: "instant", at: Math.floor(now) }, sign, by);
  const parts = summed(word);
  let point = parts && meant(parts.word, now);
  for (const [each, term] of parts?.terms ?? []) point = point && shifted(point, each, term);
  return point;
}

/** A date word with spans behind it, taken apart. undefined: it is no sum. */
function summed(word: string): { word: string; terms: (readonly [number, Span])[] } | undefined {
  const match = SUM.exec(word);
  if (!match) return undefined;
  const terms = [...match[2]!.matchAll(/([+-])\s*([^+-]+)/g)].map(([, sign, text]) => [sign, span(text!)] as const);
  if (terms.some(([, by]) => !by)) return undefined;
  return { word: match[1]!, terms: terms.map(([sign, by]) => [sign === "+" ? 1 : -1, by!] as const) };
}

/** Whether `text` says the end of a period, also of one that days are added to. */
export function isEnd(text: string): boolean {
  const word = text.trim().toLowerCase();
  const parts = summed(word);
  return ENDS.test(parts?.word ?? word) && !parts?.terms.some(([, by]) => by.seconds > 0);
}

/** A day stays a day unless hours are added; days and months of an instant are those of the wall clock. */
function shifted(point: Point, sign: number, by: Span): Point {
  if (point.kind === "day") {
    if (!by.seconds) return day(moved(point.day, sign, by));
    point = { kind: "local", wall: point.day * DAY };
  }
  if (point.kind === "instant") {
    if (!by.months && !by.days) return { kind: "instant", at: point.at + sign * by.seconds };
    point = { kind: "local", wall: wallOf(point.at) };
  }
  const clock = ((point.wall % DAY) + DAY) % DAY;
  const wall = checkedDay(moved(Math.floor(point.wall / DAY), sign, by)) * DAY + clock + sign * by.seconds;
  checkedDay(Math.floor(wall / DAY));
  return { kind: "local", wall };
}

function moved(days: number, sign: number, by: Span): number {
  return checkedDay(monthsLater(days, sign * by.months) + sign * by.days);
}

/** The same day of a later month, or that month's last. */
export function monthsLater(days: number, months: number): number {
  const date = dateOf(days);
  const month = date.month - 1 + months;
  const [year, its] = [date.year + Math.floor(month / 12), (((month % 12) + 12) % 12) + 1];
  if (year < 1 || year > 9999) throw new CalendarError("beyond the calendar");
  return daysOf(year, its, Math.min(date.day, daysInMonth(year, its)));
}

function named(word: string, now: number): Point | undefined {
  const today = Math.floor(wallOf(now) / DAY);
  switch (word) {
    case "now":
      return { kind: "instant", at: Math.floor(now) };
    case "today":
    case "sod":
    case "eod":
      return day(today);
    case "yesterday":
      return day(today - 1);
    case "tomorrow":
      return day(today + 1);
    case "later":
    case "someday":
      return day(daysOf(9999, 12, 30));
    case "soww":
      return day(today - weekdayOf(today));
    case "eoww":
      return day(today + 4 - weekdayOf(today));
  }
  const match = PERIOD.exec(word);
  if (match) return day(period(today, match[1]!, match[2]!, match[3]!));
  return weekday(word, today) ?? month(word, today) ?? feast(word, today) ?? numbers(word, today, now);
}

function period(today: number, side: string, which: string, unit: string): number {
  const step = which === "n" ? 1 : which === "p" ? -1 : 0;
  if (unit === "w") return today + 7 * step - weekdayOf(today) + (side === "s" ? 0 : 6);
  const months = unit === "m" ? 1 : unit === "q" ? 3 : 12;
  const date = dateOf(today);
  const start = monthsLater(daysOf(date.year, date.month - ((date.month - 1) % months), 1), months * step);
  return side === "s" ? start : monthsLater(start, months) - 1;
}

function begins(names: readonly string[], word: string): number {
  return word.length >= 3 ? names.findIndex((name) => name.startsWith(word)) : -1;
}

function weekday(word: string, today: number): Point | undefined {
  const found = begins(DAYS, word);
  return found < 0 ? undefined : day(today + ((found - weekdayOf(today) - 1 + 7) % 7) + 1);
}

function month(word: string, today: number): Point | undefined {
  const found = begins(MONTHS, word) + 1;
  const date = dateOf(today);
  return found < 1 ? undefined : day(daysOf(date.year + (found <= date.month ? 1 : 0), found, 1));
}

function feast(word: string, today: number): Point | undefined {
  if (!Object.hasOwn(EASTER, word) && word !== "midsommar" && word !== "midsommarafton") return undefined;
  const { year } = dateOf(today);
  const found = [year, year + 1].map((one) => feastOf(word, one)).find((one) => one >= today);
  return found === undefined ? undefined : day(found);
}

function feastOf(word: string, year: number): number {
  const after = EASTER[word];
  if (after !== undefined) return easter(year) + after;
  const saturday = daysOf(year, 6, 20) + ((5 - weekdayOf(daysOf(year, 6, 20)) + 7) % 7);
  return word === "midsommar" ? saturday : saturday - 1;
}

/** Of the Gregorian calendar, by the golden number, the epact and the weekday. */
function easter(year: number): number {
  const golden = year % 19;
  const [century, rest] = [Math.floor(year / 100), year % 100];
  const epact =
    (19 * golden + century - Math.floor(century / 4) - Math.floor((8 * century + 13) / 25) + 15) % 30;
  const sunday = (32 + 2 * (century % 4) + 2 * Math.floor(rest / 4) - epact - (rest % 4)) % 7;
  const late = Math.floor((golden + 11 * epact + 22 * sunday) / 451);
  const sum = epact + sunday - 7 * late + 114;
  return daysOf(year, Math.floor(sum / 31), (sum % 31) + 1);
}

function numbers(word: string, today: number, now: number): Point | undefined {
  let match = /^(\d{1,2})(st|nd|rd|th)$/.exec(word);
  if (match) return ordinal(Number(match[1]), match[2]!, today);
  match = /^(\d{4})-?w(\d\d)(?:-?([1-7]))?$/.exec(word);
  if (match) return isoWeek(Number(match[1]), Number(match[2]), Number(match[3] ?? 1));
  match = /^(\d{4})-(\d\d)$/.exec(word);
  if (match) return day(dayOfDate(Number(match[1]), Number(match[2]), 1));
  match = /^(\d{4})-(\d{3})$/.exec(word);
  if (match) {
    const found = daysOf(Number(match[1]), 1, 1) + Number(match[2]) - 1;
    return dateOf(found).year === Number(match[1]) && Number(match[1]) >= 1 ? day(found) : undefined;
  }
  match = /^(\d{1,2}):(\d\d)(?::(\d\d))?$/.exec(word);
  if (!match) return undefined;
  const [hour, minute, second] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
  if (hour > 23 || minute > 59 || second > 59) throw new CalendarError("no such time");
  const wall = today * DAY + hour * 3600 + minute * 60 + second;
  return { kind: "local", wall: wall > wallOf(now) ? wall : wall + DAY };
}

function isoWeek(year: number, week: number, weekday: number): Point {
  const first = daysOf(year, 1, 4);
  const monday = first - weekdayOf(first) + 7 * (week - 1);
  const most = weekdayOf(daysOf(year, 12, 28));
  const last = daysOf(year, 12, 28) - most;
  if (year < 1 || week < 1 || monday > last) throw new CalendarError("no such week");
  return day(monday + weekday - 1);
}

function ordinal(number: number, ending: string, today: number): Point | undefined {
  const usual = ["th", "st", "nd", "rd"][number % 10] ?? "th";
  const right = number > 10 && number < 14 ? "th" : usual;
  if (ending !== right || number < 1 || number > 31) return undefined;
  const date = dateOf(today);
  for (let ahead = 0; ahead < 13; ahead += 1) {
    const first = dateOf(monthsLater(daysOf(date.year, date.month, 1), ahead));
    if (number > daysInMonth(first.year, first.month)) continue;
    const found = daysOf(first.year, first.month, number);
    if (found > today) return day(found);
  }
  return undefined;
}
