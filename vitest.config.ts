import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string): string => fileURLToPath(new URL(`packages/tsyncio/src/${path}`, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^tsyncio$/, replacement: source("index.ts") },
      { find: /^tsyncio\/(interop|net|subprocess|testing)$/, replacement: source("$1/index.ts") },
      { find: "#host", replacement: source("hosts/node.ts") },
    ],
  },
  test: {
    include: ["packages/*/test/**/*.test.ts", "examples/**/*.test.ts", "conformance/*.test.ts", "bench/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**"],
    testTimeout: 20_000,
    // Two cores, and some files start processes and browsers of their own.
    maxWorkers: 2,
  },
});
