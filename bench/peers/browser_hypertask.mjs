// This project's SDK in a bare page.
import { Client } from '@hypertask/client';
import { IndexedDbStore } from '@hypertask/indexeddb';
import { serve } from './browser_page.mjs';

let client;

async function open({ url, token, space }) {
  client ??= new Client({ url, token, space, store: await IndexedDbStore.open('bench') });
  return client;
}

serve({
  async sync(options) {
    const { agreed } = await (await open(options)).sync();
    if (!agreed) throw new Error('the sync did not agree');
  },
  async all(options) {
    const found = [];
    for await (const document of (await open(options)).all()) found.push(document);
    return found;
  },
});
