/** JSON values, and what tells two of them apart. */

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}

/** A JSON value, or undefined for absence. Absence is not null. */
export type Value = Json | undefined;

/** What stands for a value in a comparison: equal values, and only they, have the same key (`===`). */
export type Key = undefined | null | boolean | number | string | object;

export const STRONG_LENGTH = 8;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value under a key of its own: `__proto__` and `toString` are keys as any other. */
export function member(object: JsonObject, key: string): Value {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** Equality of JSON values: as their canonical forms, without making them. */
export function equal(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, at) => equal(item, b[at]));
  if (Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]));
}

/** Compares texts by code points, as the server does; `<` compares UTF-16 units. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const [x, y] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (x !== y) return codePointOrder(x) - codePointOrder(y);
  }
  return a.length - b.length;
}

/** Puts the units of surrogate pairs behind all others. */
function codePointOrder(unit: number): number {
  return unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

/** Whether a text has at least so many code points. */
export function hasLength(text: string, least: number): boolean {
  return text.length >= least && (text.length >= 2 * least || [...text].length >= least);
}

/** Whether two of these can hardly be equal by chance: a string, not too short. */
export function isStrong(value: unknown): boolean {
  return typeof value === "string" && hasLength(value, STRONG_LENGTH);
}

/**
 * Gives values their keys; each container is read once, however often it is asked for. That keeps a merge linear.
 * Keys of two instances must not be mixed, and values must not change while an instance lives.
 */
export class Keys {
  private readonly known = new Map<object, object>();
  private readonly shapes = new Map<string, object>();
  private readonly ids = new Map<Key, number>();

  key(value: Value): Key {
    if (typeof value !== "object" || value === null) return value;
    let key = this.known.get(value);
    if (key === undefined) {
      const shape = Array.isArray(value)
        ? "[" + value.map((item) => this.id(this.key(item))).join()
        : "{" + Object.keys(value).sort().map((name) => `${this.id(name)}:${this.id(this.key(value[name]))}`).join();
      key = this.shapes.get(shape);
      if (key === undefined) this.shapes.set(shape, (key = {}));
      this.known.set(value, key);
    }
    return key;
  }

  keys(values: readonly Json[]): Key[] {
    return values.map((value) => this.key(value));
  }

  same(a: Value, b: Value): boolean {
    return a === b || this.key(a) === this.key(b);
  }

  among(value: Value, others: Iterable<Value>): boolean {
    for (const other of others) if (this.same(value, other)) return true;
    return false;
  }

  /** A number for a key, so that keys can be put into texts. */
  id(key: Key): number {
    let id = this.ids.get(key);
    if (id === undefined) this.ids.set(key, (id = this.ids.size));
    return id;
  }
}

/** The number of values inside, and of lines in them; some number above `limit` if it is more. */
export function weigh(values: Iterable<Value>, limit = Infinity): number {
  let weight = 0;
  let level = [...values];
  while (level.length > 0 && weight <= limit) {
    weight += level.length;
    const below: Value[] = [];
    for (const value of level) {
      if (typeof value === "string") weight += value.split("\n").length - 1;
      else if (typeof value === "object" && value !== null) for (const inner of Object.values(value)) below.push(inner);
    }
    level = below;
  }
  return weight;
}
