/** The tasks of a group, counted: a TaskGroup keeps them in this set, if it is there. */

import type { JobCount, ProgressPlace } from "../kernel/progress.ts";
import type { Task } from "../kernel/task.ts";

/** PERF  a group that counted by itself would cost each page that uses groups. */
export class Members extends Set<Task<unknown>> implements JobCount {
  _made = 0;
  readonly #place: ProgressPlace;

  constructor(place: ProgressPlace) {
    super();
    this.#place = place;
  }

  get _left(): number {
    return this.size;
  }

  override add(task: Task<unknown>): this {
    // The first one, or the first after all before were added to what is over.
    if (this._made++ === 0) this.#place.open(this);
    return super.add(task);
  }
}
