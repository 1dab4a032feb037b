/** Multisets: how often each key occurs. */

export type Counter<K> = Map<K, number>;

export function counted<K>(keys: Iterable<K>): Counter<K> {
  const result: Counter<K> = new Map();
  for (const key of keys) result.set(key, (result.get(key) ?? 0) + 1);
  return result;
}

export function times<K>(counter: Counter<K>, key: K): number {
  return counter.get(key) ?? 0;
}

export function total(counter: Counter<unknown>): number {
  let sum = 0;
  for (const count of counter.values()) sum += count;
  return sum;
}

/** What both have. */
export function common<K>(a: Counter<K>, b: Counter<K>): Counter<K> {
  return combined(a, b, Math.min);
}

/** What one of the two has, as often as the one that has it more often. */
export function either<K>(a: Counter<K>, b: Counter<K>): Counter<K> {
  return combined(a, b, Math.max);
}

/** What `a` has more often than `b`. */
export function without<K>(a: Counter<K>, b: Counter<K>): Counter<K> {
  return combined(a, b, (x, y) => x - y);
}

/** Whether `b` has all that `a` has, as often. */
export function isWithin<K>(a: Counter<K>, b: Counter<K>): boolean {
  for (const [key, count] of a) if (count > times(b, key)) return false;
  return true;
}

function combined<K>(a: Counter<K>, b: Counter<K>, of: (x: number, y: number) => number): Counter<K> {
  const result: Counter<K> = new Map();
  for (const key of new Set([...a.keys(), ...b.keys()])) {
    const count = of(times(a, key), times(b, key));
    if (count > 0) result.set(key, count);
  }
  return result;
}
