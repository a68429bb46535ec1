/** A result that is not there yet. Mirrors asyncio/futures.py `Future`. */

import { CancelledError, InvalidStateError, oneLine, RuntimeError, show, unexpected } from "../base/errors.ts";
import { Context, captureContext } from "./context.ts";
import { current, getRunningLoop } from "./current.ts";
import { Handle } from "./handle.ts";
import type { EventLoop } from "./loop.ts";
import type { Suspension, Wait, WaitSource } from "./suspended.ts";
import type { Task } from "./task.ts";
import { ARMED, RETRIEVED, UNRETRIEVED } from "./task-flags.ts";

// STATE  PENDING ──setResult──▶ FINISHED     ──setException──▶ FAILED     ──cancel──▶ CANCELLED     (one edge, once)
export const PENDING = 0;
export const FINISHED = 1;
export const FAILED = 2;
export const CANCELLED = 3;

/** What stands in a future's list: a task that waits, or a callback. Both go into the ready queue as they are. */
type Waiting = Task<unknown> | Handle;

/**
 * A result that is not there yet; whoever awaits it goes on when it is.
 *
 * `yield*` it in a coroutine or `await` it in an async function, any number of times.
 *
 * @throws {RuntimeError} when it is made outside of any loop and no loop is given.
 *
 * **Suspends** when awaited, until it is done. **Cancel** of a waiting task cancels the future.
 * **Source** asyncio/futures.py `Future`.
 *
 * @example
 * ```ts
 * const answer = new Future<number>();
 * answer.setResult(42);
 * yield* answer; // => 42
 * ```
 */
export class Future<T> implements PromiseLike<T>, Wait {
  /** @internal */
  declare readonly _loop: EventLoop;
  /** @internal */
  declare _state: number;
  /**
   * @internal The result, the error, or for CANCELLED the saved error or the message; while it is PENDING, who waits: one as a
   * rule, which needs no array, or null. (One field for both, as there may be millions of tasks.)
   */
  declare _outcome: unknown;
  /** @internal */
  declare _flags: number;

  /** @param options - `loop`: the one that it belongs to; the running one by default. */
  constructor(options?: { readonly loop?: EventLoop | undefined }, _loop?: EventLoop) {
    this._loop = _loop ?? options?.loop ?? getRunningLoop();
    this._state = PENDING;
    this._outcome = null;
    this._flags = 0;
    if (current.debug) noteWhereMade(this);
  }

  /** Tells whether it has a result, an error, or is cancelled. */
  done(): boolean {
    return this._state !== PENDING;
  }

  cancelled(): boolean {
    return this._state === CANCELLED;
  }

  /** The loop it belongs to. */
  getLoop(): EventLoop {
    return this._loop;
  }

  /**
   * Returns the result.
   *
   * @throws the error it was given; {CancelledError} when it is cancelled; {InvalidStateError} when it is not done.
   *
   * **Suspends** never.
   */
  result(): T {
    if (this._state === FINISHED) return this._outcome as T;
    throw this._failed() ? this._takeError() : notDone(this);
  }

  /**
   * Returns the error it failed with, or null if it has a result.
   *
   * @throws {CancelledError} when it is cancelled; {InvalidStateError} when it is not done.
   */
  exception(): unknown {
    if (this._state === FAILED) return this._takeError();
    // Throws, if there is no result either.
    this.result();
    return null;
  }

  /** Makes it done with a result and wakes whoever waits, in order of arrival. */
  setResult(value: T): void {
    if (this._state !== PENDING) throw alreadyDone(this, "set the result of");
    this._settle(FINISHED, value);
  }

  /**
   * Makes it done with an error. A class of errors is instantiated.
   *
   * @throws {TypeError} when `error` is not an object: a string or undefined tells a `catch` block too little.
   */
  setException(error: unknown): void {
    if (this._state !== PENDING) throw alreadyDone(this, "set the exception of");
    let value = error;
    if (typeof error === "function" && error.prototype instanceof Error) value = new (error as new () => Error)();
    if (typeof value !== "object" || value === null) {
      throw unexpected("`error` to be an Error", error);
    }
    this._settle(FAILED, value);
  }

  /**
   * Cancels it; whoever waits gets a CancelledError with the message.
   *
   * @returns false when it was done already, and nothing changed.
   */
  cancel(message?: string): boolean {
    this._retrieved();
    if (this._state !== PENDING) return false;
    this._settle(CANCELLED, message);
    return true;
  }

  /**
   * Calls back with this future in the turn after it is done; in the next turn, if it is done now.
   *
   * @param options - `context`: the Context to call in; by default a copy of the current one.
   *
   * An error thrown by the callback goes to the loop's exception handler.
   */
  addDoneCallback(callback: (future: this) => unknown, options?: { readonly context?: Context }): void {
    if (typeof callback !== "function") {
      throw unexpected("`callback` to be a function", callback);
    }
    if (options?.context !== undefined && !(options.context instanceof Context)) {
      throw unexpected("`context` to be a Context", options.context);
    }
    const entry = new Handle(this._loop, callback as never, [this], options?.context ?? captureContext());
    if (this._state === PENDING) this._addWaiting(entry);
    else this._loop._enqueue(entry);
  }

  /** Takes back all uses of a callback; returns how many there were. */
  removeDoneCallback(callback: (future: this) => unknown): number {
    const before = this._waitingList();
    const kept = before.filter((each) => !(each instanceof Handle && each._callback === (callback as unknown)));
    if (this._state === PENDING) this._outcome = kept.length === 0 ? null : kept;
    return before.length - kept.length;
  }

  /**
   * Lets async functions `await` it. The wait belongs to the task whose async function it is: cancelling that task cancels it.
   */
  // biome-ignore lint/suspicious/noThenProperty: a Future is awaitable on purpose
  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    // What is done needs no loop any more: its own may be closed.
    const promise = this.done() ? new Promise<T>((resolve) => resolve(this.result())) : this._loop._await<T>(this as never);
    return promise.then(onFulfilled, onRejected);
  }

  /** Lets coroutines `yield*` it. */
  [Symbol.iterator](): Iterator<Suspension, T, unknown> {
    return this as never;
  }

  /** @internal Part of the iterator that `yield*` uses. */
  next(): IteratorResult<Suspension, T> {
    // PERF  thrown here, not in result(): a throw pays for each call that it passes.
    if (this._state > FINISHED) throw this._takeError();
    if (this._state === FINISHED) return { done: true, value: this._outcome as T };
    if ((this._flags & ARMED) !== 0) {
      this._flags &= ~ARMED;
      throw notAwaited(this);
    }
    this._flags |= ARMED;
    return { done: false, value: this as never };
  }

  /** @internal Part of the iterator that `yield*` uses: without it a cancellation would become a TypeError. */
  throw(error: unknown): never {
    throw error;
  }

  /** @internal */
  return(value: T): IteratorResult<Suspension, T> {
    return { done: true, value };
  }

  /** @internal */
  _park(task: Task<unknown>): Error | null | undefined {
    if ((this._flags & ARMED) === 0) return undefined;
    this._flags &= ~ARMED;
    if ((this as unknown) === task) return awaitsItself(this);
    if (this._loop !== task._loop) return otherLoop(this, task);
    this._addWaiting(task);
    return null;
  }

  /** @internal */
  _failed(): boolean {
    return this._state > FINISHED;
  }

  /** @internal */
  _takeError(): unknown {
    if (this._state === CANCELLED) return this._cancelledError();
    this._retrieved();
    return this._outcome;
  }

  /** @internal */
  _interrupt(message: string | undefined): boolean {
    return this.cancel(message);
  }

  /** @internal */
  _waitsFor(): WaitSource {
    return this;
  }

  /** What is waited for, in words: `Lock 'db' held by Task-2`. */
  describe(): string {
    return "Future";
  }

  /** The tasks that must act before it is done, as far as known. */
  holders(): Iterable<Task<unknown>> {
    return [];
  }

  /** @internal */
  _addWaiting(entry: Waiting): void {
    const waiting = this._outcome as Waiting | Waiting[] | null;
    if (waiting === null) this._outcome = entry;
    else if (Array.isArray(waiting)) waiting.push(entry);
    else this._outcome = [waiting, entry];
  }

  /** @internal */
  _waitingList(): Waiting[] {
    return this._state === PENDING ? [(this._outcome as Waiting | Waiting[] | null) ?? []].flat() : [];
  }

  /** @internal Ends it, whatever the class; all ways to end go through here. */
  _settle(state: number, outcome: unknown): void {
    const waiting = this._outcome as Waiting | Waiting[] | null;
    this._state = state;
    this._outcome = outcome;
    if (Array.isArray(waiting)) for (const each of waiting) this._loop._enqueue(each);
    else if (waiting !== null) this._loop._enqueue(waiting);
    // PERF  a task that waits will look at the error in its turn; only where none waits must the loss of the error be watched for.
    if (state === FAILED && [waiting ?? []].flat().every((each) => each instanceof Handle)) this._loop._failures.note(this);
  }

  /** @internal Notes that somebody has seen the error, so that it is not reported as lost. */
  _retrieved(): void {
    if ((this._flags & UNRETRIEVED) !== 0) this._loop._failures.forget(this as Future<unknown>);
    this._flags |= RETRIEVED;
  }

  /** @internal The error to raise for a cancelled future: the saved one the first time, then fresh ones, as asyncio does. */
  _cancelledError(): CancelledError {
    const saved = this._outcome;
    if (saved instanceof CancelledError) {
      this._outcome = undefined;
      return saved;
    }
    return new CancelledError(saved as string | undefined);
  }

  /** @internal Where it was made, if the loop was in debug mode. */
  _origin(): string | undefined {
    return current.debugTools?.originOf(this);
  }

  /** @internal */
  _stateText(): string {
    switch (this._state) {
      case FINISHED:
        return `finished result=${show(this._outcome)}`;
      case FAILED:
        return `finished exception=${oneLine(this._outcome)}`;
      case CANCELLED:
        return "cancelled";
      default:
        return "pending";
    }
  }

  toString(): string {
    return `<Future ${this._stateText()}>`;
  }

  get [Symbol.toStringTag](): string {
    return "Future";
  }
}

/** A future that stands for something: it tells what that is, and who must act. */
export function standIn<T>(loop: EventLoop, source: WaitSource): Future<T> {
  return Object.assign(new Future<T>(undefined, loop), source);
}

function noteWhereMade(future: Future<never> | Future<unknown>): void {
  if (future._loop._debug) current.debugTools?.noteOrigin(future);
}

function otherLoop(future: object, task: Task<unknown>): RuntimeError {
  return new RuntimeError(
    `Cannot await ${future} in ${task}: it belongs to another event loop; use runCoroutineThreadsafe()`,
    "OTHER_LOOP",
  );
}

/** The error for a wait that nobody has parked on since it was handed out: `for … of` or a spread, which would never end. */
export function notAwaited(wait: object): RuntimeError {
  return new RuntimeError(`Cannot iterate over ${wait}: await it by \`yield*\``, "NOT_AWAITED");
}

/** The error for a task that would wait for its own end. */
export function awaitsItself(task: object): RuntimeError {
  return new RuntimeError(`Cannot await ${task} in itself`, "AWAITS_ITSELF");
}

function notDone(future: Future<never> | Future<unknown>): InvalidStateError {
  return new InvalidStateError(`Cannot take the outcome of ${future}: it is not done; await it first`);
}

function alreadyDone(future: Future<never> | Future<unknown>, action: string): InvalidStateError {
  return new InvalidStateError(`Cannot ${action} ${future}: it is done already; check done() first`);
}

/**
 * Tells whether a value is a Future or Task of this library.
 *
 * **Suspends** never. **Source** asyncio/futures.py `isfuture`.
 *
 * @example
 * ```ts
 * isFuture(new Future()); // => true
 * isFuture(Promise.resolve()); // => false
 * ```
 */
export function isFuture(value: unknown): value is Future<unknown> {
  return value instanceof Future;
}
