/** Ids of new tasks, and of those that come from others (client/tasks/ids.py). */

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

/** The id that a number says; numbers are taken modulo 28 to the 16th. */
export function idOfNumber(number: bigint): string {
  let [id, left] = ["", number];
  const base = BigInt(ALPHABET.length);
  while (id.length < LENGTH) [id, left] = [id + ALPHABET[Number(left % base)], left / base];
  return id;
}
