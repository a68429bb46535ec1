/** Running a program from start to end. Mirrors asyncio/runners.py `run`. */

import type { Job } from "../kernel/job.ts";
import { EventLoop } from "../kernel/loop.ts";
import { endProgram, runMain } from "./program.ts";

export interface RunnerOptions {
  /** Checks and reports more, at a cost; see the README. */
  readonly debug?: boolean | undefined;
  /** Signals that cancel the main task, and all tasks the second time. `["SIGINT"]` by default; `[]` for none. */
  readonly signals?: readonly string[] | undefined;
  /** The loop to run on; a fresh one by default. It is closed at the end. */
  readonly loop?: EventLoop | undefined;
}

export interface RunOptions extends RunnerOptions {
  /** The name of the main task. */
  readonly name?: string | undefined;
}

/**
 * Runs a program: the main job and all that it starts, until the main job ends; then cancels and awaits what is left.
 *
 * The first Ctrl-C cancels the main job; after the second one it is no longer waited for, and all that runs is cancelled.
 *
 * @param job - A coroutine, a `function*`, an async function, or anything that can be awaited.
 * @param options - `debug`; `signals`; `loop`; `name` of the main task.
 * @returns what the job returns.
 * @throws (by rejection) what the job throws; {KeyboardInterrupt} after Ctrl-C; {DeadlockError} when the job can never end;
 *   {RuntimeError} when called inside a running loop.
 *
 * **Suspends** nobody: it is called outside of tasks, and gives a promise. **Source** asyncio/runners.py `run`.
 *
 * @example
 * ```ts no-task
 * await run(function* () {
 *   yield* sleep(1);
 *   return "done";
 * }); // => "done"
 * ```
 */
export async function run<T>(job: Job<T>, options: RunOptions = {}): Promise<T> {
  const loop = makeLoop(options);
  loop._checkIdle();
  try {
    return await runMain(loop, job, options);
  } finally {
    await endProgram(loop);
  }
}

/** The loop that the options name, or a fresh one. */
export function makeLoop(options: RunnerOptions): EventLoop {
  const loop = options.loop ?? new EventLoop();
  if (options.debug !== undefined) loop.setDebug(options.debug);
  return loop;
}
