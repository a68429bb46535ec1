/** Tells whether something outside of the library is under way that a test must wait for: real I/O, a foreign promise. */

import { Future } from "../kernel/future.ts";
import { isPromised } from "../kernel/job.ts";
import type { EventLoop } from "../kernel/loop.ts";
import { PromiseWait } from "../kernel/promise-wait.ts";
import { Task } from "../kernel/task.ts";

// Tests may fake the global timers; real waiting needs the real ones.
const { setTimeout: startTimer } = globalThis;

/** Requests are on their way and end by themselves; other resources, such as an open socket, may stay for long. */
const REQUEST = /Req|ConnectWrap|WriteWrap|ShutdownWrap|^ProcessWrap$|^Worker$/i;
const TIMER = /^(Timeout|Immediate)$/;

export class ExternalWork {
  /** What kept the process alive before the test is not the test's. */
  readonly #before = countActive();

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

  /** The kinds of what is under way since the test began. */
  #added(): string[] {
    if (users > 0) return kindsMade();
    return [...countActive()].filter(([kind, count]) => count > (this.#before.get(kind) ?? 0)).map(([kind]) => kind);
  }
}

interface Resource {
  readonly kind: string;
  readonly ref: WeakRef<{ hasRef?(): boolean }>;
}

/** What is under way of what was made while somebody watched, by Node's number of it. */
const made = new Map<number, Resource>();
/** Node's own kinds, and timers; AsyncResources that JavaScript makes are called anything, and do nothing by themselves. */
const OUTSIDE = /^(?!PROMISE$|FINALIZATIONREGISTRY$)([A-Z0-9_]+|Timeout)$/;
let hook: import("node:async_hooks").AsyncHook | null = null;
let users = 0;

/**
 * Watches everything that is made from now on, until the returned function is called.
 *
 * Node lists what keeps a process alive, but not all of it (threads of the pool, workers), and one that ends hides one that begins.
 * Its async hooks tell all, but make every promise slower: so they are for single tests, not for explorations.
 */
export function watchResources(): () => void {
  hook ??=
    globalThis.process?.getBuiltinModule?.("node:async_hooks").createHook({
      init(id, kind, _trigger, resource) {
        if (OUTSIDE.test(kind)) made.set(id, { kind, ref: new WeakRef(resource) });
      },
      destroy(id) {
        made.delete(id);
      },
    }) ?? null;
  if (users++ === 0) hook?.enable();
  return () => {
    if (--users > 0) return;
    hook?.disable();
    made.clear();
  };
}

/** Timers of the kit itself. */
const own = new WeakSet<object>();

/** As setTimeout, by a timer that does not count as something outside. */
export function waitReally(callback: () => void, milliseconds: number): void {
  own.add(Object(startTimer(callback, milliseconds)));
}

function counts(resource: { hasRef?(): boolean } | undefined): boolean {
  return resource === undefined || (resource.hasRef?.() !== false && !own.has(resource));
}

function kindsMade(): string[] {
  // What would not keep the process alive is not waited for: caches' and pools' own timers, say.
  return [...made.values()].filter(({ ref }) => counts(ref.deref())).map((each) => each.kind);
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

/** How many resources of each kind keep the process alive, as far as the platform tells. */
function countActive(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of globalThis.process?.getActiveResourcesInfo?.() ?? []) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}
