/** The documents of one space, here and at a server: read and changed here, at once, and kept in sync. */

import { Sync, type Arrival, type SyncOptions, type SyncReport, type Announced } from "./engine/sync.ts";
import { changed, emptyRow, stateOf, type Row } from "./engine/rows.ts";
import type { Body, Refused } from "./engine/records.ts";
import { contentHash, type ContentHash } from "./json/canonical.ts";
import { checkDocument, FaultError, isDocumentId } from "./json/strict.ts";
import { equal } from "./json/values.ts";
import type { Store } from "./stores/store.ts";
import { Bell, sleep, type ChannelOptions } from "./transport/channel.ts";
import { ServerError } from "./transport/errors.ts";
import { Server } from "./transport/server.ts";

export type Document = Body & { id: string };

export interface ClientOptions extends ChannelOptions {
  readonly store: Store;
  /** Called between any two steps of a sync; tests stop there. */
  readonly step?: (name: string) => void | Promise<void>;
}

/** A document is another one now. */
export interface Change extends Arrival {
  /** `here`: an edit of this client; `server`: it arrived. */
  readonly by: "here" | "server";
}

/** What is not in sync, and how it stands. */
export interface Status {
  /** Ids of documents that are to be sent, or are on their way. */
  readonly pending: readonly string[];
  /** Edits that the server does not take, by id. They are kept, and sent again when they are changed. */
  readonly refused: ReadonlyMap<string, Refused>;
  /** Why the last sync failed; undefined: it did not. */
  readonly error: Error | undefined;
  /** When this client and the server agreed last; milliseconds since 1970, 0 if never since it was opened. */
  readonly agreedAt: number;
  readonly lastReport: SyncReport | undefined;
}

/** Milliseconds that an edit waits for others, so that they go together. */
const TOGETHER = 20;
/** Everything is looked at again after so long; milliseconds. */
const AT_LEAST_EVERY = 300_000;
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 60_000;

export class Client {
  private readonly store: Store;
  private readonly server: Server;
  private readonly engine: Sync;
  private readonly listeners = new Set<(changes: readonly Change[]) => void>();
  private running: Promise<unknown> = Promise.resolve();
  private stopping: AbortController | undefined;
  private live: Promise<unknown> = Promise.resolve();
  private announced: Announced[] = [];
  /** There is something to be synced, or the server may be back. */
  private readonly work = new Bell();
  /** The server is back: its events can be had again. */
  private readonly back = new Bell();
  private error: Error | undefined;
  private agreedAt = 0;
  private lastReport: SyncReport | undefined;

  constructor({ store, step, ...options }: ClientOptions) {
    this.store = store;
    this.server = new Server(options);
    const arrived = (arrivals: readonly Arrival[]): void =>
      this.tell(arrivals.map((arrival) => ({ ...arrival, by: "server" })));
    this.engine = new Sync(store, this.server, arrived, step);
  }

  // Documents

  /** undefined: there is none. What is returned is the caller's. */
  async get(id: string): Promise<Document | undefined> {
    return ((await this.store.get([id])).get(id)?.doc as Document | null | undefined) ?? undefined;
  }

  /** All documents, by id. */
  async *all(): AsyncGenerator<Document> {
    let after = "";
    for (;;) {
      const docs = (await this.store.documents(after)) as Document[];
      if (docs.length === 0) return;
      yield* docs;
      after = docs[docs.length - 1].id;
    }
  }

  /**
   * Stores a document, durably. `from`: the state that was changed, as `get` returned it; what others changed since then
   * is merged, and not written over. Returns what is stored. Throws FaultError for what no server takes.
   */
  async put(doc: Document, from?: Document): Promise<Document> {
    checkDocument(doc);
    const stored = await this.write(doc.id, async (now) => {
      if (from === undefined || now === null || equal(now, from)) return doc;
      const { mergeOntoDeclared } = await import("./merge/onto.ts");
      return mergeOntoDeclared(this.server.knownPolicies)(from, now, doc).doc as Document;
    });
    return stored!;
  }

  /** Stores what `change` makes of a document; it may be asked again, if somebody else changed it meanwhile. */
  async update(id: string, change: (doc: Document | undefined) => Document | undefined): Promise<Document | undefined> {
    return this.write(id, async (now) => {
      const doc = change((structuredClone(now) as Document | null) ?? undefined);
      if (doc !== undefined) checkDocument(doc, id);
      return doc ?? null;
    });
  }

  /** Deletes a document. */
  async delete(id: string): Promise<void> {
    await this.write(id, async () => null);
  }

  private async write(id: string, of: (now: Body | null) => Promise<Document | null>): Promise<Document | undefined> {
    if (!isDocumentId(id)) throw new FaultError("invalid id", `${id} is no id of a document.`, "/id");
    for (;;) {
      const row: Row = (await this.store.get([id])).get(id) ?? emptyRow(id);
      const doc = await of(row.doc);
      if (equal(doc, row.doc)) return doc ?? undefined;
      const hash: ContentHash | null = doc && contentHash(doc);
      if (!(await this.store.commit([changed(row, { doc, hash })]))) continue;
      this.tell([{ id, doc, by: "here", conflicts: [], decided: [] }]);
      this.work.ring();
      return doc ?? undefined;
    }
  }

  /** Calls `listener` with each change, of this client and from the server. Returns what ends that. */
  subscribe(listener: (changes: readonly Change[]) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  private tell(changes: readonly Change[]): void {
    for (const listener of this.listeners) listener(changes);
  }

  async status(): Promise<Status> {
    const open = await this.store.open();
    const refused = new Map(open.flatMap((row) => (row.refused ? [[row.id, row.refused] as const] : [])));
    const pending = open.filter((row) => !row.refused && stateOf(row) === "open" && isEdited(row)).map(({ id }) => id);
    return { pending, refused, error: this.error, agreedAt: this.agreedAt, lastReport: this.lastReport };
  }

  /** The revisions of a document, newest first, as docs/protocol.md lists them. */
  history(id: string): Promise<Body[]> {
    return this.server.history(id);
  }

  // Syncing

  /** Syncs until this client and the server agree. Rejects with ServerError or StoreError; nothing is lost then. */
  sync(options: SyncOptions = {}): Promise<SyncReport> {
    const run = async (): Promise<SyncReport> => {
      try {
        const report = await this.engine.run(options);
        [this.error, this.lastReport] = [undefined, report];
        if (report.agreed) this.agreedAt = Date.now();
        return report;
      } catch (error) {
        this.error = error as Error;
        throw error;
      }
    };
    const done = this.running.then(() => this.alone(run));
    this.running = done.catch(() => undefined);
    return done;
  }

  /** One context at a time, where the platform has locks. Without them each commit is compared all the same. */
  private alone<T>(work: () => Promise<T>): Promise<T> {
    const { locks } = (globalThis.navigator as Navigator | undefined) ?? {};
    if (!locks || this.store.name === undefined) return work();
    return locks.request(`hypertask:${this.store.name}`, work) as Promise<T>;
  }

  /** Keeps in sync from now on: edits are sent at once, and what others change arrives as it happens. */
  start(): void {
    if (this.stopping) return;
    const { signal } = (this.stopping = new AbortController());
    this.live = Promise.all([this.keepSyncing(signal), this.keepListening(signal)]);
    // Where there is a platform that knows of networks.
    globalThis.addEventListener?.("online", () => this.retry(), { signal });
  }

  /** Ends the pause after a failure, as each edit does: the server may be back. */
  retry(): void {
    this.work.ring();
    this.back.ring();
  }

  /** Ends what `start` began. */
  async stop(): Promise<void> {
    this.stopping?.abort();
    this.stopping = undefined;
    await this.live;
    await this.running;
  }

  /** Stops, and closes the store. */
  async close(): Promise<void> {
    await this.stop();
    await this.store.close();
  }

  private async keepSyncing(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      this.work.reset();
      // What was announced in several pieces is asked for in one.
      const [announced, ...more] = this.announced.splice(0);
      try {
        const { agreed } = await this.sync({ announced: more.length === 0 ? announced : undefined, signal });
        if (failures > 0) this.back.ring();
        failures = 0;
        if (!agreed || this.announced.length > 0) continue;
        await this.work.wait(AT_LEAST_EVERY, signal);
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        await pauseAfter(failures, signal, this.work, error);
      }
      await sleep(TOGETHER, signal).catch(() => undefined);
    }
  }

  private async keepListening(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      this.back.reset();
      let failure: unknown;
      try {
        let since = (await this.store.meta()).cursor;
        if (since === null) {
          await sleep(FIRST_PAUSE, signal);
          continue;
        }
        for await (const changes of this.server.events(since, signal)) {
          failures = 0;
          this.announced.push({ since, changes });
          since = changes.cursor;
          this.work.ring();
        }
        this.work.ring();
      } catch (error) {
        failure = error;
      }
      if (signal.aborted) return;
      failures += 1;
      await pauseAfter(failures, signal, this.back, failure);
    }
  }
}

/**
 * Doubling, with jitter, until the bell rings. As long as the server said is waited for in any case; and without access
 * somebody has to do something else first.
 */
async function pauseAfter(failures: number, signal: AbortSignal, bell: Bell, error?: unknown): Promise<void> {
  const access = error instanceof ServerError && !error.passing;
  const doubling = access ? LONGEST_PAUSE : Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.min(failures - 1, 16));
  const pause = doubling * (0.5 + Math.random() / 2);
  const said = error instanceof ServerError ? (error.retryAfter ?? 0) * 1_000 : 0;
  if (said > 0) await sleep(said, signal).catch(() => undefined);
  if (access) await sleep(pause, signal).catch(() => undefined);
  else await bell.wait(pause, signal);
}

/** Whether what is here is to be sent, or is on its way. */
function isEdited(row: Row): boolean {
  return row.pending !== null || row.hash !== row.shadow;
}
