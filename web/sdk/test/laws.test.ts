/** The laws of the rules, on whatever fast-check finds. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";

import fc from "fast-check";

import { onAnswer } from "../src/engine/answer.ts";
import { plan } from "../src/engine/plan.ts";
import type { Answer, Body, Outline } from "../src/engine/records.ts";
import { canonical, contentHash } from "../src/json/canonical.ts";
import { check, checkDocument, FaultError, parse } from "../src/json/strict.ts";
import { sha256 } from "../src/json/sha256.ts";
import { compareText, equal, type Json, type Value } from "../src/json/values.ts";
import { merge } from "../src/merge/objects.ts";
import { mergeOntoWith } from "../src/merge/onto.ts";
import { NO_POLICIES } from "../src/merge/policies.ts";
import { documents, edited, histories, values } from "./arbitrary.ts";

const runs = { numRuns: Number(process.env["HYPERTASK_RUNS"] ?? 300) };

function same(a: Value, b: Value): void {
  assert.ok(equal(a, b), `${JSON.stringify(a)} is not ${JSON.stringify(b)}`);
}

test("the hash is SHA-256", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (data) => {
      assert.equal(sha256(data), createHash("sha256").update(data).digest("hex"));
    }),
    runs,
  );
});

test("the canonical form is accepted, says the same value, and is the same for equal values only", () => {
  fc.assert(
    fc.property(values, values, (a, b) => {
      same(parse(canonical(a)), a);
      assert.equal(canonical(parse(canonical(a))), canonical(a));
      assert.equal(equal(a, b), canonical(a) === canonical(b));
    }),
    runs,
  );
});

test("the strict parser takes what JSON.parse takes, and nothing else", () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const value = JSON.parse(text) as Json;
      try {
        same(parse(text), value);
      } catch (error) {
        assert.ok(error instanceof FaultError && error.pointer !== undefined, String(error));
      }
    }),
    runs,
  );
  fc.assert(
    fc.property(fc.string(), (text) => {
      let taken = true;
      try {
        parse(text);
      } catch {
        taken = false;
      }
      if (taken) JSON.parse(text);
    }),
    runs,
  );
});

test("what is outside the profile is named with its place", () => {
  const fault = (work: () => void): [string, string | undefined] => {
    try {
      work();
    } catch (error) {
      if (error instanceof FaultError) return [error.reason, error.pointer];
    }
    assert.fail("it was taken");
  };
  assert.deepEqual(fault(() => parse('{"a": {"b": 1, "b": 2}}')), ["duplicate key", "/a/b"]);
  assert.deepEqual(fault(() => parse('{"a": ["\\ud800"]}')), ["lone surrogate", "/a/0"]);
  assert.deepEqual(fault(() => parse('{"a/b": 9007199254740993}')), ["number out of range", "/a~1b"]);
  assert.deepEqual(fault(() => parse('{"__proto__": 1, "__proto__": 2}')), ["duplicate key", "/__proto__"]);
  assert.deepEqual(fault(() => parse("[".repeat(65) + "]".repeat(65))), ["too deep", "/0".repeat(64)]);
  const deep = `{"\\u0000": 1, "b": ${"[".repeat(65)}1, {"c": [{}]}, NaN${"]".repeat(65)}}`;
  assert.deepEqual(fault(() => parse(deep)), ["NUL in a key", "/\u0000"], "the first fault of what is JSON");
  const broken = [`${deep}]`, deep.slice(0, -1), deep.replace('"c":', '"c"'), deep.replace("[{}]", "[{]}"), deep.replace("NaN", "nan")];
  for (const text of broken) assert.deepEqual(fault(() => parse(text)), ["too deep", `/b${"/0".repeat(63)}`]);
  assert.deepEqual(fault(() => parse(new Uint8Array([0x22, 0xff, 0x22]))), ["not UTF-8", undefined]);
  assert.deepEqual(fault(() => parse("\ufeff{}")), ["malformed JSON", undefined]);
  assert.deepEqual(fault(() => check({ a: [new Date(0)] })), ["not JSON", "/a/0"]);
  assert.deepEqual(fault(() => check({ a: [undefined] })), ["not JSON", "/a/0"]);
  assert.deepEqual(fault(() => check(new Array(1))), ["not JSON", "/0"]);
  assert.deepEqual(fault(() => check({ a: NaN })), ["number out of range", "/a"]);
  assert.deepEqual(fault(() => checkDocument({ id: "a", large: "x".repeat(1024 * 1024) })), ["too large", ""]);
  assert.deepEqual(fault(() => checkDocument({ id: ".." })), ["invalid id", "/id"]);
  assert.deepEqual(fault(() => checkDocument({ id: "a" }, "b")), ["invalid id", "/id"]);
  assert.deepEqual(fault(() => checkDocument({ id: "a", _deleted: true })), ["tombstone", "/_deleted"]);
});

test("texts are compared by code points", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (a, b) => {
      const order = Buffer.compare(Buffer.from(a), Buffer.from(b));
      assert.equal(Math.sign(compareText(a, b)), order);
    }),
    runs,
  );
  assert.ok(compareText("\u{10000}", "\uffff") > 0);
});

test("who alone edited stands, and nobody's input is changed", () => {
  fc.assert(
    fc.property(histories, ([base, ours, theirs]) => {
      const before = canonical([base, ours, theirs]);
      same(merge(base, ours, base).value, ours);
      same(merge(base, base, theirs).value, theirs);
      same(merge(base, ours, ours).value, ours);
      merge(base, ours, theirs);
      assert.equal(canonical([base, ours, theirs]), before);
    }),
    runs,
  );
});

test("merging the result again, with the side that it comes from, changes nothing", () => {
  fc.assert(
    fc.property(histories, ([base, ours, theirs]) => {
      const { value } = merge(base, ours, theirs);
      check(value);
      same(merge(theirs, value, theirs).value, value);
      same(merge(ours, ours, value).value, value);
      same(merge(base, value, value).value, value);
    }),
    runs,
  );
});

const ontos = mergeOntoWith(NO_POLICIES);

function answerOf(state: Body | null): Answer {
  return { state, hash: state && contentHash(state), rev: "9-x" };
}

test("an answer becomes the document where nobody edited, and an edit since then is in the result", () => {
  fc.assert(
    fc.property(histories, documents.chain(edited), ([sent, answered, now], field) => {
      const pending = { body: sent as Body, shadow: null };
      const taken = onAnswer(pending, sent as Body, answerOf(answered as Body), ontos);
      same(taken.doc, answered);
      same(taken.record.shadowBody, answered);
      const kept = onAnswer(pending, now as Body, answerOf(null), ontos);
      same(kept.doc, equal(now, sent) ? null : now);
      const mine = { ...(sent as Body), mine: field };
      const merged = onAnswer(pending, mine, answerOf({ ...(sent as Body), other: 1 }), ontos);
      same(merged.doc, { ...mine, other: 1 });
    }),
    runs,
  );
});

test("what agrees here, in what is remembered and at the server needs no action, and a document is named once", () => {
  const hashes = fc.constantFrom("a", "b", null);
  const outlines = fc.record<Outline>({
    base: fc.constantFrom("1-x", null),
    gone: fc.boolean(),
    shadow: hashes,
    remote: hashes,
    pending: fc.boolean(),
    refused: fc.constant(null),
    unverified: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom("x", "y", "z"), outlines), hashes, (known, here) => {
      const local = new Map(here === null ? [] : Object.keys(known).map((id) => [id, here]));
      const { actions } = plan(local, new Map(Object.entries(known)), { confirmed: true });
      assert.equal(new Set(actions.map(({ id }) => id)).size, actions.length);
      for (const { id, kind } of actions) {
        const { base, shadow, remote, pending, unverified } = known[id];
        const agrees = here === remote && here === shadow && base !== null;
        assert.ok(pending || unverified || !agrees, kind);
        assert.ok(kind !== "fetch" || !unverified || base === null || here !== shadow || here === remote || here === null);
      }
    }),
    runs,
  );
});
