/** The client library: what an application loads at once. The rules of merging are in `@hypertask/sdk/rules`. */

export { canonical, canonicalBytes, contentHash, type ContentHash } from "./json/canonical.ts";
export { check, checkDocument, FaultError, isDocumentId, MAX_DEPTH, MAX_DOCUMENT_BYTES, parse } from "./json/strict.ts";
export { equal, type Json, type JsonObject } from "./json/values.ts";
export type { Answer, Body, Memory, Outline, Pending, Refused } from "./engine/records.ts";
