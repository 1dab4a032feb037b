/** Any documents as a table: columns are inferred from what they have. */

import { computed, signal } from "@preact/signals";

import type { Document } from "../../../sdk/src/client.ts";
import { columnsOf } from "../domain/columns.ts";
import { newId } from "../domain/ids.ts";
import { sorted } from "../domain/listing.ts";
import { clipped, type Task } from "../domain/tasks.ts";
import { addressOf, current, engine, filter, go, mayWrite, route, selected, tasks, view } from "../state.ts";
import { sayError } from "../ui/messages.tsx";
import { VirtualList } from "../ui/virtual.tsx";
import { text } from "./history.tsx";
import { SearchField } from "./search.tsx";

const by = signal("id");
const downwards = signal(false);
const columns = computed(() => columnsOf(tasks.value));

/** In all of a document, names of fields too. */
const found = computed(() => {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = tasks.value.filter((doc) => {
    if (words.length === 0) return true;
    const whole = JSON.stringify(doc).toLowerCase();
    return words.every((word) => whole.includes(word));
  });
  const inOrder = sorted(fits, by.value, view.value);
  return downwards.value ? inOrder.reverse() : inOrder;
});

export const tableIds = computed(() => found.value.map(({ id }) => id));

const height = (): number => 40;

export function TablePage() {
  const widths = columns.value.map((_, place) => (place === 0 ? "minmax(10rem, 3fr)" : "minmax(6rem, 1fr)"));
  const layout = { gridTemplateColumns: `10rem ${widths.join(" ")}` };
  return (
    <section class="page table-page" aria-label="All documents">
      <div class="toolbar">
        <SearchField />
        <span class="count" role="status" dir="auto">
          {found.value.length === 1 ? "1 document" : `${found.value.length} documents`}
        </span>
        {mayWrite.value && (
          <button class="primary small" onClick={() => void addDocument()}>
            New document
          </button>
        )}
      </div>
      <div class="table">
        <div class="table-head" style={layout}>
          {["id", ...columns.value].map((name) => (
            <button
              key={name}
              aria-pressed={by.value === name}
              aria-label={`Sort by ${name}`}
              onClick={() => ([by.value, downwards.value] = [name, by.value === name && !downwards.value])}
            >
              <span dir="auto">{clipped(name, 60)}</span>
              {by.value === name && <span aria-hidden="true">{downwards.value ? "↓" : "↑"}</span>}
            </button>
          ))}
        </div>
        {found.value.length === 0 ? (
          <p class="empty">{tasks.value.length === 0 ? "The space is empty." : "Nothing fits."}</p>
        ) : (
          <VirtualList
            items={found.value}
            height={height}
            keyOf={(doc) => doc.id}
            label="Documents"
            row={(doc) => (
              <a
                class={`table-row ${route.value.id === doc.id ? "is-open" : ""} ${selected.value.has(doc.id) ? "is-selected" : ""}`}
                href={addressOf("table", doc.id)}
                data-task={doc.id}
                style={layout}
                onFocus={() => (current.value = doc.id)}
              >
                <code>{doc.id}</code>
                {columns.value.map((name) => (
                  <bdi key={name}>{cell(doc, name)}</bdi>
                ))}
              </a>
            )}
          />
        )}
      </div>
    </section>
  );
}

function cell(doc: Task, name: string): string {
  const value = Object.hasOwn(doc, name) ? doc[name] : "";
  const isPlain = Array.isArray(value) && value.every((one) => typeof one !== "object");
  return (isPlain ? value.join(", ") : text(value)).slice(0, 200);
}

async function addDocument(): Promise<void> {
  try {
    const id = newId();
    await engine.value!.put("Added: a document", { id } as Document);
    go("table", id);
  } catch (error) {
    sayError(error);
  }
}
