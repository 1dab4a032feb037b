// PouchDB as a client of pouchdb-server: databases on disk (LevelDB), replication as its documentation shows it.
import PouchDB from 'pouchdb';
import { edited, fieldOf, measured, middle, serve } from './driver.mjs';

let folder;
let url;
const open = (name) => new PouchDB(`${folder}/${name}`);
let here;
let there;
const stripped = ({ _id, _rev, _conflicts, ...body }) => ({ id: _id, ...body });

async function editSome(db, ids, turn) {
  const found = await db.allDocs({ keys: ids, include_docs: true });
  const rows = await db.bulkDocs(found.rows.map(({ doc }) => ({ ...doc, status: `done ${turn}`, turn })));
  if (rows.some((row) => row.error)) throw new Error('an edit was refused');
}

serve({
  begin(options) {
    ({ folder, url } = options);
    here = open('here');
    there = open('there');
  },
  async push({ documents }) {
    await here.bulkDocs(documents.map(({ id, ...body }) => ({ _id: id, ...body })));
    return measured(async () => (await here.replicate.to(url)).docs_written);
  },
  async pull() {
    return measured(async () => (await there.replicate.from(url)).docs_written);
  },
  async agreed({ times }) {
    await here.sync(url);
    const found = [];
    for (let i = 0; i < times; i++) found.push(await measured(() => here.sync(url)));
    return { ms: middle(found.map((f) => f.ms)), requests: found.at(-1).requests, bytes: found.at(-1).bytes };
  },
  async changes({ mine, theirs, turn }) {
    await there.sync(url);
    await here.sync(url);
    await editSome(there, theirs, turn);
    await there.sync(url);
    await editSome(here, mine, turn);
    const found = await measured(() => here.sync(url));
    if ((await here.get(theirs[0])).turn !== turn) throw new Error('the changes did not arrive');
    return { ms: found.ms, requests: found.requests, bytes: found.bytes };
  },
  async live({ documents }) {
    const sender = here.sync(url, { live: true, retry: true });
    const receiver = there.sync(url, { live: true, retry: true });
    const waiting = new Map();
    const feed = there.changes({ live: true, since: 'now' });
    feed.on('change', ({ id }) => waiting.get(id)?.(performance.now()));
    const delays = [];
    for (const { id, ...body } of documents) {
      const arrived = new Promise((resolve) => waiting.set(id, resolve));
      await here.put({ _id: id, ...body });
      const start = performance.now();
      delays.push((await arrived) - start);
    }
    feed.cancel();
    sender.cancel();
    receiver.cancel();
    await Promise.allSettled([sender, receiver]);
    return { delays };
  },
  // One process, so the devices take turns between their awaits; each has a database of its own.
  async contend({ ids, devices, rounds, patience }) {
    const start = performance.now();
    const replicas = [];
    for (let number = 0; number < devices; number++) {
      const db = open(`contend${number}`);
      await db.replicate.from(url);
      replicas.push({ db, field: fieldOf(number), rounds: 0 });
    }
    const began = performance.now();
    await Promise.all(
      replicas.map(async (replica) => {
        for (let turn = 0; turn < rounds; turn++) {
          if (performance.now() - began > patience * 1000) return;
          for (const id of ids) await replica.db.put(edited(await replica.db.get(id), replica.field, turn));
          await replica.db.sync(url);
          replica.rounds++;
        }
      }),
    );
    const seconds = (performance.now() - began) / 1000;
    for (let turn = 0; turn < 3; turn++) for (const { db } of replicas) await db.sync(url);
    const copies = async (db) => {
      const { rows } = await db.allDocs({ keys: ids, include_docs: true });
      return Object.fromEntries(rows.map(({ doc }) => [doc._id, stripped(doc)]));
    };
    const found = {};
    for (const { db, field, rounds: made } of replicas) found[field] = [made, await copies(db)];
    for (const { db } of replicas) await db.destroy();
    return { seconds, devices: found, truth: await copies(new PouchDB(url)), setup: began - start };
  },
  async end() {
    await here.destroy();
    await there.destroy();
  },
});
