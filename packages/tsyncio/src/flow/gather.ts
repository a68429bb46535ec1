/** Running several things and collecting their results. Mirrors asyncio/tasks.py `gather`. */

import { CancelledError } from "../base/errors.ts";
import { FAILED, Future } from "../kernel/future.ts";
import { ensureFuture, type Job, notAJob } from "../kernel/job.ts";
import { isCoroutine, isPromiseLike, isTaken } from "../kernel/kinds.ts";
import { type EventLoop, getEventLoop } from "../kernel/loop.ts";
import { Task } from "../kernel/task.ts";

/** The result type of a job. */
export type ResultOf<J> = J extends () => infer R ? AwaitedResult<R> : AwaitedResult<J>;
type AwaitedResult<A> =
  A extends Future<infer T>
    ? T
    : A extends Generator<unknown, infer T, unknown>
      ? T
      : A extends PromiseLike<infer T>
        ? Awaited<T>
        : A;

type Results<J extends readonly unknown[]> = { -readonly [K in keyof J]: ResultOf<J[K]> };
type Outcomes<J extends readonly unknown[]> = { -readonly [K in keyof J]: ResultOf<J[K]> | Error };

/**
 * Runs jobs concurrently; its result is the tuple of their results, in the order of the jobs.
 *
 * The first error goes to whoever awaits, at once, and the other jobs go on; use `taskGroup` to have them cancelled.
 * Cancelling the returned future cancels all jobs. A coroutine or future given twice runs once; a function is called each time.
 *
 * @param jobs - Coroutines, Futures, promises, or functions; as arguments, or as one array.
 * @param options - With `returnExceptions: true`, errors take the place of results and nothing is thrown.
 * @throws the first error of a job; {CancelledError} when a job was cancelled.
 *
 * **Suspends** when awaited, until all are done or one fails. **Cancel** cancels all jobs; the wait ends with
 * the first that ends cancelled, or, with `returnExceptions`, when all have ended.
 * **Source** asyncio/tasks.py `gather`.
 *
 * @example
 * ```ts
 * yield* gather(sleep(2, "a"), () => "b", Promise.resolve(3)); // => ["a", "b", 3]
 * ```
 */
export function gather<const J extends readonly Job<unknown>[]>(
  jobs: J,
  options: { readonly returnExceptions: true },
): Future<Outcomes<J>>;
export function gather<const J extends readonly Job<unknown>[]>(
  jobs: J,
  options?: { readonly returnExceptions?: false | undefined },
): Future<Results<J>>;
export function gather<const J extends readonly Job<unknown>[]>(
  jobs: J,
  options: { readonly returnExceptions?: boolean | undefined },
): Future<Outcomes<J>>;
export function gather<T>(jobs: Iterable<Job<T>>, options?: { readonly returnExceptions?: boolean }): Future<T[]>;
export function gather<const J extends readonly Job<unknown>[]>(...jobs: J): Future<Results<J>>;
export function gather(...given: unknown[]): Future<unknown> {
  const [jobs, returnExceptions] = readArguments(given);
  const loop = jobs.find((job): job is Future<unknown> => job instanceof Future)?._loop ?? getEventLoop();
  const outer = new Gathering(loop, jobs, returnExceptions);
  if (jobs.length === 0) outer.setResult([]);
  return outer;
}

function readArguments(given: unknown[]): [jobs: Job<unknown>[], returnExceptions: boolean] {
  const [first, options] = given;
  const listed = given.length <= 2 && typeof first === "object" && !isJob(first) && Symbol.iterator in (first ?? {});
  const jobs = listed ? [...(first as Iterable<Job<unknown>>)] : (given as Job<unknown>[]);
  for (const job of jobs) if (!isJob(job)) throw notAJob(job);
  return [jobs, listed && (options as { returnExceptions?: boolean } | undefined)?.returnExceptions === true];
}

function isJob(value: unknown): boolean {
  return typeof value === "function" || isCoroutine(value) || isPromiseLike(value);
}

/** The future that `gather` returns: cancelling it cancels the children, and it ends when they have. */
class Gathering extends Future<unknown[]> {
  readonly #children: Future<unknown>[] = [];
  readonly #returnExceptions: boolean;
  /** How many children are still to end. */
  #left: number;
  #cancelRequested = false;

  constructor(loop: EventLoop, jobs: readonly Job<unknown>[], returnExceptions: boolean) {
    super(undefined, loop);
    this.#returnExceptions = returnExceptions;
    this.#left = jobs.length;
    const childDone = (child: Future<unknown>): void => this.#childDone(child);
    const options = { loop };
    for (const job of jobs) {
      // What is for one use, and was given before, is one child; it counts at each of its places.
      const given = isTaken(job) ? this.#children[jobs.indexOf(job)] : null;
      const child = given ?? ensureFuture(job, options);
      this.#children.push(child);
      // An eager task may be done by now.
      if (child.done()) childDone(child);
      else child.addDoneCallback(childDone);
    }
  }

  override cancel(message?: string): boolean {
    if (this.done()) return false;
    // It ends when all children have: with a CancelledError, unless one of them refuses to be cancelled.
    const any = this.#children.map((child) => child.cancel(message)).includes(true);
    this.#cancelRequested ||= any;
    return any;
  }

  override describe(): string {
    return `gather of ${this.#children.length} (${this.holders().length} to go)`;
  }

  override holders(): Task<unknown>[] {
    return this.#children.filter((each) => !each.done()) as Task<unknown>[];
  }

  #childDone(child: Future<unknown>): void {
    this.#left--;
    if (this.done()) {
      // Its error came after this future was done; asyncio drops it, too, as one error was told already.
      child._retrieved();
      return;
    }
    if (!this.#returnExceptions && child._failed()) {
      this._settle(FAILED, child._takeError());
      return;
    }
    if (this.#left > 0) return;
    const results = this.#children.map((each) =>
      each.cancelled()
        ? new CancelledError(typeof each._outcome === "string" ? each._outcome : "")
        : (each.exception() ?? each.result()),
    );
    if (this.#cancelRequested) {
      const last = this.#children.at(-1) as Future<unknown>;
      const message = last instanceof Task ? last._cancelMessage() : undefined;
      this._settle(FAILED, last.cancelled() ? last._cancelledError() : new CancelledError(message));
    } else this.setResult(results);
  }
}
