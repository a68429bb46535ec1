import { expect, test } from "vitest";
import type { Row } from "./rows.ts";
import { figureOf } from "./statistics.ts";
import { figureTables, formatNumber, markdownTable, ratioTable } from "./table.ts";

const HEADINGS = [
  { id: "tsyncio-20", title: "tsyncio" },
  { id: "native-20", title: "native" },
  { id: "go", title: "go" },
];

const row = (name: string, unit: string, figures: Record<string, readonly number[]>): Row => ({
  name,
  unit,
  figures: new Map(Object.entries(figures).map(([id, samples]) => [id, figureOf(samples.map((sample) => [sample]))])),
});

test.each([
  [0.0625, "0.063"],
  [0.9999, "1.00"],
  [39.04, "39.0"],
  [99.96, "100"],
  [1341.4, "1,341"],
  [-0.5, "-0.500"],
])("formatNumber(), shows three digits, of %d", (value, text) => {
  expect(formatNumber(value)).toBe(text);
});

test("markdownTable(), aligns names left and figures right, under wider cells", () => {
  expect(markdownTable(["", "a"], [["lock", "1,000"]]).split("\n")).toEqual([
    "|      |     a |",
    "|------|------:|",
    "| lock | 1,000 |",
  ]);
});

test("figureTables(), makes a table for each unit, with the columns that have part in it", () => {
  const rows = [row("lock", "ns", { "tsyncio-20": [12, 10, 11] }), row("bundle", "bytes", { "native-20": [4] })];

  const tables = figureTables(rows, HEADINGS, []);

  expect(tables).toHaveLength(2);
  expect(tables[0]).toContain("### ns: median (least)\n\n|      |     tsyncio |");
  expect(tables[0]).toContain("| lock | 11.0 (10.0) |");
  expect(tables[1]).toContain("|        | native |");
});

test("figureTables(), says failed, where a column has no figure for that reason", () => {
  const rows = [row("sleepers 1M CPU", "µs", { "tsyncio-20": [2] })];
  const gaps = [{ row: "sleepers 1M", column: "go", reason: "timed out" }];

  expect(figureTables(rows, HEADINGS, gaps)[0]).toContain("| sleepers 1M CPU |    2.00 | failed |");
});

test("ratioTable(), divides tsyncio's medians by those of the others, where both are known and no differences", () => {
  const rows = [row("lock", "ns", { "tsyncio-20": [10], "native-20": [40] }), row("call", "ns", { go: [1] })];
  const difference = { ...row("over", "ms", { "tsyncio-20": [1], go: [0] }), isDifference: true };

  const table = ratioTable([...rows, difference], HEADINGS);

  expect(table).toBe("### tsyncio ÷ peer\n\n|      | native |\n|------|-------:|\n| lock |  0.250 |");
});
