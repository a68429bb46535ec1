/** What runs now: the loop, the task and its context. The only module-level state of the kernel. */

import { host } from "#host";
import { RuntimeError } from "../base/errors.ts";
import type { ContextSlot } from "./context.ts";
import type { DebugTools } from "./debug-tools.ts";
import type { Ambient, AsyncLocal } from "./host.ts";
import type { EventLoop } from "./loop.ts";
import type { PriorityTools } from "./priority.ts";
import type { Probe } from "./probe.ts";
import type { ProgressTools } from "./progress.ts";
import type { Task } from "./task.ts";

export interface Current {
  /** The loop whose turn runs on the stack. */
  loop: EventLoop | null;
  /** The task whose step runs on the stack. */
  task: Task<unknown> | null;
  /** The context of what runs on the stack; outside of any turn, the thread's own. (Named as a task's, see `keeper` in context.ts.) */
  _context: ContextSlot;
  /** The loop for code outside of any task; made when first asked for. */
  defaultLoop: EventLoop | null;
  /** Some loop is in debug mode: coroutines note where they were made. */
  debug: boolean;
  /** Where the platform cannot follow async functions: the loop that `run()` runs, which is theirs as far as one can tell. */
  program: EventLoop | null;
  /** What debug mode reports with, if it is there. */
  debugTools: DebugTools | null;
  /** Who watches; null when nobody does. */
  probe: Probe | null;
  /** What tasks with priorities need, if it is there. */
  priorities: PriorityTools | null;
  /** Who keeps account of progress, if anybody does. (Internal names are shortened for pages.) */
  _progress: ProgressTools | null;
  /** Finds the task of an async function after an `await`; made with the first such task, as it slows every `await` on Node < 24. */
  asyncTask: AsyncLocal<Task<unknown>> | null;
}

export const current: Current = {
  loop: null,
  task: null,
  _context: null,
  defaultLoop: null,
  program: null,
  debug: host.debug,
  debugTools: host.debugTools,
  probe: null,
  priorities: null,
  _progress: null,
  asyncTask: null,
};

/** A number from 0 to less than 1: the host's, where it decides what happens by chance. */
export function chance(): number {
  return runningLoop()?._host.random?.() ?? Math.random();
}

/** Calls a function in an ambient state; null: in the one that is there. */
export function within(ambient: Ambient | null, fn: () => unknown): void {
  if (ambient === null) fn();
  else ambient(fn);
}

/** The task whose async function runs now, after an `await`; it may have ended, if the function left something behind. */
function asyncTask(): Task<unknown> | null {
  // A callback of the loop belongs to no task, whatever the platform remembers.
  return current.loop !== null ? null : (current.asyncTask?.getStore() ?? null);
}

/**
 * The task that runs now or whose async function runs now; null outside of any task.
 *
 * In the body of an operation that an async function awaits, that is the operation: see AsyncWait.
 */
export function runningTask(): Task<unknown> | null {
  if (current.task !== null) return current.task;
  let task = asyncTask();
  // A function may outlive the operation in whose body it was called; it is still part of the task.
  while (task?.done()) task = task._outer();
  return task;
}

/** The loop that runs now; null outside. */
export function runningLoop(): EventLoop | null {
  if (current.loop !== null) return current.loop;
  const loop = asyncTask()?._loop ?? current.program;
  return loop === null || loop.isClosed() ? null : loop;
}

/**
 * Returns the running event loop.
 *
 * @throws {RuntimeError} when no loop runs here: outside of tasks and callbacks.
 *
 * **Suspends** never. **Source** asyncio/events.py `get_running_loop`.
 *
 * @example
 * ```ts
 * getRunningLoop().isRunning(); // => true
 * ```
 */
export function getRunningLoop(): EventLoop {
  const loop = runningLoop();
  if (loop === null) {
    throw new RuntimeError("no running event loop; use run() or getEventLoop()", "NO_RUNNING_LOOP");
  }
  return loop;
}

/**
 * Returns the task that runs now, or null outside of any task. In an async function it works after an `await`, too, where the
 * platform has AsyncLocalStorage (Node, Bun, Deno).
 *
 * **Suspends** never. **Source** asyncio/tasks.py `current_task`.
 *
 * @example
 * ```ts
 * yield* createTask(() => currentTask()?.name, { name: "me" }); // => "me"
 * ```
 */
export function currentTask(): Task<unknown> | null {
  return runningTask()?._self() ?? null;
}
