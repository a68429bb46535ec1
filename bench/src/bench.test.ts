import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const execute = promisify(execFile);
const fromHere = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const bench = (...args: readonly string[]) => execute(process.execPath, [fromHere("../dist/src/main.js"), ...args]);

test("bench, prints a table of medians and ratios, for one workload and two peers [real]", async () => {
  const { stdout } = await bench("--only", "switch", "--peers", "native", "--rounds", "1", "--batch", "1");

  expect(stdout).toMatch(
    /^\| +\| +tsyncio \| +native \|\n\|[-:|]+\|\n\| switch \| +[\d.,]+ \([\d.,]+\) \| +[\d.,]+ \([\d.,]+\) \|$/m,
  );
  expect(stdout).toMatch(/^### tsyncio ÷ peer\n\n\| +\| native \|\n\|[-:|]+\|\n\| switch \| +[\d.]+ \|$/m);
  expect(stdout).toMatch(/^\| switch ÷ native +\| +[\d.]+ \| +1\.\d0 \| +(yes|NO) \|$/m);
});

test("bench, lists every workload of the folder, and those beside them [real]", async () => {
  const files = await readdir(fromHere("../workloads"));
  const names = files.filter((file) => file.endsWith(".ts")).map((file) => file.slice(0, -3));

  const { stdout } = await bench("--list");

  const listed = [...stdout.matchAll(/^(\w+): /gm)].map((match) => match[1]);
  expect(listed.sort()).toEqual([...names, "bundle", "startup"].sort());
});

test("bench, has a TypeScript workload for each one in Python and Go", async () => {
  const files = await readdir(fromHere("../workloads"));

  const orphans = files.filter((file) => /\.(py|go)$/.test(file) && !files.includes(file.replace(/\.\w+$/, ".ts")));

  expect(orphans).toEqual([]);
});
