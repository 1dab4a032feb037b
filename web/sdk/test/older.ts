/** Databases as the first release of the store of a browser made them: rows and meta data, no portions. */

import { openDB } from "idb";

import { changed, emptyRow, stateOf, type Meta, type Row } from "../src/engine/rows.ts";

export const OLDER_META: Meta = { version: 3, cursor: "c-3", whole: true, proved: 7 };

/** Edited documents, and of every tenth one that it is gone. */
export function olderRows(count: number): Row[] {
  return Array.from({ length: count }, (_, at) => {
    const id = `d${String(at).padStart(5, "0")}`;
    const row = changed(emptyRow(id), { doc: { id, text: `é${at}`.repeat(9) }, hash: id });
    return at % 10 === 9 ? changed(row, { doc: null, hash: null }) : row;
  });
}

export async function makeOlder(name: string, rows: readonly Row[]): Promise<void> {
  const db = await openDB(name, 1, {
    upgrade(made) {
      made.createObjectStore("rows", { keyPath: "id" }).createIndex("state", "state");
      made.createObjectStore("meta");
    },
  });
  const tx = db.transaction(["rows", "meta"], "readwrite");
  for (const row of rows) void tx.objectStore("rows").put({ ...row, state: stateOf(row) });
  void tx.objectStore("meta").put(OLDER_META, "meta");
  await tx.done;
  db.close();
}
