// What the pages under measurement share: a library fills its store, all documents are read from there, a list is drawn.
const DRAWN = 50;

// When what was drawn last is on the screen.
const painted = () =>
  new Promise((resolve) =>
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port2.onmessage = resolve;
      port1.postMessage(null);
    }),
  );

async function show(documents, count) {
  if (documents.length !== count) throw new Error(`${documents.length} documents of ${count} are there`);
  const list = document.createElement('ul');
  for (const { description, project } of documents.slice(0, DRAWN)) {
    const row = document.createElement('li');
    row.textContent = `${description} ${project}`;
    list.append(row);
  }
  document.body.replaceChildren(list);
  await painted();
}

// `sync` fills the store from the server, `all` reads every document from the store. Both answer with milliseconds.
export function serve({ sync, all }) {
  globalThis.bench = {
    async first(options) {
      const start = performance.now();
      await sync(options);
      const stored = performance.now();
      await show(await all(options), options.count);
      return { ms: performance.now() - start, stored: stored - start };
    },
    async again(options) {
      const start = performance.now();
      await show(await all(options), options.count);
      return { ms: performance.now() - start };
    },
  };
}
