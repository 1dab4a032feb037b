/**
 * Who is signed in, and requests in his name. The session is a cookie that no script can read; what a request carries
 * beside it is the `csrf` that GET /session says, which pages of other sites can neither read nor send.
 */

import { signal } from "@preact/signals";

export interface Space {
  readonly space: string;
  readonly name: string;
  readonly role: "owner" | "editor" | "reader";
  readonly archived_at: number | null;
  readonly delete_at: number | null;
}

export interface Person {
  readonly user: string;
  readonly name: string;
  readonly administrator: boolean;
  readonly spaces: readonly Space[];
}

/** `unknown`: the server was not asked yet, or does not answer; what is remembered can be used all the same. */
export type Standing = "unknown" | "in" | "out";

/** A problem (RFC 9457), or no answer at all (`status` 0). */
export class RequestError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const REMEMBERED = "hypertask-person";
const HEADER = "hypertask-csrf";

export const person = signal<Person | undefined>(remembered());
export const standing = signal<Standing>("unknown");
let csrf: Promise<string> | undefined;

function remembered(): Person | undefined {
  try {
    return (JSON.parse(localStorage.getItem(REMEMBERED) ?? "null") as Person | null) ?? undefined;
  } catch {
    return undefined;
  }
}

function remember(found: Person | undefined): void {
  person.value = found;
  try {
    if (found) localStorage.setItem(REMEMBERED, JSON.stringify(found));
    else localStorage.removeItem(REMEMBERED);
  } catch {
    // No room: the next start asks the server.
  }
}

/** Asks who is signed in. Rejects with RequestError: 401 if nobody is, 0 if there is no answer. */
export async function begin(): Promise<void> {
  const asked = ask();
  csrf = asked.then((found) => found.csrf);
  csrf.catch(() => undefined);
  try {
    const found = await asked;
    const { spaces } = await call<{ spaces: Space[] }>("GET", "/spaces");
    standing.value = "in";
    remember({ user: found.user, name: found.name, administrator: found.administrator, spaces });
  } catch (error) {
    csrf = undefined;
    if (error instanceof RequestError && error.status === 401) standing.value = "out";
    throw error;
  }
}

interface Session {
  user: string;
  name: string;
  administrator: boolean;
  csrf: string;
}

async function ask(): Promise<Session> {
  return (await answered(await sent("/session", {}))) as Session;
}

/** A request in the name of who is signed in: its JSON. Rejects with RequestError. */
export async function call<T = unknown>(method: string, path: string, body?: unknown, headers: HeadersInit = {}): Promise<T> {
  const all = new Headers(headers);
  all.set(HEADER, await secret());
  if (body !== undefined) all.set("content-type", "application/json");
  const init = { method, headers: all, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  return (await answered(await sent(path, init))) as T;
}

/** `fetch` for the SDK: by the session, and without the token that it has none of. */
export const fetchBySession: typeof fetch = async (input, init = {}) => {
  const headers = new Headers(init.headers);
  headers.delete("authorization");
  headers.set(HEADER, await secret());
  const answer = await fetch(input, { ...init, headers, credentials: "same-origin" });
  if (answer.status === 401) signedOut();
  // The session may be another one by now, of another window.
  else if (answer.status === 403 && (await codeOf(answer.clone())) === "csrf") csrf = undefined;
  return answer;
};

async function secret(): Promise<string> {
  csrf ??= ask().then((found) => {
    // Somebody else has signed in, in another window: what is open here is not his.
    if (person.value && person.value.user !== found.user) {
      location.reload();
      throw new RequestError(401, "unauthenticated", "Somebody else is signed in now.");
    }
    standing.value = "in";
    return found.csrf;
  });
  try {
    return await csrf;
  } catch (error) {
    csrf = undefined;
    if (error instanceof RequestError && error.status === 401) signedOut();
    throw error;
  }
}

function signedOut(): void {
  csrf = undefined;
  standing.value = "out";
}

async function sent(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, { ...init, credentials: "same-origin", cache: "no-store", redirect: "error" });
  } catch {
    throw new RequestError(0, "unreachable", "There is no answer from the server.");
  }
}

async function answered(answer: Response): Promise<unknown> {
  const text = await answer.text();
  let value: unknown;
  try {
    value = text ? JSON.parse(text) : undefined;
  } catch {
    value = undefined;
  }
  if (answer.ok) return value;
  if (answer.status === 401) signedOut();
  const { code, detail, title } = (value ?? {}) as Record<string, unknown>;
  throw new RequestError(answer.status, String(code ?? ""), String(detail ?? title ?? `The server answers ${answer.status}.`));
}

async function codeOf(answer: Response): Promise<string> {
  try {
    return String(((await answer.json()) as { code?: unknown }).code);
  } catch {
    return "";
  }
}

/** Signs out, and forgets who was here. What is stored of the spaces is the caller's to remove. */
export async function signOut(): Promise<void> {
  await call("DELETE", "/session");
  remember(undefined);
  standing.value = "out";
  csrf = undefined;
}

/** Where somebody signs in, and comes back from. */
export const SIGN_IN = "/sign-in?next=%2Fapp%2F";
