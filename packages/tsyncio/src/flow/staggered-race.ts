/** Starting attempts one after another until one succeeds. Mirrors asyncio/staggered.py. */

import { type Duration, millisecondsOrNever } from "../base/duration.ts";
import { type CancelledError, isCancelled, TimeoutError } from "../base/errors.ts";
import { operation } from "../kernel/coroutine.ts";
import { current } from "../kernel/current.ts";
import { type Future, standIn } from "../kernel/future.ts";
import { type Body, callBody } from "../kernel/job.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";
import { createTask } from "./create-task.ts";
import { needTask } from "./need-task.ts";
import { checkJobs } from "./wait.ts";
import { waitFor } from "./wait-for.ts";

type ReadonlyTuple<T> = readonly [value: T | undefined, winner: number | undefined, exceptions: readonly unknown[]];

/** As asyncio's tuple of value, winner and exceptions, with names. */
export interface StaggeredResult<T> extends ReadonlyTuple<T> {
  /** The first success; undefined when all failed. */
  readonly value: T | undefined;
  /** Whose success it was; undefined when all failed. */
  readonly winner: number | undefined;
  /** For each attempt that was started: its error, or null. */
  readonly exceptions: readonly unknown[];
}

/**
 * Starts attempts one after another, the next when one fails or `delay` has passed, and returns the first success; the others
 * are cancelled and awaited.
 *
 * @param attempts - Functions, so that an attempt that is not needed never starts.
 * @param delay - Between starts; undefined, null or Infinity: only after a failure.
 *
 * **Suspends** until one succeeds or all have failed. **Cancel** cancels the attempts that run, and waits for them.
 * **Source** asyncio/staggered.py `staggered_race`.
 *
 * @example
 * ```ts
 * const slow = () => sleep("1s", "slow");
 * const fast = () => sleep("1ms", "fast");
 * (yield* staggeredRace([slow, fast], "5ms")).value; // => "fast"
 * ```
 */
export function staggeredRace<T>(
  attempts: Iterable<Body<[], T>>,
  delay: Duration | undefined | null,
): Operation<StaggeredResult<T>> {
  const given = checkJobs(attempts, "staggeredRace");
  const pause = millisecondsOrNever(delay, "delay");
  return operation(racing(given, pause), "staggeredRace");
}

function* racing<T>(attempts: Body<[], T>[], delay: number): Coroutine<StaggeredResult<T>> {
  const { _loop: loop } = needTask(current.task, "a staggered race");
  const exceptions: unknown[] = [];
  const running = new Set<Task<void>>();
  let allDone: Future<void> | null = null;
  let launched = 0;
  let started = 0;
  let value: T | undefined;
  let winner: number | undefined;

  const launch = (failed: Future<void> | null): void => {
    const mayStart = loop.createFuture<void>();
    const task = createTask(runNext(mayStart, failed), { name: `attempt ${launched++}` });
    running.add(task);
    task.addDoneCallback(() => {
      running.delete(task);
      if (running.size === 0 && allDone?.done() === false) allDone.setResult();
    });
    mayStart.setResult();
  };

  /** The task of one attempt: launches the next one, which waits till this has failed or the delay has passed. */
  function* runNext(mayStart: Future<void>, failed: Future<void> | null): Coroutine<void> {
    // An eager task is to be among those that run before it starts anything.
    yield* mayStart;
    try {
      if (failed !== null) yield* waitFor(endOf(failed), delay);
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
    }
    if (started === attempts.length) return;
    const index = started++;
    const thisFailed = loop.createFuture<void>();
    exceptions.push(null);
    launch(thisFailed);
    try {
      const result = yield* callBody(attempts[index] as Body<[], T>);
      if (winner !== undefined) return;
      winner = index;
      value = result;
      for (const task of running) if (task !== current.task) task.cancel();
    } catch (error) {
      exceptions[index] = error;
      if (!thisFailed.done()) thisFailed.setResult();
      if (isCancelled(error)) throw error;
    }
  }

  let cancellation: { error: CancelledError } | null = null;
  launch(null);
  while (running.size > 0) {
    allDone = standIn<void>(loop, { describe: () => `staggeredRace (${running.size} to go)`, holders: () => running });
    try {
      yield* allDone;
    } catch (error) {
      if (!isCancelled(error)) throw error;
      // Told each time anew: an attempt may have swallowed the last one.
      cancellation = { error };
      for (const task of running) task.cancel(error.message === "" ? undefined : error.message);
    }
  }
  if (cancellation !== null) throw cancellation.error;
  return Object.assign([value, winner, exceptions] as const, { value, winner, exceptions });
}

function* endOf(future: Future<void>): Coroutine<void> {
  yield* future;
}
