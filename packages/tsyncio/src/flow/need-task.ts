/** For what makes sense only inside of a task. */

import { RuntimeError } from "../base/errors.ts";
import type { Task } from "../kernel/task.ts";

/** The task that an operation needs to act upon. */
export function needTask(task: Task<unknown> | null, what: string): Task<unknown> {
  if (task === null) throw new RuntimeError(`Cannot use ${what} here: it must run inside a task`, "NO_TASK");
  return task;
}
