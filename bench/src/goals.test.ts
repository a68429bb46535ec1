import { expect, test } from "vitest";
import { GOALS, goalTable, judge } from "./goals.ts";
import { NANOSECONDS, type Row } from "./rows.ts";
import { figureOf } from "./statistics.ts";

const row = (name: string, figures: Record<string, number>, unit = NANOSECONDS): Row => ({
  name,
  unit,
  figures: new Map(Object.entries(figures).map(([id, value]) => [id, figureOf([[value]])])),
});

test("judge(), takes the limit and the columns of the Node it is asked for", () => {
  const rows = [row("switch", { "tsyncio-20": 55, "native-20": 50, "tsyncio-26": 33, "native-26": 30 })];

  expect(judge(rows, "20")).toEqual([{ goal: "switch ÷ native", measured: 1.1, limit: 1, reached: false }]);
  expect(judge(rows, "26")).toEqual([{ goal: "switch ÷ native", measured: 1.1, limit: 1.2, reached: true }]);
});

test("judge(), compares with peers that are not of any Node, and with other rows", () => {
  const rows = [
    row("deep10", { "tsyncio-20": 10 }),
    row("deep100", { "tsyncio-20": 20 }),
    row("lock", { "tsyncio-20": 5, go: 10 }),
  ];

  const reached = judge(rows, "20").map((verdict) => [verdict.goal, verdict.reached]);

  expect(reached).toEqual([
    ["deep10 ÷ deep100", true],
    ["deep100 ÷ deep10", false],
    ["lock ÷ go", true],
  ]);
});

test("judge(), holds every timed row against Effect and Effection, also one without a goal of its own", () => {
  const rows = [
    row("new", { "tsyncio-20": 3, "effect-20": 2, "effection-20": 4 }),
    row("bundle", { "tsyncio-20": 9, "effect-20": 1 }, "b"),
  ];

  const reached = judge(rows, "20").map((verdict) => [verdict.goal, verdict.reached]);

  expect(reached).toEqual([
    ["new ÷ effect", false],
    ["new ÷ effection", true],
  ]);
});

test("judge(), takes a figure as it is, where the goal is a number of bytes or ms", () => {
  const rows = [
    row("sleepers 1M memory", { "tsyncio-26": 539 }, "bytes"),
    row("startup over bare", { "tsyncio-26": 11 }, "ms"),
  ];

  expect(judge(rows, "26").map(({ limit, reached }) => [limit, reached])).toEqual([
    [540, true],
    [10, false],
  ]);
});

test("GOALS, have a limit on at least one of the Nodes", () => {
  expect(GOALS.filter(({ limits }) => limits[0] === null && limits[1] === null)).toEqual([]);
});

test("goalTable(), shows what was measured beside the limit, and counts what is reached", () => {
  const table = goalTable([
    { goal: "switch ÷ native", measured: 1.1, limit: 1, reached: false },
    { goal: "lock ÷ go", measured: 0.5, limit: 1, reached: true },
  ]);

  expect(table).toContain("| switch ÷ native  |     1.10 |    1.00 |      NO |");
  expect(table).toContain("1 of the 2 goals that could be judged are reached.");
});
