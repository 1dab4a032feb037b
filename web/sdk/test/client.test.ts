/** When a client that keeps itself in sync asks again. No time passes but what a test lets pass. */

import assert from "node:assert/strict";
import test, { mock } from "node:test";

import { Client } from "../src/client.ts";
import { MemoryStore } from "../src/stores/memory.ts";

/** Three of them are less than the shortest pause after a failure, one is more than edits wait for each other. */
const MOMENT = 60;

interface World {
  readonly client: Client;
  /** How often the server was asked. */
  readonly asked: () => number;
  /** Lets so many milliseconds pass, and everything happen that happens then. */
  readonly pass: (milliseconds: number) => Promise<void>;
}

async function withClient(answer: () => Response, work: (world: World) => Promise<void>): Promise<void> {
  mock.timers.enable({ apis: ["setTimeout"] });
  let asked = 0;
  const fetch = async (): Promise<Response> => {
    asked += 1;
    return answer();
  };
  const store = new MemoryStore();
  const client = new Client({ url: "http://localhost", token: "t", store, fetch, sleep: async () => {} });
  const pass = async (milliseconds: number): Promise<void> => {
    for (let at = 0; at < milliseconds; at += MOMENT / 10) {
      for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      mock.timers.tick(MOMENT / 10);
    }
  };
  try {
    client.start();
    await pass(MOMENT);
    await work({ client, pass, asked: () => asked });
  } finally {
    mock.timers.reset();
    await client.close();
  }
}

const lost = (): Response => {
  throw new TypeError("there is no network");
};

test("an edit is tried at once, and does not wait until the pause after a failure is over", async () => {
  await withClient(lost, async ({ client, asked, pass }) => {
    const before = asked();
    assert.ok(before > 0);
    await pass(MOMENT);
    assert.equal(asked(), before);
    await client.put({ id: "a" });
    await pass(MOMENT);
    assert.ok(asked() > before);
  });
});

test("so does a network that is back", async () => {
  const network = new EventTarget();
  const { addEventListener } = globalThis;
  globalThis.addEventListener = network.addEventListener.bind(network) as typeof addEventListener;
  try {
    await withClient(lost, async ({ asked, pass }) => {
      const before = asked();
      network.dispatchEvent(new Event("online"));
      await pass(MOMENT);
      assert.ok(asked() > before);
    });
  } finally {
    globalThis.addEventListener = addEventListener;
  }
});

test("what the server asked for is waited for all the same", async () => {
  const later = (): Response => new Response("{}", { status: 503, headers: { "retry-after": "30" } });
  await withClient(later, async ({ client, asked, pass }) => {
    const before = asked();
    assert.ok(before > 0);
    await client.put({ id: "a" });
    await pass(20_000);
    assert.equal(asked(), before);
    await pass(11_000);
    assert.ok(asked() > before);
  });
});

test("without access an edit is no reason to ask again", async () => {
  const refused = (): Response => new Response("{}", { status: 401 });
  await withClient(refused, async ({ client, asked, pass }) => {
    const before = asked();
    assert.ok(before > 0);
    await client.put({ id: "a" });
    await pass(10_000);
    assert.equal(asked(), before);
    await pass(60_000);
    assert.ok(asked() > before);
  });
});
