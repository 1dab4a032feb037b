/**
 * A program that may be killed at any moment: it edits documents and syncs, over a network that loses and repeats, and
 * keeps everything in a file. tests/web/test_sdk_killed.py runs it, kills it, and judges.
 *
 *     node worker.js FOLDER NAME SEED EDITS
 *
 * Each edit adds a field that no other edit adds. The field's name is written to standard output once the edit is stored.
 * What begins and what ends is written, too, so that whoever kills it knows what that interrupts. After EDITS edits the
 * network is quiet; it syncs until all agrees, and writes the documents.
 */

import { Client, type Document } from "../src/client.ts";
import type { Json } from "../src/json/values.ts";
import { FileStore } from "../src/stores/file.ts";

const [folder, name, seed, edits] = process.argv.slice(2);
const { HYPERTASK_URL: url, HYPERTASK_TOKEN: token } = process.env as Record<string, string>;
const DOCUMENTS = 4;

let state = Number(seed);

/** A whole number below `limit`: mulberry32, so that a run can be made again. */
function random(limit: number): number {
  state = (state + 0x6d2b79f5) | 0;
  let value = Math.imul(state ^ (state >>> 15), state | 1);
  value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
  return Math.floor((((value ^ (value >>> 14)) >>> 0) / 2 ** 32) * limit);
}

let quiet = false;

/** A network that loses requests and answers, and delivers some requests twice. */
const faulty: typeof fetch = async (input, init) => {
  const kind = quiet ? 9 : random(10);
  if (kind === 0) throw new TypeError("the request was lost");
  if (kind === 1) await (await fetch(input, init)).arrayBuffer();
  const answer = await fetch(input, init);
  if (kind !== 2) return answer;
  await answer.arrayBuffer();
  throw new TypeError("the answer was lost");
};

function say(what: object): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

/** Says when it begins and when it ends. */
async function during(what: string, work: () => Promise<unknown>): Promise<void> {
  say({ begins: what });
  await work();
  say({ ends: what });
}

const store = await FileStore.open(folder);
const client = new Client({ url, token, store, fetch: faulty, sleep: async () => {} });

async function edit(serial: string): Promise<void> {
  const id = `d${random(DOCUMENTS)}`;
  const change = (doc: Document | undefined): Document => {
    const steps = (doc?.["steps"] ?? []) as Json[];
    const changed: Document = { ...(doc ?? { title: `made by ${name}` }), id, [serial]: random(1_000) };
    return { ...changed, count: random(100), steps: [...steps, { id: serial, done: false }] };
  };
  await during("an edit", () => client.update(id, change));
  say({ made: serial, id });
}

for (let at = 0; at < Number(edits); at += 1) {
  await edit(`${name}-${seed}-${at}`);
  if (random(3) > 0) continue;
  // An edit is made while the sync is under way, too.
  const syncing = during("a sync", () => client.sync().catch(() => undefined));
  await edit(`${name}-${seed}-${at}-meanwhile`);
  await syncing;
}

quiet = true;
for (;;) if ((await client.sync({ prove: true })).agreed) break;
const documents: Record<string, Document> = {};
for await (const doc of client.all()) documents[doc.id] = doc;
say({ documents });
await client.close();
