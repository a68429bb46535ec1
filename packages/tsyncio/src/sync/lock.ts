/** Mutual exclusion. Mirrors asyncio/locks.py `Lock`. */

import { RuntimeError } from "../base/errors.ts";
import { AsyncWait } from "../kernel/async-wait.ts";
import { operation } from "../kernel/coroutine.ts";
import { current, currentTask } from "../kernel/current.ts";
import { type Body, callBody, checkBody } from "../kernel/job.ts";
import type { EventLoop } from "../kernel/loop.ts";
import { done, Op, type Operation } from "../kernel/operation.ts";
import type { Coroutine, Suspension, WaitSource } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";
import { bindLoop, type LineOptions, type LoopBound, nameIn, orderIn } from "./loop-bound.ts";
import { Waiter, Waiters } from "./waiters.ts";

/** What `acquire()` returns: truthy, and `using guard = yield* lock.acquire()` releases at the end of the block. */
export interface Guard extends Disposable {
  /** Gives back what was acquired, once; later calls do nothing. */
  release(): void;
}

/**
 * Lets one task at a time into a piece of code, first come, first served. Not reentrant.
 *
 * @example
 * ```ts
 * const lock = new Lock();
 * yield* lock.with(function* () {
 *   return lock.locked();
 * }); // => true
 * lock.locked(); // => false
 * ```
 */
export class Lock implements WaitSource, LoopBound {
  // STATE  free ──acquire──▶ held ──release──▶ free, the first waiter woken ──it runs──▶ held
  // INVARIANT  free and somebody alive in line ⇒ exactly one of the line has been woken and has not run yet.
  #held = false;
  #owner: Task<unknown> | null = null;
  /** @internal */
  readonly _line: Waiters;
  readonly name: string | undefined;
  /** @internal */
  _loop: EventLoop | null = null;

  /** @param options - `name`: shown in wait graphs; `order: "priority"`: tasks of a higher priority go first. */
  constructor(options?: LineOptions) {
    this.name = nameIn(options);
    this._line = new Waiters(orderIn(options));
  }

  locked(): boolean {
    return this.#held;
  }

  /** The task that holds it; null when it is free, or was taken outside of any task. */
  get owner(): Task<unknown> | null {
    return this.#owner;
  }

  /**
   * Waits until the lock is free, then takes it.
   *
   * @returns a guard that releases it; `release()` of the lock does the same.
   *
   * **Suspends** only if it is held or somebody waits. **Cancel** gives up the place in line; the lock is not taken.
   * **Source** asyncio/locks.py `Lock.acquire`.
   */
  acquire(): Operation<Guard> {
    return new AcquireLock(this) as unknown as Operation<Guard>;
  }

  /**
   * Gives the lock back and wakes the first in line. Any task may do it, as in asyncio.
   *
   * @throws {RuntimeError} when it is not held.
   *
   * **Suspends** never.
   */
  release(): void {
    if (!this.#held) {
      throw new RuntimeError(`Cannot release ${this.describe()}: it is not held; acquire it first`, "NOT_HELD");
    }
    this.#held = false;
    this.#owner = null;
    this._line.wakeOne();
    current.probe?.held(this);
  }

  /**
   * Runs a body while holding the lock.
   *
   * **Suspends** until the lock is free, then as the body does. **Cancel** gives up the wait, or goes to the body; the lock is
   * released in any case. **Source** `async with lock`.
   */
  with<T>(body: Body<[], T>): Operation<T> {
    checkBody(body, "lock.with");
    return operation(withGuard(this, body), "lock.with");
  }

  /** @internal */
  _tryTake(): boolean {
    if (this.#held || this._line.anyAlive()) return false;
    this._take();
    return true;
  }

  /** @internal */
  _take(): void {
    const task = currentTask();
    this.#held = true;
    // Awaited outside of any task, acquire() is driven by a task of its own, which ends with it and holds nothing.
    this.#owner = task instanceof AsyncWait && task._root instanceof Op ? null : task;
    current.probe?.held(this);
  }

  describe(): string {
    const name = this.name === undefined ? "Lock" : `Lock '${this.name}'`;
    return this.#owner === null ? name : `${name} held by ${this.#owner.name}`;
  }

  holders(): Task<unknown>[] {
    // Once it is released, whoever was woken must have had it before the others can.
    return this.#owner === null ? (this.#held ? [] : this._line.woken()) : [this.#owner];
  }

  toString(): string {
    const waiters = this._line.length > 0 ? `, waiters:${this._line.length}` : "";
    return `<Lock [${this.#held ? "locked" : "unlocked"}${waiters}]>`;
  }
}

class AcquireLock extends Waiter<Guard> {
  declare readonly _lock: Lock;

  constructor(lock: Lock) {
    super();
    this._lock = lock;
  }

  override _start(): IteratorResult<Suspension, Guard> {
    const lock = this._lock;
    bindLoop(lock);
    if (lock._tryTake()) return done(new OnceGuard(lock));
    lock._line.join(this);
    return this._wait();
  }

  override _resume(): IteratorResult<Suspension, Guard> {
    this._lock._line.leave(this);
    this._lock._take();
    return done(new OnceGuard(this._lock));
  }

  override _abandon(): void {
    const lock = this._lock;
    lock._line.leave(this);
    // RACE  1. release() wakes A   2. A is cancelled before it runs   3. nobody else was woken: B would sleep forever.
    //       So a cancelled waiter hands its turn on.   test: "Lock.acquire() hands its turn on, when woken and then cancelled"
    // As in asyncio, only one is woken: whoever stands behind it is when it leaves.
    if (!lock.locked()) lock._line.wakeOne();
  }

  override describe(): string {
    return "lock.acquire";
  }

  override _waitsFor(): WaitSource {
    return this._lock;
  }
}

/** Releases once, whatever is called how often. */
export class OnceGuard implements Guard {
  declare _held: { release(): void } | null;

  constructor(held: { release(): void }) {
    this._held = held;
  }

  release(): void {
    const held = this._held;
    this._held = null;
    held?.release();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/** `async with`: acquires, runs the body, releases. */
export function* withGuard<T>(lock: { acquire(): Operation<Guard> }, body: Body<[], T>): Coroutine<T> {
  const guard = yield* lock.acquire();
  try {
    return yield* callBody(body);
  } finally {
    guard.release();
  }
}
