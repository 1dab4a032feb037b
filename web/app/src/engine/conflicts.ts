/** What was decided for people where two devices edited the same field: kept until they have seen it. */

import { openDB, type DBSchema, type IDBPDatabase } from "idb";

import type { Change } from "../../../sdk/src/client.ts";
import { titleOf, type Task } from "../domain/tasks.ts";

export interface FieldConflict {
  readonly path: string;
  readonly rule: string;
  readonly kept?: unknown;
  readonly dropped?: unknown;
  /** The values are left out: a secret, or too large. */
  readonly hidden?: boolean;
}

export interface StoredConflict {
  readonly key?: number;
  readonly id: string;
  readonly title: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Who decided. */
  readonly by: "here" | "server";
  readonly fields: readonly FieldConflict[];
}

interface Schema extends DBSchema {
  conflicts: { key: number; value: StoredConflict };
}

const MOST = 500;

export class ConflictLog {
  private readonly db: IDBPDatabase<Schema>;

  private constructor(db: IDBPDatabase<Schema>) {
    this.db = db;
  }

  static async open(name: string): Promise<ConflictLog> {
    const db = await openDB<Schema>(name, 1, {
      upgrade: (made) => void made.createObjectStore("conflicts", { keyPath: "key", autoIncrement: true }),
      blocking: (_current, _wanted, event) => (event.target as IDBDatabase).close(),
    });
    return new ConflictLog(db);
  }

  /** Newest first. */
  async all(): Promise<StoredConflict[]> {
    return (await this.db.getAll("conflicts")).reverse();
  }

  async add(found: readonly StoredConflict[]): Promise<void> {
    const { store, done } = this.db.transaction("conflicts", "readwrite");
    for (const one of found) await store.add(one);
    const keys = await store.getAllKeys();
    for (const key of keys.slice(0, Math.max(0, keys.length - MOST))) await store.delete(key);
    await done;
  }

  async remove(keys: readonly number[]): Promise<void> {
    const { store, done } = this.db.transaction("conflicts", "readwrite");
    for (const key of keys) await store.delete(key);
    await done;
  }

  close(): void {
    this.db.close();
  }
}

/** What was decided about a document that is another one now. */
export function conflictsOf({ id, doc, conflicts, decided }: Change): StoredConflict[] {
  const title = titleOf((doc ?? { id }) as Task);
  const at = Date.now();
  const of = (by: StoredConflict["by"], found: readonly object[]): StoredConflict[] =>
    found.length === 0 ? [] : [{ id, title, at, by, fields: found.map((one) => fieldOf(one as Record<string, unknown>)) }];
  return [...of("here", conflicts), ...of("server", decided)];
}

function fieldOf(found: Record<string, unknown>): FieldConflict {
  const { path, rule, kept, dropped, redacted, elided } = found;
  return {
    path: String(path ?? ""),
    rule: String(rule ?? ""),
    ...(kept === undefined ? {} : { kept }),
    ...(dropped === undefined ? {} : { dropped }),
    ...(redacted || elided ? { hidden: true } : {}),
  };
}
