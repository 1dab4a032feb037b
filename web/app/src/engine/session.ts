/**
 * Who is signed in, and requests in his name. The session is a cookie that no script can read; what a request carries
 * beside it is the `csrf` that GET /session says, which pages of other sites can neither read nor send.
 */

import { signal } from "@preact/signals";

import { lastUser } from "./last-user.ts";

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
let session: Promise<Session> | undefined;

function kept(): Person | undefined {
  try {
    return (JSON.parse(localStorage.getItem(REMEMBERED) ?? "null") as Person | null) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Whether the cookie that scripts may read names somebody else, or nobody any more. Without it nothing is known. */
function isGone(user: string): boolean {
  const last = lastUser(document.cookie);
  return last !== undefined && last !== user;
}

/** Who was here last; what the browser keeps of somebody who has signed out since then is not to be seen. */
function remembered(): Person | undefined {
  const found = kept();
  return found && !isGone(found.user) ? found : undefined;
}

/** The user of whom this browser may keep something though he has signed out, or somebody else has signed in. */
export function departed(): string | undefined {
  const found = kept();
  return found && isGone(found.user) ? found.user : undefined;
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
  const asked = (session = ask());
  try {
    const found = await asked;
    // What is open is somebody else's: it is closed at once, and nothing of it is sent in this one's name.
    if (person.value && person.value.user !== found.user) person.value = undefined;
    const { spaces } = await call<{ spaces: Space[] }>("GET", "/spaces");
    standing.value = "in";
    remember({ user: found.user, name: found.name, administrator: found.administrator, spaces });
  } catch (error) {
    session = undefined;
    if (error instanceof RequestError && error.status === 401) standing.value = "out";
    throw error;
  }
}

interface Session {
  readonly user: string;
  readonly name: string;
  readonly administrator: boolean;
  readonly csrf: string;
}

function ask(): Promise<Session> {
  const asked = sent("/session", {}).then(answered) as Promise<Session>;
  // Whoever waits for it hears of it.
  asked.catch(() => undefined);
  return asked;
}

/** A request in the name of who is signed in: its JSON. Rejects with RequestError. */
export async function call<T = unknown>(method: string, path: string, body?: unknown, headers: HeadersInit = {}): Promise<T> {
  const all = new Headers(headers);
  if (body !== undefined) all.set("content-type", "application/json");
  const init = { method, headers: all, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  return (await answered(await bySession(person.value?.user, all, () => sent(path, init)))) as T;
}

/** `fetch` for the SDK: by the session of `user`, never by another one's, and without the token that it has none of. */
export function fetchBy(user: string): typeof fetch {
  return async (input, init = {}) => {
    const headers = new Headers(init.headers);
    headers.delete("authorization");
    const answer = await bySession(user, headers, () => fetch(input, { ...init, headers, credentials: "same-origin" }));
    if (answer.status === 401) signedOut();
    return answer;
  };
}

/**
 * Sends what carries `headers` with the secret of the session. If that is another one by now, as somebody has signed in
 * once more in another window, it is asked for and the request is sent again: the server has taken nothing of the first.
 */
async function bySession(user: string | undefined, headers: Headers, send: () => Promise<Response>): Promise<Response> {
  headers.set(HEADER, await secret(user));
  const answer = await send();
  if (answer.status !== 403 || (await codeOf(answer.clone())) !== "csrf") return answer;
  session = undefined;
  headers.set(HEADER, await secret(user));
  return send();
}

/** What a request carries beside the cookie, if the session is of `user`. */
async function secret(user: string | undefined): Promise<string> {
  session ??= ask();
  const asked = session;
  let found: Session;
  try {
    found = await asked;
  } catch (error) {
    if (session === asked) session = undefined;
    if (error instanceof RequestError && error.status === 401) signedOut();
    throw error;
  }
  if (user !== undefined && found.user !== user) {
    // Somebody else has signed in, in another window: what is open here is not his.
    if (person.value?.user === user) location.reload();
    throw new RequestError(401, "unauthenticated", "Somebody else is signed in now.");
  }
  standing.value = "in";
  return found.csrf;
}

function signedOut(): void {
  session = undefined;
  standing.value = "out";
  // Not for a while, but on purpose, in another window.
  if (person.value && isGone(person.value.user)) location.reload();
}

/** Somebody comes back to this page, perhaps not who left it: what is open of who is gone is not to be seen, network or not. */
function looked(): void {
  if (document.visibilityState === "visible" && person.value && isGone(person.value.user)) location.reload();
}

for (const event of ["focus", "pageshow"]) addEventListener(event, looked);
document.addEventListener("visibilitychange", looked);
addEventListener("storage", ({ key }) => {
  if (key === REMEMBERED && person.value && kept()?.user !== person.value.user) location.reload();
});

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

/** Signs out, also where the session has ended already, and forgets who was here. What is stored of the spaces is the caller's to remove. */
export async function signOut(): Promise<void> {
  try {
    await call("DELETE", "/session");
  } catch (error) {
    if (!(error instanceof RequestError && error.status === 401)) throw error;
  }
  remember(undefined);
  signedOut();
}

/** Where somebody signs in, and comes back from. */
export const SIGN_IN = "/sign-in?next=%2Fapp%2F";
