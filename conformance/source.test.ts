/** Printed programs do what the interpreters do: so people can trust what they read, and the interpreters are checked. */

import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { transformSync } from "esbuild";
import { loadPyodide } from "pyodide";
import * as library from "tsyncio";
import { VirtualHost } from "tsyncio/testing";
import { beforeAll, expect, test } from "vitest";
import { adapt, comparable, waysOf } from "./compare.ts";
import { generate } from "./generate.ts";
import { runProgram } from "./interpreter.ts";
import { loadOracle, type Oracle } from "./oracle.ts";
import { printPython } from "./print-python.ts";
import { FACTORIES, type Program } from "./program.ts";
import { pythonFile, sideBySide, typeScriptFile } from "./source.ts";
import type { Trace } from "./trace.ts";

const execute = promisify(execFile);

let oracle: Oracle;
beforeAll(async () => {
  oracle = await loadOracle();
}, 60_000);

/** Runs a module, without leaving the process, and gives the lines that it prints. */
async function outputOf(module: string): Promise<Trace> {
  const lines: string[] = [];
  const console = { log: (text: string) => lines.push(...text.split("\n")) };
  const names = { ...library, VirtualHost, console };
  const code = transformSync(module, { loader: "ts" }).code.replace(/^import [^;]*;\n/gm, "");
  const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor as FunctionConstructor;
  await new AsyncFunction(...Object.keys(names), code)(...Object.values(names));
  return lines;
}

test.each(FACTORIES)("printPython(), has the interpreter's traces, with %s tasks (100)", { timeout: 60_000 }, (factory) => {
  for (let seed = 1; seed <= 100; seed++) {
    const program = generate(seed);

    expect(oracle.runPrinted(printPython(program), factory), `seed ${seed}`).toEqual(oracle.run([program], factory)[0]);
  }
});

test.each(waysOf(["gen", "async"], FACTORIES))(
  "typeScriptFile(), has the interpreter's traces, in the $form form with $factory tasks (100)",
  { timeout: 60_000 },
  async ({ form, factory }) => {
    for (let seed = 1; seed <= 100; seed++) {
      const program = adapt(generate(seed), form);
      const printed = await outputOf(typeScriptFile(program, factory, form));

      expect(comparable(printed, form), `seed ${seed}`).toEqual(comparable(await runProgram(program, form, factory), form));
    }
  },
);

test("pythonFile(), prints the trace, on a Python that knows nothing of us", { timeout: 60_000 }, async () => {
  const lines: string[] = [];
  const python = await loadPyodide({ stdout: (line) => lines.push(line) });
  const program = generate(3);

  python.runPython(pythonFile(program, "eager"));

  expect(lines).toEqual(oracle.run([program], "eager")[0]);
});

test("--write, gives a program that runs by itself, from any folder [real]", { timeout: 60_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "tsyncio-program-"));
  try {
    const command = join(import.meta.dirname, "dist/main.js");
    await execute(process.execPath, [command, "--show", "12", "--factory", "eager", "--write", folder]);
    const { stdout } = await execute(process.execPath, [join(folder, "program.mjs")], { cwd: folder });

    expect(stdout.trimEnd().split("\n")).toEqual(oracle.run([generate(12)], "eager")[0]);
    expect(readdirSync(folder).sort()).toEqual(["program.mjs", "program.py", "program.ts"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("sideBySide(), puts both languages beside each other, where there is room", () => {
  const program: Program = { ...generate(1), bodies: [], main: [{ kind: "sleep", id: 0, delay: 1 }] };

  expect(sideBySide(program, "gen", 500)).toMatch(/done\(await sleep\(1, 0\)\) +\| +yield\* step\(.*sleep\(1, 0\)\);/);
  expect(sideBySide(program, "gen", 50)).toMatch(/^def program[^|]*\n\nfunction program/);
});
