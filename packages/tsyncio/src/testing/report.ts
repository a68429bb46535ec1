/** The text of a failure that `explore` found: what failed, under which schedule, and how to have it again. */

import { describeError } from "../base/errors.ts";
import { ProblemError } from "./problems.ts";
import type { RecordedStep } from "./record.ts";
import type { Failure } from "./simulate.ts";

/** Steps shown at most: those before are told by their number. */
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

export function formatReport({ name, failure, found, shrunk, steps, schedule }: Report): string {
  const { error, problems } = failure;
  const first = describeError(error).split("\n");
  // The place in the test comes with the cause; here the message and the first line of the stack will do.
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const site =
    error instanceof ProblemError ? undefined : first.find((line) => /^\s+at /.test(line) && !line.includes("node_modules"));
  return [
    `${name === undefined ? "The scenario" : `"${name}"`} fails under a schedule that may happen (${found})`,
    indent(message, 2),
    ...(site === undefined ? [] : [`    ${site.trim()}`]),
    ...problems.map((each) => indent(each.message, 2)),
    `  the schedule, ${shrunk}:`,
    ...showSteps(steps),
    `  replay: await replay(scenario, ${JSON.stringify(schedule)})`,
    `      or: TSYNCIO_SCHEDULE='${schedule}' before the command that runs this one test`,
  ].join("\n");
}

function showSteps(steps: readonly RecordedStep[]): string[] {
  // The library's own callbacks explain nothing, unless one of them is what made the difference.
  const telling = steps.filter((each) => each.outcome !== "" || each.choice > 0 || each.notes.length > 0);
  const shown = telling.slice(-SHOWN);
  const width = Math.max(...shown.map((each) => each.who.length), 4);
  const lines = shown.flatMap((each, index) => {
    const mark = each.choice > 0 ? "▶" : " ";
    const failed = index === shown.length - 1 ? "  ◀ fails" : "";
    const at = each.at === undefined ? "" : `  ${each.at}`;
    const line = `   ${mark} ${String(each.step).padStart(3)}  ${each.who.padEnd(width)}  ${each.outcome}${at}${failed}`;
    return [line, ...each.notes.map((note) => indent(`! ${note}`, 10))];
  });
  if (shown.length < telling.length) lines.unshift(`     (${telling.length - shown.length} steps before these)`);
  if (steps.some((each) => each.choice > 0)) lines.push("   ▶ goes before others that have been ready for longer");
  return lines;
}

function indent(text: string, by: number): string {
  return text.replaceAll(/^/gm, " ".repeat(by));
}
