/** Oneself: signing out, and what this browser keeps. */

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { person, signOut, SIGN_IN } from "../../engine/session.ts";
import { removeStored } from "../../engine/space.ts";
import { engine } from "../../state.ts";
import { sayError } from "../../ui/messages.tsx";
import { size } from "./loaded.tsx";

const room = signal<{ readonly usage: number; readonly quota: number; readonly kept: boolean } | undefined>(undefined);

export function AccountPage() {
  useEffect(() => void look().catch(() => undefined), []);
  const { status } = engine.value!;
  const waits = status.value.pending.length + status.value.refused.length;
  const leave = async (): Promise<void> => {
    try {
      const { user } = person.value!;
      await signOut();
      const open = engine.value;
      engine.value = undefined;
      await open?.close();
      await removeStored(user);
      location.replace(SIGN_IN);
    } catch (error) {
      sayError(error);
    }
  };
  return (
    <section class="page text" aria-label="Account">
      <div class="page-head">
        <h1 dir="auto">{person.value?.name}</h1>
      </div>
      <p class="lead">
        Name, e-mail address, password, export and deletion are on <a href="/account">the page of your account</a>.
      </p>
      <h2 class="section-head">In this browser</h2>
      <dl class="facts-list">
        <dt>Stored</dt>
        <dd>{room.value ? `${size(room.value.usage)} of ${size(room.value.quota)}` : "not known"}</dd>
        <dt>Kept when room is short</dt>
        <dd>
          {room.value?.kept ? "yes" : "not promised"}
          {room.value && !room.value.kept && (
            <button class="link" onClick={() => void navigator.storage.persist().then(look)}>
              Ask the browser
            </button>
          )}
        </dd>
      </dl>
      <h2 class="section-head">Sign out</h2>
      {waits > 0 ? (
        <div class="notice">
          <p>
            {waits === 1 ? "One edit was" : `${waits} edits were`} not sent yet. Signing out removes what is stored in this browser, so wait
            until it says “In sync”, or lose {waits === 1 ? "it" : "them"}.
          </p>
          <button class="danger" onClick={() => void leave()}>
            Sign out and lose {waits === 1 ? "it" : "them"}
          </button>
        </div>
      ) : (
        <>
          <p class="hint">What is stored in this browser is removed; the server has all of it.</p>
          <p>
            <button class="quiet" onClick={() => void leave()}>
              Sign out
            </button>
          </p>
        </>
      )}
    </section>
  );
}

async function look(): Promise<void> {
  const [{ usage = 0, quota = 0 }, kept] = await Promise.all([navigator.storage.estimate(), navigator.storage.persisted()]);
  room.value = { usage, quota, kept };
}
