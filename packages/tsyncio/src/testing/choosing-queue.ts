/** The ready queue of a loop whose order is explored. */

import { Handle, type Runnable, TimerHandle } from "../kernel/handle.ts";
import type { ReadyQueue } from "../kernel/host.ts";
import { PASSES } from "../kernel/priority.ts";
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

  #rankOf: ((entry: Runnable) => number) | null = null;
  /** How often the one that has been ready for the longest was passed over by priority. */
  #passes = 0;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  get length(): number {
    return this.#entries.length;
  }

  push(entry: Runnable): void {
    this.#entries.push(entry);
  }

  /** From now on, only entries of the highest rank may go next: a priority is not for the scheduler to break. */
  rankBy(rankOf: ((entry: Runnable) => number) | null): void {
    this.#rankOf = rankOf;
  }

  shift(): Runnable | undefined {
    // The run has failed: the loop has been told to end, and finds that out as soon as this entry has run.
    if (!this.#scheduler.beforeStep()) return NOTHING;
    const entries = this.#rankOf === null ? this.#entries : this.#highest(this.#rankOf);
    const count = choices(entries);
    const index = count > 1 ? this.#scheduler.pick(count, entries) : 0;
    const entry = entries[index] as Runnable;
    const place = entries === this.#entries ? index : this.#entries.indexOf(entry);
    if (place === 0) this.#entries.shift();
    else this.#entries.splice(place, 1);
    this.#scheduler.step(entry);
    return entry;
  }

  /** As the queue of a loop that is not explored: the first of all is passed over so many times, and then it goes. */
  #highest(rankOf: (entry: Runnable) => number): Runnable[] {
    const ranks = this.#entries.map(rankOf);
    const best = Math.max(...ranks);
    if (ranks[0] === best) this.#passes = 0;
    else if (++this.#passes > PASSES) {
      this.#passes = 0;
      return this.#entries.slice(0, 1);
    }
    return this.#entries.filter((_, index) => ranks[index] === best);
  }
}

/** How many of the entries may go next. */
function choices(entries: readonly Runnable[]): number {
  const first = entries[0];
  // What was taken back does nothing when it runs: no decision is wasted on it.
  if (!(first instanceof Task) && (first as Partial<TimerEntry> | undefined)?.cancelled?.()) return 1;
  let count = 0;
  while (count < entries.length) if (isCallback(entries[count++] as Runnable)) break;
  return count;
}

/** Callbacks keep their places; timers and tasks may overtake each other. */
export function isCallback(entry: Runnable): boolean {
  return entry instanceof Handle && !(entry instanceof TimerHandle);
}
