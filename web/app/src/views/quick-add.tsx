/** One line that makes a task, in the words of the command line; what it understood is shown while one types. */

import { useRef, useState } from "preact/hooks";

import { add } from "../deeds.ts";
import { taskOf } from "../domain/modifications.ts";
import type { Task } from "../domain/tasks.ts";
import { splitLine } from "../domain/words.ts";
import { current, go, mayWrite, view } from "../state.ts";
import { Icon } from "../ui/icons.tsx";
import { say } from "../ui/messages.tsx";
import { sentence } from "../ui/sentences.ts";
import { Facts } from "./row.tsx";

export function QuickAdd() {
  const [line, setLine] = useState("");
  const [error, setError] = useState("");
  const field = useRef<HTMLInputElement>(null);
  const preview = understood(line);

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (!line.trim()) return;
    try {
      const id = await add(line);
      setLine("");
      setError("");
      current.value = id;
      say("Added.", { label: "Open", run: () => go("list", id) });
    } catch (failure) {
      setError(sentence(failure));
    }
    field.current?.focus();
  };

  if (!mayWrite.value) return null;
  return (
    <form class="quick-add" onSubmit={(event) => void submit(event)}>
      <Icon name="plus" />
      <input
        ref={field}
        id="quick-add"
        value={line}
        onInput={(event) => {
          setLine(event.currentTarget.value);
          setError("");
        }}
        placeholder="Add a task: buy milk +errand due:friday"
        aria-label="Add a task"
        aria-describedby={error ? "quick-add-error" : undefined}
        aria-invalid={error ? true : undefined}
        autocomplete="off"
        enterkeyhint="done"
        dir="auto"
      />
      {preview && <Facts task={preview} />}
      <button class="primary small" disabled={!line.trim()}>
        Add
      </button>
      {error && (
        <p class="field-error" id="quick-add-error" role="alert">
          {error}
        </p>
      )}
    </form>
  );
}

function understood(line: string): Task | undefined {
  if (!splitLine(line).some((word) => /^[+]|:/.test(word))) return undefined;
  try {
    return taskOf(line, "preview", Date.now() / 1000, view.value);
  } catch {
    return undefined; // it is not complete yet
  }
}
