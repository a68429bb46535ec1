/** Makes tasks take turns in an order that the test fixes. */

import { RuntimeError, unexpected } from "../base/errors.ts";
import { operation } from "../kernel/coroutine.ts";
import { type Body, callBody, checkBody } from "../kernel/job.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import { Event } from "../sync/event.ts";

/** Waits for turn `n`, then runs the body, if there is one; the turn after it begins when the body has ended. */
export type Sequencer = <T = void>(n: number, body?: Body<[], T>) => Operation<T>;

/**
 * Makes a function by which tasks wait for each other: what is called with 0 runs first, then what is called with 1, and so on.
 *
 * For tests that need one certain interleaving; `explore` tries them all.
 *
 * @throws {RuntimeError} `SEQUENCE` (from the operation) when a turn is taken twice, or when one before it was cancelled and will
 *   never come; {RangeError} when `n` is not an integer ≥ 0.
 *
 * **Suspends** (the operation) until the turns before have ended, then as the body does. **Cancel** of a turn that has not begun
 * breaks the sequence: all that wait fail. **Source** trio.testing `Sequencer`.
 *
 * @example
 * ```ts no-task
 * await runTest(function* () {
 *   const turn = sequencer();
 *   const lines: string[] = [];
 *   yield* gather(
 *     turn(1, function* () { lines.push("second"); }),
 *     turn(0, function* () { lines.push("first"); }),
 *   );
 *   return lines;
 * }); // => ["first", "second"]
 * ```
 */
export function sequencer(): Sequencer {
  const taken = new Set<number>();
  const ended = new Map<number, Event>();
  let broken = false;
  const endOf = (n: number): Event => {
    const event = ended.get(n) ?? new Event({ name: `end of turn ${n}` });
    ended.set(n, event);
    return event;
  };
  const breakUp = (): void => {
    broken = true;
    for (const event of ended.values()) event.set();
  };

  function* take<T>(n: number, body: Body<[], T> | undefined): Coroutine<T> {
    if (taken.has(n)) throw new RuntimeError(`Turn ${n} was taken before: each is for one use`, "SEQUENCE");
    taken.add(n);
    try {
      if (n > 0) yield* endOf(n - 1).wait();
    } catch (error) {
      breakUp();
      throw error;
    }
    if (broken) throw new RuntimeError(`Turn ${n} cannot come: one before it was cancelled`, "SEQUENCE");
    try {
      return body === undefined ? (undefined as T) : yield* callBody(body);
    } finally {
      endOf(n).set();
    }
  }

  return <T>(n: number, body?: Body<[], T>): Operation<T> => {
    if (!Number.isInteger(n) || n < 0) throw unexpected("`n` to be an integer ≥ 0", n);
    if (body !== undefined) checkBody(body, "sequencer turn");
    return operation(take<T>(n, body), "sequencer turn");
  };
}
