/** Shows a difference: the program, and both traces side by side. */

import { comparable, type Difference } from "./compare.ts";
import type { Program, Statement } from "./program.ts";

/** Differing lines that are shown; what follows the first one is mostly its consequence. */
const MAX_DIFFERING = 12;
const WIDTH = 52;

export function report(difference: Difference): string {
  const { program, form, expected, found } = difference;
  const lines = [
    `--- seed ${program.seed}, form ${form}`,
    ...showProgram(program),
    "",
    `  ${"CPython".padEnd(WIDTH)} | tsyncio`,
  ];
  const [left, right] = [comparable(expected, form), comparable(found, form)];
  let differing = 0;
  for (let i = 0; i < Math.max(left.length, right.length) && differing < MAX_DIFFERING; i++) {
    const same = left[i] === right[i];
    if (!same) differing++;
    lines.push(`${same ? " " : "*"} ${(left[i] ?? "-").padEnd(WIDTH)} | ${right[i] ?? "-"}`);
  }
  return `${lines.join("\n")}\n`;
}

function showProgram(program: Program): string[] {
  const lines = [`objects ${JSON.stringify(program.objects)}`, "main", ...showBlock(program.main, "  ")];
  const used = JSON.stringify([program.main, program.bodies]);
  for (const [i, body] of program.bodies.entries()) {
    const started = used.includes(`"body":${i},`) || used.includes(`["b",${i}]`);
    if (started) lines.push(`body ${i}`, ...showBlock(body, "  "));
  }
  return lines;
}

/** One statement a line, the blocks of a statement below it. */
function showBlock(block: readonly Statement[], indent: string): string[] {
  return block.flatMap((statement) => {
    const { kind, id, ...rest } = statement;
    const fields: string[] = [];
    const blocks: string[] = [];
    for (const [name, value] of Object.entries(rest)) {
      if (isBlock(value)) blocks.push(`${indent}  ${name}:`, ...showBlock(value, `${indent}    `));
      else fields.push(`${name}=${JSON.stringify(value)}`);
    }
    return [`${indent}${id} ${kind} ${fields.join(" ")}`.trimEnd(), ...blocks];
  });
}

function isBlock(value: unknown): value is Statement[] {
  return Array.isArray(value) && value.every((each) => typeof each === "object" && each !== null && "kind" in each);
}
