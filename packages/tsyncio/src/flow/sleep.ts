/** Waiting for time to pass. Mirrors asyncio/tasks.py `sleep`. */

import { type Duration, milliseconds } from "../base/duration.ts";
import { CancelledError } from "../base/errors.ts";
import { done, Op, type Operation } from "../kernel/operation.ts";
import { Suspended, type Suspension } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";
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
  override _name(): string {
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
    return { done: false, value: this.#timer as never };
  }

  override _resume(): IteratorResult<Suspension, T> {
    return done(this.#result);
  }

  override _fail(error: unknown): never {
    this.#timer?._release();
    throw error;
  }

  override _name(): string {
    return "sleep";
  }
}

const NEW = 0;
const SLEEPING = 1;
const DUE = 2;
const INTERRUPTED = 3;

/**
 * What a sleeping task waits for: timer entry and wait in one object, since there may be a million of them.
 *
 * As in asyncio, the timer's own turn only makes the task ready; the task goes on in the turn after.
 */
class SleepTimer extends Suspended implements TimerEntry {
  _scheduled = false;
  readonly #delay: number;
  #state = NEW;
  #task: Task<unknown> | null = null;
  #message: string | undefined;

  constructor(delay: number) {
    super();
    this.#delay = delay;
  }

  override _isArmed(): boolean {
    return this.#state === NEW;
  }

  override _park(task: Task<unknown>): null {
    this.#state = SLEEPING;
    this.#task = task;
    if (this.#delay === Number.POSITIVE_INFINITY) return null;
    this._scheduled = true;
    task._loop._schedule(task._loop.time() + this.#delay, this);
    return null;
  }

  _run(): void {
    if (this.#state !== SLEEPING) return;
    this.#state = DUE;
    this.#wake();
  }

  cancelled(): boolean {
    return this.#state === INTERRUPTED;
  }

  override _failed(): boolean {
    return this.#state === INTERRUPTED;
  }

  override _takeError(): unknown {
    return new CancelledError(this.#message);
  }

  override _interrupt(message: string | undefined): boolean {
    if (this.#state !== SLEEPING) return false;
    this.#message = message;
    this._release();
    this.#wake();
    return true;
  }

  /** Takes the timer back. */
  _release(): void {
    if (this.#state !== SLEEPING) return;
    this.#state = INTERRUPTED;
    if (this._scheduled) this.#task?._loop._timers.noteCancelled();
  }

  override describe(): string {
    return this.#delay === Number.POSITIVE_INFINITY ? "sleep forever" : `sleep of ${this.#delay} ms`;
  }

  #wake(): void {
    const task = this.#task as Task<unknown>;
    this.#task = null;
    task._loop._enqueue(task);
  }
}
