/**
 * The canonical form of a JSON value (RFC 8785) and the content hash.
 *
 * JavaScript's own numbers and the order of its strings are what RFC 8785 asks for.
 */

import { sha256 } from "./sha256.ts";
import type { Json } from "./values.ts";

/** The first 32 hex digits of SHA-256 over the canonical form of a document. */
export type ContentHash = string;

const ESCAPED = /["\\\u0000-\u001f]/;
const SURROGATE = /\p{Surrogate}/u;
const encoder = new TextEncoder();

/**
 * The canonical text of a value. Throws RangeError for what JSON cannot say: NaN, infinities, lone surrogates,
 * and TypeError for what is no JSON value.
 */
export function canonical(value: Json): string {
  switch (typeof value) {
    case "string":
      return text(value);
    case "number":
      if (!Number.isFinite(value)) throw new RangeError("a number must be finite");
      return String(value);
    case "boolean":
      return String(value);
    case "object":
      if (value === null) return "null";
      if (Array.isArray(value)) return "[" + Array.from(value, canonical).join() + "]";
      return "{" + Object.keys(value).sort().map((key) => text(key) + ":" + canonical(value[key])).join() + "}";
    default:
      throw new TypeError(`not a JSON value: ${typeof value}`);
  }
}

/** The bytes of the canonical text. */
export function canonicalBytes(value: Json): Uint8Array {
  return encoder.encode(canonical(value));
}

/** The content hash of a document, or of any value. */
export function contentHash(value: Json): ContentHash {
  return sha256(canonicalBytes(value)).slice(0, 32);
}

function text(value: string): string {
  if (SURROGATE.test(value)) throw new RangeError("a surrogate must not stand alone");
  return ESCAPED.test(value) ? JSON.stringify(value) : `"${value}"`;
}
