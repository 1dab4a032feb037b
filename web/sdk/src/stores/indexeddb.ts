/** The store of a browser: IndexedDB. Needs the package `idb`. */

import { openDB, unwrap, type DBSchema, type IDBPDatabase, type IDBPObjectStore } from "idb";

import { NO_META, stateOf, type Meta, type Row, type RowState } from "../engine/rows.ts";
import { StoreError, succeeds, type Store } from "./store.ts";

type StoredRow = Row & { readonly state: RowState };

interface Schema extends DBSchema {
  rows: { key: string; value: StoredRow; indexes: { state: RowState } };
  meta: { key: "meta"; value: Meta };
}

type Rows = IDBPObjectStore<Schema, ("meta" | "rows")[], "rows", IDBTransactionMode>;

/** Ids, and the rows that they are of. */
type Portion = [Promise<string[]>, Promise<StoredRow[]>];

/** From so many ids on it is asked first whether they lie close together. */
const MANY = 8;
/** Rows that are read at a time. */
const PORTION = 1_000;

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
    const db = await openDB<Schema>(name, 1, {
      upgrade(made) {
        made.createObjectStore("rows", { keyPath: "id" }).createIndex("state", "state");
        made.createObjectStore("meta");
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

  /**
   * Hands all rows to `take`, by id and in portions, as they are at one moment: faster than `list` again and again. The
   * ids of a portion are asked for before its rows, so that the next one is being read while this one is unpacked.
   */
  async each(take: (rows: readonly Row[]) => void): Promise<void> {
    return this.handed(take).catch(failed);
  }

  private async handed(take: (rows: readonly Row[]) => void): Promise<void> {
    const { store } = this.db.transaction("rows");
    const portion = (range?: IDBKeyRange): Portion => {
      const both: Portion = [store.getAllKeys(range, PORTION), store.getAll(range, PORTION)];
      // One that fails is told below; those behind it fail with it.
      for (const one of both) one.catch(() => undefined);
      return both;
    };
    let next: Portion | undefined = portion();
    while (next) {
      const rows: Portion[1] = next[1];
      const ids: string[] = await next[0];
      next = ids.length === PORTION ? portion(IDBKeyRange.lowerBound(ids[PORTION - 1], true)) : undefined;
      take(await rows);
    }
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
    const tx = this.db.transaction(["rows", "meta"], "readwrite", { durability: "strict" });
    const [stored, now] = [tx.objectStore("rows"), tx.objectStore("meta")];
    const [before, known] = await Promise.all([now.get("meta"), rowsOf(stored, rows.map(({ id }) => id))]);
    const old = new Map(known.map((row) => [row.id, row]));
    if (!rows.every((row) => succeeds(old.get(row.id), row)) || (meta && !succeeds(before, meta))) {
      await tx.done;
      return false;
    }
    try {
      // Of thousands none is waited for by itself: one that fails ends the transaction.
      const plain = unwrap(stored);
      for (const row of rows) plain.put({ ...row, state: stateOf(row) });
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
