/** The words of quick add and of filters, as client/tasks/words.py reads them; and a line taken apart into words. */

/** A word that cannot be meant so; the message says what to write instead. */
export class WordError extends Error {}

export type TaskWord =
  | { readonly kind: "tag"; readonly name: string; readonly wanted: boolean }
  | {
      readonly kind: "field";
      readonly name: string;
      /** Empty without one. */
      readonly modifier: string;
      readonly value: string;
      /** The value is to be read as JSON. */
      readonly isJson: boolean;
    }
  | { readonly kind: "text"; readonly text: string };

const MODIFIERS: ReadonlyMap<string, string> = new Map([
  ...["is", "equals"].map((name) => [name, "is"] as const),
  ["isnt", "isnt"],
  ["not", "not"],
  ...["has", "contains"].map((name) => [name, "has"] as const),
  ["hasnt", "hasnt"],
  ...["before", "under", "below"].map((name) => [name, "before"] as const),
  ...["after", "over", "above"].map((name) => [name, "after"] as const),
  ["by", "by"],
  ["any", "any"],
  ["none", "none"],
  ...["startswith", "left"].map((name) => [name, "startswith"] as const),
  ...["endswith", "right"].map((name) => [name, "endswith"] as const),
  ["word", "word"],
  ["noword", "noword"],
]);
const TAG = /^([+-])([\p{L}\p{M}\p{Nl}\p{No}_]\S*)$/u;
const FIELD = /^([\p{L}\p{Nl}\p{No}_][\p{L}\p{N}_.-]*):(=?)([^]*)$/u;

/** Reads words. Behind `--` everything is text. Throws WordError for what looks like an option. */
export function readWords(words: readonly string[]): TaskWord[] {
  const read: TaskWord[] = [];
  let literal = false;
  for (const word of words) {
    if (literal) read.push({ kind: "text", text: word });
    else if (word === "--") literal = true;
    else if (word.startsWith("--"))
      throw new WordError(`there is no option ${word}. If it is meant as text, write -- before it.`);
    else read.push(readWord(word));
  }
  return read;
}

function readWord(word: string): TaskWord {
  const tag = TAG.exec(word);
  if (tag) return { kind: "tag", name: tag[2]!, wanted: tag[1] === "+" };
  const field = FIELD.exec(word);
  if (!field || field[3]!.startsWith("//") || field[3]!.startsWith(" ")) return { kind: "text", text: word };
  const name = field[1]!;
  const dot = name.lastIndexOf(".");
  const modifier = dot >= 0 ? MODIFIERS.get(name.slice(dot + 1)) : undefined;
  return {
    kind: "field",
    name: modifier === undefined ? name : name.slice(0, dot),
    modifier: modifier ?? "",
    value: field[3]!,
    isJson: field[2] === "=",
  };
}

/**
 * A line as a shell takes it apart: at white space, outside of quotes. A quote that is not closed, and an apostrophe
 * inside a word, stand for themselves: people write sentences here.
 */
export function splitLine(line: string): string[] {
  const words: string[] = [];
  const pattern = /(?:[^\s"']|"[^"]*"|(?<=^|[\s:=(])'[^']*'|["'])+/g;
  for (const [word] of line.matchAll(pattern))
    words.push(word.replace(/"([^"]*)"|(?<=^|[\s:=(])'([^']*)'/g, (_, double?: string, single?: string) => double ?? single ?? ""));
  return words;
}
