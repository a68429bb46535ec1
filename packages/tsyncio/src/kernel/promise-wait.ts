/** The wait for an async function's own promise: it cannot be interrupted, and its end resumes the task in the same turn. */

import { CancelledError, isCancelled } from "../base/errors.ts";
import { current } from "./current.ts";
import { FAILED, FINISHED, Future } from "./future.ts";
import type { EventLoop } from "./loop.ts";
import type { Task } from "./task.ts";
import { ARMED, MUST_CANCEL } from "./task-flags.ts";

/**
 * Waits for the promise of an async body that runs as part of the task.
 *
 * Cancelling the task does not end this wait: it ends the library waits inside the body, and aborts `task.signal`. The body
 * then ends by itself, as a coroutine does. So cleanup in the body is over before the task goes on.
 */
export class PromiseWait extends Future<unknown> {
  /** @internal */
  declare readonly _promise: PromiseLike<unknown>;

  constructor(promise: PromiseLike<unknown>, loop: EventLoop) {
    super(undefined, loop);
    this._promise = promise;
  }

  override _park(task: Task<unknown>): null {
    this._flags &= ~ARMED;
    // The body has begun to run: its microtasks come before the loop's next entry.
    task._loop._settling = true;
    this._promise.then(
      (value) => this._end(task, FINISHED, value),
      (error: unknown) => {
        let outcome = error;
        if (task._signalAborted() && (isCancelled(error) || (error as { name?: unknown } | null)?.name === "AbortError")) {
          // The body has heard of the cancellation by `task.signal`; foreign APIs answer with an AbortError of their own.
          task._flags &= ~MUST_CANCEL;
          if (!isCancelled(error)) outcome = new CancelledError(task._cancelMessage(), { cause: error });
        }
        this._end(task, FAILED, outcome);
      },
    );
    return null;
  }

  override _interrupt(): boolean {
    return false;
  }

  override describe(): string {
    return "an async function";
  }

  /** @internal */
  _end(task: Task<unknown>, state: number, outcome: unknown): void {
    // A foreign thenable may call back more than once.
    if (this.done()) return;
    this._state = state;
    this._outcome = outcome;
    // This is a microtask, so usually no turn is on the stack, and the step may follow at once, as it does in a coroutine.
    if (current.loop === null) task._loop._stepNow(task);
    else task._loop._enqueue(task);
  }
}
