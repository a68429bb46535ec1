/** The first of several jobs to finish. What Promise.race and Promise.any are for promises, with the losers stopped. */

import { distinct, type Job } from "../kernel/job.ts";
import type { Operation } from "../kernel/operation.ts";
import type { ResultOf } from "./gather.ts";
import { Contest, checkFlag, checkOptions } from "./race-contest.ts";
import { checkJobs } from "./wait.ts";

/** How {@link race} is to be run. */
export interface RaceOptions {
  /**
   * Whether a job that fails has only lost, as in Promise.any: the first that succeeds wins. Only if all fail there is an error: an
   * ExceptionGroup, whose `errors` are in the order of the jobs. False by default.
   */
  readonly firstSuccess?: boolean | undefined;
}

/**
 * Runs jobs side by side; the first that finishes decides, by its result or its error. The others are cancelled, and have ended
 * when this returns.
 *
 * Plain operations of the library (`sleep(5)`, `queue.get()`, `lock.acquire()`) are waited for without tasks: those that lose have
 * taken nothing. Of several that are ready, the one that stands in front wins.
 *
 * Futures and tasks are cancelled when they lose, like all else: what is to go on is given as `shield(task)`, or as `task.join()` where
 * its result is not needed. Promises cannot be stopped; they are let go, and so are their errors. An error that another loser ends
 * with, in its cleanup say, goes to the loop's exception handler.
 *
 * @param jobs - At least one: coroutines, Futures, promises, functions. One that is given twice runs once.
 * @param options - See {@link RaceOptions}.
 * @throws what the winner throws; {TypeError} when `jobs` is not iterable or holds what is no job; {RangeError} when it is empty;
 *   {RuntimeError} when a job was awaited before.
 *
 * **Suspends** until one has finished and the losers have ended. **Cancel** cancels all jobs, and waits for them; once there is a
 * winner, its result is returned first, and the cancellation is delivered where the task waits next.
 * **Source** Promise.race and Promise.any.
 *
 * @example
 * ```ts
 * yield* race([sleep(5, "slow"), sleep(1, "fast")]); // => "fast"
 * const mirrors = [() => Promise.reject(new Error("down")), () => sleep(2, "up")];
 * yield* race(mirrors, { firstSuccess: true }); // => "up"
 * ```
 */
export function race<const J extends readonly Job<unknown>[]>(jobs: J, options?: RaceOptions): Operation<ResultOf<J[number]>>;
export function race<J extends Job<unknown>>(jobs: Iterable<J>, options?: RaceOptions): Operation<ResultOf<J>>;
export function race(jobs: Iterable<Job<unknown>>, options?: RaceOptions): Operation<unknown> {
  checkOptions(options, "{ firstSuccess: true }");
  const firstSuccess = checkFlag(options?.firstSuccess, "firstSuccess");
  const given = checkJobs(jobs, "race");
  if (given.length === 0) throw new RangeError("Expected `jobs` of race() to hold at least one, got none; nobody could win");
  return new Race(distinct(given), { names: null, shuffled: false, firstSuccess }) as unknown as Operation<unknown>;
}

class Race extends Contest {
  override describe(): string {
    return "race";
  }
}
