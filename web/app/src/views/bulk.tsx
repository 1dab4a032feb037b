/** What can be done with the tasks that are selected. */

import { useState } from "preact/hooks";

import { modify, remove, toggleDone } from "../deeds.ts";
import { mayWrite, selected } from "../state.ts";
import { sentence } from "../ui/sentences.ts";

export function BulkBar() {
  const [line, setLine] = useState("");
  const [error, setError] = useState("");
  const ids = [...selected.value];
  if (ids.length === 0) return null;
  const change = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (!line.trim()) return;
    try {
      await modify(ids, line);
      setLine("");
      setError("");
    } catch (failure) {
      setError(sentence(failure));
    }
  };
  return (
    <div class="bulk" role="region" aria-label="Selected tasks">
      <strong role="status" dir="auto">{ids.length} selected</strong>
      {mayWrite.value && (
        <>
          <button class="quiet small" onClick={() => void toggleDone(ids)}>
            Done
          </button>
          <form onSubmit={(event) => void change(event)}>
            <input
              id="bulk-words"
              value={line}
              onInput={(event) => (setLine(event.currentTarget.value), setError(""))}
              placeholder="Change all: +tag due:friday project:home"
              aria-label="Change all that are selected"
              aria-invalid={error ? true : undefined}
              autocomplete="off"
            />
            <button class="quiet small" disabled={!line.trim()}>
              Change
            </button>
          </form>
          <button class="danger small" onClick={() => void remove(ids)}>
            Delete
          </button>
        </>
      )}
      <button class="icon" aria-label="Select nothing" onClick={() => (selected.value = new Set())}>
        ×
      </button>
      {error && (
        <p class="field-error" role="alert">
          {error}
        </p>
      )}
    </div>
  );
}
