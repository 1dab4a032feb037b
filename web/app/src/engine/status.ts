/** How the sync of a space stands. */

import { ServerError } from "../../../sdk/src/transport/errors.ts";

export interface SyncStatus {
  /** `ok`: everything was said; `busy`: it is being said. */
  readonly state: "starting" | "busy" | "ok" | "offline" | "refused" | "out" | "failing";
  readonly pending: readonly string[];
  readonly refused: readonly { readonly id: string; readonly code: string; readonly reason: string }[];
  /** Many deletions that wait to be confirmed: made here, and made elsewhere. */
  readonly held: { readonly here: number; readonly there: number };
  /** Milliseconds since 1970, 0: never. */
  readonly agreedAt: number;
  readonly reason: string;
}

export const STARTING: SyncStatus = {
  state: "starting",
  pending: [],
  refused: [],
  held: { here: 0, there: 0 },
  agreedAt: 0,
  reason: "",
};

/** `open`: documents that are not in sync, those that were refused among them. `isOut`: nobody is signed in. */
export function stateOf(error: Error | undefined, open: number, refused: number, isOut: boolean): SyncStatus["state"] {
  if (isOut) return "out";
  if (error instanceof ServerError) {
    if (error.code === "access") return "refused";
    return error.passing ? "offline" : "failing";
  }
  if (error) return "failing";
  return refused > 0 ? "refused" : open > 0 ? "busy" : "ok";
}
