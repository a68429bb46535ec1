/** What a page downloads for the usual imports: the row `bundle`. */

import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import type { Column } from "./columns.ts";
import { BENCH } from "./folders.ts";
import { type Gap, takeTurns } from "./process.ts";
import type { Row } from "./rows.ts";
import { figureOf } from "./statistics.ts";
import type { Peer } from "./workload.ts";

/** Running, sleeping, waiting for several, owning tasks, and a lock; or the nearest that there is. */
const IMPORTS: Partial<Record<Peer, string>> = {
  tsyncio: `export { run, sleep, gather, taskGroup, Lock } from "tsyncio";`,
  effect: `export { runPromise, sleep, all, forkChild, scoped } from "effect/Effect";
    export { make as makeSemaphore } from "effect/Semaphore";`,
  effection: `export { run, sleep, all, scoped, spawn } from "effection";`,
  rxjs: `export { lastValueFrom, timer, forkJoin, mergeMap, takeUntil, Subject } from "rxjs";`,
  "p-queue": `export { default as PQueue } from "p-queue";
    export { default as pLimit } from "p-limit";
    export { Mutex } from "async-mutex";`,
};

/** What is not told by the names of the columns. */
export const BUNDLE_NOTE = "bundle: the column p-queue holds p-queue, p-limit and async-mutex together.";

/** The bytes of each bundle, minified by esbuild and gzipped at level 9. They are the same each time. */
export async function measureBundles(columns: readonly Column[], gaps: Gap[]): Promise<Row> {
  const turns = columns.flatMap(({ peer, id }) => {
    const contents = IMPORTS[peer];
    return contents === undefined ? [] : [{ column: id, measure: () => sizeOf(contents) }];
  });
  const sizes = await takeTurns("bundle", turns, 1, gaps);
  const figures = new Map([...sizes].map(([id, size]) => [id, figureOf([size])]));
  return { name: "bundle", unit: "bytes, minified and gzipped", figures };
}

async function sizeOf(contents: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: BENCH },
    bundle: true,
    write: false,
    minify: true,
    platform: "browser",
    format: "esm",
    target: "es2022",
    // What a library asks for only where it runs on Node does not reach a page.
    external: ["node:*"],
    logLevel: "silent",
  });
  return gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length;
}
