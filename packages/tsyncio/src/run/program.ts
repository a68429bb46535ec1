/** The two halves of a program's life: its main job, and its end. */

import { AsyncWait } from "../kernel/async-wait.ts";
import type { Context } from "../kernel/context.ts";
import { current } from "../kernel/current.ts";
import { FAILED } from "../kernel/future.ts";
import { asTaskBody, type Job } from "../kernel/job.ts";
import type { EventLoop } from "../kernel/loop.ts";
import type { Task } from "../kernel/task.ts";

export interface ProgramOptions {
  readonly context?: Context | undefined;
  readonly name?: string | undefined;
  readonly signals?: readonly string[] | undefined;
}

/** Runs a job as the main task of a loop, under the guard of the host; resolves or rejects as it does. */
export async function runMain<T>(loop: EventLoop, job: Job<T>, options: ProgramOptions): Promise<T> {
  const task = loop.createTask(asTaskBody(job), options);
  const guard = loop._host.guard?.({ loop, task: task as Task<unknown>, signals: options.signals });
  const { program } = current;
  if (loop._host.createAsyncLocal() === null) current.program = loop;
  try {
    return await loop.runUntilComplete(task);
  } catch (error) {
    throw guard === undefined ? error : guard.explain(error);
  } finally {
    guard?.release();
    current.program = program;
  }
}

/** Cancels what still runs, waits for it, and closes the loop. */
export async function endProgram(loop: EventLoop): Promise<void> {
  loop._checkIdle();
  try {
    await cancelAllTasks(loop);
    // As many turns as asyncio takes to shut down generators and executor; callbacks that are ready run in them.
    for (let turn = 0; turn < 4; turn++) {
      loop.stop();
      await loop.runForever();
    }
  } finally {
    loop.close();
  }
}

/** Cancels all tasks of a loop that is not running, and waits until they have ended. */
export async function cancelAllTasks(loop: EventLoop): Promise<void> {
  // A task that can never end must not end the process silently: it is reported when the loop closes.
  const unwatch = loop._host.onIdle(() => loop.stop());
  try {
    // In rounds, as a task may start others while it is cancelled; so many, in case that never ends.
    for (let round = 0; round < 100; round++) {
      const tasks = [...loop._tasks].filter(isOnItsOwn);
      let left = tasks.length;
      if (left === 0) return;
      const ended = loop.createFuture<void>();
      for (const task of tasks) {
        task.cancel();
        task.addDoneCallback(() => {
          if (--left === 0) ended.setResult();
        });
      }
      await loop.runUntilComplete(ended);
      for (const task of tasks) {
        if (task._state !== FAILED) continue;
        loop.callExceptionHandler({ message: "unhandled exception during run() shutdown", exception: task.exception(), task });
      }
    }
  } catch (error) {
    if ((error as { code?: unknown }).code !== "LOOP_STOPPED") throw error;
  } finally {
    unwatch();
  }
}

/** A task, or an operation that an async function awaits that was left behind by the task it belonged to. */
function isOnItsOwn(task: Task<unknown>): boolean {
  if (task instanceof AsyncWait) {
    if (task.owner?._self().done() === false) return false;
    // Nobody waits for that function, so nobody would look at its rejection: it is left where it is.
    task.resolve = task.reject = () => {};
  }
  return true;
}
