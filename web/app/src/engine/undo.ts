/** What was done, so that it can be taken back: any number of times, and done again. */

import { computed, signal } from "@preact/signals";
import type { Document } from "../../../sdk/src/client.ts";

export interface Step {
  readonly id: string;
  /** undefined: there was none. */
  readonly before: Document | undefined;
  readonly after: Document | undefined;
}

export interface Deed {
  /** What people read: "Done: buy milk". */
  readonly label: string;
  readonly steps: readonly Step[];
}

const MOST = 200;

export class Deeds {
  private readonly done = signal<readonly Deed[]>([]);
  private readonly undone = signal<readonly Deed[]>([]);
  /** What undo and redo would take next. */
  readonly last = computed(() => this.done.value.at(-1));
  readonly next = computed(() => this.undone.value.at(-1));

  add(deed: Deed): void {
    this.done.value = [...this.done.value.slice(1 - MOST), deed];
    this.undone.value = [];
  }

  /** The deed that is to be taken back; it can be done again then. */
  back(): Deed | undefined {
    const deed = this.last.value;
    if (deed) [this.done.value, this.undone.value] = [this.done.value.slice(0, -1), [...this.undone.value, deed]];
    return deed;
  }

  forth(): Deed | undefined {
    const deed = this.next.value;
    if (deed) [this.undone.value, this.done.value] = [this.undone.value.slice(0, -1), [...this.done.value, deed]];
    return deed;
  }
}
