/** Bundles what the tests of pure modules need, for Node. */

import { defineConfig } from "vite";

export default defineConfig({
  publicDir: false,
  build: { ssr: "test/domain.test.ts", outDir: "build/test", emptyOutDir: true, target: "node20", reportCompressedSize: false },
});
