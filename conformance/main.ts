/** The command: compares random programs, and behaviours by name, on CPython and on tsyncio. See README.md. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { transformSync } from "esbuild";
import { adapt, compare, type Difference, isEqual, shrink, type Way, waysOf } from "./compare.ts";
import { differingPairs } from "./compare-pairs.ts";
import { FORMS } from "./form.ts";
import { generate } from "./generate.ts";
import { runProgram } from "./interpreter.ts";
import { loadOracle, type Oracle } from "./oracle.ts";
import { pairs } from "./pairs/index.ts";
import { decisionOf } from "./pairs/known.ts";
import { FACTORIES } from "./program.ts";
import { report, showProgram, showTraces } from "./report.ts";
import { pythonFile, typeScriptFile } from "./source.ts";
import type { Trace } from "./trace.ts";

const USAGE = `npm run conformance -- [--programs COUNT] [--seed SEED] [--form gen,wrapped,thunk,async] [--factory lazy,eager]
                       [--show SEED [--write DIR]]

  --programs  how many programs (1000); program i has the seed SEED + i
  --seed      the seed of the first (1)
  --form      the forms to run each of them in (gen)
  --factory   whether tasks are lazy or eager by default (lazy,eager)
  --show      prints the program of this seed in Python and TypeScript, and both traces
  --write     writes it as program.py, program.ts and program.mjs (for Node 20), which run by themselves`;

/** Programs that are passed to Python at once. */
const BATCH = 50;
/** Differences that are shrunk and shown, for each way; the others are counted and named by seed. */
const SHOWN = 3;
const NAMED = 20;

interface Options {
  readonly programs: number;
  readonly seed: number;
  readonly ways: readonly Way[];
  readonly show: boolean;
  readonly directory: string | undefined;
}

/** A mistake in the command line. */
class UsageError extends Error {}

/** What came of all programs that were run in one way. */
interface Tally {
  readonly way: Way;
  readonly differing: number[];
  lines: number;
  milliseconds: number;
}

async function compareAll(oracle: Oracle, { programs, seed, ways }: Options): Promise<Tally[]> {
  const tallies = ways.map((way): Tally => ({ way, differing: [], lines: 0, milliseconds: 0 }));
  for (let first = 0; first < programs; first += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, programs - first) }, (_, i) => generate(seed + first + i));
    // Forms that run the same programs share the expected traces.
    const known = new Map<string, Trace[]>();
    for (const tally of tallies) {
      const { form, factory } = tally.way;
      const start = performance.now();
      const adapted = batch.map((program) => adapt(program, form));
      const key = `${form === "async"} ${factory}`;
      const traces = known.get(key) ?? oracle.run(adapted, factory);
      known.set(key, traces);
      for (const [i, program] of adapted.entries()) {
        const expected = traces[i] as Trace;
        tally.lines += expected.length;
        const difference = await compare(program, tally.way, expected);
        if (difference !== null) await count(oracle, tally, difference);
      }
      tally.milliseconds += performance.now() - start;
    }
  }
  return tallies;
}

async function count(oracle: Oracle, tally: Tally, difference: Difference): Promise<void> {
  tally.differing.push(difference.program.seed);
  if (tally.differing.length <= SHOWN) console.log(report(await shrink(oracle, difference)));
}

function summarize({ way, differing, lines, milliseconds }: Tally, programs: number, version: string): string {
  const what = way.form === "async" ? "lines without turns" : "lines";
  const seconds = (milliseconds / 1000).toFixed(1);
  const head = `${nameOf(way)}: ${programs} programs against CPython ${version}, ${lines} ${what}, ${seconds} s`;
  if (differing.length === 0) return `${head}: 0 differ`;
  const more = differing.length > NAMED ? " ..." : "";
  return `${head}: ${differing.length} differ, of the seeds ${differing.slice(0, NAMED).join(" ")}${more}`;
}

function nameOf({ form, factory }: Way): string {
  return `${form}, ${factory} tasks`;
}

/** Compares the behaviours by name; gives the number of those that differ without a decision. */
async function comparePairs(oracle: Oracle, ways: readonly Way[]): Promise<number> {
  let undecided = 0;
  for (const way of ways) {
    const differing = await differingPairs(oracle, way);
    const told = differing.map((name) => `\n  "${name}": ${decisionOf(name, way) ?? "NO DECISION"}`);
    console.log(`${nameOf(way)}: ${pairs.length} pairs: ${differing.length} differ${told.join("")}`);
    undecided += differing.filter((name) => decisionOf(name, way) === undefined).length;
  }
  return undecided;
}

/** Prints the program of a seed; gives whether its traces are equal in all ways. */
async function show(oracle: Oracle, { seed, ways, directory }: Options): Promise<boolean> {
  let equal = true;
  for (const way of ways) {
    const { form, factory } = way;
    const program = adapt(generate(seed), form);
    const [expected] = oracle.run([program], factory) as [Trace];
    const found = await runProgram(program, form, factory);
    console.log([...showProgram(program, way), "", ...showTraces(expected, found, way), ""].join("\n"));
    equal &&= isEqual(expected, found, form);
    if (directory === undefined) continue;
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "program.py"), pythonFile(program, factory));
    // From anywhere, the library is found by its address alone.
    const script = typeScriptFile(program, factory, form).replaceAll(
      /from "(tsyncio[^"]*)"/g,
      (_, entry) => `from "${import.meta.resolve(entry)}"`,
    );
    writeFileSync(join(directory, "program.ts"), script);
    writeFileSync(join(directory, "program.mjs"), transformSync(script, { loader: "ts" }).code);
  }
  return equal;
}

function parseOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      programs: { type: "string", default: "1000" },
      seed: { type: "string", default: "1" },
      form: { type: "string", default: "gen" },
      factory: { type: "string", default: "lazy,eager" },
      show: { type: "string" },
      write: { type: "string" },
    },
  });
  if (values.write !== undefined && values.show === undefined) throw new UsageError("--write needs --show");
  const ways = waysOf(chosen("--form", values.form, FORMS), chosen("--factory", values.factory, FACTORIES));
  if (ways.length === 0) throw new UsageError("the async form has no eager tasks (docs/decisions/0007)");
  if (values.write !== undefined && ways.length > 1) throw new UsageError("--write needs one --form and one --factory");
  const show = values.show !== undefined;
  return {
    programs: natural("--programs", values.programs),
    seed: show ? natural("--show", values.show ?? "") : natural("--seed", values.seed),
    ways,
    show,
    directory: values.write,
  };
}

function chosen<T extends string>(option: string, text: string, names: readonly T[]): T[] {
  return text.split(",").map((name) => {
    const found = names.find((each) => each === name);
    if (found === undefined) throw new UsageError(`${option} takes ${names.join(", ")}, got "${name}"`);
    return found;
  });
}

function natural(option: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`${option} takes a number of up to nine digits, got "${text}"`);
  return Number(text);
}

/** @returns the exit status. */
async function main(args: string[]): Promise<number> {
  let options: Options;
  try {
    options = parseOptions(args);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  const oracle = await loadOracle();
  if (options.show) return (await show(oracle, options)) ? 0 : 1;
  const undecided = await comparePairs(oracle, options.ways);
  const tallies = await compareAll(oracle, options);
  for (const tally of tallies) console.log(summarize(tally, options.programs, oracle.version));
  return undecided === 0 && tallies.every(({ differing }) => differing.length === 0) ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
