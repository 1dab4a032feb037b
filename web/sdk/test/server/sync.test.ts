/** Clients against a real server: HYPERTASK_URL, and the tokens of two devices of one space for each test. */

import assert from "node:assert/strict";
import test from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { Client, type Change, type Document } from "../../src/client.ts";
import { MemoryStore } from "../../src/stores/memory.ts";
import { ServerError } from "../../src/transport/errors.ts";

const url = process.env["HYPERTASK_URL"]!;
const tokens = JSON.parse(process.env["HYPERTASK_TOKENS"]!) as [string, string][];
const used: Client[] = [];

/** Two clients of one space that no other test uses. */
function pair(options: Partial<ConstructorParameters<typeof Client>[0]> = {}): [Client, Client] {
  const devices = tokens.pop();
  assert.ok(devices, "there are more tests than spaces");
  const clients = devices.map((token) => new Client({ url, token, store: new MemoryStore(), ...options }));
  used.push(...clients);
  return clients as [Client, Client];
}

test.after(() => Promise.all(used.map((client) => client.close())));

async function documents(client: Client): Promise<Document[]> {
  const found: Document[] = [];
  for await (const doc of client.all()) found.push(doc);
  return found;
}

async function settle(...clients: Client[]): Promise<void> {
  for (const client of [...clients, ...clients]) assert.ok((await client.sync()).agreed);
}

test("what one creates, edits and deletes the other has", async () => {
  const [one, two] = pair();
  await one.put({ id: "a", title: "milk", tags: ["home"] });
  await one.put({ id: "b", title: "roof" });
  await settle(one, two);
  assert.deepEqual(await documents(two), await documents(one));
  await two.update("a", (doc) => ({ ...doc!, done: true }));
  await two.delete("b");
  await settle(two, one);
  assert.deepEqual(await documents(one), [{ id: "a", title: "milk", tags: ["home"], done: true }]);
  assert.deepEqual((await two.status()).pending, []);
  assert.equal((await one.history("a")).length, 2);
});

test("edits of different fields are both there, and what was decided is told", async () => {
  const [one, two] = pair();
  await one.put({ id: "a", title: "milk", notes: "x", count: 1 });
  await settle(one, two);
  await one.update("a", (doc) => ({ ...doc!, title: "oat milk", count: 2 }));
  await two.update("a", (doc) => ({ ...doc!, notes: "two bottles", count: 3 }));
  const told: Change[] = [];
  two.subscribe((changes) => told.push(...changes));
  await settle(one, two, one);
  const [doc] = await documents(one);
  assert.deepEqual([doc["title"], doc["notes"]], ["oat milk", "two bottles"]);
  assert.deepEqual(await documents(two), [doc]);
  const decided = told.filter(({ by }) => by === "server").flatMap((change) => change.decided);
  assert.deepEqual(decided.map(({ path }) => path), ["/count"]);
});

test("an edit that is made while a request is under way is merged onto what is answered", async () => {
  const devices = tokens.at(-1)!;
  const [, two] = pair();
  let edit: (() => Promise<unknown>) | undefined;
  const step = async (name: string): Promise<void> => {
    if (name !== "answered") return;
    const work = edit;
    edit = undefined;
    await work?.();
  };
  const one = new Client({ url, token: devices[0], store: new MemoryStore(), step });
  used.push(one);
  await one.put({ id: "a", title: "milk", tags: ["a", "b"] });
  await settle(one, two);
  await two.update("a", (doc) => ({ ...doc!, tags: ["b", "c"] }));
  await two.sync();
  await one.update("a", (doc) => ({ ...doc!, title: "oat milk" }));
  edit = () => one.update("a", (doc) => ({ ...doc!, notes: "while it was sent", tags: ["a", "b", "d"] }));
  await settle(one, two);
  const [doc] = await documents(two);
  assert.deepEqual([doc["title"], doc["notes"]], ["oat milk", "while it was sent"]);
  assert.deepEqual(new Set(doc["tags"] as string[]), new Set(["b", "c", "d"]));
  assert.deepEqual(await documents(one), [doc]);
});

test("of a document that both have made by themselves nothing is dropped silently", async () => {
  const [one, two] = pair();
  await settle(one, two);
  const made = { id: "a", tags: ["home", "work"], owner: "winter family" };
  await one.put({ ...made, title: "winter winter first" });
  await two.put({ ...made, title: "made twice, here" });
  const told: Change[] = [];
  two.subscribe((changes) => told.push(...changes));
  await settle(one, two, one);
  assert.deepEqual(await documents(one), await documents(two));
  const decided = told.flatMap((change) => change.decided);
  assert.deepEqual(decided.map(({ path, dropped }) => [path, dropped]), [["/title", "winter winter first"]]);
});

test("put with the state that was changed does not write over what arrived meanwhile", async () => {
  const [one] = pair();
  const seen = await one.put({ id: "a", title: "milk" });
  await one.update("a", (doc) => ({ ...doc!, arrived: true }));
  assert.deepEqual(await one.put({ ...seen, title: "oat milk" }, seen), { id: "a", title: "oat milk", arrived: true });
});

test("a document that is refused does not stop the others, and is sent again when it is changed", async () => {
  const [one, two] = pair();
  const large = "x".repeat(600_000);
  await one.put({ id: "a", left: "" });
  await settle(one, two);
  await one.update("a", (doc) => ({ ...doc!, left: large }));
  await two.update("a", (doc) => ({ ...doc!, right: large }));
  await two.put({ id: "b" });
  await one.sync();
  const report = await two.sync();
  assert.deepEqual(report.plan.refused, ["a"]);
  assert.deepEqual([...(await two.status()).refused].map(([id, { code }]) => [id, code]), [["a", "too-large"]]);
  assert.equal((await two.get("a"))!["right"], large);
  await two.update("a", (doc) => ({ ...doc!, right: "small" }));
  await settle(two, one);
  const found = await documents(one);
  assert.deepEqual(found.map(({ id }) => id), ["a", "b"]);
  assert.deepEqual([found[0]["left"] === large, found[0]["right"]], [true, "small"]);
});

test("many deletions are held back until they are confirmed", async () => {
  const [one, two] = pair();
  for (let at = 0; at < 30; at += 1) await one.put({ id: `d${at}` });
  await settle(one, two);
  for (let at = 0; at < 25; at += 1) await one.delete(`d${at}`);
  assert.equal((await one.sync()).plan.heldHere.length, 25);
  assert.equal((await one.sync({ confirmed: true })).agreed, true);
  assert.equal((await two.sync()).plan.heldThere.length, 25);
  await two.sync({ confirmed: true });
  assert.equal((await documents(two)).length, 5);
});

test("thousands go in batches, and an empty store is filled from pages", async () => {
  const [one, two] = pair();
  for (let at = 0; at < 2_300; at += 1) await one.put({ id: `d${at}`, title: `document ${at}` });
  assert.equal((await one.sync()).sent, 2_300);
  const report = await two.sync({ prove: true });
  assert.deepEqual([report.agreed, report.arrived], [true, 2_300]);
  assert.equal((await documents(two)).length, 2_300);
});

test("agreement that is proved by the content finds what a cursor does not tell", async () => {
  const devices = tokens.at(-1)!;
  const [one, two] = pair();
  await one.put({ id: "a", n: 1 });
  await settle(one, two);
  const store = new MemoryStore();
  const lost = new Client({ url, token: devices[1], store });
  used.push(lost);
  await lost.sync();
  const row = (await store.get(["a"])).get("a")!;
  await store.commit([{ ...row, version: row.version + 1, doc: null, hash: null, base: "1-x", gone: true, shadow: null, shadowBody: null, remote: null }]);
  assert.equal((await lost.sync()).agreed, true);
  assert.equal(await lost.get("a"), undefined);
  assert.equal((await lost.sync({ prove: true })).agreed, true);
  assert.deepEqual(await lost.get("a"), { id: "a", n: 1 });
});

test("what changes arrives as it happens, and edits are sent at once", async () => {
  const [one, two] = pair();
  const arrived = (client: Client, id: string): Promise<void> =>
    new Promise((resolve) => {
      const end = client.subscribe((changes) => {
        if (!changes.some((change) => change.id === id && change.by === "server")) return;
        end();
        resolve();
      });
    });
  one.start();
  two.start();
  for (const [from, to, id] of [[one, two, "a"], [two, one, "b"], [one, two, "c"]] as const) {
    const there = arrived(to, id);
    await from.put({ id, title: "as it happens" });
    await there;
  }
  await one.stop();
  await two.put({ id: "d" });
  await settle(two);
  const there = arrived(one, "d");
  one.start();
  await there;
  assert.deepEqual(await documents(one), await documents(two));
});

test("it stops although memory was collected while it listened", async () => {
  const [one] = pair();
  await one.put({ id: "a" });
  await settle(one);
  one.start();
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let times = 0; times < 5; times += 1) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const stopped = one.stop().then(() => "stopped");
  const late = new Promise((resolve) => setTimeout(() => resolve("it waits"), 90_000).unref());
  assert.equal(await Promise.race([stopped, late]), "stopped");
});

test("a token that is not accepted is told, and nothing is lost", async () => {
  const store = new MemoryStore();
  const client = new Client({ url, token: "ht_none", store });
  await client.put({ id: "a" });
  await assert.rejects(client.sync(), (error) => error instanceof ServerError && error.code === "access");
  assert.deepEqual((await client.status()).pending, ["a"]);
  assert.ok((await client.status()).error);
});
