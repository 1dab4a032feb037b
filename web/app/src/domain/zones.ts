/** Clocks of other places, as far as the platform knows them. */

import { daysOf, DAY } from "./points.ts";

/** Both in seconds since 1970: of UTC, and of what the clock on the wall shows. */
export interface Zone {
  readonly wallOf: (at: number) => number;
  /** Of a time that the clocks show twice the first; one that they skip has the offset of before the change. */
  readonly atWall: (wall: number) => number;
}

const known = new Map<string, Zone | undefined>();

/** The zone of that name in the IANA database; undefined if there is none. */
export function zoneNamed(name: unknown): Zone | undefined {
  if (typeof name !== "string" || name === "" || /^[+-]/.test(name)) return undefined;
  if (!known.has(name)) known.set(name, made(name));
  return known.get(name);
}

function made(name: string): Zone | undefined {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US-u-ca-iso8601", {
      timeZone: name,
      hourCycle: "h23",
      era: "short",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch {
    return undefined;
  }
  const wallOf = (at: number): number => {
    const whole = Math.floor(at);
    const parts = new Map(format.formatToParts(whole * 1000).map(({ type, value }) => [type, value]));
    const [year, month, day, hour, minute, second] = ["year", "month", "day", "hour", "minute", "second"].map((part) =>
      Number(parts.get(part as Intl.DateTimeFormatPartTypes)),
    );
    return daysOf(year!, month!, day!) * DAY + hour! * 3600 + minute! * 60 + second! + (at - whole);
  };
  const atWall = (wall: number): number => {
    const [before, after] = [wall - DAY, wall + DAY].map((at) => wallOf(at) - at) as [number, number];
    const fits = [before, after].find((offset) => wallOf(wall - offset) === wall);
    return wall - (fits ?? before);
  };
  return { wallOf, atWall };
}
