/** What is wrong at the end of a test although nothing was thrown: what leaked, what was lost, what nobody noticed. */

import { oneLine } from "../base/errors.ts";
import { AsyncWait } from "../kernel/async-wait.ts";
import type { EventLoop, ExceptionContext } from "../kernel/loop.ts";
import type { Task } from "../kernel/task.ts";
import { Lock } from "../sync/lock.ts";
import { RWLock } from "../sync/rw-lock.ts";
import { BoundedSemaphore } from "../sync/semaphore.ts";
import type { Watch } from "./watch.ts";

export type ProblemCode = "LEFT_RUNNING" | "UNHANDLED" | "SWALLOWED_CANCELLATION" | "HELD_LOCK" | "STALE_WRITE" | "NEVER_ENDS";

export interface Problem {
  readonly code: ProblemCode;
  readonly message: string;
}

/** A test that threw nothing, but left something behind that it should not. */
export class ProblemError extends Error {
  override name = "ProblemError";
  /** The code of the first problem. */
  readonly code: ProblemCode;
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map((each) => each.message).join("\n"));
    this.problems = problems;
    this.code = (problems[0] as Problem).code;
  }
}

/** What runs although the main task has ended. */
export function leftRunning(loop: EventLoop): Problem[] {
  return [...loop._tasks].flatMap((task): Problem[] => {
    if (!(task instanceof AsyncWait))
      return [{ code: "LEFT_RUNNING", message: `${describe(task)} is left running at the end of the test: ${REMEDY}` }];
    // What a task's async function awaits goes with the task.
    if (task.owner?._self().done() === false) return [];
    const what = task.waitingFor ?? "nothing";
    return [
      {
        code: "LEFT_RUNNING",
        message: `An async function that nobody awaits, and which waits for ${what}, is left running at the end of the test: ${REMEDY}`,
      },
    ];
  });
}

const REMEDY = "await it, cancel it, or start it in a taskGroup()";

export function swallowed(watch: Watch): Problem[] {
  return watch.swallowed.map((task) => ({
    code: "SWALLOWED_CANCELLATION",
    message: `Task "${task.name}" was cancelled, yet returned a value: a catch block must rethrow when isCancelled(error), or call uncancel()`,
  }));
}

/** Locks that nobody will release any more, since all tasks have ended. */
export function heldLocks(watch: Watch): Problem[] {
  return watch.primitives.flatMap((each): Problem[] => {
    if (each instanceof Lock && each.locked()) {
      return [
        {
          code: "HELD_LOCK",
          message: `${each.describe()} is still held at the end: release it in a finally block, or use lock.with()`,
        },
      ];
    }
    if (each instanceof RWLock && each.locked()) {
      return [
        {
          code: "HELD_LOCK",
          message: `${each.describe()} is still held at the end: release its guards in a finally block, or use withRead() and withWrite()`,
        },
      ];
    }
    if (each instanceof BoundedSemaphore && each.value < each._bound) {
      const missing = each._bound - each.value;
      return [
        {
          code: "HELD_LOCK",
          message: `${each.describe()} lacks ${missing} of its ${each._bound} permits at the end: release them in a finally block, or use semaphore.with()`,
        },
      ];
    }
    return [];
  });
}

/** What was told to the loop's exception handler. */
export function unhandled({ message, exception, task }: ExceptionContext): Problem {
  const who = task === undefined ? "" : ` (task "${task.name}")`;
  return { code: "UNHANDLED", message: `${message}${who}${exception === undefined ? "" : `: ${oneLine(exception)}`}` };
}

function describe(task: Task<unknown>): string {
  const waits = task.waitingFor;
  return `Task "${task.name}"${waits === undefined ? "" : `, which waits for ${waits},`}`;
}
