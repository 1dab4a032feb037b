/** What repeating tasks have due by now is made, as `hypertask list` does: by the tab that syncs. Nobody's deed: undo leaves it. */

import { computed, effect } from "@preact/signals";

import { isPattern, numbersTaken, occurrences } from "./domain/recurrence.ts";
import type { Document } from "../../sdk/src/client.ts";
import { engine, mayWrite, now, tasks } from "./state.ts";

const patterns = computed(() => tasks.value.filter(isPattern));
/** Before the first sync nobody knows what was made elsewhere. */
const isReady = computed(() => {
  const its = engine.value;
  return its !== undefined && its.leads.value && its.loaded.value && mayWrite.value && its.status.value.agreedAt > 0;
});

let isMaking = false;

export function keepMaking(): void {
  effect(() => {
    const [found, at] = [patterns.value, now.value];
    // What there is no room for is tried again with the next minute; an edit says why there is none.
    if (isReady.value && found.length > 0) void make(at).catch(() => undefined);
  });
}

async function make(at: number): Promise<void> {
  if (isMaking) return;
  isMaking = true;
  try {
    const [its, taken] = [engine.peek()!, numbersTaken(tasks.peek())];
    for (const pattern of patterns.peek()) {
      const made = occurrences(pattern, at, taken.get(pattern.id));
      if (!made || made.occurrences.length === 0) continue;
      await its.makeOccurrences(made.occurrences as Document[], pattern as Document, made.pattern as Document);
    }
  } finally {
    isMaking = false;
  }
}
