/**
 * Policies: what a client's schema says about merging. Path pattern -> strategy or strategies.
 *
 * A pattern is a JSON pointer. A segment `*` stands for any one key or array member, a last segment `**` for the path
 * before it and all below; "" is the document itself. The most specific pattern that names a merge strategy decides;
 * `delete-wins`, `exact` and `secret` hold for a path and everywhere below.
 */

import { escapeSegment, splitPointer } from "../json/pointers.ts";
import { isObject } from "../json/values.ts";

const MERGE = ["lww", "set", "list", "text", "counter", "max", "min", "version"] as const;
const INHERITED = ["delete-wins", "exact", "secret"] as const;
const WORDS: readonly string[] = [...MERGE, ...INHERITED];
const MAX_PATTERNS = 1000;
const MAX_SEGMENTS = 64;

export type MergeStrategy = (typeof MERGE)[number];
export type Strategy = MergeStrategy | (typeof INHERITED)[number];

/** The declaration is no declaration; `pointer` leads to the fault inside it. */
export class InvalidPoliciesError extends Error {
  override readonly name = "InvalidPoliciesError";
  readonly pointer: string;

  constructor(pointer: string, detail: string) {
    super(detail);
    this.pointer = pointer;
  }
}

/** A segment in the tree of patterns. That of `**` leads to itself. */
class Node {
  readonly keys = new Map<string, Node>();
  star: Node | undefined;
  rest: Node | undefined;
  says: readonly Strategy[] = [];

  add(segments: readonly string[], says: readonly Strategy[]): void {
    let node: Node = this;
    for (const segment of segments) {
      if (segment === "**") {
        node = node.rest ??= new Node();
        node.rest = node;
      } else if (segment === "*") node = node.star ??= new Node();
      else {
        let next = node.keys.get(segment);
        if (!next) node.keys.set(segment, (next = new Node()));
        node = next;
      }
    }
    node.says = says;
  }

  /** What matches a path that ends here, the most specific first. */
  here(): Node[] {
    return this.rest ? [this, this.rest] : [this];
  }
}

/** The policies at one path; `child` leads on. */
export class Scope {
  readonly strategy: MergeStrategy | undefined;
  readonly deleteWins: boolean;
  readonly exact: boolean;
  readonly secret: boolean;
  private readonly nodes: readonly Node[];
  private readonly children = new Map<string | undefined, Scope>();

  /** `nodes`: how far the patterns have come that match so far, the most specific first. */
  constructor(nodes: readonly Node[], parent?: Scope) {
    const says = (word: Strategy): boolean => nodes.some((node) => node.says.includes(word));
    this.nodes = nodes;
    this.deleteWins = (parent?.deleteWins ?? false) || says("delete-wins");
    this.exact = (parent?.exact ?? false) || says("exact");
    this.secret = (parent?.secret ?? false) || says("secret");
    for (const node of nodes) this.strategy ??= MERGE.find((word) => node.says.includes(word));
  }

  /** The policies of a key, or, for undefined, of the members of an array. */
  child(key: string | undefined): Scope {
    // All keys that no pattern names have one scope.
    const name = key !== undefined && this.nodes.some((node) => node.keys.has(key)) ? key : undefined;
    let scope = this.children.get(name);
    if (!scope) this.children.set(name, (scope = this.enter(name)));
    return scope;
  }

  private enter(key: string | undefined): Scope {
    const nodes = this.nodes.flatMap((node) => {
      if (node.rest === node) return [node];
      const named = key === undefined ? undefined : node.keys.get(key);
      return [...(named?.here() ?? []), ...(node.star?.here() ?? [])];
    });
    const same = nodes.length === this.nodes.length && nodes.every((node, at) => node === this.nodes[at]);
    return same ? this : new Scope(nodes, this);
  }
}

/** A declaration that holds for a space; made by `parsePolicies`, never changed. */
export class Policies {
  readonly declared: ReadonlyMap<string, readonly Strategy[]>;
  private readonly tree = new Node();

  constructor(declared: ReadonlyMap<string, readonly Strategy[]>) {
    this.declared = declared;
    for (const [pattern, strategies] of declared) this.tree.add(splitPointer(pattern), strategies);
  }

  /** The policies at the document itself. It remembers what it is asked for: take one for each merge. */
  scope(): Scope {
    return new Scope(this.declared.size > 0 ? this.tree.here() : []);
  }
}

export const NO_POLICIES = new Policies(new Map());

/** `{pattern: strategy | [strategy, ...]}` as policies. Throws InvalidPoliciesError. */
export function parsePolicies(declaration: unknown): Policies {
  if (!isObject(declaration)) throw new InvalidPoliciesError("", "policies are an object: pattern -> strategy");
  const entries = Object.entries(declaration);
  if (entries.length > MAX_PATTERNS) throw new InvalidPoliciesError("", `more than ${MAX_PATTERNS} patterns`);
  return new Policies(
    new Map(
      entries.map(([pattern, words]) => {
        const at = "/" + escapeSegment(pattern);
        checkPattern(pattern, at);
        return [pattern, strategies(words, at)];
      }),
    ),
  );
}

function checkPattern(pattern: string, at: string): void {
  let segments: string[];
  try {
    segments = splitPointer(pattern);
  } catch (error) {
    throw new InvalidPoliciesError(at, (error as Error).message);
  }
  if (segments.length > MAX_SEGMENTS) throw new InvalidPoliciesError(at, `more than ${MAX_SEGMENTS} segments`);
  if (segments.slice(0, -1).includes("**")) throw new InvalidPoliciesError(at, "** can only be the last segment");
}

function strategies(declared: unknown, at: string): Strategy[] {
  const words: unknown[] = Array.isArray(declared) ? declared : [declared];
  if (words.length === 0) throw new InvalidPoliciesError(at, "no strategy");
  const found: Strategy[] = [];
  for (const [index, word] of words.entries()) {
    const where = Array.isArray(declared) ? `${at}/${index}` : at;
    if (typeof word !== "string" || !WORDS.includes(word)) throw new InvalidPoliciesError(where, "unknown strategy");
    if (found.includes(word as Strategy)) throw new InvalidPoliciesError(where, "the same strategy twice");
    if (isMerge(word) && found.some(isMerge))
      throw new InvalidPoliciesError(where, "a second merge strategy for one pattern");
    found.push(word as Strategy);
  }
  return found;
}

function isMerge(word: string): boolean {
  return (MERGE as readonly string[]).includes(word);
}
