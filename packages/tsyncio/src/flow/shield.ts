/** Protection from cancellation. Mirrors asyncio/tasks.py `shield`; `shielded` is ours. */

import { CancelledError } from "../base/errors.ts";
import { operation } from "../kernel/coroutine.ts";
import { current } from "../kernel/current.ts";
import { FAILED, type Future, standIn } from "../kernel/future.ts";
import { type Body, callBody, checkBody, ensureFuture, type Job } from "../kernel/job.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";
import { MUST_CANCEL, WAS_CANCELLED } from "../kernel/task-flags.ts";
import { needTask } from "./need-task.ts";

/**
 * Returns a future of the job's result whose cancellation does not reach the job.
 *
 * Whoever waits is still cancelled; the job goes on by itself, and an error it ends with is told to the loop's exception
 * handler. For cleanup that must be finished before going on, use {@link shielded}.
 *
 * **Suspends** when awaited, until the job is done. **Cancel** leaves the job running. **Source** asyncio/tasks.py `shield`.
 *
 * @example
 * ```ts
 * yield* shield(sleep(1, "saved")); // => "saved"
 * ```
 */
export function shield<T>(job: Job<T>): Future<T> {
  const inner = ensureFuture(job);
  if (inner.done()) return inner;
  const loop = inner.getLoop();
  const outer = standIn<T>(loop, {
    describe: () => `shield of ${inner.describe()}`,
    holders: () => [inner as Task<unknown>, ...inner.holders()],
  });
  const copy = (): void => {
    if (outer.done()) return;
    if (inner.cancelled()) outer.cancel();
    else if (inner._state === FAILED) outer._settle(FAILED, inner.exception());
    else outer.setResult(inner.result());
  };
  inner.addDoneCallback(copy);
  outer.addDoneCallback(() => {
    if (inner.done()) return;
    // Nobody waits for the job any more: its error, if it ends with one, has nowhere else to go.
    inner.removeDoneCallback(copy);
    // Once, however many shields of it were left.
    inner.removeDoneCallback(reportLateError);
    inner.addDoneCallback(reportLateError);
  });
  return outer;
}

function reportLateError(inner: Future<unknown>): void {
  if (inner.cancelled()) return;
  const exception = inner.exception();
  if (exception === null) return;
  const what = exception instanceof Error ? exception.name : "An error";
  inner._loop.callExceptionHandler({ message: `${what} exception in shielded future`, exception, future: inner });
}

/**
 * Runs a body that is not to be interrupted: a cancellation that comes meanwhile is delivered when the body has ended.
 *
 * For cleanup that waits: `finally { yield* shielded(function* () { yield* connection.close(); }); }`. `task.signal` is not
 * aborted before the end either. Keep it short: nothing can stop the body, not even a timeout around it.
 *
 * @throws what the body throws; else {CancelledError} when a cancellation came meanwhile.
 *
 * **Suspends** as the body does. **Cancel** is kept until the body has ended.
 *
 * @example
 * ```ts
 * yield* shielded(function* () { yield* sleep(1); return "clean"; }); // => "clean"
 * ```
 */
export function shielded<T>(body: Body<[], T>): Operation<T> {
  checkBody(body, "shielded");
  return operation(protecting(body), "shielded");
}

function* protecting<T>(body: Body<[], T>): Coroutine<T> {
  const task = needTask(current.task, "shielded()");
  const rare = task._rarely();
  // A request that has not been delivered yet waits like one that comes later.
  if ((task._flags & MUST_CANCEL) !== 0) {
    task._flags &= ~MUST_CANCEL;
    task._cancels--;
    rare.deferred.push({ level: rare.shields, message: rare.cancelMessage });
  }
  rare.shields++;
  let result: T;
  try {
    result = yield* callBody(body);
  } catch (error) {
    // The body's own error goes first; the cancellation follows at the next wait.
    for (const { message } of unshield(rare)) task._cancelFrom(rare.shields, message);
    throw error;
  }
  const due = unshield(rare);
  if (due.length === 0) return result;
  task._cancels += due.length;
  task._flags |= WAS_CANCELLED;
  rare.cancelMessage = due[0]?.message;
  const cancellation = new CancelledError(rare.cancelMessage);
  rare.controller?.abort(cancellation);
  throw cancellation;
}

type Rare = ReturnType<Task<unknown>["_rarely"]>;

/** Leaves a region; gives the requests that are due now. */
function unshield(rare: Rare): Rare["deferred"] {
  rare.shields--;
  const due = rare.deferred.filter((request) => request.level >= rare.shields);
  rare.deferred = rare.deferred.filter((request) => request.level < rare.shields);
  return due;
}
