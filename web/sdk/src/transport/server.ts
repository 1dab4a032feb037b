/** The routes of a server that a client with a `base` uses (docs/protocol.md). */

import type { Answer, Body, Pending, Reply } from "../engine/records.ts";
import { CREATED, isTombstone } from "../engine/records.ts";
import { contentHash, type ContentHash } from "../json/canonical.ts";
import { isDocumentId } from "../json/strict.ts";
import { isObject } from "../json/values.ts";
import { Channel, codeOf, following, reasonOf, type ChannelOptions } from "./channel.ts";
import { readEvents } from "./events.ts";

/** What changed: null is a document that is not live any more. */
export interface Changes {
  readonly hashes: ReadonlyMap<string, ContentHash | null>;
  readonly cursor: string;
  /** It is all that the server has, not what changed since a cursor. */
  readonly isComplete: boolean;
  /** Of some of them, or none: the state itself. */
  readonly states: ReadonlyMap<string, Answer>;
}

export interface Page {
  readonly states: ReadonlyMap<string, Answer>;
  /** Of a moment before the page was read. */
  readonly cursor: string;
  /** What the next page is asked for with; null: this is the last one. */
  readonly after: string | null;
}

/** A page on its way. `after`: of it, as soon as that is known. */
interface Coming {
  readonly page: Promise<Page>;
  readonly after: Promise<string | null>;
}

/** `pending` null: tell me what you have. */
export interface Outgoing {
  readonly id: string;
  readonly pending: Pending | null;
}

/** How many documents the server takes in a request and gives in one. */
interface About {
  readonly documents: number;
  readonly page: number;
  readonly bytes: number;
}

const NEEDED = ["base", "versions", "batch", "since"];
const BATCH_DOCUMENTS = 500;
const BATCH_BYTES = 4 * 1024 * 1024;
const PAGE_DOCUMENTS = 1_000;
/** Of a document: will not be taken the next time either. */
const OF_THE_DOCUMENT = new Set([400, 403, 404, 409, 413, 422]);
/** Milliseconds without a sign of life in a stream that has one every 15 seconds. */
const SILENCE = 45_000;

export class Server {
  /** As they were declared when they were asked for last. */
  knownPolicies: unknown = {};
  private readonly channel: Channel;
  private known: Promise<About> | undefined;

  constructor(options: ChannelOptions) {
    this.channel = new Channel(options);
  }

  /** What changed since the cursor; all of it without one. undefined: the cursor is gone. */
  async changes(cursor: string | null, signal?: AbortSignal): Promise<Changes | undefined> {
    await this.about(signal);
    if (cursor === null) {
      const reply = await this.channel.request("/hashes", { signal });
      const position = reply.headers.get("hypertask-cursor");
      if (position === null) throw this.channel.unexpected("there is no cursor with its hash map");
      return { hashes: this.hashes(this.channel.valueOf(reply)), cursor: position, isComplete: true, states: new Map() };
    }
    const hashes = new Map<string, ContentHash | null>();
    for (let at = cursor; ; ) {
      const part = await this.since(at, undefined, signal);
      if (!part) return undefined;
      for (const [id, hash] of part.hashes) hashes.set(id, hash);
      at = part.cursor;
      if (!part.more) return { hashes, cursor: at, isComplete: false, states: new Map() };
    }
  }

  /** A part of what changed since the cursor; `limit` documents at most. undefined: the cursor is gone. */
  async since(
    cursor: string,
    limit?: number,
    signal?: AbortSignal,
  ): Promise<{ hashes: Map<string, ContentHash | null>; cursor: string; more: boolean } | undefined> {
    const most = limit === undefined ? "" : `&limit=${limit}`;
    const reply = await this.channel.request(`/hashes?since=${encodeURIComponent(cursor)}${most}`, { signal });
    if (reply.status === 410) return undefined;
    const value = this.channel.valueOf(reply);
    return { hashes: this.hashes(value["hashes"]), cursor: this.cursor(value), more: value["more"] === true };
  }

  /** Every live document, in pages; the next one is on its way while one is read, and while the caller stores it. */
  async *pages(signal?: AbortSignal): AsyncGenerator<Page> {
    let coming: Coming | undefined = this.coming("", signal);
    while (coming) {
      const { page, after }: Coming = coming;
      const next: string | null = await after;
      coming = next === null ? undefined : this.coming(next, signal);
      const read: Page = await page;
      // An answer that broke off was asked for again, and may end elsewhere.
      if (read.after !== next) coming = read.after === null ? undefined : this.coming(read.after, signal);
      yield read;
    }
  }

  private coming(from: string, signal?: AbortSignal): Coming {
    let hear: (after: string) => void;
    const heard = new Promise<string>((resolve) => (hear = resolve));
    const page = this.page(from, PAGE_DOCUMENTS, signal, (headers) => {
      const after = headers.get("hypertask-after");
      if (after !== null) hear(after);
    });
    // The last page has no such header, nor have those of older servers.
    const after = Promise.race([heard, page.then((read) => read.after)]);
    for (const one of [page, after]) one.catch(() => undefined); // it is awaited, or nobody wants it any more
    return { page, after };
  }

  /** The live documents with ids greater than `after`. `begun`: is told the headers before the documents are there. */
  async page(after: string, limit: number, signal?: AbortSignal, begun?: (headers: Headers) => void): Promise<Page> {
    const { page } = await this.about(signal);
    const path = `/tasks?limit=${Math.min(limit, page)}&after=${encodeURIComponent(after)}`;
    const value = this.channel.valueOf(await this.channel.request(path, { signal, begun }));
    const next = typeof value["after"] === "string" ? value["after"] : null;
    return { states: this.states(value["tasks"]), cursor: this.cursor(value), after: next };
  }

  /** Submits, and answers in portions. One that is refused does not stop the others. */
  async *submit(
    outgoing: readonly Outgoing[],
    { confirmed = false, signal }: { confirmed?: boolean | undefined; signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<Map<string, Reply>> {
    const headers: Record<string, string> = confirmed ? { "hypertask-confirm": "deletions" } : {};
    const post = async (batch: readonly Outgoing[], withBase: boolean): Promise<Map<string, Reply>> => {
      const tasks = Object.fromEntries(batch.map((one) => [one.id, said(one, withBase)]));
      const value = this.channel.valueOf(await this.channel.request("/tasks", { body: { tasks }, headers, signal }));
      const rows = value["tasks"];
      if (!isObject(rows)) throw this.channel.unexpected("there are no tasks in its answer");
      return new Map(batch.map((one) => [one.id, this.reply(one, Object.hasOwn(rows, one.id) ? rows[one.id] : null)]));
    };
    for (const batch of batches(outgoing, await this.about(signal))) {
      const replies = await post(batch, false);
      const unknown = batch.filter(({ id, pending }) => {
        const reply = replies.get(id);
        return pending !== null && reply?.kind === "refused" && reply.code === "base-unknown";
      });
      for (const { id } of unknown) replies.delete(id);
      yield replies;
      if (unknown.length > 0) yield await post(unknown, true);
    }
  }

  /** Whether the server has exactly the documents of this fingerprint (docs/reconciliation.md). undefined: unknown. */
  async agrees(cursor: string, fingerprint: string, signal?: AbortSignal): Promise<boolean | undefined> {
    const body = { ranges: { "": fingerprint } };
    const value = this.channel.valueOf(await this.channel.request("/hashes/diff", { body, signal }));
    const differs = [value["ranges"], value["documents"]].some((part) => isObject(part) && Object.keys(part).length > 0);
    if (!differs) return true;
    return this.cursor(value) === cursor ? false : undefined;
  }

  /** How the space's fields merge, as it was declared. */
  async policies(signal?: AbortSignal): Promise<unknown> {
    return (this.knownPolicies = this.channel.valueOf(await this.channel.request("/policies", { signal })));
  }

  /** The revisions of a document, newest first (docs/protocol.md); none of one that never was. */
  async history(id: string, signal?: AbortSignal): Promise<Body[]> {
    const reply = await this.channel.request(`/task/${encodeURIComponent(id)}/revisions`, { signal });
    return reply.status === 404 ? [] : (this.channel.valueOf(reply)["revisions"] as Body[]);
  }

  /**
   * What changes from the cursor on, as it happens; without one from now on, and the first that is yielded says from
   * where. Ends when the server ends the stream, or when the cursor is gone; rejects when nothing is heard for a while.
   */
  async *events(cursor: string | null, signal: AbortSignal): AsyncGenerator<Changes> {
    const { controller, release } = following(signal);
    try {
      yield* this.eventsUntil(cursor, controller);
    } finally {
      release();
    }
  }

  private async *eventsUntil(cursor: string | null, ending: AbortController): AsyncGenerator<Changes> {
    const from: Record<string, string> = cursor === null ? {} : { "last-event-id": cursor };
    const answer = await this.channel.stream("/events", from, ending.signal);
    if (answer.status !== 200 || !answer.body) return;
    for await (const { event, data } of readEvents(answer.body, SILENCE, ending)) {
      if (event === "gone") return;
      if (event !== "changed" && (event !== "ready" || cursor !== null)) continue;
      const value = JSON.parse(data) as Record<string, unknown>;
      const states = this.states(value["tasks"] ?? {});
      yield { hashes: this.hashes(value["hashes"] ?? {}), cursor: this.cursor(value), isComplete: false, states };
    }
  }

  /** What the server offers; asked once. Rejects with ServerError if it lacks what is needed. */
  private about(signal?: AbortSignal): Promise<About> {
    this.known ??= this.ask(signal).catch((error: unknown) => {
      this.known = undefined;
      throw error;
    });
    return this.known;
  }

  private async ask(signal?: AbortSignal): Promise<About> {
    const { supports, limits } = this.channel.valueOf(await this.channel.request("/", { signal }));
    const offered: unknown[] = Array.isArray(supports) ? supports : [];
    const missing = NEEDED.filter((word) => !offered.includes(word));
    if (missing.length > 0) throw this.channel.unexpected(`it does not offer ${missing.join(", ")}`);
    this.channel.compresses = offered.includes("gzip");
    const most = isObject(limits) ? limits : {};
    const documents = Number(most["batch_documents"] ?? BATCH_DOCUMENTS);
    return {
      documents: Math.min(BATCH_DOCUMENTS, documents),
      page: documents,
      bytes: Math.min(BATCH_BYTES, Number(most["batch_bytes"] ?? BATCH_BYTES)),
    };
  }

  private cursor(value: Record<string, unknown>): string {
    if (typeof value["cursor"] !== "string") throw this.channel.unexpected("there is no cursor in its answer");
    return value["cursor"];
  }

  private hashes(value: unknown): Map<string, ContentHash | null> {
    if (!isObject(value) || !Object.values(value).every((hash) => hash === null || typeof hash === "string"))
      throw this.channel.unexpected("its answer is not a valid hash map");
    return new Map(Object.entries(value as Record<string, ContentHash | null>).filter(([id]) => isDocumentId(id)));
  }

  private states(value: unknown): Map<string, Answer> {
    if (!isObject(value)) throw this.channel.unexpected("there are no tasks in its answer");
    const found = new Map<string, Answer>();
    for (const [id, row] of Object.entries(value)) {
      const reply = this.reply({ id, pending: null }, row);
      if (reply.kind !== "answer") throw this.channel.unexpected(`what it says of ${id} is no state of a document`);
      found.set(id, reply.answer);
    }
    return found;
  }

  private reply({ id, pending }: Outgoing, row: unknown): Reply {
    if (!isObject(row)) return { kind: "notNow", reason: "no answer" };
    if (isObject(row["error"])) {
      const [code, reason] = [codeOf(row["error"]), reasonOf(row["error"])];
      if (OF_THE_DOCUMENT.has(Number(row["error"]["status"]))) return { kind: "refused", code, reason };
      return { kind: "notNow", reason };
    }
    // Left out: it is what was sent.
    const sent = pending && !isTombstone(pending.body) ? pending.body : null;
    const state = Object.hasOwn(row, "server_state") ? row["server_state"] : sent;
    if (typeof row["rev"] !== "string" || (state !== null && (!isObject(state) || state["id"] !== id)))
      throw this.channel.unexpected(`its answer for ${id} is no state of that document`);
    const hash = state === null ? null : state === sent ? pending!.hash : contentHash(state);
    const { outcome, rule, conflicts } = row as { outcome?: string; rule?: string; conflicts?: Body[] };
    return {
      kind: "answer",
      answer: { state, hash, rev: row["rev"], outcome: outcome ?? "", rule: rule ?? "", conflicts: conflicts ?? [] },
    };
  }
}

/** What is said of one document. To say that one has nothing needs a base, too. */
function said({ pending }: Outgoing, withBase: boolean): object {
  if (!pending) return { client_state: null, base: CREATED };
  const { body, base, shadow, attach } = pending;
  return { client_state: body, base, ...(withBase || attach ? { base_state: shadow } : {}) };
}

function* batches(outgoing: readonly Outgoing[], { documents, bytes }: About): Generator<Outgoing[]> {
  let batch: Outgoing[] = [];
  let size = 0;
  for (const one of outgoing) {
    // A character has at most three bytes in UTF-8, four for two units.
    const weight = 3 * JSON.stringify(said(one, false)).length + one.id.length + 8;
    if (batch.length > 0 && (batch.length >= documents || size + weight > bytes)) {
      yield batch;
      [batch, size] = [[], 0];
    }
    batch.push(one);
    size += weight;
  }
  if (batch.length > 0) yield batch;
}
