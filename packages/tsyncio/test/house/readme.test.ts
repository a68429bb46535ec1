import { readFileSync } from "node:fs";
import { join } from "node:path";
import { transformSync } from "esbuild";
import { expect, test } from "vitest";
import { runProgram } from "../support/process.ts";

const root = join(import.meta.dirname, "../../../..");

/** Each TypeScript program of a page, with the output that the page claims. */
function programs(page: string): [place: string, source: string, output: string][] {
  const text = readFileSync(join(root, page), "utf8");
  return [...text.matchAll(/```ts\n([\s\S]*?)```\s+```text\n([\s\S]*?)```/g)].map((match) => [
    `${page}:${text.slice(0, match.index).split("\n").length}`,
    match[1] as string,
    match[2] as string,
  ]);
}

test.each([...programs("README.md"), ...programs("docs/ARCHITECTURE.md")])(
  "%s prints what it says [real]",
  async (_, source, output) => {
    const { code } = transformSync(source, { loader: "ts", format: "esm" });

    const { stdout, stderr } = await runProgram(code);

    expect(stderr).toBe("");
    expect(stdout).toBe(output);
  },
);

test("every program of the README has its output", () => {
  const fences = readFileSync(join(root, "README.md"), "utf8").match(/```ts\n/g) ?? [];

  expect(programs("README.md")).toHaveLength(fences.length);
});
