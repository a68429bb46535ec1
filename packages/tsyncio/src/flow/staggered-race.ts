/** Starting attempts one after another until one succeeds. Mirrors asyncio/staggered.py. */

import { type Duration, millisecondsOrNever } from "../base/duration.ts";
import { isCancelled } from "../base/errors.ts";
import { type Body, callBody } from "../kernel/job.ts";
import { type Operation, operation } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";
import { type TaskGroup, taskGroup } from "./task-group.ts";
import { checkJobs, wait } from "./wait.ts";

type ReadonlyTuple<T> = readonly [value: T | undefined, winner: number | undefined, exceptions: readonly unknown[]];

/** As asyncio's tuple of value, winner and exceptions, with names. */
export interface StaggeredResult<T> extends ReadonlyTuple<T> {
  /** The first success; undefined when all failed. */
  readonly value: T | undefined;
  /** Whose success it was; undefined when all failed. */
  readonly winner: number | undefined;
  /** For each attempt that was started: its error, or null. */
  readonly exceptions: readonly unknown[];
}

/**
 * Starts attempts one after another, the next when one fails or `delay` has passed, and returns the first success; the others
 * are cancelled and awaited.
 *
 * @param attempts - Functions, so that an attempt that is not needed never starts.
 * @param delay - Between starts; undefined, null or Infinity: only after a failure.
 *
 * **Suspends** until one succeeds or all have failed. **Cancel** cancels the attempts that run, and waits for them.
 * **Source** asyncio/staggered.py `staggered_race`.
 *
 * @example
 * ```ts
 * const slow = () => sleep("1s", "slow");
 * const fast = () => sleep("1ms", "fast");
 * (yield* staggeredRace([slow, fast], "5ms")).value; // => "fast"
 * ```
 */
export function staggeredRace<T>(
  attempts: Iterable<Body<[], T>>,
  delay: Duration | undefined | null,
): Operation<StaggeredResult<T>> {
  const given = checkJobs(attempts, "staggeredRace");
  const pause = millisecondsOrNever(delay, "delay");
  return operation(racing(given, pause), "staggeredRace");
}

function* racing<T>(attempts: Body<[], T>[], delay: number): Coroutine<StaggeredResult<T>> {
  const exceptions: unknown[] = [];
  let value: T | undefined;
  let winner: number | undefined;

  function* attempt(group: TaskGroup, index: number): Coroutine<void> {
    exceptions[index] = null;
    try {
      const result = yield* callBody(attempts[index] as Body<[], T>);
      if (winner !== undefined) return;
      winner = index;
      value = result;
      group.cancel();
    } catch (error) {
      exceptions[index] = error;
      if (isCancelled(error)) throw error;
    }
  }

  yield* taskGroup(function* (group) {
    for (let index = 0; index < attempts.length && winner === undefined; index++) {
      const task: Task<void> = group.createTask(attempt(group, index), { name: `attempt ${index}` });
      if (index < attempts.length - 1) yield* wait([task], { timeout: delay });
    }
  });
  return Object.assign([value, winner, exceptions] as const, { value, winner, exceptions });
}
