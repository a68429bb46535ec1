/** Programs as source texts: Python and TypeScript that do what the interpreters do, as complete files or to be run here. */

import * as library from "tsyncio";
import { textOf } from "./files.ts";
import type { Form } from "./form.ts";
import { printPython } from "./print-python.ts";
import { inForm, printTypeScript } from "./print-typescript.ts";
import type { Factory, Program } from "./program.ts";

/** Types that the texts name. */
const TYPES = ["Awaitable", "Coroutine", "Handle", "Job", "Token"];

const PYTHON_NAMES = `from asyncio import *
from contextvars import ContextVar, copy_context
from types import SimpleNamespace
`;

/** A file for Python 3.14 that prints the trace. */
export function pythonFile(program: Program, factory: Factory): string {
  return [
    `# Program ${program.seed}, tasks ${factory}: \`python3 program.py\` prints its trace.`,
    "# It begins at `def program`; before that is what it is run by.",
    textOf("python/oracle.py"),
    textOf("python/straight.py"),
    PYTHON_NAMES,
    printPython(program),
    "",
    `print(trace_of(program, eager=${factory === "eager" ? "True" : "False"}))`,
    "",
  ].join("\n");
}

/** A module that prints the trace, for a Node that runs TypeScript. */
export function typeScriptFile(program: Program, factory: Factory, form: Form): string {
  const parts = ["trace.ts", "straight.ts"].map((name) =>
    textOf(name)
      .replace(/^import [^;]*;\n/gm, "")
      .replace(/^export /gm, ""),
  );
  const helpers = inForm(parts.pop() as string, form);
  const body = [...parts, helpers, printTypeScript(program, form)].join("\n");
  // Functions are called, also as `timeoutAt<…>(`; classes are named in other ways as well.
  const uses = (name: string): boolean => new RegExp(/^[a-z]/.test(name) ? `\\b${name}[(<)]` : `\\b${name}\\b`).test(body);
  const values = Object.keys(library).filter(uses);
  const types = TYPES.filter(uses).map((name) => `type ${name}`);
  return [
    `// Program ${program.seed}, tasks ${factory}: \`node program.ts\` prints its trace.`,
    "// It begins at `function program`; before that is what it is run by.",
    `import { ${[...values, ...types].join(", ")} } from "tsyncio";`,
    'import { VirtualHost } from "tsyncio/testing";',
    "",
    body,
    "",
    `console.log((await traceOf(program, ${factory === "eager"})).join("\\n"));`,
    "",
  ].join("\n");
}

/** Both texts, without what they are run by; beside each other where there is room. */
export function sideBySide(program: Program, form: Form, columns: number): string {
  const python = printPython(program).split("\n");
  const script = printTypeScript(program, form).split("\n");
  const width = Math.max(...python.map((line) => line.length));
  const whole = width + 3 + Math.max(...script.map((line) => line.length));
  if (whole > columns) return [...python, "", ...script].join("\n");
  const lines = Array.from({ length: Math.max(python.length, script.length) }, (_, i) =>
    `${(python[i] ?? "").padEnd(width)} | ${script[i] ?? ""}`.trimEnd(),
  );
  return lines.join("\n");
}
