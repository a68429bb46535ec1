import { beforeAll, expect, test } from "vitest";
import { adapt, comparable, compare, type Difference, isEqual, shrink, type Way, waysOf } from "./compare.ts";
import { differingPairs } from "./compare-pairs.ts";
import { textOf } from "./files.ts";
import { FORMS } from "./form.ts";
import { generate } from "./generate.ts";
import { loadOracle, type Oracle } from "./oracle.ts";
import { runScript } from "./pair.ts";
import { pairs } from "./pairs/index.ts";
import { decisionOf } from "./pairs/known.ts";
import { PROFILES } from "./profiles.ts";
import { FACTORIES, type Kind } from "./program.ts";
import { report } from "./report.ts";
import type { Trace } from "./trace.ts";

/** How many programs are run, by form; with lazy tasks and with eager ones. */
const PROGRAMS = { gen: 1_500, wrapped: 300, thunk: 300, async: 600 };
const WAYS = waysOf(FORMS, FACTORIES);

let oracle: Oracle;
beforeAll(async () => {
  oracle = await loadOracle();
}, 60_000);

/** What differs, told by the first program that does. */
async function differencesOf(way: Way, programs: number): Promise<string[]> {
  const differences: string[] = [];
  for (let first = 1; first <= programs; first += 50) {
    const batch = Array.from({ length: 50 }, (_, i) => adapt(generate(first + i), way.form));
    for (const [i, expected] of oracle.run(batch, way.factory).entries()) {
      const difference = await compare(batch[i] as (typeof batch)[number], way, expected);
      if (difference !== null)
        differences.push(differences.length === 0 ? report(difference) : `seed ${difference.program.seed}`);
    }
  }
  return differences;
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

test("generate(), makes the same program of a seed, and all kinds of statement and profiles of some hundreds", () => {
  const seen = new Set<string>();
  const profiles = new Set<string>();
  for (let seed = 1; seed <= 500; seed++) {
    const program = generate(seed);
    profiles.add(program.profile);
    for (const [, kind] of JSON.stringify(program).matchAll(/"kind":"(\w+)"/g)) seen.add(kind as Kind);
    if (seed <= 20) expect(generate(seed)).toEqual(program);
  }

  expect([...profiles].sort()).toEqual(PROFILES.map(({ name }) => name).sort());
  // All that program.ts lists; targets have kinds of their own.
  const listed = [...textOf("program.ts").matchAll(/(?<!\[)\bkind: ("\w{2,}"(?: \| "\w+")*)/g)].flatMap(([, kinds]) =>
    kinds?.match(/\w+/g),
  );
  expect([...seen].sort()).toEqual([...new Set(listed)].sort());
});

test("shrink(), leaves the one statement that differs, and report() prints it in both languages", {
  timeout: 60_000,
}, async () => {
  // As if CPython counted otherwise.
  const lies = (trace: Trace): Trace => trace.map((line) => line.replace(/inc=.*/, "inc=9"));
  const lying: Oracle = { ...oracle, run: (programs, factory) => oracle.run(programs, factory).map(lies) };
  const way: Way = { form: "gen", factory: "eager" };
  let found: Difference | null = null;
  for (let seed = 1; found === null; seed++) {
    const program = adapt(generate(seed), "gen");
    found = await compare(program, way, lying.run([program], "eager")[0] as Trace);
  }

  const small = await shrink(lying, found);
  const text = report(small);

  expect(small.program.main.length + small.program.bodies.flat().length).toBeLessThanOrEqual(2);
  expect(text).toContain("shared.counter += 1");
  expect(text).toContain("++shared.counter");
  expect(text).toMatch(/^\* .* inc=9 +\| .* inc=1$/m);
});

test.each(WAYS)(
  "random programs, have CPython's traces, in the $form form with $factory tasks",
  { timeout: 60_000 },
  async (way) => {
    expect(await differencesOf(way, PROGRAMS[way.form])).toEqual([]);
  },
);

test("pairs, have names of their own and are all there, whatever is added", () => {
  expect(pairs.length).toBeGreaterThanOrEqual(72);
  expect(new Set(pairs.map((pair) => pair.name)).size).toBe(pairs.length);
});

test.each(WAYS)(
  "pairs, have CPython's traces but where a decision says so, in the $form form with $factory tasks",
  async (way) => {
    const decided = pairs.filter(({ name }) => decisionOf(name, way) !== undefined).map(({ name }) => name);

    expect(await differingPairs(oracle, way)).toEqual(decided);
  },
);
