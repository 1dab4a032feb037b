/** Places inside documents, as conflicts name them: `/steps/2/title`. Pure. */

import { equal, type Value } from "../../../sdk/src/json/values.ts";
import { isRecord } from "./tasks.ts";

/** The members that a JSON pointer names. */
export function namesOf(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((part) => part.replace(/~1/g, "/").replace(/~0/g, "~"));
}

/**
 * `inside` with `other` in the place of `kept`, undefined for nothing. undefined: the place is not there; or it is in a
 * list, whose members may have moved, and something else than `kept` stands there now.
 */
export function withOther(inside: unknown, path: readonly string[], kept: unknown, other: unknown): unknown {
  return put(inside, path, { kept, other }, false);
}

interface Sides {
  readonly kept: unknown;
  readonly other: unknown;
}

function put(inside: unknown, [name, ...rest]: readonly string[], sides: Sides, inList: boolean): unknown {
  if (name === undefined) return undefined;
  if (Array.isArray(inside)) return inMember(inside, name, rest, sides);
  if (!isRecord(inside)) return undefined;
  const now = Object.hasOwn(inside, name) ? inside[name] : undefined;
  if (rest.length === 0) {
    if (inList && !equal(now as Value, sides.kept as Value)) return undefined;
    const others = Object.entries(inside).filter(([key]) => key !== name);
    return Object.fromEntries(sides.other === undefined ? others : [...others, [name, sides.other]]);
  }
  const changed = put(now, rest, sides, inList);
  return changed === undefined ? undefined : { ...inside, [name]: changed };
}

function inMember(inside: readonly unknown[], name: string, rest: readonly string[], sides: Sides): unknown {
  const at = /^(0|[1-9]\d{0,8})$/.test(name) ? Number(name) : inside.length;
  if (at >= inside.length) return undefined;
  const around = (...members: unknown[]): unknown[] => [...inside.slice(0, at), ...members, ...inside.slice(at + 1)];
  if (rest.length > 0) {
    const changed = put(inside[at], rest, sides, true);
    return changed === undefined ? undefined : around(changed);
  }
  if (!equal(inside[at] as Value, sides.kept as Value)) return undefined;
  return sides.other === undefined ? around() : around(sides.other);
}
