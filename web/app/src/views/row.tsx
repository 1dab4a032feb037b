/** One task as a line. */

import { dueText } from "../domain/listing.ts";
import { pointOf } from "../domain/points.ts";
import { clipped, isOpen, readable, tagsOf, titleOf, type Task } from "../domain/tasks.ts";
import { addressOf, current, engine, mayWrite, route, selected, view } from "../state.ts";
import { toggleDone } from "../deeds.ts";
import { Icon } from "../ui/icons.tsx";
import { endsLongPress, longPress } from "../ui/press.ts";

/** What of a document may be any length, as a line has room for. */
const LONGEST = 60;
const MOST_TAGS = 12;

export function Check({ task }: { readonly task: Task }) {
  const done = !isOpen(task);
  return (
    <button
      class={`check ${done ? "done" : ""} ${priorityClass(task)}`}
      role="checkbox"
      aria-checked={done}
      aria-label={`${done ? "Reopen" : "Check off"}: ${titleOf(task)}`}
      disabled={!mayWrite.value}
      onClick={(event) => {
        event.stopPropagation();
        void toggleDone([task.id]);
      }}
    >
      <Icon name="check" />
    </button>
  );
}

function priorityClass(task: Task): string {
  const { priority } = task as { priority?: unknown };
  return priority === "H" || priority === "M" || priority === "L" ? `priority-${priority}` : "";
}

export function Row({ task, page }: { readonly task: Task; readonly page: string }) {
  const { id } = task;
  const isSelected = selected.value.has(id);
  const pending = engine.value?.status.value.state === "offline" && engine.value.status.value.pending.includes(id);
  const classes = [
    "row",
    isOpen(task) ? "" : "is-done",
    isSelected ? "is-selected" : "",
    current.value === id ? "is-current" : "",
    route.value.id === id ? "is-open" : "",
  ];
  return (
    <div class={classes.filter(Boolean).join(" ")} data-id={id}>
      <Check task={task} />
      <a
        class="row-main"
        href={addressOf(page, id)}
        aria-current={route.value.id === id ? "true" : undefined}
        onFocus={() => (current.value = id)}
        {...longPress(() => toggleSelected(id))}
        onClick={(event) => {
          const wasLong = endsLongPress();
          const isTap = (event as unknown as PointerEvent).pointerType === "touch" && selected.value.size > 0;
          if (wasLong || isTap || event.shiftKey || event.metaKey || event.ctrlKey) {
            event.preventDefault();
            if (!wasLong) toggleSelected(id);
          }
          current.value = id;
        }}
      >
        <span class="title">
          <bdi>{titleOf(task)}</bdi>
        </span>
        <Facts task={task} />
        {isSelected && <span class="sr-only">selected</span>}
        {pending && (
          <span class="fact" title="Not sent yet">
            <Icon name="off" />
            <span class="sr-only">not sent yet</span>
          </span>
        )}
      </a>
    </div>
  );
}

export function Facts({ task }: { readonly task: Task }) {
  const now = view.value;
  const { project, due, priority } = task as Record<string, unknown>;
  const tags = [...new Set(tagsOf(task))];
  // What is due today and has no time is late tomorrow.
  const isToday = now.isDue(task, (one) => one === now.today) && pointOf(due)?.kind === "day";
  const day = isToday ? "today" : now.isOverdue(task) ? "late" : now.isDue(task, (one) => one === now.today) ? "today" : "";
  return (
    <span class="facts">
      {now.isBlocked(task) && <span class="fact quiet">blocked</span>}
      {now.isWaiting(task) && <span class="fact quiet">waits until {dueText(task["wait"], now)}</span>}
      {("recur" in task || typeof task["parent"] === "string") && (
        <span class="fact quiet" title={clipped(readable(task["recur"] ?? "one of a series"), LONGEST)}>
          <Icon name="repeat" />
          <span class="sr-only">repeats</span>
        </span>
      )}
      {typeof project === "string" && <span class="fact project">{clipped(project, LONGEST)}</span>}
      {tags.slice(0, MOST_TAGS).map((tag) => (
        <span class="fact tag" key={tag}>
          {clipped(tag, LONGEST)}
        </span>
      ))}
      {tags.length > MOST_TAGS && <span class="fact quiet">{tags.length - MOST_TAGS} more</span>}
      {priority === "H" && <span class="fact high">High</span>}
      {due !== undefined && <span class={`fact due ${isOpen(task) ? day : ""}`}>{dueText(due, now)}</span>}
    </span>
  );
}

export function toggleSelected(id: string): void {
  const next = new Set(selected.value);
  if (!next.delete(id)) next.add(id);
  selected.value = next;
}
