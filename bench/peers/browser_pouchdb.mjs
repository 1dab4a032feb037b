// PouchDB in a bare page: its IndexedDB adapter, batches of 1,000 instead of its 100.
import PouchDB from 'pouchdb/dist/pouchdb.js';
import { serve } from './browser_page.mjs';

const here = new PouchDB('bench');

serve({
  async sync({ url }) {
    const { ok, errors } = await here.replicate.from(url, { batch_size: 1000 });
    if (!ok || errors.length > 0) throw new Error(String(errors[0] ?? 'the replication failed'));
  },
  async all() {
    return (await here.allDocs({ include_docs: true })).rows.map(({ doc }) => doc);
  },
});
