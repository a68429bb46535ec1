/** Waiting for a state that a lock protects. Mirrors asyncio/locks.py `Condition` (3.13 and later). */

import { isCancelled, RuntimeError, show } from "../base/errors.ts";
import { operation } from "../kernel/coroutine.ts";
import { type Body, checkBody } from "../kernel/job.ts";
import type { EventLoop } from "../kernel/loop.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Coroutine, WaitSource } from "../kernel/suspended.ts";
import { type Guard, Lock, withGuard } from "./lock.ts";
import { bindLoop, type LoopBound, nameIn } from "./loop-bound.ts";
import { Place, Waiters } from "./waiters.ts";

/**
 * A lock together with a way to wait, inside of it, for a change: `wait()` lets go of the lock meanwhile.
 *
 * @example
 * ```ts
 * const changed = new Condition();
 * const items: string[] = [];
 * const taker = createTask(function* () {
 *   return yield* changed.with(function* () {
 *     yield* changed.waitFor(() => items.length > 0);
 *     return items.pop();
 *   });
 * });
 * yield* sleep(0);
 * yield* changed.with(function* () {
 *   items.push("tea");
 *   changed.notify();
 * });
 * yield* taker; // => "tea"
 * ```
 */
export class Condition implements WaitSource, LoopBound {
  readonly #lock: Lock;
  readonly #waiters = new Waiters();
  readonly name: string | undefined;
  /** @internal */
  _loop: EventLoop | null = null;

  /**
   * @param lock - To share with other conditions; one of its own by default.
   * @param options - `name`: shown in wait graphs.
   */
  constructor(lock?: Lock, options?: { readonly name?: string | undefined }) {
    if (lock !== undefined && !(lock instanceof Lock)) {
      throw new TypeError(`Expected \`lock\` to be a Lock, got ${show(lock)}`);
    }
    this.name = nameIn(options);
    this.#lock = lock ?? new Lock(options);
  }

  /** As `lock.locked()`. */
  locked(): boolean {
    return this.#lock.locked();
  }

  /** As `lock.acquire()`. */
  acquire(): Operation<Guard> {
    return this.#lock.acquire();
  }

  /** As `lock.release()`. */
  release(): void {
    this.#lock.release();
  }

  /** As `lock.with()`. */
  with<T>(body: Body<[], T>): Operation<T> {
    checkBody(body, "condition.with");
    return operation(withGuard(this.#lock, body), "condition.with");
  }

  /**
   * Lets go of the lock, waits until notified, takes the lock again. May return without a notification of its own.
   *
   * @returns true, always.
   * @throws {RuntimeError} when the lock is not held.
   *
   * **Suspends** always. **Cancel** is thrown when the lock is held again; a notification that was meant for it goes to another.
   * **Source** asyncio/locks.py `Condition.wait`.
   */
  wait(): Operation<true> {
    return operation(this.#wait(), "condition.wait");
  }

  /**
   * Waits until a predicate holds; it is called with the lock held, at first and after each notification.
   *
   * @returns the predicate's value, which is truthy.
   *
   * **Suspends** unless it holds already. **Cancel** as {@link wait}. **Source** `Condition.wait_for`.
   */
  waitFor<T>(predicate: () => T): Operation<T> {
    if (typeof predicate !== "function") throw new TypeError(`Expected a function for waitFor(), got ${show(predicate)}`);
    return operation(this.#waitFor(predicate), "condition.waitFor");
  }

  /**
   * Wakes the first `n` that wait; they go on one after another, as each gets the lock.
   *
   * @throws {RuntimeError} when the lock is not held; {RangeError} when `n` is not a number.
   */
  notify(n = 1): void {
    if (typeof n !== "number" || Number.isNaN(n)) {
      throw new RangeError(`Expected \`n\` to be a number of waiters, got ${show(n)}`);
    }
    if (!this.#lock.locked()) {
      throw new RuntimeError(`Cannot notify on ${this}: the lock is not held; acquire it first`, "NOT_HELD");
    }
    this.#notify(n);
  }

  /** Wakes all that wait. */
  notifyAll(): void {
    this.notify(this.#waiters.length);
  }

  #notify(n: number): void {
    let left = n;
    for (const waiter of this.#waiters) {
      if (left <= 0) return;
      if (waiter._wake()) left--;
    }
  }

  *#wait(): Coroutine<true> {
    bindLoop(this);
    if (!this.#lock.locked()) {
      throw new RuntimeError(`Cannot wait on ${this}: the lock is not held; acquire it first`, "NOT_HELD");
    }
    this.#lock.release();
    try {
      try {
        yield* new Place(this.#waiters, this);
        return true;
      } finally {
        yield* this.#reacquire();
      }
    } catch (error) {
      // RACE  1. notify() wakes A   2. A is cancelled while it gets the lock back   3. the notification must reach B.
      //       test: "Condition.wait() hands its notification on, when notified and then cancelled"
      this.#notify(1);
      throw error;
    }
  }

  /** The caller of `wait()` holds the lock when that ends, whatever happens; a cancellation meanwhile is thrown after that. */
  *#reacquire(): Coroutine<void> {
    let cancellation: unknown = null;
    for (;;) {
      try {
        yield* this.#lock.acquire();
        break;
      } catch (error) {
        if (!isCancelled(error)) throw error;
        cancellation = error;
      }
    }
    if (cancellation !== null) throw cancellation;
  }

  *#waitFor<T>(predicate: () => T): Coroutine<T> {
    let result = predicate();
    while (!result) {
      yield* this.wait();
      result = predicate();
    }
    return result;
  }

  describe(): string {
    return this.name === undefined ? "Condition" : `Condition '${this.name}'`;
  }

  toString(): string {
    const waiters = this.#waiters.length > 0 ? `, waiters:${this.#waiters.length}` : "";
    return `<Condition [${this.locked() ? "locked" : "unlocked"}${waiters}]>`;
  }
}
