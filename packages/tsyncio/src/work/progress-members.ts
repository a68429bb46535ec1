/** The tasks of a group, counted: a TaskGroup keeps them in this set, if it is there. */

import type { JobCount } from "../kernel/progress.ts";
import type { Task } from "../kernel/task.ts";

/** PERF  a group that counted by itself would cost each page that uses groups. */
export class Members extends Set<Task<unknown>> implements JobCount {
  _made = 0;
  readonly #onFirst: (count: Members) => void;

  /** @param onFirst - Told of the first task, and of the first one after all before were added to what is over. */
  constructor(onFirst: (count: Members) => void) {
    super();
    this.#onFirst = onFirst;
  }

  get _left(): number {
    return this.size;
  }

  override add(task: Task<unknown>): this {
    if (this._made++ === 0) this.#onFirst(this);
    return super.add(task);
  }
}
