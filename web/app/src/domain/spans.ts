/** Spans of time as people write them: 3d, 2wks, 6mo, P1Y2M (client/tasks/spans.py). */

export interface Span {
  readonly months: number;
  readonly days: number;
  readonly seconds: number;
}

function units(table: readonly (readonly [string, number])[]): ReadonlyMap<string, number> {
  return new Map(table.flatMap(([names, value]) => names.split(" ").map((name) => [name, value] as const)));
}

const MONTHS = units([
  ["monthly months month mnths mths mth mos mo m", 1],
  ["bimonthly", 2],
  ["quarterly quarters quarter qrtrs qrtr qtrs qtr q", 3],
  ["semiannual", 6],
  ["annual yearly years year yrs yr y", 12],
  ["biannual biyearly", 24],
]);
const DAY = 86_400;
const SECONDS = units([
  ["seconds second secs sec s", 1],
  ["minutes minute mins min", 60],
  ["hourly hours hour hrs hr h", 3600],
  ["daily days day d", DAY],
  ["weekly weeks week wks wk w", 7 * DAY],
  ["biweekly fortnight sennight", 14 * DAY],
]);
const NUMBERED = /^(\d{1,5}(?:\.\d{1,3})?)?\s?([a-z]+)$/;
const ISO =
  /^P(?=\d|T\d)(?:(\d{1,5})Y)?(?:(\d{1,5})M)?(?:(\d{1,5})W)?(?:(\d{1,5})D)?(?:T(?=\d)(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:(\d{1,5})S)?)?$/;
const MONTH_DAYS = 30;

/** undefined if it says none. A letter without a number is a slip and none. */
export function span(text: string): Span | undefined {
  const word = text.trim();
  return numbered(word.toLowerCase()) ?? iso(word.toUpperCase());
}

function numbered(word: string): Span | undefined {
  const match = NUMBERED.exec(word);
  if (!match) return undefined;
  const unit = match[2]!;
  // In thousandths, which are whole.
  const count = match[1] === undefined ? 1000 : Math.round(Number(match[1]) * 1000);
  if (count <= 0 || (match[1] === undefined && unit.length === 1)) return undefined;
  const months = MONTHS.get(unit);
  if (months !== undefined) {
    if ((count * months) % 1000 === 0) return { months: (count * months) / 1000, days: 0, seconds: 0 };
    return ofSeconds(Math.trunc((count * months * MONTH_DAYS * DAY) / 1000));
  }
  const seconds = SECONDS.get(unit);
  if (seconds === undefined) return undefined;
  const whole = Math.trunc((count * seconds) / 1000);
  // 24h are hours that pass; a day may have 23 of them.
  return seconds < DAY && whole ? { months: 0, days: 0, seconds: whole } : ofSeconds(whole);
}

function ofSeconds(whole: number): Span | undefined {
  return whole ? { months: 0, days: Math.floor(whole / DAY), seconds: whole % DAY } : undefined;
}

function iso(text: string): Span | undefined {
  const match = ISO.exec(text);
  if (!match) return undefined;
  const [years, months, weeks, days, hours, minutes, seconds] = match.slice(1, 8).map((part) => Number(part ?? 0));
  const read = {
    months: 12 * years! + months!,
    days: 7 * weeks! + days!,
    seconds: 3600 * hours! + 60 * minutes! + seconds!,
  };
  return read.months || read.days || read.seconds ? read : undefined;
}
