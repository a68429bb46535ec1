/** Shows a difference: the program in both languages, and both traces side by side. */

import { comparable, type Difference, type Way } from "./compare.ts";
import type { Program } from "./program.ts";
import { sideBySide } from "./source.ts";
import type { Trace } from "./trace.ts";

/** Differing lines that are shown; what follows the first one is mostly its consequence. */
const MAX_DIFFERING = 12;
const WIDTH = 52;

/** How wide the output may be, where that is known. */
const COLUMNS = process.stdout.columns ?? 200;

export function report({ program, expected, found, ...way }: Difference): string {
  return [...showProgram(program, way), "", ...showTraces(expected, found, way), ""].join("\n");
}

export function showProgram(program: Program, { form, factory }: Way): string[] {
  const head = `--- seed ${program.seed}, form ${form}, ${factory} tasks, profile ${program.profile}`;
  return [head, "", sideBySide(program, form, COLUMNS)];
}

/** The lines of both traces, those that differ with a star. */
export function showTraces(expected: Trace, found: Trace, { form }: Way): string[] {
  const lines = [`  ${"CPython".padEnd(WIDTH)} | tsyncio`];
  const [left, right] = [comparable(expected, form), comparable(found, form)];
  let differing = 0;
  for (let i = 0; i < Math.max(left.length, right.length) && differing < MAX_DIFFERING; i++) {
    const same = left[i] === right[i];
    if (!same) differing++;
    lines.push(`${same ? " " : "*"} ${(left[i] ?? "-").padEnd(WIDTH)} | ${right[i] ?? "-"}`);
  }
  return lines;
}
