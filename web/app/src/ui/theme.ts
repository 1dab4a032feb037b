/** Light, dark, or as the system has it. */

import { effect, signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";
const NAME = "hypertask-theme";

export const theme = signal<Theme>((localStorage.getItem(NAME) as Theme | null) ?? "system");

effect(() => {
  const { value } = theme;
  if (value === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = value;
  localStorage.setItem(NAME, value);
});

export function nextTheme(): void {
  theme.value = theme.value === "system" ? "light" : theme.value === "light" ? "dark" : "system";
}
