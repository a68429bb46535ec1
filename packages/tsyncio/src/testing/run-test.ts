/** One test under virtual time. */

import { host as platform } from "#host";
import type { TestBody } from "./context.ts";
import { checkScenario } from "./explore.ts";
import { watchResources } from "./resources.ts";
import { planOf, type RunOptions, simulate } from "./simulate.ts";
import { Prescribed } from "./strategies.ts";

/**
 * Runs a test under virtual time, first come, first served, and fails also by what the test leaves behind.
 *
 * When all tasks wait, the clock jumps to the next deadline, so that sleeping takes no time; not while real I/O or a foreign
 * promise is under way. At the end, a task that still runs, a lock that is held, an error that nobody has looked at and a
 * cancellation that was swallowed fail the test, unless `strict` is false.
 *
 * @param body - A `function*` or an async function, given a {@link TestContext}. In browsers async bodies have no current task.
 * @param options - `timeout`: virtual time, `"1d"` by default; `realTimeout`: for how long something outside may keep it waiting,
 *   `"4s"` by default; `maxSteps`; `strict`.
 * @returns what the body returns.
 * @throws (by rejection) what the body throws; {ProblemError} for what is left behind; {DeadlockError} with the wait graph when nothing
 *   can ever run again; {TimeoutError} after `timeout`; {RuntimeError} `WAITS_FOR_OUTSIDE` after `realTimeout`; {NoProgressError}.
 *
 * **Suspends** nobody: it is called outside of tasks, and gives a promise. **Source** ours.
 *
 * @example
 * ```ts no-task
 * await runTest(function* (t) {
 *   yield* sleep("1h");
 *   return t.now();
 * }); // => 3600000
 * ```
 */
export async function runTest<T>(body: TestBody<T>, options: RunOptions = {}): Promise<T> {
  checkScenario(body, "runTest");
  const stop = watchResources();
  const outcome = await simulate(body, { ...planOf(options, 1), chooser: new Prescribed(), injections: null }).finally(stop);
  if (outcome.failure === null) return outcome.result as T;
  const { error, problems } = outcome.failure;
  // The body's own error comes first; what else was found is told, and not instead.
  for (const each of problems) platform.report(`tsyncio: ${each.message}`);
  throw error;
}
