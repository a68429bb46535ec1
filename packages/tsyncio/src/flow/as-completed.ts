/** Taking results in the order in which they come. Mirrors asyncio/tasks.py `as_completed`. */

import { Deque } from "../base/deque.ts";
import { type Duration, millisecondsOrNever } from "../base/duration.ts";
import { TimeoutError } from "../base/errors.ts";
import { operation } from "../kernel/coroutine.ts";
import { current } from "../kernel/current.ts";
import { type Future, standIn } from "../kernel/future.ts";
import type { TimerHandle } from "../kernel/handle.ts";
import { distinct, ensureFuture, type Job } from "../kernel/job.ts";
import { type EventLoop, getEventLoop } from "../kernel/loop.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";
import type { ResultOf } from "./gather.ts";
import { checkJobs, type FutureOf } from "./wait.ts";

/** What `asCompleted` returns: both kinds of iteration share one count. */
export interface AsCompleted<J> extends Iterable<Operation<ResultOf<J>>> {
  /** Spelled out: for an `AsyncIterable` the compiler would believe that `for await` unwraps the futures. */
  [Symbol.asyncIterator](): { next(): Promise<IteratorResult<FutureOf<J>, void>> };
}

/**
 * Iterates over jobs as they are completed.
 *
 * In a coroutine: `for (const next of asCompleted(jobs)) { const result = yield* next; }`, where each `next` is the job that is
 * completed next. In an async function: `for await (const future of asCompleted(jobs))` gives the jobs' own futures, done.
 * Leaving the loop early cancels nothing.
 *
 * @param jobs - An iterable of anything that can be awaited; tasks are made of what is not a Future.
 * @param options - `timeout`: for all of them together.
 * @throws {TimeoutError} from each `next` that is not completed in time; {TypeError} when `jobs` is not iterable.
 *
 * **Suspends** at each `next`. **Cancel** of that wait cancels none of the jobs. **Source** asyncio/tasks.py `as_completed`.
 *
 * @example
 * ```ts
 * const order: string[] = [];
 * for (const next of asCompleted([sleep(2, "slow"), sleep(1, "fast")])) order.push(yield* next);
 * order; // => ["fast", "slow"]
 * ```
 */
export function asCompleted<J extends Job<unknown>>(
  jobs: Iterable<J>,
  options: { readonly timeout?: Duration | undefined } = {},
): AsCompleted<J> {
  const given = checkJobs(jobs, "asCompleted");
  const limit = millisecondsOrNever(options.timeout);
  return new CompletionIterator(given, limit) as never;
}

class CompletionIterator {
  readonly #loop: EventLoop;
  readonly #open: Set<Future<unknown>>;
  /** Completed and not handed out yet; null stands for one that was late. */
  readonly #completed = new Deque<Future<unknown> | null>();
  readonly #waiters = new Deque<Future<void>>();
  readonly #timer: TimerHandle | undefined;
  /** How many have not been asked for yet. */
  #left: number;
  /** How many jobs there are, and how many have not ended: what is seen as progress. */
  readonly #count: { _made: number; _left: number };

  constructor(jobs: Job<unknown>[], timeout: number) {
    const futures = new Set(distinct(jobs).map((job) => ensureFuture(job)));
    this.#loop = [...futures][0]?._loop ?? getEventLoop();
    this.#open = futures;
    this.#left = futures.size;
    this.#count = { _made: futures.size, _left: futures.size };
    current._progress?.opened(this.#count);
    // Those that are done already come a turn later, like the others.
    for (const future of futures) future.addDoneCallback(this.#onDone);
    this.#timer =
      timeout === Number.POSITIVE_INFINITY || futures.size === 0
        ? undefined
        : this.#loop.callLater(timeout, () => this.#onTimeout());
  }

  *[Symbol.iterator](): Generator<Operation<unknown>, void, unknown> {
    while (this.#left > 0) {
      this.#left--;
      yield operation(this.#nextResult(), "asCompleted");
    }
  }

  /** By hand: a `yield` in an async generator would await the future and give its result. */
  [Symbol.asyncIterator](): AsyncIterator<Future<unknown>, void, unknown> {
    return {
      next: async () => {
        if (this.#left === 0) return { done: true, value: undefined };
        this.#left--;
        const [value] = await operation(this.#nextFuture(), "asCompleted");
        return { done: false, value };
      },
    };
  }

  *#nextResult(): Coroutine<unknown> {
    const [future] = yield* this.#nextFuture();
    return future.result();
  }

  *#nextFuture(): Coroutine<[Future<unknown>]> {
    while (this.#completed.length === 0) {
      const waiter = standIn<void>(this.#loop, {
        describe: () => `next of asCompleted (${this.#open.size} to go)`,
        holders: () => this.#open as Set<never> as Set<Task<unknown>>,
      });
      this.#waiters.push(waiter);
      try {
        yield* waiter;
      } catch (error) {
        // RACE  1. a job completes and wakes this waiter   2. the waiter is cancelled   3. the next waiter must be woken instead.
        if (!waiter.cancelled() && this.#completed.length > 0) this.#wakeOne();
        throw error;
      }
    }
    const future = this.#completed.shift() as Future<unknown> | null;
    if (future === null) throw new TimeoutError("not completed within the time limit of asCompleted()");
    return [future];
  }

  readonly #onDone = (future: Future<unknown>): void => {
    if (!this.#open.delete(future)) return;
    this.#count._left--;
    this.#completed.push(future);
    if (this.#open.size === 0) this.#timer?.cancel();
    this.#wakeOne();
  };

  #onTimeout(): void {
    for (const future of this.#open) {
      future.removeDoneCallback(this.#onDone);
      this.#completed.push(null);
      this.#wakeOne();
    }
    this.#open.clear();
    this.#count._left = 0;
  }

  #wakeOne(): void {
    for (let waiter = this.#waiters.shift(); waiter !== undefined; waiter = this.#waiters.shift()) {
      if (waiter.done()) continue;
      waiter.setResult();
      return;
    }
  }
}
