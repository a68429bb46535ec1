/** The text of a failure that `explore` found: what failed, under which schedule, and how to have it again. */

import { describeError } from "../base/errors.ts";
import { isOurs } from "../inspect/origin.ts";
import { ProblemError } from "./problems.ts";
import type { RecordedStep } from "./record.ts";
import type { Failure } from "./simulate.ts";

/** Lines shown at most: the steps before are told by their number. */
const SHOWN = 60;

export interface Report {
  readonly name: string | undefined;
  readonly failure: Failure;
  /** How it was found: `random, run 17 of 1000, seed 1`. */
  readonly found: string;
  /** What shrinking did: `11 → 1 decisions`. */
  readonly shrunk: string;
  readonly steps: readonly RecordedStep[];
  readonly schedule: string;
}

export function formatFailure({ name, failure, found, shrunk, steps, schedule }: Report): string {
  const { error, problems } = failure;
  const first = describeError(error).split("\n");
  // The place in the test comes with the cause; here the message and the first line of the stack will do.
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const site =
    error instanceof ProblemError
      ? undefined
      : first.find((line) => /^\s+at /.test(line) && !line.includes("node_modules") && !isOurs(line));
  const text = [
    `${name === undefined ? "The scenario" : `"${name}"`} fails under a schedule that may happen (${found})`,
    indent(message, 2),
    ...(site === undefined ? [] : [`    ${site.trim()}`]),
    ...problems.map((each) => indent(each.message, 2)),
    `  the schedule, ${shrunk}:`,
    ...showSteps(steps),
    `  replay: await replay(scenario, ${JSON.stringify(schedule)})`,
    `      or: TSYNCIO_SCHEDULE='${schedule}' before the command that runs this one test`,
  ].join("\n");
  // Places are told from the working directory, as that is how long lines stay readable.
  const folder = globalThis.process?.cwd?.();
  return folder === undefined || folder === "/" ? text : text.replaceAll(`file://${folder}/`, "").replaceAll(`${folder}/`, "");
}

function showSteps(steps: readonly RecordedStep[]): string[] {
  // The library's own callbacks explain nothing, unless one of them is what made the difference.
  const telling = steps.filter((each) => each.outcome !== "" || each.choice > 0 || each.notes.length > 0);
  const rows = telling.reduce<Row[]>((before, each) => {
    const last = before.at(-1);
    if (last !== undefined && isSame(last.step, each)) last.times++;
    else before.push({ step: each, times: 1 });
    return before;
  }, []);
  const shown = rows.slice(-SHOWN);
  const hidden = rows.slice(0, -SHOWN).reduce((sum, { times }) => sum + times, 0);
  const width = Math.max(...shown.map(({ step }) => step.who.length), 4);
  const lines = shown.flatMap(({ step, times }, index) => {
    const mark = step.choice > 0 ? "▶" : " ";
    const failed = index === shown.length - 1 ? "  ◀ fails" : "";
    const at = step.at === undefined ? "" : `  ${step.at}`;
    const again = times === 1 ? "" : `  (${times} times)`;
    const line = `   ${mark} ${String(step.step).padStart(3)}  ${step.who.padEnd(width)}  ${step.outcome}${at}${again}${failed}`;
    return [line, ...step.notes.map((note) => indent(`! ${note}`, 10))];
  });
  if (hidden > 0) lines.unshift(`     (${hidden} steps before these)`);
  if (steps.some((each) => each.choice > 0)) lines.push("   ▶ goes before others that have been ready for longer");
  return lines;
}

/** Steps that look alike and follow each other, such as those of a loop, are one line. */
interface Row {
  readonly step: RecordedStep;
  times: number;
}

function isSame(a: RecordedStep, b: RecordedStep): boolean {
  const quiet = a.notes.length === 0 && b.notes.length === 0;
  return quiet && a.who === b.who && a.outcome === b.outcome && a.at === b.at && a.choice > 0 === b.choice > 0;
}

function indent(text: string, by: number): string {
  return text.replaceAll(/^/gm, " ".repeat(by));
}
