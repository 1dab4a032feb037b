/**
 * The rules by themselves: values in, values out, no store and no network. What `@hypertask/sdk` does with a server's
 * answer, for those who keep documents in a store of their own.
 */

export { canonical, canonicalBytes, contentHash, type ContentHash } from "./json/canonical.ts";
export { check, checkDocument, FaultError, isDocumentId, MAX_DEPTH, MAX_DOCUMENT_BYTES, parse } from "./json/strict.ts";
export { equal, type Json, type JsonObject, type Value } from "./json/values.ts";
export {
  merge,
  type Conflict,
  type Decide,
  type Merged,
  type MergeOptions,
  type Side,
} from "./merge/objects.ts";
export { InvalidPoliciesError, NO_POLICIES, parsePolicies, type Policies, type Strategy } from "./merge/policies.ts";
export { mergeOntoWith } from "./merge/onto.ts";
export { isForgotten, mayBeLost, mustMerge, onAnswer, onFetched, type MergeOnto, type NextState } from "./engine/answer.ts";
export { pendingFor, plan, type Action, type Plan, type PlanOptions } from "./engine/plan.ts";
export {
  CREATED,
  DELETED_KEY,
  isTombstone,
  NOTHING,
  type Answer,
  type Body,
  type DocumentRecord,
  type Outline,
  type Pending,
  type Refused,
} from "./engine/records.ts";
