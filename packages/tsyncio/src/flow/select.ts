/** The first of several waits, by name. What `select` is in Go. */

import { unexpected } from "../base/errors.ts";
import type { Job } from "../kernel/job.ts";
import { isCoroutine, isPromiseLike } from "../kernel/kinds.ts";
import type { Operation } from "../kernel/operation.ts";
import type { ResultOf } from "./gather.ts";
import { Contest, checkFlag, checkOptions } from "./race-contest.ts";

/** What {@link select} returns: which of the jobs it was, and its result. A `switch` on `name` narrows `value`. */
export type Selected<J> = {
  [K in keyof J & string]: { readonly name: K; readonly value: ResultOf<J[K]> };
}[keyof J & string];

/** How {@link select} is to be run. */
export interface SelectOptions {
  /**
   * Whether each of several that are ready is as likely to be taken. By default the one that stands in front is, so that in a loop
   * one that is always ready leaves no turn to those behind it.
   */
  readonly fair?: boolean | undefined;
}

/**
 * Waits for the first of several waits, and tells which it was. The others are cancelled, and have ended when this returns.
 *
 * Plain operations of the library (`queue.get()`, `channel.receive()`, `lock.acquire()`, `event.wait()`, `sleep(5)`) are waited for
 * without tasks: those that lose have taken nothing, no item, no permit, even if all are ready at once. They are looked at in the
 * order of the keys (whole numbers come first in JavaScript), and those that are ready when it begins come before all others.
 *
 * Of functions and coroutines tasks are made, with the names of the keys; calls that run a body, such as `lock.with(…)`, are
 * coroutines, too. They are cancelled when they lose; the result of one that ended in the same moment is lost. Futures and tasks are
 * cancelled as well: what is to go on is given as `shield(task)`, or as `task.join()` where its result is not needed. Promises cannot
 * be stopped; they are let go. Errors of losers are treated as in {@link race}.
 *
 * With `sleep(0)` as the last one it does not wait: `{ item: queue.get(), nothing: sleep(0) }` gives the item that is there, or nothing
 * after others have run once.
 *
 * @param jobs - At least one, each by a name: coroutines, Futures, promises, functions.
 * @param options - See {@link SelectOptions}.
 * @returns `{ name, value }` of the first.
 * @throws what the first throws, as it is; {TypeError} when `jobs` is no object or holds what is no job; {RangeError} when it is
 *   empty; {RuntimeError} when a job was awaited before, or is there twice.
 *
 * **Suspends** unless one is ready, and until the losers have ended. **Cancel** cancels all jobs, and waits for them; once one has
 * ended, its result is returned first, and the cancellation is delivered where the task waits next. **Source** Go's `select`.
 *
 * @example
 * ```ts
 * const queue = new Queue<string>();
 * const stop = new Event();
 * const step = () => select({ item: queue.get(), stop: stop.wait(), late: sleep("1s") });
 * queue.putNowait("tea");
 * yield* step(); // => { name: "item", value: "tea" }
 * yield* step(); // => { name: "late", value: undefined }
 * stop.set();
 * const first = yield* step();
 * switch (first.name) {
 *   case "item": first.value.toUpperCase(); break; // a string here
 *   case "stop": break;
 * }
 * first.name; // => "stop"
 * ```
 */
export function select<const J extends Readonly<Record<string, Job<unknown>>>>(
  jobs: J,
  options?: SelectOptions,
): Operation<Selected<J>> {
  checkOptions(options, "{ fair: true }");
  const shuffled = checkFlag(options?.fair, "fair");
  checkNamed(jobs);
  const names = Object.keys(jobs);
  if (names.length === 0)
    throw new RangeError("Expected `jobs` of select() to hold at least one, got none; it would wait for ever");
  return new Select(Object.values(jobs), { names, shuffled, firstSuccess: false }) as unknown as Operation<Selected<J>>;
}

class Select extends Contest {
  override describe(): string {
    return "select";
  }
}

/** Refuses what has no names: the usual mistake is to pass a list, or one job. */
function checkNamed(jobs: unknown): void {
  const isObject = typeof jobs === "object" && jobs !== null;
  if (isObject && !(Symbol.iterator in jobs) && !isCoroutine(jobs) && !isPromiseLike(jobs)) return;
  throw unexpected(
    "`jobs` of select() to be an object of named jobs",
    jobs,
    "write select({ name: job, … }), or race([…]) for a list",
  );
}
