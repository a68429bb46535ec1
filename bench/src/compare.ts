/** The command `npm run bench:compare`: tsyncio of the working tree against that of a commit, taking turns. See README.md. */

import { existsSync, rmSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TimeSample } from "./child.ts";
import { CHILD, ROOT } from "./folders.ts";
import { findCounter, instructionsOf } from "./instructions.ts";
import { COMPARE_USAGE, type CompareOptions, parseCompareOptions, UsageError } from "./options.ts";
import { type Gap, runJson, runProcess, takeTurns } from "./process.ts";
import { loadWorkloads } from "./rows.ts";
import { type Figure, figureOf } from "./statistics.ts";
import { formatNumber, markdownTable } from "./table.ts";

/** Ms of a batch of which instructions are counted: long enough to be warm, short enough for valgrind. */
const COUNTED_BATCH = 10;

/** The library of a commit in a folder of its own, with the same workloads. */
async function build(ref: string, folder: string): Promise<string> {
  const archive = join(folder, "base.tar");
  await runProcess(["git", "-C", ROOT, "archive", "--output", archive, ref, "packages/tsyncio", "tsconfig.base.json"]).catch(
    (error: Error) => {
      throw new UsageError(`git knows no ${ref}: ${error.message}`);
    },
  );
  await runProcess(["tar", "-xf", archive, "-C", folder]);
  // The same dependencies as the working tree's, but its own tsyncio.
  await mkdir(join(folder, "node_modules"));
  for (const name of await readdir(join(ROOT, "node_modules")))
    if (name !== "tsyncio") await symlink(join(ROOT, "node_modules", name), join(folder, "node_modules", name), "junction");
  await symlink(join(folder, "packages/tsyncio"), join(folder, "node_modules/tsyncio"), "junction");
  const base = join(folder, "packages/tsyncio");
  await runProcess([process.execPath, join(ROOT, "node_modules/typescript/bin/tsc"), "-b", base]);
  // Commits before 2026-11-21 have no such step.
  const joining = join(base, "scripts/join.mjs");
  if (existsSync(joining)) await runProcess([process.execPath, joining]);
  await cp(join(ROOT, "bench/dist"), join(folder, "bench/dist"), { recursive: true });
  await cp(join(ROOT, "bench/package.json"), join(folder, "bench/package.json"));
  return join(folder, "bench/dist/src/child.js");
}

/** Times both, or counts their instructions, and gives a line of the table for each workload. */
async function compare(base: string, { only, rounds, batch, instructions }: CompareOptions, gaps: Gap[]): Promise<string[][]> {
  const counter = instructions ? await findCounter() : null;
  if (counter !== null) console.error(`counting instructions by ${counter.name}`);
  const lines: string[][] = [];
  for (const [i, name] of only.entries()) {
    console.error(`${i + 1}/${only.length} ${name}`);
    const time = (child: string, ms: number) =>
      runJson<TimeSample>([process.execPath, child, name, "tsyncio", "time", String(ms)]);
    const sides = Object.entries({ base, head: CHILD });
    let turns = sides.map(([column, child]) => ({ column, measure: async () => (await time(child, batch)).samples }));
    if (counter !== null) {
      const { n } = await time(CHILD, COUNTED_BATCH);
      turns = sides.map(([column, child]) => ({
        column,
        measure: async () => [await instructionsOf(counter.count, [process.execPath, child], name, n)],
      }));
    }
    const results = await takeTurns(name, turns, rounds, gaps);
    const [left, right] = sides.map(([column]) => figure(results.get(column)));
    lines.push([name, cell(left), cell(right), left && right ? formatNumber(right.median / left.median) : ""]);
  }
  return lines;
}

function figure(samples: readonly (readonly number[])[] | undefined): Figure | undefined {
  return samples === undefined ? undefined : figureOf(samples);
}

function cell(figure: Figure | undefined): string {
  return figure === undefined ? "failed" : `${formatNumber(figure.median)} (${formatNumber(figure.least)})`;
}

async function main(): Promise<void> {
  const workloads = await loadWorkloads();
  const timed = [...workloads.values()].filter(({ measures }) => measures === "time").map(({ name }) => name);
  const options = parseCompareOptions(process.argv.slice(2), timed);
  if (options.help) {
    console.log(COMPARE_USAGE);
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), "tsyncio-bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));
  const base = await build(options.ref, folder);
  const gaps: Gap[] = [];
  const lines = await compare(base, options, gaps);
  const unit = options.instructions ? "instructions" : "ns";
  console.log(
    `${unit} per operation on Node ${process.version}: median (least); base is ${options.ref}, head the working tree\n`,
  );
  console.log(markdownTable(["", "base", "head", "head ÷ base"], lines));
  for (const { row, column, reason } of gaps) console.log(`\n- ${row}, ${column}: failed: ${reason}`);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\n\n${COMPARE_USAGE}`);
  process.exitCode = 2;
}
