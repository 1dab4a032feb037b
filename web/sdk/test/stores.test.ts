/** What every store promises, asked of each. */

import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";

import "fake-indexeddb/auto";

import { changed, emptyRow, type Row } from "../src/engine/rows.ts";
import { FileStore } from "../src/stores/file.ts";
import { IndexedDbStore } from "../src/stores/indexeddb.ts";
import { MemoryStore } from "../src/stores/memory.ts";
import { StoreError, type Store } from "../src/stores/store.ts";

interface Kind {
  readonly name: string;
  /** Opens the same place again and again; `kept`: what was committed is there when it is opened again. */
  readonly open: (place: string) => Promise<Store>;
  readonly kept: boolean;
}

const kinds: Kind[] = [
  { name: "memory", open: async () => new MemoryStore(), kept: false },
  { name: "indexeddb", open: (place) => IndexedDbStore.open(place), kept: true },
  { name: "file", open: (place) => FileStore.open(place), kept: true },
];

function edited(id: string, text = "x"): Row {
  return changed(emptyRow(id), { doc: { id, text, ["__proto__"]: "a key as any other" }, hash: text });
}

function agreed(row: Row): Row {
  return changed(row, { base: "1-x", shadow: row.hash, shadowBody: row.doc, remote: row.hash });
}

for (const { name, open, kept } of kinds) {
  const withStore = (title: string, work: (store: Store, place: string) => Promise<void>): void => {
    test(`${name}: ${title}`, async () => {
      const place = await mkdtemp(join(tmpdir(), "store-"));
      try {
        await work(await open(place), place);
      } finally {
        await rm(place, { recursive: true });
      }
    });
  };

  withStore("what is committed is there, and what is returned is the caller's", async (store) => {
    const row = edited("a");
    assert.equal(await store.commit([row, edited("b")]), true);
    const found = (await store.get(["a", "c"])).get("a")!;
    assert.deepEqual(found, row);
    found.doc!["text"] = "changed by the caller";
    row.doc!["text"] = "changed by the caller, too";
    assert.equal((await store.get(["a"])).get("a")!.doc!["text"], "x");
    assert.equal((await store.get(["c"])).size, 0);
  });

  withStore("a row that somebody else changed is not written over, and nothing of the commit is stored", async (store) => {
    const first = edited("a");
    assert.equal(await store.commit([first]), true);
    assert.equal(await store.commit([edited("a", "of another one")]), false);
    assert.equal(await store.commit([edited("b"), edited("a")]), false);
    assert.equal((await store.get(["b"])).size, 0);
    assert.equal(await store.commit([changed(first, { hash: "y" })]), true);
    assert.equal((await store.get(["a"])).get("a")!.hash, "y");
  });

  withStore("of two that change a row at the same moment one does", async (store) => {
    await store.commit([edited("a")]);
    const row = (await store.get(["a"])).get("a")!;
    const done = await Promise.all(["p", "q", "r"].map((hash) => store.commit([changed(row, { hash })])));
    assert.equal(done.filter(Boolean).length, 1);
    assert.equal((await store.get(["a"])).get("a")!.hash, ["p", "q", "r"][done.indexOf(true)]);
  });

  withStore("the meta data are committed with the rows, or not at all", async (store) => {
    const meta = await store.meta();
    assert.deepEqual(meta, { version: 0, cursor: null, whole: false, proved: 0 });
    const next = { ...meta, version: 1, cursor: "c-1" };
    assert.equal(await store.commit([edited("a")], next), true);
    assert.deepEqual(await store.meta(), next);
    assert.equal(await store.commit([edited("b")], next), false);
    assert.equal(await store.commit([edited("a")], { ...next, version: 2, cursor: "c-2" }), false);
    assert.deepEqual([(await store.get(["b"])).size, await store.meta()], [0, next]);
  });

  withStore("it tells what is open, what is live and what is there, by id", async (store) => {
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

  if (!kept) continue;

  withStore("what was committed is there when it is opened again", async (store, place) => {
    const rows = Array.from({ length: 300 }, (_, at) => edited(`d${String(at).padStart(4, "0")}`, `é${at}`));
    await store.commit(rows, { version: 1, cursor: "c", whole: true, proved: 7 });
    await store.commit([agreed(rows[7])]);
    await store.close();
    const again = await open(place);
    assert.equal((await again.list("", 1_000)).length, 300);
    assert.deepEqual(await again.meta(), { version: 1, cursor: "c", whole: true, proved: 7 });
    assert.deepEqual((await again.get(["d0007"])).get("d0007"), agreed(rows[7]));
    assert.equal(await again.live(), 1);
    await again.close();
  });
}

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

test("file: it is written anew when most of it is old", async () => {
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
