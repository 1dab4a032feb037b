/** Every page: its address, its name, where the way to it is. */

import type { ComponentType } from "preact";

import { ListPage } from "./list.tsx";

export interface PageEntry {
  readonly name: string;
  readonly label: string;
  readonly icon: string;
  readonly page: ComponentType;
  readonly place: "main" | "more";
  /** A document may be open beside it. */
  readonly detail: boolean;
  /** On narrow screens the way to it is at the bottom. */
  readonly bottom?: boolean;
}

export const PAGES: readonly PageEntry[] = [
  { name: "list", label: "Tasks", icon: "list", page: ListPage, place: "main", detail: true, bottom: true },
];
