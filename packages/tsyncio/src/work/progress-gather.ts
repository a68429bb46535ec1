/** The progress of `gather`, which does not tell by itself: it is seen while a task awaits it. */

import { Future } from "../kernel/future.ts";
import type { JobCount } from "../kernel/progress.ts";
import { PromiseWait } from "../kernel/promise-wait.ts";
import type { Wait } from "../kernel/suspended.ts";
import { Task } from "../kernel/task.ts";

/**
 * How a gather describes itself in wait graphs.
 *
 * PERF  for a number of its own, each page that uses `gather` would pay; this one is paid for already.
 */
const DESCRIPTION = /^gather of (\d+) \((\d+) to go\)$/;

const seen = new WeakSet<Wait>();

/** A gather that was seen. Its results are not kept. */
class SeenGather implements JobCount {
  _made: number;
  readonly #future: WeakRef<Future<unknown>>;

  constructor(future: Future<unknown>, made: number) {
    this._made = made;
    this.#future = new WeakRef(future);
  }

  get _left(): number {
    const future = this.#future.deref();
    return future === undefined ? 0 : Number(DESCRIPTION.exec(future.describe())?.[2] ?? 0);
  }
}

/** The gather that a task waits for; null if it waits for something else, or that gather was seen before. */
export function newGatherIn(wait: Wait | null): JobCount | null {
  if (!(wait instanceof Future) || wait instanceof Task || wait instanceof PromiseWait || seen.has(wait)) return null;
  const made = DESCRIPTION.exec(wait.describe())?.[1];
  if (made === undefined) return null;
  seen.add(wait);
  return new SeenGather(wait, Number(made));
}
