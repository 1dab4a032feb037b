/**
 * Three-way merge of JSON values. Pure: no clock, no randomness; the order of keys does not matter.
 *
 * A side *edited* a path if it differs there from the ancestor, absence being a value; else the other side stands. What
 * stands where both did, by type and by policy, is the table of docs/merge.md: these are the rules of the server, for
 * the one ancestor that a client knows.
 *
 * Laws (test/laws.test.ts; the results themselves against vectors of the server's code):
 *   merge(x; x, y) = merge(x; y, x) = y; merge(x; y, y) = y
 *   merge(theirs; result, theirs) = result = merge(ours; ours, result)
 */

import { Place } from "../json/pointers.ts";
import { compareText, isObject, Keys, type Json, type JsonObject, type Value } from "../json/values.ts";
import { asSets, ID_FIELDS, namedBy, nameOf, sortOrder, type Keyed } from "./arrays.ts";
import { CLOCK_POINTERS, instant } from "./clock.ts";
import { mergeOrdered } from "./ordered.ts";
import { order, rank } from "./orders.ts";
import { NO_POLICIES, type MergeStrategy, type Policies } from "./policies.ts";
import { MAX_COMPARED, TooManyArrays, type At, type MainRun, type Members, type MergedMembers } from "./run.ts";
import { sameSequence, Steps } from "./sequences.ts";
import { renamedLeaves, renamedPairs } from "./similar.ts";
import { mergedParts, mergedRanges } from "./strings.ts";
import { mergeText } from "./text.ts";
import { compareVersions, versionOrder } from "./versions.ts";

export type Side = "ours" | "theirs";

/** A place that both sides changed: what stands there, what was dropped, and by which rule (docs/merge.md). */
export interface Conflict {
  /** A JSON pointer into the result; `-` in it is a member of an array that fell. */
  readonly path: string;
  /** undefined: nothing. */
  readonly kept: Value;
  readonly dropped: Value;
  readonly rule: string;
}

/** Asked where no rule knows: which side stands, and the name of the reason. Must be pure. */
export type Decide = (pointer: string, ours: Value, theirs: Value) => readonly [Side, string];

export interface MergeOptions {
  readonly policies?: Policies;
  readonly decide?: Decide;
  /** The ancestor is the one that the state comes from, so that sums can rely on it. */
  readonly explicitBase?: boolean;
}

export interface Merged {
  readonly value: Value;
  readonly conflicts: readonly Conflict[];
}

/** Down to this depth what only one side edited is found by comparing whole objects and arrays. */
const COMPARED = 4;
/** Of objects in an object that are read to see whether it holds nothing but arrays. */
const LEVELS = 4;

/** What arrives stands. Of two valid clocks the newer does: a late write must not turn the clock back. */
export function arriving(pointer: string, ours: Value, theirs: Value): readonly [Side, string] {
  const clocks = CLOCK_POINTERS.has(pointer) ? [instant(ours), instant(theirs)] : [];
  const [stored, arrived] = clocks;
  if (stored !== undefined && arrived !== undefined) return [stored > arrived ? "ours" : "theirs", "newer"];
  return ["theirs", "arriving"];
}

/**
 * Put what `theirs` edited onto `ours`. An ancestor that is undefined is none. The result shares parts with the
 * inputs; none of them may be changed afterwards.
 */
export function merge(base: Value, ours: Value, theirs: Value, options: MergeOptions = {}): Merged {
  const policies = options.policies ?? NO_POLICIES;
  const run = new Merge(base, ours, theirs, options);
  if ((policies.declared.size === 0 && run.keys.same(ours, theirs)) || run.keys.same(theirs, base))
    return { value: ours, conflicts: [] };
  if (run.keys.same(ours, base)) return { value: theirs, conflicts: [] };
  try {
    return run.merged(policies, base, ours, theirs);
  } catch (error) {
    if (!(error instanceof TooManyArrays)) throw error;
    const ofArrays = (options.decide ?? arriving)("", ours, theirs);
    return new Merge(base, ours, theirs, options, ofArrays).merged(policies, base, ours, theirs);
  }
}

/** One merge under way. */
class Merge implements MainRun {
  readonly keys = new Keys();
  readonly steps = new Steps();
  private readonly decide: Decide;
  private readonly sums: boolean;
  private readonly found: { place: Place; kept: Value; dropped: Value; rule: string }[] = [];
  /** Of two arrays whose elements are not compared. */
  private readonly ofArrays?: readonly [Side, string];
  private compared = 0;
  private depth = 0;

  constructor(
    base: Value,
    ours: Value,
    theirs: Value,
    options: MergeOptions,
    ofArrays?: readonly [Side, string],
  ) {
    this.ofArrays = ofArrays;
    this.steps.inputs = [base, ours, theirs];
    this.decide = options.decide ?? arriving;
    this.sums = options.explicitBase ?? false;
  }

  merged(policies: Policies, base: Value, ours: Value, theirs: Value): Merged {
    const value = this.value({ place: new Place(undefined, ""), scope: policies.scope() }, base, ours, theirs);
    return { value, conflicts: this.conflicts() };
  }

  conflicts(): Conflict[] {
    const rows = this.found.map(({ place, kept, dropped, rule }) => ({ path: place.inResult(), kept, dropped, rule }));
    return rows.sort((a, b) => compareText(a.path, b.path));
  }

  record(place: Place, kept: Value, dropped: Value, rule: string): void {
    this.found.push({ place, kept, dropped, rule });
  }

  mark(): number {
    return this.found.length;
  }

  forget(mark: number): void {
    this.found.length = mark;
  }

  mayGuess({ place, scope }: At): boolean {
    return !scope.exact && !place.guessed && !this.steps.heavy();
  }

  value(at: At, base: Value, ours: Value, theirs: Value): Value {
    const { strategy } = at.scope;
    const { keys } = this;
    if (strategy === "counter" && this.sums) {
      const total = sum(base, ours, theirs);
      if (total !== undefined) return total;
    }
    if (strategy !== "lww" && this.depth < COMPARED && kind(ours) > 0 && kind(ours) === kind(theirs)) {
      if (kind(base) === kind(ours)) {
        if (keys.same(theirs, base)) return ours;
        if (keys.same(ours, base)) return theirs;
      }
    }
    if (strategy !== "lww" && isObject(ours) && isObject(theirs)) {
      const [before, mine, other] = [isObject(base) ? base : {}, ours, theirs].map(fieldsOf);
      return Object.fromEntries(this.members(at, before, mine, other).members) as JsonObject;
    }
    if (strategy !== "lww" && Array.isArray(ours) && Array.isArray(theirs)) return this.arrays(at, base, ours, theirs);
    if (keys.same(ours, theirs) || keys.same(theirs, base)) return ours;
    if (keys.same(ours, base)) return theirs;
    if (ours === undefined || theirs === undefined)
      return this.isEmptied(at, base, ours, theirs) ? this.emptied(at, base, ours, theirs) : this.removed(at, ours, theirs);
    return this.atom(at, base, ours, theirs);
  }

  members(at: At, base: Members, ours: Members, theirs: Members, named?: string): MergedMembers {
    const { place, scope } = at;
    const members = new Map<Json, Json>();
    const places = new Map<Json, Place>();
    const renamed = this.renamed(at, base, ours, theirs, named);
    if (named === undefined) {
      // An edit of what is secret must not turn up, in a conflict, where nothing is.
      for (const [now, old] of renamed)
        if (scope.child(old as string).secret && !scope.child(now as string).secret) renamed.delete(now);
    }
    const oldNames = new Set(renamed.values());
    this.depth += 1;
    for (const key of new Set([...ours.keys(), ...theirs.keys()])) {
      const below: At =
        named === undefined
          ? { place: new Place(place, key as string), scope: scope.child(key as string) }
          : { place: new Place(place, `${named}=${String(key)}`, true), scope: scope.child(undefined) };
      const old = renamed.get(key);
      let value: Value;
      if (old !== undefined) value = this.underNewName(below, base.get(old)!, ours, theirs, key, old);
      else if (oldNames.has(key)) continue;
      else value = this.value(below, base.get(key), ours.get(key), theirs.get(key));
      if (value !== undefined) {
        members.set(key, value);
        places.set(key, below.place);
      }
    }
    this.depth -= 1;
    return { members, places };
  }

  // What is absent on one side

  /**
   * Whether one side left out a container that the other edited, and that means the same as leaving it empty: some
   * write nothing where others write an empty one. An object of several fields is rather removed than emptied if the
   * other side edited one of them, unless it holds nothing but arrays.
   */
  private isEmptied({ place, scope }: At, base: Value, ours: Value, theirs: Value): boolean {
    if (scope.deleteWins || scope.strategy === "lww") return false;
    const edited = ours === undefined ? theirs : ours;
    if (Array.isArray(edited)) return Array.isArray(base);
    if (typeof edited === "string") return scope.strategy === "text" && typeof base === "string";
    if (!isObject(edited) || Object.keys(edited).length === 0 || !isObject(base)) return false;
    if (!place.above || place.ofArray) return false;
    const fields = Object.entries(base);
    return (
      fields.length < 2 ||
      holdsArraysAlone(base, LEVELS) ||
      fields.every(([name, value]) => !Object.hasOwn(edited, name) || this.keys.same(value, edited[name]))
    );
  }

  /** Absent against an edited container: as if it were empty. Absent if nothing is left but no side is empty. */
  private emptied(at: At, base: Value, ours: Value, theirs: Value): Value {
    const edited = (ours ?? theirs)!;
    const nothing: Json = Array.isArray(edited) ? [] : typeof edited === "string" ? "" : {};
    const value = this.value(at, base, ours ?? nothing, theirs ?? nothing)!;
    if (Object.keys(value).length === 0) return Object.keys(edited).length === 0 ? nothing : undefined;
    // What is no array may have been removed for good.
    if (!Array.isArray(nothing)) this.record(at.place, value, undefined, "edit-beats-removal");
    return value;
  }

  removed({ place, scope }: At, ours: Value, theirs: Value): Value {
    const edit = ours === undefined ? theirs : ours;
    if (scope.deleteWins) {
      this.record(place, undefined, edit, "delete-wins");
      return undefined;
    }
    this.record(place, edit, undefined, "edit-beats-removal");
    return edit;
  }

  // Two values that exclude each other

  private atom(at: At, base: Value, ours: Json, theirs: Json): Value {
    const { strategy } = at.scope;
    if (typeof ours === "string" && typeof theirs === "string") {
      if (strategy === "text") return this.text(at, base, ours, theirs);
      const side = byStrategy(strategy, ours, theirs);
      const merged = side === undefined ? this.string(at, base, ours, theirs) : undefined;
      if (merged !== undefined) return merged;
    }
    const side = byStrategy(strategy, ours, theirs);
    return side === undefined ? this.decided(at.place, ours, theirs) : this.stands(at.place, side, ours, theirs, strategy!);
  }

  private text(at: At, base: Value, ours: string, theirs: string): Value {
    const merged = mergeText(typeof base === "string" ? base : undefined, ours, theirs, this.steps);
    if (!merged) return this.decided(at.place, ours, theirs);
    if (merged.conflict) this.record(at.place, merged.text, undefined, "both-kept");
    return merged.text;
  }

  /** Two edits of one string that do not exclude each other; recorded. */
  private string({ place, scope }: At, base: Value, ours: string, theirs: string): string | undefined {
    const whole = scope.strategy !== undefined && scope.strategy !== "version";
    if (scope.exact || whole || CLOCK_POINTERS.has(place.stable())) return undefined;
    let merged: string | undefined;
    if (base === undefined && !(ours && theirs)) merged = ours || theirs;
    else if (typeof base === "string") merged = mergedRanges(base, ours, theirs) ?? mergedParts(base, ours, theirs);
    if (merged !== undefined) {
      const dropped = merged === ours ? theirs : merged === theirs ? ours : undefined;
      this.record(place, merged, dropped, "both-edited");
    }
    return merged;
  }

  decided(place: Place, ours: Value, theirs: Value): Value {
    const [side, rule] = this.decide(place.stable(), ours, theirs);
    return this.stands(place, side, ours, theirs, rule);
  }

  preferred(place: Place, ours: Value, theirs: Value): Value {
    return this.decide(place.stable(), ours, theirs)[0] === "ours" ? ours : theirs;
  }

  comparesElements(): boolean {
    if (this.ofArrays) return false;
    this.compared += 1;
    if (this.compared > MAX_COMPARED) throw new TooManyArrays();
    return true;
  }

  whole(place: Place, ours: Value, theirs: Value): Value {
    const [side, rule] = this.ofArrays ?? this.decide(place.stable(), ours, theirs);
    return this.stands(place, side, ours, theirs, rule);
  }

  private stands(place: Place, side: Side, ours: Value, theirs: Value, rule: string): Value {
    const [kept, dropped] = side === "ours" ? [ours, theirs] : [theirs, ours];
    this.record(place, kept, dropped, rule);
    return kept;
  }

  // What was renamed

  /** New name -> old name of what one side renamed and the other edited under its old name. */
  private renamed(at: At, base: Members, ours: Members, theirs: Members, named?: string): Map<Json, Json> {
    const found = new Map<Json, Json>();
    if (named !== undefined && ID_FIELDS.includes(named)) return found;
    for (const [side, other] of [[ours, theirs], [theirs, ours]]) {
      const gone = [...base.keys()].filter((key) => !side.has(key));
      const come = gone.length > 0 ? [...side.keys()].filter((key) => !base.has(key)) : [];
      if (come.length === 0) continue;
      const [left, unknown] = [gone.filter((key) => other.has(key)), come.filter((key) => !other.has(key))];
      const pairs = (old: Json[], now: Json[]): void => {
        for (const [name, was] of this.pairs(at, base, side, other, old, now, named)) found.set(name, was);
      };
      if (left.length > 0 && unknown.length > 0) pairs(left, unknown);
      // Both renamed it, and to the same.
      if (left.length < gone.length && unknown.length < come.length)
        pairs(gone.filter((key) => !other.has(key)), come.filter((key) => other.has(key)));
    }
    return found;
  }

  /** New name -> old name, of names that one side lacks, and of those that are new in it. */
  private pairs(
    at: At,
    base: Members,
    side: Members,
    other: Members,
    old: Json[],
    come: Json[],
    named?: string,
  ): Map<Json, Json> {
    const differing = (names: Json[], values: Members): Map<Json, Json> =>
      new Map(
        names.filter((key) => !this.keys.same(values.get(key), other.get(key))).map((key) => [key, values.get(key)!]),
      );
    const [edited, now] = [differing(old, base), differing(come, side)];
    if (edited.size === 0 || now.size === 0 || !this.mayGuess(at)) return new Map();
    const others = [...base].filter(([key]) => !edited.has(key)).map(([, value]) => value);
    const found = renamedPairs(edited, now, others, this.keys);
    if (named === undefined) {
      const isClock = (key: Json): boolean => CLOCK_POINTERS.has(new Place(at.place, key as string).stable());
      const theirs = new Map([...edited.keys()].map((key) => [key, other.get(key)]));
      for (const [was, is] of renamedLeaves(base, theirs, now)) if (!isClock(was) && !isClock(is)) found.set(was, is);
    }
    return new Map([...found].map(([was, is]) => [is, was]));
  }

  private underNewName(at: At, base: Json, ours: Members, theirs: Members, key: Json, old: Json): Value {
    const [mine, other] = [ours, theirs].map((side) => side.get(side.has(key) ? key : old));
    at.place.guessed = true;
    const value = this.value(at, base, mine, other);
    if (ours.has(key) !== theirs.has(key)) this.record(at.place, value, ours.has(key) ? other : mine, "renamed");
    return value;
  }

  // Arrays

  private arrays(at: At, before: Value, ours: Json[], theirs: Json[]): Json[] {
    const base = Array.isArray(before) ? before : undefined;
    const every = base ? [base, ours, theirs] : [ours, theirs];
    if (at.scope.strategy !== "list") {
      const sets = asSets(every, this.keys, at.scope.strategy === "set");
      if (sets) {
        const [known, mine, other] = base ? sets : [{ keys: [], array: [] }, ...sets];
        return this.set(at, known, mine, other);
      }
      const field = namedBy(every);
      if (field !== undefined) return this.named(at, field, base, ours, theirs);
    }
    if (this.keys.same(ours, theirs) || this.keys.same(theirs, before)) return ours;
    if (this.keys.same(ours, before)) return theirs;
    if (!this.comparesElements()) return this.whole(at.place, ours, theirs) as Json[];
    return mergeOrdered(this, at, base, ours, theirs);
  }

  private set(at: At, base: Keyed, ours: Keyed, theirs: Keyed): Json[] {
    const [before, mine, other] = [base, ours, theirs].map(({ array }) => array as Json[]);
    if (sameSequence(theirs.keys, ours.keys) || sameSequence(theirs.keys, base.keys)) return mine;
    if (sameSequence(ours.keys, base.keys)) return other;
    const [known, there] = [new Set(base.keys), new Set(theirs.keys)];
    const added = theirs.keys.filter((key) => !known.has(key));
    const kept = new Set([...added, ...ours.keys.filter((key) => !known.has(key) || there.has(key))]);
    const values = new Map(
      [base, theirs, ours].flatMap(({ keys, array }) => keys.map((key, index) => [key, array[index]] as const)),
    );
    const decideOurs = (): boolean => this.decided(at.place, mine, other) === mine;
    const sorted = order(base.keys, ours.keys, theirs.keys, kept, (key) => rank(values.get(key)!), decideOurs);
    const result = sorted.filter((key) => kept.has(key)).map((key) => values.get(key)!);
    return sortedAsBefore(result, [before, mine, other]);
  }

  private named(at: At, field: string, base: Json[] | undefined, ours: Json[], theirs: Json[]): Json[] {
    const byName = (array: Json[]): Members => new Map(array.map((element) => [nameOf(element, field)!, element]));
    const { members, places } = this.members(at, byName(base ?? []), byName(ours), byName(theirs), field);
    const [known, mine, other] = [base ?? [], ours, theirs].map((array) => array.map((each) => nameOf(each, field)!));
    const kept = new Set(members.keys());
    const decideOurs = (): boolean => this.decided(at.place, ours, theirs) === ours;
    const all = order(base && known, mine, other, kept, rank, decideOurs).filter((name) => kept.has(name));
    const names = sortedAsBefore(all, base ? [known, mine, other] : [mine, other]);
    for (const [index, name] of names.entries()) places.get(name)!.index = index;
    return names.map((name) => members.get(name)!);
  }
}

/** Sorted if all the inputs are. The last two are the sides: with one member, that means nothing. */
function sortedAsBefore(result: Json[], inputs: Json[][]): Json[] {
  if (inputs.slice(-2).some((side) => side.length < 2)) return result;
  const compare = sortOrder(inputs);
  return compare ? [...result].sort(compare) : result;
}

/** 1 for objects, 2 for arrays, 0 for all else. */
function kind(value: Value): number {
  return isObject(value) ? 1 : Array.isArray(value) ? 2 : 0;
}

function fieldsOf(object: JsonObject): Members {
  return new Map(Object.entries(object));
}

function holdsArraysAlone(value: Json, levels: number): boolean {
  if (!isObject(value)) return Array.isArray(value);
  return levels > 0 && Object.values(value).every((inner) => holdsArraysAlone(inner, levels - 1));
}

/** Whose value the strategy prefers; undefined if it has no opinion or the values do not fit. */
function byStrategy(strategy: MergeStrategy | undefined, ours: Json, theirs: Json): Side | undefined {
  let order = 0;
  if (strategy === "max" || strategy === "min") {
    if (typeof ours !== "number" || typeof theirs !== "number") return undefined;
    order = strategy === "max" ? ours - theirs : theirs - ours;
  } else if (strategy === "version") {
    const [a, b] = [versionOrder(ours), versionOrder(theirs)];
    if (!a || !b) return undefined;
    order = compareVersions(a, b);
  }
  return order === 0 ? undefined : order > 0 ? "ours" : "theirs";
}

/** ours + theirs - base; undefined where they are no numbers or the sum is none that JSON has exactly. */
function sum(base: Value, ours: Value, theirs: Value): number | undefined {
  const before = base === undefined ? 0 : base;
  if (typeof before !== "number" || typeof ours !== "number" || typeof theirs !== "number") return undefined;
  if ([before, ours, theirs].every(Number.isSafeInteger)) {
    const total = Number(BigInt(ours) + BigInt(theirs) - BigInt(before));
    return Number.isSafeInteger(total) ? total : undefined;
  }
  const total = ours + theirs - before;
  return Number.isFinite(total) ? total : undefined;
}
