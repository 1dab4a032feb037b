/** Tasks as cards in columns, one for each value of a field. A card is moved by dragging it, or by keys. */

import { computed, signal } from "@preact/signals";

import { set } from "../deeds.ts";
import { withValue, without } from "../domain/modifications.ts";
import { written } from "../domain/points.ts";
import { readFilter } from "../domain/filters.ts";
import { grouped } from "../domain/listing.ts";
import { entryOf, isOpen, readable, titleOf, valueAt, type Task } from "../domain/tasks.ts";
import { addressOf, boardField, current, engine, filter, mayWrite, selected, tasks, view } from "../state.ts";
import { say, sayError } from "../ui/messages.tsx";
import { fitting } from "./list.tsx";
import { Check, Facts } from "./row.tsx";
import { SearchField } from "./search.tsx";

interface Column {
  readonly key: string;
  readonly label: string;
  readonly tasks: readonly Task[];
}

const USUAL = ["status", "priority", "project"];
/** Of each column; the rest is said to be there. */
const MOST = 100;
const dragged = signal<string | undefined>(undefined);
const over = signal<string | undefined>(undefined);

/** Fields with few enough values for columns. */
const fields = computed(() => {
  const values = new Map<string, Set<string>>();
  for (const task of tasks.value)
    for (const [name, value] of Object.entries(task)) {
      if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") continue;
      const found = values.get(name) ?? new Set<string>();
      if (found.size <= 12) found.add(String(value));
      values.set(name, found);
    }
  const few = [...values].filter(([name, found]) => found.size > 1 && found.size <= 12 && !NOT_SHOWN.has(name));
  return [...new Set([...USUAL, ...few.map(([name]) => name)])];
});
/** What was chosen last may have been a field of another space. */
const field = computed(() => (fields.value.includes(boardField.value!) ? boardField.value! : USUAL[0]));
const NOT_SHOWN = new Set(["id", "description", "entry", "modified", "end", "due", "wait", "scheduled", "until", "start"]);

/** Columns that are there also while nothing is in them. */
const ALWAYS: Readonly<Record<string, readonly string[]>> = {
  priority: ["H", "M", "L", ""],
  status: ["pending", "active", "completed"],
};

const columns = computed<readonly Column[]>(() => {
  const by = field.value;
  if (by === "status") return byProgress();
  const found = grouped(fitting.value.tasks, by, view.value);
  const missing = (entryOf(ALWAYS, by) ?? [""]).filter((key) => !found.some((one) => one.key === key));
  const empty = grouped(missing.map((key) => ({ id: key, ...(key ? { [by]: key } : {}) })), by, view.value);
  const all: Column[] = [...found, ...empty.map((one) => ({ ...one, tasks: [] }))];
  const order = entryOf(ALWAYS, by);
  return order ? all.sort((one, other) => order.indexOf(one.key) - order.indexOf(other.key)) : all;
});

/** To do, begun, done lately: what the status and `start` say together. */
function byProgress(): Column[] {
  const open = fitting.value.tasks.filter(isOpen);
  const fits = fitting.value.error ? () => false : readFilter(filter.value, view.value).test;
  const done = tasks.value.filter((task) => task["status"] === "completed" && fits(task));
  const lately = done.sort((one, other) => (readable(one["end"]) < readable(other["end"]) ? 1 : -1)).slice(0, 30);
  return [
    { key: "pending", label: "To do", tasks: open.filter((task) => !("start" in task)) },
    { key: "active", label: "Begun", tasks: open.filter((task) => "start" in task) },
    { key: "completed", label: "Done lately", tasks: lately },
  ];
}

export function BoardPage() {
  return (
    <section class="page board-page" aria-label="Board">
      <div class="toolbar">
        <SearchField />
        <label class="pick">
          <span>Columns</span>
          <select value={field.value} onChange={(event) => (boardField.value = event.currentTarget.value)}>
            {fields.value.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
      </div>
      {fitting.value.error && (
        <p class="field-error page-error" role="alert">
          {fitting.value.error}
        </p>
      )}
      <div class="board">
        {columns.value.map((column) => (
          <BoardColumn key={column.key} column={column} />
        ))}
      </div>
    </section>
  );
}

function BoardColumn({ column }: { readonly column: Column }) {
  const { key, label, tasks: its } = column;
  return (
    <section
      class={`column ${over.value === key ? "is-over" : ""}`}
      aria-label={label}
      onDragOver={(event) => {
        if (dragged.value === undefined) return;
        event.preventDefault();
        over.value = key;
      }}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) over.value = undefined;
      }}
      onDrop={(event) => {
        event.preventDefault();
        const id = dragged.value;
        [dragged.value, over.value] = [undefined, undefined];
        if (id !== undefined) move(id, key);
      }}
    >
      <h2>
        <span dir="auto">{label}</span> <span class="group-count">{its.length}</span>
      </h2>
      <ul tabIndex={-1}>
        {its.slice(0, MOST).map((task) => (
          <Card key={task.id} task={task} column={key} />
        ))}
        {its.length > MOST && <li class="hint more">{its.length - MOST} more: filter, or use the list</li>}
        {its.length === 0 && <li class="hint more">Nothing</li>}
      </ul>
    </section>
  );
}

function Card({ task, column }: { readonly task: Task; readonly column: string }) {
  return (
    <li
      class={`card ${dragged.value === task.id ? "is-dragged" : ""} ${selected.value.has(task.id) ? "is-selected" : ""}`}
      data-id={task.id}
      draggable={mayWrite.value}
      onDragStart={(event) => {
        event.dataTransfer!.effectAllowed = "move";
        event.dataTransfer!.setData("text/plain", titleOf(task));
        dragged.value = task.id;
      }}
      onDragEnd={() => ([dragged.value, over.value] = [undefined, undefined])}
      onKeyDown={(event) => {
        const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (by === undefined || !(event.altKey || event.shiftKey)) return;
        event.preventDefault();
        const way = getComputedStyle(event.currentTarget).direction === "rtl" ? -by : by;
        const place = columns.value.findIndex((one) => one.key === column) + way;
        const next = columns.value[place];
        if (next) move(task.id, next.key);
      }}
    >
      <Check task={task} />
      <a
        href={addressOf("board", task.id)}
        data-task={task.id}
        onFocus={() => (current.value = task.id)}
        aria-keyshortcuts="Shift+ArrowLeft Shift+ArrowRight"
      >
        <bdi>{titleOf(task)}</bdi>
        <Facts task={task} />
      </a>
    </li>
  );
}

function move(id: string, key: string): void {
  const by = field.value;
  const task = engine.value!.docs.value.get(id) as Task | undefined;
  if (!task) return;
  if (typeof valueAt(task, by) === "object" && valueAt(task, by) !== null)
    return sayError(`${by} has several values there: change it in the details.`);
  const at = written(Date.now() / 1000);
  // A number stays one.
  const like = columns.value.find((one) => one.key === key)?.tasks.find((one) => String(valueAt(one, by)) === key);
  void set([id], (one) => {
    if (by === "status") return progressed(one, key, at);
    if (key === "") return without(one, by) as Task;
    return withValue(one, by, like === undefined ? key : valueAt(like, by)) as Task;
  }).then(() => {
    say(`Moved to ${columns.value.find((one) => one.key === key)?.label ?? key}: ${titleOf(task)}`);
    document.querySelector<HTMLElement>(`.card[data-id="${CSS.escape(id)}"] a`)?.focus();
  });
}

function progressed(task: Task, key: string, at: string): Task {
  if (key === "completed") return { ...task, status: "completed", end: at };
  const open = { ...(without(task, "end") as Task), status: "pending" } as Task;
  if (key === "pending") return without(open, "start") as Task;
  return "start" in open ? open : { ...open, start: at };
}
