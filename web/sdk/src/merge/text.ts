/** Three-way merge of text, line by line. */

import type { Keyed } from "./arrays.ts";
import { compete, union } from "./orders.ts";
import { COSTLY, sameSequence, threeWays, type Steps } from "./sequences.ts";

interface Text {
  readonly text: string;
  /** Whether both sides changed the same lines somewhere. */
  readonly conflict: boolean;
}

/**
 * The merged text; undefined if merging it again, with either side, would give another, or if finding the differences
 * is costly: then places prove nothing.
 */
export function mergeText(base: string | undefined, ours: string, theirs: string, steps: Steps): Text | undefined {
  const taken = steps.taken;
  const merged = mergedLines(base, ours, theirs, steps);
  if (steps.taken - taken > COSTLY) return undefined;
  const { text } = merged;
  if (text === ours || text === theirs) return merged;
  const again = mergedLines(base, ours, text, steps).text === text && mergedLines(base, text, theirs, steps).text === text;
  return again ? merged : undefined;
}

/**
 * diff3 on lines. Where both sides changed the same ones both are kept, without markers; lines that they have in
 * common once. Where one side removed what the other changed, the change stays.
 */
function mergedLines(base: string | undefined, ours: string, theirs: string, steps: Steps): Text {
  const [mine, other] = [ours.split("\n"), theirs.split("\n")];
  const before = base?.split("\n") ?? [];
  const result: string[] = [];
  let conflict = false;
  for (const region of threeWays(before, mine, other, steps)) {
    const [o, t] = [mine.slice(...region.ours), other.slice(...region.theirs)];
    if (!region.byTheirs || sameSequence(o, t)) result.push(...o);
    else if (!region.byOurs) result.push(...t);
    else {
      const { array, hunks } = union(lines(o), lines(t), steps, result.at(-1));
      result.push(...(array as string[]));
      conflict ||= compete(hunks) || o.length === 0 || t.length === 0;
    }
  }
  return { text: result.join("\n"), conflict };
}

function lines(those: string[]): Keyed {
  return { keys: those, array: those };
}
