/**
 * Which value is a changed form of which other: for a key that was renamed, an element that was edited.
 *
 * The measure is Dice's coefficient over leaves (L. R. Dice, 1945): twice the common ones over all of both. It is a
 * guess, so it is made only where few candidates stand against each other and one of them is clearly the best.
 */

import { hasLength, isStrong, type Json, type Key, type Keys, type Value } from "../json/values.ts";
import { common, counted, total, type Counter } from "./counter.ts";
import { versionOrder } from "./versions.ts";

/** A value with more leaves is like no other. */
const MAX_LEAVES = 256;
/** With more pairs to compare, none is compared. */
const MAX_PAIRS = 64;
const MAX_OTHERS = 256;
/** The least likeness of an element and its edited form, and of what stood under a key and under the new one. */
const EDITED = 0.5;
const RENAMED = 0.75;
/** So many common leaves prove as much as one strong value. */
const WEAK_LEAVES = 8;
const TELLING_LENGTH = 6;
const TELLING_NUMBER = 100;

interface Leaves {
  readonly counts: Counter<string>;
  /** Of each path and key, whether it proves something by itself. */
  readonly strong: ReadonlySet<string>;
}

/** Names of objects and arrays before -> after, where each is more like the other than like any else. */
export function editedPairs<A, B>(
  before: ReadonlyMap<A, Json>,
  after: ReadonlyMap<B, Json>,
  keys: Keys,
): Map<A, B> {
  return pairs(allLeaves(before, keys), allLeaves(after, keys), EDITED);
}

/** As `editedPairs`, with proof: enough in common, and nothing among `others` that is as like to the new one. */
export function renamedPairs<A>(
  before: ReadonlyMap<A, Json>,
  after: ReadonlyMap<A, Json>,
  others: readonly Json[],
  keys: Keys,
): Map<A, A> {
  const [old, now] = [allLeaves(before, keys), allLeaves(after, keys)];
  const found = pairs(old, now, RENAMED);
  for (const [a, b] of found) if (!proves(old.get(a)!, now.get(b)!)) found.delete(a);
  if (found.size === 0 || others.length > MAX_OTHERS) return new Map();
  const siblings = [...allLeaves(new Map(others.entries()), keys).values()];
  for (const [a, b] of found) {
    const [was, is] = [old.get(a)!, now.get(b)!];
    if (siblings.some((sibling) => likeness(sibling, is) >= likeness(was, is))) found.delete(a);
  }
  return found;
}

/** Old name -> new name of scalars that are in `base` once, and in `now` once, as they were or are edited. */
export function renamedLeaves<A>(
  base: ReadonlyMap<A, Json>,
  edited: ReadonlyMap<A, Value>,
  now: ReadonlyMap<A, Json>,
): Map<A, A> {
  const values = [...base.values()];
  const times = counted(values.filter(isTelling));
  const versions = values.filter(versionOrder).length;
  const come = new Map<Value, A[]>();
  for (const [name, value] of now) if (isTelling(value)) come.set(value, [...(come.get(value) ?? []), name]);
  const found = new Map<A, A>();
  for (const [name, value] of edited) {
    const was = base.get(name)!;
    // One of many versions is often equal to another's.
    if (!isTelling(was) || times.get(was) !== 1 || (versions >= 2 && versionOrder(was))) continue;
    const names = new Set([...(come.get(was) ?? []), ...(isTelling(value) ? (come.get(value) ?? []) : [])]);
    if (names.size === 1) found.set(name, [...names][0]);
  }
  const often = counted(found.values());
  for (const [old, name] of found) if (often.get(name) !== 1) found.delete(old);
  return found;
}

/** Whether a scalar is hardly the same by chance: booleans, null, small numbers and the shortest strings are. */
function isTelling(value: Value): boolean {
  if (typeof value === "string") return hasLength(value, TELLING_LENGTH);
  return typeof value === "number" && (Math.abs(value) >= TELLING_NUMBER || !Number.isInteger(value));
}

function pairs<A, B>(old: ReadonlyMap<A, Leaves>, now: ReadonlyMap<B, Leaves>, least: number): Map<A, B> {
  const result = new Map<A, B>();
  if (old.size * now.size > MAX_PAIRS) return result;
  const bestOld = new Map<A, { score: number; of: B | undefined }>();
  const bestNew = new Map<B, { score: number; of: A | undefined }>();
  for (const [a, leavesA] of old) {
    for (const [b, leavesB] of now) {
      const score = likeness(leavesA, leavesB);
      if (score >= least) {
        better(bestOld, a, score, b);
        better(bestNew, b, score, a);
      }
    }
  }
  for (const [a, { of }] of bestOld) if (of !== undefined && bestNew.get(of)!.of === a) result.set(a, of);
  return result;
}

/** Keep the best; two that are equally good are as bad as none. */
function better<A, B>(best: Map<A, { score: number; of: B | undefined }>, name: A, score: number, of: B): void {
  const known = best.get(name);
  if (!known || score > known.score) best.set(name, { score, of });
  else if (score === known.score) known.of = undefined;
}

function likeness(a: Leaves, b: Leaves): number {
  return (2 * total(common(a.counts, b.counts))) / (total(a.counts) + total(b.counts));
}

function proves(a: Leaves, b: Leaves): boolean {
  const shared = common(a.counts, b.counts);
  return total(shared) >= WEAK_LEAVES || [...shared.keys()].some((leaf) => a.strong.has(leaf));
}

const known = new WeakMap<Keys, Map<Json, Leaves | undefined>>();

/** The leaves of the objects and arrays that are not empty and have few. */
function allLeaves<A>(values: ReadonlyMap<A, Json>, keys: Keys): Map<A, Leaves> {
  let read = known.get(keys);
  if (!read) known.set(keys, (read = new Map()));
  const found = new Map<A, Leaves>();
  for (const [name, value] of values) {
    if (typeof value !== "object" || value === null || Object.keys(value).length === 0) continue;
    if (!read.has(value)) read.set(value, leaves(value, keys));
    const those = read.get(value);
    if (those) found.set(name, those);
  }
  return found;
}

/** Path and key of each leaf; members of arrays have no path of their own. */
function leaves(root: Json, keys: Keys): Leaves | undefined {
  const all: string[] = [];
  const strong = new Set<string>();
  const rest: [string, Json][] = [["", root]];
  for (let read = 0; read < 2 * MAX_LEAVES; read += 1) {
    if (rest.length === 0) return { counts: counted(all), strong };
    if (read + rest.length > 2 * MAX_LEAVES) break;
    const [path, value] = rest.pop()!;
    const inner: [string, Json][] =
      typeof value !== "object" || value === null
        ? []
        : Array.isArray(value)
          ? value.map((item) => [`${path}/`, item])
          : Object.entries(value).map(([key, item]) => [`${path}/${key}`, item]);
    if (typeof value === "object" && value !== null && read + rest.length + inner.length >= 2 * MAX_LEAVES) break;
    if (inner.length > 0) rest.push(...inner);
    else {
      const key: Key = keys.key(value);
      const leaf = `${keys.id(key)} ${path}`;
      all.push(leaf);
      if (isStrong(key)) strong.add(leaf);
    }
  }
  return undefined;
}
