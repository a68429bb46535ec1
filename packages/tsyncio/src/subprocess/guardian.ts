/** Ends what still runs when a program ends. */

import { isCancelled } from "../base/errors.ts";
import { Context } from "../kernel/context.ts";
import { currentTask, getRunningLoop } from "../kernel/current.ts";
import { FAILED } from "../kernel/future.ts";
import type { EventLoop } from "../kernel/loop.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";
import { Place, Waiters } from "../sync/waiters.ts";
import type { Process } from "./process.ts";

const guardians = new WeakMap<EventLoop, Guardian>();
/** All that were started and are not closed. */
const alive = new Set<Process>();

function killAll(): void {
  for (const process of alive) process._killNow();
}

/** Takes care that a process does not outlive the task that started it, if that is cancelled or fails, nor the program. */
export function guard(child: Process): void {
  const loop = getRunningLoop();
  const owner = currentTask();
  const whenOver = (task: Task<unknown>): void => {
    if (task.cancelled() || didFail(task)) child._beginStop();
  };
  owner?.addDoneCallback(whenOver);
  if (alive.size === 0) process.on("exit", killAll);
  alive.add(child);
  const known = guardians.get(loop);
  const guardian = known ?? new Guardian(loop);
  guardian.add(child, () => {
    owner?.removeDoneCallback(whenOver);
    alive.delete(child);
    if (alive.size === 0) process.off("exit", killAll);
  });
  if (known !== undefined) return;
  // A task, for `run()` cancels and awaits those; of nobody's context. Eager: one that is cancelled before its first step never runs.
  loop.createTask(guardian.watch(), { name: "subprocesses", context: new Context(), eager: true });
}

/** Without looking at the error, which may be nobody else's to see. */
function didFail(task: Task<unknown>): boolean {
  return task._state === FAILED;
}

/** Of one loop: a task that lasts until no process is left. */
class Guardian {
  readonly #processes = new Set<Process>();
  readonly #line: Waiters = new Waiters();
  readonly #loop: EventLoop;

  constructor(loop: EventLoop) {
    this.#loop = loop;
    guardians.set(loop, this);
  }

  add(child: Process, whenClosed: () => void): void {
    this.#processes.add(child);
    child._onClosed(() => {
      whenClosed();
      this.#processes.delete(child);
      if (this.#processes.size === 0) this.#line.first?._wake();
    });
  }

  /** What is started from now on has another guardian. */
  retire(): void {
    if (guardians.get(this.#loop) === this) guardians.delete(this.#loop);
  }

  *watch(): Coroutine<void> {
    let cancellation: unknown;
    while (this.#processes.size > 0) {
      try {
        yield* new Watch(this.#line, this);
      } catch (error) {
        if (!isCancelled(error)) throw error;
        // The program ends: they may clean up. Told again, it is impatient.
        for (const child of this.#processes) child._beginStop(undefined, cancellation === undefined ? undefined : 0);
        cancellation ??= error;
      }
    }
    this.retire();
    if (cancellation !== undefined) throw cancellation;
  }

  describe(): string {
    return [...this.#processes].map((each) => each.describe()).join(", ");
  }
}

/** The wait of a guardian. */
class Watch extends Place {
  override _interrupt(message: string | undefined): boolean {
    // ORDER  at the end of a program all its tasks are cancelled before any of them runs. What they start in their cleanup is not to be
    // stopped with the rest: its guardian, a new task, is cancelled when they have ended.
    (this._source as Guardian).retire();
    return super._interrupt(message);
  }
}
