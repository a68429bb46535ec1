/** Where a task stands: the suspended calls, as data and as text for people. */

import type { Location, Suspendable } from "../kernel/host.ts";
import type { Task } from "../kernel/task.ts";

/** The suspended calls, outermost first. Of calls by plain `yield*` between unwrapped generators, the outermost stands for all. */
export function stackOf(task: Task<unknown>): Location[] {
  const frames: Suspendable[] = [];
  for (let frame = task._leaf; frame !== null; frame = frame._caller) frames.unshift(frame);
  const root: unknown = task.done() ? null : task._root;
  if (String(root) === "[object Generator]") frames.unshift({ _generator: root as object, describe: () => "coroutine" });
  // A wrapped call that has not suspended yet is in no frame.
  else if (frames.length === 0 && typeof root === "object" && (root as Partial<Suspendable> | null)?._generator !== undefined) {
    frames.push(root as Suspendable);
  }
  const places = task._loop._host.locate?.(frames);
  return frames.map((frame, i) => places?.[i] ?? { functionName: frame.describe() });
}

/** Each suspended frame with its place; then what the task waits for, or the error it ended with. */
export function formatStack(task: Task<unknown>): string {
  const lines = stackOf(task).map(
    (at) => `    at ${at.functionName}${at.file === undefined ? "" : ` (${at.file}:${at.line}:${at.column})`}`,
  );
  if (task.waitingFor !== undefined) lines.push(`    waits for ${task.waitingFor}`);
  if (task.done() && !task.cancelled()) {
    const error = task.exception();
    if (error instanceof Error) lines.push(error.stack ?? String(error));
  }
  return [`Stack of ${task}`, ...lines].join("\n");
}
