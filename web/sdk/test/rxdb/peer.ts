/**
 * An application with RxDB and the replication, told what to do by lines of JSON on standard input
 * (tests/web/test_sdk_rxdb.py); each is answered by a line.
 */

import { createInterface } from "node:readline";

import { addRxPlugin, createRxDatabase } from "rxdb";
import { RxDBDevModePlugin } from "rxdb/plugins/dev-mode";
import { getRxStorageMemory } from "rxdb/plugins/storage-memory";
import { wrappedValidateAjvStorage } from "rxdb/plugins/validate-ajv";

import { replicateHypertask } from "../../src/rxdb/index.ts";

const { HYPERTASK_URL: url, HYPERTASK_TOKEN: token } = process.env as Record<string, string>;
const SECONDS = 150_000;

interface Task {
  id: string;
  title?: string;
  notes?: string;
  count?: number;
  tags?: string[];
}

interface Command {
  readonly op: "insert" | "patch" | "remove" | "get" | "until" | "offline" | "online" | "close";
  readonly id: string;
  readonly doc?: Task;
  readonly fields?: Partial<Task>;
}

addRxPlugin(RxDBDevModePlugin);
const storage = wrappedValidateAjvStorage({ storage: getRxStorageMemory() });
const database = await createRxDatabase({ name: "peer", storage, multiInstance: false });
const { tasks } = await database.addCollections({
  tasks: {
    schema: {
      version: 0,
      primaryKey: "id",
      type: "object",
      properties: {
        id: { type: "string", maxLength: 128 },
        title: { type: "string" },
        notes: { type: "string" },
        count: { type: "number" },
        tags: { type: "array", items: { type: "string" } },
      },
      required: ["id"],
    },
  },
});
const errors: string[] = [];
/** Aborted: this device is offline. */
let network = new AbortController();
const connected: typeof fetch = async (input, init) => {
  network.signal.throwIfAborted();
  return fetch(input, { ...init, signal: AbortSignal.any([network.signal, init!.signal!]) });
};
const replication = replicateHypertask<Task>({ collection: tasks, url, token, retryTime: 200, fetch: connected });
replication.error$.subscribe((error) => {
  if (!network.signal.aborted) errors.push(JSON.stringify(error.parameters).slice(0, 500));
});
await replication.awaitInitialReplication();

/** Whether the document is there with these fields; `fields` undefined: whether it is gone. */
async function has(id: string, fields: Partial<Task> | undefined): Promise<boolean> {
  const doc = await tasks.findOne(id).exec();
  if (!doc || !fields) return !doc === !fields;
  const found = doc.toJSON() as unknown as Record<string, unknown>;
  return Object.entries(fields).every(([name, value]) => JSON.stringify(found[name]) === JSON.stringify(value));
}

async function until(id: string, fields: Partial<Task> | undefined): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      subscription.unsubscribe();
      reject(new Error(`not within ${SECONDS} ms; errors: ${errors.join("; ")}`));
    }, SECONDS);
    const subscription = tasks.findOne(id).$.subscribe(async () => {
      if (!(await has(id, fields))) return;
      clearTimeout(timer);
      setImmediate(() => subscription.unsubscribe());
      resolve();
    });
  });
}

async function run({ op, id, doc, fields }: Command): Promise<unknown> {
  const found = await tasks.findOne(id).exec();
  switch (op) {
    case "insert":
      await tasks.insert(doc!);
      return {};
    case "patch":
      await found!.incrementalPatch(fields!);
      return {};
    case "remove":
      await found!.remove();
      return {};
    case "get":
      await replication.awaitInSync();
      return (await tasks.findOne(id).exec())?.toJSON() ?? null;
    case "until":
      await until(id, fields);
      return {};
    case "offline":
      network.abort();
      return {};
    case "online":
      network = new AbortController();
      return {};
    case "close":
      await database.close();
      return { errors };
  }
}

process.stdout.write("{}\n");
for await (const line of createInterface({ input: process.stdin })) {
  const result = await run(JSON.parse(line) as Command).catch((error: unknown) => ({ error: String(error) }));
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
