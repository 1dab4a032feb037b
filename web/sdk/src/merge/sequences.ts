/**
 * Sequences of keys: how two differ, and how three merge.
 *
 * Sources: E. W. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986); unique elements as anchors: Bram
 * Cohen's patience diff, with the longest increasing subsequence of C. Schensted (1961); three ways: S. Khanna,
 * K. Kunal, B. C. Pierce, "A Formal Investigation of Diff3" (2007), but elements that one side touched and those that
 * the other touched may be neighbours.
 */

import { weigh, type Value } from "../json/values.ts";
import { counted } from "./counter.ts";

/** Steps of exact comparison that all sequences of one merge share, in proportion to their lengths. */
const BUDGET = 100_000;
/** Sequences that take more steps to compare have so many differences that places prove nothing. */
export const COSTLY = BUDGET / 5;
/** Elements in two sequences together that are compared without looking for anchors first. */
const SHORT = 32;
/** Values and lines above which nothing is guessed by likeness. */
const HEAVY = 30_000;

/** Counts the steps of comparing the sequences of one merge, and says how many one comparison may take. */
export class Steps {
  taken = 0;
  /** Everything that is merged. */
  inputs: readonly Value[] = [];
  private weight: number | undefined;
  private isHeavy: boolean | undefined;

  heavy(): boolean {
    return (this.isHeavy ??= weigh(this.inputs, HEAVY) > HEAVY);
  }

  /** What a comparison of `length` elements may take in any case. */
  minimum(length: number): number {
    return Math.floor(length / 16) + 64;
  }

  /** What it may take at most. */
  share(length: number): number {
    this.weight ??= weigh(this.inputs);
    return Math.max(this.minimum(length), Math.floor((length * BUDGET) / Math.max(this.weight, length)));
  }
}

/** a[aLo:aHi] became b[bLo:bHi]; not both are empty, and an equal element lies between two hunks. */
export interface Hunk {
  readonly aLo: number;
  readonly aHi: number;
  readonly bLo: number;
  readonly bHi: number;
}

export type Stretch = readonly [number, number];

/** A stretch of the base, what it became in ours and in theirs, and who changed it. */
export interface Region {
  readonly base: Stretch;
  readonly ours: Stretch;
  readonly theirs: Stretch;
  readonly byOurs: boolean;
  readonly byTheirs: boolean;
}

type Match = readonly [number, number, number];
type Sequence = readonly unknown[];

/** Whether two sequences have the same elements. */
export function sameSequence(a: Sequence, b: Sequence): boolean {
  return a.length === b.length && a.every((key, at) => key === b[at]);
}

/** What makes `b` of `a`: a shortest script where that is cheap, else a longer one, always the same. */
export function difference(a: Sequence, b: Sequence, steps: Steps): Hunk[] {
  const hunks: Hunk[] = [];
  let [i, j] = [0, 0];
  for (const [x, y, length] of [...new Comparison(a, b, steps).matches(), [a.length, b.length, 0] as const]) {
    if (i < x || j < y) hunks.push({ aLo: i, aHi: x, bLo: j, bHi: y });
    [i, j] = [x + length, y + length];
  }
  return hunks;
}

/** The regions, in order, that cover the base: untouched, touched by one side, touched by both. */
export function threeWays(base: Sequence, ours: Sequence, theirs: Sequence, steps: Steps): Region[] {
  const [left, right] = [difference(base, ours, steps), difference(base, theirs, steps)];
  return regionsOf(base, ours, theirs, left, right);
}

/**
 * The same, from what leads from the base to ours and to theirs. Hunks meet if they have a base element in common or
 * are insertions at one place. What one side inserted and the other has at the edge of what it changed there is the
 * same insertion.
 */
export function regionsOf(
  base: Sequence,
  ours: Sequence,
  theirs: Sequence,
  leftHunks: readonly Hunk[],
  rightHunks: readonly Hunk[],
): Region[] {
  const sides = [split(leftHunks, rightHunks, ours, theirs), split(rightHunks, leftHunks, theirs, ours)];
  const regions: Region[] = [];
  const next = [0, 0];
  let [at, oursAt, theirsAt] = [0, 0, 0];
  const untouched = (length: number): void => {
    regions.push(region(at, length, oursAt, length, theirsAt, length, false, false));
    [at, oursAt, theirsAt] = [at + length, oursAt + length, theirsAt + length];
  };
  while (next[0] < sides[0].length || next[1] < sides[1].length) {
    const [left, right] = [sides[0][next[0]], sides[1][next[1]]] as (Hunk | undefined)[];
    const first = !right || (left && (left.aLo < right.aLo || (left.aLo === right.aLo && left.aHi <= right.aHi))) ? left! : right;
    const lo = first.aLo;
    let hi = first.aHi;
    if (at < lo) untouched(lo - at);
    const before = [...next];
    const growth = [0, 0];
    const meets = (hunk: Hunk | undefined): boolean =>
      hunk !== undefined && (hunk.aLo < hi || (hunk.aLo === lo && hunk.aHi === hi));
    for (;;) {
      const which = meets(sides[0][next[0]]) ? 0 : meets(sides[1][next[1]]) ? 1 : undefined;
      if (which === undefined) break;
      const hunk = sides[which][next[which]];
      growth[which] += hunk.bHi - hunk.bLo - hunk.aHi + hunk.aLo;
      hi = Math.max(hi, hunk.aHi);
      next[which] += 1;
    }
    const lengths = growth.map((grown) => hi - lo + grown);
    const touched = next.map((now, which) => now > before[which]);
    regions.push(region(lo, hi - lo, oursAt, lengths[0], theirsAt, lengths[1], touched[0], touched[1]));
    [at, oursAt, theirsAt] = [hi, oursAt + lengths[0], theirsAt + lengths[1]];
  }
  if (at < base.length) untouched(base.length - at);
  return regions;
}

function region(
  base: number,
  baseLength: number,
  ours: number,
  oursLength: number,
  theirs: number,
  theirsLength: number,
  byOurs: boolean,
  byTheirs: boolean,
): Region {
  return {
    base: [base, base + baseLength],
    ours: [ours, ours + oursLength],
    theirs: [theirs, theirs + theirsLength],
    byOurs,
    byTheirs,
  };
}

/** The hunks, without the insertions of the other side that they start or end with: these are hunks of theirs. */
function split(hunks: readonly Hunk[], others: readonly Hunk[], side: Sequence, other: Sequence): Hunk[] {
  const inserted = new Map<number, Sequence>();
  for (const hunk of others) if (hunk.aLo === hunk.aHi) inserted.set(hunk.aLo, other.slice(hunk.bLo, hunk.bHi));
  const result: Hunk[] = [];
  for (let { aLo, aHi, bLo, bHi } of hunks) {
    if (aLo < aHi) {
      const [head, tail] = [inserted.get(aLo), inserted.get(aHi)];
      if (head?.length && bLo + head.length <= bHi && sameSequence(side.slice(bLo, bLo + head.length), head)) {
        result.push({ aLo, aHi: aLo, bLo, bHi: bLo + head.length });
        bLo += head.length;
      }
      if (tail?.length && bLo <= bHi - tail.length && sameSequence(side.slice(bHi - tail.length, bHi), tail)) {
        result.push({ aLo, aHi, bLo, bHi: bHi - tail.length });
        [aLo, bLo] = [aHi, bHi - tail.length];
      }
    }
    result.push({ aLo, aHi, bLo, bHi });
  }
  return result;
}

/** Two sequences; i, n and j, m bound a stretch of each. */
class Comparison {
  private readonly a: Sequence;
  private readonly b: Sequence;
  private readonly steps: Steps;

  constructor(a: Sequence, b: Sequence, steps: Steps) {
    this.a = a;
    this.b = b;
    this.steps = steps;
  }

  /** Runs (start in a, start in b, length) of equal elements, ascending. */
  *matches(): Generator<Match> {
    const { a, b } = this;
    const [i, n, j, m] = this.trimmed(0, a.length, 0, b.length);
    if (i > 0) yield [0, 0, i];
    if (i < n && j < m && n - i + m - j <= SHORT) {
      for (const [x, y, length] of shortest(a.slice(i, n), b.slice(j, m), this.steps)) yield [i + x, j + y, length];
    } else if (i < n && j < m) {
      let [x, y] = [i - 1, j - 1];
      for (const [x2, y2] of [...this.anchors(i, n, j, m), [n, m]]) {
        if (x >= i) yield [x, y, 1];
        yield* this.gap(x + 1, x2, y + 1, y2);
        [x, y] = [x2, y2];
      }
    }
    if (n < a.length) yield [n, m, a.length - n];
  }

  /** Between anchors: the shortest script for what both have; if that is too expensive, the common ends. */
  private *gap(fromA: number, toA: number, fromB: number, toB: number): Generator<Match> {
    const [i, n, j, m] = this.trimmed(fromA, toA, fromB, toB);
    if (fromA < i) yield [fromA, fromB, i - fromA];
    if (i < n && j < m) yield* this.untrimmed(i, n, j, m);
    if (n < toA) yield [n, m, toA - n];
  }

  private *untrimmed(i: number, n: number, j: number, m: number): Generator<Match> {
    const [a, b] = [this.a.slice(i, n), this.b.slice(j, m)];
    this.steps.taken += a.length + b.length;
    const [inA, inB] = [new Set(a), new Set(b)];
    const shared = [...inA].filter((key) => inB.has(key)).length;
    if (shared === inA.size && shared === inB.size) {
      for (const [x, y, length] of shortest(a, b, this.steps)) yield [i + x, j + y, length];
    } else if (shared > 0) {
      const left = [...a.keys()].filter((x) => inB.has(a[x]));
      const right = [...b.keys()].filter((y) => inA.has(b[y]));
      const [short, other] = [left.map((x) => a[x]), right.map((y) => b[y])];
      for (const [x, y, length] of shortest(short, other, this.steps))
        for (let k = 0; k < length; k += 1) yield [i + left[x + k], j + right[y + k], 1];
    }
  }

  /** Without the common prefix and suffix. */
  private trimmed(i: number, n: number, j: number, m: number): [number, number, number, number] {
    const { a, b } = this;
    while (i < n && j < m && a[i] === b[j]) {
      i += 1;
      j += 1;
    }
    while (i < n && j < m && a[n - 1] === b[m - 1]) {
      n -= 1;
      m -= 1;
    }
    return [i, n, j, m];
  }

  /** Places of the elements that occur once in each: the most of them that keep their order. */
  private anchors(i: number, n: number, j: number, m: number): (readonly [number, number])[] {
    this.steps.taken += n - i + m - j;
    const onceB = once(this.b, j, m);
    const pairs: [number, number][] = [];
    for (const [key, x] of once(this.a, i, n)) {
      const y = onceB.get(key);
      if (y !== undefined) pairs.push([x, y]);
    }
    return longestIncreasing(pairs);
  }
}

/** Key -> index of the keys that occur once, by ascending index. */
function once(keys: Sequence, lo: number, hi: number): Map<unknown, number> {
  const counts = counted(keys.slice(lo, hi));
  const result = new Map<unknown, number>();
  for (let at = lo; at < hi; at += 1) if (counts.get(keys[at]) === 1) result.set(keys[at], at);
  return result;
}

/** Of pairs with ascending firsts, the most whose seconds ascend as well. */
function longestIncreasing(pairs: [number, number][]): [number, number][] {
  if (pairs.every(([, y], at) => at === 0 || pairs[at - 1][1] < y)) return pairs;
  const ends: number[] = []; // the smallest second that ends an ascent of each length, and where it is
  const endsAt: number[] = [];
  const before: number[] = [];
  for (const [index, [, y]] of pairs.entries()) {
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ends[middle] < y) low = middle + 1;
      else high = middle;
    }
    before.push(low > 0 ? endsAt[low - 1] : -1);
    ends[low] = y;
    endsAt[low] = index;
  }
  const result: [number, number][] = [];
  for (let index = endsAt[endsAt.length - 1]; index >= 0; index = before[index]) result.push(pairs[index]);
  return result.reverse();
}

/** Myers: the runs of a longest common subsequence; nothing if that takes more steps than allowed. */
function shortest(a: Sequence, b: Sequence, steps: Steps): Match[] {
  const [n, m] = [a.length, b.length];
  let allowed = steps.minimum(n + m);
  let asked = false;
  let taken = 0;
  // The furthest x of the diagonals -d, -d + 2 ... d, and at each end one that nothing has reached.
  let reach = [-1, 0];
  const trace: number[][] = [];
  for (let d = 0; d <= n + m; d += 1) {
    taken += d + 1;
    if (taken > allowed && !asked) {
      asked = true;
      allowed = steps.share(n + m);
    }
    if (taken > allowed) break;
    const now = [-1];
    for (let at = 0; at <= d; at += 1) {
      let x = Math.max(reach[at + 1], reach[at] + 1);
      let y = x + d - 2 * at;
      const start = x;
      while (x < n && y < m && a[x] === b[y]) {
        x += 1;
        y += 1;
      }
      taken += (x - start) >> 2;
      now.push(x);
      if (x >= n && y >= m) {
        steps.taken += taken;
        return walkBack(trace, reach, n, m);
      }
    }
    now.push(-1);
    trace.push(reach);
    reach = now;
  }
  steps.taken += taken;
  return [];
}

/** The runs on the path to (n, m), ascending. */
function walkBack(trace: number[][], last: number[], n: number, m: number): Match[] {
  const result: Match[] = [];
  let reach = last;
  let [x, y] = [n, m];
  for (let d = trace.length; d > 0; d -= 1) {
    const k = x - y;
    const at = (k + d) / 2;
    const down = reach[at] < reach[at + 1];
    const start = down ? reach[at + 1] : reach[at] + 1;
    if (x > start) result.push([start, start - k, x - start]);
    [x, y] = down ? [start, start - k - 1] : [start - 1, start - k];
    reach = trace[d - 1];
  }
  if (x > 0) result.push([0, 0, x]);
  return result.reverse();
}
