import { beforeAll, expect, test } from "vitest";
import { adapt, comparable, compare, isEqual } from "./compare.ts";
import { FORMS, type Form } from "./form.ts";
import { generate } from "./generate.ts";
import { loadOracle, type Oracle } from "./oracle.ts";
import { runScript } from "./pair.ts";
import { pairs } from "./pairs/index.ts";
import { report } from "./report.ts";
import type { Trace } from "./trace.ts";

const GENERATOR_FORMS = FORMS.filter((form) => form !== "async");

/** Its turns are others: docs/decisions/0013. */
const STAGGERED = "staggered_race: success, failure, delay, all fail, cancelled from outside";

/** Two start tasks eagerly, and an eager async function is not done when createTask returns: docs/decisions/0007. */
const DIFFERENT_AS_ASYNC = [
  "eager_start: no wait, waits, raises, self-cancel, current_task",
  "eager factory with gather, TaskGroup, shield, wait_for",
  STAGGERED,
];

let oracle: Oracle;
beforeAll(async () => {
  oracle = await loadOracle();
}, 60_000);

/** What differs, told by the first program that does. */
async function differencesOf(form: Form, seed: number, programs: number): Promise<string[]> {
  const differences: string[] = [];
  for (let first = 0; first < programs; first += 50) {
    const batch = Array.from({ length: 50 }, (_, i) => adapt(generate(seed + first + i), form));
    for (const [i, expected] of oracle.run(batch).entries()) {
      const difference = await compare(batch[i] as (typeof batch)[number], form, expected);
      if (difference !== null)
        differences.push(differences.length === 0 ? report(difference) : `seed ${difference.program.seed}`);
    }
  }
  return differences;
}

async function differingPairs(form: Form): Promise<string[]> {
  const names: string[] = [];
  for (const pair of pairs) {
    if (pair.without?.includes(form)) continue;
    if (!isEqual(oracle.runPair(pair.python), await runScript(pair, form), form)) names.push(pair.name);
  }
  return names;
}

test("oracle, is the CPython that the library follows, whatever pyodide brings", () => {
  expect(oracle.version).toBe("3.14.2");
});

test("oracle, ends programs that wait for nothing that could happen, as tsyncio does", async () => {
  const python = "async def main(): await loop.create_future()";
  const script = "function* main() { yield* loop.createFuture(); }";

  const trace = await runScript({ name: "", python, script }, "gen");

  expect([oracle.runPair(python), trace]).toEqual([["- - DEADLOCK"], ["- - DEADLOCK"]]);
});

test("comparable(), tells a turn and a value apart, but turns not of async functions", () => {
  const trace: Trace = ["1 0 x=1", "2 0 END none"];

  expect(isEqual(trace, ["1 0 x=1", "3 0 END none"], "gen")).toBe(false);
  expect(isEqual(trace, ["1 0 x=1", "3 0 END none"], "async")).toBe(true);
  expect(isEqual(trace, ["1 0 x=2", "2 0 END none"], "async")).toBe(false);
  expect(comparable(trace, "async")).toEqual(["0 x=1", "0 END none"]);
});

test.each([
  ["gen", 3_000],
  ["wrapped", 1_000],
  ["thunk", 1_000],
] as const)(
  "random programs, have CPython's traces to the letter, in the %s form (%i)",
  { timeout: 60_000 },
  async (form, count) => {
    expect(await differencesOf(form, 1, count)).toEqual([]);
  },
);

test("pairs, have names of their own and are all there, whatever is added", () => {
  expect(pairs.length).toBeGreaterThanOrEqual(72);
  expect(new Set(pairs.map((pair) => pair.name)).size).toBe(pairs.length);
});

test.each(GENERATOR_FORMS)("pairs, have CPython's traces but for staggered_race, in the %s form", async (form) => {
  expect(await differingPairs(form)).toEqual([STAGGERED]);
});

test("pairs, have CPython's labels and times but for the known ones, in the async form", async () => {
  expect(await differingPairs("async")).toEqual(DIFFERENT_AS_ASYNC);
});
