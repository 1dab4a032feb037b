/**
 * A durable store for Node: one file of a directory, to which each commit appends a line.
 *
 * A line is a checksum and a JSON object with rows and meta data; it counts if it is whole. So whoever is killed while
 * it is written has stored nothing of it, and the next one who opens the store cuts it off. When most of the file is
 * old a new one is written beside it, which replaces it by a rename. One process at a time has it open.
 */

import { constants } from "node:fs";
import { mkdir, open, readFile, rename, unlink, writeFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";

import { type Meta, type Row } from "../engine/rows.ts";
import { sha256 } from "../json/sha256.ts";
import { MemoryStore } from "./memory.ts";
import { StoreError } from "./store.ts";

interface Line {
  readonly rows: readonly Row[];
  readonly meta?: Meta | undefined;
}

const LOG = "documents.log";
const LOCK = "lock";
/** Lines beyond twice the number of rows before the file is written again. */
const SLACK = 1_000;
const encoder = new TextEncoder();

export class FileStore extends MemoryStore {
  override readonly name: string;
  private readonly folder: string;
  private file: FileHandle | undefined;
  /** Bytes of whole lines. */
  private length = 0;
  private written = 0;
  private queue: Promise<unknown> = Promise.resolve();

  private constructor(folder: string) {
    super();
    this.folder = folder;
    this.name = folder;
  }

  /** Rejects with StoreError: another process has it open, or it is damaged. */
  static async open(folder: string): Promise<FileStore> {
    const store = new FileStore(folder);
    await mkdir(folder, { recursive: true });
    await lock(join(folder, LOCK));
    try {
      await store.read();
    } catch (error) {
      await unlock(join(folder, LOCK));
      throw error;
    }
    return store;
  }

  /** One after the other: who comes second is compared with what the first has stored. */
  override commit(rows: readonly Row[], meta?: Meta): Promise<boolean> {
    const done = this.queue.then(() => this.append(structuredClone(rows), meta));
    this.queue = done.catch(() => undefined);
    return done;
  }

  override async close(): Promise<void> {
    await this.queue;
    await this.file?.close();
    if (this.file) await unlock(join(this.folder, LOCK));
    this.file = undefined;
  }

  private path(suffix = ""): string {
    return join(this.folder, LOG + suffix);
  }

  private async append(rows: readonly Row[], meta?: Meta): Promise<boolean> {
    if (!this.file) throw new StoreError("unusable", `${this.folder} is closed.`);
    if (!this.fits(rows, meta)) return false;
    const line = lineOf({ rows, meta });
    if ((await this.file.stat()).size !== this.length)
      throw new StoreError("in-use", `Another process has written to ${this.path()}.`);
    try {
      await this.file.write(line, 0, line.length, this.length);
      await this.file.datasync();
    } catch (error) {
      await this.file.truncate(this.length);
      const full = (error as NodeJS.ErrnoException).code === "ENOSPC";
      throw new StoreError(full ? "full" : "unusable", `${this.folder} cannot be written: ${String(error)}`, {
        cause: error,
      });
    }
    this.length += line.length;
    this.written += rows.length + 1;
    this.put(rows, meta);
    // What was stored is stored, whether or not the file can be written again now.
    if (this.written > 2 * this.count() + SLACK) await this.rewrite().catch(() => unlink(this.path(".new")).catch(() => {}));
    return true;
  }

  private async read(): Promise<void> {
    this.file = await open(this.path(), constants.O_RDWR | constants.O_CREAT);
    const data = await this.file.readFile();
    let at = 0;
    for (let end = data.indexOf(10); end >= 0; end = data.indexOf(10, at)) {
      const found = parsed(data.subarray(at, end));
      if (!found) throw new StoreError("damaged", `${this.path()} is damaged at byte ${at}.`);
      this.put(found.rows, found.meta);
      this.written += found.rows.length + 1;
      at = end + 1;
    }
    this.length = at;
    if (at < data.length) {
      // Of a commit that was cut off, and never acknowledged.
      await this.file.truncate(at);
      await this.file.datasync();
    }
    await syncFolder(this.folder);
  }

  private async rewrite(): Promise<void> {
    const path = this.path();
    const file = await open(this.path(".new"), "w+");
    const line = lineOf({ rows: [...this.all()], meta: await this.meta() });
    await file.writeFile(line);
    await file.datasync();
    await rename(this.path(".new"), path);
    await syncFolder(this.folder);
    await this.file!.close();
    [this.file, this.length, this.written] = [file, line.length, this.count() + 1];
  }
}

function lineOf(line: Line): Uint8Array {
  const text = JSON.stringify(line);
  return encoder.encode(`${sha256(encoder.encode(text)).slice(0, 16)} ${text}\n`);
}

function parsed(data: Uint8Array): Line | undefined {
  const text = new TextDecoder().decode(data);
  const body = text.slice(17);
  if (text[16] !== " " || sha256(encoder.encode(body)).slice(0, 16) !== text.slice(0, 16)) return undefined;
  return JSON.parse(body) as Line;
}

/** The locks of this process. */
const held = new Set<string>();

async function unlock(path: string): Promise<void> {
  held.delete(path);
  await unlink(path);
}

/** Takes the lock, also one that a process left which is not there any more. */
async function lock(path: string): Promise<void> {
  for (;;) {
    try {
      await writeFile(path, String(process.pid), { flag: "wx" });
      held.add(path);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const owner = Number(await readFile(path, "utf8").catch(() => ""));
    // A number is given out again: to this process, too.
    const inUse = owner === process.pid ? held.has(path) : owner > 0 && isAlive(owner);
    if (inUse) throw new StoreError("in-use", `Process ${owner} has this store open; if it has not, remove ${path}.`);
    await unlink(path).catch(() => undefined);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  await handle.sync();
  await handle.close();
}
