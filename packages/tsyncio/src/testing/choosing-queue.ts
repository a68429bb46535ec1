/** The ready queue of a loop whose order is explored. */

import { Handle, type Runnable, TimerHandle } from "../kernel/handle.ts";
import type { ReadyQueue } from "../kernel/host.ts";
import { Task } from "../kernel/task.ts";
import type { TimerEntry } from "../kernel/timers.ts";

/** Told of each step, and asked who goes next. */
export interface Scheduler {
  /** Called before each step; false ends the run. */
  beforeStep(): boolean;
  /** Picks one of the first `count` entries. */
  pick(count: number, entries: readonly Runnable[]): number;
  /** Told of the entry that runs next. */
  step(entry: Runnable): void;
}

const NOTHING: Runnable = { _run() {} };

/**
 * Lets a scheduler pick any task or timer that is ready.
 *
 * Callbacks are the exception: as asyncio calls them in the order in which they were registered, nothing that became ready after a
 * callback overtakes it.
 */
export class ChoosingQueue implements ReadyQueue {
  readonly #scheduler: Scheduler;
  readonly #entries: Runnable[] = [];

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  get length(): number {
    return this.#entries.length;
  }

  push(entry: Runnable): void {
    this.#entries.push(entry);
  }

  shift(): Runnable | undefined {
    const entries = this.#entries;
    // The run has failed: the loop has been told to end, and finds that out as soon as this entry has run.
    if (!this.#scheduler.beforeStep()) return NOTHING;
    const count = this.#choices();
    const index = count > 1 ? this.#scheduler.pick(count, entries) : 0;
    const entry = index === 0 ? entries.shift() : entries.splice(index, 1)[0];
    this.#scheduler.step(entry as Runnable);
    return entry;
  }

  /** How many of the entries may go next. */
  #choices(): number {
    const entries = this.#entries;
    const first = entries[0];
    // What was taken back does nothing when it runs: no decision is wasted on it.
    if (!(first instanceof Task) && (first as Partial<TimerEntry> | undefined)?.cancelled?.()) return 1;
    let count = 0;
    while (count < entries.length) if (isCallback(entries[count++] as Runnable)) break;
    return count;
  }
}

/** Callbacks keep their places; timers and tasks may overtake each other. */
export function isCallback(entry: Runnable): boolean {
  return entry instanceof Handle && !(entry instanceof TimerHandle);
}
