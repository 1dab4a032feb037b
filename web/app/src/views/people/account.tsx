/** Oneself: signing out, and what this browser keeps. */

import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";

import { person, signOut, SIGN_IN } from "../../engine/session.ts";
import { removeStored, unsentOf } from "../../engine/stored.ts";
import { engine } from "../../state.ts";
import { sayError } from "../../ui/messages.tsx";
import { size } from "./loaded.tsx";

const room = signal<{ readonly usage: number; readonly quota: number; readonly kept: boolean } | undefined>(undefined);

export function AccountPage() {
  useEffect(() => void look().catch(() => undefined), []);
  const [unsent, setUnsent] = useState(0);
  const leave = async (losing: number): Promise<void> => {
    try {
      const { user } = person.value!;
      // Whatever the status says: an edit may have been made just now, or in another space.
      const count = await unsentOf(user);
      if (count > losing) return setUnsent(count);
      const open = engine.value;
      await signOut();
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
      {unsent > 0 ? (
        <div class="notice" role="alert">
          <p>
            {unsent === 1 ? "One edit was" : `${unsent} edits were`} not sent yet. Signing out removes what is stored in this browser, of
            all spaces: wait until it says “In sync” in each, or lose {unsent === 1 ? "it" : "them"}.
          </p>
          <div class="dialog-actions">
            <button class="quiet" onClick={() => setUnsent(0)}>
              Stay
            </button>
            <button class="danger" onClick={() => void leave(unsent)}>
              Sign out and lose {unsent === 1 ? "it" : "them"}
            </button>
          </div>
        </div>
      ) : (
        <>
          <p class="hint">What is stored in this browser is removed; the server has all of it.</p>
          <p>
            <button class="quiet" onClick={() => void leave(0)}>
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
