/** The one slot through which tools watch the kernel. A hook must not throw and must not call back into the loop. */

import { current } from "./current.ts";
import type { EventLoop } from "./loop.ts";
import type { Wait, WaitSource } from "./suspended.ts";
import type { Task } from "./task.ts";

export interface Probe {
  created(task: Task<unknown>): void;
  stepping(task: Task<unknown>): void;
  stepped(task: Task<unknown>): void;
  waits(task: Task<unknown>, what: Wait | null): void;
  cancelled(task: Task<unknown>): void;
  finished(task: Task<unknown>): void;
  /** A lock, a queue or the like is used for the first time, in a loop. */
  bound(primitive: object, loop: EventLoop): void;
  /** Others than before hold what tasks wait for: a lock was taken or released. */
  held(source: WaitSource): void;
}

/** Puts a probe into the slot, or takes it out with null; returns the one that was there. */
export function setProbe(probe: Probe | null): Probe | null {
  const previous = current.probe;
  current.probe = probe;
  return previous;
}
