/** One document as it is stored: what is here, and what is remembered of it, in one row that changes as one. */

import type { ContentHash } from "../json/canonical.ts";
import { actionFor } from "./plan.ts";
import { NOTHING, type Body, type DocumentRecord, type Outline } from "./records.ts";

export interface Row extends DocumentRecord {
  readonly id: string;
  /** How often the row was changed. */
  readonly version: number;
  /** What is here; null: nothing. */
  readonly doc: Body | null;
  readonly hash: ContentHash | null;
}

/** What is remembered of the server as a whole. */
export interface Meta {
  /** How often it was changed. */
  readonly version: number;
  /** A position in the server's changes; everything up to it is in the rows. */
  readonly cursor: string | null;
  /** This client has agreed with the server on everything once. */
  readonly whole: boolean;
  /** When agreement was last proved by the content; milliseconds since 1970. */
  readonly proved: number;
}

export const NO_META: Meta = { version: 0, cursor: null, whole: false, proved: 0 };

/** `open`: something is to be done, or waits for people. `live` and `gone` agree with the server. */
export type RowState = "open" | "live" | "gone";

export function stateOf(row: Row): RowState {
  if (actionFor(row.id, row.hash, outlineOf(row))) return "open";
  return row.hash === null ? "gone" : "live";
}

export function outlineOf(row: Row): Outline {
  const { base, gone, shadow, remote, refused, unverified } = row;
  return { base, gone, shadow, remote, refused, unverified, pending: row.pending !== null };
}

/** The row of a document of which nothing is known. */
export function emptyRow(id: string): Row {
  return { ...NOTHING, id, version: 0, doc: null, hash: null };
}

/** The row after a change; `version` says that it was changed once more. */
export function changed(row: Row, change: Partial<Omit<Row, "id" | "version">>): Row {
  return { ...row, ...change, version: row.version + 1 };
}
