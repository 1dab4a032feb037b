/** Server-sent events (HTML Living Standard, 9.2), read from the body of a fetch: that can send a token. */

import { ServerError } from "./errors.ts";

export interface ServerEvent {
  readonly event: string;
  readonly data: string;
}

/**
 * The events of a stream. After `silence` milliseconds without a byte the stream is given up: `abort` is aborted with a
 * ServerError. When `abort` is aborted, by whom ever, the iteration rejects with its reason.
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  silence: number,
  abort: AbortController,
): AsyncGenerator<ServerEvent> {
  const reader = body.getReader();
  // Not left to the request: a platform may have forgotten its signal by then, and would read for ever.
  const cancel = (): void => void reader.cancel().catch(() => undefined);
  abort.signal.addEventListener("abort", cancel, { once: true });
  if (abort.signal.aborted) cancel();
  const decoder = new TextDecoder();
  let rest = "";
  let [event, data] = ["", [] as string[]];
  try {
    for (;;) {
      const timer = setTimeout(() => abort.abort(new ServerError("unreachable", "The stream of events is silent.")), silence);
      const { done, value } = await reader.read().finally(() => clearTimeout(timer));
      abort.signal.throwIfAborted();
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop()!;
      for (const line of lines) {
        if (line === "") {
          if (data.length > 0) yield { event: event || "message", data: data.join("\n") };
          [event, data] = ["", []];
          continue;
        }
        const [, field, text = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)!;
        if (field === "event") event = text;
        else if (field === "data") data.push(text);
      }
    }
  } finally {
    abort.signal.removeEventListener("abort", cancel);
    await reader.cancel().catch(() => undefined);
  }
}
