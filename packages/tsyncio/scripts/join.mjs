// Joins the modules into dist/node: one file for each entry, and one for what they share. Node, Bun and Deno load those (the
// condition `node` of package.json), because loading sixty files takes them longer than anything else at the start of a program.
// Bundlers for pages get the compiled modules as they are, so that they can leave out what is not used.

import { fileURLToPath } from "node:url";
import { build } from "rolldown";

const fromHere = (path) => fileURLToPath(new URL(path, import.meta.url));

await build({
  input: {
    index: fromHere("../src/index.ts"),
    ...Object.fromEntries(
      ["interop", "net", "subprocess", "testing"].map((name) => [name, fromHere(`../src/${name}/index.ts`)]),
    ),
  },
  platform: "node",
  resolve: { alias: { "#host": fromHere("../src/hosts/node.ts") } },
  output: {
    dir: fromHere("../dist/node"),
    cleanDir: true,
    format: "esm",
    sourcemap: true,
    // The sources are part of the package.
    sourcemapExcludeSources: true,
    entryFileNames: "[name].js",
    // The state of the library, such as who the current task is, exists once: in the part that all entries share.
    chunkFileNames: "[name].js",
    codeSplitting: {
      groups: [
        { name: "shared", test: /src\/(base|kernel|flow|sync|inspect|hosts|run)\// },
        { name: "streams", test: /src\/streams\// },
      ],
    },
  },
});
