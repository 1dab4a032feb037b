/** Builds the app into dist/: hashed assets, each beside itself with gzip, and the service worker of this release. */

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const NOT_KEPT = /^(sw\.js|.*\.gz)$/;

/** After everything is written: the worker with the list of what it keeps, and what is sent compressed. */
function worker(): Plugin {
  let out = "";
  return {
    name: "worker",
    configResolved({ root, build }) {
      out = resolve(root, build.outDir);
    },
    closeBundle() {
      const files = readdirSync(out, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => `${entry.parentPath}/${entry.name}`.slice(out.length + 1))
        .filter((name) => !NOT_KEPT.test(name))
        .sort();
      const hash = createHash("sha256");
      for (const name of files) hash.update(name).update(readFileSync(`${out}/${name}`));
      const source = readFileSync(at("worker/sw.js"), "utf8")
        .replace("__RELEASE__", JSON.stringify(hash.digest("hex").slice(0, 16)))
        .replace("__FILES__", JSON.stringify(files.map((name) => `/app/${name === "index.html" ? "" : name}`)));
      writeFileSync(`${out}/sw.js`, source);
      for (const name of [...files, "sw.js"])
        if (!name.endsWith(".png")) writeFileSync(`${out}/${name}.gz`, gzipSync(readFileSync(`${out}/${name}`), { level: 9 }));
    },
  };
}

/** The pages are loaded beside the entry, not after it. */
function pagesBeside(): Plugin {
  return {
    name: "pages-beside",
    transformIndexHtml: {
      order: "post",
      handler(html, { bundle = {} }) {
        const chunks = Object.values(bundle).filter((one) => one.type === "chunk");
        const pages = chunks.find(({ facadeModuleId }) => facadeModuleId?.endsWith("/src/views/app.tsx"));
        const names = pages ? [pages.fileName, ...pages.imports] : [];
        return names
          .filter((name) => !html.includes(name))
          .map((name) => ({ tag: "link", attrs: { rel: "modulepreload", crossorigin: true, href: `/app/${name}` }, injectTo: "head" }));
      },
    },
  };
}

export default defineConfig({
  base: "/app/",
  resolve: { alias: { idb: at("node_modules/idb") } },
  build: {
    target: "es2022",
    modulePreload: { polyfill: false },
    // Everything comes as a file of its own: the policy of the page allows nothing else.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  plugins: [pagesBeside(), worker()],
});
