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
  const { outputFiles, metafile } = await build({
    entryPoints: { [part]: new URL(source, import.meta.url).pathname },
    bundle: true,
    splitting: true,
    minify: true,
    write: false,
    metafile: true,
    outdir: "size",
    format: "esm",
    target: "es2022",
    external: ["idb", "rxdb", "rxdb/*", "rxjs", "rxjs/*", "node:*"],
  });
  const files = new Map(outputFiles.map(({ path, contents }) => [`size/${path.split("/size/").at(-1)}`, contents]));
  const atOnce = new Set();
  const reach = (file) => {
    if (atOnce.has(file) || !files.has(file)) return;
    atOnce.add(file);
    for (const { path, kind } of metafile.outputs[file].imports) if (kind === "import-statement") reach(path);
  };
  reach(`size/${part}.js`);
  const later = [...files.keys()].filter((file) => !atOnce.has(file));
  const gzip = said(part, [...atOnce].map((file) => files.get(file)));
  if (later.length > 0) said(`${part}, loaded later`, later.map((file) => files.get(file)));
  if (part === "core" && gzip > LIMIT) {
    console.error(`the core has ${gzip} bytes compressed; ${LIMIT} are allowed`);
    process.exitCode = 1;
  }
}

/** Returns the bytes with gzip. */
function said(what, contents) {
  const sum = (of) => contents.reduce((total, each) => total + of(each).length, 0);
  const gzip = sum((each) => gzipSync(each, { level: 9 }));
  console.log(`${what}: ${sum((each) => each)} bytes, gzip ${gzip}, brotli ${sum(brotliCompressSync)}`);
  return gzip;
}
