/** What keys do, as `?` shows it; made from the table that acts. */

import { helpOpen } from "../state.ts";
import { Dialog } from "../ui/dialog.tsx";
import { shownKey, type Key } from "../ui/keys.ts";

export function HelpDialog({ keys }: { readonly keys: readonly Key[] }) {
  const groups = [...new Set(keys.map(({ group }) => group))];
  return (
    <Dialog title="Keyboard" wide onClose={() => (helpOpen.value = false)}>
      <div class="help">
        {groups.map((group) => (
          <section key={group}>
            <h3>{group}</h3>
            <dl>
              {keys
                .filter((key) => key.group === group)
                .map((key) => [
                  <dt key={`${key.label}:`}>
                    {key.keys.slice(0, 2).map((one, place) => [
                      place > 0 ? " or " : "",
                      shownKey(one).map((part) => <kbd key={part}>{part}</kbd>),
                    ])}
                  </dt>,
                  <dd key={key.label}>{key.label}</dd>,
                ])}
            </dl>
          </section>
        ))}
      </div>
      <h3>Words for adding and finding</h3>
      <p class="hint">
        As on the command line: <code>buy milk +errand project:home due:friday priority:H</code> adds;{" "}
        <code>+errand -shop project:home due.before:eow</code> finds, and so does any part of a text. Days are{" "}
        <code>today</code>, <code>friday</code>, <code>3d</code>, <code>eom</code>, <code>2030-01-02</code>,{" "}
        <code>monday-1d</code>. Join with <code>and</code> <code>or</code> <code>( )</code>.
      </p>
    </Dialog>
  );
}
