/** Arrays: what kind an array is. */

import { compareText, isObject, type Json, type Key, type Keys } from "../json/values.ts";
import { folded } from "./letters.ts";

/** Fields that name a member for good. */
export const ID_FIELDS: readonly string[] = ["id", "_id", "uuid"];
/** Fields that name a member, the strongest first; the last two are words, and words are changed. */
const KEY_FIELDS = [...ID_FIELDS, "key", "name"];

/** An array, or a stretch of one, and the keys of its elements. */
export interface Keyed<T = Json> {
  readonly keys: readonly Key[];
  readonly array: readonly T[];
}

export function part(keyed: Keyed, from: number, to: number): Keyed {
  return { keys: keyed.keys.slice(from, to), array: keyed.array.slice(from, to) };
}

/** The first of KEY_FIELDS that tells the members of each array apart; names are strings or numbers. */
export function namedBy(arrays: readonly (readonly Json[])[]): string | undefined {
  if (!arrays.every((array) => array.every(isObject))) return undefined;
  return KEY_FIELDS.find((field) =>
    arrays.every((array) => {
      const names = array.map((element) => nameOf(element, field));
      return names.every((name) => typeof name === "string" || typeof name === "number") && isUnique(names);
    }),
  );
}

export function nameOf(element: Json, field: string): Json | undefined {
  return isObject(element) && Object.hasOwn(element, field) ? element[field] : undefined;
}

export function isUnique(keys: readonly unknown[]): boolean {
  return new Set(keys).size === keys.length;
}

/** The arrays, if none has an element twice and all elements are scalars (or `ofAnything`). */
export function asSets(arrays: readonly Json[][], keys: Keys, ofAnything: boolean): Keyed[] | undefined {
  const found: Keyed[] = [];
  for (const array of arrays) {
    if (!ofAnything && array.some((element) => typeof element === "object" && element !== null)) return undefined;
    const names = keys.keys(array);
    if (!isUnique(names)) return undefined;
    found.push({ keys: names, array });
  }
  return found;
}

type Compare = (a: Json, b: Json) => number;

/** The order that all the arrays keep, if any: numbers, code points, letters without regard to case. */
export function sortOrder(arrays: readonly (readonly Key[])[]): Compare | undefined {
  const all = arrays.flat();
  const orders: Compare[] = all.every((x) => typeof x === "string")
    ? [
        (a, b) => compareText(a as string, b as string),
        (a, b) => compareText(folded(a as string), folded(b as string)),
      ]
    : all.every((x) => typeof x === "number")
      ? [(a, b) => (a as number) - (b as number)]
      : [];
  return orders.find((order) =>
    arrays.every((array) => array.every((b, at) => at === 0 || order(array[at - 1] as Json, b as Json) <= 0)),
  );
}
