/** Waiting in a line for what, once it is so, stays so: the end of a connection, a server, a process. */

import { done, type Operation, type Step } from "../kernel/operation.ts";
import type { WaitSource } from "../kernel/suspended.ts";
import { Waiter, type Waiters } from "../sync/waiters.ts";

export interface Condition<T> {
  /** What it is a state of. */
  readonly of: WaitSource;
  /** What the wait is called, as in `server.waitClosed`. */
  readonly label: string;
  /** Woken when it is so. */
  readonly line: Waiters;
  readonly isSo: () => boolean;
  /** Gives the result of the wait, or throws. */
  readonly result: () => T;
  /** Called when the wait begins. */
  readonly begin?: (() => void) | undefined;
}

/** An operation that ends when it is so; it does not suspend if that is the case already. */
export function until<T>(condition: Condition<T>): Operation<T> {
  return new Until(condition) as unknown as Operation<T>;
}

/** Wakes those of a line whose condition holds, where they wait for different ones. */
export function wakeThoseDone(line: Waiters): void {
  for (let wait = line.first; wait !== null; wait = wait._next) if ((wait as Until<unknown>)._condition.isSo()) wait._wake();
}

class Until<T> extends Waiter<T> {
  declare readonly _condition: Condition<T>;

  constructor(condition: Condition<T>) {
    super();
    this._condition = condition;
  }

  override _start(): Step<T> {
    const { begin, isSo, line, result } = this._condition;
    begin?.();
    if (isSo()) return done(result());
    line.join(this);
    return this._wait();
  }

  override _resume(): Step<T> {
    this._condition.line.leave(this);
    return done(this._condition.result());
  }

  override _abandon(): void {
    this._condition.line.leave(this);
  }

  override describe(): string {
    // In debug mode it is asked for before the fields are set.
    return (this._condition as Condition<T> | undefined)?.label ?? "wait";
  }

  override _waitsFor(): WaitSource {
    return this._condition.of;
  }
}
