/** The clock of a document: when it says itself that it was changed. A hint, never trusted beyond ties. */

export const CLOCK_POINTERS: ReadonlySet<string> = new Set(["/updated_at", "/modified"]);

const INSTANT =
  /^(\d{4})-?(\d\d)-?(\d\d)[Tt ](\d\d):?(\d\d):?(\d\d)(?:[.,](\d+))?(?:[Zz]|([+-])(\d\d):?(\d\d))$/;

/**
 * Seconds since 1970 of an RFC 3339 time, or of ISO 8601's basic form. undefined for anything else: other types, a
 * time without an offset, the 30th of February. Digits beyond the microsecond are dropped.
 */
export function instant(text: unknown): number | undefined {
  const match = typeof text === "string" ? INSTANT.exec(text) : null;
  if (!match) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number);
  const offset = Number(match[9] ?? 0) * 3600 + Number(match[10] ?? 0) * 60;
  if (year < 1 || hour > 23 || minute > 59 || second > 60 || offset >= 86400) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  const at = date.getTime() / 1000 + hour * 3600 + minute * 60;
  const seconds = second + Number((match[7] ?? "0").padEnd(6, "0").slice(0, 6)) / 1_000_000;
  return at + seconds - offset * (match[8] === "-" ? -1 : 1);
}
