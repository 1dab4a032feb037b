/** What fast-check makes for the laws: JSON of the kinds that merging is about, and edits of it. */

import fc from "fast-check";

import type { Json, JsonObject } from "../src/json/values.ts";

const words = fc.constantFrom("", "a", "b", "A", "ab", "é", "\u{1f600}", "\ufb33", "1.2.3", "^1.2|^2.0", "a strong string");
const keys = fc.constantFrom("a", "b", "c", "id", "name", "key", "tags", "__proto__", "toString", "updated_at", "a/b", "m~n", "0");
const numbers = fc.oneof(fc.constantFrom(0, -0, 1, 2, 1.5, 100, 1e21, 2 ** 53 - 1), fc.integer({ min: -5, max: 20 }));
const scalars: fc.Arbitrary<Json> = fc.oneof(fc.constantFrom<Json>(null, true, false), numbers, words);

function objectOf(values: fc.Arbitrary<Json>, maxKeys = 5): fc.Arbitrary<JsonObject> {
  return fc.array(fc.tuple(keys, values), { maxLength: maxKeys }).map((entries) => Object.fromEntries(entries) as JsonObject);
}

function arraysOf(values: fc.Arbitrary<Json>): fc.Arbitrary<Json[]> {
  const letters = fc.uniqueArray(fc.constantFrom<Json>("a", "b", "c", "d", "e", "f"), { maxLength: 6 });
  const named = fc
    .uniqueArray(fc.constantFrom<Json>("a", "b", "c", "d", 0, 1), { maxLength: 6 })
    .chain((names) =>
      fc.tuple(...names.map((name) => objectOf(values, 3).map((fields) => ({ ...fields, id: name }) as Json))),
    );
  return fc.oneof(
    letters,
    letters.map((those) => [...those].sort()),
    named as fc.Arbitrary<Json[]>,
    fc.array(fc.constantFrom<Json>(0, 1, true, "a"), { maxLength: 6 }),
    fc.array(values, { maxLength: 6 }),
  );
}

export const values: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, scalars, objectOf(tie("value")), arraysOf(tie("value"))),
})).value;

export const documents: fc.Arbitrary<JsonObject> = objectOf(values).map((fields) => ({ ...fields, id: "the-document" }));

/** A value after an edit somewhere in it. */
function editedOnce(value: Json): fc.Arbitrary<Json> {
  if (Array.isArray(value) && value.length > 0) {
    return fc.nat(value.length - 1).chain((at) =>
      fc.oneof(
        editedOnce(value[at]).map((item) => value.with(at, item)),
        values.map((item) => value.toSpliced(at, 0, item)),
        fc.constant(value.toSpliced(at, 1)),
        fc.nat(value.length - 1).map((to) => value.toSpliced(at, 1).toSpliced(to, 0, value[at])),
      ),
    );
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length > 0) {
    return fc.constantFrom(...Object.keys(value)).chain((key) =>
      fc.oneof(
        editedOnce(value[key]).map((item) => withMember(value, key, item)),
        fc.tuple(keys, values).map(([name, item]) => withMember(value, name, item)),
        fc.constant(withMember(value, key, undefined)),
        keys.map((name) => withMember(withMember(value, key, undefined), name, value[key])),
      ),
    );
  }
  return values;
}

function withMember(object: JsonObject, key: string, item: Json | undefined): JsonObject {
  const rest = Object.entries(object).filter(([name]) => name !== key);
  return Object.fromEntries(item === undefined ? rest : [...rest, [key, item]]) as JsonObject;
}

export function edited(value: Json): fc.Arbitrary<Json> {
  return fc.nat(3).chain((times) => {
    let result: fc.Arbitrary<Json> = fc.constant(value);
    for (let count = 0; count < times; count += 1) result = result.chain(editedOnce);
    return result;
  });
}

/** A document and what two sides made of it. */
export const histories: fc.Arbitrary<[Json, Json, Json]> = documents.chain((base) =>
  fc.tuple(fc.constant<Json>(base), edited(base), edited(base)),
);
