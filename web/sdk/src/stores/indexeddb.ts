/** The store of a browser: IndexedDB. Needs the package `idb`. */

import { openDB, type DBSchema, type IDBPDatabase } from "idb";

import { NO_META, stateOf, type Meta, type Row, type RowState } from "../engine/rows.ts";
import { StoreError, succeeds, type Store } from "./store.ts";

type StoredRow = Row & { readonly state: RowState };

interface Schema extends DBSchema {
  rows: { key: string; value: StoredRow; indexes: { state: RowState } };
  meta: { key: "meta"; value: Meta };
}

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
    const { store } = this.db.transaction("rows");
    const found = await Promise.all(ids.map((id) => store.get(id))).catch(failed);
    return new Map(found.flatMap((row) => (row ? [[row.id, rowOf(row)]] : [])));
  }

  async open(): Promise<Row[]> {
    return (await this.db.getAllFromIndex("rows", "state", "open").catch(failed)).map(rowOf);
  }

  async list(after: string, limit: number): Promise<Row[]> {
    const range = IDBKeyRange.lowerBound(after, true);
    return (await this.db.getAll("rows", range, limit).catch(failed)).map(rowOf);
  }

  async live(): Promise<number> {
    return this.db.countFromIndex("rows", "state", "live").catch(failed);
  }

  async meta(): Promise<Meta> {
    return (await this.db.get("meta", "meta").catch(failed)) ?? NO_META;
  }

  async commit(rows: readonly Row[], meta?: Meta): Promise<boolean> {
    try {
      // Durable when it has resolved, and not only handed to the system.
      const tx = this.db.transaction(["rows", "meta"], "readwrite", { durability: "strict" });
      const [stored, now] = [tx.objectStore("rows"), tx.objectStore("meta")];
      const known = await Promise.all([now.get("meta"), ...rows.map(({ id }) => stored.get(id))]);
      const [before, ...old] = known as [Meta | undefined, ...(Row | undefined)[]];
      if (!rows.every((row, at) => succeeds(old[at], row)) || (meta && !succeeds(before, meta))) {
        await tx.done;
        return false;
      }
      const writes: Promise<unknown>[] = rows.map((row) => stored.put({ ...row, state: stateOf(row) }));
      if (meta) writes.push(now.put(meta, "meta"));
      await Promise.all([...writes, tx.done]);
      return true;
    } catch (error) {
      return failed(error);
    }
  }

  async close(): Promise<void> {
    this.db.close();
  }
}

function rowOf({ state: _, ...row }: StoredRow): Row {
  return row;
}

function failed(error: unknown): never {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  if (name === "QuotaExceededError") throw new StoreError("full", "There is no room left to store this.", { cause: error });
  throw new StoreError("unusable", `The database of the browser cannot be used: ${String(error)}`, { cause: error });
}
