/** What can be `yield*`-ed and `await`-ed alike: the library's waiting operations. */

import { CancelledError } from "../base/errors.ts";
import { current, runningLoop, runningTask } from "./current.ts";
import { notAwaited } from "./future.ts";
import { reused } from "./kinds.ts";
import { getEventLoop } from "./loop.ts";
import type { Coroutine, Suspension, Wait, WaitSource } from "./suspended.ts";
import type { Task } from "./task.ts";
import { MUST_CANCEL } from "./task-flags.ts";

/**
 * A lazy, one-use piece of waiting: `yield*` it in a coroutine, or `await` it in an async function.
 *
 * It does nothing until then. Awaited outside of any task, it runs on the thread's default loop.
 */
export interface Operation<T> extends Coroutine<T>, PromiseLike<T> {}

export type Step<T> = IteratorResult<Suspension, T>;

// STATE  NEW ──claim──▶ CLAIMED ──start──▶ WAITING ──wake──▶ WOKEN ──resume──▶ ENDED      (or WAITING once more)
//                          └──────────▶ ENDED  └──────interrupt──▶ CANCELLED ──abandon──▶ ENDED
export const NEW = 0;
const CLAIMED = 1;
const WAITING = 2;
export const WOKEN = 3;
const CANCELLED = 4;
export const ENDED = 5;

/** What all operations share: one use, and `await`. */
export abstract class BaseOperation<T> {
  // PERF  fields of what is made often are assigned in constructors: class fields and private ones cost five times as much.
  /** @internal */
  declare _stage: number;

  constructor() {
    this._stage = NEW;
  }

  abstract next(): Step<T>;
  abstract throw(error: unknown): Step<T>;
  abstract return(value: T): Step<T>;
  /** What it is called, as in `lock.acquire`. */
  abstract describe(): string;

  /** @internal Taken by a `yield*`, an `await` or a task: once. */
  _claim(): void {
    if (this._stage !== NEW) throw reused(this.describe());
    this._stage = CLAIMED;
    if (current.debug) current.debugTools?.noteStarted(this);
  }

  [Symbol.iterator](): this {
    this._claim();
    return this;
  }

  // biome-ignore lint/suspicious/noThenProperty: an operation is awaitable on purpose
  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    const task = runningTask();
    const loop = task === null || task._loop.isClosed() ? getEventLoop() : task._loop;
    return loop._await<T>(this as never, task, this instanceof Op).then(onFulfilled, onRejected);
  }

  get [Symbol.toStringTag](): string {
    return "Operation";
  }

  toString(): string {
    return `<Operation ${this.describe()}>`;
  }
}

/**
 * An operation written as a small state machine by hand: half the cost of a generator, for what is awaited most.
 *
 * It is what its task waits for, too: it stands in the line of a lock, or among the timers, by itself.
 */
export abstract class Op<T> extends BaseOperation<T> implements Wait {
  /** @internal The task that waits; once that is cancelled, the error that it goes on with. */
  declare _waiting: Task<unknown> | CancelledError | null;

  /** @internal The first run: the result, or `_wait()`. */
  abstract _start(): Step<T>;
  /** @internal It was woken. */
  abstract _resume(): Step<T>;
  /** @internal The wait ends with an error, a cancellation as a rule: clean up. `woken`: it had been called as well. */
  _abandon(_woken: boolean): void {}

  constructor() {
    super();
    this._waiting = null;
    if (current.debug) current.debugTools?.noteUnstarted(this, runningLoop());
  }

  next(): Step<T> {
    const stage = this._stage;
    // Ended, unless it says otherwise: also when it throws.
    this._stage = ENDED;
    if (stage === WOKEN) return this._resume();
    if (stage <= CLAIMED) return this._start();
    if (stage === WAITING) {
      this._abandon(false);
      throw notAwaited(this);
    }
    return done(undefined as T);
  }

  throw(error: unknown): Step<T> {
    this._end();
    throw error;
  }

  /** @internal Ends it from outside. */
  _end(): void {
    const stage = this._stage;
    this._stage = ENDED;
    if (stage >= WAITING && stage < ENDED) this._abandon(stage === WOKEN);
  }

  return(value: T): Step<T> {
    if (this._stage === NEW) this._claim();
    this._end();
    return done(value);
  }

  /** @internal Ends a step by waiting to be woken. */
  _wait(): Step<never> {
    this._suspend();
    return { done: false, value: this as never };
  }

  /** @internal */
  _suspend(): void {
    this._stage = WAITING;
    this._waiting = null;
  }

  /** @internal Makes its task ready; false when that is so already, or it was cancelled. */
  _wake(): boolean {
    if (this._stage !== WAITING) return false;
    this._stage = WOKEN;
    this._ready();
    return true;
  }

  /** Whether its task was cancelled while it waited. */
  cancelled(): boolean {
    return this._stage === CANCELLED;
  }

  /** @internal */
  _park(task: Task<unknown>): null | undefined {
    if (this._waiting !== null || (this._stage !== WAITING && this._stage !== WOKEN)) return undefined;
    this._waiting = task;
    if (this._stage === WOKEN) this._ready();
    return null;
  }

  /** @internal */
  _failed(): boolean {
    return this._stage === CANCELLED;
  }

  /** @internal */
  _takeError(): unknown {
    return this._waiting;
  }

  /** @internal */
  _interrupt(message: string | undefined): boolean {
    if (this._stage !== WAITING) return false;
    this._stage = CANCELLED;
    this._ready();
    this._waiting = new CancelledError(message);
    return true;
  }

  /** @internal */
  _waitsFor(): WaitSource {
    return this;
  }

  /** @internal */
  _ready(): void {
    const task = this._waiting as Task<unknown> | null;
    task?._loop._enqueue(task);
  }
}

/** A cancellation that has come too late for an operation: it is delivered where the task waits next. */
export function postpone(late: object): void {
  const task = current.task;
  if (task === null) return;
  // The operation is all there is of the task, which ends with it: there is nothing left to cancel.
  if (task._root === late && task._outer() === null) while (task._cancels > 0) task._uncancel();
  else task._flags |= MUST_CANCEL;
}

/** Ends an operation's step with its result. */
export function done<T>(value: T): Step<T> {
  return { done: true, value };
}
