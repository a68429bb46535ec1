/** How long a process lasts that imports a library and runs an empty main: the rows of `startup`. */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Column, majorOf, type Runtime } from "./columns.ts";
import { BENCH } from "./folders.ts";
import { type Gap, runProcess, takeTurns } from "./process.ts";
import type { Row } from "./rows.ts";
import { type Figure, figureOf } from "./statistics.ts";
import type { Peer } from "./workload.ts";

/** Starts for each round: one is over soon, and has more noise than a batch of operations. */
const STARTS = 5;

const UNIT = "ms of a whole process";

/** The programs; `bare` is what a runtime takes without any. Go's is its workloads' program, which does nothing when told nothing. */
const PROGRAMS: Partial<Record<Peer | "bare node" | "bare python", string>> = {
  "bare node": "",
  "bare python": "",
  tsyncio: `import { run } from "tsyncio"; await run(function* () {});`,
  native: `async function main() {} await main();`,
  effect: `import { Effect } from "effect"; await Effect.runPromise(Effect.void);`,
  effection: `import { run } from "effection"; await run(function* () {});`,
  "p-limit": `import pLimit from "p-limit"; await pLimit(1)(async () => {});`,
  "p-queue": `import PQueue from "p-queue"; await new PQueue().add(async () => {});`,
  "p-map": `import pMap from "p-map"; await pMap([], async () => {});`,
  "async-mutex": `import { Mutex } from "async-mutex"; await new Mutex().runExclusive(async () => {});`,
  bluebird: `import Bluebird from "bluebird"; await Bluebird.resolve();`,
  rxjs: `import { lastValueFrom, of } from "rxjs"; await lastValueFrom(of(0));`,
  asyncio: `import asyncio\nasync def main(): pass\nasyncio.run(main())`,
  uvloop: `import asyncio, uvloop\nasync def main(): pass\nuvloop.install()\nasyncio.run(main())`,
  trio: `import trio\nasync def main(): pass\ntrio.run(main)`,
};

/** Two rows: the whole process, and what it takes beyond its bare runtime. */
export async function measureStartup(columns: readonly Column[], rounds: number, gaps: Gap[]): Promise<Row[]> {
  const runtimes = new Map(columns.map(({ runtime }) => [bareId(runtime), runtime]));
  const starts: { column: string; command: readonly string[] }[] = [];
  for (const [id, runtime] of runtimes) {
    const command = await commandOf(`bare ${runtime.language}` as "bare node", runtime);
    if (command !== null) starts.push({ column: id, command });
  }
  for (const { peer, runtime, id } of columns) {
    const command = await commandOf(peer, runtime);
    if (command !== null) starts.push({ column: id, command });
  }

  const turns = starts.map(({ column, command }) => ({ column, measure: () => lasts(command) }));
  const results = await takeTurns("startup", turns, rounds * STARTS, gaps);

  const whole = new Map([...results].map(([id, times]) => [id, figureOf(times.map((ms) => [ms]))]));
  const over = new Map<string, Figure>();
  for (const { id, runtime } of columns) {
    const [own, bare] = [whole.get(id), whole.get(bareId(runtime))];
    if (own !== undefined && bare !== undefined)
      over.set(id, { median: own.median - bare.median, least: own.least - bare.least, samples: own.samples });
  }
  return [
    { name: "startup", unit: UNIT, figures: whole },
    { name: "startup over bare", unit: UNIT, figures: over, isDifference: true },
  ];
}

/** `bare node-20`, which the rows hold beside the columns. */
export function bareId(runtime: Runtime): string {
  return `bare ${runtime.language}-${majorOf(runtime)}`;
}

/** Node starts from a file, in a folder from which it finds the libraries. A bare one is CommonJS, which is the quickest start. */
async function commandOf(program: keyof typeof PROGRAMS, { language, command }: Runtime): Promise<string[] | null> {
  if (language === "go") return program === "go" ? [command] : null;
  const text = PROGRAMS[program];
  if (text === undefined) return null;
  if (language === "python") return [command, "-c", text];
  const folder = join(BENCH, "dist/startup");
  const file = join(folder, `${program.replace(" ", "-")}.${text === "" ? "cjs" : "mjs"}`);
  await mkdir(folder, { recursive: true });
  await writeFile(file, text);
  return [command, file];
}

async function lasts(command: readonly string[]): Promise<number> {
  const start = performance.now();
  await runProcess(command);
  return performance.now() - start;
}
