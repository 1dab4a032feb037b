/** What the promises of stores use of node:assert/strict, for a browser. */

import { equal as same, type Value } from "../../src/json/values.ts";

function equal(found: unknown, wanted: unknown): void {
  if (!Object.is(found, wanted)) throw new Error(`${String(found)} is not ${String(wanted)}`);
}

/** Of JSON. */
function deepEqual(found: unknown, wanted: unknown): void {
  if (!same(found as Value, wanted as Value)) throw new Error(`${JSON.stringify(found)} is not ${JSON.stringify(wanted)}`);
}

export default { equal, deepEqual };
