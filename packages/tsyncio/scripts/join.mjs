// Joins the compiled modules into dist/node: one file for each entry, and one for what they share. Node, Bun and Deno load those
// (the condition `node` of package.json), because loading sixty files takes them longer than anything else at the start of a
// program. Bundlers for pages get the modules as they are, so that they can leave out what is not used.

import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const DIST = fileURLToPath(new URL("../dist", import.meta.url));

await rm(`${DIST}/node`, { recursive: true, force: true });
await build({
  entryPoints: { index: `${DIST}/index.js`, testing: `${DIST}/testing/index.js` },
  outdir: `${DIST}/node`,
  // The state of the library, such as who the current task is, exists once: in the part that the entries share.
  bundle: true,
  splitting: true,
  chunkNames: "shared",
  format: "esm",
  platform: "node",
  target: "node20.19",
  sourcemap: true,
  sourcesContent: false,
  logLevel: "warning",
});
