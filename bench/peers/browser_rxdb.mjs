// RxDB in a bare page: the Dexie storage on IndexedDB, batches of 1,000 instead of its 100.
import { createRxDatabase } from 'rxdb/plugins/core';
import { getRxStorageDexie } from 'rxdb/plugins/storage-dexie';
import { replicateServer } from 'rxdb-server/plugins/replication-server';
import { serve } from './browser_page.mjs';
import { schema } from './rxdb_schema.mjs';

let collection;

async function open() {
  if (collection) return collection;
  const database = await createRxDatabase({ name: 'bench', storage: getRxStorageDexie() });
  await database.addCollections({ tasks: { schema } });
  return (collection = database.tasks);
}

serve({
  async sync({ url }) {
    const tasks = await open();
    const replication = replicateServer({
      collection: tasks,
      replicationIdentifier: 'bench',
      url,
      live: false,
      waitForLeadership: false,
      pull: { batchSize: 1000 },
      push: {},
    });
    const failed = new Promise((_, reject) => replication.error$.subscribe(reject));
    await Promise.race([replication.awaitInitialReplication(), failed]);
    await replication.cancel();
  },
  async all() {
    return (await open()).find().exec();
  },
});
