// Writes the compiled modules to dist/web with short names for what is internal, such as `_loop`: a page downloads the library, and
// every name that is not public costs it. Those of one module must fit those of all others, so they are given out here, the shortest
// to the most used: first in what every page has, then in the rest. Node has the names as they are written (join.mjs).

import { readdir, readFile, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const DIST = fileURLToPath(new URL("../dist", import.meta.url));
/** Public names have no underscore, and fields of foreign objects are not called so either. */
const INTERNAL = /^_[a-z]/;

const modules = (await readdir(DIST, { recursive: true })).filter((path) => /(?<!^(node|web)\b.*)\.js$/.test(path));
/** What every page has, whatever it uses of the library. */
const CORE = /^(base|kernel|flow|sync|run|hosts)\//;
const uses = new Map();
for (const path of modules) {
  const weight = CORE.test(path) ? 1 : 1e-6;
  for (const [name] of (await readFile(`${DIST}/${path}`, "utf8")).matchAll(/\b_[a-z]\w*/g))
    uses.set(name, (uses.get(name) ?? 0) + weight);
}
const names = [...uses].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).map(([name]) => name);

await rm(`${DIST}/web`, { recursive: true, force: true });
await build({
  entryPoints: modules.map((path) => `${DIST}/${path}`),
  outbase: DIST,
  outdir: `${DIST}/web`,
  mangleProps: INTERNAL,
  mangleCache: Object.fromEntries(names.map((name, index) => [name, `$${index.toString(36)}`])),
  target: "es2022",
  sourcemap: true,
  sourcesContent: false,
  logLevel: "warning",
});
