/** Requests over a real connection to a server that says what the test wants. */

import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import test from "node:test";
import { gunzipSync } from "node:zlib";

import { Channel, secondsOf } from "../src/transport/channel.ts";
import { ServerError } from "../src/transport/errors.ts";
import { readEvents, type ServerEvent } from "../src/transport/events.ts";
import { Server } from "../src/transport/server.ts";

type Answer = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;

async function withServer(answers: Answer[], work: (channel: Channel, waits: number[]) => Promise<void>): Promise<void> {
  let asked = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => answers[Math.min(asked++, answers.length - 1)](request, response, Buffer.concat(chunks)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const waits: number[] = [];
  const { port } = server.address() as AddressInfo;
  const sleep = async (milliseconds: number): Promise<void> => void waits.push(milliseconds);
  try {
    await work(new Channel({ url: `http://127.0.0.1:${port}/`, token: "t", space: "s", sleep }), waits);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function says(status: number, value: unknown, headers: Record<string, string> = {}): Answer {
  return (_, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(value));
  };
}

const failure = (code: string) => (error: unknown) => error instanceof ServerError && error.code === code;

test("it waits as long as it is told, and asks again", async () => {
  const answers = [says(503, {}, { "retry-after": "2" }), says(429, {}, { "retry-after": "1" }), says(200, { fine: true })];
  await withServer(answers, async (channel, waits) => {
    assert.deepEqual((await channel.request("/x")).value, { fine: true });
    assert.equal(waits.length, 2);
    assert.ok(waits[0] >= 2_000 && waits[1] >= 1_000, String(waits));
  });
});

test("a long wait is left to the caller, and so is a server that stays away", async () => {
  await withServer([says(503, { detail: "Not yet" }, { "retry-after": "600" })], async (channel, waits) => {
    await assert.rejects(channel.request("/x"), (error) => failure("unavailable")(error) && (error as ServerError).retryAfter === 600);
    assert.deepEqual(waits, []);
  });
  await withServer([(request) => request.socket.destroy()], async (channel, waits) => {
    await assert.rejects(channel.request("/x"), failure("unreachable"));
    assert.equal(waits.length, 3);
  });
});

test("who is not let in is told so, and a reader's refused write is no such case", async () => {
  await withServer([says(401, { detail: "No" })], (channel) => assert.rejects(channel.request("/x"), failure("access")));
  await withServer([says(403, { code: "forbidden" })], (channel) => assert.rejects(channel.request("/x"), failure("access")));
  await withServer([says(403, { code: "read-only" })], async (channel) => {
    assert.equal((await channel.request("/x")).status, 403);
  });
});

test("a redirect is not followed: the token is for this server alone", async () => {
  const answer = says(302, {}, { location: "http://127.0.0.1:1/elsewhere" });
  await withServer([answer], (channel) => assert.rejects(channel.request("/x"), failure("unreachable")));
});

test("what is not JSON is no answer of a server of this protocol", async () => {
  await withServer([(_, response) => response.end("<html>")], async (channel) => {
    const reply = await channel.request("/x");
    assert.throws(() => channel.valueOf(reply), failure("unexpected"));
  });
});

test("a large body is compressed where the server takes that, and says whose it is", async () => {
  const bodies: [string | undefined, Buffer, IncomingMessage["headers"]][] = [];
  const answer: Answer = (request, response, body) => {
    bodies.push([request.headers["content-encoding"], body, request.headers]);
    response.end("{}");
  };
  await withServer([answer], async (channel) => {
    const body = { text: "é".repeat(5_000) };
    await channel.request("/x", { body });
    channel.compresses = true;
    await channel.request("/x", { body });
    await channel.request("/x", { body: {} });
    const [plain, compressed, small] = bodies;
    assert.deepEqual([plain[0], compressed[0], small[0]], [undefined, "gzip", undefined]);
    assert.deepEqual(JSON.parse(gunzipSync(compressed[1]).toString()), body);
    assert.ok(compressed[1].length < 500);
    assert.deepEqual([plain[2].authorization, plain[2]["hypertask-space"]], ["Bearer t", "s"]);
  });
});

const ABOUT = says(200, { supports: ["base", "versions", "batch", "since"], limits: {} });

const pageOf = (ids: string[], after: string | null): object => ({
  tasks: Object.fromEntries(ids.map((id) => [id, { server_state: { id }, rev: "1-a" }])),
  cursor: "e-1",
  after,
});

const idsOf = async (channel: Channel): Promise<string[][]> => {
  const pages = [];
  for await (const { states } of new Server({ url: channel.url, token: "t" }).pages()) pages.push([...states.keys()]);
  return pages;
};

test("the next page is asked for when the head of one says where it begins", async () => {
  let finish: () => void;
  const first: Answer = (_, response) => {
    response.writeHead(200, { "hypertask-after": "b" });
    response.flushHeaders();
    finish = () => void response.end(JSON.stringify(pageOf(["a", "b"], "b")));
  };
  const second: Answer = (request, response) => {
    assert.match(request.url!, /after=b$/);
    response.end(JSON.stringify(pageOf(["c"], null)));
    finish(); // not before
  };
  await withServer([ABOUT, first, second], async (channel) => assert.deepEqual(await idsOf(channel), [["a", "b"], ["c"]]));
});

test("an older server says it in the body alone", async () => {
  const answers = [ABOUT, says(200, pageOf(["a", "b"], "b")), says(200, pageOf(["c"], null))];
  await withServer(answers, async (channel) => assert.deepEqual(await idsOf(channel), [["a", "b"], ["c"]]));
});

test("a page that broke off, and ends elsewhere when it comes again, is followed by what is behind it", async () => {
  let breakOff: () => void;
  const broken: Answer = (_, response) => {
    response.writeHead(200, { "hypertask-after": "b", "content-length": "1000" });
    response.write("{");
    breakOff = () => void response.destroy();
  };
  const tooFar: Answer = (request, response) => {
    assert.match(request.url!, /after=b$/);
    response.end(JSON.stringify(pageOf(["c"], null)));
    breakOff();
  };
  const again = says(200, pageOf(["a", "a2"], "a2"), { "hypertask-after": "a2" });
  const behind: Answer = (request, response) => {
    assert.match(request.url!, /after=a2$/);
    response.end(JSON.stringify(pageOf(["b", "c"], null)));
  };
  await withServer([ABOUT, broken, tooFar, again, behind], async (channel) =>
    assert.deepEqual(await idsOf(channel), [["a", "a2"], ["b", "c"]]),
  );
});

test("Retry-After is a number of seconds or a date", () => {
  assert.equal(secondsOf(null), undefined);
  assert.equal(secondsOf("7"), 7);
  assert.equal(secondsOf("soon"), undefined);
  const seconds = secondsOf(new Date(Date.now() + 60_000).toUTCString())!;
  assert.ok(seconds > 57 && seconds <= 60, String(seconds));
  assert.equal(secondsOf(new Date(0).toUTCString()), 0);
});

function streamOf(chunks: readonly Uint8Array[], ends = true): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      if (ends) controller.close();
    },
  });
}

test("events are read however they are cut, with every kind of line end", async () => {
  const text = ': hello\n\nevent: changed\r\ndata: {"a":\r\ndata: "é"}\r\n\r\nid: 7\rdata:x\r\rdata\n\nevent: none\n\ndata: cut';
  const bytes = new TextEncoder().encode(text);
  const wanted: ServerEvent[] = [
    { event: "changed", data: '{"a":\n"é"}' },
    { event: "message", data: "x" },
    { event: "message", data: "" },
  ];
  for (let size = 1; size < 12; size += 1) {
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.slice(at * size, (at + 1) * size));
    const found: ServerEvent[] = [];
    for await (const event of readEvents(streamOf(chunks), 1_000, new AbortController())) found.push(event);
    assert.deepEqual(found, wanted, `in pieces of ${size}`);
  }
});
