/** The frame of all pages: where one can go, how the sync stands, what is open beside the list. */

import { effect } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";

import { KEYS } from "../commands.ts";
import { redo, undo } from "../deeds.ts";
import { clipped, titleOf, type Task } from "../domain/tasks.ts";
import { person, SIGN_IN, standing } from "../engine/session.ts";
import { addressOf, engine, filter, helpOpen, holdsTasks, route, space, tasks, view } from "../state.ts";
import { Icon } from "../ui/icons.tsx";
import { bindKeys } from "../ui/keys.ts";
import { forgetWays, Messages } from "../ui/messages.tsx";
import { nextTheme, theme } from "../ui/theme.ts";
import { newRelease, takeRelease } from "../release.ts";
import { BulkBar } from "./bulk.tsx";
import { Detail } from "./detail.tsx";
import { HelpDialog } from "./help.tsx";
import { isShown, PAGES, shownPage } from "./pages.tsx";
import { SyncButton, SyncDialog, syncOpen } from "./sync.tsx";

effect(() => {
  const open = engine.value?.docs.value.get(route.value.id);
  const what = (open && titleOf(open as Task)) ?? PAGES.find(({ name }) => name === route.value.page)?.label ?? "Tasks";
  document.title = `${what} - Hypertask`;
});

export function Shell() {
  useEffect(() => bindKeys(() => KEYS), []);
  // What was said of one space takes nothing back in another.
  useEffect(() => forgetWays, []);
  const { id } = route.value;
  const shown = shownPage();
  const Page = shown.page;
  const isLoaded = engine.value!.loaded.value;
  const hasDetail = id !== "" && shown.detail && isLoaded;
  return (
    <div class={`shell ${hasDetail ? "has-detail" : ""}`}>
      <a class="skip" href="#main" onClick={skip}>
        To the content
      </a>
      <TopBar />
      <SideBar />
      <main id="main" tabIndex={-1}>
        {standing.value === "out" && (
          <div class="banner" role="status">
            You are signed out. What you change stays in this browser until you sign in.{" "}
            <a href={SIGN_IN}>Sign in</a>
          </div>
        )}
        {newRelease.value && (
          <div class="banner" role="status">
            A new version is here.{" "}
            <button class="link" onClick={takeRelease}>
              Load it
            </button>
          </div>
        )}
        {isLoaded || shown.name === "list" ? <Page /> : <p class="empty">Fetching what there is …</p>}
      </main>
      {hasDetail && <Detail id={id} page={shown.name} />}
      <BottomBar />
      <BulkBar />
      {helpOpen.value && <HelpDialog keys={KEYS} />}
      {syncOpen.value && <SyncDialog />}
      <Messages />
    </div>
  );
}

function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function TopBar() {
  const deeds = engine.value!.deeds;
  const next = theme.value === "system" ? "light" : theme.value === "light" ? "dark" : "system";
  return (
    <header class="top">
      <a class="brand" href={addressOf("list")}>
        <img src="/app/icon.svg" alt="" width="24" height="24" />
        <span>Hypertask</span>
      </a>
      <SpacePicker />
      <div class="top-end">
        <button class="icon wide-only" disabled={!deeds.last.value} aria-label="Undo" title={deeds.last.value ? `Undo: ${deeds.last.value.label}` : "Undo"} onClick={() => void undo()}>
          <Icon name="undo" />
        </button>
        <button class="icon wide-only" disabled={!deeds.next.value} aria-label="Redo" title="Redo" onClick={() => void redo()}>
          <Icon name="redo" />
        </button>
        <button class="icon" aria-label={`Colours: ${theme.value}. Change to ${next}`} title={`Colours: ${theme.value}`} onClick={nextTheme}>
          <Icon name={theme.value === "system" ? "half" : theme.value === "light" ? "sun" : "moon"} />
        </button>
        <button class="icon wide-only" aria-label="Keyboard help" title="Keyboard (?)" onClick={() => (helpOpen.value = true)}>
          <Icon name="keyboard" />
        </button>
        <SyncButton />
      </div>
    </header>
  );
}

function SpacePicker() {
  const spaces = (person.value?.spaces ?? []).filter(({ delete_at }) => delete_at === null);
  return (
    <label class="space-pick">
      <span class="sr-only">Space</span>
      <select
        value={engine.value!.space}
        onChange={(event) => (location.hash = `#/${encodeURIComponent(event.currentTarget.value)}/list`)}
      >
        {spaces.map((one) => (
          <option key={one.space} value={one.space}>
            {one.name}
            {one.role === "reader" ? " (read only)" : ""}
          </option>
        ))}
      </select>
    </label>
  );
}

const FILTERS = [
  { label: "Everything open", filter: "" },
  { label: "Today", filter: "(+TODAY or +OVERDUE)" },
  { label: "This week", filter: "+WEEK" },
  { label: "Overdue", filter: "+OVERDUE" },
  { label: "Ready", filter: "+READY" },
  { label: "Put off", filter: "+WAITING" },
  { label: "Done", filter: "status:completed" },
] as const;

function SideBar() {
  const conflicts = engine.value!.conflicts.value.length;
  return (
    <nav class="side" aria-label="Pages">
      <ul>
        {PAGES.filter((one) => one.place === "main" && isShown(one)).map((one) => (
          <li key={one.name}>
            <a href={addressOf(one.name)} aria-current={route.value.page === one.name ? "page" : undefined}>
              <Icon name={one.icon} />
              {one.label}
              {one.name === "conflicts" && conflicts > 0 && <span class="badge">{conflicts}</span>}
            </a>
          </li>
        ))}
      </ul>
      {holdsTasks.value && (
        <>
          <h2 class="side-head">Show</h2>
          <ul>
            {FILTERS.map((one) => (
              <FilterLink key={one.label} label={one.label} words={one.filter} />
            ))}
          </ul>
          <Projects />
        </>
      )}
      <ul class="side-end">
        {PAGES.filter((one) => one.place === "more" && isShown(one)).map((one) => (
          <li key={one.name}>
            <a href={addressOf(one.name)} aria-current={route.value.page === one.name ? "page" : undefined}>
              <Icon name={one.icon} />
              {one.label}
            </a>
          </li>
        ))}
        <li class="who" dir="auto">
          {person.value?.name}
          {space.value?.role === "reader" && " · read only"}
        </li>
      </ul>
    </nav>
  );
}

function FilterLink({ label, words }: { readonly label: string; readonly words: string }) {
  const isOn = filter.value === words && route.value.page === "list";
  return (
    <li>
      <a href={addressOf("list")} aria-current={isOn ? "true" : undefined} onClick={() => (filter.value = words)}>
        <bdi>{label}</bdi>
      </a>
    </li>
  );
}

function Projects() {
  // The list is drawn before all tasks are asked for their projects, and before names are compared by the rules of a language.
  const [isDrawn, setDrawn] = useState(false);
  useEffect(() => setDrawn(true), []);
  if (!isDrawn) return null;
  const names = [...view.value.projects].sort((one, other) => one.localeCompare(other)).slice(0, 12);
  if (names.length === 0 || tasks.value.length === 0) return null;
  return (
    <>
      <h2 class="side-head">Projects</h2>
      <ul>
        {names.map((name) => (
          <FilterLink key={name} label={clipped(name, 60)} words={`project:${/\s/.test(name) ? `"${name}"` : name}`} />
        ))}
      </ul>
    </>
  );
}

function BottomBar() {
  return (
    <nav class="bottom" aria-label="Pages, short">
      {PAGES.filter((one) => one.bottom && isShown(one)).map((one) => (
        <a key={one.name} href={addressOf(one.name)} aria-current={route.value.page === one.name ? "page" : undefined}>
          <Icon name={one.icon} />
          <span>{one.label}</span>
        </a>
      ))}
    </nav>
  );
}
