import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Body, Coroutine, EventLoop } from "tsyncio";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

// Each program runs in virtual time, twice; and one as a process, as a reader would start it.

interface Program {
  readonly functionStar: () => Coroutine<void>;
  readonly asyncStyle: () => Promise<void>;
  readonly expected: readonly string[];
  readonly seconds: number;
}
interface Virtual {
  runVirtual(job: Body<[], void>): Promise<{ errors: unknown[]; reports: string[]; elapsed: number; loop: EventLoop }>;
}

// The library's own tests are no part of this workspace, whose compiler must not follow them.
const support = "../../packages/tsyncio/test/support/virtual.ts";
const { runVirtual } = (await import(support)) as Virtual;

const names = readdirSync(new URL(".", import.meta.url))
  .filter((name) => name.endsWith(".ts") && name !== "is-main.ts" && !name.endsWith(".test.ts"))
  .map((name) => name.replace(/\.ts$/, ""));
const cases = names.flatMap((name) => [[name, "functionStar"] as const, [name, "asyncStyle"] as const]);

let lines: string[];
beforeEach(() => {
  lines = [];
  vi.spyOn(console, "log").mockImplementation((line) => lines.push(String(line)));
});
afterEach(() => {
  vi.restoreAllMocks();
});

test("the articles' programs, are all here", () => {
  expect(names).toHaveLength(10);
});

test.for(cases)("%s, prints what CPython prints and takes as long, as %s", async ([name, spelling]) => {
  const file = `./${name}.ts`;
  const program = (await import(file)) as Program;

  const { elapsed, errors, reports } = await runVirtual(program[spelling]);

  expect(lines).toEqual(program.expected);
  expect(elapsed).toBe(program.seconds * 1000);
  expect({ errors, reports }).toEqual({ errors: [], reports: [] });
});

test("say-hello, prints the lines of both spellings, when started as a program [real]", async () => {
  const file = fileURLToPath(new URL("../dist/articles/say-hello.js", import.meta.url));

  const { stdout, stderr } = await promisify(execFile)("node", [file]);

  expect(stdout).toBe("Hello!\nFinished!\nHello!\nFinished!\n");
  expect(stderr).toBe("");
});
