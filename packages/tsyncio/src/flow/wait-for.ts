/** A deadline for one job. Mirrors asyncio/tasks.py `wait_for`. */

import { type Duration, millisecondsOrNever } from "../base/duration.ts";
import { isCancelled, show, TimeoutError } from "../base/errors.ts";
import { operation } from "../kernel/coroutine.ts";
import { type Future, standIn } from "../kernel/future.ts";
import { callBody, ensureFuture, type Job } from "../kernel/job.ts";
import { isCoroutine, isPromiseLike } from "../kernel/kinds.ts";
import { type EventLoop, getEventLoop } from "../kernel/loop.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";
import { TimeoutScope } from "./timeout.ts";

/**
 * Awaits a job for a limited time; when it is over, cancels the job, waits until it has ended, and throws.
 *
 * A coroutine or a function runs as part of the current task. A promise cannot be stopped: it is left behind.
 *
 * @param duration - How long; undefined, null or Infinity: no limit; ≤ 0: only if it is done already.
 * @throws {TimeoutError} when the time is over and the job did not give a result all the same.
 *
 * **Suspends** as the job does. **Cancel** cancels the job. **Source** asyncio/tasks.py `wait_for` (3.12 and later).
 *
 * @example
 * ```ts
 * yield* waitFor(sleep("1ms", "rested"), "1s"); // => "rested"
 * ```
 */
export function waitFor<T>(job: Job<T>, duration: Duration | undefined | null): Operation<T> {
  const limit = millisecondsOrNever(duration, "duration");
  if (typeof job !== "function" && !isCoroutine(job) && !isPromiseLike(job)) {
    throw new TypeError(`Expected a coroutine, Future, promise or function for waitFor(), got ${show(job)}`);
  }
  return limit <= 0 ? operation(atOnce(job), "waitFor") : (new InTime(job, limit) as unknown as Operation<T>);
}

class InTime<T> extends TimeoutScope<T> {
  declare readonly _job: Job<T>;

  constructor(job: Job<T>, limit: number) {
    super("waitFor", limit, false);
    this._job = job;
  }

  override _body(): Coroutine<T> {
    const job = this._job;
    // A function that is async runs to its end, cancelled or not; a promise that was given is only waited for.
    if (typeof job === "function") return callBody(job);
    return (isCoroutine(job) ? job : ensureFuture(job)) as Coroutine<T>;
  }
}

function* atOnce<T>(job: Job<T>): Coroutine<T> {
  const future = ensureFuture(job);
  if (future.done()) return future.result();
  yield* cancelAndAwait(future, getEventLoop());
  try {
    return future.result();
  } catch (error) {
    if (!isCancelled(error)) throw error;
    throw new TimeoutError("the time limit of 0 ms passed", { cause: error });
  }
}

/** Cancels a future and waits for its end on a future of its own, so that the wait can itself be cancelled. */
function* cancelAndAwait(future: Future<unknown>, loop: EventLoop): Coroutine<void> {
  const waiter = standIn<void>(loop, {
    describe: () => `end of ${future.describe()}`,
    holders: () => [future as Task<unknown>],
  });
  const release = (): void => {
    if (!waiter.done()) waiter.setResult();
  };
  future.addDoneCallback(release);
  try {
    future.cancel();
    yield* waiter;
  } finally {
    future.removeDoneCallback(release);
  }
}
