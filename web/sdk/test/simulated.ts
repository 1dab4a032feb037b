/**
 * Clients that the simulator of the server's tests acts out (tests/web/simulated.py): a command a line on standard input,
 * its result a line on standard output. The network is the simulator: a request is handed to it, and waits for what it
 * says, however late; or is given up.
 */

import { createInterface } from "node:readline";

import { Client, type Document } from "../src/client.ts";
import { actionFor } from "../src/engine/plan.ts";
import { CREATED } from "../src/engine/records.ts";
import { changed, emptyRow, outlineOf, type Row } from "../src/engine/rows.ts";
import type { Arrival } from "../src/engine/sync.ts";
import type { Json, JsonObject } from "../src/json/values.ts";
import { MemoryStore } from "../src/stores/memory.ts";

const ABOUT = { name: "hypertask", supports: ["base", "versions", "batch", "since"], limits: {} };

interface Command {
  readonly op: "open" | "save" | "adopt" | "differs" | "request" | "answer" | "crash" | "close";
  readonly client: string;
  readonly id: string;
  readonly doc?: Document | null;
  readonly heard?: string | null;
  readonly answer?: JsonObject;
}

class Simulated {
  private readonly id: string;
  private readonly store = new MemoryStore();
  private client: Client;
  private stop = new AbortController();
  private running: Promise<unknown> = Promise.resolve();
  private heard: string | null = null;
  private maps = 0;
  private answer: ((value: Json) => void) | undefined;
  private asked: (request: JsonObject | null) => void = () => {};
  private expectsAgain = false;
  private arrivals: Arrival[] = [];

  constructor(id: string) {
    this.id = id;
    this.client = this.opened();
  }

  private opened(): Client {
    const step = (name: string): void => {
      if (name === "applied" && !this.expectsAgain) this.stop.abort();
    };
    const client = new Client({
      url: "http://simulated",
      token: "",
      store: this.store,
      step,
      fetch: (input, init) => this.fetch(String(input), init!),
    });
    client.subscribe((changes) => this.arrivals.push(...changes.filter(({ by }) => by === "server")));
    return client;
  }

  private async fetch(input: string, init: RequestInit): Promise<Response> {
    const { pathname, searchParams } = new URL(input);
    init.signal!.throwIfAborted();
    const cursor = `h-${(this.maps += 1)}`;
    if (pathname === "/") return Response.json(ABOUT);
    if (pathname === "/policies") return Response.json({});
    if (pathname === "/hashes/diff") return Response.json({ ranges: {}, documents: {}, cursor });
    if (pathname === "/hashes" && searchParams.has("since"))
      return Response.json({ hashes: { [this.id]: this.heard }, cursor, more: false });
    if (pathname === "/hashes")
      return Response.json(this.heard ? { [this.id]: this.heard } : {}, { headers: { "hypertask-cursor": cursor } });
    if (init.method === "GET") return Response.json({ tasks: {}, cursor, after: null });
    const { tasks } = JSON.parse(init.body as string) as { tasks: JsonObject };
    return new Promise((resolve, reject) => {
      this.answer = (value) => resolve(Response.json({ tasks: { [this.id]: value } }));
      init.signal!.addEventListener("abort", () => reject(init.signal!.reason as Error), { once: true });
      this.asked(tasks[this.id] as JsonObject);
    });
  }

  /** As if its process had been killed: what is stored is left. */
  async crash(): Promise<void> {
    this.stop.abort();
    await this.running;
    this.stop = new AbortController();
    this.answer = undefined;
    this.client = this.opened();
  }

  private async row(): Promise<Row> {
    return (await this.store.get([this.id])).get(this.id) ?? emptyRow(this.id);
  }

  async run({ op, doc, heard, answer }: Command): Promise<unknown> {
    switch (op) {
      case "open":
      case "adopt":
        await this.crash();
        await this.client.sync();
        return this.shown();
      case "save":
        if (doc) await this.client.put(doc);
        else await this.client.delete(this.id);
        return this.shown();
      case "differs": {
        if (heard !== "?") this.heard = heard!;
        const row = changed(await this.row(), { remote: this.heard });
        return actionFor(row.id, row.hash, outlineOf(row))?.kind ?? "none";
      }
      case "request": {
        await this.crash();
        const asked = new Promise<JsonObject | null>((resolve) => (this.asked = resolve));
        this.running = this.client.sync({ signal: this.stop.signal }).then(
          () => this.asked(null),
          (error: unknown) => {
            if (!this.stop.signal.aborted) throw error;
          },
        );
        return { request: await asked };
      }
      case "answer": {
        this.expectsAgain = Object.hasOwn(answer!, "error");
        const asked = new Promise<JsonObject | null>((resolve) => (this.asked = resolve));
        this.arrivals = [];
        this.answer!(answer!);
        if (this.expectsAgain) return { again: await asked };
        await this.running;
        const shown = await this.shown();
        this.heard = (await this.row()).remote;
        return shown;
      }
      case "crash":
        await this.crash();
        return {};
      case "close":
        await this.crash();
        await this.client.close();
        return {};
    }
  }

  private async shown(): Promise<object> {
    const { doc, base, shadowBody, gone, pending, hash, shadow } = await this.row();
    const conflicts = this.arrivals.flatMap((arrival) => arrival.conflicts);
    const deletes = hash === null && shadow !== null;
    return { doc, base: base ?? CREATED, shadow: shadowBody, gone, pending: pending !== null, deletes, conflicts };
  }
}

const clients = new Map<string, Simulated>();

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as Command;
  if (command.op === "open") clients.set(command.client, new Simulated(command.id));
  const result = await clients.get(command.client)!.run(command);
  if (command.op === "close") clients.delete(command.client);
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
