/**
 * What becomes of a document when the server has answered.
 *
 * | sent | here now | answered | here then |
 * |---|---|---|---|
 * | S | S | T | T |
 * | S | D, newer | T | D's edits since S on T |
 * | S | D, newer | none | D, on the tombstone, with S as shadow |
 * | S | deleted | S, or none | deleted |
 * | S | deleted | T | T: the edit of somebody else wins |
 * | a deletion | created again | T, or none | what was created, on T |
 */

import { contentHash } from "../json/canonical.ts";
import { equal } from "../json/values.ts";
import type { Conflict } from "../merge/objects.ts";
import { CREATED, isTombstone, NOTHING, type Answer, type Body, type DocumentRecord, type Pending } from "./records.ts";

/** The new state of a document and of what is remembered, to be stored as one. */
export interface NextState {
  readonly doc: Body | null;
  readonly record: DocumentRecord;
  /** Decided here. */
  readonly conflicts: readonly Conflict[];
}

/**
 * Puts the edits from `base` to `mine` onto `state`; where both changed a place, mine stand. It is given, not imported:
 * merging is half of this library, and only needed when somebody edits while a request is under way.
 */
export type MergeOnto = (
  base: Body | null,
  state: Body,
  mine: Body,
) => { readonly doc: Body; readonly conflicts: readonly Conflict[] };

/** `now`: what is here at this moment. `unedited`: it was sent as it had been agreed on, to be verified. */
export function onAnswer(
  pending: Pick<Pending, "body" | "shadow">,
  now: Body | null,
  answer: Answer,
  mergeOnto: MergeOnto,
  unedited = false,
): NextState {
  const sent = isTombstone(pending.body) ? null : pending.body;
  const kept = same(now, sent);
  // It is gone there. The next plan removes all such documents together, so that the guard sees how many.
  if (unedited && answer.state === null && sent !== null && kept) return nextState(now, remembered(answer, sent));
  if (kept) return nextState(answer.state, agreed(answer));
  if (now === null) return nextState(same(answer.state, sent) ? null : answer.state, agreed(answer));
  if (answer.state === null) return nextState(now, remembered(answer, sent));
  const { doc, conflicts } = mergeOnto(sent ?? pending.shadow, answer.state, now);
  return { doc, record: agreed(answer), conflicts };
}

/** Whether `onAnswer` will have to merge. */
export function mustMerge(pending: Pick<Pending, "body">, now: Body | null, answer: Answer): boolean {
  return now !== null && answer.state !== null && !same(now, isTombstone(pending.body) ? null : pending.body);
}

/** For an answer to nothing that was sent. undefined: the document was edited meanwhile, so the edit goes first. */
export function onFetched(shadow: Body | null, now: Body | null, answer: Answer): NextState | undefined {
  if (!same(now, shadow) && !same(now, answer.state)) return undefined;
  return nextState(answer.state, agreed(answer));
}

interface Position {
  readonly sequence: number;
  readonly history: string | undefined;
}

const REV = /^(\d{1,19})(?:\.([0-9a-z]{1,64}))?(?:\.[0-9a-z]{1,64}~[0-9a-z]{1,11}){0,8}-([^-]*)(-deleted)?$/;
const CURSOR = /^([0-9a-z]{1,64})-(\d{1,18})$/;

/** Whether the answer is of a server that was put back: it does not know the base any more. */
export function isForgotten(base: string | null, rev: string | null): boolean {
  if (base === null || base === CREATED || rev === null) return false;
  const [before, now] = [positionOfRev(base), positionOfRev(rev)];
  if (!before) return rev === CREATED;
  return !now || now.sequence < before.sequence;
}

/**
 * Whether the server may not know one of the bases any more though it takes the cursor `listened`: it gave out the base
 * after that cursor, and in another history than that of the cursor `now`.
 */
export function mayBeLost(bases: Iterable<string>, listened: string | null, now: string | null): boolean {
  const [then, here] = [positionOfCursor(listened), positionOfCursor(now)];
  if (!then || !here || then.history === here.history) return false;
  for (const base of bases) {
    const at = positionOfRev(base);
    if (at && at.sequence > then.sequence && at.history !== here.history) return true;
  }
  return false;
}

function positionOfRev(text: string): Position | undefined {
  const found = REV.exec(text);
  if (!found || (found[3] === "" && found[4] === undefined)) return undefined;
  return { sequence: Number(found[1]), history: found[2] };
}

function positionOfCursor(text: string | null): Position | undefined {
  const found = text === null ? null : CURSOR.exec(text);
  return found ? { sequence: Number(found[2]), history: found[1] } : undefined;
}

/** What is remembered when this client and the server are at the answered state. */
export function agreed(answer: Answer): DocumentRecord {
  return remembered(answer, answer.state);
}

function remembered(answer: Answer, shadowBody: Body | null): DocumentRecord {
  return {
    ...NOTHING,
    base: answer.rev,
    gone: answer.state === null,
    shadow: shadowBody && (shadowBody === answer.state ? answer.hash : contentHash(shadowBody)),
    shadowBody,
    remote: answer.hash,
  };
}

function nextState(doc: Body | null, record: DocumentRecord): NextState {
  return { doc, record, conflicts: [] };
}

function same(a: Body | null, b: Body | null): boolean {
  return equal(a, b);
}
