/** The list of tasks: filtered, sorted, grouped; and what can be done with several at once. */

import { computed } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { grouped, GROUPINGS, listed, sorted, SORTS, type Group } from "../domain/listing.ts";
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

/** A line of the list: in no group the task itself, so that nothing is made of each of ten thousand. */
type Item = Head | Grouped | Task;

class Head {
  readonly group: Group;

  constructor(group: Group) {
    this.group = group;
  }
}

/** A task may be in several groups. */
class Grouped {
  readonly group: Group;
  readonly task: Task;

  constructor(group: Group, task: Task) {
    [this.group, this.task] = [group, task];
  }
}

/** undefined: it is the head of a group. */
function taskOf(item: Item): Task | undefined {
  return item instanceof Grouped ? item.task : item instanceof Head ? undefined : item;
}

function keyOf(item: Item): string {
  if (item instanceof Head) return `head ${item.group.key}`;
  return item instanceof Grouped ? `${item.group.key} ${item.task.id}` : ` ${item.id}`;
}

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
  grouping.value === "none"
    ? fitting.value.tasks
    : grouped(fitting.value.tasks, grouping.value!, view.value).flatMap((group): Item[] => [
        new Head(group),
        ...group.tasks.map((task) => new Grouped(group, task)),
      ]),
);

/** The ids as they are shown, one below the other. */
export const shownIds = computed(() => items.value.flatMap((item) => taskOf(item)?.id ?? []));

export function ListPage() {
  const { tasks: found, error } = fitting.value;
  const place = current.value === undefined ? -1 : items.value.findIndex((item) => taskOf(item)?.id === current.value);
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
          {!engine.value!.loaded.value ? "" : found.length === 1 ? "1 task" : `${found.length} tasks`}
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
          keyOf={keyOf}
          shows={place}
          label="Tasks"
          row={(item) =>
            item instanceof Head ? (
              <h2 class="group-head">
                <span dir="auto">{item.group.label}</span> <span class="group-count">{item.group.tasks.length}</span>
              </h2>
            ) : (
              <Row task={taskOf(item)!} page="list" />
            )
          }
        />
      )}
    </section>
  );
}

const heightOnWide = (item: Item): number => (item instanceof Head ? HEAD : 44);
/** What is known of a task stands below it there. */
const heightOnNarrow = (item: Item): number => (item instanceof Head ? HEAD : 60);

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
