/** What the invitations of a server and those of a space share. */

import type { ComponentChildren } from "preact";

import { change, day } from "./loaded.tsx";

/** A link that was just made; nothing if there is none. */
export function MadeLink({ link }: { link: string }) {
  if (!link) return null;
  return (
    <div class="notice" role="status">
      <p>Send this link to one person. It works once, and is shown this once.</p>
      <input readOnly value={link} aria-label="The link of the invitation" onFocus={(event) => event.currentTarget.select()} />
    </div>
  );
}

/** One that is open. `path`: what ends it; `said`: once it is withdrawn; `again`: loads the list. */
export function Invitation(options: { expires: number; path: string; said: string; again: () => void; children: ComponentChildren }) {
  return (
    <li class="panel line">
      {options.children}
      <span class="hint">until {day(options.expires)}</span>
      <span class="spring" />
      <button class="danger small" onClick={() => void change("DELETE", options.path, undefined, options.said, options.again)}>
        Withdraw
      </button>
    </li>
  );
}
