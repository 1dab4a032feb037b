/** The client library: what an application loads at once. The merge is loaded when it is needed for the first time. */

export { Client, type Change, type ClientOptions, type Document, type Status } from "./client.ts";
export type { Answer, Body, DocumentRecord, Pending, Refused } from "./engine/records.ts";
export type { Meta, Row } from "./engine/rows.ts";
export type { Arrival, SyncOptions, SyncReport } from "./engine/sync.ts";
export { canonical, canonicalBytes, contentHash, type ContentHash } from "./json/canonical.ts";
export { check, checkDocument, FaultError, isDocumentId, MAX_DEPTH, MAX_DOCUMENT_BYTES, parse } from "./json/strict.ts";
export { equal, type Json, type JsonObject } from "./json/values.ts";
export { MemoryStore } from "./stores/memory.ts";
export { StoreError, type Store } from "./stores/store.ts";
export { ServerError } from "./transport/errors.ts";
