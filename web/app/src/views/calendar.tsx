/** What is due when: a month of days. A task is put off by dragging it to another day, or in its details. */

import { computed, signal } from "@preact/signals";

import { add, set } from "../deeds.ts";
import { monthsLater } from "../domain/dates.ts";
import { dateOf, dayAt, daysOf, dayText, pointOf, textOf, wallOf, weekdayOf, DAY, type Point } from "../domain/points.ts";
import { isOpen, titleOf, type Task } from "../domain/tasks.ts";
import { addressOf, current, engine, filter, go, mayWrite, selected, tasks, view } from "../state.ts";
import { sayError } from "../ui/messages.tsx";
import { Icon } from "../ui/icons.tsx";

/** Months from this one. */
const month = signal(0);
const over = signal<number | undefined>(undefined);
let dragged: string | undefined;

/**
 * Open tasks by the day that they are due; and those done, so that a month that is over is not empty. No pattern of
 * repeating tasks: those that it has made stand for it.
 */
const byDay = computed(() => {
  const days = new Map<number, Task[]>();
  for (const task of tasks.value) {
    const isOne = task["status"] !== "deleted" && task["status"] !== "recurring";
    const day = "due" in task && isOne ? dayAt(task["due"]) : undefined;
    if (day === undefined) continue;
    const found = days.get(day);
    if (found) found.push(task);
    else days.set(day, [task]);
  }
  for (const found of days.values()) found.sort((one, other) => Number(isOpen(other)) - Number(isOpen(one)));
  return days;
});

const shown = computed(() => {
  const today = dateOf(view.value.today);
  const first = monthsLater(daysOf(today.year, today.month, 1), month.value);
  const last = monthsLater(first, 1) - 1;
  const from = first - weekdayOf(first);
  const weeks = Math.ceil((last - from + 1) / 7);
  return { first, last, days: Array.from({ length: weeks * 7 }, (_, place) => from + place) };
});

const name = (day: number, options: Intl.DateTimeFormatOptions): string =>
  new Intl.DateTimeFormat(undefined, { ...options, timeZone: "UTC" }).format(new Date(day * DAY * 1000));

export function CalendarPage() {
  const { first, last, days } = shown.value;
  return (
    <section class="page calendar-page" aria-label="Calendar">
      <div class="page-head">
        <h1 aria-live="polite">{name(first, { month: "long", year: "numeric" })}</h1>
        <div class="top-end">
          <button class="quiet small" onClick={() => (month.value = 0)} disabled={month.value === 0}>
            This month
          </button>
          <button class="icon" aria-label="Previous month" onClick={() => (month.value -= 1)}>
            <span class="flips">‹</span>
          </button>
          <button class="icon" aria-label="Next month" onClick={() => (month.value += 1)}>
            <span class="flips">›</span>
          </button>
        </div>
      </div>
      <div class="weekdays" aria-hidden="true">
        {days.slice(0, 7).map((day) => (
          <span key={day}>{name(day, { weekday: "short" })}</span>
        ))}
      </div>
      <ol class="month">
        {days.map((day) => (
          <Day key={day} day={day} inMonth={day >= first && day <= last} />
        ))}
      </ol>
    </section>
  );
}

const MOST = 4;

function Day({ day, inMonth }: { readonly day: number; readonly inMonth: boolean }) {
  const its = byDay.value.get(day) ?? [];
  const isToday = day === view.value.today;
  const label = name(day, { weekday: "long", day: "numeric", month: "long" });
  return (
    <li
      class={`day ${inMonth ? "" : "is-other"} ${isToday ? "is-today" : ""} ${over.value === day ? "is-over" : ""} ${its.length > 0 ? "" : "is-empty"}`}
      aria-label={`${label}: ${its.length === 1 ? "1 task" : `${its.length} tasks`}`}
      aria-current={isToday ? "date" : undefined}
      onDragOver={(event) => {
        if (dragged === undefined) return;
        event.preventDefault();
        over.value = day;
      }}
      onDrop={(event) => {
        event.preventDefault();
        if (dragged !== undefined) putOff(dragged, day);
        [dragged, over.value] = [undefined, undefined];
      }}
    >
      <span class="day-head">
        <span class="day-number">{dateOf(day).day}</span>
        <span class="day-name">{name(day, { weekday: "long", month: "short" })}</span>
        {mayWrite.value && (
          <button class="icon" aria-label={`Add a task that is due on ${label}`} onClick={() => void addOn(day)}>
            <Icon name="plus" />
          </button>
        )}
      </span>
      <ul>
        {its.slice(0, MOST).map((task) => (
          <li key={task.id} class={isOpen(task) ? "" : "is-done"}>
            <a
              href={addressOf("calendar", task.id)}
              data-task={task.id}
              draggable={mayWrite.value}
              class={`${view.value.isOverdue(task) && !isToday ? "late" : ""} ${selected.value.has(task.id) ? "is-selected" : ""}`}
              onFocus={() => (current.value = task.id)}
              onDragStart={(event) => {
                event.dataTransfer!.effectAllowed = "move";
                dragged = task.id;
              }}
              onDragEnd={() => ([dragged, over.value] = [undefined, undefined])}
            >
              <bdi>{titleOf(task)}</bdi>
            </a>
          </li>
        ))}
        {its.length > MOST && (
          <li class="hint">
            <a href={addressOf("list")} onClick={() => (filter.value = `due:${dayText(day)} status.not:deleted`)}>
              {its.length - MOST} more
            </a>
          </li>
        )}
      </ul>
    </li>
  );
}

async function addOn(day: number): Promise<void> {
  try {
    go("calendar", await add(`-- New task`, { due: dayText(day) }));
  } catch (error) {
    sayError(error);
  }
}

/** The same time of another day, if it has one. */
function putOff(id: string, day: number): void {
  const task = engine.value!.docs.value.get(id) as Task | undefined;
  const point = pointOf(task?.["due"]);
  if (!task || !point) return;
  void set([id], (one) => ({ ...one, due: textOf(onDay(point, day)) }));
}

function onDay(point: Point, day: number): Point {
  if (point.kind === "day") return { kind: "day", day };
  const wall = point.kind === "local" ? point.wall : wallOf(point.at);
  return { kind: "local", wall: day * DAY + (wall % DAY) };
}
