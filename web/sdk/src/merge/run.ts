/** What the merge of arrays needs of the merge that it is a part of. */

import { Place } from "../json/pointers.ts";
import type { Json, Keys, Value } from "../json/values.ts";
import type { Scope } from "./policies.ts";
import type { Steps } from "./sequences.ts";

/** By name; the fields of an object, or the members of an array by the field that names them. */
export type Members = ReadonlyMap<Json, Json>;

/** A place and the policies there. */
export interface At {
  readonly place: Place;
  readonly scope: Scope;
}

/**
 * Arrays in one document, changed by both sides, whose elements are compared. Of more of them each is one value, and the
 * same side's stands for all: so merging the result again with either side leaves it as it is.
 */
export const MAX_COMPARED = 1_000;

/** There are more than MAX_COMPARED. */
export class TooManyArrays extends Error {}

/** One merge under way. */
export interface Run {
  readonly keys: Keys;
  readonly steps: Steps;
  /** The merged value at one place, or undefined. */
  value(at: At, base: Value, ours: Value, theirs: Value): Value;
  /** Which stands of two that exclude each other; recorded. */
  decided(place: Place, ours: Value, theirs: Value): Value;
  /** What stands of a removal and an edit; recorded. */
  removed(at: At, ours: Value, theirs: Value): Value;
  record(place: Place, kept: Value, dropped: Value, rule: string): void;
  /** Whether likeness may be asked at this place. */
  mayGuess(at: At): boolean;
}

/** A merge that keeps what it records, and its members. */
export interface MainRun extends Run {
  members(at: At, base: Members, ours: Members, theirs: Members, named?: string): MergedMembers;
  /** As `decided`; not recorded. */
  preferred(place: Place, ours: Value, theirs: Value): Value;
  /** Whether the elements of one array more are compared. Throws TooManyArrays if those of none may be. */
  comparesElements(): boolean;
  /** What stands of two arrays whose elements are not compared; recorded. */
  whole(place: Place, ours: Value, theirs: Value): Value;
  /** How many conflicts are recorded so far. */
  mark(): number;
  /** Take back the conflicts that were recorded since. */
  forget(mark: number): void;
}

export interface MergedMembers {
  readonly members: Map<Json, Json>;
  /** Of members that a field names: their places. */
  readonly places: Map<Json, Place>;
}

/** Keys of an ancestor, a side and what came of it. */
export type Merges = Set<string>;

export function mergeKey(keys: Keys, base: Value, side: Value, result: Value): string {
  return [base, side, result].map((value) => keys.id(keys.key(value))).join();
}

/**
 * A second merge, of one side and the result of the first. It records nothing. Elements that the first merged are not
 * merged again: that merging them again changes none is the law of the merge itself.
 */
export class Again implements Run {
  readonly keys: Keys;
  readonly steps: Steps;
  private readonly run: MainRun;
  private readonly known: Merges;
  private readonly inTheirs: boolean;

  /** `inTheirs`: whether the result takes the place of theirs, else of ours. `known`: what the first merged. */
  constructor(run: MainRun, known: Merges, inTheirs: boolean) {
    this.keys = run.keys;
    this.steps = run.steps;
    this.run = run;
    this.known = known;
    this.inTheirs = inTheirs;
  }

  /** Where the first merge had no such elements, what is not the result. */
  value(at: At, base: Value, ours: Value, theirs: Value): Value {
    if (this.keys.same(ours, theirs) || this.keys.same(theirs, base)) return ours;
    if (this.keys.same(ours, base)) return theirs;
    if (ours === undefined || theirs === undefined) return this.removed(at, ours, theirs);
    const [result, side] = this.inTheirs ? [theirs, ours] : [ours, theirs];
    return this.known.has(mergeKey(this.keys, base, side, result)) ? result : side;
  }

  decided(place: Place, ours: Value, theirs: Value): Value {
    return this.run.preferred(place, ours, theirs);
  }

  removed(at: At, ours: Value, theirs: Value): Value {
    return at.scope.deleteWins ? undefined : ours === undefined ? theirs : ours;
  }

  record(): void {}

  mayGuess(at: At): boolean {
    return this.run.mayGuess(at);
  }
}
