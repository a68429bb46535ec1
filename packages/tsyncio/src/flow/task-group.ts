/** Tasks that live and die together. Mirrors asyncio/taskgroups.py. */

import { ExceptionGroup, isCancelled, RuntimeError } from "../base/errors.ts";
import { operation } from "../kernel/coroutine.ts";
import { current } from "../kernel/current.ts";
import { FAILED, type Future, standIn } from "../kernel/future.ts";
import { asTaskBody, type Body, callBody, checkBody, type Job } from "../kernel/job.ts";
import { isCoroutine } from "../kernel/kinds.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import type { Task, TaskOptions } from "../kernel/task.ts";
import { needTask } from "./need-task.ts";

/**
 * A group of tasks: `taskGroup` hands it to its body. Leaving the body waits for all of them; an error of one cancels the rest.
 *
 * **Source** asyncio/taskgroups.py `TaskGroup`.
 */
export class TaskGroup {
  #parent: Task<unknown> | null = null;
  /** How many shielded regions it lies in: those do not protect its body from it. */
  #level = 0;
  #entered = false;
  #exiting = false;
  #aborting = false;
  /** We have cancelled the parent, to interrupt the body; that request is ours to take back. */
  #parentCancelRequested = false;
  #cancelled = false;
  /** Those that have not ended; where progress is kept account of, a set that counts them. */
  readonly #tasks: Set<Task<unknown>> = current._progress?.tasks() ?? new Set();
  #errors: unknown[] = [];
  /** The wait in `_exit()`, once it is under way. */
  #allDone: Future<void> | undefined;

  /**
   * Starts a task in the group.
   *
   * @param job - As for `createTask`.
   * @throws {RuntimeError} when the group is not entered, has ended, or is shutting down.
   *
   * **Suspends** never. **Source** `TaskGroup.create_task`.
   */
  createTask<T>(job: Job<T>, options?: TaskOptions): Task<T> {
    const reason = !this.#entered
      ? "has not been entered"
      : this.#exiting && this.#tasks.size === 0
        ? "is finished"
        : this.#aborting
          ? "is shutting down"
          : null;
    if (reason !== null) {
      // The coroutine will never run: closed, it is not reported as forgotten.
      if (typeof job === "object" && isCoroutine(job)) job.return(undefined as T);
      throw new RuntimeError(`Cannot create a task in ${this}: it ${reason}`, "GROUP_CLOSED");
    }
    const task = (this.#parent as Task<unknown>)._loop._spawn(asTaskBody(job), options);
    this.#tasks.add(task as Task<unknown>);
    task.addDoneCallback((done) => this.#onTaskDone(done as Task<unknown>));
    // An eager task may have cancelled the group before it was a member.
    if (this.#cancelled && !task.done()) task.cancel();
    // The parent may wait for its tasks already, and lift them.
    if (this.#allDone) current.probe?.held(this.#allDone);
    return task;
  }

  /**
   * Cancels all tasks of the group and its body; leaving the group then is no error. Harmless when repeated.
   *
   * **Suspends** never. **Source** `TaskGroup.cancel` (3.15).
   */
  cancel(): void {
    if (!this.#entered) throw new RuntimeError(`Cannot cancel ${this}: it has not been entered`);
    if (this.#cancelled || (this.#exiting && this.#tasks.size === 0)) return;
    this.#cancelled = true;
    this.#abort();
    if (!this.#parentCancelRequested && !this.#exiting) this.#cancelParent();
  }

  /** @internal */
  _enter(): void {
    this.#parent = needTask(current.task, "a task group");
    this.#level = this.#parent._shields();
    this.#entered = true;
  }

  /** @internal Waits for the tasks and throws what has to be thrown; `failure` is how the body ended. */
  *_exit(failure: { error: unknown } | null): Coroutine<void> {
    const parent = this.#parent as Task<unknown>;
    this.#exiting = true;
    const cancelled = isCancelled(failure?.error);
    let cancellation = cancelled ? failure : null;
    if (failure !== null) this.#abort();

    while (this.#tasks.size > 0) {
      const allDone = standIn<void>(parent._loop, {
        describe: () => `TaskGroup (${this.#tasks.size} to go)`,
        holders: () => this.#tasks,
      });
      this.#allDone = allDone;
      try {
        yield* allDone;
      } catch (error) {
        // Our parent is cancelled while it waits here:
        //   const g = createTask(() => taskGroup(…)); …; g.cancel();
        // The children are told once; a second request does not hurry them.
        if (!isCancelled(error)) throw error;
        if (!this.#aborting) {
          cancellation = { error };
          this.#abort();
        } else if (this.#cancelled) {
          // RACE  1. a task calls group.cancel()   2. the parent is cancelled   3. no error of the group would carry that on.
          //       If it is the group's own request that arrives here, it is taken back below.
          //       test: "group.cancel() by a task keeps a cancellation from outside that comes after it"
          cancellation ??= { error };
        }
      }
    }

    const errors = this.#errors;
    // Whoever keeps the group does not keep the errors alive, nor the task that ends with them.
    this.#errors = [];
    this.#parent = null;
    // The cancellation was our own, to get the parent out of the body; with nobody else's left, it ends here.
    if (this.#parentCancelRequested) {
      parent._uncancel();
      if (parent._cancels === 0) cancellation = null;
    }
    if (cancellation !== null && errors.length === 0) throw cancellation.error;
    if (failure !== null && !cancelled) errors.push(failure.error);
    if (errors.length > 0) {
      // Somebody else has cancelled the parent as well; the group's errors go first, and the cancellation is delivered at the
      // next wait after whoever catches them.
      if (parent._cancels > 0) {
        parent._cancels--;
        parent._cancelFrom(this.#level);
      }
      throw new ExceptionGroup("unhandled errors in a TaskGroup", errors);
    }
  }

  /** Cancels the tasks, once. */
  #abort(): void {
    if (this.#aborting) return;
    this.#aborting = true;
    for (const task of [...this.#tasks]) if (!task.done()) task.cancel();
  }

  #cancelParent(): void {
    this.#parentCancelRequested = true;
    (this.#parent as Task<unknown>)._cancelFrom(this.#level);
  }

  #onTaskDone(task: Task<unknown>): void {
    this.#tasks.delete(task);
    if (this.#tasks.size === 0 && this.#allDone?.done() === false) this.#allDone.setResult();
    if (task._state !== FAILED) return;
    this.#errors.push(task.exception());
    if (!this.#aborting) {
      // The parent is in the body or in _exit(). Were it only marked, it would go on until the body's end:
      //   taskGroup(function* (g) { g.createTask(fails); yield* sleep("1h"); })
      this.#abort();
      this.#cancelParent();
    }
  }

  toString(): string {
    const state = this.#aborting ? " cancelling" : this.#entered ? " entered" : "";
    return `<TaskGroup tasks=${this.#tasks.size}${state}>`;
  }
}

/**
 * Runs a body with a group of tasks, and ends when the body and all tasks have ended.
 *
 * If the body or a task fails, the others are cancelled and awaited; then all errors are thrown together.
 *
 * @param body - A `function*` or an async function; gets the group.
 * @returns what the body returns; undefined when the group was cancelled by `group.cancel()`.
 * @throws {ExceptionGroup} with the errors of the body and the tasks.
 *
 * **Suspends** until all have ended. **Cancel** cancels the body and the tasks, and waits for them.
 * **Source** asyncio/taskgroups.py.
 *
 * @example
 * ```ts
 * yield* taskGroup(function* (group) {
 *   const a = group.createTask(sleep(2, "a"));
 *   const b = group.createTask(sleep(1, "b"));
 *   return (yield* a) + (yield* b);
 * }); // => "ab"
 * ```
 */
export function taskGroup<T>(body: Body<[group: TaskGroup], T>): Operation<T> {
  checkBody(body, "taskGroup");
  return operation(grouped(body), "taskGroup");
}

function* grouped<T>(body: Body<[group: TaskGroup], T>): Coroutine<T> {
  const group = new TaskGroup();
  group._enter();
  let result: T;
  try {
    result = yield* callBody(body, group);
  } catch (error) {
    yield* group._exit({ error });
    // The group was left by its own cancel(): the body's cancellation ends here.
    return undefined as T;
  }
  yield* group._exit(null);
  return result;
}
