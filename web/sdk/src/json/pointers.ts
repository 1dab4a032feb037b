/** JSON pointers (RFC 6901), and places: pointers in the making. */

/** A key as a segment of a pointer. */
export function escapeSegment(segment: string): string {
  return segment.replaceAll("~", "~0").replaceAll("/", "~1");
}

/** The segments of a pointer, unescaped. Throws SyntaxError for what is none. */
export function splitPointer(pointer: string): string[] {
  if (pointer === "") return [];
  if (pointer[0] !== "/") throw new SyntaxError("a pointer is empty or starts with /");
  if (/~(?![01])/.test(pointer)) throw new SyntaxError("~ in a pointer is followed by 0 or 1");
  return pointer.slice(1).split("/").map((segment) => segment.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/**
 * A place that documents have in common; text only where something is said about it.
 *
 * `stable` calls a member of an array by `field=name`, or by `-` if it has no name: its index differs between
 * documents, and what it is in the result is not known before the merge is over.
 */
export class Place {
  readonly above: Place | undefined;
  readonly segment: string;
  readonly ofArray: boolean;
  /** Where this member of an array stands in the result, if it does. */
  index: number | undefined;
  /** Whether that the values here belong together is a guess. */
  guessed: boolean;

  constructor(above: Place | undefined, segment: string, ofArray = false) {
    this.above = above;
    this.segment = segment;
    this.ofArray = ofArray;
    this.guessed = above?.guessed ?? false;
  }

  /** The place as a pointer without indices. */
  stable(): string {
    return this.above ? `${this.above.stable()}/${escapeSegment(this.segment)}` : "";
  }

  /** The place as a pointer into the result; `-` is a member that is not in it. */
  inResult(): string {
    if (!this.above) return "";
    const segment = this.ofArray ? String(this.index ?? "-") : escapeSegment(this.segment);
    return `${this.above.inResult()}/${segment}`;
  }
}
