/** Requests to one server: repeated when it says "not now", compressed, and with every failure as a ServerError. */

import { ServerError } from "./errors.ts";

export interface ChannelOptions {
  /** The address of the server. */
  readonly url: string;
  readonly token: string;
  /** The space that is meant; without it the token's own. */
  readonly space?: string | undefined;
  /** Instead of the platform's. */
  readonly fetch?: typeof fetch | undefined;
  readonly sleep?: ((milliseconds: number, signal?: AbortSignal) => Promise<void>) | undefined;
}

export interface RequestOptions {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** Is told the headers of a good answer before its body comes; again, if that breaks off and is asked for once more. */
  readonly begun?: ((headers: Headers) => void) | undefined;
}

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly value: unknown;
}

const TURNED_AWAY = new Set([429, 502, 503, 504]);
const ATTEMPTS = 4;
const BASE = 100;
const CAP = 2_000;
/** The longest Retry-After that is waited for here; seconds. */
const PATIENCE = 5;
const TIMEOUT = 60_000;
/** Bytes from which a body is compressed. */
const COMPRESS_FROM = 1_000;
const WRITES_REFUSED = new Set(["read-only", "space-archived"]);

export class Channel {
  readonly url: string;
  /** Whether bodies may be compressed; known once the server was asked. */
  compresses = false;
  private readonly fetch: typeof fetch;
  private readonly sleep: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
  private readonly headers: Record<string, string>;

  constructor({ url, token, space, fetch: given, sleep: pause = sleep }: ChannelOptions) {
    this.url = url.replace(/\/+$/, "");
    this.fetch = given ?? ((input, init) => fetch(input, init));
    this.sleep = pause;
    this.headers = { authorization: `Bearer ${token}`, ...(space === undefined ? {} : { "hypertask-space": space }) };
  }

  /** The first answer that is not "not now", with its JSON. Rejects with ServerError. */
  async request(path: string, options: RequestOptions = {}): Promise<Reply> {
    const { body, headers } = await this.encoded(options.body);
    for (let failures = 1; ; failures += 1) {
      options.signal?.throwIfAborted();
      let failure: ServerError;
      const limit = following(options.signal);
      const timer = setTimeout(() => limit.controller.abort(new DOMException("no answer in time", "TimeoutError")), TIMEOUT);
      try {
        const answer = await this.fetch(this.url + path, {
          method: options.method ?? (body === undefined ? "GET" : "POST"),
          headers: { ...this.headers, ...headers, ...options.headers },
          signal: limit.controller.signal,
          redirect: "error",
          credentials: "omit",
          cache: "no-store",
          ...(body === undefined ? {} : { body }),
        });
        if (answer.status === 200) options.begun?.(answer.headers);
        const value = parsed(await answer.text());
        if (!TURNED_AWAY.has(answer.status)) return this.letIn({ status: answer.status, headers: answer.headers, value });
        failure = this.turnedAway(answer, value);
      } catch (error) {
        options.signal?.throwIfAborted();
        if (error instanceof ServerError) throw error;
        failure = this.unreachable(error);
      } finally {
        clearTimeout(timer);
        limit.release();
      }
      const { retryAfter } = failure;
      if (failures >= ATTEMPTS || (retryAfter ?? 0) > PATIENCE) throw failure;
      await this.sleep((retryAfter ?? 0) * 1_000 + delay(failures), options.signal);
    }
  }

  /** An answer that goes on and on: its body. Rejects with ServerError. */
  async stream(path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Response> {
    let answer: Response;
    try {
      answer = await this.fetch(this.url + path, {
        headers: { ...this.headers, accept: "text/event-stream", ...headers },
        signal,
        redirect: "error",
        credentials: "omit",
        cache: "no-store",
      });
    } catch (error) {
      signal.throwIfAborted();
      throw this.unreachable(error);
    }
    if (answer.status === 200) return answer;
    const value = parsed(await answer.text());
    if (TURNED_AWAY.has(answer.status)) throw this.turnedAway(answer, value);
    this.letIn({ status: answer.status, headers: answer.headers, value });
    return answer;
  }

  /** The value of an answer that has to be one. */
  valueOf(reply: Reply): Record<string, unknown> {
    const { status, value } = reply;
    if (status === 200 && typeof value === "object" && value !== null) return value as Record<string, unknown>;
    throw this.unexpected(`status ${status}: ${reasonOf(value)}`);
  }

  unexpected(detail: string): ServerError {
    return new ServerError("unexpected", `${this.url} does not answer as a Hypertask server: ${detail}`);
  }

  private letIn(reply: Reply): Reply {
    const code = codeOf(reply.value);
    if (reply.status === 401 || (reply.status === 403 && !WRITES_REFUSED.has(code)))
      throw new ServerError("access", `${this.url} does not let this device in: ${reasonOf(reply.value)}`);
    return reply;
  }

  private turnedAway(answer: Response, value: unknown): ServerError {
    const retryAfter = secondsOf(answer.headers.get("retry-after"));
    const message = `${this.url} is busy or not ready: ${reasonOf(value)}`;
    return new ServerError("unavailable", message, retryAfter === undefined ? {} : { retryAfter });
  }

  private unreachable(cause: unknown): ServerError {
    return new ServerError("unreachable", `There is no answer from ${this.url}: ${String(cause)}`, { cause });
  }

  private async encoded(value: unknown): Promise<{ body?: BodyInit; headers: Record<string, string> }> {
    if (value === undefined) return { headers: {} };
    const [body, headers] = [JSON.stringify(value), { "content-type": "application/json" }];
    if (!this.compresses || body.length < COMPRESS_FROM || typeof CompressionStream === "undefined")
      return { body, headers };
    const stream = new Blob([body]).stream().pipeThrough(new CompressionStream("gzip"));
    return { body: await new Response(stream).arrayBuffer(), headers: { ...headers, "content-encoding": "gzip" } };
  }
}

function delay(failures: number): number {
  return Math.random() * Math.min(CAP, BASE * 2 ** (failures - 1));
}

/** undefined for what is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** The Retry-After header: seconds or a date. */
export function secondsOf(header: string | null): number | undefined {
  if (header === null) return undefined;
  if (/^\s*\d+\s*$/.test(header)) return Number(header);
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, (at - Date.now()) / 1_000);
}

interface Problem {
  readonly code?: unknown;
  readonly detail?: unknown;
  readonly title?: unknown;
  readonly pointer?: unknown;
}

export function codeOf(value: unknown): string {
  const { code } = (value ?? {}) as Problem;
  return typeof code === "string" ? code : "";
}

/** A sentence for people, from a problem (RFC 9457). */
export function reasonOf(value: unknown): string {
  const { detail, title, pointer } = (value ?? {}) as Problem;
  const text = String(detail ?? title ?? "no reason given").replace(/\.$/, "");
  return pointer === undefined ? `${text}.` : `${text}. At ${String(pointer)}.`;
}

/**
 * A controller that is aborted with the signal, until it is released. Not `AbortSignal.any`: what that makes may be
 * collected while somebody waits for it, and is never aborted then.
 */
export function following(signal?: AbortSignal): { controller: AbortController; release: () => void } {
  const controller = new AbortController();
  const abort = (): void => controller.abort(signal!.reason);
  if (signal?.aborted) abort();
  else signal?.addEventListener("abort", abort, { once: true });
  return { controller, release: () => signal?.removeEventListener("abort", abort) };
}

/** Resolves after a while; rejects when it is aborted. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => {
      clearTimeout(timer);
      reject(signal!.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", aborted);
      resolve();
    }, milliseconds);
    if (signal?.aborted) aborted();
    else signal?.addEventListener("abort", aborted, { once: true });
  });
}

/** Wakes who waits for it. It is heard as well by who waits a little later. */
export class Bell {
  private rung = false;
  private wake: () => void = () => {};

  ring(): void {
    this.rung = true;
    this.wake();
  }

  /** What rang until now is forgotten. */
  reset(): void {
    this.rung = false;
  }

  /** Until it rings, so many milliseconds are over, or it is aborted. */
  async wait(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (this.rung) return;
    const { controller, release } = following(signal);
    this.wake = () => controller.abort();
    await sleep(milliseconds, controller.signal).catch(() => undefined);
    release();
  }
}
