/** Compares traces, and makes programs that differ small. */

import type { Form } from "./form.ts";
import { runProgram } from "./interpreter.ts";
import type { Oracle } from "./oracle.ts";
import type { Factory, Program, Statement, Target } from "./program.ts";
import type { Trace } from "./trace.ts";

/** How a program is run. */
export interface Way {
  readonly form: Form;
  readonly factory: Factory;
}

export interface Difference extends Way {
  readonly program: Program;
  readonly expected: Trace;
  readonly found: Trace;
}

/** All ways to run a program in these forms. Async functions have no eager tasks: see adapt(). */
export function waysOf(forms: readonly Form[], factories: readonly Factory[]): Way[] {
  const ways = factories.flatMap((factory) => forms.map((form) => ({ form, factory })));
  return ways.filter(({ form, factory }) => form !== "async" || factory === "lazy");
}

/**
 * The lines as they are compared: to the letter, and all of them.
 *
 * In the async form turns are left out, since promises take microtasks of their own (docs/decisions/0007).
 */
export function comparable(trace: Trace, form: Form): Trace {
  return form === "async" ? trace.map((line) => line.replace(/^\S+ /, "")) : trace;
}

export function isEqual(expected: Trace, found: Trace, form: Form): boolean {
  return comparable(expected, form).join("\n") === comparable(found, form).join("\n");
}

/**
 * What a form can run of a program. An eager async function is not done when createTask returns (docs/decisions/0007), and a
 * `function*` has no `for await`: it takes the results of asCompleted() in a plain `for`.
 */
export function adapt(program: Program, form: Form): Program {
  return JSON.parse(JSON.stringify(program), (key, value) => {
    if (form === "async") return key === "eager" ? null : value;
    return key === "kind" && value === "ascompasync" ? "ascomp" : value;
  });
}

/** Runs an adapted program on tsyncio; null where the trace is the expected one. */
export async function compare(program: Program, { form, factory }: Way, expected: Trace): Promise<Difference | null> {
  const found = await runProgram(program, form, factory);
  return isEqual(expected, found, form) ? null : { program, form, factory, expected, found };
}

/** Leaves statements out as long as a difference remains. */
export async function shrink(oracle: Oracle, difference: Difference): Promise<Difference> {
  let best: Difference | null = difference;
  let smallest = difference;
  while (best !== null) {
    smallest = best;
    best = null;
    for (const program of smaller(smallest.program)) {
      const [expected] = oracle.run([program], smallest.factory) as [Trace];
      best = await compare(program, smallest, expected);
      if (best !== null) break;
    }
  }
  return smallest;
}

/** Makes a program smaller, in place; false where it does not apply. */
type Edit = (list: Statement[], index: number) => boolean;

const EDITS: readonly Edit[] = [
  (list, index) => list.splice(index, 1).length > 0,
  (list, index) => {
    const statement = list[index] as Statement;
    if (!("block" in statement)) return false;
    list.splice(index, 1, ...statement.block);
    return true;
  },
  (list, index) => {
    const statement = list[index] as Statement;
    if (statement.kind !== "try" || statement.finally === null) return false;
    statement.finally = null;
    return true;
  },
  (list, index) =>
    "targets" in (list[index] as Statement) && (list[index] as { targets: Target[] }).targets.pop() !== undefined,
];

/** All programs that are one edit smaller; the whole of a statement goes before its parts. */
function* smaller(program: Program): Generator<Program> {
  for (let list = 0; list < lists(program).length; list++) {
    for (let index = 0; index < (lists(program)[list]?.length ?? 0); index++) {
      for (const edit of EDITS) {
        const trial = structuredClone(program);
        if (edit(lists(trial)[list] ?? [], index)) yield trial;
      }
    }
  }
}

/** All lists of statements in a program, outer ones first. */
function lists(program: Program): Statement[][] {
  const found: Statement[][] = [];
  const visit = (list: Statement[]): void => {
    found.push(list);
    for (const statement of list) {
      if ("block" in statement) visit(statement.block);
      if ("actions" in statement) visit(statement.actions as Statement[]);
      if (statement.kind !== "try") continue;
      if (statement.cancelled !== null) visit(statement.cancelled);
      if (statement.finally !== null) visit(statement.finally);
    }
  };
  for (const list of [program.main, ...program.bodies]) visit(list);
  return found;
}
