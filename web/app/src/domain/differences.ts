/** What differs between two states of a document, field by field. Pure. */

import { equal, type Json } from "../../../sdk/src/json/values.ts";
import { isRecord } from "./tasks.ts";

export interface FieldChange {
  /** `a.b` for a field inside another one. */
  readonly path: string;
  /** undefined: it was not there. */
  readonly before: unknown;
  readonly after: unknown;
}

type Fields = Readonly<Record<string, unknown>>;

export function changesBetween(before: Fields, after: Fields, inside = ""): FieldChange[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names.flatMap((name): FieldChange[] => {
    const [one, other] = [own(before, name), own(after, name)];
    const path = inside + name;
    if (isRecord(one) && isRecord(other)) return changesBetween(one, other, `${path}.`);
    if (one !== undefined && other !== undefined && equal(one as Json, other as Json)) return [];
    return [{ path, before: one, after: other }];
  });
}

function own(fields: Fields, name: string): unknown {
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}
