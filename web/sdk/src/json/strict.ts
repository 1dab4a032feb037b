/**
 * Parsing JSON text by the I-JSON profile of the protocol, exactly and with the place of the fault.
 *
 * Nothing is mended silently: a duplicate key, a number out of range or a lone surrogate is an error. An integer beyond
 * +-(2^53 - 1) is in range if it says a double: exactly, or as RFC 8785 writes that double.
 */

import { canonicalBytes } from "./canonical.ts";
import { escapeSegment } from "./pointers.ts";
import { isObject, type Json, type JsonObject } from "./values.ts";

export const MAX_DEPTH = 64;
export const MAX_DOCUMENT_BYTES = 1024 * 1024;

/** What is wrong with a text or a value. */
export class FaultError extends Error {
  override readonly name = "FaultError";
  /** Stable, in words: "duplicate key", "number out of range", "lone surrogate", ... */
  readonly reason: string;
  /** RFC 6901 pointer into the text's value; undefined where the text is no JSON at all. */
  readonly pointer: string | undefined;

  constructor(reason: string, detail: string, pointer?: string) {
    super(detail);
    this.reason = reason;
    this.pointer = pointer;
  }
}

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
const WORD = /true|false|null|NaN|-?Infinity/y;
const TEXT = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const LONE = /\p{Surrogate}/u;
const DOCUMENT_ID = /^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/;

/** The value that a text says, given as a string or as UTF-8. Throws FaultError. */
export function parse(text: string | Uint8Array, maxDepth = MAX_DEPTH): Json {
  return new Parser(typeof text === "string" ? text : decoded(text), maxDepth).all();
}

/** Throws FaultError if a value, made by a program and not parsed from text, is outside the profile. */
export function check(value: unknown, maxDepth = MAX_DEPTH): void {
  checkAt(value, 0, maxDepth, "");
}

/** Throws FaultError if a value is no document that a server takes. `id`: the one that it must have. */
export function checkDocument(value: unknown, id?: string): asserts value is JsonObject & { id: string } {
  if (!isObject(value)) throw new FaultError("not an object", "A document is a JSON object.", "");
  check(value);
  if (!Object.hasOwn(value, "id") || !isDocumentId(value["id"]) || (id !== undefined && value["id"] !== id))
    throw new FaultError("invalid id", 'An id has 1 to 128 characters of A-Z a-z 0-9 . _ ~ -, and is not "." or "..".', "/id");
  if (Object.hasOwn(value, "_deleted") && value["_deleted"] === true)
    throw new FaultError("tombstone", "_deleted marks a deleted document: delete it instead.", "/_deleted");
  if (canonicalBytes(value).length > MAX_DOCUMENT_BYTES)
    throw new FaultError("too large", `A document has at most ${MAX_DOCUMENT_BYTES} bytes.`, "");
}

export function isDocumentId(value: unknown): value is string {
  return typeof value === "string" && DOCUMENT_ID.test(value);
}

function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new FaultError("not UTF-8", "The text is not UTF-8.");
  }
}

function tooDeep(maxDepth: number, at: string): FaultError {
  return new FaultError("too deep", `Objects and arrays may be nested ${maxDepth} deep.`, at);
}

function lone(at: string): FaultError {
  return new FaultError("lone surrogate", "Half of a character stands alone.", at);
}

/** What is wrong with a key; `seen`: the keys before it. */
function faultOfKey(key: string, at: string, seen: boolean): FaultError | undefined {
  if (LONE.test(key)) return lone(at);
  const place = `${at}/${escapeSegment(key)}`;
  if (key.includes("\u0000")) return new FaultError("NUL in a key", "A key must not contain U+0000.", place);
  return seen ? new FaultError("duplicate key", "A key occurs twice in one object.", place) : undefined;
}

class Parser {
  private readonly text: string;
  private readonly maxDepth: number;
  private at = 0;
  /** The first thing that is outside the profile. What is no JSON at all goes before it. */
  private fault: FaultError | undefined;

  constructor(text: string, maxDepth: number) {
    this.text = text;
    this.maxDepth = maxDepth;
  }

  all(): Json {
    const value = this.value(0, "");
    this.match(SPACE);
    if (this.at < this.text.length) throw this.malformed();
    if (this.fault) throw this.fault;
    return value;
  }

  private match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found) this.at = pattern.lastIndex;
    return found;
  }

  /** Whether the next mark is this one; it is taken then. */
  private takes(mark: string): boolean {
    this.match(SPACE);
    if (this.text[this.at] !== mark) return false;
    this.at += 1;
    return true;
  }

  private value(depth: number, at: string): Json {
    if (this.takes("{")) return this.object(depth, at);
    if (this.takes("[")) return this.array(depth, at);
    if (this.text[this.at] === '"') return this.string(at);
    const word = this.match(WORD)?.[0];
    if (word === "true" || word === "false") return word === "true";
    if (word === "null") return null;
    if (word !== undefined) this.fault ??= new FaultError("not a JSON number", `Not a JSON number: ${word}.`, at);
    return word === undefined ? this.number(at) : null;
  }

  private object(depth: number, at: string): Json {
    this.enter(depth, at);
    const members = new Map<string, Json>();
    if (this.takes("}")) return {};
    do {
      this.match(SPACE);
      const key = this.string();
      this.fault ??= faultOfKey(key, at, members.has(key));
      if (!this.takes(":")) throw this.malformed();
      members.set(key, this.value(depth + 1, `${at}/${escapeSegment(key)}`));
    } while (this.takes(","));
    if (!this.takes("}")) throw this.malformed();
    return Object.fromEntries(members);
  }

  private array(depth: number, at: string): Json {
    this.enter(depth, at);
    const items: Json[] = [];
    if (this.takes("]")) return items;
    do items.push(this.value(depth + 1, `${at}/${items.length}`));
    while (this.takes(","));
    if (!this.takes("]")) throw this.malformed();
    return items;
  }

  private enter(depth: number, at: string): void {
    if (depth < this.maxDepth) return;
    throw (this.isJson() ? this.fault : undefined) ?? tooDeep(this.maxDepth, at);
  }

  /** Whether all of the text is JSON, however deep it is nested. Without recursion; of no use to the parser then. */
  private isJson(): boolean {
    const closing: string[] = [];
    this.at = 0;
    for (;;) {
      const opened = this.takes("{") ? "}" : this.takes("[") ? "]" : "";
      if (opened !== "" && !this.takes(opened)) {
        if (opened === "}" && !this.takesKey()) return false;
        closing.push(opened);
        continue;
      }
      if (opened === "" && !this.match(TEXT) && !this.match(WORD) && !this.match(NUMBER)) return false;
      while (closing.length > 0 && !this.takes(",")) if (!this.takes(closing.pop()!)) return false;
      if (closing.length === 0) break;
      if (closing.at(-1) === "}" && !this.takesKey()) return false;
    }
    this.match(SPACE);
    return this.at === this.text.length;
  }

  private takesKey(): boolean {
    this.match(SPACE);
    return this.match(TEXT) !== null && this.takes(":");
  }

  private string(at?: string): string {
    const found = this.match(TEXT);
    if (!found) throw this.malformed();
    const text = JSON.parse(found[0]) as string;
    if (at !== undefined && LONE.test(text)) this.fault ??= lone(at);
    return text;
  }

  private number(at: string): number {
    const found = this.match(NUMBER);
    if (!found) throw this.malformed();
    const [text, fraction, exponent] = found;
    const value = Number(text);
    const integer = fraction === undefined && exponent === undefined;
    if (!Number.isFinite(value) || (integer && !Number.isSafeInteger(value) && !saysDouble(text, value)))
      this.fault ??= new FaultError("number out of range", `Number out of range: ${text.slice(0, 40)}.`, at);
    return value;
  }

  private malformed(): FaultError {
    return new FaultError("malformed JSON", `The text is not JSON: character ${this.at}.`);
  }
}

function saysDouble(text: string, value: number): boolean {
  return String(value) === text || BigInt(text) === BigInt(value);
}

function checkAt(value: unknown, depth: number, maxDepth: number, at: string): void {
  if (value === null || typeof value === "boolean") return;
  if (typeof value === "string") {
    if (LONE.test(value)) throw lone(at);
  } else if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new FaultError("number out of range", "Numbers are finite.", at);
  } else if (typeof value !== "object" || !isPlain(value)) {
    throw new FaultError("not JSON", `${typeof value} is no JSON value.`, at);
  } else {
    if (depth >= maxDepth) throw tooDeep(maxDepth, at);
    const inArray = Array.isArray(value);
    for (const [key, item] of inArray ? [...value].entries() : Object.entries(value)) {
      const fault = inArray ? undefined : faultOfKey(String(key), at, false);
      if (fault) throw fault;
      checkAt(item, depth + 1, maxDepth, `${at}/${inArray ? key : escapeSegment(String(key))}`);
    }
  }
}

/** Not a Date, a Map or another class, of which JSON would keep nothing or something else. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return Array.isArray(value) || prototype === Object.prototype || prototype === null;
}
