/** Promises both ways: awaiting what others have made, and giving out what tasks do. */

import { type Duration, milliseconds } from "../base/duration.ts";
import { isCancelled, unexpected } from "../base/errors.ts";
import { shielded } from "../flow/shield.ts";
import { moveOnAfter } from "../flow/timeout.ts";
import { operation } from "../kernel/coroutine.ts";
import { current } from "../kernel/current.ts";
import { asTaskBody, ensureFuture, type Job } from "../kernel/job.ts";
import { isCoroutine, isPromiseLike } from "../kernel/kinds.ts";
import { type EventLoop, getEventLoop } from "../kernel/loop.ts";
import type { Operation } from "../kernel/operation.ts";
import { asAsyncFunctionOf } from "../kernel/step.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";
import { abortable } from "./abort-signal.ts";
import { manyListeners } from "./builtin.ts";
import { checkSignal, isAbortion } from "./signal-watch.ts";
import { GRACE } from "./source.ts";

/** Options of `fromPromise`. */
export interface FromPromiseOptions<T> {
  /** Ends the wait as a cancellation does, and throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * How long a cancelled wait goes on waiting for the promise to settle: 0 (default) lets go of it at once, Infinity never.
   */
  readonly grace?: Duration | undefined;
  /** Called with a value that has come too late for whoever waited: closes what must not be lost, such as a file handle. */
  readonly release?: ((value: T) => unknown) | undefined;
}

/**
 * Awaits a foreign promise, in a way that can be cancelled.
 *
 * Cancelled, it aborts the signal that the function got, and lets go of the promise (or waits for it, by `grace`). A rejection that
 * comes later goes to the loop's exception handler, unless it only tells of the abortion; it is never an unhandled one.
 *
 * @param source - A promise, or a function that makes one; it is called as part of the task, with a signal for it alone.
 * @param options - `signal`, `grace`, `release`.
 * @throws what the promise is rejected with; {TypeError} when `source` is neither, {RangeError} for a malformed `grace`, at once.
 *
 * **Suspends** until the promise is settled. **Cancel** aborts the signal; then see `grace`. **Source** asyncio/futures.py
 * `wrap_future`, and Twisted's and Effect's cancellers.
 *
 * @example
 * ```ts
 * yield* fromPromise(Promise.resolve(5)); // => 5
 * yield* fromPromise(async (signal) => signal.aborted); // => false
 * ```
 */
export function fromPromise<T>(
  source: PromiseLike<T> | ((signal: AbortSignal) => PromiseLike<T> | T),
  options: FromPromiseOptions<T> = {},
): Operation<T> {
  const { signal, grace = 0, release } = options;
  if (typeof source !== "function" && !isPromiseLike(source)) {
    throw unexpected("a promise for fromPromise(), or a function that makes one", source);
  }
  const limit = milliseconds(grace, "grace");
  if (release !== undefined && typeof release !== "function") throw unexpected("`release` to be a function", release);
  // It is awaited later, if at all.
  if (typeof source !== "function") source.then(undefined, () => {});
  if (signal === undefined) return operation(new Settling(source, limit, release).wait(), "fromPromise");
  checkSignal(signal, "fromPromise");
  return abortable(signal, () => operation(new Settling(source, limit, release).wait(), "fromPromise"));
}

// STATE  PENDING ──▶ FULFILLED or REJECTED; whoever waits takes that, or is gone before (`#left`) or by then
const PENDING = 0;
const FULFILLED = 1;
const REJECTED = 2;

class Settling<T> {
  readonly #source: PromiseLike<T> | ((signal: AbortSignal) => PromiseLike<T> | T);
  readonly #grace: number;
  readonly #release: ((value: T) => unknown) | undefined;
  #state = PENDING;
  #outcome: unknown;
  /** Nobody waits any more: the loop that is told of what comes. */
  #left: EventLoop | null = null;

  constructor(
    source: PromiseLike<T> | ((signal: AbortSignal) => PromiseLike<T> | T),
    grace: number,
    release: ((value: T) => unknown) | undefined,
  ) {
    this.#source = source;
    this.#grace = grace;
    this.#release = release;
  }

  *wait(): Coroutine<T> {
    const task = current.task as Task<unknown>;
    const source = this.#source;
    let controller: AbortController | undefined;
    let made: PromiseLike<T> | T;
    if (typeof source === "function") {
      controller = new AbortController();
      const signal = manyListeners(controller.signal);
      made = asAsyncFunctionOf(task, () => source(signal));
    } else made = source;
    // An operation of the library is cancelled where it waits.
    if (isCoroutine(made)) return (yield* made) as T;
    if (!isPromiseLike(made)) return made;
    made.then(
      (value) => this.#settle(FULFILLED, value),
      (error: unknown) => this.#settle(REJECTED, error),
    );
    try {
      return yield* ensureFuture(made);
    } catch (error) {
      if (this.#state === REJECTED) {
        // Its own error; or a cancellation right after it, which goes first, as in asyncio.
        if (isCancelled(error)) this.#tooLate(task._loop);
        throw error;
      }
      controller?.abort(error);
      yield* this.#end(task._loop, made);
      throw error;
    }
  }

  #settle(state: number, outcome: unknown): void {
    this.#state = state;
    this.#outcome = outcome;
    if (this.#left !== null) this.#tooLate(this.#left);
  }

  /** The wait was cancelled. */
  *#end(loop: EventLoop, made: PromiseLike<T>): Coroutine<void> {
    if (this.#state === PENDING && this.#grace > 0) {
      const settled = made.then(ignore, ignore);
      // A second cancellation must not cut it short.
      try {
        yield* shielded(() => moveOnAfter(this.#grace, () => ensureFuture(settled)));
      } catch (error) {
        if (!isCancelled(error)) throw error;
      }
    }
    // RACE  1. the promise is fulfilled   2. the task is cancelled before it goes on   3. the value must be released.
    //       test: "fromPromise() releases the value, when it is cancelled in the turn in which that comes"
    if (this.#state === PENDING) this.#left = loop;
    else if (this.#state === FULFILLED) {
      const released = this.#tooLate(loop);
      // Whoever lets the task wait for the promise, waits for that, too.
      if (released !== null && this.#grace > 0) {
        yield* shielded(() => moveOnAfter(GRACE, () => ensureFuture(released)));
      }
    } else if (!isAbortion(this.#outcome)) throw this.#outcome;
  }

  /** Reports the error, or releases the value; gives the end of that, if it takes time. */
  #tooLate(loop: EventLoop): PromiseLike<unknown> | null {
    if (this.#state === REJECTED) {
      if (!isAbortion(this.#outcome)) tellLate(loop, "Error in a promise that fromPromise() has let go of", this.#outcome);
      return null;
    }
    const release = this.#release;
    if (release === undefined) return null;
    const failed = (error: unknown): void => tellLate(loop, "Error in the `release` of fromPromise()", error);
    try {
      const made = release(this.#outcome as T);
      return isPromiseLike(made) ? made.then(undefined, failed) : null;
    } catch (error) {
      failed(error);
      return null;
    }
  }
}

function ignore(): void {}

/** Tells the exception handler of an error that nobody waits for any more. */
export function tellLate(loop: EventLoop, message: string, exception: unknown): void {
  loop.callExceptionHandler({ message, exception });
}

/**
 * Runs a job as a task, and gives a real promise of its result, for foreign code.
 *
 * @param job - A coroutine, a function, or whatever else can be awaited.
 * @param options - `signal`: aborted, it cancels the job, whose end is awaited; the promise is rejected with the signal's reason
 * then. Aborted already: the job does not run. `name`: the task's.
 * @throws {TypeError} when `job` cannot be awaited or `signal` is no AbortSignal.
 *
 * **Suspends** never. **Cancel** of the job rejects with the CancelledError.
 *
 * @example
 * ```ts
 * const promise = toPromise(sleep(1, "rested"));
 * promise instanceof Promise; // => true
 * yield* fromPromise(promise); // => "rested"
 * ```
 */
export function toPromise<T>(
  job: Job<T>,
  options: { readonly signal?: AbortSignal | undefined; readonly name?: string | undefined } = {},
): Promise<T> {
  const { signal, name } = options;
  const body = asTaskBody(job);
  if (signal !== undefined) checkSignal(signal, "toPromise");
  const task = getEventLoop().createTask<T>(
    signal === undefined ? body : abortable(signal, typeof body === "function" ? body : () => body),
    { name },
  );
  return new Promise<T>((resolve, reject) => {
    task.addDoneCallback(() => {
      try {
        resolve(task.result());
      } catch (error) {
        reject(error);
      }
    });
  });
}
