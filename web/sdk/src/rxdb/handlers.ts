/**
 * What a replication of RxDB asks of a server: pull, push and a stream, as its replication protocol has them.
 *
 * RxDB's `assumedMasterState` is our base: a push says its content hash, and the state itself where the server asks for
 * it. A state that the server merged goes back as a "conflict" document, which RxDB puts in the place of what was sent;
 * what was edited meanwhile is pushed again on the same base, and the server knows what of it it has had.
 */

import type { Answer, Body, Pending, Reply } from "../engine/records.ts";
import { CREATED, DELETED_KEY } from "../engine/records.ts";
import { contentHash, type ContentHash } from "../json/canonical.ts";
import { check } from "../json/strict.ts";
import { equal } from "../json/values.ts";
import { sleep } from "../transport/channel.ts";
import type { Outgoing, Server } from "../transport/server.ts";

/** A document as RxDB hands it out and takes it. */
export type RxState = Body & { _deleted: boolean };

export interface PushRow {
  readonly newDocumentState: RxState;
  readonly assumedMasterState?: RxState | undefined;
}

/** `after`: the initial copy has come so far. `cursor`: what changes from there on is asked for next. */
export interface Checkpoint {
  readonly cursor: string;
  readonly after?: string | undefined;
}

export interface Pulled {
  readonly documents: RxState[];
  readonly checkpoint: Checkpoint | undefined;
}

/** The server does not take a document, and would not the next time; RxDB tries again until it is changed. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly id: string;
  /** The stable code of the problem. */
  readonly code: string;

  constructor(id: string, code: string, reason: string) {
    super(`${id} is refused (${code}): ${reason}`);
    this.id = id;
    this.code = code;
  }
}

const PAUSE = 1_000;
const LONGEST_PAUSE = 60_000;

export class Handlers {
  private readonly server: Server;
  private readonly confirmed: boolean;
  /** The rev of each state that the server has told, by id: it says more than the hash. */
  private readonly revs = new Map<string, { rev: string; hash: ContentHash | null }>();

  /** `confirmed`: many deletions are meant. */
  constructor(server: Server, confirmed = false) {
    this.server = server;
    this.confirmed = confirmed;
  }

  /** Resolves with fewer than `batchSize` documents only when there are no more. */
  async pull(checkpoint: Checkpoint | undefined, batchSize: number): Promise<Pulled> {
    const documents: RxState[] = [];
    let at = checkpoint;
    let more = true;
    while (more && documents.length < batchSize) {
      if (!at || at.after !== undefined) {
        const page = await this.server.page(at?.after ?? "", batchSize);
        documents.push(...this.states(page.states));
        // What changed since the first page was read is asked for when the last one was.
        at = { cursor: at?.cursor ?? page.cursor, ...(page.after === null ? {} : { after: page.after }) };
        continue;
      }
      const part = await this.server.since(at.cursor, batchSize);
      if (!part) {
        at = undefined; // the cursor is gone: everything is listed again
        continue;
      }
      documents.push(...this.states(await this.read([...part.hashes.keys()])));
      at = { cursor: part.cursor };
      more = part.more;
    }
    return { documents, checkpoint: at };
  }

  /** Resolves with the states that stand instead of those that were sent. Rejects with RefusedError or ServerError. */
  async push(rows: readonly PushRow[]): Promise<RxState[]> {
    const outgoing = rows.map((row) => this.outgoing(row));
    const sent = new Map(rows.map(({ newDocumentState }) => [idOf(newDocumentState), newDocumentState]));
    const conflicts: RxState[] = [];
    let failure: Error | undefined;
    for await (const replies of this.server.submit(outgoing, { confirmed: this.confirmed })) {
      for (const [id, reply] of replies) {
        if (reply.kind !== "answer") {
          failure ??= errorOf(id, reply);
          continue;
        }
        this.know(id, reply.answer);
        const state = shown(id, reply.answer);
        const wanted = sent.get(id)!;
        const same = state._deleted && wanted._deleted ? true : equal(state, { ...wanted, _deleted: wanted._deleted });
        if (!same) conflicts.push(state);
      }
    }
    // Every push may be repeated: those that were taken are taken again.
    if (failure) throw failure;
    return conflicts;
  }

  /** What changes, as it happens, until `signal` is aborted; "RESYNC" where something may have been missed. */
  async *stream(signal: AbortSignal): AsyncGenerator<Pulled | "RESYNC"> {
    for (let failures = 0; !signal.aborted; ) {
      try {
        // The first one says that the stream is open: what changed before is asked for.
        for await (const { hashes, states, cursor: at } of this.server.events(null, signal)) {
          failures = 0;
          const whole = hashes.size > 0 && [...hashes.keys()].every((id) => states.has(id));
          yield whole ? { documents: this.states(states), checkpoint: { cursor: at } } : "RESYNC";
        }
      } catch (error) {
        if (signal.aborted) return;
      }
      failures += 1;
      await sleep(Math.min(LONGEST_PAUSE, PAUSE * 2 ** (failures - 1)), signal).catch(() => undefined);
    }
  }

  private outgoing({ newDocumentState, assumedMasterState }: PushRow): Outgoing {
    const id = idOf(newDocumentState);
    const { _deleted: deleted, ...body } = newDocumentState;
    check(body);
    const assumed = assumedMasterState && !assumedMasterState._deleted ? bodyOf(assumedMasterState) : null;
    const state: Body = deleted ? { ...(assumed ?? body), id, [DELETED_KEY]: true } : body;
    return { id, pending: { body: state, hash: contentHash(state), ...this.base(id, body, assumedMasterState, assumed) } };
  }

  private base(id: string, body: Body, master: RxState | undefined, assumed: Body | null): Omit<Pending, "body" | "hash"> {
    const known = this.revs.get(id);
    const hash = assumed && contentHash(assumed);
    if (master) {
      // After a restart the rev is not known any more; the newest state with this content is meant then.
      if (known && known.hash === hash) return { base: known.rev, shadow: assumed, attach: false };
      if (hash !== null) return { base: hash, shadow: assumed, attach: false };
    } else if (known && known.hash !== null) {
      // Both have it, and nothing was agreed on: the server goes by the content.
      return { base: contentHash(body), shadow: null, attach: true };
    }
    return { base: CREATED, shadow: null, attach: false };
  }

  private async read(ids: readonly string[]): Promise<Map<string, Answer>> {
    const states = new Map<string, Answer>();
    for await (const replies of this.server.submit(ids.map((id) => ({ id, pending: null })))) {
      for (const [id, reply] of replies) {
        if (reply.kind !== "answer") throw errorOf(id, reply);
        states.set(id, reply.answer);
      }
    }
    return states;
  }

  private states(answers: ReadonlyMap<string, Answer>): RxState[] {
    return [...answers].map(([id, answer]) => {
      this.know(id, answer);
      return shown(id, answer);
    });
  }

  private know(id: string, { rev, hash }: Answer): void {
    this.revs.set(id, { rev, hash });
  }
}

function shown(id: string, { state }: Answer): RxState {
  return state ? { ...state, _deleted: false } : { id, _deleted: true };
}

function bodyOf({ _deleted: _, ...body }: RxState): Body {
  return body;
}

function idOf(state: RxState): string {
  return state["id"] as string;
}

function errorOf(id: string, reply: Exclude<Reply, { kind: "answer" }>): Error {
  return reply.kind === "refused" ? new RefusedError(id, reply.code, reply.reason) : new Error(`${id}: ${reply.reason}`);
}
