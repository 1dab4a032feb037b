// rxdb-server as its documentation shows it: an RxDB database in memory, the express adapter, a replication endpoint.
// argv: port, number of collections. Each collection is an empty space.
import { createRxDatabase } from 'rxdb/plugins/core';
import { getRxStorageMemory } from 'rxdb/plugins/storage-memory';
import { createRxServer } from 'rxdb-server/plugins/server';
import { RxServerAdapterExpress } from 'rxdb-server/plugins/adapter-express';
import { schema } from './rxdb_schema.mjs';

const [port, count] = process.argv.slice(2).map(Number);
const database = await createRxDatabase({ name: 'bench', storage: getRxStorageMemory() });
const names = Array.from({ length: count }, (_, number) => `tasks${number}`);
await database.addCollections(Object.fromEntries(names.map((name) => [name, { schema }])));
const server = await createRxServer({ database, adapter: RxServerAdapterExpress, hostname: '127.0.0.1', port });
for (const name of names) server.addReplicationEndpoint({ name, collection: database[name] });
await server.start();
