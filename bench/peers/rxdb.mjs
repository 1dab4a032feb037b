// RxDB as a client of rxdb-server: collections in memory, the default conflict handler, batches of 100 (its default).
import { createRxDatabase } from 'rxdb/plugins/core';
import { getRxStorageMemory } from 'rxdb/plugins/storage-memory';
import { replicateServer } from 'rxdb-server/plugins/replication-server';
import { edited, fieldOf, measured, middle, serve } from './driver.mjs';
import { schema } from './rxdb_schema.mjs';

let url;
let run = 0;
let here;
let there;

async function open(name) {
  const database = await createRxDatabase({ name: `${name}${run++}`, storage: getRxStorageMemory() });
  await database.addCollections({ tasks: { schema } });
  return database.tasks;
}

function replicate(collection, live) {
  return replicateServer({
    collection,
    replicationIdentifier: 'bench',
    url,
    live,
    waitForLeadership: false,
    push: {},
    pull: {},
  });
}

// One sync that ends, going on from the checkpoints of the one before.
async function sync(collection) {
  const replication = replicate(collection, false);
  const failed = new Promise((_, reject) => replication.error$.subscribe(reject));
  await Promise.race([replication.awaitInitialReplication(), failed]);
  await replication.cancel();
}

async function editSome(collection, ids, turn) {
  const found = await collection.findByIds(ids).exec();
  for (const document of found.values()) await document.incrementalPatch({ status: `done ${turn}`, turn });
}

const copies = async (collection, ids) => {
  const found = await collection.findByIds(ids).exec();
  return Object.fromEntries([...found].map(([id, document]) => [id, document.toJSON()]));
};

serve({
  async begin(options) {
    url = options.url;
    here = await open('here');
    there = await open('there');
  },
  async push({ documents }) {
    const { error } = await here.bulkInsert(documents);
    if (error.length) throw new Error(JSON.stringify(error[0]).slice(0, 300));
    return measured(() => sync(here));
  },
  async pull() {
    const found = await measured(() => sync(there));
    return { ...found, value: await there.count().exec() };
  },
  async agreed({ times }) {
    await sync(here);
    const found = [];
    for (let i = 0; i < times; i++) found.push(await measured(() => sync(here)));
    return { ms: middle(found.map((f) => f.ms)), requests: found.at(-1).requests, bytes: found.at(-1).bytes };
  },
  async changes({ mine, theirs, turn }) {
    await sync(there);
    await sync(here);
    await editSome(there, theirs, turn);
    await sync(there);
    await editSome(here, mine, turn);
    const found = await measured(() => sync(here));
    if ((await here.findOne(theirs[0]).exec()).turn !== turn) throw new Error('the changes did not arrive');
    return { ms: found.ms, requests: found.requests, bytes: found.bytes };
  },
  async live({ documents }) {
    const both = [replicate(here, true), replicate(there, true)];
    for (const replication of both) await replication.awaitInSync();
    const waiting = new Map();
    const subscription = there.$.subscribe(({ documentId }) => waiting.get(documentId)?.(performance.now()));
    const delays = [];
    for (const body of documents) {
      const arrived = new Promise((resolve) => waiting.set(body.id, resolve));
      await here.insert(body);
      const start = performance.now();
      delays.push((await arrived) - start);
    }
    subscription.unsubscribe();
    for (const replication of both) await replication.cancel();
    return { delays };
  },
  // One process, so the devices take turns between their awaits; each has a database of its own.
  async contend({ ids, devices, rounds, patience }) {
    const replicas = [];
    for (let number = 0; number < devices; number++) {
      const collection = await open('contend');
      await sync(collection);
      replicas.push({ collection, field: fieldOf(number), rounds: 0 });
    }
    const began = performance.now();
    await Promise.all(
      replicas.map(async (replica) => {
        for (let turn = 0; turn < rounds; turn++) {
          if (performance.now() - began > patience * 1000) return;
          for (const id of ids) {
            const document = await replica.collection.findOne(id).exec();
            await document.incrementalModify((body) => edited(body, replica.field, turn));
          }
          await sync(replica.collection);
          replica.rounds++;
        }
      }),
    );
    const seconds = (performance.now() - began) / 1000;
    for (let turn = 0; turn < 3; turn++) for (const { collection } of replicas) await sync(collection);
    const found = {};
    for (const { collection, field, rounds: made } of replicas) found[field] = [made, await copies(collection, ids)];
    const fresh = await open('truth');
    await sync(fresh);
    return { seconds, devices: found, truth: await copies(fresh, ids) };
  },
  async end() {
    await here.database.remove();
    await there.database.remove();
  },
});
