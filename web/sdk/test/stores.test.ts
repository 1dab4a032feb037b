/** What every store promises, asked of each. */

import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";

import "fake-indexeddb/auto";
import fc from "fast-check";

import { changed, emptyRow, type Row } from "../src/engine/rows.ts";
import type { ContentHash } from "../src/json/canonical.ts";
import { FileStore } from "../src/stores/file.ts";
import { IndexedDbStore } from "../src/stores/indexeddb.ts";
import { MemoryStore } from "../src/stores/memory.ts";
import { StoreError } from "../src/stores/store.ts";
import { makeOlder, OLDER_META, olderRows } from "./older.ts";
import { edited, handedOver, PROMISES, type Open } from "./store-contract.ts";

interface Kind {
  readonly name: string;
  readonly open: Open;
  /** What was committed is there when it is opened again. */
  readonly kept: boolean;
}

const kinds: Kind[] = [
  { name: "memory", open: async () => new MemoryStore(), kept: false },
  { name: "indexeddb", open: (place) => IndexedDbStore.open(place), kept: true },
  { name: "file", open: (place) => FileStore.open(place), kept: true },
];

for (const { name, open, kept } of kinds)
  for (const promised of PROMISES) {
    if (promised.kept && !kept) continue;
    test(`${name}: ${promised.title}`, async () => {
      const place = await mkdtemp(join(tmpdir(), "store-"));
      try {
        await promised.ask(open, place);
      } finally {
        await rm(place, { recursive: true });
      }
    });
  }

for (const count of [0, 1, 10, 2_345])
  test(`indexeddb: a database of the first release with ${count} rows is brought up to date, and nothing of it is lost`, async () => {
    const rows = olderRows(count);
    await makeOlder(`older ${count}`, rows);
    for (let turn = 0; turn < 2; turn += 1) {
      const store = await IndexedDbStore.open(`older ${count}`);
      const docs = rows.flatMap(({ doc }) => (doc ? [doc] : []));
      assert.deepEqual(await handedOver(store), { docs, ordered: true });
      assert.deepEqual(await store.list("", 9_999), rows);
      assert.deepEqual(await store.meta(), OLDER_META);
      await store.close();
    }
    const store = await IndexedDbStore.open(`older ${count}`);
    for (const row of rows.slice(0, 3)) assert.equal(await store.commit([changed(row, { doc: null, hash: null })]), true);
    assert.deepEqual((await handedOver(store)).docs, rows.slice(3).flatMap(({ doc }) => (doc ? [doc] : [])));
    await store.close();
  });

test("indexeddb: whatever is committed, the documents are those of the rows", async () => {
  const ids = fc.integer({ min: 0, max: 40 }).map((at) => `i${at}`);
  const edit = fc.record({ id: ids, length: fc.oneof(fc.constant(-1), fc.integer({ min: 0, max: 20_000 })) });
  let number = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uniqueArray(edit, { maxLength: 20, selector: ({ id }) => id }), { maxLength: 12 }), async (commits) => {
      const store = await IndexedDbStore.open(`random ${(number += 1)}`);
      const rows = new Map<string, Row>();
      for (const edits of commits) {
        const next = edits.map(({ id, length }) => {
          const doc = length < 0 ? null : { id, length, text: "x".repeat(length) };
          return changed(rows.get(id) ?? emptyRow(id), { doc, hash: doc && (String(length) as ContentHash) });
        });
        assert.equal(await store.commit(next), true);
        for (const row of next) rows.set(row.id, row);
      }
      const stored = (await store.list("", 99)).flatMap(({ doc }) => (doc ? [doc] : []));
      assert.deepEqual(await handedOver(store), { docs: stored, ordered: true });
      await store.close();
    }),
    { numRuns: 60 },
  );
});

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "store-"));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("file: what was cut off while it was written is not there, wherever it was cut", async () => {
  await inFolder(async (folder) => {
    const log = join(folder, "documents.log");
    let store = await FileStore.open(folder);
    await store.commit([edited("a")]);
    const whole = (await stat(log)).size;
    await store.commit([edited("b"), edited("c")]);
    await store.close();
    const text = await readFile(log);
    for (let length = whole; length < text.length; length += 7) {
      await writeFile(log, text);
      await truncate(log, length);
      store = await FileStore.open(folder);
      assert.deepEqual((await store.list("", 9)).map(({ id }) => id), ["a"]);
      assert.equal(await store.commit([edited("d")]), true);
      await store.close();
      store = await FileStore.open(folder);
      assert.deepEqual((await store.list("", 9)).map(({ id }) => id), ["a", "d"]);
      await store.close();
    }
  });
});

test("file: a damaged line is named, and nothing is written over", async () => {
  await inFolder(async (folder) => {
    const log = join(folder, "documents.log");
    const store = await FileStore.open(folder);
    await store.commit([edited("a")]);
    await store.commit([edited("b")]);
    await store.close();
    const text = (await readFile(log, "utf8")).replace('"a"', '"A"');
    await writeFile(log, text);
    await assert.rejects(FileStore.open(folder), (error) => error instanceof StoreError && error.code === "damaged");
    assert.equal(await readFile(log, "utf8"), text);
  });
});

test("file: one process at a time, and the lock of one that is gone holds nobody up", async () => {
  await inFolder(async (folder) => {
    const store = await FileStore.open(folder);
    const inUse = (error: unknown): boolean => error instanceof StoreError && error.code === "in-use";
    await assert.rejects(FileStore.open(folder), inUse);
    await appendFile(join(folder, "documents.log"), "of another process\n");
    await assert.rejects(store.commit([edited("a")]), inUse);
    await truncate(join(folder, "documents.log"), 0);
    await store.close();
    await writeFile(join(folder, "lock"), "999999999");
    await (await FileStore.open(folder)).close();
    await writeFile(join(folder, "lock"), String(process.pid));
    await (await FileStore.open(folder)).close();
  });
});

test("file: it is written again when most of it is old", async () => {
  await inFolder(async (folder) => {
    let store = await FileStore.open(folder);
    let row = edited("a");
    await store.commit([row, edited("b")]);
    for (let at = 0; at < 700; at += 1) {
      row = changed(row, { hash: String(at) });
      await store.commit([row]);
    }
    const lines = (await readFile(join(folder, "documents.log"), "utf8")).split("\n").length;
    assert.ok(lines < 300, String(lines));
    await store.close();
    store = await FileStore.open(folder);
    assert.equal((await store.get(["a"])).get("a")!.hash, "699");
    assert.equal((await store.list("", 9)).length, 2);
    await store.close();
  });
});
