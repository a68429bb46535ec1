/** CPython in this process, by pyodide: what it does is right by definition. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { loadPyodide } from "pyodide";
import type { Program } from "./program.ts";
import type { Trace } from "./trace.ts";

export interface Oracle {
  /** As Python tells it, such as `3.14.2`. */
  readonly version: string;
  /** The traces of random programs. */
  run(programs: readonly Program[]): Trace[];
  /** The trace of a source text that defines `async def main()`. */
  runPair(source: string): Trace;
}

const SOURCES = ["#python/oracle.py", "#python/interpreter.py", "#python/pairs.py"];

/** Starts Python; takes a second or two, so do it once. */
export async function loadOracle(): Promise<Oracle> {
  const python = await loadPyodide();
  const { resolve } = createRequire(import.meta.url);
  for (const source of SOURCES) python.runPython(readFileSync(resolve(source), "utf8"));
  const runPrograms = python.globals.get("run_programs") as (json: string) => string;
  const runPair = python.globals.get("run_pair") as (source: string) => string;
  return {
    version: python.runPython("import platform; platform.python_version()") as string,
    run: (programs) => (JSON.parse(runPrograms(JSON.stringify(programs))) as string[]).map((each) => each.split("\n")),
    runPair: (source) => runPair(source).split("\n"),
  };
}
