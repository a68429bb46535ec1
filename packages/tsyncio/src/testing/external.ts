/** Tells whether something outside of the library is under way that a test must wait for: real I/O, a foreign promise. */

import { Future } from "../kernel/future.ts";
import { isPromised } from "../kernel/job.ts";
import type { EventLoop } from "../kernel/loop.ts";
import { PromiseWait } from "../kernel/promise-wait.ts";
import type { Wait } from "../kernel/suspended.ts";
import { Task } from "../kernel/task.ts";
import { Resources } from "./resources.ts";

/** Requests are on their way and end by themselves; other resources, such as an open socket, may stay for long. */
const REQUEST = /Req|ConnectWrap|WriteWrap|ShutdownWrap|^ProcessWrap$|^Worker$/i;
const TIMER = /^(Timeout|Immediate)$/;

export class ExternalWork {
  readonly #resources = new Resources();

  /**
   * Whether something real may act before the next deadline, so that the clock must not jump.
   *
   * A foreign promise may rest on anything that is under way, and on nothing at all: a mock that never answers must not stop the
   * clock, where the platform can tell. A plain Future may be set by whatever is open, and so may what says that it comes from
   * outside. Native timers count for promises only, as test runners have some, too.
   */
  mayAct(loops: readonly EventLoop[]): boolean {
    const added = this.#resources.added();
    if (added === null) return loops.some(hasForeignWaits);
    if (added.length === 0) return false;
    if (added.some((kind) => REQUEST.test(kind)) || loops.some(hasForeignWaits)) return true;
    return added.some((kind) => !TIMER.test(kind)) && loops.some((loop) => anyWait(loop, isOpen));
  }

  /** Whether anything at all may still act, though all tasks wait and no deadline is left. */
  anyLeft(loops: readonly EventLoop[]): boolean {
    const added = this.#resources.added();
    return added === null ? loops.some(hasForeignWaits) : added.length > 0;
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

function anyWait(loop: EventLoop, test: (wait: Wait) => boolean): boolean {
  for (const task of loop._tasks) if (reaches(task, test)) return true;
  return false;
}

/** Looks at what a task waits for and, through gather() and the like, at what that waits for. */
function reaches(task: Task<unknown>, test: (wait: Wait) => boolean): boolean {
  const wait = task._waiter;
  if (wait === null) return false;
  // An async function that awaits an operation of the library: that operation has an entry of its own among the tasks.
  if (wait instanceof PromiseWait) return task._inner().length === 0 && test(wait);
  // What waits in a line waits for tasks of the library, which are looked at themselves, or for something outside.
  if (!(wait instanceof Future)) return test(wait);
  const seen = new Set<Future<unknown>>([wait]);
  for (const future of seen) {
    if (future instanceof Task || future.done()) continue;
    if (test(future)) return true;
    for (const inner of future.holders()) seen.add(inner);
  }
  return false;
}

function isForeign(wait: Wait): boolean {
  return wait instanceof PromiseWait || (wait instanceof Future && isPromised(wait));
}

/** A plain Future, which anybody may set, or something outside. */
function isOpen(wait: Wait): boolean {
  if (!(wait instanceof Future)) return wait._waitsFor()._outside === true;
  return wait.constructor === Future && !Object.hasOwn(wait, "describe");
}
