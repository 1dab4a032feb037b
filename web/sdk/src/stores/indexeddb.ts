/**
 * The store of a browser: IndexedDB. Needs the package `idb`.
 *
 * Beside its rows it keeps the documents that are here as texts, so many in one that a list of all of them is read ten
 * times as fast. Both change in one transaction. The key of a portion is the least id that may be in it, of the first
 * one the empty text: what belongs into a portion is known from the keys alone, and an edit writes one of them.
 */

import { openDB, unwrap, type DBSchema, type IDBPDatabase, type IDBPObjectStore } from "idb";

import type { Body } from "../engine/records.ts";
import { NO_META, stateOf, type Meta, type Row, type RowState } from "../engine/rows.ts";
import { StoreError, succeeds, type Store } from "./store.ts";

type StoredRow = Row & { readonly state: RowState };

interface Schema extends DBSchema {
  rows: { key: string; value: StoredRow; indexes: { state: RowState } };
  meta: { key: "meta"; value: Meta };
  /** JSON of an array of documents, by id. */
  portions: { key: string; value: string };
}

type Name = "meta" | "portions" | "rows";
type Rows = IDBPObjectStore<Schema, Name[], "rows", IDBTransactionMode>;
type Portions = IDBPObjectStore<Schema, Name[], "portions", IDBTransactionMode>;

/** What is to be stored as a portion; undefined: it is removed. */
type NextPortion = readonly [key: string, text: string | undefined];

/** From so many ids on it is asked first whether they lie close together. */
const MANY = 8;
/** Rows that are read at a time when an older database is brought up to date. */
const PAGE = 1_000;
/** Units of text in a portion, unless one document has more. Chromium stores what has more than 64 KiB in a file of its own. */
const LONGEST_PORTION = 32_000;
/** Portions that are read at a time. */
const AT_A_TIME = 32;

/** Several tabs may have it open at once. */
export class IndexedDbStore implements Store {
  readonly name: string;
  private readonly db: IDBPDatabase<Schema>;

  private constructor(name: string, db: IDBPDatabase<Schema>) {
    this.name = name;
    this.db = db;
  }

  /** `name`: of the database; one for each space of a server. Rejects with StoreError. */
  static async open(name: string): Promise<IndexedDbStore> {
    const db = await openDB<Schema>(name, 2, {
      upgrade(made, before, _, tx) {
        const portions = made.createObjectStore("portions");
        if (before === 0) {
          made.createObjectStore("rows", { keyPath: "id" }).createIndex("state", "state");
          made.createObjectStore("meta");
          return;
        }
        // All of it or nothing: if it fails, it is as it was, and this is tried again when it is opened the next time.
        tx.done.catch(() => undefined);
        filled(tx.objectStore("rows"), portions).catch(() => tx.abort()).catch(() => undefined);
      },
      blocking(_current, _wanted, event) {
        // A later release wants to change it; what is under way is stored first.
        (event.target as IDBDatabase).close();
      },
    }).catch(failed);
    return new IndexedDbStore(name, db);
  }

  async get(ids: readonly string[]): Promise<Map<string, Row>> {
    const found = async (): Promise<StoredRow[]> => rowsOf(this.db.transaction(["rows"]).objectStore("rows"), ids);
    return new Map((await found().catch(failed)).map((row) => [row.id, rowOf(row)]));
  }

  async open(): Promise<Row[]> {
    return (await this.db.getAllFromIndex("rows", "state", "open").catch(failed)).map(rowOf);
  }

  async list(after: string, limit: number): Promise<Row[]> {
    const range = IDBKeyRange.lowerBound(after, true);
    return (await this.db.getAll("rows", range, limit).catch(failed)).map(rowOf);
  }

  async documents(after: string): Promise<Body[]> {
    const found = async (): Promise<Body[]> => {
      const { store } = this.db.transaction("portions");
      const keys = await store.getAllKeys();
      for (let at = Math.max(0, placeOf(keys, after)); at < keys.length; at += AT_A_TIME) {
        const docs = (await readPortions(store, keys, at)).flat().filter((doc) => idOf(doc) > after);
        if (docs.length > 0) return docs;
      }
      return [];
    };
    return found().catch(failed);
  }

  /**
   * Hands all documents to `take`, by id and in portions, as they are at one moment. They are asked for at once: what is
   * read in several steps waits for its next one whenever the page is busy.
   */
  async each(take: (docs: readonly Body[]) => void): Promise<void> {
    const handed = async (): Promise<void> => {
      for (const text of await this.db.getAll("portions")) take(JSON.parse(text) as Body[]);
    };
    return handed().catch(failed);
  }

  async live(): Promise<number> {
    return this.db.countFromIndex("rows", "state", "live").catch(failed);
  }

  async meta(): Promise<Meta> {
    return (await this.db.get("meta", "meta").catch(failed)) ?? NO_META;
  }

  async commit(rows: readonly Row[], meta?: Meta): Promise<boolean> {
    return this.committed(rows, meta).catch(failed);
  }

  private async committed(rows: readonly Row[], meta?: Meta): Promise<boolean> {
    // Durable when it has resolved, and not only handed to the system.
    const tx = this.db.transaction(["rows", "meta", "portions"], "readwrite", { durability: "strict" });
    const [stored, now] = [tx.objectStore("rows"), tx.objectStore("meta")];
    const [before, known] = await Promise.all([now.get("meta"), rowsOf(stored, rows.map(({ id }) => id))]);
    const old = new Map(known.map((row) => [row.id, row]));
    if (!rows.every((row) => succeeds(old.get(row.id), row)) || (meta && !succeeds(before, meta))) {
      await tx.done;
      return false;
    }
    // What is the same, as it is after an answer to an edit, need not be written once more.
    const docs = rows.filter(({ id, hash }) => hash !== (old.get(id)?.hash ?? null)).map(({ id, doc }) => [id, doc] as const);
    const portions = tx.objectStore("portions");
    const next = docs.length === 0 ? [] : await nextPortions(portions, new Map(docs));
    try {
      // Of thousands none is waited for by itself: one that fails ends the transaction.
      const plain = unwrap(stored);
      for (const row of rows) plain.put({ ...row, state: stateOf(row) });
      putPortions(portions, next);
      if (meta) unwrap(now).put(meta, "meta");
    } catch (error) {
      // What was put before it is not to be stored alone.
      tx.abort();
      await tx.done.catch(() => undefined);
      throw error;
    }
    await tx.done;
    return true;
  }

  async close(): Promise<void> {
    this.db.close();
  }
}

/** The rows of these ids that are there. Where they lie close together all between them are read, in one request. */
async function rowsOf(store: Rows, ids: readonly string[]): Promise<StoredRow[]> {
  if (ids.length >= MANY) {
    const [first, last] = ids.reduce(([low, high], id) => [id < low ? id : low, id > high ? id : high], [ids[0], ids[0]]);
    const range = IDBKeyRange.bound(first, last);
    const keys = await store.getAllKeys(range, 2 * ids.length + 1);
    if (keys.length === 0) return [];
    if (keys.length <= 2 * ids.length) {
      const wanted = new Set(ids);
      return (await store.getAll(range)).filter(({ id }) => wanted.has(id));
    }
  }
  const found = await Promise.all(ids.map((id) => store.get(id)));
  return found.filter((row) => row !== undefined);
}

/** The place of the portion to which a document belongs; -1: there is none so far. */
function placeOf(keys: readonly string[], id: string): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keys[middle] <= id) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The portions from a place on, as many as are read at a time. */
async function readPortions(store: Pick<Portions, "getAll">, keys: readonly string[], at: number): Promise<Body[][]> {
  const last = keys[Math.min(at + AT_A_TIME, keys.length) - 1];
  return unpacked(await store.getAll(IDBKeyRange.bound(keys[at], last)));
}

function unpacked(texts: readonly string[]): Body[][] {
  return texts.map((text) => JSON.parse(text) as Body[]);
}

/** The portions that change with these documents; null: it is not here any more. */
async function nextPortions(store: Portions, docs: ReadonlyMap<string, Body | null>): Promise<NextPortion[]> {
  const keys = await store.getAllKeys();
  const changes = new Map<string, [string, Body | null][]>();
  for (const change of docs) {
    const key = keys[placeOf(keys, change[0])] ?? "";
    const its = changes.get(key);
    if (its) its.push(change);
    else changes.set(key, [change]);
  }
  const found = await Promise.all([...changes].map(async ([key, its]) => nextOf(key, await store.get(key), its)));
  return found.flat();
}

/** What comes of one portion: it is divided evenly when it has grown too long. */
function nextOf(key: string, before: string | undefined, changes: readonly (readonly [string, Body | null])[]): NextPortion[] {
  const texts = new Map((JSON.parse(before ?? "[]") as Body[]).map((doc) => [idOf(doc), JSON.stringify(doc)]));
  for (const [id, doc] of changes) {
    if (doc) texts.set(id, JSON.stringify(doc));
    else texts.delete(id);
  }
  if (texts.size === 0) return [[key, undefined]];
  const total = [...texts.values()].reduce((sum, { length }) => sum + length, 0);
  const most = total / Math.ceil(total / LONGEST_PORTION);
  const next: NextPortion[] = [];
  let [from, length, its]: [string, number, string[]] = [key, 0, []];
  for (const id of [...texts.keys()].sort()) {
    const text = texts.get(id)!;
    if (its.length > 0 && length + text.length / 2 > most) {
      next.push([from, `[${its.join()}]`]);
      [from, length, its] = [id, 0, []];
    }
    its.push(text);
    length += text.length;
  }
  return [...next, [from, `[${its.join()}]`]];
}

function putPortions(store: Portions, next: readonly NextPortion[]): void {
  const plain = unwrap(store);
  for (const [key, text] of next) {
    if (text === undefined) plain.delete(key);
    else plain.put(text, key);
  }
}

/** Makes the portions of a database that has none so far. */
async function filled(rows: Rows, portions: Portions): Promise<void> {
  for (let page = await rows.getAll(undefined, PAGE); page.length > 0; ) {
    putPortions(portions, await nextPortions(portions, new Map(page.map(({ id, doc }) => [id, doc]))));
    page = await rows.getAll(IDBKeyRange.lowerBound(page[page.length - 1].id, true), PAGE);
  }
}

function idOf(doc: Body): string {
  return doc["id"] as string;
}

function rowOf({ state: _, ...row }: StoredRow): Row {
  return row;
}

function failed(error: unknown): never {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  if (name === "QuotaExceededError") throw new StoreError("full", "There is no room left to store this.", { cause: error });
  // Its connection has ended.
  if (name === "InvalidStateError")
    throw new StoreError("unusable", "What was stored here was removed, or a newer release uses it. Load this page again.", { cause: error });
  throw new StoreError("unusable", `The database of the browser cannot be used: ${String(error)}`, { cause: error });
}
