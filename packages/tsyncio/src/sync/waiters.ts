/** A fair line of waiters, used by every primitive: joining and leaving are O(1), in any order. */

import { type Linked, LinkedList } from "../base/linked-list.ts";
import { FINISHED, Future } from "../kernel/future.ts";
import type { EventLoop } from "../kernel/loop.ts";
import type { WaitSource } from "../kernel/suspended.ts";

/** A place in a line: the future that its task waits for. */
export class Waiter extends Future<void> implements Linked<Waiter> {
  _previous: Waiter | null = null;
  _next: Waiter | null = null;
  /** Whether it stands in a line. */
  inLine = true;

  constructor(loop: EventLoop, source: WaitSource) {
    super(loop._option);
    this._source = source;
  }

  /** Whether it has been called: its task has been made ready and goes on, unless it is cancelled first. */
  get woken(): boolean {
    return this._state === FINISHED;
  }
}

export class Waiters extends LinkedList<Waiter> {
  /** Leaves the line; harmless when it has left. */
  leave(waiter: Waiter): void {
    if (!waiter.inLine) return;
    waiter.inLine = false;
    this.remove(waiter);
  }

  /** Whether somebody stands in line who is not cancelled. */
  anyAlive(): boolean {
    for (let waiter = this.first; waiter !== null; waiter = waiter._next) if (!waiter.cancelled()) return true;
    return false;
  }

  /** Wakes the first one that is not done, skipping those that are; says whether there was one. */
  wakeNext(): boolean {
    for (let waiter = this.first; waiter !== null; waiter = waiter._next) {
      if (waiter.done()) continue;
      waiter.setResult();
      return true;
    }
    return false;
  }
}
