/** Ticks of a clock. */

import { type Duration, milliseconds, NEVER } from "../base/duration.ts";
import { show } from "../base/errors.ts";
import { getRunningLoop } from "../kernel/current.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import { Place, Waiters, wakeAll } from "../sync/waiters.ts";
import { BaseSource, END, type Source } from "./source.ts";

/**
 * Ticks at equal distances, without drift: tick n is due n periods after the first `next()` was called, however long the work
 * between takes.
 *
 * Ticks that were missed are skipped: whoever is late gets the last one that was due at once, and then waits for the next. The values
 * are the ticks' numbers, from 1 on, so that a gap is seen.
 *
 * @param period - Milliseconds, or a string such as `"1.5s"`; more than 0.
 * @throws {RangeError} when the period is not finite and more than 0, at once.
 *
 * **Suspends** never; its `next()` does. **Cancel** see {@link Source}: the tick is not used up. **Source** replaces `setInterval`.
 *
 * @example
 * ```ts
 * const ticks = interval("10ms");
 * const first = (yield* ticks.next()).value;
 * yield* sleep("25ms"); // ticks 2 and 3 were due meanwhile
 * [first, (yield* ticks.next()).value, (yield* ticks.next()).value]; // => [1, 3, 4]
 * ```
 */
export function interval(period: Duration): Source<number> {
  const length = milliseconds(period, "period");
  if (!(length > 0) || length === NEVER) {
    throw new RangeError(`Expected \`period\` of interval() to be finite and more than 0, got ${show(period)}`);
  }
  return new Ticks(length);
}

class Ticks extends BaseSource<number> {
  readonly #period: number;
  #start: number | null = null;
  /** The number of the last tick that was given. */
  #last = 0;
  #closed = false;
  readonly #line = new Waiters();
  readonly #what = { describe: () => `a tick of every ${this.#period} ms` };

  constructor(period: number) {
    super("interval");
    this.#period = period;
  }

  override *_take(): Coroutine<IteratorResult<number, undefined>> {
    const loop = getRunningLoop();
    this.#start ??= loop.time();
    const start = this.#start;
    for (;;) {
      if (this.#closed) return END;
      const due = Math.floor((loop.time() - start) / this.#period);
      if (due > this.#last) {
        this.#last = due;
        return { done: false, value: due };
      }
      const timer = loop.callAt(start + (this.#last + 1) * this.#period, () => wakeAll(this.#line));
      try {
        yield* new Place(this.#line, this.#what);
      } finally {
        timer.cancel();
      }
    }
  }

  override *_close(): Coroutine<void> {
    this.#closed = true;
    wakeAll(this.#line);
  }
}
