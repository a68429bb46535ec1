/** A library operation that an async function awaits: driven like a task, but its steps count for the function's task. */

import type { Frame } from "./frames.ts";
import { CANCELLED, FINISHED } from "./future.ts";
import { take } from "./kinds.ts";
import type { EventLoop } from "./loop.ts";
import { suspend } from "./step.ts";
import type { Coroutine, Suspension, WaitSource } from "./suspended.ts";
import { Task, type TaskOptions } from "./task.ts";
import { MUST_CANCEL } from "./task-flags.ts";

/**
 * Drives one operation and settles a promise.
 *
 * With an owner it is part of that task: `currentTask()` inside is the owner, whose cancellation reaches it. Yet it is cancelled by
 * itself where it is the operation that says so: of two timeouts that an async function awaits side by side, each ends its own
 * body. Without an owner (`await lock.acquire()` in a plain handler) it is a task like others. Either way it starts at once, as
 * the call of an async function does.
 */
export class AsyncWait<T> extends Task<T> {
  declare readonly owner: Task<unknown> | null;
  declare readonly promise: Promise<T>;
  declare resolve: (value: T) => void;
  declare reject: (error: unknown) => void;

  /** @param begun - What the operation's first step ended with, when its owner has run that already. */
  constructor(loop: EventLoop, operation: Coroutine<T>, owner: Task<unknown> | null, begun?: IteratorResult<Suspension, T>) {
    super(operation, { owner, begun } as TaskOptions, loop);
    (this as { promise: Promise<T> }).promise = new Promise<T>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    if (owner !== null) {
      owner._addInner(this as Task<unknown>);
      this._cancels = owner._cancels;
    }
    // An operation that calls a body must do so in the ambient state of the function that awaits it.
    if ((operation as Partial<Frame>)._generator !== undefined) this._ambient = loop._host.captureAmbient();
    loop._tasks.push(this as Task<unknown>);
    if (begun === undefined) loop._stepNow(this as Task<unknown>);
    else suspend(this as Task<unknown>, begun.value);
    // The function was cancelled while it awaited something foreign, or nothing: here it waits again.
    if (owner !== null && (owner._flags & MUST_CANCEL) !== 0 && !this.done()) {
      owner._flags &= ~MUST_CANCEL;
      // The request was counted with the owner's, above.
      this._cancels--;
      this.cancel(owner._cancelMessage());
    }
  }

  /** Part of its owner, it needs no context or parent of its own. */
  override _begin(operation: Coroutine<T>, options: TaskOptions): void {
    const { owner, begun } = options as { owner: Task<unknown> | null; begun: object | undefined };
    (this as { owner: Task<unknown> | null }).owner = owner;
    if (owner === null) super._begin(operation, { name: `await ${(operation as unknown as WaitSource).describe()}` });
    else {
      if (begun === undefined) take(operation);
      this._name = owner._name;
      this._ambient = owner._self()._ambient;
    }
  }

  /** The base class must not start it before the fields above are set. */
  override _start(): void {}

  override _outer(): Task<unknown> | null {
    return this.owner;
  }

  override _self(): Task<unknown> {
    return this.owner?._self() ?? (this as Task<unknown>);
  }

  override _ended(value: unknown): void {
    if (this.owner === null && (this._flags & MUST_CANCEL) !== 0) {
      super._ended(value);
      this.reject(this._cancelledError());
      return;
    }
    this._leave(FINISHED, value);
    this.resolve(value as T);
  }

  override _threw(error: unknown): void {
    // The promise carries the error from here; it is looked at, whatever it is.
    this._leave(CANCELLED, undefined);
    this.reject(error);
  }

  override _signalAborted(): boolean {
    return super._signalAborted() || (this.owner?._signalAborted() ?? false);
  }

  /** @internal */
  _leave(state: number, outcome: unknown): void {
    const { owner } = this;
    if (owner !== null) {
      owner._removeInner(this as Task<unknown>);
      // A request that came too late for this operation is delivered at the function's next one.
      if ((this._flags & MUST_CANCEL) !== 0 && owner._cancels > 0) owner._flags |= MUST_CANCEL;
    }
    // The function goes on in a microtask, which must get its turn before the loop's next entry.
    this._loop._settling = true;
    this._close(state, outcome);
  }
}
