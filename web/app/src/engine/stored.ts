/** What this browser keeps of a person: a database for each space, and one beside it for conflicts. */

import { deleteDB } from "idb";

import { Client } from "../../../sdk/src/client.ts";
import { IndexedDbStore } from "../../../sdk/src/stores/indexeddb.ts";

/** Begins the names of settings that say when a space was in sync. */
export const AGREED = "hypertask-agreed:";
/** Ends the name of the database of conflicts. */
export const CONFLICTS = ":conflicts";

/** Of one space of one person. */
export function databaseOf(user: string, space: string): string {
  return `hypertask:${user}:${space}`;
}

async function databasesOf(user: string): Promise<string[]> {
  const all = await indexedDB.databases();
  return all.flatMap(({ name }) => (name?.startsWith(databaseOf(user, "")) ? [name] : []));
}

/** How many edits of a person are only here, in any space: those under way and those that were refused among them. */
export async function unsentOf(user: string): Promise<number> {
  const spaces = (await databasesOf(user)).filter((name) => !name.endsWith(CONFLICTS));
  const counts = await Promise.all(
    spaces.map(async (name) => {
      const client = new Client({ url: location.origin, token: "none", store: await IndexedDbStore.open(name) });
      try {
        const { pending, refused } = await client.status();
        return pending.length + refused.size;
      } finally {
        await client.close();
      }
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Removes all that this browser keeps of a person. */
export async function removeStored(user: string): Promise<void> {
  await Promise.all((await databasesOf(user)).map((name) => deleteDB(name)));
  for (const key of Object.keys(localStorage)) if (key.startsWith(AGREED + databaseOf(user, ""))) localStorage.removeItem(key);
}

/** The same of somebody who is not here any more, unless edits are left that are only here: they wait for that person. */
export async function removeSent(user: string): Promise<void> {
  if ((await unsentOf(user)) === 0) await removeStored(user);
}
