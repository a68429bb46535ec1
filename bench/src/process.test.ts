import { expect, test } from "vitest";
import { type Gap, runJson, runProcess, takeTurns } from "./process.ts";

const node = (program: string) => [process.execPath, "-e", program];

test("takeTurns(), asks each column once a round, one after the other", async () => {
  const order: string[] = [];
  const turn = (column: string) => ({ column, measure: async () => order.push(column) });

  const results = await takeTurns("row", [turn("a"), turn("b")], 2, []);

  expect(order).toEqual(["a", "b", "a", "b"]);
  expect(Object.fromEntries(results)).toEqual({ a: [1, 3], b: [2, 4] });
});

test("takeTurns(), names a column that fails, keeps what it had, and asks it no more", async () => {
  const gaps: Gap[] = [];
  let asked = 0;
  const measure = async () => {
    if (++asked === 2) throw new Error("broken");
    return asked;
  };

  const results = await takeTurns("row", [{ column: "a", measure }], 4, gaps);

  expect([asked, results.get("a"), gaps]).toEqual([2, [1], [{ row: "row", column: "a", reason: "broken" }]]);
});

test("runJson(), reads what a process prints [real]", async () => {
  expect(await runJson(node("console.log(JSON.stringify({ n: 1 }))"))).toEqual({ n: 1 });
});

test("runProcess(), tells the line that names the error, when a process fails [real]", async () => {
  await expect(runProcess(node("throw new RangeError('too far')"))).rejects.toThrow(/^RangeError: too far$/);
});

test("runProcess(), ends a process that takes too long, and says so [real]", async () => {
  await expect(runProcess(node("setInterval(() => {}, 1000)"), 200)).rejects.toThrow("timed out after 0.2 s");
});
