import { build } from "esbuild";
import { cancelEverywhere, type ExploreOptions, explore, replay, runTest, ScheduleError, type TestBody } from "tsyncio/testing";
import { expect, test, vi } from "vitest";
import { built, runProgram } from "../support/process.ts";
import type { Bug } from "./bugs/bug.ts";
import { bugs } from "./bugs/index.ts";
import { starvation } from "./bugs/starvation.ts";

// Each fixture of bugs/ is a small program with a classic concurrency bug that an ordinary test does not show, and its mended twin.

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
// To shrink the longest schedule takes thousands of runs for each seed.
vi.setConfig({ testTimeout: 120_000 });

const each = bugs.map((bug) => [bug.name, bug] as const);

function optionsOf({ name, runs, cancel }: Bug, seed: number): ExploreOptions {
  return { name, runs, cancel, seed };
}

/** The failure of a run that must fail. */
async function failureOf(running: Promise<unknown>): Promise<ScheduleError> {
  const error = await running.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof ScheduleError) return error;
  throw new Error("Expected a ScheduleError", { cause: error });
}

const found = new Map<string, Promise<ScheduleError>>();

/** What `explore` finds from a seed. It is looked for once: to shrink the longest schedule takes its time. */
function find(bug: Bug, seed: number): Promise<ScheduleError> {
  const key = `${bug.name} ${seed}`;
  const known = found.get(key) ?? failureOf(explore(bug.buggy, optionsOf(bug, seed)));
  found.set(key, known);
  return known;
}

/** Who ran when, and what came of it. */
function walk(error: ScheduleError): unknown[] {
  return error.steps.map(({ step, who, choice, outcome }) => ({ step, who, choice, outcome }));
}

/** A failure as other runs can be compared with it. */
function shapeOf(error: ScheduleError): object {
  const { name, code, message } = error.cause as Error & { code?: string };
  return { name, code, message, schedule: error.schedule, steps: error.steps };
}

/** The decisions of a replay string that differ from first come, first served, and the cancellations. */
function decisionsOf(schedule: string): number {
  const list = schedule.slice(schedule.indexOf("!") + 1, schedule.indexOf("~"));
  return list.split(/[,^]/).filter((part) => part !== "").length;
}

test("bugs, are at least twelve, of which a third are async functions, when all are counted", () => {
  const isAsync = (body: TestBody): boolean => Object.prototype.toString.call(body) === "[object AsyncFunction]";

  expect(bugs.length).toBeGreaterThanOrEqual(12);
  expect(new Set(bugs.map((bug) => bug.name)).size).toBe(bugs.length);
  expect(bugs.filter((bug) => isAsync(bug.buggy)).length).toBeGreaterThanOrEqual(bugs.length / 3);
  expect(bugs.every((bug) => isAsync(bug.buggy) === isAsync(bug.mended))).toBe(true);
});

test.each(each)("%s, is not seen by an ordinary test, as what comes first is served first", async (_, bug) => {
  await runTest(bug.buggy);
  await runTest(bug.mended);
});

test.each(each)("%s, is found by explore() within its runs and shrunk to its decisions, from ten seeds", async (_, bug) => {
  const finds = [];
  for (const seed of SEEDS) {
    const error = await find(bug, seed);
    const { name, code } = error.cause as Error & { code?: string };
    finds.push({ seed, runs: error.runs, decisions: decisionsOf(error.schedule), fails: [name, code] });
    // What is shown is the run that the replay string gives.
    expect(shapeOf(await failureOf(replay(bug.buggy, error.schedule)))).toEqual(shapeOf(error));
  }

  expect(finds.filter((each) => each.runs > bug.runs || each.decisions > bug.decisions)).toEqual([]);
  expect(finds.map((each) => each.fails)).toEqual(SEEDS.map(() => bug.fails));
  // The numbers of the fixture are what is needed, not a generous guess.
  expect(Math.max(...finds.map((each) => each.decisions))).toBe(bug.decisions);
  expect(Math.max(...finds.map((each) => each.runs))).toBeGreaterThan(bug.runs / 6);
});

test.each(each)("%s, is not found in its mended twin, in all of its runs from ten seeds", async (_, bug) => {
  const short = [];
  for (const seed of SEEDS) {
    const { runs, complete } = await explore(bug.mended, optionsOf(bug, seed));
    if (runs < bug.runs && !complete) short.push(seed);
  }

  expect(short).toEqual([]);
});

test.each(each)("%s, leaves nothing behind in its mended twin, whoever is cancelled wherever", async (_, bug) => {
  const { complete, cancelled } = await cancelEverywhere(bug.mended);

  expect(complete).toBe(true);
  expect(cancelled).toBeGreaterThan(5);
});

test.each(each.filter(([, bug]) => bug.cancel))("%s, is found by cancelEverywhere(), as well", async (_, bug) => {
  const error = await failureOf(cancelEverywhere(bug.buggy));

  expect(error.cause).toMatchObject({ name: bug.fails[0], code: bug.fails[1] });
  expect(shapeOf(await failureOf(replay(bug.buggy, error.schedule)))).toEqual(shapeOf(error));
});

test.each(each)("%s, gives the same failure to the letter, when explored twice from one seed", async (_, bug) => {
  const first = await find(bug, 7);
  const second = await failureOf(explore(bug.buggy, optionsOf(bug, 7)));

  expect(second.message).toBe(first.message);
  expect(second.runs).toBe(first.runs);
});

test("starvation, is found by pct:3 in a tenth of the portfolio's runs, from ten seeds", async () => {
  const runs: number[] = [];
  for (const seed of SEEDS) {
    const error = await failureOf(explore(starvation.buggy, { strategy: "pct:3", seed, runs: starvation.runs / 10 }));
    runs.push(error.runs);
  }

  expect(Math.max(...runs)).toBeLessThanOrEqual(starvation.runs / 10);
});

test("starvation, is not found by pct:2, as it needs three things in order", async () => {
  const { runs } = await explore(starvation.buggy, { strategy: "pct:2", runs: 2000 });

  expect(runs).toBe(2000);
});

test("replay(), fails in the same way, in a fresh process that has the built library [real]", async () => {
  const failures = await Promise.all(
    bugs.map(async (bug) => {
      const error = await find(bug, 3);
      return { name: bug.name, schedule: error.schedule, cause: (error.cause as Error).name, steps: walk(error) };
    }),
  );
  const source = await bundle(`
    import { replay } from "tsyncio/testing";
    import { bugs } from "./bugs/index.ts";
    ${walk}
    const outcomes = [];
    for (const { name, schedule } of ${JSON.stringify(failures)}) {
      const { buggy } = bugs.find((bug) => bug.name === name);
      const error = await replay(buggy, schedule).then(() => null, (thrown) => thrown);
      outcomes.push({ name, schedule: error?.schedule, cause: error?.cause?.name, steps: walk(error) });
    }
    console.log(JSON.stringify(outcomes));
  `);

  const { stdout, stderr, code } = await runProgram(source);

  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  expect(JSON.parse(stdout)).toEqual(failures);
  expect(failures.every((each) => each.steps.length > 2)).toBe(true);
});

test("TSYNCIO_SCHEDULE, makes explore() replay, in a process of its own [real]", async () => {
  const error = await find(starvation, 3);
  const source = await bundle(`
    import { explore } from "tsyncio/testing";
    import { starvation } from "./bugs/starvation.ts";
    const error = await explore(starvation.buggy).then(() => null, (thrown) => thrown);
    console.log(error.runs, error.cause.message, error.schedule);
  `);

  const { stdout } = await runProgram(source, { env: { TSYNCIO_SCHEDULE: error.schedule } });

  expect(stdout.trim()).toBe(`1 ${(error.cause as Error).message} ${error.schedule}`);
});

/** A program that imports the fixtures, as one module that imports the built library. */
async function bundle(contents: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: import.meta.dirname, loader: "ts" },
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "es2022",
    external: ["tsyncio", "tsyncio/testing"],
  });
  return (outputFiles[0] as { text: string }).text.replaceAll(
    'from "tsyncio/testing"',
    `from ${JSON.stringify(built("tsyncio/testing"))}`,
  );
}
