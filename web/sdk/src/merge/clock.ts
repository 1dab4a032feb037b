/** The clock of a document: when it says itself that it was changed. A hint, never trusted beyond ties. */

export const CLOCK_POINTERS: ReadonlySet<string> = new Set(["/updated_at", "/modified"]);

const INSTANT =
  /^(\d{4})-?(\d\d)-?(\d\d)[Tt ](\d\d):?(\d\d):?(\d\d)(?:[.,](\d+))?(?:[Zz]|([+-])(\d\d):?(\d\d))$/;

/** As nearly all programs write one: `2026-01-02T03:04:05Z`. Taken apart by hand, as lists do it ten thousand times. */
const PLAIN_LENGTH = 20;
const DAY = 86_400;

/**
 * Seconds since 1970 of an RFC 3339 time, or of ISO 8601's basic form. undefined for anything else: other types, a
 * time without an offset, the 30th of February. Digits beyond the microsecond are dropped.
 */
export function instant(text: unknown): number | undefined {
  if (typeof text !== "string") return undefined;
  if (isPlain(text)) {
    const at = moment(number(text, 0, 4), number(text, 5, 7), number(text, 8, 10), number(text, 11, 13), number(text, 14, 16));
    const second = number(text, 17, 19);
    return at !== undefined && second <= 60 ? at + second : undefined;
  }
  const match = INSTANT.exec(text);
  if (!match) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number);
  const offset = Number(match[9] ?? 0) * 3600 + Number(match[10] ?? 0) * 60;
  const at = moment(year, month, day, hour, minute);
  if (at === undefined || second > 60 || offset >= DAY) return undefined;
  const seconds = second + Number((match[7] ?? "0").padEnd(6, "0").slice(0, 6)) / 1_000_000;
  return at + seconds - offset * (match[8] === "-" ? -1 : 1);
}

function isPlain(text: string): boolean {
  return (
    text.length === PLAIN_LENGTH &&
    text[4] === "-" &&
    text[7] === "-" &&
    text[10] === "T" &&
    text[13] === ":" &&
    text[16] === ":" &&
    text[19] === "Z"
  );
}

/** The digits from here to there; NaN if others stand among them. */
function number(text: string, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at += 1) {
    const digit = text.charCodeAt(at) - 48;
    value = digit >= 0 && digit <= 9 ? value * 10 + digit : NaN;
  }
  return value;
}

/** Seconds since 1970 of a minute, UTC; undefined if no calendar or clock has it. */
function moment(year: number, month: number, day: number, hour: number, minute: number): number | undefined {
  if (!(year >= 1 && hour <= 23 && minute <= 59 && month >= 1 && month <= 12)) return undefined;
  const days = daysBefore(year, month);
  if (!(day >= 1 && day <= daysBefore(month === 12 ? year + 1 : year, month === 12 ? 1 : month + 1) - days)) return undefined;
  return (days + day - 1) * DAY + hour * 3600 + minute * 60;
}

/** Days from 1970-01-01 to the first of a month, in the proleptic Gregorian calendar; its years begin with March here. */
function daysBefore(year: number, month: number): number {
  const years = month <= 2 ? year - 1 : year;
  const months = month <= 2 ? month + 9 : month - 3;
  const leaps = Math.floor(years / 4) - Math.floor(years / 100) + Math.floor(years / 400);
  return years * 365 + leaps + Math.floor((153 * months + 2) / 5) - 719_468;
}
