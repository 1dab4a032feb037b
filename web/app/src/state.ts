/** What the whole page shares: the open space, where one is in it, what is selected. */

import { computed, effect, signal } from "@preact/signals";

import { person, type Space } from "./engine/session.ts";
import type { SpaceEngine } from "./engine/space.ts";
import { View, type Task } from "./domain/tasks.ts";

export const engine = signal<SpaceEngine | undefined>(undefined);
/** Why no space can be opened. */
export const failure = signal("");

/** Where one is: `#/<space>/<page>/<document>?filter`. */
export interface Route {
  readonly space: string;
  readonly page: string;
  readonly id: string;
}

export const route = signal<Route>(readRoute());

/** As the address is now. */
export function readRoute(): Route {
  const [space = "", page = "", id = ""] = location.hash.replace(/^#\/?/, "").split("/").map(decoded);
  return { space, page: page || "list", id };
}

/** A link from elsewhere may be anything. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

addEventListener("hashchange", () => (route.value = readRoute()));

export function go(page: string, id = ""): void {
  location.hash = addressOf(page, id);
}

export function addressOf(page: string, id = ""): string {
  const space = encodeURIComponent(engine.value?.space ?? route.value.space);
  return `#/${space}/${page}${id ? `/${encodeURIComponent(id)}` : ""}`;
}

/** Leaves the detail of a document, or what else lies over a page. */
export function closeDetail(): void {
  if (route.value.id) go(route.value.page);
}

export const space = computed<Space | undefined>(() =>
  person.value?.spaces.find((one) => one.space === engine.value?.space),
);
export const mayWrite = computed(() => space.value?.role !== "reader" && !space.value?.archived_at);

/** Seconds since 1970; it goes on by the minute, so that what falls due is seen to. */
export const now = signal(Date.now() / 1000);
setInterval(() => (now.value = Date.now() / 1000), 60_000);

export const tasks = computed(() => [...(engine.value?.docs.value.values() ?? [])] as Task[]);
export const view = computed(() => new View(tasks.value, now.value));

/** Whether the space holds tasks: most of its documents have a description and none of another kind outnumber them. */
export const holdsTasks = computed(() => {
  const all = tasks.value;
  return all.length === 0 || all.filter((one) => typeof one["description"] === "string").length * 2 >= all.length;
});

// What is looked at

export const filter = signal("");
export const sort = stored("hypertask-sort", "urgency");
export const grouping = stored("hypertask-group", "none");
export const boardField = stored("hypertask-board", "status");
export const selected = signal<ReadonlySet<string>>(new Set());
/** The row that keys act on. */
export const current = signal<string | undefined>(undefined);
/** As the style sheet has it. */
const narrowScreen = matchMedia("(max-width: 60rem)");
export const narrow = signal(narrowScreen.matches);
narrowScreen.addEventListener("change", ({ matches }) => (narrow.value = matches));
export const helpOpen = signal(false);

/** A setting of this browser. */
function stored(name: string, initial: string): ReturnType<typeof signal<string>> {
  const value = signal(localStorage.getItem(name) ?? initial);
  effect(() => {
    try {
      localStorage.setItem(name, value.value);
    } catch {
      // No room for a preference: it holds until the page is closed.
    }
  });
  return value;
}
