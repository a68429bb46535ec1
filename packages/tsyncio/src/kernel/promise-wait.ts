/** The wait for an async function's own promise: it cannot be interrupted, and its end resumes the task in the same turn. */

import { CancelledError, isCancelled } from "../base/errors.ts";
import { current } from "./current.ts";
import { Suspended, type Suspension } from "./suspended.ts";
import type { Task } from "./task.ts";

/**
 * Waits for the promise of an async body that runs as part of the task.
 *
 * Cancelling the task does not end this wait: it ends the library waits inside the body, and aborts `task.signal`. The body
 * then ends by itself, as a coroutine does. So cleanup in the body is over before the task goes on.
 */
export class PromiseWait extends Suspended {
  readonly #promise: PromiseLike<unknown>;
  #task: Task<unknown> | null = null;
  #armed = false;
  #state: "pending" | "fulfilled" | "rejected" = "pending";
  #outcome: unknown;

  constructor(promise: PromiseLike<unknown>) {
    super();
    this.#promise = promise;
  }

  [Symbol.iterator](): Iterator<Suspension, unknown, unknown> {
    return this as never;
  }

  next(): IteratorResult<Suspension, unknown> {
    if (this.#state === "fulfilled") return { done: true, value: this.#outcome };
    if (this.#state === "rejected") throw this.#outcome;
    this.#armed = true;
    return { done: false, value: this as never };
  }

  throw(error: unknown): never {
    throw error;
  }

  return(value: unknown): IteratorResult<Suspension, unknown> {
    return { done: true, value };
  }

  override _isArmed(): boolean {
    return this.#armed;
  }

  override _park(task: Task<unknown>): null {
    this.#armed = false;
    this.#task = task;
    // The body has begun to run: its microtasks come before the loop's next entry.
    task._loop._settling = true;
    this.#promise.then(
      (value) => this.#settle("fulfilled", value),
      (error: unknown) => this.#settle("rejected", error),
    );
    return null;
  }

  override _failed(): boolean {
    return this.#state === "rejected";
  }

  override _takeError(): unknown {
    return this.#outcome;
  }

  override _interrupt(): boolean {
    return false;
  }

  override describe(): string {
    return "an async function (foreign promise)";
  }

  #settle(state: "fulfilled" | "rejected", outcome: unknown): void {
    const task = this.#task as Task<unknown>;
    this.#state = state;
    this.#outcome = outcome;
    if (state === "rejected" && abortedBy(task, outcome)) {
      this.#outcome = new CancelledError(task._cancelMessage(), { cause: outcome });
    }
    // This is a microtask, so usually no turn is on the stack, and the step may follow at once, as it does in a coroutine.
    if (current.loop === null) task._loop._stepNow(task);
    else task._loop._enqueue(task);
  }
}

/** Foreign APIs answer an aborted `task.signal` with an AbortError of their own; it is the task's cancellation. */
function abortedBy(task: Task<unknown>, error: unknown): boolean {
  return (
    !isCancelled(error) &&
    task._signalAborted() &&
    typeof error === "object" &&
    error !== null &&
    (error as { name?: unknown }).name === "AbortError"
  );
}
