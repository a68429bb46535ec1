/** Running several programs on one loop. Mirrors asyncio/runners.py `Runner`. */

import { RuntimeError } from "../base/errors.ts";
import { type Context, copyContext } from "../kernel/context.ts";
import type { Job } from "../kernel/job.ts";
import type { EventLoop } from "../kernel/loop.ts";
import { endProgram, runMain } from "./program.ts";
import { makeLoop, type RunnerOptions } from "./run.ts";

/**
 * Runs several programs one after another on one loop and in one context.
 *
 * **Source** asyncio/runners.py `Runner`.
 *
 * @example
 * ```ts no-task
 * const runner = new Runner();
 * await runner.run(sleep(1, "first")); // => "first"
 * await runner.run(sleep(1, "second")); // => "second"
 * await runner.close();
 * ```
 */
export class Runner implements AsyncDisposable {
  readonly #options: RunnerOptions;
  #loop: EventLoop | null = null;
  #context: Context | null = null;
  #closed = false;

  constructor(options: RunnerOptions = {}) {
    this.#options = options;
  }

  /** The loop; made by the first call. @throws {RuntimeError} when the runner is closed. */
  getLoop(): EventLoop {
    return this.#init();
  }

  /**
   * Runs a job as the main task; resolves or rejects as it does.
   *
   * @param job - A coroutine, a `function*`, an async function, or anything that can be awaited.
   * @param options - `context`: a Context to run in, instead of the one that all runs share; `name`: of the main task.
   * @throws (by rejection) {RuntimeError} inside a running loop, or when closed; {KeyboardInterrupt} after a signal that the job let
   *   through; {DeadlockError} when the job can never end.
   */
  async run<T>(job: Job<T>, options: { readonly context?: Context; readonly name?: string | undefined } = {}): Promise<T> {
    const loop = this.#init();
    loop._checkIdle();
    const { context = this.#context as Context, name } = options;
    return runMain(loop, job, { context, name, signals: this.#options.signals });
  }

  /**
   * Cancels what still runs, waits for it, and closes the loop. Harmless when closed already.
   *
   * Errors of the tasks that are cancelled here go to the loop's exception handler.
   */
  async close(): Promise<void> {
    const loop = this.#loop;
    if (this.#closed) return;
    if (loop !== null) {
      await endProgram(loop);
      this.#loop = null;
    }
    this.#closed = true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #init(): EventLoop {
    if (this.#closed) throw new RuntimeError("Cannot use the runner: it is closed", "RUNNER_CLOSED");
    if (this.#loop === null) {
      this.#loop = makeLoop(this.#options);
      this.#context = copyContext();
    }
    return this.#loop;
  }
}
