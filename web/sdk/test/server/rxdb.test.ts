/** What the replication of RxDB asks, asked of a real server. */

import assert from "node:assert/strict";
import test from "node:test";

import { Handlers, RefusedError, type Checkpoint, type RxState } from "../../src/rxdb/handlers.ts";
import { Server } from "../../src/transport/server.ts";

const url = process.env["HYPERTASK_URL"]!;
// The other tests take theirs from the end.
const tokens = JSON.parse(process.env["HYPERTASK_TOKENS"]!) as [string, string][];

function pair(): [Handlers, Handlers] {
  return tokens.shift()!.map((token) => new Handlers(new Server({ url, token }))) as [Handlers, Handlers];
}

function state(id: string, fields: Record<string, string | number>, deleted = false): RxState {
  return { id, ...fields, _deleted: deleted };
}

async function all(handlers: Handlers, from: Checkpoint | undefined, size: number): Promise<[RxState[], Checkpoint]> {
  const found: RxState[] = [];
  let checkpoint = from;
  for (;;) {
    const pulled = await handlers.pull(checkpoint, size);
    found.push(...pulled.documents);
    checkpoint = JSON.parse(JSON.stringify(pulled.checkpoint)) as Checkpoint; // as RxDB stores it
    if (pulled.documents.length < size) return [found, checkpoint];
  }
}

test("a merged state goes back as a conflict document, and what stands as it was sent does not", async () => {
  const [one, two] = pair();
  const base = state("a", { title: "milk", notes: "" });
  assert.deepEqual(await one.push([{ newDocumentState: base }]), []);
  await two.pull(undefined, 10);
  const mine = state("a", { title: "oat milk", notes: "" });
  assert.deepEqual(await one.push([{ newDocumentState: mine, assumedMasterState: base }]), []);
  const theirs = state("a", { title: "milk", notes: "two bottles" });
  const merged = state("a", { title: "oat milk", notes: "two bottles" });
  const rows = [{ newDocumentState: theirs, assumedMasterState: base }];
  assert.deepEqual(await two.push(rows), [merged]);
  assert.deepEqual(await two.push(rows), [merged]); // the answer was lost
  assert.deepEqual(await two.push([{ newDocumentState: merged, assumedMasterState: merged }]), []);
});

test("after a restart the content of the assumed state is the base", async () => {
  const devices = tokens[0];
  const [one, two] = pair();
  const base = state("a", { title: "milk", notes: "" });
  await one.push([{ newDocumentState: base }]);
  await two.push([{ newDocumentState: state("a", { title: "milk", notes: "x" }), assumedMasterState: base }]);
  const again = new Handlers(new Server({ url, token: devices[0] }));
  const mine = state("a", { title: "oat milk", notes: "" });
  const merged = state("a", { title: "oat milk", notes: "x" });
  assert.deepEqual(await again.push([{ newDocumentState: mine, assumedMasterState: base }]), [merged]);
});

test("a deletion is one, unless somebody edited what it had not seen", async () => {
  const [one, two] = pair();
  const base = state("a", { title: "milk" });
  await one.push([{ newDocumentState: base }, { newDocumentState: { ...base, id: "b" } }]);
  const edited = state("a", { title: "oat milk" });
  await two.push([{ newDocumentState: edited, assumedMasterState: base }]);
  const rows = ["a", "b"].map((id) => ({ newDocumentState: { ...base, id, _deleted: true }, assumedMasterState: { ...base, id } }));
  assert.deepEqual(await one.push(rows), [edited]);
  const [found] = await all(two, undefined, 10);
  assert.deepEqual(found, [edited]);
});

test("everything is pulled in pieces, then what changed, also after the position is gone", async () => {
  const [one, two] = pair();
  const rows = Array.from({ length: 25 }, (_, at) => ({ newDocumentState: state(`d${String(at).padStart(2, "0")}`, { at }) }));
  await one.push(rows);
  const [first, checkpoint] = await all(two, undefined, 4);
  assert.deepEqual(first.map(({ id }) => id), rows.map(({ newDocumentState }) => newDocumentState["id"]));
  assert.equal(checkpoint.after, undefined);
  const [gone, changed] = [rows[3].newDocumentState, { ...rows[4].newDocumentState, at: 100 }];
  await one.push([
    { newDocumentState: { ...gone, _deleted: true }, assumedMasterState: gone },
    { newDocumentState: changed, assumedMasterState: rows[4].newDocumentState },
  ]);
  const [second, now] = await all(two, checkpoint, 4);
  const byId = second.sort((a, b) => (String(a["id"]) < String(b["id"]) ? -1 : 1));
  assert.deepEqual(byId, [{ id: "d03", _deleted: true }, changed]);
  assert.deepEqual((await all(two, now, 4))[0], []);
  assert.equal((await all(two, { cursor: "nowhere-1" }, 4))[0].length, 24);
});

test("one that is refused is named, and does not stop the others", async () => {
  const [one, two] = pair();
  const large = state("large", { text: "x".repeat(1_100_000) });
  const rows = [{ newDocumentState: large }, { newDocumentState: state("fine", {}) }];
  await assert.rejects(one.push(rows), (error) => error instanceof RefusedError && error.id === "large" && error.code === "too-large");
  assert.deepEqual((await all(two, undefined, 10))[0], [state("fine", {})]);
});
