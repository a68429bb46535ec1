/** Waiting for time to pass. Mirrors asyncio/tasks.py `sleep`. */

import { type Duration, milliseconds } from "../base/duration.ts";
import { Future } from "../kernel/future.ts";
import { done, Op, type Operation, suspendOn } from "../kernel/operation.ts";
import type { Suspension } from "../kernel/suspended.ts";
import type { TimerEntry } from "../kernel/timers.ts";

/**
 * Suspends for a time and returns `result`.
 *
 * @param duration - Milliseconds, or a string such as `"1.5s"`; ≤ 0 lets everybody else run once, Infinity never ends.
 * @param result - What it returns.
 * @throws {RangeError} when the duration is NaN or malformed, at once.
 *
 * **Suspends** always. **Cancel** ends it at once. **Source** asyncio/tasks.py `sleep`; milliseconds: decision 0002.
 *
 * @example
 * ```ts
 * yield* sleep("5ms", "done"); // => "done"
 * ```
 */
export function sleep(duration: Duration): Operation<void>;
export function sleep<T>(duration: Duration, result: T): Operation<T>;
export function sleep<T>(duration: Duration, result?: T): Operation<T | undefined> {
  const delay = milliseconds(duration);
  return (delay <= 0 ? new Pass(result) : new Sleep(delay, result)) as unknown as Operation<T | undefined>;
}

/** One turn of the loop. */
class Pass<T> extends Op<T> {
  readonly #result: T;
  constructor(result: T) {
    super();
    this.#result = result;
  }
  override _start(): IteratorResult<Suspension, T> {
    return { done: false, value: undefined as never };
  }
  override _resume(): IteratorResult<Suspension, T> {
    return done(this.#result);
  }
  override _fail(error: unknown): never {
    throw error;
  }
  override describe(): string {
    return "sleep";
  }
}

class Sleep<T> extends Op<T> {
  readonly #delay: number;
  readonly #result: T;
  #timer: SleepTimer | null = null;

  constructor(delay: number, result: T) {
    super();
    this.#delay = delay;
    this.#result = result;
  }

  override _start(): IteratorResult<Suspension, T> {
    this.#timer = new SleepTimer(this.#delay);
    return suspendOn(this.#timer);
  }

  override _resume(): IteratorResult<Suspension, T> {
    return done(this.#result);
  }

  override _fail(error: unknown): never {
    this.#timer?.cancel();
    throw error;
  }

  override describe(): string {
    return "sleep";
  }
}

/**
 * What a sleeping task waits for: its future is its own timer, since there may be a million of them.
 *
 * As in asyncio, the timer's own turn only makes the task ready; the task goes on in the turn after.
 */
class SleepTimer extends Future<void> implements TimerEntry {
  _scheduled = false;
  readonly #delay: number;

  constructor(delay: number) {
    super();
    this.#delay = delay;
    if (delay === Number.POSITIVE_INFINITY) return;
    this._scheduled = true;
    this._loop._schedule(this._loop.time() + delay, this);
  }

  _run(): void {
    if (!this.done()) this.setResult();
  }

  override cancel(message?: string): boolean {
    const cancelled = super.cancel(message);
    if (cancelled && this._scheduled) this._loop._timerCancelled();
    return cancelled;
  }

  override describe(): string {
    return this.#delay === Number.POSITIVE_INFINITY ? "sleep forever" : `sleep of ${this.#delay} ms`;
  }
}
