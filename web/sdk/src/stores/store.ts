/** The port of what is durable. Adapters are judged by one suite (test/stores.test.ts). */

import type { Body } from "../engine/records.ts";
import type { Meta, Row } from "../engine/rows.ts";

/** The store cannot do it. `code` "full": there is no room left, and nothing was changed. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: "full" | "unusable" | "damaged" | "in-use";

  constructor(code: StoreError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface Store {
  /** Names what is stored, so that several contexts that open it can agree who syncs; undefined: nobody else can. */
  readonly name: string | undefined;
  /** The rows of these documents; of one that is not there, none. What is returned is the caller's. */
  get(ids: readonly string[]): Promise<Map<string, Row>>;
  /** All rows whose state (`stateOf`) is "open". */
  open(): Promise<Row[]>;
  /** Rows with an id greater than `after`, ascending by id, `limit` at most. */
  list(after: string, limit: number): Promise<Row[]>;
  /**
   * Documents with an id greater than `after`, ascending by id, as many as are well read at a time; none: there are no
   * more. Who goes on from the last one each time is handed every document that is there all the while. What is returned
   * is the caller's.
   */
  documents(after: string): Promise<Body[]>;
  /** How many rows have the state "live". */
  live(): Promise<number>;
  meta(): Promise<Meta>;
  /**
   * Stores all of it or nothing, durably once it has resolved: nothing of it is lost if the program is killed, and
   * nothing is there in part. False: one of the rows, or `meta`, is not the successor of what is stored (its `version`
   * is not one more), because somebody else changed it; nothing is stored then. Rejects with StoreError, and stores
   * nothing then either.
   */
  commit(rows: readonly Row[], meta?: Meta): Promise<boolean>;
  close(): Promise<void>;
}

/** Whether a row or the meta data may replace what is stored. */
export function succeeds(now: { readonly version: number } | undefined, next: { readonly version: number }): boolean {
  return next.version === (now?.version ?? 0) + 1;
}
