/** The command: compares random programs on CPython and on tsyncio. See README.md. */

import { parseArgs } from "node:util";
import { adapt, compare, type Difference, shrink } from "./compare.ts";
import { FORMS, type Form } from "./form.ts";
import { generate } from "./generate.ts";
import { loadOracle, type Oracle } from "./oracle.ts";
import { report } from "./report.ts";
import type { Trace } from "./trace.ts";

const USAGE = `npm run conformance -- [--programs COUNT] [--seed SEED] [--form gen,wrapped,thunk,async] [--show SEED]

  --programs  how many programs (1000); program i has the seed SEED + i
  --seed      the seed of the first (1)
  --form      the forms to run each of them in (gen)
  --show      runs the one program of this seed`;

/** Programs that are passed to Python at once. */
const BATCH = 50;
/** Differences that are shrunk and shown, for each form; the others are counted and named by seed. */
const SHOWN = 3;
const NAMED = 20;

interface Options {
  readonly programs: number;
  readonly seed: number;
  readonly forms: readonly Form[];
}

/** A mistake in the command line. */
class UsageError extends Error {}

/** What came of all programs in one form. */
interface Tally {
  readonly form: Form;
  readonly differing: number[];
  lines: number;
  milliseconds: number;
}

async function compareAll(oracle: Oracle, { programs, seed, forms }: Options): Promise<Tally[]> {
  const tallies = forms.map((form): Tally => ({ form, differing: [], lines: 0, milliseconds: 0 }));
  for (let first = 0; first < programs; first += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, programs - first) }, (_, i) => generate(seed + first + i));
    let ofGenerators: Trace[] | undefined;
    for (const tally of tallies) {
      const start = performance.now();
      const adapted = batch.map((program) => adapt(program, tally.form));
      // Async functions run programs of their own; the other forms share theirs.
      let traces = tally.form === "async" ? undefined : ofGenerators;
      traces ??= oracle.run(adapted);
      if (tally.form !== "async") ofGenerators = traces;
      for (const [i, program] of adapted.entries()) {
        const expected = traces[i] as Trace;
        tally.lines += expected.length;
        const difference = await compare(program, tally.form, expected);
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

function summarize({ form, differing, lines, milliseconds }: Tally, programs: number, version: string): string {
  const what = form === "async" ? "lines without turns" : "lines";
  const head = `${form}: ${programs} programs against CPython ${version}, ${lines} ${what}, ${(milliseconds / 1000).toFixed(1)} s`;
  if (differing.length === 0) return `${head}: 0 differ`;
  const more = differing.length > NAMED ? " ..." : "";
  return `${head}: ${differing.length} differ, of the seeds ${differing.slice(0, NAMED).join(" ")}${more}`;
}

function parseOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      programs: { type: "string", default: "1000" },
      seed: { type: "string", default: "1" },
      form: { type: "string", default: "gen" },
      show: { type: "string" },
    },
  });
  const forms = values.form.split(",").map((name) => {
    const form = FORMS.find((each) => each === name);
    if (form === undefined) throw new UsageError(`--form takes ${FORMS.join(", ")}, got "${name}"`);
    return form;
  });
  if (values.show !== undefined) return { programs: 1, seed: natural("--show", values.show), forms };
  return { programs: natural("--programs", values.programs), seed: natural("--seed", values.seed), forms };
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
  const tallies = await compareAll(oracle, options);
  for (const tally of tallies) console.log(summarize(tally, options.programs, oracle.version));
  return tallies.every(({ differing }) => differing.length === 0) ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
