/** Starting tasks. Mirrors asyncio/tasks.py `create_task` and the eager task factory. */

import { falsyError } from "../base/errors.ts";
import { current } from "../kernel/current.ts";
import { FAILED, type Future } from "../kernel/future.ts";
import { asTaskBody, type Job } from "../kernel/job.ts";
import { type EventLoop, getEventLoop, type TaskFactory } from "../kernel/loop.ts";
import { Task, type TaskBody, type TaskOptions } from "../kernel/task.ts";
// Whoever can make a task can give it a priority: that module has an effect when it is loaded. By this door only, since a page that
// has no use for priorities shall not get it.
import "../kernel/priority.ts";

/**
 * Runs a job concurrently, as a task of the running loop; outside of any, of the thread's default loop.
 *
 * @param job - A coroutine, a `function*`, an async function, or anything that can be awaited.
 * @param options - `name` for messages; `context` to run in; `eager`: run the first step before this returns;
 *   `priority`: who goes first of tasks that are ready, see `Task.priority`.
 * @returns the task: await it, cancel it, or let it run.
 * @throws {TypeError} when the job cannot be awaited; {RuntimeError} when it is a coroutine that was awaited before.
 *
 * **Suspends** never. **Source** asyncio/tasks.py `create_task`.
 *
 * @example
 * ```ts
 * const task = createTask(function* () { yield* sleep(1); return "ready"; }, { name: "oven" });
 * yield* task; // => "ready"
 * ```
 */
export function createTask<T>(job: Job<T>, options?: TaskOptions): Task<T> {
  return (current.loop ?? getEventLoop())._spawn(asTaskBody(job), options);
}

/**
 * The priority that counts for a task: its own, or a higher one of a task that waits for what it holds or for its end.
 *
 * **Suspends** never.
 *
 * @example
 * ```ts
 * const job = createTask(sleep(1));
 * const urgent = createTask(function* () { yield* job; }, { priority: 5 });
 * yield* sleep(0);
 * [job.priority, effectivePriority(job)]; // => [0, 5]
 * yield* urgent;
 * ```
 */
export function effectivePriority(task: Task<unknown>): number {
  return current.priorities?.rankOf(task) ?? 0;
}

/**
 * Runs a job in the loop of another part of the program, for callers that are not in that loop.
 *
 * @returns a Future of the caller's loop (the default loop outside of any): cancelling it cancels the job.
 *
 * **Suspends** never. **Source** asyncio/tasks.py `run_coroutine_threadsafe`; between threads, see decision 0006.
 *
 * @example
 * ```ts
 * yield* runCoroutineThreadsafe(sleep(1, "there"), getRunningLoop()); // => "there"
 * ```
 */
export function runCoroutineThreadsafe<T>(job: Job<T>, loop: EventLoop): Future<T> {
  const outer = getEventLoop().createFuture<T>();
  const body = asTaskBody(job);
  loop.callSoonThreadsafe(() => {
    if (outer.done()) return;
    let task: Task<T>;
    try {
      task = loop.createTask(body);
    } catch (error) {
      outer._settle(FAILED, error ? error : falsyError("The task factory", error));
      throw error;
    }
    outer.addDoneCallback(() => {
      if (outer.cancelled()) task.cancel();
    });
    task.addDoneCallback(() => {
      if (outer.done()) return;
      if (task.cancelled()) outer.cancel();
      else if (task._state === FAILED) outer._settle(FAILED, task.exception());
      else outer.setResult(task.result());
    });
  });
  return outer;
}

/**
 * A task factory whose tasks run their first step at once, unless made with `eager: false`: `loop.setTaskFactory(eagerTaskFactory)`.
 *
 * **Source** asyncio/tasks.py `eager_task_factory`.
 */
export const eagerTaskFactory: TaskFactory = (loop, body, options) =>
  new Task(body, { ...options, eager: options.eager ?? true, loop });

/**
 * Makes an eager task factory for a class of tasks of your own.
 *
 * @throws {TypeError} when it is not a subclass of Task.
 *
 * **Suspends** never. **Source** asyncio/tasks.py `create_eager_task_factory`.
 */
export function createEagerTaskFactory(
  taskClass: new <T>(body: TaskBody<T>, options: TaskOptions & { readonly loop: EventLoop }) => Task<T>,
): TaskFactory {
  if (typeof taskClass !== "function" || !(taskClass === Task || taskClass.prototype instanceof Task)) {
    throw new TypeError("Expected a class that extends Task");
  }
  return (loop, body, options) => new taskClass(body, { ...options, eager: options.eager ?? true, loop });
}
