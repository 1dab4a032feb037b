/** What pages about people ask the server for: it is there, on its way, or cannot be had now. */

import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useState } from "preact/hooks";

import { call } from "../../engine/session.ts";
import { say, sayError } from "../../ui/messages.tsx";
import { sentence } from "../../ui/sentences.ts";

export interface Loaded<T> {
  readonly value: T | undefined;
  readonly error: string;
  /** Asks again. */
  readonly again: () => void;
}

/** `path` empty: nothing is asked. */
export function useLoaded<T>(path: string): Loaded<T> {
  const [value, setValue] = useState<T | undefined>(undefined);
  const [error, setError] = useState("");
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let isCurrent = true;
    if (path)
      call<T>("GET", path).then(
        (found) => isCurrent && (setValue(() => found), setError("")),
        (failure: unknown) => isCurrent && setError(sentence(failure)),
      );
    return () => {
      isCurrent = false;
    };
  }, [path, turn]);
  return { value, error, again: useCallback(() => setTurn((before) => before + 1), []) };
}

/** Asks the server for a change; says what was done, or why it was not. Returns what it answered. */
export async function change<T>(method: string, path: string, body: unknown, done: string, then: () => void): Promise<T | undefined> {
  try {
    const found = await call<T>(method, path, body);
    if (done) say(done);
    then();
    return found;
  } catch (error) {
    sayError(error);
    return undefined;
  }
}

export function Waiting({ of, children }: { readonly of: Loaded<unknown>; readonly children?: ComponentChildren }) {
  if (of.error)
    return (
      <div class="notice">
        <p role="alert">{of.error}</p>
        <button class="quiet small" onClick={of.again}>
          Try again
        </button>
      </div>
    );
  if (of.value === undefined) return <p class="hint">Asking the server …</p>;
  return <>{children}</>;
}

export function day(seconds: number | null | undefined): string {
  return seconds == null ? "never" : new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }).format(seconds * 1000);
}

export function size(bytes: number | null | undefined): string {
  if (bytes == null) return "not counted yet";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
