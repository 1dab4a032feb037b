/** Three-way merge of arrays whose elements have no names: diff3 on elements, or by where each one moved. */

import { Place } from "../json/pointers.ts";
import { isStrong, type Json, type Key, type Value } from "../json/values.ts";
import { isUnique, part, type Keyed } from "./arrays.ts";
import { common, counted, either, isWithin, times, total, without, type Counter } from "./counter.ts";
import { bothMatches, movable, nameInBase, ofBase, provesMove, type Name } from "./moves.ts";
import { compete, order, rank, union } from "./orders.ts";
import { Again, mergeKey, type At, type MainRun, type Merges, type Run } from "./run.ts";
import { COSTLY, difference, regionsOf, sameSequence, threeWays, type Hunk, type Region } from "./sequences.ts";
import { editedPairs } from "./similar.ts";

/** More neighbours than that, each changed by both sides, are one value: their places prove nothing. */
const MAX_ELEMENTS = 5_000;

/** The merged array: one that merging it again, with either side, leaves as it is. `base` undefined: there was none. */
export function mergeOrdered(run: MainRun, at: At, base: Json[] | undefined, ours: Json[], theirs: Json[]): Json[] {
  const keyed = (array: Json[]): Keyed => ({ keys: run.keys.keys(array), array });
  const [before, mine, other] = [base && keyed(base), keyed(ours), keyed(theirs)];
  const mark = run.mark();
  const first = new Ordered(run, at, mine, other);
  const result = keyed(first.merged(before));
  if (first.proved || sameSequence(result.keys, mine.keys) || sameSequence(result.keys, other.keys))
    return result.array as Json[];
  const again = [
    new Ordered(new Again(run, first.merges[0], true), at, mine, result),
    new Ordered(new Again(run, first.merges[1], false), at, result, other),
  ];
  if (again.every((merge) => sameSequence(run.keys.keys(merge.merged(before)), result.keys)))
    return result.array as Json[];
  run.forget(mark);
  return run.decided(at.place, ours, theirs) as Json[];
}

/** A stretch that one side alone inserted, or removed. */
interface Alone {
  readonly byOurs: boolean;
  readonly inserted: boolean;
  /** Where it stands in the result, or would. */
  readonly at: number;
  readonly stretch: Keyed;
}

/** diff3 on elements; where both sides changed the same ones, ever coarser ways to tell them apart. */
class Ordered {
  /** Whether merging the result again, with either side, is known to give it. */
  proved = false;
  readonly merges: [Merges, Merges] = [new Set(), new Set()];
  private result: Json[] = [];
  private readonly run: Run;
  private readonly at: At;
  private readonly ours: Keyed;
  private readonly theirs: Keyed;
  private readonly places: Place[] = [];
  private readonly alone: Alone[] = [];

  constructor(run: Run, at: At, ours: Keyed, theirs: Keyed) {
    this.run = run;
    this.at = at;
    this.ours = ours;
    this.theirs = theirs;
  }

  merged(base: Keyed | undefined): Json[] {
    if (!base) {
      this.withoutBase();
      return this.result;
    }
    const sides = [this.ours, this.theirs];
    const taken = this.run.steps.taken;
    const hunks = sides.map((side) => this.hunks(base, side));
    if (this.run.steps.taken - taken > COSTLY) {
      this.decide(this.ours, this.theirs);
      return this.result;
    }
    const canMove = movable(base, sides, hunks);
    if (provesMove(base, sides, canMove)) {
      const [mine, other] = bothMatches(base, sides, hunks, this.run.keys, this.run.mayGuess(this.at));
      if (mine.moved || other.moved) {
        this.byName(base, mine.names(this.run.keys), other.names(this.run.keys));
        return this.result;
      }
    }
    const regions = regionsOf(base.keys, this.ours.keys, this.theirs.keys, hunks[0], hunks[1]);
    this.regions(base, this.ours, this.theirs, regions, true);
    const possible = canMove.some((keys) => keys.size > 0);
    const removers = new Set(this.alone.filter(({ inserted }) => !inserted).map(({ byOurs }) => byOurs));
    if (possible || removers.size === 2) this.countOnce(base);
    if (!possible) this.proved = areApart(regions) && [base, ...sides].every((side) => isUnique(side.keys));
    return this.result;
  }

  private hunks(a: Keyed, b: Keyed): Hunk[] {
    return difference(a.keys, b.keys, this.run.steps);
  }

  private decide(ours: Keyed, theirs: Keyed): void {
    this.result.push(...(this.run.decided(this.at.place, ours.array as Json[], theirs.array as Json[]) as Json[]));
  }

  private regions(base: Keyed, ours: Keyed, theirs: Keyed, regions: readonly Region[], guess: boolean): void {
    for (const region of regions) {
      const [b, o, t] = [part(base, ...region.base), part(ours, ...region.ours), part(theirs, ...region.theirs)];
      if (!region.byTheirs) this.oneChanged(b, o, true);
      else if (!region.byOurs) this.oneChanged(b, t, false);
      else if (sameSequence(o.keys, t.keys)) this.result.push(...o.array);
      else if (b.keys.length === 0) this.bothInserted(o, t);
      else if (o.keys.length === 0 || t.keys.length === 0) this.oneRemoved(b, o, t, guess);
      else if (!(guess && this.byLikeness(b, o, t))) this.bothChanged(b, o, t);
    }
  }

  private oneChanged(base: Keyed, side: Keyed, byOurs: boolean): void {
    const [removed, inserted] = [side.keys.length === 0, base.keys.length === 0];
    if (removed || inserted)
      this.alone.push({ byOurs, inserted, at: this.result.length, stretch: removed ? base : side });
    this.result.push(...side.array);
  }

  /** Both inserted an array: their union if they have something in common, else one of them. */
  private withoutBase(): void {
    const keys = new Set(this.theirs.keys);
    if (this.ours.keys.some((key) => keys.has(key))) this.bothInserted(this.ours, this.theirs);
    else this.decide(this.ours, this.theirs);
  }

  /** What they have in common once, and what each has of its own. */
  private bothInserted(ours: Keyed, theirs: Keyed): void {
    const { array, hunks } = union(ours, theirs, this.run.steps, this.result.at(-1));
    this.result.push(...array);
    if (compete(hunks)) this.run.record(this.at.place, array, undefined, "both-inserted");
  }

  /**
   * One side removed the stretch, the other changed it: an edit in it stands with all of it, or falls; without one,
   * only what was inserted stands.
   */
  private oneRemoved(base: Keyed, ours: Keyed, theirs: Keyed, mayGuess: boolean): void {
    const changed = ours.keys.length > 0 ? ours : theirs;
    const guess = mayGuess && this.run.mayGuess(this.at);
    const known = ofBase(base, changed, this.hunks(base, changed), this.run.keys, guess);
    const left = new Set(base.keys);
    if (changed.keys.some((key, index) => known[index] && !left.has(key))) {
      const old = changed.array.filter((_, index) => known[index]);
      const edited = this.at.scope.deleteWins ? old : [...changed.array];
      const sides: [Value, Value] = changed === ours ? [edited, undefined] : [undefined, edited];
      if (this.run.removed(this.at, ...sides) !== undefined) {
        this.result.push(...changed.array);
        return;
      }
    }
    this.result.push(...changed.array.filter((_, index) => !known[index]));
  }

  /** As many elements on all sides, and not very many: one by one. Else one side's stretch. */
  private bothChanged(base: Keyed, ours: Keyed, theirs: Keyed): void {
    const length = base.keys.length;
    if (length === ours.keys.length && length === theirs.keys.length) {
      const whose = base.keys.map((b, index) => {
        const [o, t] = [ours.keys[index], theirs.keys[index]];
        return t === b || t === o ? ours : o === b ? theirs : undefined;
      });
      if (whose.filter((side) => side === undefined).length <= MAX_ELEMENTS) {
        for (const [index, side] of whose.entries()) {
          const elements = [base.array[index], ours.array[index], theirs.array[index]] as const;
          this.result.push(side ? side.array[index] : this.element(this.result.length, ...elements, false)!);
        }
        return;
      }
    }
    const [mine, other] = [includes(base, ours, theirs), includes(base, theirs, ours)];
    if (mine !== other) this.result.push(...(mine ? ours : theirs).array);
    else this.decide(ours, theirs);
  }

  /** The merged element that stands at `index` of the result. */
  private element(index: number | undefined, base: Value, ours: Value, theirs: Value, guessed: boolean): Value {
    const place = new Place(this.at.place, "-", true);
    place.guessed ||= guessed;
    place.index = index;
    this.places.push(place);
    const value = this.run.value({ place, scope: this.at.scope.child(undefined) }, base, ours, theirs);
    for (const [which, side] of [ours, theirs].entries())
      this.merges[which].add(mergeKey(this.run.keys, base, side, value));
    return value;
  }

  /** Merge elements that are edited forms of the base's as those; false if there are none. */
  private byLikeness(base: Keyed, ours: Keyed, theirs: Keyed): boolean {
    if (!this.run.mayGuess(this.at)) return false;
    const [mine, other] = [this.names(base, ours, "ours"), this.names(base, theirs, "theirs")];
    if (!mine.found && !other.found) return false;
    for (const region of threeWays([...base.keys.keys()], mine.names, other.names, this.run.steps)) {
      const [b, o, t] = [part(base, ...region.base), part(ours, ...region.ours), part(theirs, ...region.theirs)];
      if (region.byOurs || region.byTheirs)
        this.regions(b, o, t, threeWays(b.keys, o.keys, t.keys, this.run.steps), false);
      else
        for (const [index, element] of b.array.entries())
          this.result.push(this.element(this.result.length, element, o.array[index], t.array[index], true)!);
    }
    return true;
  }

  /** Each element of the side, called by the index of the one in the base that it is or comes from. */
  private names(base: Keyed, side: Keyed, name: string): { names: (number | string)[]; found: boolean } {
    const names: (number | string)[] = side.keys.map((_, index) => `${name} ${index}`);
    const [old, now] = [new Map<number, Json>(), new Map<number, Json>()];
    let [atBase, atSide] = [0, 0];
    const end = { aLo: base.keys.length, aHi: base.keys.length, bLo: side.keys.length, bHi: side.keys.length };
    for (const hunk of [...this.hunks(base, side), end]) {
      for (; atSide < hunk.bLo; atSide += 1, atBase += 1) names[atSide] = atBase;
      for (let index = hunk.aLo; index < hunk.aHi; index += 1) old.set(index, base.array[index]);
      for (let index = hunk.bLo; index < hunk.bHi; index += 1) now.set(index, side.array[index]);
      [atBase, atSide] = [hunk.aHi, hunk.bHi];
    }
    const pairs = editedPairs(old, now, this.run.keys);
    for (const [before, after] of pairs) names[after] = before;
    return { names, found: pairs.size > 0 };
  }

  /** Where elements moved: each merged as the one that it is, in the order of who moved them. */
  private byName(base: Keyed, mine: Name[], other: Name[]): void {
    const names = base.keys.map((_, index) => nameInBase(index));
    const [was, here, there] = [[names, base.array], [mine, this.ours.array], [other, this.theirs.array]].map(
      ([those, array]) => new Map((those as Name[]).map((name, index) => [name, array[index] as Json])),
    );
    const kept = new Map<Name, Json>();
    const places = new Map<Name, Place>();
    for (const name of new Set([...here.keys(), ...there.keys()])) {
      const value = this.element(undefined, was.get(name), here.get(name), there.get(name), false);
      places.set(name, this.places[this.places.length - 1]);
      if (value !== undefined) kept.set(name, value);
    }
    const [ours, theirs] = [this.ours.array as Json[], this.theirs.array as Json[]];
    const every = new Map([...was, ...there, ...here]);
    const decideOurs = (): boolean => this.run.decided(this.at.place, ours, theirs) === ours;
    const keptNames = new Set(kept.keys());
    for (const name of order(names, mine, other, keptNames, (each) => rank(every.get(each)!), decideOurs)) {
      const value = kept.get(name);
      if (value === undefined) continue;
      places.get(name)!.index = this.result.length;
      this.result.push(value);
    }
  }

  /**
   * What both sides inserted at two places is there once; of equal elements, of which each side removed another, one
   * is gone.
   */
  private countOnce(base: Keyed): void {
    const { drop, add } = this.twice(base);
    if (drop.size === 0 && add.size === 0) return;
    const gone = new Set<number>();
    const come = new Map<number, Json[]>();
    for (const { inserted, at, stretch } of this.alone.reverse()) {
      for (let index = stretch.keys.length - 1; index >= 0; index -= 1) {
        const key = stretch.keys[index];
        const counts = inserted ? drop : add;
        if (times(counts, key) === 0) continue;
        counts.set(key, times(counts, key) - 1);
        if (inserted) gone.add(at + index);
        else come.set(at, [stretch.array[index], ...(come.get(at) ?? [])]);
      }
    }
    if (gone.size > 0) {
      const once = this.result.filter((_, index) => gone.has(index));
      this.run.record(this.at.place, once, undefined, "both-inserted");
    }
    const result: Json[] = [];
    const now = new Map<number, number>();
    for (const [index, element] of this.result.entries()) {
      result.push(...(come.get(index) ?? []));
      if (gone.has(index)) continue;
      now.set(index, result.length);
      result.push(element);
    }
    result.push(...(come.get(this.result.length) ?? []));
    for (const place of this.places) if (place.index !== undefined) place.index = now.get(place.index);
    this.result = result;
  }

  /** What is in the result too often, and not often enough, because each side did the same elsewhere. */
  private twice(base: Keyed): { drop: Counter<Key>; add: Counter<Key> } {
    const [before, ours, theirs] = [counted(base.keys), counted(this.ours.keys), counted(this.theirs.keys)];
    const sides = [
      { byOurs: true, inserted: [] as Key[], removed: [] as Key[], fresh: without(ours, before), telling: new Set<Key>() },
      { byOurs: false, inserted: [] as Key[], removed: [] as Key[], fresh: without(theirs, before), telling: new Set<Key>() },
    ];
    for (const { byOurs, inserted, stretch } of this.alone) {
      const [side, other] = byOurs ? sides : [...sides].reverse();
      (inserted ? side.inserted : side.removed).push(...stretch.keys);
      // What is hardly equal by chance may as well be in the place of something else.
      if (inserted) for (const [at, key] of stretch.keys.entries()) if (isTelling(stretch.array[at])) other.telling.add(key);
    }
    const insertions = sides.map(({ inserted, fresh, telling }) =>
      either(counted(inserted), new Map([...telling].map((key) => [key, times(fresh, key)]))),
    );
    let drop = common(insertions[0], insertions[1]);
    let add = common(counted(sides[0].removed), counted(sides[1].removed));
    if (total(drop) + total(add) > 0) {
      const result = counted(this.run.keys.keys(this.result));
      drop = common(drop, without(result, either(ours, theirs)));
      add = common(add, without(common(ours, theirs), result));
    }
    return { drop, add };
  }
}

/** Whether two of these are hardly equal by chance. */
function isTelling(element: Json): boolean {
  return isStrong(element) || (typeof element === "object" && element !== null && Object.keys(element).length > 0);
}

/**
 * Whether something that nobody touched lies between any two that one side did: then the same elements stand against
 * each other again.
 */
function areApart(regions: readonly Region[]): boolean {
  return regions.every(({ byOurs, byTheirs }, at) => {
    const touched = byOurs || byTheirs;
    return !(byOurs && byTheirs) && !(touched && at > 0 && (regions[at - 1].byOurs || regions[at - 1].byTheirs));
  });
}

/** Whether the side inserted and removed whatever the other did. */
function includes(base: Keyed, side: Keyed, other: Keyed): boolean {
  const [before, here, there] = [counted(base.keys), counted(side.keys), counted(other.keys)];
  return isWithin(without(there, before), here) && isWithin(common(here, before), there);
}
