/** What every store promises, asked of each in Node (stores.test.ts) and of IndexedDB in a browser (browser/stores.ts). */

import assert from "node:assert/strict";

import { changed, emptyRow, type Row } from "../src/engine/rows.ts";
import type { JsonObject } from "../src/json/values.ts";
import type { Store } from "../src/stores/store.ts";

/** Opens the same place again and again. */
export type Open = (place: string) => Promise<Store>;

export interface Promised {
  readonly title: string;
  /** It is asked only of stores that keep what is committed when they are closed. */
  readonly kept: boolean;
  /** `place` is empty. Rejects if the promise is not kept. */
  readonly ask: (open: Open, place: string) => Promise<void>;
}

export const PROMISES: Promised[] = [];

function promise(title: string, work: (store: Store) => Promise<void>): void {
  const ask = async (open: Open, place: string): Promise<void> => {
    const store = await open(place);
    await work(store);
    await store.close();
  };
  PROMISES.push({ title, kept: false, ask });
}

export function edited(id: string, text = "x"): Row {
  return changed(emptyRow(id), { doc: { id, text, ["__proto__"]: "a key as any other" }, hash: text });
}

export function agreed(row: Row): Row {
  return changed(row, { base: "1-x", shadow: row.hash, shadowBody: row.doc, remote: row.hash });
}

promise("what is committed is there, and what is returned is the caller's", async (store) => {
  const row = edited("a");
  assert.equal(await store.commit([row, edited("b")]), true);
  const found = (await store.get(["a", "c"])).get("a")!;
  assert.deepEqual(found, row);
  found.doc!["text"] = "changed by the caller";
  row.doc!["text"] = "changed by the caller, too";
  assert.equal((await store.get(["a"])).get("a")!.doc!["text"], "x");
  assert.equal((await store.get(["c"])).size, 0);
});

promise("a row that somebody else changed is not written over, and nothing of the commit is stored", async (store) => {
  const first = edited("a");
  assert.equal(await store.commit([first]), true);
  assert.equal(await store.commit([edited("a", "of another one")]), false);
  assert.equal(await store.commit([edited("b"), edited("a")]), false);
  assert.equal((await store.get(["b"])).size, 0);
  assert.equal(await store.commit([changed(first, { hash: "y" })]), true);
  assert.equal((await store.get(["a"])).get("a")!.hash, "y");
});

promise("of two that change a row at the same moment one does", async (store) => {
  await store.commit([edited("a")]);
  const row = (await store.get(["a"])).get("a")!;
  const done = await Promise.all(["p", "q", "r"].map((hash) => store.commit([changed(row, { hash })])));
  assert.equal(done.filter(Boolean).length, 1);
  assert.equal((await store.get(["a"])).get("a")!.hash, ["p", "q", "r"][done.indexOf(true)]);
});

promise("the meta data are committed with the rows, or not at all", async (store) => {
  const meta = await store.meta();
  assert.deepEqual(meta, { version: 0, cursor: null, whole: false, proved: 0 });
  const next = { ...meta, version: 1, cursor: "c-1" };
  assert.equal(await store.commit([edited("a")], next), true);
  assert.deepEqual(await store.meta(), next);
  assert.equal(await store.commit([edited("b")], next), false);
  assert.equal(await store.commit([edited("a")], { ...next, version: 2, cursor: "c-2" }), false);
  assert.deepEqual([(await store.get(["b"])).size, await store.meta()], [0, next]);
});

promise("it tells what is open, what is live and what is there, by id", async (store) => {
  const rows = ["b", "a", "c", "d"].map((id) => edited(id));
  await store.commit(rows);
  await store.commit([agreed(rows[0]), agreed(rows[1])]);
  await store.commit([changed(agreed(rows[1]), { doc: null, hash: null })]);
  await store.commit([changed(rows[3], { doc: null, hash: null })]);
  assert.deepEqual((await store.open()).map(({ id }) => id).sort(), ["a", "c"]);
  assert.equal(await store.live(), 1);
  assert.deepEqual((await store.list("", 2)).map(({ id }) => id), ["a", "b"]);
  assert.deepEqual((await store.list("b", 9)).map(({ id }) => id), ["c", "d"]);
  assert.deepEqual(await store.list("d", 9), []);
});

/** All documents, each time from the last one on; and whether they came by id. */
export async function handedOver(store: Store): Promise<{ docs: JsonObject[]; ordered: boolean }> {
  const docs: JsonObject[] = [];
  for (let after = ""; ; after = String(docs[docs.length - 1]["id"])) {
    const found = await store.documents(after);
    if (found.length === 0) break;
    docs.push(...found);
  }
  const ids = docs.map((doc) => String(doc["id"]));
  return { docs, ordered: ids.every((id, at) => at === 0 || ids[at - 1] < id) };
}

promise("all documents are handed over, by id, whatever was committed in which order", async (store) => {
  assert.deepEqual(await handedOver(store), { docs: [], ordered: true });
  const rows = new Map<string, Row>();
  const sizes = [10, 10_000, 40_000, 300];
  const change = async (ids: readonly string[], turn: number): Promise<void> => {
    const next = ids.map((id, at) => {
      const row = rows.get(id) ?? emptyRow(id);
      if (row.doc && (at + turn) % 3 === 0) return changed(row, { doc: null, hash: null });
      const text = "xé"[turn % 2].repeat(sizes[(at + turn) % 4]);
      return changed(row, { doc: { id, turn, text, ["__proto__"]: { half: "\ud83d" } }, hash: `${turn} ${id}` });
    });
    assert.equal(await store.commit(next), true);
    for (const row of next) rows.set(row.id, row);
  };
  const idOf = (at: number): string => `n${(at * 37) % 100}`;
  for (let turn = 0; turn < 12; turn += 1) {
    await change(Array.from({ length: 1 + ((turn * 5) % 9) }, (_, at) => idOf(turn * 7 + at)), turn);
    const docs = [...rows.values()].flatMap(({ doc }) => (doc ? [doc] : []));
    const wanted = docs.sort((one, other) => (String(one["id"]) < String(other["id"]) ? -1 : 1));
    assert.deepEqual(await handedOver(store), { docs: wanted, ordered: true });
  }
  for (const id of ["", "n1", "n50x", "n99", "z"])
    assert.equal((await store.documents(id)).every((doc) => String(doc["id"]) > id), true);
  const gone = [...rows.values()].map((row) => changed(row, { doc: null, hash: null }));
  assert.equal(await store.commit(gone), true);
  assert.deepEqual(await handedOver(store), { docs: [], ordered: true });
  assert.equal(await store.commit([edited("a0"), edited("n0x")]), true);
  assert.deepEqual((await handedOver(store)).docs.map((doc) => doc["id"]), ["a0", "n0x"]);
});

promise("a commit that is not stored changes no document, and what is handed over is the caller's", async (store) => {
  await store.commit([edited("a")]);
  assert.equal(await store.commit([edited("b"), edited("a", "of another one")]), false);
  const found = await store.documents("");
  assert.deepEqual(found, [edited("a").doc]);
  found[0]["text"] = "changed by the caller";
  assert.deepEqual(await store.documents(""), [edited("a").doc]);
});

promise("what cannot be stored is refused with all that is committed beside it", async (store) => {
  const odd = { ...edited("b"), doc: { id: "b", text: () => "no JSON" } } as unknown as Row;
  const refused = await store.commit([edited("a"), odd]).then(
    () => false,
    () => true,
  );
  assert.equal(refused, true);
  assert.equal((await store.get(["a", "b"])).size, 0);
  assert.deepEqual(await store.documents(""), []);
});

promise("many rows are read and compared as one is, close together or far apart", async (store) => {
  const ids = Array.from({ length: 60 }, (_, at) => `m${String(at).padStart(3, "0")}`);
  const rows = ids.map((id) => edited(id));
  await store.commit(rows);
  const some = ids.filter((_, at) => at % 2 === 0);
  assert.deepEqual([...(await store.get([...some, "m030x", "zz"])).keys()].sort(), some);
  assert.deepEqual([...(await store.get([...ids].reverse())).keys()].sort(), ids);
  const later = rows.map((row) => changed(row, { hash: "later" }));
  assert.equal(await store.commit([...later.slice(0, 40), edited("m059"), edited("new")]), false);
  assert.equal((await store.get(["m000"])).get("m000")!.hash, "x");
  assert.equal(await store.commit([...later.slice(0, 40), edited("new")]), true);
  const far = ["m000", "m059", ...Array.from({ length: 30 }, (_, at) => `${at}`), "zz"];
  assert.deepEqual([...(await store.get(far)).keys()].sort(), ["m000", "m059"]);
  assert.deepEqual((await store.get(["m039"])).get("m039"), later[39]);
});

PROMISES.push({
  title: "what was committed is there when it is opened again",
  kept: true,
  ask: async (open, place) => {
    const store = await open(place);
    const rows = Array.from({ length: 300 }, (_, at) => edited(`d${String(at).padStart(4, "0")}`, `é${at}`));
    await store.commit(rows, { version: 1, cursor: "c", whole: true, proved: 7 });
    await store.commit([agreed(rows[7])]);
    await store.close();
    const again = await open(place);
    assert.equal((await again.list("", 1_000)).length, 300);
    assert.deepEqual(await handedOver(again), { docs: rows.map(({ doc }) => doc!), ordered: true });
    assert.deepEqual(await again.meta(), { version: 1, cursor: "c", whole: true, proved: 7 });
    assert.deepEqual((await again.get(["d0007"])).get("d0007"), agreed(rows[7]));
    assert.equal(await again.live(), 1);
    await again.close();
  },
});
