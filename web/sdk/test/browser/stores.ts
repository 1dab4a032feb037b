/** The store of a browser in a browser: what tests/web/test_sdk_browser.py calls in a page, step by step. */

import { Client, type Document } from "../../src/client.ts";
import type { ClientOptions } from "../../src/client.ts";
import { IndexedDbStore } from "../../src/stores/indexeddb.ts";
import { changed, emptyRow } from "../../src/engine/rows.ts";
import { StoreError } from "../../src/stores/store.ts";
import { PROMISES } from "../store-contract.ts";

/** Asks for each promise in an empty place. Returns how many were asked, and those that were not kept. */
async function promises(): Promise<{ asked: number; broken: string[] }> {
  const broken: string[] = [];
  for (const [number, { title, ask }] of PROMISES.entries())
    await ask(IndexedDbStore.open, `promise ${number}`).catch((error: unknown) => broken.push(`${title}: ${String(error)}`));
  return { asked: PROMISES.length, broken };
}

/** What is handed over of so many rows: all of them, by id, in how many portions; and what a closed store says. */
async function each(count: number): Promise<{ ids: boolean; portions: number; closed: string }> {
  const store = await IndexedDbStore.open(`each ${count}`);
  const ids = Array.from({ length: count }, (_, at) => `d${String(at).padStart(5, "0")}`);
  await store.commit(ids.map((id) => changed(emptyRow(id), { doc: { id }, hash: id })));
  const portions: string[][] = [];
  await store.each((rows) => portions.push(rows.map(({ id, doc }) => (doc?.["id"] === id ? id : `${id}?`))));
  await store.close();
  const asked = [store.each(() => undefined), store.get(["a"]), store.list("", 1), store.commit([emptyRow("a")])];
  const said = (await Promise.allSettled(asked)).map((one) => (one.status === "rejected" ? String(one.reason) : "open"));
  const closed = [...new Set(said)].join();
  return { ids: portions.flat().join() === ids.join(), portions: portions.length, closed };
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
