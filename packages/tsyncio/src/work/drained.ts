/** Finds out when nothing is ready any more: what belongs together has come together by then. */

import type { Runnable } from "../kernel/handle.ts";
import type { EventLoop } from "../kernel/loop.ts";
import type { TimerEntry } from "../kernel/timers.ts";

/**
 * Something is always ready in some programs: after so many milliseconds, it is not waited for any more. (Under virtual time none pass
 * while anything is ready.)
 */
const PATIENCE = 10;

/** Calls back once nothing is ready, neither in the loop nor in microtasks, however many turns that takes. */
export class Drain implements Runnable, TimerEntry {
  readonly #loop: EventLoop;
  readonly #callback: () => void;
  readonly #until: number;
  /** The ready queue was empty, and so it still is if it stays so while the microtasks run. */
  #empty = false;
  #cancelled = false;

  constructor(loop: EventLoop, callback: () => void) {
    this.#loop = loop;
    this.#callback = callback;
    const now = loop.time();
    this.#until = now + PATIENCE;
    // A timer that is due, not an entry of the ready queue: it comes up once in a turn, behind what is ready, whatever the order.
    loop._schedule(now, this);
  }

  cancel(): void {
    if (this.#cancelled) return;
    this.#cancelled = true;
    this.#loop._timerCancelled();
  }

  cancelled(): boolean {
    return this.#cancelled;
  }

  _run(): void {
    if (this.#cancelled) return;
    const loop = this.#loop;
    const now = loop.time();
    const empty = loop._ready.length === 0;
    if ((empty && this.#empty) || now >= this.#until) {
      this.#cancelled = true;
      this.#callback();
      return;
    }
    this.#empty = empty;
    // Async functions go on now, and may make something ready.
    loop._settling = true;
    loop._schedule(now, this);
  }

  toString(): string {
    return "a batch that collects";
  }
}
