/**
 * Orders of a merged array: whose order stands, and where each side's own elements go.
 *
 * What both sides inserted at one place stands in an order that the elements themselves decide, so that two places
 * that merge the same two states agree, whichever of them arrived there first.
 */

import { canonical } from "../json/canonical.ts";
import { compareText, type Json } from "../json/values.ts";
import { part, type Keyed } from "./arrays.ts";
import { counted, isWithin, times, without } from "./counter.ts";
import { folded } from "./letters.ts";
import { difference, sameSequence, type Hunk, type Steps } from "./sequences.ts";

/** What to compare elements by; those that differ have ranks that differ. */
export interface Rank {
  readonly kind: 0 | 1 | 2;
  readonly number: number;
  readonly first: string;
  readonly second: string;
}
export type RankOf<K> = (key: K) => Rank;

/** A total order of all values: numbers, then strings by letters without regard to case, then the rest. */
export function rank(value: Json): Rank {
  if (typeof value === "number") return { kind: 0, number: value, first: "", second: "" };
  if (typeof value === "string") return { kind: 1, number: 0, first: folded(value), second: value };
  return { kind: 2, number: 0, first: canonical(value), second: "" };
}

function compareRanks(a: Rank, b: Rank): number {
  return a.kind - b.kind || a.number - b.number || compareText(a.first, b.first) || compareText(a.second, b.second);
}

/** How much room an element takes: characters, bytes of what is neither a number nor a string. */
function size({ kind, number, first }: Rank): number {
  if (kind === 0) return String(number).length;
  return kind === 1 ? [...first].length : new TextEncoder().encode(first).length;
}

/** Whether `a` goes before `b`: the first elements in which they differ decide, else the shorter does. */
function precedes<K>(a: readonly K[], b: readonly K[], by: RankOf<K>): boolean {
  for (let at = 0; at < Math.min(a.length, b.length); at += 1) {
    const order = a[at] === b[at] ? 0 : compareRanks(by(a[at]), by(b[at]));
    if (order !== 0) return order < 0;
  }
  return a.length <= b.length;
}

/**
 * Whether `a` stands before `b` where two sides inserted them, between neighbours whose ranks are given.
 *
 * If with these one of the two orders ascends or descends, and the other does not, the one that does. Else the larger
 * goes first, of equally large ones the lower.
 */
function goesFirst<K>(
  a: readonly K[],
  b: readonly K[],
  by: RankOf<K>,
  before: readonly Rank[],
  after: readonly Rank[],
): boolean {
  const [one, two] = [a.map(by), b.map(by)];
  if (before.length > 0 || after.length > 0) {
    const sorted = isSorted([...before, ...one, ...two, ...after]);
    if (sorted !== isSorted([...before, ...two, ...one, ...after])) return sorted;
  }
  const sizes = [one, two].map((ranks) => ranks.reduce((sum, each) => sum + size(each), 0));
  return sizes[0] !== sizes[1] ? sizes[0] > sizes[1] : precedes(a, b, by);
}

/** Whether these are numbers and strings that ascend, or descend. */
function isSorted(ranks: readonly Rank[]): boolean {
  if (ranks.some(({ kind }) => kind > 1)) return false;
  const steps = ranks.slice(1).map((each, at) => compareRanks(ranks[at], each));
  return steps.every((step) => step <= 0) || steps.every((step) => step >= 0);
}

/** Whether the elements that both have stand in another order. No duplicates in either. */
function reordered<K>(base: readonly K[], side: readonly K[]): boolean {
  const [inBase, inSide] = [new Set(base), new Set(side)];
  return !sameSequence(
    base.filter((key) => inSide.has(key)),
    side.filter((key) => inBase.has(key)),
  );
}

/**
 * What two sides inserted at one place, behind `before`: what both have once, all else of both; and how the one differs
 * from the other. The one that has all that the other has stands as it is.
 */
export function union(one: Keyed, two: Keyed, steps: Steps, before: Json | undefined): { array: Json[]; hunks: Hunk[] } {
  const values = new Map([...two.keys.entries()].map(([at, key]) => [key, two.array[at]]));
  for (const [at, key] of one.keys.entries()) values.set(key, one.array[at]);
  const by = (key: unknown): Rank => rank(values.get(key as never)!);
  const [a, b] = precedes(one.keys, two.keys, by) ? [one, two] : [two, one];
  const hunks = difference(a.keys, b.keys, steps);
  const [inA, inB] = [counted(a.keys), counted(b.keys)];
  if (isWithin(inB, inA)) return { array: [...a.array], hunks };
  if (isWithin(inA, inB)) return { array: [...b.array], hunks };
  const crossed = crossing(a, b, hunks);
  const array: Json[] = [];
  let at = 0;
  for (const hunk of hunks) {
    array.push(...a.array.slice(at, hunk.aLo));
    const mine = part(a, hunk.aLo, hunk.aHi);
    const other: { keys: (typeof b.keys)[number][]; array: Json[] } = { keys: [], array: [] };
    for (let index = hunk.bLo; index < hunk.bHi; index += 1) {
      const left = times(crossed, b.keys[index]);
      if (left > 0) crossed.set(b.keys[index], left - 1);
      else {
        other.keys.push(b.keys[index]);
        other.array.push(b.array[index]);
      }
    }
    const last = array.length > 0 ? array[array.length - 1] : before;
    const first = goesFirst(mine.keys, other.keys, by, last === undefined ? [] : [rank(last)], []);
    array.push(...(first ? mine : other).array, ...(first ? other : mine).array);
    at = hunk.aHi;
  }
  array.push(...a.array.slice(at));
  return { array, hunks };
}

/** What both have, but in another order. */
function crossing(a: Keyed, b: Keyed, hunks: readonly Hunk[]): Map<unknown, number> {
  const inB = counted(b.keys);
  const crossed = new Map<unknown, number>();
  for (const [key, count] of counted(a.keys)) crossed.set(key, Math.min(count, times(inB, key)));
  const aligned: unknown[] = [];
  let at = 0;
  for (const hunk of hunks) {
    aligned.push(...a.keys.slice(at, hunk.aLo));
    at = hunk.aHi;
  }
  aligned.push(...a.keys.slice(at));
  return without(crossed, counted(aligned));
}

/** Whether both sides have something of their own at one place. */
export function compete(hunks: readonly Hunk[]): boolean {
  return hunks.some((hunk) => hunk.aLo < hunk.aHi && hunk.bLo < hunk.bHi);
}

/**
 * All keys in order; no duplicates in any. `base` undefined: there was none.
 *
 * Who alone reordered what was there decides; if both did, `decideOurs` does; if nobody did, the elements do. `kept`:
 * the keys of the result. A side that has them all, as the other one has them, is a merge of the two.
 */
export function order<K>(
  base: readonly K[] | undefined,
  ours: readonly K[],
  theirs: readonly K[],
  kept: ReadonlySet<K>,
  by: RankOf<K>,
  decideOurs: () => boolean,
): readonly K[] {
  if (sameSequence(ours, theirs)) return ours;
  const [hasAll, otherHasAll] = [ours, theirs].map((side) => {
    const keys = new Set(side);
    return [...kept].every((key) => keys.has(key));
  });
  if (base && sameSequence(ours, base) && otherHasAll) return theirs;
  if (base && sameSequence(theirs, base) && hasAll) return ours;
  const isKept = (key: K): boolean => kept.has(key);
  const left = base?.filter(isKept);
  const [byOurs, byTheirs] = [ours, theirs].map((side) => left !== undefined && reordered(left, side));
  const [here, there] = [ours.filter(isKept), theirs.filter(isKept)];
  const reorders = byOurs !== byTheirs || (byOurs && reordered(here, there));
  let oursFirst: boolean;
  if (reorders) oursFirst = byOurs && byTheirs ? decideOurs() : byOurs;
  else oursFirst = hasAll !== otherHasAll ? hasAll : precedes(here, there, by);
  const [first, second] = oursFirst ? [ours, theirs] : [theirs, ours];
  if (oursFirst ? otherHasAll : hasAll) {
    const known = new Set(first);
    const inBoth = second.filter((key) => known.has(key) && kept.has(key));
    if (sameSequence(oursFirst ? here : there, inBoth)) return second;
  }
  return interleave(base ?? [], first, second, by, reorders);
}

/**
 * The elements of all three in one order: the skeleton's, and each of the others behind a neighbour.
 *
 * What `other` adds goes behind its left neighbour there; what it puts in the place of elements that it removes takes
 * their places, one by one. Where both add, `goesFirst` decides. No duplicates in any of the three. `reorders`: the
 * skeleton stands because it moved elements, so what takes their places may move with them; otherwise it takes only
 * places between the neighbours that it has in `other`.
 */
function interleave<K>(
  base: readonly K[],
  skeleton: readonly K[],
  other: readonly K[],
  by: RankOf<K>,
  reorders: boolean,
): K[] {
  const [inBase, inOther] = [new Set(base), new Set(other)];
  const ghosts = behind(skeleton, base.map((key) => [key, key]), new Set(), by);
  const [places, ghostPlaces] = [base, ghosts].map(placesOf);
  const ends: number[] = []; // where the next neighbour on the right stands
  let end = ghosts.length;
  for (const key of other.toReversed()) {
    ends.push(end);
    end = ghostPlaces.get(key) ?? end;
  }
  const anchored: [K, K | undefined][] = [];
  let anchor: K | undefined;
  let [at, start] = [0, -1]; // the place in the base behind the last element that both have, and the anchor's
  for (const key of other) {
    const [place, right] = [ghostPlaces.get(key), ends.pop() ?? 0];
    if (place !== undefined) [anchor, at, start] = [key, (places.get(key) ?? at - 1) + 1, place];
    else if (at < base.length && !inOther.has(base[at])) {
      const free = ghostPlaces.get(base[at]) ?? 0;
      if (reorders || (start < free && free < right)) [anchor, at, start] = [base[at], at + 1, free];
    }
    anchored.push([key, anchor]);
  }
  const own = new Set(skeleton.filter((key) => !inBase.has(key) && !inOther.has(key)));
  return behind(ghosts, anchored, own, by);
}

function placesOf<K>(keys: readonly K[]): Map<K, number> {
  return new Map([...keys.entries()].map(([at, key]) => [key, at]));
}

/**
 * The skeleton, with each key that it lacks behind the last anchor before it that the skeleton has. `own`: what stands
 * in the skeleton alone.
 */
function behind<K>(
  skeleton: readonly K[],
  anchored: readonly (readonly [K, K | undefined])[],
  own: ReadonlySet<K>,
  by: RankOf<K>,
): K[] {
  const known = new Set<K | undefined>(skeleton);
  const following = new Map<K | undefined, K[]>();
  const start: K[] = [];
  let waiting = start;
  for (const [key, anchor] of anchored) {
    if (anchor !== undefined && known.has(anchor)) {
      waiting = following.get(anchor) ?? [];
      following.set(anchor, waiting);
    }
    if (!known.has(key)) waiting.push(key);
  }
  const result: K[] = [];
  waiting = start;
  let at = 0;
  while (at < skeleton.length || waiting.length > 0) {
    let end = at;
    while (end < skeleton.length && own.has(skeleton[end])) end += 1;
    const stretch = skeleton.slice(at, end);
    const [last, next] = [result.slice(-1).map(by), skeleton.slice(end, end + 1).map(by)];
    const stretchFirst =
      waiting.length > 0 && stretch.length > 0 && !goesFirst(waiting, stretch, by, last, next);
    result.push(...(stretchFirst ? stretch : waiting), ...(stretchFirst ? waiting : stretch));
    waiting = [];
    at = end;
    if (at < skeleton.length) {
      result.push(skeleton[at]);
      waiting = following.get(skeleton[at]) ?? [];
      at += 1;
    }
  }
  return result;
}
