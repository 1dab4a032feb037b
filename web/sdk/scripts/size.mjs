/**
 * Prints the size of each part of the SDK, bundled, minified and compressed, and fails above the limit of the core.
 *
 * The core is what an application loads at once. The merge is loaded when it is needed for the first time: when somebody
 * edits a document while a request with it is under way.
 */

import { build } from "esbuild";
import { readFileSync } from "node:fs";
import { brotliCompressSync, gzipSync } from "node:zlib";

const LIMIT = 15_000;
const { exports } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

for (const [name, { default: compiled }] of Object.entries(exports)) {
  const part = name === "." ? "core" : name.slice("./".length);
  const source = compiled.replace("./build/", "../").replace(/js$/, "ts");
  const { outputFiles } = await build({
    entryPoints: { [part]: new URL(source, import.meta.url).pathname },
    bundle: true,
    splitting: true,
    minify: true,
    write: false,
    outdir: "size",
    chunkNames: `${part}, loaded later`,
    format: "esm",
    target: "es2022",
    external: ["idb", "rxdb", "rxdb/*", "rxjs", "rxjs/*", "node:*"],
  });
  for (const { path, contents } of outputFiles) {
    const file = path.split("/").at(-1).replace(/\.js$/, "");
    const gzip = gzipSync(contents, { level: 9 }).length;
    console.log(`${file}: ${contents.length} bytes, gzip ${gzip}, brotli ${brotliCompressSync(contents).length}`);
    if (file === "core" && gzip > LIMIT) {
      console.error(`the core has ${gzip} bytes compressed; ${LIMIT} are allowed`);
      process.exitCode = 1;
    }
  }
}
