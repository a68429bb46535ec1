/** CPython in this process, by pyodide: what it does is right by definition. */

import { loadPyodide } from "pyodide";
import { textOf } from "./files.ts";
import type { Factory, Program } from "./program.ts";
import type { Trace } from "./trace.ts";

export interface Oracle {
  /** As Python tells it, such as `3.14.2`. */
  readonly version: string;
  /** The traces of random programs. */
  run(programs: readonly Program[], factory: Factory): Trace[];
  /** The trace of a printed program: a text that defines `program(log, loop)`. */
  runPrinted(source: string, factory: Factory): Trace;
  /** The trace of a source text that defines `async def main()`. */
  runPair(source: string, factory?: Factory): Trace;
}

const SOURCES = ["oracle.py", "interpreter.py", "straight.py", "texts.py"];

/** Starts Python; takes a second or two, so do it once. */
export async function loadOracle(): Promise<Oracle> {
  const python = await loadPyodide();
  for (const source of SOURCES) python.runPython(textOf(`python/${source}`));
  const runPrograms = python.globals.get("run_programs") as (json: string, eager: boolean) => string;
  const runPrinted = python.globals.get("run_printed") as (source: string, eager: boolean) => string;
  const runPair = python.globals.get("run_pair") as (source: string, eager: boolean) => string;
  return {
    version: python.runPython("import platform; platform.python_version()") as string,
    run: (programs, factory) => {
      const traces: string[] = JSON.parse(runPrograms(JSON.stringify(programs), factory === "eager"));
      return traces.map((each) => each.split("\n"));
    },
    runPrinted: (source, factory) => runPrinted(source, factory === "eager").split("\n"),
    runPair: (source, factory = "lazy") => runPair(source, factory === "eager").split("\n"),
  };
}
