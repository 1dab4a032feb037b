/** One space in this tab: its documents, how its sync stands, and edits that are stored before anything else happens. */

import { batch, signal } from "@preact/signals";

import { Client, type Change, type ClientOptions, type Document } from "../../../sdk/src/client.ts";
import type { SyncOptions, SyncReport } from "../../../sdk/src/engine/sync.ts";
import { canonical } from "../../../sdk/src/json/canonical.ts";
import { equal } from "../../../sdk/src/json/values.ts";
import { IndexedDbStore } from "../../../sdk/src/stores/indexeddb.ts";
import { ConflictLog, conflictsOf, type StoredConflict } from "./conflicts.ts";
import { drawn } from "./drawn.ts";
import { fetchBy, standing } from "./session.ts";
import { AGREED, CONFLICTS, databaseOf } from "./stored.ts";
import { STARTING, stateOf, type SyncStatus } from "./status.ts";
import { Tabs, type Message } from "./tabs.ts";
import { Deeds, type Step } from "./undo.ts";

const PROBE_MILLISECONDS = 3_000;
/** Documents that arrive together from which on they are shown a little later, with those that follow. */
const BULK = 100;
const BULK_MILLISECONDS = 500;

/** Tells when a sync has ended, however. */
class WatchedClient extends Client {
  private readonly began: () => void;
  private readonly ended: (report: SyncReport | undefined) => void;

  constructor(options: ClientOptions, began: () => void, ended: (report: SyncReport | undefined) => void) {
    super(options);
    this.began = began;
    this.ended = ended;
  }

  override async sync(options: SyncOptions = {}): Promise<SyncReport> {
    let report: SyncReport | undefined;
    this.began();
    try {
      return (report = await super.sync(options));
    } finally {
      this.ended(report);
    }
  }
}

export class SpaceEngine {
  readonly docs = signal<ReadonlyMap<string, Document>>(new Map());
  /** What is stored here has been read. */
  readonly loaded = signal(false);
  readonly status = signal<SyncStatus>(STARTING);
  readonly conflicts = signal<readonly StoredConflict[]>([]);
  readonly deeds = new Deeds();
  readonly space: string;
  readonly name: string;
  /** This tab is the one that syncs. */
  readonly leads = signal(false);
  private readonly store: IndexedDbStore;
  private readonly client: WatchedClient;
  private log: Promise<ConflictLog> | undefined;
  private readonly tabs: Tabs;
  private readonly ending = new AbortController();
  private probe: ReturnType<typeof setTimeout> | undefined;
  private asked = false;
  /** What was changed since everything began to be read the last time. */
  private meanwhile = new Set<string>();
  private arriving: Change[] = [];
  private gathering: ReturnType<typeof setTimeout> | undefined;

  private constructor(name: string, user: string, space: string, store: IndexedDbStore) {
    [this.name, this.space, this.store] = [name, space, store];
    const options = { url: location.origin, token: "none", space, store, fetch: fetchBy(user) };
    const ended = (report: SyncReport | undefined): void => {
      this.showArriving();
      void this.tellStatus(report);
    };
    this.client = new WatchedClient(options, () => this.busy(), ended);
    this.client.subscribe((changes) => this.heardOf(changes));
    this.tabs = new Tabs(name, (message) => void this.heard(message));
  }

  /** Opens what is stored, of which nothing is read so far. Rejects with StoreError. */
  static async open(user: string, space: string): Promise<SpaceEngine> {
    const name = databaseOf(user, space);
    const engine = new SpaceEngine(name, user, space, await IndexedDbStore.open(name));
    engine.status.value = { ...STARTING, agreedAt: Number(localStorage.getItem(AGREED + name) ?? 0) };
    return engine;
  }

  /** Reads what is stored, and syncs from then on. Rejects with StoreError. */
  async begin(): Promise<void> {
    const read = this.load();
    const [leads] = await Promise.all([this.tabs.leads(), read]);
    if (this.ending.signal.aborted) return;
    if (leads) this.lead();
    // What another tab had stored when it ended was heard of by nobody.
    else void this.tabs.elect(() => (this.lead(), void this.load()));
    this.tabs.tell({ kind: "ask" });
    drawn()
      .then(() => (this.ending.signal.aborted ? undefined : this.showConflicts()))
      .catch(reportError);
    const again = (): void => void (document.visibilityState === "visible" && this.restart());
    addEventListener("online", again, { signal: this.ending.signal });
    document.addEventListener("visibilitychange", again, { signal: this.ending.signal });
  }

  async close(): Promise<void> {
    this.ending.abort();
    clearTimeout(this.probe);
    clearTimeout(this.gathering);
    this.tabs.close();
    await this.client.close();
    (await this.log?.catch(() => undefined))?.close();
  }

  private async load(): Promise<void> {
    const meanwhile = (this.meanwhile = new Set<string>());
    const found = new Map<string, Document>();
    await this.store.each((docs) => {
      for (const doc of docs as Document[]) found.set(doc.id, doc);
    });
    batch(() => {
      this.docs.value = found;
      this.loaded.value = true;
    });
    // It may have been read before it was changed.
    if (meanwhile.size > 0) await this.reread([...meanwhile]);
  }

  // Editing

  /** Stores documents, durably, and remembers how to take it back. Rejects with FaultError or StoreError. */
  async edit(label: string, ids: readonly string[], change: (doc: Document) => Document | undefined): Promise<void> {
    const steps: Step[] = [];
    try {
      for (const id of ids) {
        let before: Document | undefined;
        const after = await this.client.update(id, (doc) => {
          before = doc;
          return doc && change(doc);
        });
        if (!same(before, after)) steps.push({ id, before, after });
      }
    } finally {
      if (steps.length > 0) this.deeds.add({ label, steps });
      void this.persist();
    }
  }

  /** Stores a document, as it was made from `from`; what others changed since then is merged. */
  async put(label: string, doc: Document, from?: Document): Promise<void> {
    const after = await this.client.put(doc, from);
    if (!same(from, after)) this.deeds.add({ label, steps: [{ id: doc.id, before: from, after }] });
    void this.persist();
  }

  /** Makes tasks that are not there, and leaves a pattern as it then is unless somebody has changed it meanwhile. */
  async makeOccurrences(made: readonly Document[], pattern: Document, after: Document): Promise<void> {
    for (const one of made) await this.client.update(one.id, (doc) => doc ?? one);
    await this.client.update(pattern.id, (doc) => (same(doc, pattern) ? after : doc));
  }

  /** Takes back what was done last; what happened to the documents since then stays. Returns its label. */
  async undo(): Promise<string | undefined> {
    const deed = this.deeds.back();
    try {
      for (const { id, before, after } of deed?.steps ?? []) await this.replace(id, after, before);
    } catch (error) {
      this.deeds.forth();
      throw error;
    }
    return deed?.label;
  }

  async redo(): Promise<string | undefined> {
    const deed = this.deeds.forth();
    try {
      for (const { id, before, after } of deed?.steps ?? []) await this.replace(id, before, after);
    } catch (error) {
      this.deeds.back();
      throw error;
    }
    return deed?.label;
  }

  private async replace(id: string, from: Document | undefined, to: Document | undefined): Promise<void> {
    if (to) await this.client.put(to, from);
    else
      await this.client.update(id, (now) => {
        if (now && !same(now, from)) throw new Error("It was changed since then, so it is not removed. Delete it if you mean to");
        return undefined;
      });
  }

  /** Asks the browser, once, not to throw away what is stored when room is short. */
  private async persist(): Promise<void> {
    if (this.asked) return;
    this.asked = true;
    await navigator.storage?.persist?.();
  }

  // Hearing of changes

  /** Thousands arrive in portions: the first is shown at once, the others a few times a second. */
  private heardOf(changes: readonly Change[]): void {
    this.arriving.push(...changes);
    const isBulk = changes.length > BULK;
    if (isBulk && this.gathering !== undefined) return;
    this.showArriving();
    if (isBulk) this.gathering = setTimeout(() => this.showArriving(), BULK_MILLISECONDS);
  }

  private showArriving(): void {
    clearTimeout(this.gathering);
    this.gathering = undefined;
    const changes = this.arriving;
    this.arriving = [];
    if (changes.length > 0) this.changed(changes);
  }

  private changed(changes: readonly Change[]): void {
    const now = new Map(this.docs.value);
    for (const { id, doc } of changes) {
      if (doc) now.set(id, doc as Document);
      else now.delete(id);
    }
    this.docs.value = now;
    for (const { id } of changes) this.meanwhile.add(id);
    this.tabs.tell({ kind: "changed", ids: changes.map(({ id }) => id) });
    if (changes.some(({ by }) => by === "here")) this.noteEdits();
    const found = changes.flatMap(conflictsOf);
    if (found.length > 0) void this.keep(found);
  }

  private noteEdits(): void {
    const { state } = this.status.value;
    if (state === "ok") this.status.value = { ...this.status.value, state: "busy" };
    else if (state === "offline") void this.tellStatus(undefined);
  }

  private async keep(found: readonly StoredConflict[]): Promise<void> {
    await (await this.conflictLog()).add(found);
    await this.showConflicts();
    this.tabs.tell({ kind: "conflicts" });
  }

  private async showConflicts(): Promise<void> {
    this.conflicts.value = await (await this.conflictLog()).all();
  }

  /** Opened when it is asked for: the list of tasks does not wait for it. */
  private conflictLog(): Promise<ConflictLog> {
    this.log ??= ConflictLog.open(this.name + CONFLICTS).catch((error: unknown) => {
      this.log = undefined;
      throw error;
    });
    return this.log;
  }

  /** Conflicts that people have looked at. */
  async dismiss(keys: readonly number[]): Promise<void> {
    await (await this.conflictLog()).remove(keys);
    await this.showConflicts();
    this.tabs.tell({ kind: "conflicts" });
  }

  private async heard(message: Message): Promise<void> {
    switch (message.kind) {
      case "changed":
        await this.reread(message.ids);
        // It was stored in another tab, and this is the one that sends.
        if (this.leads.value) this.client.retry();
        break;
      case "status":
        if (!this.leads.value) this.status.value = message.status as SyncStatus;
        break;
      case "conflicts":
        await this.showConflicts();
        break;
      case "ask":
        if (this.leads.value) this.tabs.tell({ kind: "status", status: this.status.value });
        break;
      case "sync":
        if (this.leads.value) await this.syncNow(message.confirmed);
    }
  }

  private async reread(ids: readonly string[]): Promise<void> {
    this.showArriving();
    for (const id of ids) this.meanwhile.add(id);
    const rows = await this.store.get(ids);
    const now = new Map(this.docs.value);
    for (const id of ids) {
      const doc = rows.get(id)?.doc;
      if (doc) now.set(id, doc as Document);
      else now.delete(id);
    }
    this.docs.value = now;
  }

  // Syncing

  private lead(): void {
    this.leads.value = true;
    // What is here is shown before the server is asked, and who is signed in is asked for first.
    void drawn().then(() => setTimeout(() => this.ending.signal.aborted || this.client.start()));
  }

  /** Begins again at once, and does not wait until the pause after a failure is over. */
  private async restart(): Promise<void> {
    if (!this.leads.value || !["offline", "failing", "out"].includes(this.status.value.state)) return;
    clearTimeout(this.probe);
    await this.client.stop();
    if (!this.ending.signal.aborted) this.client.start();
  }

  /** Syncs now, whichever tab does it. `confirmed`: many deletions are meant. */
  async syncNow(confirmed = false): Promise<void> {
    if (!this.leads.value) this.tabs.tell({ kind: "sync", confirmed });
    else if (confirmed) await this.client.sync({ confirmed }).catch(() => undefined);
    else if (this.status.value.state === "ok") await this.client.sync({ prove: true }).catch(() => undefined);
    else await this.restart();
  }

  /** The revisions of a document, newest first, as the server keeps them. */
  history(id: string): ReturnType<Client["history"]> {
    return this.client.history(id);
  }

  private busy(): void {
    const { state } = this.status.value;
    if (state === "ok" && this.status.value.pending.length > 0) this.status.value = { ...this.status.value, state: "busy" };
  }

  private async tellStatus(report: SyncReport | undefined): Promise<void> {
    if (this.ending.signal.aborted) return;
    const { pending, refused, error, agreedAt, lastReport } = await this.client.status();
    const known = report ?? lastReport;
    const latest = Math.max(agreedAt, this.status.value.agreedAt);
    const status: SyncStatus = {
      state: stateOf(error, pending.length + refused.size, refused.size, standing.value === "out"),
      pending,
      refused: [...refused].map(([id, { code, reason }]) => ({ id, code, reason })),
      held: { here: known?.plan.heldHere.length ?? 0, there: known?.plan.heldThere.length ?? 0 },
      agreedAt: latest,
      reason: error?.message ?? "",
    };
    this.status.value = status;
    if (this.leads.value) {
      localStorage.setItem(AGREED + this.name, String(latest));
      this.tabs.tell({ kind: "status", status });
      if (status.state === "offline") this.look();
    }
  }

  /** Looks whether the server is back while somebody looks on. */
  private look(): void {
    clearTimeout(this.probe);
    this.probe = setTimeout(() => {
      const visible = document.visibilityState === "visible";
      const asked = visible ? fetch("/healthz", { cache: "no-store" }) : Promise.reject(new Error("nobody looks on"));
      asked.then(
        ({ ok }) => (ok ? this.restart() : this.look()),
        () => this.look(),
      );
    }, PROBE_MILLISECONDS);
  }
}

function same(one: Document | undefined, other: Document | undefined): boolean {
  return one === other || (one !== undefined && other !== undefined && equal(one, other));
}

/** How many bytes a document has as it is sent. */
export function bytesOf(doc: Document): number {
  return new TextEncoder().encode(canonical(doc)).length;
}
