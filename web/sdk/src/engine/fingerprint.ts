/** The fingerprint of a set of documents (docs/reconciliation.md): equal sets, and as good as certainly only they. */

import type { ContentHash } from "../json/canonical.ts";
import { sha256 } from "../json/sha256.ts";

const encoder = new TextEncoder();

/** The sum of the elements of a range, and how many there are. */
export class Fingerprint {
  private total = 0n;
  private count = 0;

  add(id: string, hash: ContentHash): void {
    this.total = BigInt.asUintN(256, this.total + BigInt(`0x${sha256(encoder.encode(`${id}:${hash}`))}`));
    this.count += 1;
  }

  /** 32 hex digits. */
  text(): string {
    const digits = this.total.toString(16).padStart(64, "0") + this.count.toString(16).padStart(16, "0");
    const bytes = Uint8Array.from({ length: 40 }, (_, at) => parseInt(digits.slice(2 * at, 2 * at + 2), 16));
    return sha256(bytes).slice(0, 32);
  }
}
