/** What can be awaited, and how anything that can be is made a Future. */

import { falsyError, isCancelled, unexpected } from "../base/errors.ts";
import { current } from "./current.ts";
import { FAILED, Future, standIn } from "./future.ts";
import { isCoroutine, isGeneratorFunction, isPromiseLike } from "./kinds.ts";
import { type EventLoop, getEventLoop } from "./loop.ts";
import { asAsyncFunctionOf, asFuture } from "./step.ts";
import type { Coroutine } from "./suspended.ts";
import type { Task, TaskBody } from "./task.ts";

/** A coroutine, a Future (a Task is one), or a promise. */
export type Awaitable<T> = Coroutine<T> | Future<T> | PromiseLike<T>;

/** An awaitable, or a function that makes one; async functions are passed as functions: `() => fetchData(url)`. */
export type Job<T> = Awaitable<T> | (() => Awaitable<T> | T);

/** A function that is run as part of an operation: a `function*` or an async function. */
export type Body<A extends unknown[], T> = (...args: A) => Awaitable<T> | T;

/**
 * Makes a Future of anything that can be awaited: a Future stays what it is, a coroutine or a function becomes a task, and a
 * promise is wrapped. Cancelling the wrapper of a promise lets go of the promise, which itself goes on.
 *
 * @throws {TypeError} when the job is nothing of the kind.
 *
 * **Suspends** never. **Source** asyncio/tasks.py `ensure_future`.
 *
 * @example
 * ```ts
 * yield* ensureFuture(Promise.resolve(5)); // => 5
 * ```
 */
export function ensureFuture<T>(job: Job<T>, options?: { readonly loop?: EventLoop }): Future<T> {
  if (job instanceof Future) {
    if ((options?.loop ?? job._loop) !== job._loop) {
      throw new RangeError("Cannot use the Future: it belongs to another event loop");
    }
    return job;
  }
  const loop = options?.loop ?? getEventLoop();
  // An operation is a coroutine and a promise of sorts; driving it is the shorter way.
  if (typeof job === "function" || isCoroutine(job)) return loop.createTask(job as TaskBody<T>);
  if (isPromiseLike(job)) return fromPromise(job as PromiseLike<T>, loop);
  throw notAJob(job);
}

/** What tells jobs apart: an awaitable given twice is one job, a function given twice is to be called twice. */
export function identity(job: Job<unknown>): unknown {
  return typeof job === "function" ? {} : job;
}

/** The jobs without repetitions. */
export function distinct<J extends Job<unknown>>(jobs: Iterable<J>): J[] {
  return [...new Map([...jobs].map((job) => [identity(job), job])).values()];
}

const promised = { describe: () => "a promise" };

function fromPromise<T>(promise: PromiseLike<T>, loop: EventLoop): Future<T> {
  const future = standIn<T>(loop, promised);
  promise.then(
    (value) => {
      if (!future.done()) future.setResult(value);
    },
    (error: unknown) => {
      if (future.done()) return;
      if (isCancelled(error)) future.cancel(error.message || undefined);
      else future._settle(FAILED, error ? error : falsyError("A promise", error));
    },
  );
  return future;
}

/** Whether it stands for a promise. */
export function isPromised(future: Future<unknown>): boolean {
  return future.describe === promised.describe;
}

/** The error for what cannot be awaited. */
export function notAJob(found: unknown): TypeError {
  return unexpected("a coroutine, a Future, a promise or a function that makes one", found);
}

/** Makes a task of any job: of a Future or a promise, one that awaits it. */
export function asTaskBody<T>(job: Job<T>): TaskBody<T> {
  if (typeof job === "function" || isCoroutine(job)) return job as TaskBody<T>;
  if (isPromiseLike(job)) {
    // A promise that is rejected before the task's first step has somebody who looks at it.
    if (!(job instanceof Future)) job.then(undefined, () => {});
    return awaiting(job as PromiseLike<T> | Future<T>);
  }
  throw notAJob(job);
}

function* awaiting<T>(job: PromiseLike<T> | Future<T>): Coroutine<T> {
  return yield* ensureFuture<T>(job);
}

/** Calls a body, whichever way it is written, as part of the current task: `yield*` what comes back. */
export function callBody<A extends unknown[], T>(body: Body<A, T>, ...args: A): Coroutine<T> {
  if (isGeneratorFunction(body)) return body(...args) as Coroutine<T>;
  const task = current.task as Task<unknown>;
  const made = asAsyncFunctionOf(task, () => body(...args));
  return (isCoroutine(made) ? made : asFuture(task, made)) as Coroutine<T>;
}

/** Refuses what is not a function, with the remedy for the usual mistake. */
export function checkBody(body: unknown, name: string): void {
  if (typeof body === "function") return;
  throw unexpected(
    `the body of ${name}() to be a function* or an async function`,
    body,
    "pass the function itself, do not call it",
  );
}
