/** Three-way merge inside one string, where it is plain what is meant: parts of addresses, ranges of versions. */

import { hasLength } from "../json/values.ts";
import { isDigits, isLetters, tokens } from "./letters.ts";
import { difference, sameSequence, Steps } from "./sequences.ts";
import { compareVersions, versionOrder } from "./versions.ts";

/** Characters; a longer string is prose. */
const MAX_LENGTH = 512;
const BAR = /([\s\x1c-\x1f\x85]*\|{1,2}[\s\x1c-\x1f\x85]*)/;
const RANGE = /^[\^~][1-9]\d*(?:\.\d+){0,2}$/;

/** Tokens start:end of the base became `text`. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: readonly string[];
}

/**
 * Both edits of one string, or undefined if it is not plain that they go together.
 *
 * They do if one side has the other's edit and more; or if they touch different tokens, and one side changed numbers
 * and the other none.
 */
export function mergedParts(base: string, ours: string, theirs: string): string | undefined {
  if (base === "" || [base, ours, theirs].some((text) => hasLength(text, MAX_LENGTH + 1))) return undefined;
  const before = tokens(base);
  const [left, right] = [edits(before, ours), edits(before, theirs)];
  const [here, there] = [contains(left, right), contains(right, left)];
  if (here || there) return here && there ? undefined : here ? ours : theirs;
  const changed = [...left, ...right].sort((a, b) => a.start - b.start || a.end - b.end);
  if (!apart(changed) || changesNumbers(before, left) === changesNumbers(before, right)) return undefined;
  const numbers = changesNumbers(before, left) ? left : right;
  if (numbers.some((edit) => touched(before, edit).some(isLetters))) return undefined;
  const result: string[] = [];
  let at = 0;
  for (const { start, end, text } of changed) {
    result.push(...before.slice(at, start), ...text);
    at = end;
  }
  const merged = [...result, ...before.slice(at)].join("");
  // If the edits cannot be told from the result, they were not plain.
  const again = edits(before, merged);
  return contains(again, left) && contains(again, right) ? merged : undefined;
}

function edits(before: readonly string[], text: string): Edit[] {
  const side = tokens(text);
  return difference(before, side, new Steps()).map(({ aLo, aHi, bLo, bHi }) => ({
    start: aLo,
    end: aHi,
    text: side.slice(bLo, bHi),
  }));
}

/** The tokens that an edit put in and removed. */
function touched(before: readonly string[], edit: Edit): string[] {
  return [...edit.text, ...before.slice(edit.start, edit.end)];
}

/** Whether each of the others is one of the edits, or lies in one that has all that it put in, and words. */
function contains(all: readonly Edit[], others: readonly Edit[]): boolean {
  return others.every((other) =>
    all.some(
      (edit) =>
        (edit.start === other.start && edit.end === other.end && sameSequence(edit.text, other.text)) ||
        liesIn(other, edit),
    ),
  );
}

function liesIn(other: Edit, edit: Edit): boolean {
  if (!other.text.some(isLetters) || edit.start > other.start || other.end > edit.end) return false;
  const width = other.text.length;
  return edit.text.some((_, at) => sameSequence(edit.text.slice(at, at + width), other.text));
}

/** Whether none touches what another does. */
function apart(changed: readonly Edit[]): boolean {
  return changed.every((b, at) => {
    const a = changed[at - 1];
    return at === 0 || a.end < b.start || (a.end === b.start && a.start < a.end && b.start < b.end);
  });
}

function changesNumbers(before: readonly string[], changed: readonly Edit[]): boolean {
  return changed.some((edit) => touched(before, edit).some(isDigits));
}

/**
 * Alternatives of version ranges (`^1.2|^2.0`), one for each major version: those that one side added, and of each
 * that both raised the higher. undefined for anything else, and where a side removed one.
 */
export function mergedRanges(base: string, ours: string, theirs: string): string | undefined {
  const [before, here, there] = [base, ours, theirs].map(alternatives);
  if (!before || !here || !there || Math.max(here.size, there.size) < 2) return undefined;
  const [wider, other, text] = here.size >= there.size ? [here, there, ours] : [there, here, theirs];
  if (![...before.keys()].every((key) => other.has(key)) || ![...other.keys()].every((key) => wider.has(key)))
    return undefined;
  const merged = (major: string): string => {
    const [mine, known] = [wider.get(major)!, before.get(major)];
    const one = other.get(major) ?? mine;
    return mine === known ? one : one === known ? mine : higher(mine, one);
  };
  return text.split(BAR).map((part, at) => (at % 2 ? part : merged(major(part)))).join("");
}

function higher(one: string, two: string): string {
  const [a, b] = [versionOrder(one), versionOrder(two)];
  if (!a || !b) return two;
  const order = compareVersions(a, b);
  return order > 0 || (order === 0 && one > two) ? one : two;
}

/** Operator and major version -> range; undefined if it is none, or has two for one. */
function alternatives(text: string): Map<string, string> | undefined {
  if (hasLength(text, MAX_LENGTH + 1)) return undefined;
  const parts = text.split(BAR).filter((_, at) => at % 2 === 0);
  if (!parts.every((part) => RANGE.test(part))) return undefined;
  const found = new Map(parts.map((part) => [major(part), part]));
  return found.size === parts.length ? found : undefined;
}

function major(part: string): string {
  return part.split(".", 1)[0];
}
