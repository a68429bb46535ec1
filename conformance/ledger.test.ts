/** Counts the ledger against itself, and against the tests and decisions that it names. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const TESTS = join(ROOT, "packages/tsyncio/test");
const LEDGER = readFileSync(join(import.meta.dirname, "LEDGER.md"), "utf8");

interface Row {
  readonly name: string;
  readonly how: string;
  readonly where: string;
}
interface Section {
  readonly file: string;
  readonly announced: number;
  readonly rows: readonly Row[];
}

const sections: Section[] = LEDGER.split(/^## /m)
  .slice(1)
  .map((text) => {
    const [, file, count] = /^(test_\w+\.py) \((\d+)\)\n/.exec(text) ?? [];
    const rows = [...text.matchAll(/^\| (\w+\.test_\w+)\s+\| (\S+)\s+\| (.*?)\s*\|$/gm)];
    return {
      file: file ?? "",
      announced: Number(count),
      rows: rows.map(([, name, how, where]) => ({ name, how, where }) as Row),
    };
  });
const rows = sections.flatMap((each) => each.rows);

/** How many rows say so. */
const count = (how: string): number => rows.filter((row) => row.how === how).length;

test("LEDGER.md, covers the fourteen files of CPython, each once", () => {
  const core = "eager_task_factory futures futures2 locks queues runners staggered taskgroups tasks timeouts waitfor";
  const files = `${core} server streams subprocess`;

  expect(sections.map((each) => each.file).sort()).toEqual(
    files
      .split(" ")
      .map((name) => `test_${name}.py`)
      .sort(),
  );
});

test("LEDGER.md, has as many rows as it says, in each section and in all", () => {
  for (const { file, announced, rows } of sections) expect([file, rows.length]).toEqual([file, announced]);
  const [, total, tests, differing, inapplicable] =
    /(\d+) test methods: (\d+) .*?, (\d+) .*?, (\d+) /s.exec(LEDGER.replaceAll("\n", " ")) ?? [];

  expect([total, tests, differing, inapplicable].map(Number)).toEqual([
    rows.length,
    count("test"),
    count("differs"),
    count("n/a"),
  ]);
  expect(count("test") + count("differs") + count("n/a")).toBe(rows.length);
});

test("LEDGER.md, names every method once", () => {
  const names = sections.flatMap(({ file, rows }) => rows.map((row) => `${file} ${row.name}`));

  expect(names.length).toBeGreaterThan(500);
  expect(new Set(names).size).toBe(names.length);
});

describe.each(sections)("$file", ({ rows }) => {
  test("rows with a test, name one that is there, by file and title", () => {
    const missing = rows
      .filter((row) => row.how === "test")
      .flatMap((row) => row.where.split(" ; ").map((cell) => ({ row: row.name, cell })))
      .filter(({ cell }) => !isTest(cell));

    expect(missing).toEqual([]);
  });

  test("rows that differ, name a decision record that is there", () => {
    const decisions = readdirSync(join(ROOT, "docs/decisions"));
    const missing = rows.filter(({ how, where }) => {
      const number = /decision (\d{4})/.exec(where)?.[1];
      return how === "differs" && !decisions.some((file) => number !== undefined && file.startsWith(number));
    });

    expect(missing).toEqual([]);
  });

  test("rows that cannot apply, say why", () => {
    expect(rows.filter(({ how, where }) => how === "n/a" && where.length < 15)).toEqual([]);
  });
});

const texts = new Map<string, string>();

/** Whether a cell such as `` `sync/lock.test.ts` Lock, does so `` names a title in a file. */
function isTest(cell: string): boolean {
  const [, file, title] = /^`([^`]+)` (.+)$/.exec(cell) ?? [];
  if (file === undefined || title === undefined) return false;
  const path = join(TESTS, file);
  if (!texts.has(path)) texts.set(path, existsSync(path) ? readFileSync(path, "utf8").replaceAll('\\"', '"') : "");
  return (texts.get(path) as string).includes(title);
}
