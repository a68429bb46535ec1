/** Callbacks in the loop's queues. Mirrors asyncio/events.py `Handle` and `TimerHandle`. */

import { type ContextSlot, captureContext } from "./context.ts";
import { current, within } from "./current.ts";
import type { Ambient } from "./host.ts";
import type { EventLoop } from "./loop.ts";
import type { TimerEntry } from "./timers.ts";

/** Whatever can stand in the ready queue: callbacks, tasks, done callbacks of futures, expired sleeps. */
export interface Runnable {
  /** @internal Runs once, in its turn. Must not throw. */
  _run(): void;
}

const NONE: readonly unknown[] = [];

/** A callback that was given to `callSoon`; `cancel()` takes it back. */
export class Handle implements Runnable {
  /** @internal */
  declare readonly _loop: EventLoop;
  /** @internal Null once cancelled. */
  declare _callback: ((...args: never[]) => unknown) | null;
  /** @internal */
  declare _args: readonly unknown[];
  /** @internal */
  declare readonly _context: ContextSlot;
  /** @internal The ambient state of whoever made it; null: the loop's. */
  declare readonly _ambient: Ambient | null;

  /** @internal */
  constructor(
    loop: EventLoop,
    callback: (...args: never[]) => unknown,
    args: readonly unknown[],
    context: ContextSlot = captureContext(),
  ) {
    this._loop = loop;
    this._callback = callback;
    this._args = args;
    this._context = context;
    this._ambient = loop._ambientOfCaller();
  }

  /** Takes the callback back, if it has not run; then it never will. */
  cancel(): void {
    // What was captured can be collected, even while the entry waits in a queue.
    this._callback = null;
    this._args = NONE;
  }

  cancelled(): boolean {
    return this._callback === null;
  }

  /** @internal */
  _run(): void {
    const callback = this._callback;
    if (callback === null) return;
    current._context = this._context;
    try {
      within(this._ambient, () => callback(...(this._args as never[])));
    } catch (error) {
      this._loop.callExceptionHandler({
        message: `Exception in callback ${callback.name || "anonymous"}()`,
        exception: error,
        handle: this,
      });
    } finally {
      current._context = null;
    }
  }

  toString(): string {
    return `<Handle ${this._callback === null ? "cancelled" : `${this._callback.name || "anonymous"}()`}>`;
  }
}

/** A callback that was given to `callLater` or `callAt`. */
export class TimerHandle extends Handle implements TimerEntry {
  /** @internal */
  declare readonly _when: number;
  /** @internal It has not run yet. */
  declare _scheduled: boolean;

  /** @internal */
  constructor(loop: EventLoop, when: number, callback: (...args: never[]) => unknown, args: readonly unknown[]) {
    super(loop, callback, args);
    this._when = when;
    this._scheduled = true;
  }

  /** The loop time in milliseconds at which the callback is due. */
  when(): number {
    return this._when;
  }

  override cancel(): void {
    const counts = this._scheduled && !this.cancelled();
    super.cancel();
    if (counts) this._loop._timerCancelled();
  }

  override _run(): void {
    this._scheduled = false;
    super._run();
  }
}
