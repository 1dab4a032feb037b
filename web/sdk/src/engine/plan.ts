/**
 * What has to travel between a client and a server.
 *
 * | here | there | since the last agreement | action |
 * |---|---|---|---|
 * | any | any | a state is on its way | resend |
 * | A | A | | adopt, if it is not remembered yet |
 * | none | none | there was one | fetch: the rev of the tombstone |
 * | A | other | not edited here | fetch |
 * | A | other | edited here | send |
 * | none | A | deleted here | delete |
 *
 * A server that was put back to an earlier state does not know what was agreed on since. Then each record is
 * *unverified* until the server has answered: what was agreed on is sent again, and never fetched over.
 */

import { canonicalBytes, contentHash, type ContentHash } from "../json/canonical.ts";
import { MAX_DOCUMENT_BYTES } from "../json/strict.ts";
import { CREATED, DELETED_KEY, type Body, type DocumentRecord, type Outline, type Pending } from "./records.ts";

export type Action =
  | { readonly kind: "resend"; readonly id: string }
  /** `created`: the server does not have it, and nothing is known of it. */
  | { readonly kind: "send"; readonly id: string; readonly created: boolean }
  | { readonly kind: "delete"; readonly id: string }
  /** `removes`: it is gone there, so it will go here. */
  | { readonly kind: "fetch"; readonly id: string; readonly removes: boolean }
  | { readonly kind: "adopt"; readonly id: string };

/** `actions` in the order of the ids; what waits for people, by the reason. */
export interface Plan {
  readonly actions: readonly Action[];
  readonly refused: readonly string[];
  /** So many were deleted here that the deletions must be confirmed. */
  readonly heldHere: readonly string[];
  /** So many vanished from the server that the removals must be confirmed. */
  readonly heldThere: readonly string[];
}

export interface PlanOptions {
  /** Many deletions are meant. */
  readonly confirmed?: boolean;
  /** So many documents that agree here, there and in what is remembered were left out. */
  readonly settled?: number;
}

const NOTHING: Outline = {
  base: null,
  gone: false,
  shadow: null,
  remote: null,
  pending: false,
  refused: null,
  unverified: false,
};
const ALWAYS_ALLOWED = 20;
const SHARE = 0.25;

/** `local`: the hashes of what is here. */
export function plan(
  local: ReadonlyMap<string, ContentHash>,
  outlines: ReadonlyMap<string, Outline>,
  { confirmed = false, settled = 0 }: PlanOptions = {},
): Plan {
  const actions: Action[] = [];
  const refused: string[] = [];
  for (const id of [...new Set([...local.keys(), ...outlines.keys()])].sort()) {
    const [outline, here] = [outlines.get(id) ?? NOTHING, local.get(id) ?? null];
    const action = actionFor(id, here, outline);
    if (!action) continue;
    if (isRefused(action, outline, here) && !(confirmed && here === null)) refused.push(id);
    else actions.push(action);
  }
  const known = [...outlines.values()].filter(({ shadow }) => shadow !== null).length + settled;
  const all = { actions, refused, heldHere: [], heldThere: [] };
  return confirmed ? all : guarded(all, outlines, known);
}

/** What is to be done with one document; undefined: nothing. `here`: the hash of what is here. */
export function actionFor(id: string, here: ContentHash | null, outline: Outline): Action | undefined {
  const { remote: there, shadow: before } = outline;
  if (outline.pending) return { kind: "resend", id };
  const unverified = outline.unverified && outline.base !== null;
  if (here === null && unverified) return { kind: "delete", id };
  if (here !== null && here === before && before !== there && unverified) return { kind: "send", id, created: false };
  if (here === there) {
    if (here === before && (outline.base !== null || here === null)) return undefined;
    return here === null ? { kind: "fetch", id, removes: false } : { kind: "adopt", id };
  }
  if (here === before) return { kind: "fetch", id, removes: there === null };
  if (here === null) return { kind: "delete", id };
  return { kind: "send", id, created: outline.base === null && there === null };
}

function isRefused(action: Action, { refused, remote }: Outline, here: ContentHash | null): boolean {
  if (!refused || (action.kind !== "send" && action.kind !== "delete")) return false;
  // What was too much together with the one state may go with another.
  return refused.hash === here && refused.remote === remote;
}

/** Holds back deletions, and removals, that are an unusual share of what was agreed on. */
function guarded(all: Plan, outlines: ReadonlyMap<string, Outline>, known: number): Plan {
  const limit = Math.max(ALWAYS_ALLOWED, SHARE * known);
  // A deletion that was agreed on before was let through then.
  const deletions = all.actions.filter(({ kind, id }) => kind === "delete" && outlines.get(id)!.shadow !== null);
  const removals = all.actions.filter((action) => action.kind === "fetch" && action.removes);
  const [heldHere, heldThere] = [deletions, removals].map((those) =>
    those.length > limit ? those.map(({ id }) => id) : [],
  );
  const held = new Set([...heldHere, ...heldThere]);
  return { ...all, actions: all.actions.filter(({ id }) => !held.has(id)), heldHere, heldThere };
}

/**
 * The state to send for one document. `body`: what is here now; null: it was deleted. undefined: nothing is to be sent
 * after all.
 *
 * `agreedOnce`: this client has agreed with the server on everything once. Without that nobody knows whether the document is
 * new: its own hash stands for the base, and the server goes by the content.
 */
export function pendingFor(id: string, record: DocumentRecord, body: Body | null, agreedOnce: boolean): Pending | undefined {
  // One that is too large is taken by nobody; its hash says enough.
  const shadow = record.shadowBody && !isTooLarge(record.shadowBody) ? record.shadowBody : null;
  if (body === null) {
    if (record.base === null || (record.shadowBody === null && !record.unverified)) return undefined;
    const whole: Body = { ...record.shadowBody, id, [DELETED_KEY]: true };
    const tombstone = isTooLarge(whole) ? { id, [DELETED_KEY]: true } : whole;
    return { body: tombstone, hash: contentHash(tombstone), base: record.base, shadow, attach: false };
  }
  const hash = contentHash(body);
  if (record.base !== null)
    return { body, hash, base: record.base, shadow, attach: record.gone && record.shadowBody !== null };
  if (record.remote === null && agreedOnce) return { body, hash, base: CREATED, shadow: null, attach: false };
  return { body, hash, base: hash, shadow: null, attach: true };
}

function isTooLarge(body: Body): boolean {
  return canonicalBytes(body).length > MAX_DOCUMENT_BYTES;
}
