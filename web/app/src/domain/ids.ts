/** Ids of new tasks (client/tasks/ids.py). */

/** Without what is easily mistaken for something else when read aloud or copied by hand. */
const ALPHABET = "23456789abcdefghkmnpqrstwxyz";
const LENGTH = 16;

/** `random`: bytes, of which those that would favour some letters are left out. */
export function newId(random: (count: number) => Uint8Array = (count) => crypto.getRandomValues(new Uint8Array(count))): string {
  let id = "";
  const fair = 256 - (256 % ALPHABET.length);
  while (id.length < LENGTH)
    for (const byte of random(LENGTH)) if (byte < fair && id.length < LENGTH) id += ALPHABET[byte % ALPHABET.length];
  return id;
}
