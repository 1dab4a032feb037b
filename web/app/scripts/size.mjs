/** Prints the size of what is built, file by file, and fails above the limit of the whole. */

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const LIMIT = 150_000;
const dist = fileURLToPath(new URL("../dist", import.meta.url));
const names = readdirSync(dist, { recursive: true }).filter((name) => /\.(html|js|css|svg|webmanifest)$/.test(name));

let whole = 0;
for (const name of names.sort()) {
  const [bytes, gzip] = [readFileSync(`${dist}/${name}`), readFileSync(`${dist}/${name}.gz`)].map(({ length }) => length);
  whole += gzip;
  console.log(`${name}: ${bytes} bytes, gzip ${gzip}`);
}
console.log(`whole app: gzip ${whole} of ${LIMIT}`);
if (whole > LIMIT) process.exitCode = 1;
