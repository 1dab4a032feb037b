/** The store of a browser in a browser: what tests/web/test_sdk_browser.py calls in a page, step by step. */

import { Client, type Document } from "../../src/client.ts";
import type { ClientOptions } from "../../src/client.ts";
import { IndexedDbStore } from "../../src/stores/indexeddb.ts";
import { changed, emptyRow } from "../../src/engine/rows.ts";
import { StoreError } from "../../src/stores/store.ts";
import { makeOlder, olderRows } from "../older.ts";
import { PROMISES } from "../store-contract.ts";

/** Asks for each promise in an empty place. Returns how many were asked, and those that were not kept. */
async function promises(): Promise<{ asked: number; broken: string[] }> {
  const broken: string[] = [];
  for (const [number, { title, ask }] of PROMISES.entries())
    await ask(IndexedDbStore.open, `promise ${number}`).catch((error: unknown) => broken.push(`${title}: ${String(error)}`));
  return { asked: PROMISES.length, broken };
}

/** Whether all of so many documents are handed over, by id, in how many portions; and what a closed store says. */
async function each(count: number): Promise<{ ids: boolean; portions: number; closed: string }> {
  const store = await IndexedDbStore.open(`each ${count}`);
  const ids = Array.from({ length: count }, (_, at) => `d${String(at).padStart(5, "0")}`);
  await store.commit(ids.map((id) => changed(emptyRow(id), { doc: { id, text: "x".repeat(90) }, hash: id })));
  const portions: string[][] = [];
  await store.each((docs) => portions.push(docs.map((doc) => String(doc["id"]))));
  await store.close();
  const asked = [store.each(() => undefined), store.get(["a"]), store.list("", 1), store.documents(""), store.commit([emptyRow("a")])];
  const said = (await Promise.allSettled(asked)).map((one) => (one.status === "rejected" ? String(one.reason) : "open"));
  const closed = [...new Set(said)].join();
  return { ids: portions.flat().join() === ids.join(), portions: portions.length, closed };
}

/** A database as the first release of this store made it: what is there once it was opened by this one. */
async function older(count: number): Promise<{ documents: string[]; rows: number; live: number; cursor: string | null }> {
  const name = `older ${count}`;
  await makeOlder(name, olderRows(count));
  const store = await IndexedDbStore.open(name);
  const documents: string[] = [];
  await store.each((docs) => documents.push(...docs.map((doc) => String(doc["id"]))));
  const found = { documents, rows: (await store.list("", 9_999)).length, live: await store.live(), cursor: (await store.meta()).cursor };
  await store.close();
  return found;
}

let client: Client;

/** Opens a client's store. */
async function open(place: string, options: Omit<ClientOptions, "store">): Promise<void> {
  client = new Client({ ...options, store: await IndexedDbStore.open(place) });
}

/** "done", or the code of the store's error. */
async function outcome(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
    return "done";
  } catch (error) {
    if (error instanceof StoreError) return error.code;
    throw error;
  }
}

/** Random letters, which cannot be compressed to little. */
function letters(count: number): string {
  return Array.from({ length: count }, () => String.fromCharCode(48 + Math.floor(Math.random() * 64))).join("");
}

Object.assign(globalThis, {
  promises,
  each,
  older,
  open,
  put: (id: string, length: number) => outcome(() => client.put({ id, text: letters(length) })),
  sync: () => outcome(() => client.sync()),
  documents: async () => {
    const found: Document[] = [];
    for await (const doc of client.all()) found.push(doc);
    return found.map(({ id }) => id);
  },
  pending: async () => (await client.status()).pending,
});
