/**
 * Version strings and their order: that of Semantic Versioning 2.0.0, section 11, and more tolerant: any number of
 * numeric parts, a pre-release without its hyphen, and in front `v` or one operator of a range, which the order does
 * not see.
 */

const MAX_LENGTH = 64;
const VERSION =
  /^(?:[\^~=]|[<>]=?)?[ \t-\r]?[vV]?(?:(\d+(?:\.\d+)*)(?:-([0-9A-Za-z.-]+))?|(\d+(?:\.\d+)+)\.?([A-Za-z][0-9A-Za-z.-]*))(?:\+[0-9A-Za-z.-]+)?$/;

/** What to compare two versions by: the numeric parts, and those of the pre-release. */
export interface VersionOrder {
  readonly numbers: readonly string[];
  readonly parts: readonly string[];
}

/** undefined if it is no version. */
export function versionOrder(text: unknown): VersionOrder | undefined {
  const match = typeof text === "string" && text.length <= MAX_LENGTH ? VERSION.exec(text) : null;
  if (!match) return undefined;
  const numbers = (match[1] ?? match[3]).split(".").map(plain);
  while (numbers.length > 1 && numbers.at(-1) === "0") numbers.pop();
  const rest = match[2] ?? match[4] ?? "";
  return { numbers, parts: rest === "" ? [] : rest.split(".") };
}

/** Negative, 0 or positive. A pre-release goes before its version. */
export function compareVersions(a: VersionOrder, b: VersionOrder): number {
  const order = compareLists(a.numbers, b.numbers, compareNumbers);
  if (order !== 0) return order;
  if ((a.parts.length === 0) !== (b.parts.length === 0)) return a.parts.length === 0 ? 1 : -1;
  return compareLists(a.parts, b.parts, compareParts);
}

/** Numbers before words, numbers by value. */
function compareParts(a: string, b: string): number {
  const [x, y] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (x !== y) return x ? -1 : 1;
  return x ? compareNumbers(plain(a), plain(b)) : a < b ? -1 : a > b ? 1 : 0;
}

/** Digits without leading zeros: they may be more than a number holds. */
function plain(digits: string): string {
  return digits.replace(/^0+(?=\d)/, "");
}

function compareNumbers(a: string, b: string): number {
  return a.length !== b.length ? a.length - b.length : a < b ? -1 : a > b ? 1 : 0;
}

function compareLists(a: readonly string[], b: readonly string[], of: (x: string, y: string) => number): number {
  for (let at = 0; at < Math.min(a.length, b.length); at += 1) {
    const order = of(a[at], b[at]);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}
