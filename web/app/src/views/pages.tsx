/** Every page: its address, its name, where the way to it is. */

import type { ComponentType } from "preact";

import { undo as takeBack } from "../deeds.ts";
import { person } from "../engine/session.ts";
import { addressOf, engine, holdsTasks, route } from "../state.ts";
import { Icon } from "../ui/icons.tsx";
import { BoardPage } from "./board.tsx";
import { CalendarPage } from "./calendar.tsx";
import { ConflictsPage } from "./conflicts.tsx";
import { ListPage } from "./list.tsx";
import { later } from "./later.tsx";
import { TablePage } from "./table.tsx";

const SpacePage = later(async () => (await import("./people/members.tsx")).SpacePage);
const DevicesPage = later(async () => (await import("./people/devices.tsx")).DevicesPage);
const AccountPage = later(async () => (await import("./people/account.tsx")).AccountPage);
const AdminPage = later(async () => (await import("./people/admin.tsx")).AdminPage);

export interface PageEntry {
  readonly name: string;
  readonly label: string;
  readonly icon: string;
  readonly page: ComponentType;
  readonly place: "main" | "more" | "hidden";
  /** A document may be open beside it. */
  readonly detail: boolean;
  /** On narrow screens the way to it is at the bottom. */
  readonly bottom?: boolean;
}

export const PAGES: readonly PageEntry[] = [
  { name: "list", label: "Tasks", icon: "list", page: ListPage, place: "main", detail: true, bottom: true },
  { name: "board", label: "Board", icon: "board", page: BoardPage, place: "main", detail: true, bottom: true },
  { name: "calendar", label: "Calendar", icon: "calendar", page: CalendarPage, place: "main", detail: true, bottom: true },
  { name: "table", label: "All documents", icon: "table", page: TablePage, place: "main", detail: true },
  { name: "conflicts", label: "Conflicts", icon: "conflict", page: ConflictsPage, place: "main", detail: false },
  { name: "more", label: "More", icon: "more", page: MorePage, place: "hidden", detail: false, bottom: true },
  { name: "space", label: "Members", icon: "people", page: SpacePage, place: "more", detail: false },
  { name: "devices", label: "Devices", icon: "device", page: DevicesPage, place: "more", detail: false },
  { name: "account", label: "Account", icon: "gear", page: AccountPage, place: "more", detail: false },
  { name: "admin", label: "Administration", icon: "flag", page: AdminPage, place: "more", detail: false },
];

/** The page of the address; another one where there is no way to it. */
export function shownPage(): PageEntry {
  const asked = PAGES.find(({ name }) => name === route.value.page) ?? PAGES[0];
  return isShown(asked) ? asked : PAGES.find((one) => one.place === "main" && isShown(one))!;
}

/** On narrow screens: the ways to all that has no place at the bottom. */
function MorePage() {
  const undo = engine.value!.deeds;
  return (
    <section class="page text" aria-label="More">
      <ul class="menu">
        {PAGES.filter((one) => !one.bottom && isShown(one)).map((one) => (
          <li key={one.name}>
            <a href={addressOf(one.name)}>
              <Icon name={one.icon} />
              {one.label}
            </a>
          </li>
        ))}
        <li>
          <button disabled={!undo.last.value} onClick={() => void takeBack()}>
            <Icon name="undo" />
            Undo{undo.last.value && `: ${undo.last.value.label}`}
          </button>
        </li>
      </ul>
    </section>
  );
}

/** Whether there is a way to the page for who is here. */
export function isShown({ name }: PageEntry): boolean {
  if (name === "admin") return person.value?.administrator ?? false;
  return holdsTasks.value || !["list", "board", "calendar"].includes(name);
}
