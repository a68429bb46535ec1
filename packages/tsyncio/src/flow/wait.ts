/** Waiting for some of many futures. Mirrors asyncio/tasks.py `wait`. */

import { type Duration, millisecondsOrNever } from "../base/duration.ts";
import { show } from "../base/errors.ts";
import { operation } from "../kernel/coroutine.ts";
import { FAILED, type Future, standIn } from "../kernel/future.ts";
import { distinct, ensureFuture, type Job } from "../kernel/job.ts";
import { isCoroutine, isPromiseLike } from "../kernel/kinds.ts";
import { getEventLoop } from "../kernel/loop.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";
import type { ResultOf } from "./gather.ts";

/** `returnWhen` of {@link wait}: as soon as one is done. */
export const FIRST_COMPLETED = "FIRST_COMPLETED";
/** `returnWhen` of {@link wait}: as soon as one has failed, or all are done. */
export const FIRST_EXCEPTION = "FIRST_EXCEPTION";
/** `returnWhen` of {@link wait}: when all are done. */
export const ALL_COMPLETED = "ALL_COMPLETED";

export type ReturnWhen = typeof FIRST_COMPLETED | typeof FIRST_EXCEPTION | typeof ALL_COMPLETED;

/** A job's own future if it is one, else that of the task made for it. */
export type FutureOf<J> = J extends Future<unknown> ? J : Future<ResultOf<J>>;

/**
 * Waits until some or all are done, or the time is over. Throws no error of theirs and cancels nothing.
 *
 * @param jobs - At least one; of what is not a Future, tasks are made (asyncio refuses coroutines: decision 0005).
 * @param options - `timeout`: how long at most; `returnWhen`: FIRST_COMPLETED, FIRST_EXCEPTION or ALL_COMPLETED (default).
 * @returns the futures in two sets.
 * @throws {TypeError} when `jobs` is not iterable; {RangeError} when it is empty or `returnWhen` is unknown.
 *
 * **Suspends** always, for a turn at least. **Cancel** leaves the futures alone.
 * **Source** asyncio/tasks.py `wait`.
 *
 * @example
 * ```ts
 * const { done, pending } = yield* wait([sleep(1), sleep("1h")], { returnWhen: FIRST_COMPLETED });
 * done.size; // => 1
 * for (const late of pending) late.cancel();
 * ```
 */
export function wait<J extends Job<unknown>>(
  jobs: Iterable<J>,
  options: { readonly timeout?: Duration | undefined; readonly returnWhen?: ReturnWhen | undefined } = {},
): Operation<{ done: Set<FutureOf<J>>; pending: Set<FutureOf<J>> }> {
  const { timeout, returnWhen = ALL_COMPLETED } = options;
  const given = checkJobs(jobs, "wait");
  if (given.length === 0) throw new RangeError("Expected `jobs` of wait() to hold at least one, got none");
  if (returnWhen !== FIRST_COMPLETED && returnWhen !== FIRST_EXCEPTION && returnWhen !== ALL_COMPLETED) {
    throw new RangeError(
      `Expected \`returnWhen\` to be FIRST_COMPLETED, FIRST_EXCEPTION or ALL_COMPLETED, got ${show(returnWhen)}`,
    );
  }
  const limit = millisecondsOrNever(timeout);
  return operation(waiting(given, limit, returnWhen), "wait") as never;
}

/** Refuses what cannot be iterated: the usual mistake is to pass the jobs one by one. */
export function checkJobs<J>(jobs: Iterable<J>, name: string): J[] {
  // A coroutine is iterable as well: spread, it would run.
  const iterable = typeof jobs === "object" && jobs !== null && Symbol.iterator in jobs;
  if (!iterable || isPromiseLike(jobs) || isCoroutine(jobs)) {
    throw new TypeError(`Expected an iterable of jobs for ${name}(), got ${show(jobs)}; write ${name}([a, b])`);
  }
  return [...jobs];
}

interface Split {
  done: Set<Future<unknown>>;
  pending: Set<Future<unknown>>;
}

function* waiting(jobs: Job<unknown>[], timeout: number, returnWhen: ReturnWhen): Coroutine<Split> {
  const futures = new Set(distinct(jobs).map((job) => ensureFuture(job)));
  // Those that are done already count like the others, a turn later; so wait() always lets others run.
  let counter = futures.size;
  const loop = getEventLoop();
  const waiter = standIn<void>(loop, {
    describe: () => `wait for ${returnWhen} of ${futures.size}`,
    holders: () => [...futures].filter((each) => !each.done()) as Task<unknown>[],
  });
  const release = (): void => {
    if (!waiter.done()) waiter.setResult();
  };
  const onDone = (future: Future<unknown>): void => {
    counter--;
    if (counter <= 0 || returnWhen === FIRST_COMPLETED || (returnWhen === FIRST_EXCEPTION && future._state === FAILED)) {
      timer?.cancel();
      release();
    }
  };
  const timer = timeout === Number.POSITIVE_INFINITY ? undefined : loop.callLater(timeout, release);
  for (const future of futures) future.addDoneCallback(onDone);
  try {
    yield* waiter;
  } finally {
    timer?.cancel();
    for (const future of futures) future.removeDoneCallback(onDone);
  }
  return split(futures);
}

function split(futures: Set<Future<unknown>>): Split {
  const result: Split = { done: new Set(), pending: new Set() };
  for (const future of futures) (future.done() ? result.done : result.pending).add(future);
  return result;
}
