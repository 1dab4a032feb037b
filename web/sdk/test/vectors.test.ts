/** The rules, held to vectors that the server's own code has made (tests/web/vectors.py). */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";

import { isForgotten, mayBeLost, onAnswer, onFetched, type NextState } from "../src/engine/answer.ts";
import { pendingFor, plan } from "../src/engine/plan.ts";
import { NOTHING, type Answer, type DocumentRecord, type Outline, type Pending } from "../src/engine/records.ts";
import { canonical, contentHash } from "../src/json/canonical.ts";
import { FaultError, parse } from "../src/json/strict.ts";
import type { Json, JsonObject, Value } from "../src/json/values.ts";
import { folded } from "../src/merge/letters.ts";
import { merge, type Conflict } from "../src/merge/objects.ts";
import { mergeOntoWith } from "../src/merge/onto.ts";
import { InvalidPoliciesError, NO_POLICIES, parsePolicies } from "../src/merge/policies.ts";

const folder = process.env["HYPERTASK_VECTORS"];

function vectors<T>(name: string, run: (vector: T) => void): void {
  test(`vectors: ${name}`, { skip: folder === undefined && "HYPERTASK_VECTORS names no folder" }, () => {
    const lines = readFileSync(join(folder!, `${name}.jsonl`), "utf8").split("\n").filter(Boolean);
    assert.ok(lines.length > 100);
    for (const line of lines) {
      try {
        run(JSON.parse(line) as T);
      } catch (error) {
        throw new Error(`${(error as Error).message}\nof the vector ${line}`, { cause: error });
      }
    }
  });
}

function same(found: Value, wanted: Value): void {
  const text = (value: Value): string => (value === undefined ? "nothing" : canonical(value));
  assert.equal(text(found), text(wanted));
}

function rows(conflicts: readonly Conflict[]): Json {
  return conflicts.map(
    (row) => Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined)) as JsonObject,
  );
}

interface CanonicalVector {
  text: string;
  canonical?: string;
  hash?: string;
  reason?: string;
  pointer?: string | null;
  json?: boolean;
}

vectors<CanonicalVector>("canonical", (vector) => {
  let value: Json;
  try {
    value = parse(vector.text);
  } catch (error) {
    assert.ok(error instanceof FaultError, String(error));
    if (vector.json === false && vector.reason === "too deep") {
      assert.ok(["too deep", "malformed JSON"].includes(error.reason));
      return;
    }
    assert.equal(error.reason, vector.reason);
    assert.equal(error.pointer ?? null, vector.pointer);
    return;
  }
  assert.equal(vector.reason, undefined);
  assert.equal(canonical(value), vector.canonical);
  assert.equal(contentHash(value), vector.hash);
  same(parse(new TextEncoder().encode(canonical(value))), value);
});

interface MergeVector {
  base?: Json;
  ours?: Json;
  theirs?: Json;
  policies: JsonObject;
  explicit: boolean;
  result?: Json;
  conflicts: Json;
}

vectors<MergeVector>("merge", (vector) => {
  const options = { policies: parsePolicies(vector.policies), explicitBase: vector.explicit };
  const { value, conflicts } = merge(vector.base, vector.ours, vector.theirs, options);
  same(value, vector.result);
  same(rows(conflicts), vector.conflicts);
});

vectors<{ declared: JsonObject; pointer?: string }>("policies", ({ declared, pointer }) => {
  try {
    parsePolicies(declared);
    assert.equal(pointer, undefined);
  } catch (error) {
    assert.ok(error instanceof InvalidPoliciesError, String(error));
    assert.equal(error.pointer, pointer);
  }
});

interface AnswerVector {
  fetched?: boolean;
  pending: Pending;
  shadow: JsonObject | null;
  now: JsonObject | null;
  answer: Answer;
  policies?: JsonObject;
  unedited: boolean;
  wanted: (JsonObject & { doc: Json }) | null;
  conflicts: Json;
}

vectors<AnswerVector>("answers", (vector) => {
  const policies = vector.policies ? parsePolicies(vector.policies) : NO_POLICIES;
  const found: NextState | undefined = vector.fetched
    ? onFetched(vector.shadow, vector.now, vector.answer)
    : onAnswer(vector.pending, vector.now, vector.answer, mergeOntoWith(policies), vector.unedited);
  if (!found || !vector.wanted) {
    assert.equal(found ?? null, vector.wanted);
    return;
  }
  const { pending, refused, ...record } = found.record;
  assert.deepEqual({ pending, refused }, { pending: null, refused: null });
  same({ doc: found.doc, ...record } as JsonObject, vector.wanted);
  if (!vector.fetched) same(rows(found.conflicts), vector.conflicts);
});

interface PlanVector {
  local: Record<string, string>;
  outlines: Record<string, Outline>;
  confirmed: boolean;
  settled: number;
  actions: Json;
  refused: Json;
  heldHere: Json;
  heldThere: Json;
}

vectors<PlanVector>("plans", ({ local, outlines, confirmed, settled, ...wanted }) => {
  const found = plan(new Map(Object.entries(local)), new Map(Object.entries(outlines)), { confirmed, settled });
  same(found as unknown as Json, wanted);
});

interface PendingVector {
  record: DocumentRecord;
  body: JsonObject | null;
  whole: boolean;
  wanted: Json;
}

vectors<PendingVector>("pending", ({ record, body, whole, wanted }) => {
  const found = pendingFor("the-document", { ...NOTHING, ...record }, body, whole);
  same((found ?? null) as unknown as Json, wanted);
});

interface PositionVector {
  base: string | null;
  rev: string | null;
  forgotten: boolean;
  bases: string[];
  listened: string | null;
  now: string | null;
  lost: boolean;
}

vectors<PositionVector>("positions", (vector) => {
  assert.equal(isForgotten(vector.base, vector.rev), vector.forgotten);
  assert.equal(mayBeLost(vector.bases, vector.listened, vector.now), vector.lost);
});

vectors<{ text: string; folded: string }>("folded", ({ text, folded: wanted }) => {
  assert.equal(folded(text), wanted);
});
