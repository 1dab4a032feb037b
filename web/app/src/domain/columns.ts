/** Which columns a table of any documents has: the fields that most of them have, the more telling ones first. Pure. */

import type { Task } from "./tasks.ts";

const MOST = 8;
const LOOKED_AT = 500;
const FIRST = ["title", "name", "description", "subject", "text"];
const LAST = ["entry", "modified", "created_at", "updated_at"];

export function columnsOf(docs: readonly Task[]): string[] {
  const counts = new Map<string, number>();
  const step = Math.max(1, Math.floor(docs.length / LOOKED_AT));
  for (let place = 0; place < docs.length; place += step)
    for (const field of Object.keys(docs[place]!)) counts.set(field, (counts.get(field) ?? 0) + 1);
  counts.delete("id");
  const rank = (field: string): number => {
    if (LAST.includes(field)) return FIRST.length + 1;
    return FIRST.includes(field) ? FIRST.indexOf(field) : FIRST.length;
  };
  const named = [...counts].sort(
    ([one, many], [other, more]) => rank(one) - rank(other) || more - many || one.localeCompare(other),
  );
  return named.slice(0, MOST).map(([field]) => field);
}
