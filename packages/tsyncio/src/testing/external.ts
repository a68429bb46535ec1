/** Tells whether something outside of the library is under way that a test must wait for: real I/O, a foreign promise. */

import { Future } from "../kernel/future.ts";
import { isPromised } from "../kernel/job.ts";
import type { EventLoop } from "../kernel/loop.ts";
import { PromiseWait } from "../kernel/promise-wait.ts";
import { Task } from "../kernel/task.ts";

/** Requests are on their way and end by themselves; other resources, such as an open socket, may stay for long. */
const REQUEST = /Req|ConnectWrap|WriteWrap|ShutdownWrap|^ProcessWrap$/;
const TIMER = /^(Timeout|Immediate)$/;

export class ExternalWork {
  /** How many resources of each kind kept the process alive before the test: they are not the test's. */
  readonly #before = countResources();

  /**
   * Whether something real may act before the next deadline, so that the clock must not jump.
   *
   * A foreign promise may rest on anything, also on what Node does not list (a thread of the pool, a worker). A plain Future may
   * be set by whatever is open. Native timers do not count: test runners have some of their own.
   */
  mayAct(loops: readonly EventLoop[]): boolean {
    const added = this.#added();
    if (added.some((kind) => REQUEST.test(kind)) || loops.some(hasForeignWaits)) return true;
    return added.some((kind) => !TIMER.test(kind)) && loops.some((loop) => anyWait(loop, isOpen));
  }

  /** Whether anything at all may still act, though all tasks wait and no deadline is left. */
  anyLeft(loops: readonly EventLoop[]): boolean {
    return this.#added().length > 0 || loops.some(hasForeignWaits);
  }

  #added(): string[] {
    const before = this.#before;
    return [...countResources()].filter(([kind, count]) => count > (before.get(kind) ?? 0)).map(([kind]) => kind);
  }
}

/** Whether a task of the loop waits for a promise that the library did not make. */
export function hasForeignWaits(loop: EventLoop): boolean {
  return anyWait(loop, isForeign);
}

/** The names of the tasks that do. */
export function foreignWaits(loop: EventLoop): string[] {
  const names = [...loop._tasks].filter((task) => reaches(task, isForeign)).map((task) => task._self().name);
  return [...new Set(names)];
}

function anyWait(loop: EventLoop, test: (wait: Future<unknown>) => boolean): boolean {
  for (const task of loop._tasks) if (reaches(task, test)) return true;
  return false;
}

/** Looks at what a task waits for and, through gather() and the like, at what that waits for. */
function reaches(task: Task<unknown>, test: (wait: Future<unknown>) => boolean): boolean {
  const wait = task._waiter;
  if (wait === null) return false;
  // An async function that awaits an operation of the library: that operation has an entry of its own among the tasks.
  if (wait instanceof PromiseWait) return (task._rare?.waits?.size ?? 0) === 0 && test(wait);
  const seen = new Set<Future<unknown>>([wait]);
  for (const future of seen) {
    if (future instanceof Task || future.done()) continue;
    if (test(future)) return true;
    for (const inner of future.holders()) seen.add(inner);
  }
  return false;
}

function isForeign(wait: Future<unknown>): boolean {
  return wait instanceof PromiseWait || isPromised(wait);
}

/** A plain Future: anybody may set it. */
function isOpen(wait: Future<unknown>): boolean {
  return wait.constructor === Future && wait._source === null;
}

function countResources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of globalThis.process?.getActiveResourcesInfo?.() ?? []) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}
