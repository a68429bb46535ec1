/** Running programs from start to end. Mirrors asyncio/runners.py. */

import { isCancelled, KeyboardInterrupt, RuntimeError, show } from "../base/errors.ts";
import { gather } from "../flow/gather.ts";
import type { AsyncWait } from "../kernel/async-wait.ts";
import { type Context, copyContext } from "../kernel/context.ts";
import { runningLoop } from "../kernel/current.ts";
import { FAILED } from "../kernel/future.ts";
import { asTaskBody, type Job } from "../kernel/job.ts";
import { allTasks, EventLoop } from "../kernel/loop.ts";
import type { Task } from "../kernel/task.ts";
import { deadlock } from "./wait-graph.ts";

export interface RunnerOptions {
  /** Checks and reports more, at a cost; see the README. */
  readonly debug?: boolean | undefined;
  /** Signals that cancel the main task, and end the run at once the second time. `["SIGINT"]` by default; `[]` for none. */
  readonly signals?: readonly string[] | undefined;
  /** The loop to run on; a fresh one by default. It is closed at the end. */
  readonly loop?: EventLoop | undefined;
}

export interface RunOptions extends RunnerOptions {
  /** The name of the main task. */
  readonly name?: string | undefined;
}

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
    refuseInsideLoop("Runner.run()");
    const body = asTaskBody(job);
    const loop = this.#init();
    if (loop.isRunning()) throw new RuntimeError("Cannot run: this runner runs already", "LOOP_RUNNING");
    const task = loop.createTask(body, { context: options.context ?? (this.#context as Context), name: options.name });
    const interrupts = new Interrupts(loop, task as Task<unknown>, this.#options.signals ?? ["SIGINT"]);
    const unwatch = loop._host.onIdle(() => loop._abort(deadlock(loop)));
    try {
      return await loop.runUntilComplete(task);
    } catch (error) {
      throw interrupts.explain(error);
    } finally {
      unwatch();
      interrupts.unwatch();
    }
  }

  /**
   * Cancels what still runs, waits for it, and closes the loop. Harmless when closed already.
   *
   * Errors of the tasks that are cancelled here go to the loop's exception handler.
   */
  async close(): Promise<void> {
    const loop = this.#loop;
    if (this.#closed) return;
    if (loop?.isRunning()) throw new RuntimeError("Cannot close the runner while it runs", "LOOP_RUNNING");
    this.#closed = true;
    if (loop === null) return;
    try {
      await cancelAllTasks(loop);
    } finally {
      loop.close();
      this.#loop = null;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #init(): EventLoop {
    if (this.#closed) throw new RuntimeError("Cannot use the runner: it is closed", "RUNNER_CLOSED");
    if (this.#loop === null) {
      this.#loop = this.#options.loop ?? new EventLoop({ debug: this.#options.debug });
      if (this.#options.debug !== undefined) this.#loop.setDebug(this.#options.debug);
      this.#context = copyContext();
    }
    return this.#loop;
  }
}

/**
 * Runs a program: the main job and all that it starts, until the main job ends; then cancels and awaits what is left.
 *
 * The first Ctrl-C cancels the main job, the second ends the run at once.
 *
 * @param job - A coroutine, a `function*`, an async function, or anything that can be awaited.
 * @param options - `debug`; `signals`; `loop`; `name` of the main task.
 * @returns what the job returns.
 * @throws (by rejection) what the job throws; {KeyboardInterrupt} after Ctrl-C; {DeadlockError} when the job can never end;
 *   {RuntimeError} when called inside a running loop.
 *
 * **Source** asyncio/runners.py `run`.
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
  refuseInsideLoop("run()");
  const { name, ...rest } = options;
  const runner = new Runner(rest);
  let result: T;
  try {
    result = await runner.run(job, { name });
  } catch (error) {
    await runner.close();
    throw error;
  }
  await runner.close();
  return result;
}

function refuseInsideLoop(what: string): void {
  if (runningLoop() !== null) {
    throw new RuntimeError(`${what} cannot be called from a running event loop; use createTask() there`, "LOOP_RUNNING");
  }
}

/** What signals do to a run: the first cancels its main task, the second ends it. */
class Interrupts {
  readonly #loop: EventLoop;
  readonly #task: Task<unknown>;
  readonly #unwatch: (() => void)[] = [];
  #count = 0;
  #signal = "";

  constructor(loop: EventLoop, task: Task<unknown>, signals: readonly string[]) {
    this.#loop = loop;
    this.#task = task;
    if (!Array.isArray(signals))
      throw new TypeError(`Expected \`signals\` to be an array such as ["SIGINT"], got ${show(signals)}`);
    for (const signal of signals) {
      const unwatch = loop._host.onSignal(signal, () => this.#onSignal(signal));
      if (unwatch !== undefined) this.#unwatch.push(unwatch);
    }
  }

  #onSignal(signal: string): void {
    this.#count++;
    this.#signal = signal;
    if (this.#count === 1 && !this.#task.done()) this.#task.cancel();
    else this.#loop._abort(this.#error(undefined));
  }

  /** The error to end the run with: a cancellation that came from a signal, and from nobody else, is an interrupt. */
  explain(error: unknown): unknown {
    if (this.#count > 0 && isCancelled(error) && this.#task.uncancel() === 0) return this.#error(error);
    return error;
  }

  #error(cause: unknown): KeyboardInterrupt {
    const error = new KeyboardInterrupt(this.#signal, cause === undefined ? undefined : { cause });
    this.#loop._host.interrupted(error, this.#signal);
    return error;
  }

  unwatch(): void {
    for (const each of this.#unwatch) each();
  }
}

/** Tasks that start others while they are cancelled get so many rounds. */
const ROUNDS = 100;

async function cancelAllTasks(loop: EventLoop): Promise<void> {
  // A task that can never end must not end the process silently: it is reported when the loop closes.
  const unwatch = loop._host.onIdle(() => loop.stop());
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const tasks = [...allTasks(loop), ...abandonedWaits(loop)];
      if (tasks.length === 0) return;
      for (const task of tasks) task.cancel();
      const all = gather(tasks, { returnExceptions: true });
      try {
        await loop.runUntilComplete(all as never);
      } catch (error) {
        if (!all.done()) return;
        throw error;
      }
      for (const task of tasks) {
        if (task._state !== FAILED) continue;
        loop.callExceptionHandler({ message: "unhandled exception during run() shutdown", exception: task.exception(), task });
      }
    }
  } finally {
    unwatch();
  }
}

/** Operations that an async function started and did not wait for before it ended. */
function abandonedWaits(loop: EventLoop): Task<unknown>[] {
  const waits = [...loop._tasks].filter((task) => task._self() !== task && task._self().done());
  // Nobody may look at their promises any more; that they reject is no news.
  for (const wait of waits) (wait as AsyncWait<unknown>).promise.catch(() => {});
  return waits;
}
