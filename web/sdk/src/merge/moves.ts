/** Which element of an array is which of its ancestor's, also if it moved or was edited. */

import type { Json, Key, Keys } from "../json/values.ts";
import type { Keyed } from "./arrays.ts";
import { counted, times } from "./counter.ts";
import type { Hunk } from "./sequences.ts";
import { editedPairs } from "./similar.ts";

/** What an element is called: by its index in the base, or by its key and how many such are before it. */
export type Name = string;

export function nameInBase(index: number): Name {
  return `base ${index}`;
}

/** Which elements of one side are which of the base's. */
class Matches {
  /** Index in the side -> index in the base. */
  readonly found = new Map<number, number>();
  /** Whether an element stands elsewhere, beyond doubt. */
  moved = false;
  private readonly base: Keyed;
  private readonly side: Keyed;
  private readonly gone = new Map<number, Hunk>();
  private readonly come = new Map<number, Hunk>();

  /** Those that `hunks`, from base to side, leave as they are; and of the others equal ones, in order. */
  constructor(base: Keyed, side: Keyed, hunks: readonly Hunk[]) {
    this.base = base;
    this.side = side;
    let [atBase, atSide] = [0, 0];
    const end = { aLo: base.keys.length, aHi: base.keys.length, bLo: side.keys.length, bHi: side.keys.length };
    for (const hunk of [...hunks, end]) {
      for (; atSide < hunk.bLo; atSide += 1, atBase += 1) this.found.set(atSide, atBase);
      for (let at = hunk.aLo; at < hunk.aHi; at += 1) this.gone.set(at, hunk);
      for (let at = hunk.bLo; at < hunk.bHi; at += 1) this.come.set(at, hunk);
      [atBase, atSide] = [hunk.aHi, hunk.bHi];
    }
    this.equal(new Map([...this.gone.keys()].map((index) => [index, base.keys[index]])));
  }

  /** Find elements of the base, by index, by the keys that they may have now. */
  equal(known: ReadonlyMap<number, Key>): void {
    const waiting = new Map<Key, number[]>();
    for (const index of [...known.keys()].reverse()) {
      if (!this.gone.has(index)) continue;
      const key = known.get(index);
      waiting.set(key, [...(waiting.get(key) ?? []), index]);
    }
    if (waiting.size === 0) return;
    const [here, before] = [counted(this.side.keys), counted(this.base.keys)];
    for (const index of [...this.come.keys()]) {
      const key = this.side.keys[index];
      const was = waiting.get(key)?.pop();
      if (was === undefined) continue;
      const inPlace = this.gone.get(was) === this.come.get(index);
      this.moved ||= times(here, key) === 1 && times(before, key) <= 1 && !inPlace;
      this.match(was, index);
    }
  }

  private match(before: number, after: number): void {
    this.found.set(after, before);
    this.come.delete(after);
    this.gone.delete(before);
  }

  /** Find edited elements by likeness: where elements moved anywhere, else in their place. */
  alike(keys: Keys): void {
    const places = this.moved ? [{ gone: [...this.gone.keys()], come: [...this.come.keys()] }] : this.left();
    for (const { gone, come } of places) {
      const old = new Map(gone.map((index): [number, Json] => [index, this.base.array[index]]));
      const now = new Map(come.map((index): [number, Json] => [index, this.side.array[index]]));
      for (const [before, after] of editedPairs(old, now, keys)) this.match(before, after);
    }
  }

  /** What stands in the place of as many others is an edit of these. */
  replaced(): void {
    for (const { gone, come } of this.left())
      if (gone.length === come.length) for (const [at, index] of gone.entries()) this.match(index, come[at]);
  }

  /** What is left in each place: indices in the base and in the side. */
  private left(): { gone: number[]; come: number[] }[] {
    const left = new Map<Hunk, { gone: number[]; come: number[] }>();
    for (const which of ["gone", "come"] as const) {
      for (const [index, hunk] of this[which]) {
        if (!left.has(hunk)) left.set(hunk, { gone: [], come: [] });
        left.get(hunk)![which].push(index);
      }
    }
    return [...left.values()].filter(({ gone, come }) => gone.length > 0 && come.length > 0);
  }

  /** Index in the base -> the key here, of the elements that were edited. */
  edited(): Map<number, Key> {
    const pairs = [...this.found].filter(([y, x]) => this.base.keys[x] !== this.side.keys[y]);
    return new Map(pairs.map(([y, x]) => [x, this.side.keys[y]]));
  }

  /** What each element of the side is called. */
  names(keys: Keys): Name[] {
    const counts = new Map<Key, number>();
    return this.side.keys.map((key, index) => {
      const was = this.found.get(index);
      if (was !== undefined) return nameInBase(was);
      const count = times(counts, key);
      counts.set(key, count + 1);
      return `new ${keys.id(key)} ${count}`;
    });
  }
}

/**
 * The matches of two sides. What one has as the other's edited form of an element is that element. With `guess` edited
 * elements are found by likeness.
 */
export function bothMatches(
  base: Keyed,
  sides: readonly Keyed[],
  hunks: readonly (readonly Hunk[])[],
  keys: Keys,
  guess: boolean,
): [Matches, Matches] {
  const [one, two] = sides.map((side, which) => new Matches(base, side, hunks[which]));
  const follow = (): void => {
    const edited = [one.edited(), two.edited()];
    two.equal(edited[0]);
    one.equal(edited[1]);
  };
  if (guess) for (const matches of [one, two]) matches.alike(keys);
  follow();
  for (const matches of [one, two]) matches.replaced();
  follow();
  return [one, two];
}

/** Of each side what can have moved: what is gone at one place and comes at another, or comes on both sides. */
export function movable(base: Keyed, sides: readonly Keyed[], hunks: readonly (readonly Hunk[])[]): Set<Key>[] {
  const gone = hunks.map((those) => new Set(those.flatMap((hunk) => base.keys.slice(hunk.aLo, hunk.aHi))));
  const come = hunks.map(
    (those, which) => new Set(those.flatMap((hunk) => sides[which].keys.slice(hunk.bLo, hunk.bHi))),
  );
  return gone.map((those, which) => {
    const fromHere = [...those].filter((key) => come[which].has(key));
    return new Set([...fromHere, ...[...come[0]].filter((key) => come[1].has(key))]);
  });
}

/** Whether one of what can have moved is unique, as only what is proves that it did. */
export function provesMove(base: Keyed, sides: readonly Keyed[], found: readonly Set<Key>[]): boolean {
  if (found.every((keys) => keys.size === 0)) return false;
  const before = counted(base.keys);
  return sides.some((side, which) => {
    const here = counted(side.keys);
    return [...found[which]].some((key) => times(here, key) === 1 && times(before, key) <= 1);
  });
}

/** Of each element of the side, whether it is one of the base's. */
export function ofBase(base: Keyed, side: Keyed, hunks: readonly Hunk[], keys: Keys, guess: boolean): boolean[] {
  const matches = new Matches(base, side, hunks);
  if (guess) matches.alike(keys);
  matches.replaced();
  return side.keys.map((_, index) => matches.found.has(index));
}
