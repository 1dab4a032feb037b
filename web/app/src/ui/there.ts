/** Which tasks stand on the page that is shown. The list says it itself: most of its rows are not there. */

export function isListThere(): boolean {
  return document.querySelector("#main .list-page") !== null;
}

export function isTableThere(): boolean {
  return document.querySelector("#main .table-page") !== null;
}

/** In the order in which one reads; a task may stand in several columns of a board. */
export function linksThere(): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>("#main [data-task]")];
}

export function idsThere(): string[] {
  return linksThere().map((link) => link.dataset["task"]!);
}
