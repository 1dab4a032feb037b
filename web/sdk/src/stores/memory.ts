/** A store that is gone with the program: for tests, and for programs that read and go. */

import type { Body } from "../engine/records.ts";
import { NO_META, stateOf, type Meta, type Row, type RowState } from "../engine/rows.ts";
import { succeeds, type Store } from "./store.ts";

/** Documents that are handed over at a time. */
const PAGE = 1_000;

export class MemoryStore implements Store {
  readonly name: string | undefined;
  private readonly rows = new Map<string, Row>();
  private readonly states = new Map<string, RowState>();
  private ids: string[] | undefined;
  private now: Meta = NO_META;

  async get(ids: readonly string[]): Promise<Map<string, Row>> {
    const found = ids.flatMap((id) => this.rows.get(id) ?? []);
    return new Map(structuredClone(found).map((row) => [row.id, row]));
  }

  async open(): Promise<Row[]> {
    return structuredClone([...this.rows.values()].filter(({ id }) => this.states.get(id) === "open"));
  }

  async list(after: string, limit: number): Promise<Row[]> {
    this.ids ??= [...this.rows.keys()].sort();
    const at = this.ids.findIndex((id) => id > after);
    const ids = at < 0 ? [] : this.ids.slice(at, at + limit);
    return structuredClone(ids.map((id) => this.rows.get(id)!));
  }

  async documents(after: string): Promise<Body[]> {
    for (let from = after; ; ) {
      const rows = await this.list(from, PAGE);
      const docs = rows.flatMap(({ doc }) => (doc ? [doc] : []));
      if (docs.length > 0 || rows.length === 0) return docs;
      from = rows[rows.length - 1].id;
    }
  }

  async live(): Promise<number> {
    return [...this.states.values()].filter((state) => state === "live").length;
  }

  async meta(): Promise<Meta> {
    return this.now;
  }

  async commit(rows: readonly Row[], meta?: Meta): Promise<boolean> {
    const fits = rows.every((row) => succeeds(this.rows.get(row.id), row));
    if (!fits || (meta && !succeeds(this.now, meta))) return false;
    this.put(structuredClone(rows), meta);
    return true;
  }

  async close(): Promise<void> {}

  /** Without asking whether it may be. */
  protected put(rows: readonly Row[], meta?: Meta): void {
    for (const row of rows) {
      if (!this.rows.has(row.id)) this.ids = undefined;
      this.rows.set(row.id, row);
      this.states.set(row.id, stateOf(row));
    }
    this.now = meta ?? this.now;
  }

  protected fits(rows: readonly Row[], meta?: Meta): boolean {
    return rows.every((row) => succeeds(this.rows.get(row.id), row)) && (!meta || succeeds(this.now, meta));
  }

  protected all(): Iterable<Row> {
    return this.rows.values();
  }

  protected count(): number {
    return this.rows.size;
  }
}
