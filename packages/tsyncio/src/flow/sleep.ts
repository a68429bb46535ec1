/** Waiting for time to pass. Mirrors asyncio/tasks.py `sleep`. */

import { type Duration, milliseconds, NEVER } from "../base/duration.ts";
import { getRunningLoop, runningLoop } from "../kernel/current.ts";
import { done, ENDED, Op, type Operation, WOKEN } from "../kernel/operation.ts";
import type { Suspension, WaitSource } from "../kernel/suspended.ts";
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
  declare readonly _result: T;
  constructor(result: T) {
    super();
    this._result = result;
  }

  /** PERF  the usual two calls, without the detour by the base class. */
  override next(): IteratorResult<Suspension, T> {
    const stage = this._stage;
    if (stage > WOKEN) return super.next();
    if (stage !== WOKEN) return this._start();
    this._stage = ENDED;
    return { done: true, value: this._result };
  }

  override _start(): IteratorResult<Suspension, T> {
    // Nobody has to wake it: the task goes to the end of the ready queue.
    this._stage = WOKEN;
    return { done: false, value: undefined as never };
  }
  override _resume(): IteratorResult<Suspension, T> {
    return done(this._result);
  }
  override describe(): string {
    return "sleep";
  }
}

/**
 * A sleeper is its own timer, since there may be a million of them.
 *
 * As in asyncio, the timer's own turn only makes the task ready; the task goes on in the turn after.
 */
class Sleep<T> extends Op<T> implements TimerEntry {
  declare readonly _delay: number;
  declare readonly _result: T;

  constructor(delay: number, result: T) {
    super();
    this._delay = delay;
    this._result = result;
  }

  override _start(): IteratorResult<Suspension, T> {
    if (this._delay < NEVER) {
      const loop = getRunningLoop();
      loop._schedule(loop.time() + this._delay, this);
    }
    this._suspend();
    return this;
  }

  /**
   * PERF  it is its own iterator result: a generator that is suspended keeps the last one alive (Node 26), which is 40 bytes for
   * each sleeper otherwise.
   */
  get done(): false {
    return false;
  }

  get value(): Suspension {
    return this as never;
  }

  override _resume(): IteratorResult<Suspension, T> {
    return done(this._result);
  }

  override _abandon(woken: boolean): void {
    if (!woken && this._delay < NEVER) runningLoop()?._timerCancelled();
  }

  /** Whether the timer is of no use any more. */
  override cancelled(): boolean {
    return this._stage === ENDED;
  }

  /** Its time has come. */
  _run(): void {
    this._wake();
  }

  override describe(): string {
    return "sleep";
  }

  override _waitsFor(): WaitSource {
    return { describe: () => (this._delay === NEVER ? "sleep forever" : `sleep of ${this._delay} ms`) };
  }
}
