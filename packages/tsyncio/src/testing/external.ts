/** Tells whether something outside of the library is under way that a test must wait for: real I/O, a foreign promise. */

import { Future } from "../kernel/future.ts";
import { isPromised } from "../kernel/job.ts";
import type { EventLoop } from "../kernel/loop.ts";
import { PromiseWait } from "../kernel/promise-wait.ts";
import { Task } from "../kernel/task.ts";

type AsyncHook = import("node:async_hooks").AsyncHook;

/** Node does not list these, so they are counted as they are made and destroyed. */
const UNLISTED = /REQUEST$|^WORKER$|^ZLIB$/;
/** Requests are on their way and end by themselves; other resources, such as an open socket, may stay for long. */
const REQUEST = /Req|ConnectWrap|WriteWrap|ShutdownWrap|^ProcessWrap$/;
const TIMER = /^(Timeout|Immediate)$/;

export class ExternalWork {
  /** How many resources of each kind kept the process alive before the test: they are not the test's. */
  readonly #before = countResources();

  /**
   * Whether something real may act before the next deadline, so that the clock must not jump.
   *
   * A foreign promise may rest on anything that is under way, and on nothing at all: a mock that never answers must not stop the
   * clock. A plain Future may be set by whatever is open. Native timers count for promises only: test runners have some, too.
   */
  mayAct(loops: readonly EventLoop[]): boolean {
    const added = this.#added();
    if (added.length === 0) return false;
    if (added.some((kind) => REQUEST.test(kind)) || loops.some(hasForeignWaits)) return true;
    return added.some((kind) => !TIMER.test(kind)) && loops.some((loop) => anyWait(loop, isOpen));
  }

  /** Whether anything at all may still act, though all tasks wait and no deadline is left. */
  anyLeft(): boolean {
    return this.#added().length > 0;
  }

  #added(): string[] {
    const before = this.#before;
    return [...countResources()].filter(([kind, count]) => count > (before.get(kind) ?? 0)).map(([kind]) => kind);
  }
}

/** What Node does not list, by the number of the asynchronous operation. */
const unlisted = new Map<number, string>();
let hook: AsyncHook | null = null;
let users = 0;

/** Counts what Node does not list, until it is told to stop: it makes every promise slower. Returns how to stop. */
export function countUnlisted(): () => void {
  hook ??=
    globalThis.process?.getBuiltinModule?.("node:async_hooks").createHook({
      init(id, type) {
        if (UNLISTED.test(type)) unlisted.set(id, type);
      },
      destroy(id) {
        unlisted.delete(id);
      },
    }) ?? null;
  if (users++ === 0) hook?.enable();
  return () => {
    if (--users > 0) return;
    hook?.disable();
    unlisted.clear();
  };
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
  const kinds = globalThis.process?.getActiveResourcesInfo?.() ?? [];
  for (const kind of [...kinds, ...unlisted.values()]) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}
