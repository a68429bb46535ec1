/** A number of permits. Mirrors asyncio/locks.py `Semaphore` and `BoundedSemaphore`. */

import { show } from "../base/errors.ts";
import { operation } from "../kernel/coroutine.ts";
import { type Body, checkBody } from "../kernel/job.ts";
import type { EventLoop } from "../kernel/loop.ts";
import { done, type Operation } from "../kernel/operation.ts";
import type { Suspension, WaitSource } from "../kernel/suspended.ts";
import { type Guard, OnceGuard, withGuard } from "./lock.ts";
import { bindLoop, type LineOptions, type LoopBound, nameIn, orderIn } from "./loop-bound.ts";
import { type InLine, Waiter, Waiters } from "./waiters.ts";

/**
 * Lets a number of tasks at a time into a piece of code, first come, first served.
 *
 * @example
 * ```ts
 * const seats = new Semaphore(2);
 * yield* seats.with(function* () { return seats.locked(); }); // => false
 * ```
 */
export class Semaphore implements WaitSource, LoopBound {
  // INVARIANT  permits are conserved: free + held + granted to woken waiters = initial + released without acquire.
  #free: number;
  readonly #waiters: Waiters;
  readonly name: string | undefined;
  /** @internal */
  _loop: EventLoop | null = null;

  /**
   * @param value - Permits at the start, an integer ≥ 0; 1 by default.
   * @param options - `name`: shown in wait graphs; `order: "priority"`: tasks of a higher priority go first.
   * @throws {RangeError} when `value` is not such a number.
   */
  constructor(value = 1, options?: LineOptions) {
    if (!Number.isInteger(value) || value < 0) {
      throw new RangeError(`Expected \`value\` to be an integer ≥ 0, got ${show(value)}`);
    }
    this.#free = value;
    this.name = nameIn(options);
    const order = orderIn(options);
    this.#waiters = order === null ? new SemaphoreLine() : new Waiters(order);
  }

  /** Whether `acquire()` would have to wait: no permit is free, or somebody waits already. */
  locked(): boolean {
    return this.#free === 0 || this.#waiters.anyAlive();
  }

  /**
   * Waits for a permit and takes it.
   *
   * @returns a guard that gives it back.
   *
   * **Suspends** only if none is free or somebody waits. **Cancel** gives up the place in line; no permit is taken.
   * **Source** asyncio/locks.py `Semaphore.acquire`.
   */
  acquire(): Operation<Guard> {
    return new AcquirePermit(this) as unknown as Operation<Guard>;
  }

  /** Gives a permit back and wakes the first in line. **Suspends** never. */
  release(): void {
    this.#free++;
    this._grantNext();
  }

  /** Runs a body while holding a permit. **Suspends** until there is one, then as the body does. **Source** `async with`. */
  with<T>(body: Body<[], T>): Operation<T> {
    checkBody(body, "semaphore.with");
    return operation(withGuard(this, body), "semaphore.with");
  }

  /** @internal */
  _tryTake(): boolean {
    if (this.locked()) return false;
    this.#free--;
    return true;
  }

  /** @internal Hands a permit to the first that waits: it is taken now, so that nobody can snatch it. */
  _grantNext(): boolean {
    if (this.#free === 0 || !this.#waiters.wakeNext()) return false;
    this.#free--;
    return true;
  }

  /** @internal Takes back a permit whose waiter was cancelled before it ran. */
  _giveBack(): void {
    this.#free++;
  }

  /** @internal */
  get _line(): Waiters {
    return this.#waiters;
  }

  /** The permits that are free. */
  get value(): number {
    return this.#free;
  }

  describe(): string {
    const kind = this.constructor.name;
    return `${this.name === undefined ? kind : `${kind} '${this.name}'`} (${this.#free} free)`;
  }

  toString(): string {
    const state = this.locked() ? "locked" : `unlocked, value:${this.#free}`;
    const waiters = this.#waiters.length > 0 ? `, waiters:${this.#waiters.length}` : "";
    return `<${this.constructor.name} [${state}${waiters}]>`;
  }
}

/**
 * PERF  those that were granted a permit stand in line until they run, as in asyncio: fifty, in front of the next to be woken. So
 * that one is remembered.
 */
class SemaphoreLine extends Waiters {
  // INVARIANT  whoever stands before it does not sleep any more; null: nobody sleeps.
  #asleep: InLine | null = null;

  override join(waiter: InLine): void {
    super.join(waiter);
    this.#asleep ??= waiter;
  }

  override leave(waiter: InLine): void {
    if (this.#asleep === waiter) this.#asleep = waiter._next;
    super.leave(waiter);
  }

  override wakeNext(): boolean {
    while (this.#asleep !== null) {
      const waiter = this.#asleep;
      this.#asleep = waiter._next;
      if (waiter._wake()) return true;
    }
    return false;
  }
}

class AcquirePermit extends Waiter<Guard> {
  declare readonly _semaphore: Semaphore;

  constructor(semaphore: Semaphore) {
    super();
    this._semaphore = semaphore;
  }

  override _start(): IteratorResult<Suspension, Guard> {
    const semaphore = this._semaphore;
    bindLoop(semaphore);
    if (semaphore._tryTake()) return done(new OnceGuard(semaphore));
    semaphore._line.join(this);
    return this._wait();
  }

  override _resume(): IteratorResult<Suspension, Guard> {
    this._leave();
    return done(new OnceGuard(this._semaphore));
  }

  override _abandon(woken: boolean): void {
    // RACE  1. release() grants A its permit   2. A is cancelled before it runs   3. the permit must not go with it.
    //       test: "Semaphore.acquire() gives its permit back, when granted and then cancelled"
    if (woken) this._semaphore._giveBack();
    this._leave();
  }

  _leave(): void {
    this._semaphore._line.leave(this);
    // More permits may have been released than this waiter took.
    while (this._semaphore._grantNext());
  }

  override describe(): string {
    return "semaphore.acquire";
  }

  override _waitsFor(): WaitSource {
    return this._semaphore;
  }
}

/**
 * A semaphore that refuses more releases than acquires: they are a mistake of the program.
 *
 * @example
 * ```ts
 * const seats = new BoundedSemaphore(1);
 * seats.release(); // throws RangeError
 * ```
 */
export class BoundedSemaphore extends Semaphore {
  /** @internal */
  readonly _bound: number;

  constructor(value = 1, options?: LineOptions) {
    super(value, options);
    this._bound = value;
  }

  /** @throws {RangeError} when all permits are there already. */
  override release(): void {
    if (this.value >= this._bound) {
      throw new RangeError(`Cannot release ${this.describe()}: all ${this._bound} permits are there; release once per acquire`);
    }
    super.release();
  }
}
