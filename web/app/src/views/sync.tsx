/** How the sync stands: a word in the bar, and all of it when asked. */

import { signal } from "@preact/signals";

import { SIGN_IN } from "../engine/session.ts";
import { titleOf, type Task } from "../domain/tasks.ts";
import type { SyncStatus } from "../engine/status.ts";
import { addressOf, engine, now } from "../state.ts";
import { Dialog } from "../ui/dialog.tsx";
import { Icon } from "../ui/icons.tsx";

export const syncOpen = signal(false);

const WORDS: Readonly<Record<SyncStatus["state"], string>> = {
  starting: "Connecting",
  busy: "Sending",
  ok: "In sync",
  offline: "Offline",
  refused: "Needs you",
  out: "Signed out",
  failing: "Cannot sync",
};

export function SyncButton() {
  const { state, pending } = engine.value!.status.value;
  const waits = pending.length > 0 && state !== "ok" ? ` · ${pending.length} waiting` : "";
  return (
    <>
      <button class={`sync ${state}`} onClick={() => (syncOpen.value = true)} aria-haspopup="dialog">
        <Icon name={state === "offline" || state === "out" ? "off" : "cloud"} />
        {WORDS[state]}
        {waits}
      </button>
      <span class="sr-only" role="status">
        {["offline", "out", "refused", "failing"].includes(state) ? WORDS[state] : ""}
      </span>
    </>
  );
}

export function SyncDialog() {
  const space = engine.value!;
  const { state, pending, refused, held, agreedAt, reason } = space.status.value;
  return (
    <Dialog title="Sync" onClose={() => (syncOpen.value = false)}>
      <p class="lead">{explained(space.status.value)}</p>
      <dl class="facts-list">
        <dt>Last success</dt>
        <dd>{agreedAt ? age(agreedAt, now.value * 1000) : "never in this browser"}</dd>
        <dt>Waiting to be sent</dt>
        <dd>{pending.length === 0 ? "nothing" : pending.length}</dd>
        <dt>Synced by</dt>
        <dd>{space.leads.value ? "this tab" : "another tab of this browser"}</dd>
      </dl>
      {state !== "ok" && reason && <p class="hint">{reason}</p>}
      {held.here + held.there > 0 && (
        <div class="notice">
          <p>
            {held.here > 0
              ? `${held.here} deletions made here wait: they are more than a quarter of the space.`
              : `${held.there} documents vanished elsewhere. They are kept here until you say so.`}
          </p>
          <button class="danger" onClick={() => void space.syncNow(true)}>
            {held.here > 0 ? "Delete them everywhere" : "Remove them here, too"}
          </button>
        </div>
      )}
      {refused.length > 0 && (
        <>
          <h3>Not taken by the server</h3>
          <p class="hint">They are kept here, and sent again when you change them.</p>
          <ul class="plain-list">
            {refused.map(({ id, code, reason: why }) => (
              <li key={id}>
                <a href={addressOf("list", id)} onClick={() => (syncOpen.value = false)}>
                  {titleOf((space.docs.value.get(id) ?? { id }) as Task)}
                </a>
                <span class="hint">
                  {why} {ADVICE[code] ?? ""}
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
      <div class="dialog-actions">
        {state === "out" && (
          <a class="button primary" href={SIGN_IN}>
            Sign in
          </a>
        )}
        <button class={state === "out" ? "quiet" : "primary"} onClick={() => void space.syncNow()}>
          Sync now
        </button>
      </div>
    </Dialog>
  );
}

const ADVICE: Readonly<Record<string, string>> = {
  "read-only": "Ask the owner of the space to make you an editor.",
  "space-archived": "Ask the owner to take the space out of the archive.",
  "quota-exceeded": "Delete what is not needed, or ask for more room.",
  "too-large": "Make the document smaller.",
  "invalid-document": "Open it, and correct the field that is named.",
};

function explained({ state, pending }: SyncStatus): string {
  switch (state) {
    case "ok":
      return "Everything here is on the server, and the other way round.";
    case "starting":
      return "The server is being asked.";
    case "busy":
      return "Your edits are stored here and on their way.";
    case "offline":
      return pending.length > 0
        ? "The server does not answer. Your edits are stored in this browser and are sent when it is back."
        : "The server does not answer. You can go on; what you change is sent when it is back.";
    case "out":
      return "You are signed out. Your edits are stored in this browser and are sent after you sign in.";
    case "refused":
      return "Something is not accepted. Nothing is lost; see below what to do.";
    case "failing":
      return "The sync failed. Your edits are stored in this browser, and it is tried again.";
  }
}

/** "3 minutes ago". */
export function age(at: number, nowMilliseconds: number): string {
  const seconds = Math.max(0, (nowMilliseconds - at) / 1000);
  const format = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  if (seconds < 60) return "just now";
  if (seconds < 3600) return format.format(-Math.round(seconds / 60), "minute");
  if (seconds < 86_400) return format.format(-Math.round(seconds / 3600), "hour");
  return format.format(-Math.round(seconds / 86_400), "day");
}
