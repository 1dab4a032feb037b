/** The list of tasks: filtered, sorted, grouped; and what can be done with several at once. */

import { computed } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { grouped, GROUPINGS, listed, sorted, SORTS } from "../domain/listing.ts";
import type { Task } from "../domain/tasks.ts";
import { current, engine, filter, grouping, mayWrite, narrow, selected, sort, tasks, view } from "../state.ts";
import { sentence } from "../ui/sentences.ts";
import { idsThere, isListThere, isTableThere, linksThere } from "../ui/there.ts";
import { VirtualList } from "../ui/virtual.tsx";
import { Empty } from "./empty.tsx";
import { QuickAdd } from "./quick-add.tsx";
import { Row } from "./row.tsx";
import { SearchField } from "./search.tsx";
import { tableIds } from "./table.tsx";

type Item =
  | { readonly kind: "head"; readonly key: string; readonly label: string; readonly count: number }
  | { readonly kind: "task"; readonly key: string; readonly task: Task };

const HEAD = 44;

/** All of them in the order that is asked for: a filter leaves it as it is, and need not sort while one types. */
const ordered = computed(() => sorted(tasks.value, sort.value!, view.value));

/** The tasks that fit the filter, or why it is none. */
export const fitting = computed<{ readonly tasks: readonly Task[]; readonly error: string }>(() => {
  try {
    return { tasks: listed(ordered.value, filter.value, view.value), error: "" };
  } catch (error) {
    return { tasks: [], error: sentence(error) };
  }
});

const items = computed<readonly Item[]>(() =>
  grouped(fitting.value.tasks, grouping.value!, view.value).flatMap(({ key, label, tasks: its }): Item[] => [
    ...(label ? [{ kind: "head" as const, key: `head ${key}`, label, count: its.length }] : []),
    ...its.map((task) => (key ? { kind: "task" as const, key: `${key} ${task.id}`, task } : lineOf(task))),
  ]),
);

/** A task is another object once it is changed; its line in no group is made once, not with each key that is typed. */
const lines = new WeakMap<Task, Item>();

function lineOf(task: Task): Item {
  let found = lines.get(task);
  if (!found) lines.set(task, (found = { kind: "task", key: ` ${task.id}`, task }));
  return found;
}

/** The ids as they are shown, one below the other. */
export const shownIds = computed(() => items.value.flatMap((item) => (item.kind === "task" ? [item.task.id] : [])));

export function ListPage() {
  const { tasks: found, error } = fitting.value;
  const place = items.value.findIndex((item) => item.kind === "task" && item.task.id === current.value);
  useEffect(() => {
    if (place >= 0) stood = { filter: filter.value, place: shownIds.value.indexOf(current.value!) };
  });
  return (
    <section class="page list-page" aria-label="Tasks">
      <QuickAdd />
      <div class="toolbar">
        <SearchField />
        <label class="pick">
          <span>Sort</span>
          <select value={sort.value} onChange={(event) => (sort.value = event.currentTarget.value)}>
            {SORTS.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <label class="pick">
          <span>Group</span>
          <select value={grouping.value} onChange={(event) => (grouping.value = event.currentTarget.value)}>
            {GROUPINGS.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <span class="count" role="status" dir="auto">
          {found.length === 1 ? "1 task" : `${found.length} tasks`}
        </span>
      </div>
      {error ? (
        <p class="field-error page-error" role="alert">
          {error}
        </p>
      ) : found.length === 0 ? (
        <Empty />
      ) : (
        <VirtualList
          items={items.value}
          height={narrow.value ? heightOnNarrow : heightOnWide}
          keyOf={(item) => item.key}
          shows={place}
          label="Tasks"
          row={(item) =>
            item.kind === "head" ? (
              <h2 class="group-head">
                <span dir="auto">{item.label}</span> <span class="group-count">{item.count}</span>
              </h2>
            ) : (
              <Row task={item.task} page="list" />
            )
          }
        />
      )}
    </section>
  );
}

const heightOnWide = (item: Item): number => (item.kind === "head" ? HEAD : 44);
/** What is known of a task stands below it there. */
const heightOnNarrow = (item: Item): number => (item.kind === "head" ? HEAD : 60);

/** Where what keys act on stood last. When it is done, and there no more, the one that has moved up is the next. */
let stood = { filter: "", place: 0 };

/** Moves what keys act on by so many rows, or tasks of another page as they stand there; `extend`: selects what it passes. */
export function moveCurrent(by: number, extend = false): void {
  const isList = isListThere();
  const links = isList ? [] : linksThere();
  const ids = isList ? shownIds.value : links.map((link) => link.dataset["task"]!);
  if (ids.length === 0) return;
  // On a board a task may stand in several columns.
  const focused = links.findIndex((link) => link === document.activeElement);
  const place = focused >= 0 ? focused : current.value === undefined ? -1 : ids.indexOf(current.value);
  const goesOn = isList && current.value !== undefined && stood.filter === filter.value;
  const start = by > 0 ? (goesOn ? stood.place : 0) : goesOn ? stood.place - 1 : ids.length - 1;
  const next = Math.min(ids.length - 1, Math.max(0, place < 0 ? start : place + by));
  if (extend) selected.value = new Set([...selected.value, ...(place < 0 ? [] : [ids[place]]), ids[next]]);
  current.value = ids[next];
  // After the list has scrolled there.
  if (isList) requestAnimationFrame(() => focusRow(ids[next]));
  else links[next].focus();
}

export function focusRow(id: string): void {
  document.querySelector<HTMLElement>(`.row[data-id="${CSS.escape(id)}"] .row-main`)?.focus({ preventScroll: true });
}

/** All of a list or table, also those that are not to be seen yet; elsewhere all that stand there. */
export function selectAll(): void {
  if (!mayWrite.value || !engine.value) return;
  selected.value = new Set(isListThere() ? shownIds.value : isTableThere() ? tableIds.value : idsThere());
}
