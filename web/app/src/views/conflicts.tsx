/** Where two devices edited the same field one edit lost: which, and the way to take the other side. */

import { set } from "../deeds.ts";
import type { FieldConflict, StoredConflict } from "../engine/conflicts.ts";
import { namesOf, withOther } from "../domain/places.ts";
import { clipped, type Task } from "../domain/tasks.ts";
import { addressOf, engine, mayWrite, now } from "../state.ts";
import { text } from "./history.tsx";
import { age } from "./sync.tsx";

export function ConflictsPage() {
  const { conflicts } = engine.value!;
  const all = conflicts.value;
  return (
    <section class="page text" aria-label="Conflicts">
      <div class="page-head">
        <h1>Conflicts</h1>
        {all.length > 0 && (
          <button class="quiet small" onClick={() => void engine.value!.dismiss(all.map(({ key }) => key!))}>
            I have seen all
          </button>
        )}
      </div>
      <p class="lead">
        Edits of different fields meet by themselves. Where two devices changed the same field, one of the two had to stand.
        Both are kept here until you have seen them.
      </p>
      {all.length === 0 ? (
        <div class="empty">
          <p class="empty-title">None</p>
          <p>No edit of yours has lost against another one.</p>
        </div>
      ) : (
        <ul class="cards">
          {all.map((conflict) => (
            <ConflictCard key={conflict.key} conflict={conflict} />
          ))}
        </ul>
      )}
    </section>
  );
}

function ConflictCard({ conflict }: { readonly conflict: StoredConflict }) {
  const { key, id, title, at, by, fields } = conflict;
  return (
    <li class="panel">
      <div class="panel-head">
        <h2>
          <a href={addressOf("list", id)} dir="auto">
            {title}
          </a>
        </h2>
        <span class="hint">
          {age(at, now.value * 1000)}, decided {by === "here" ? "in this browser" : "by the server"}
        </span>
      </div>
      {fields.map((field) => (
        <Field key={field.path} id={id} field={field} />
      ))}
      <div class="dialog-actions">
        <button class="quiet small" onClick={() => void engine.value!.dismiss([key!])}>
          Seen
        </button>
      </div>
    </li>
  );
}

function Field({ id, field }: { readonly id: string; readonly field: FieldConflict }) {
  const path = namesOf(field.path);
  const now = engine.value!.docs.value.get(id);
  const canTake = mayWrite.value && !field.hidden && withOther(now, path, field.kept, field.dropped) !== undefined;
  return (
    <div class="sides">
      <h3 dir="auto">{clipped(path.join(" › "), 300) || "The whole document"}</h3>
      {field.hidden ? (
        <p class="hint">The values are not kept here. The history has them.</p>
      ) : (
        <dl>
          <dt>Stands</dt>
          <dd dir="auto">{shown(field.kept)}</dd>
          <dt>Was dropped</dt>
          <dd dir="auto">
            {shown(field.dropped)}
            {canTake && (
              <button class="link" onClick={() => void take(id, path, field)}>
                Take the other side
              </button>
            )}
          </dd>
        </dl>
      )}
    </div>
  );
}

function shown(value: unknown): string {
  return value === undefined ? "nothing" : clipped(text(value), 2_000);
}

async function take(id: string, path: readonly string[], { kept, dropped }: FieldConflict): Promise<void> {
  await set([id], (task) => (withOther(task, path, kept, dropped) as Task | undefined) ?? task);
}
