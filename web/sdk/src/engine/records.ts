/** What a client remembers of one document, and what is said between it and a server. */

import type { ContentHash } from "../json/canonical.ts";
import type { JsonObject } from "../json/values.ts";

/** The JSON object of a live document. Never changed once it is inside one of these types. */
export type Body = JsonObject;

/** As a base: I created this document. As an answer: there never was one. */
export const CREATED = "0";
/** Marks a tombstone: `{"id": ..., "_deleted": true}`, beside the last body if the client has it. */
export const DELETED_KEY = "_deleted";

export function isTombstone(body: Body): boolean {
  return Object.hasOwn(body, DELETED_KEY) && body[DELETED_KEY] === true;
}

/** A state that is on its way. Until it is answered it is sent again and again, as it is. */
export interface Pending {
  /** As it is sent; a tombstone with the last body inside for a deletion. */
  readonly body: Body;
  readonly hash: ContentHash;
  readonly base: string;
  /** The body that `base` names, for a server that does not have it any more. */
  readonly shadow: Body | null;
  /** Send `shadow` (or null) as `base_state` at once, not only when asked for. */
  readonly attach: boolean;
}

/** The server does not take this state, and would not the next time. Nothing was changed there. */
export interface Refused {
  /** The stable code of a problem (docs/protocol.md). */
  readonly code: string;
  /** A sentence for people. */
  readonly reason: string;
  /** Of the state that was refused; null: of a deletion. */
  readonly hash: ContentHash | null;
  /** What the server had then. When it has something else, the state is sent again. */
  readonly remote: ContentHash | null;
}

/** All that a plan needs of what is remembered of one document. */
export interface Outline {
  /** The rev of the answer that was applied last; null: nothing was agreed on so far. */
  readonly base: string | null;
  /** The base is a tombstone. */
  readonly gone: boolean;
  /** Hash of the body that the base names; null: with the base there is no document. */
  readonly shadow: ContentHash | null;
  /** The hash that the server was last heard to have; null: it has no such live document. */
  readonly remote: ContentHash | null;
  readonly pending: boolean;
  readonly refused: Refused | null;
  /** The server is not sure to know the base any more: what differs is sent, and nothing is fetched over it. */
  readonly unverified: boolean;
}

/** What is remembered of one document: an outline and its bodies. */
export interface DocumentRecord {
  readonly base: string | null;
  readonly gone: boolean;
  readonly shadow: ContentHash | null;
  readonly shadowBody: Body | null;
  readonly remote: ContentHash | null;
  readonly pending: Pending | null;
  readonly refused: Refused | null;
  readonly unverified: boolean;
}

export const NOTHING: DocumentRecord = {
  base: null,
  gone: false,
  shadow: null,
  shadowBody: null,
  remote: null,
  pending: null,
  refused: null,
  unverified: false,
};

/** What the server says is the state now, durably. */
export interface Answer {
  readonly state: Body | null;
  readonly hash: ContentHash | null;
  readonly rev: string;
  readonly outcome?: string;
  readonly rule?: string;
  readonly conflicts?: readonly JsonObject[];
}

/** What came of one document that was sent. `notNow`: it was not answered, and stays pending. */
export type Reply =
  | { readonly kind: "answer"; readonly answer: Answer }
  | { readonly kind: "refused"; readonly code: string; readonly reason: string }
  | { readonly kind: "notNow"; readonly reason: string };
