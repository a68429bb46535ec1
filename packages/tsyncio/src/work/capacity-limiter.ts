/** How much may be under way at a time: weighted permits that know who has them. */

import { NEVER } from "../base/duration.ts";
import { RuntimeError, unexpected } from "../base/errors.ts";
import { AsyncWait } from "../kernel/async-wait.ts";
import { operation } from "../kernel/coroutine.ts";
import { current, runningTask } from "../kernel/current.ts";
import { type Body, callBody, checkBody } from "../kernel/job.ts";
import { done, Op, type Operation } from "../kernel/operation.ts";
import type { Coroutine, Suspension } from "../kernel/suspended.ts";
import { Task } from "../kernel/task.ts";
import type { Guard } from "../sync/lock.ts";
import { bindLoop } from "../sync/loop-bound.ts";
import { checkWhole, Limiter, type LimiterOptions, OUTSIDE, Turn } from "./limiter.ts";

/** One that has permits, as `borrowers()` lists it. */
export interface Borrower {
  /** Null outside of any task. */
  readonly task: Task<unknown> | null;
  readonly name: string;
  /** The permits that it has in all. */
  readonly weight: number;
}

export interface CapacityStatistics {
  readonly total: number;
  readonly borrowed: number;
  readonly available: number;
  readonly waiting: number;
  /** How many requests were granted, and refused, since the limiter was made. */
  readonly granted: number;
  readonly refused: number;
  readonly paused: boolean;
}

/**
 * Lets work of a total weight go on at a time, first come, first served.
 *
 * A request that does not fit blocks those behind it, lighter ones too: so a heavy one is never starved by light ones. The total can
 * be changed at any time: when it grows, whoever fits goes on at once; when it shrinks below what is borrowed, nobody is thrown
 * out, but nobody gets in until enough has come back.
 *
 * @example
 * ```ts
 * const memory = new CapacityLimiter(100, { name: "memory" });
 * using permit = yield* memory.acquire(30);
 * memory.available; // => 70
 * yield* memory.with(function* () { return memory.borrowed; }, { weight: 50 }); // => 80
 * ```
 */
export class CapacityLimiter extends Limiter {
  // INVARIANT  borrowed = the weights of all permits out = what #nested and #loose have in all.
  #total: number;
  #borrowed = 0;
  /** Permits of whoever goes on in one place only: its next request comes after this one was granted. */
  readonly #nested = new Map<Task<unknown>, number>();
  /** All others: an async function may have awaited several side by side. */
  readonly #loose = new Map<Task<unknown> | null, number>();

  /**
   * @param total - The weight that may be under way at a time: an integer ≥ 1, or Infinity.
   * @param options - `name`; `maxWaiting`, `whenFull` and `penalty` bound the line, see {@link LimiterOptions}.
   * @throws {RangeError} when a number is out of its range; to let nobody in for a time, `pause()`.
   */
  constructor(total: number, options?: LimiterOptions) {
    super(options);
    checkTotal(total);
    this.#total = total;
  }

  get total(): number {
    return this.#total;
  }

  /**
   * Those that wait for more than the new total can never be served: they are refused with the code `TOO_HEAVY`. Those that hold
   * so much themselves that they would wait for ever are told as by `acquire`, with `SELF_DEADLOCK`.
   */
  set total(total: number) {
    checkTotal(total);
    this.#total = total;
    for (const turn of this._waiters) {
      if (turn._amount > total) {
        this._refuse(turn, "TOO_HEAVY", `it asks for ${turn._amount}, and \`total\` was lowered to ${total}`);
        continue;
      }
      const error = this._selfDeadlock(turn._amount, (turn as AcquireCapacity)._asker);
      if (error !== null) this._turnAway(turn, error);
    }
    this._serve();
  }

  /** The weight that is out. May be more than the total, after that was lowered. */
  get borrowed(): number {
    return this.#borrowed;
  }

  /** The weight that is left; 0 while more than the total is out. */
  get available(): number {
    return Math.max(0, this.#total - this.#borrowed);
  }

  /**
   * Waits for permits and takes them.
   *
   * @param weight - How many, an integer ≥ 1; 1 by default. All or none: one that waits holds nothing.
   * @returns a guard that gives them back: `using permit = yield* limiter.acquire()`.
   * @throws {RangeError} when `weight` is not such a number, or above the total.
   * @throws {RuntimeError} with the code `SELF_DEADLOCK` when the task itself holds so much that it could wait for ever. (Of an async
   *   function, which may go on elsewhere meanwhile, only what it holds by `with` around this call counts; what `tryAcquire` took,
   *   never.)
   * @throws {RefusedError} when it is turned away.
   *
   * **Suspends** only if that much is not free, or somebody waits. **Cancel** gives up the place in line; nothing is taken.
   */
  acquire(weight = 1): Operation<Permit> {
    this._checkWeight(weight);
    return new AcquireCapacity(this, weight) as unknown as Operation<Permit>;
  }

  /**
   * Takes permits if they are free now and nobody waits; else null.
   *
   * @throws {RangeError} as `acquire` does.
   *
   * **Suspends** never.
   */
  tryAcquire(weight = 1): Permit | null {
    this._checkWeight(weight);
    if (this._closed || this._mustWait() || weight > this.available) return null;
    return this._lend(weight, null, runningTask());
  }

  /**
   * Runs a body while holding permits.
   *
   * @param body - A `function*` or an async function.
   * @param options - `weight`: how many, 1 by default.
   * @throws as `acquire` and the body do.
   *
   * **Suspends** until there are permits, then as the body does. **Cancel** gives up the wait, or goes to the body; the permits are
   * given back in any case.
   */
  with<T>(body: Body<[], T>, options?: { readonly weight?: number | undefined }): Operation<T> {
    checkBody(body, "capacityLimiter.with");
    if (options !== undefined && (typeof options !== "object" || options === null)) {
      throw unexpected("`options` to be an object such as { weight }", options);
    }
    const weight = options?.weight ?? 1;
    this._checkWeight(weight);
    return operation(borrowing(this, weight, body), "capacityLimiter.with");
  }

  /** Who has permits, and how many each. */
  borrowers(): Borrower[] {
    const weights = new Map<Task<unknown> | null, number>();
    for (const [task, weight] of [...this.#nested, ...this.#loose]) {
      const known = task?._self() ?? null;
      weights.set(known, (weights.get(known) ?? 0) + weight);
    }
    return [...weights].map(([task, weight]) => ({ task, name: task?.name ?? OUTSIDE, weight }));
  }

  statistics(): CapacityStatistics {
    return { total: this.#total, borrowed: this.#borrowed, available: this.available, ...this._counts };
  }

  /** @internal */
  _checkWeight(weight: number): void {
    checkWhole(weight, "weight");
    if (weight > this.#total) {
      throw new RangeError(
        `Cannot acquire ${weight} of ${this.describe()}: that is above the total; ask for less, or raise \`total\``,
      );
    }
  }

  /** @internal As `tryAcquire`, for an operation whose body follows. */
  _tryLend(weight: number): Permit | null {
    if (this._closed || this._mustWait() || weight > this.available) return null;
    bindLoop(this);
    return this._lend(weight, current.task, current.task);
  }

  /** @internal */
  _lend(weight: number, scope: Task<unknown> | null, task: Task<unknown> | null): Permit {
    const permit = new Permit(this, weight, scope, scope === null ? (task?._self() ?? null) : null);
    this._book(permit, weight);
    this.#borrowed += weight;
    this._noteGranted();
    current.probe?.held(this);
    this._changed();
    return permit;
  }

  /** @internal Takes a permit back. */
  _return(permit: Permit): void {
    this._book(permit, -permit.weight);
    this.#borrowed -= permit.weight;
    current.probe?.held(this);
    this._serve();
  }

  /** @internal Enters a permit in the books, or takes it out of them. */
  _book(permit: Permit, weight: number): void {
    const books: Map<Task<unknown> | null, number> = permit._scope === null ? this.#loose : this.#nested;
    const key = permit._scope ?? permit._task;
    const sum = (books.get(key) ?? 0) + weight;
    if (sum === 0) books.delete(key);
    else books.set(key, sum);
  }

  /** @internal The error for a request that can only be granted when its own task has gone on; null for others. */
  _selfDeadlock(weight: number, task: Task<unknown> | null): RuntimeError | null {
    let own = 0;
    for (let each = task; each !== null; each = each._outer()) own += this.#nested.get(each) ?? 0;
    if (own + weight <= this.#total) return null;
    return new RuntimeError(
      `Cannot acquire ${weight} of ${this.describe()}: ${task?.name} itself holds ${own} and would wait for itself; ` +
        "release those first, or hand the permit over with transfer() to the task that will release it",
      "SELF_DEADLOCK",
    );
  }

  override _serve(): void {
    for (let turn = this._head; turn !== null && !this.paused && turn._amount <= this.available; turn = this._head) {
      this._serveOne(turn);
      (turn as AcquireCapacity)._set();
      turn._wake();
    }
    this._changed();
  }

  override _idle(): boolean {
    return this.#borrowed === 0 && this.waiting === 0;
  }

  describe(): string {
    const total = this.#total === NEVER ? "no limit" : this.#total;
    return `${this._title()} (${this.#borrowed} of ${total} borrowed${this.paused ? ", paused" : ""})`;
  }

  holders(): Task<unknown>[] {
    return this.borrowers().flatMap(({ task }) => task ?? []);
  }
}

function checkTotal(total: unknown): asserts total is number {
  if (total !== NEVER) checkWhole(total, "total");
}

/** What `acquire()` returns: gives the permits back, once, by `release()` or at the end of a `using` block. */
export class Permit implements Guard {
  readonly weight: number;
  #limiter: CapacityLimiter | null;
  /** @internal The task that holds it and goes on in one place only. */
  _scope: Task<unknown> | null;
  /** @internal Else whom it is known to belong to. */
  _task: Task<unknown> | null;

  /** @internal */
  constructor(limiter: CapacityLimiter, weight: number, scope: Task<unknown> | null, task: Task<unknown> | null) {
    this.weight = weight;
    this.#limiter = limiter;
    this._scope = scope;
    this._task = task;
  }

  /** Whose it is; null once it was given back, or outside of any task. */
  get borrower(): Task<unknown> | null {
    return this.#limiter === null ? null : ((this._scope ?? this._task)?._self() ?? null);
  }

  /** Gives the permits back; later calls do nothing. Any task may do it. **Suspends** never. */
  release(): void {
    const limiter = this.#limiter;
    this.#limiter = null;
    limiter?._return(this);
  }

  /**
   * Notes that another task will release it: wait graphs name that one, and the one that acquired it may acquire more.
   *
   * @param task - Whose it is from now on; null: nobody's that is known.
   * @throws {RuntimeError} when it was given back.
   *
   * **Suspends** never.
   */
  transfer(task: Task<unknown> | null): void {
    if (task !== null && !(task instanceof Task)) throw unexpected("`task` to be a Task or null", task);
    if (this.#limiter === null) throw new RuntimeError("Cannot transfer the permit: it was released", "NOT_HELD");
    this.#limiter._book(this, -this.weight);
    this._scope = null;
    this._task = task;
    this.#limiter._book(this, this.weight);
    current.probe?.held(this.#limiter);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

class AcquireCapacity extends Turn<Permit> {
  declare readonly _limiter: CapacityLimiter;
  /** Who asks: a task, or an operation that an async function awaits. */
  declare _asker: Task<unknown> | null;
  /** The same, if it goes on when it is granted, and not before. */
  declare _scope: Task<unknown> | null;
  /** What it was granted. */
  declare _permit: Permit | null;
  /** By `await`, not by `yield*`: the function that awaits it may do other things meanwhile. */
  declare _awaited: boolean;

  constructor(limiter: CapacityLimiter, weight: number) {
    super(limiter as Limiter, weight);
    this._asker = null;
    this._scope = null;
    this._permit = null;
    this._awaited = false;
  }

  // biome-ignore lint/suspicious/noThenProperty: as all operations
  override then<A = Permit, B = never>(
    onFulfilled?: ((value: Permit) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this._awaited = true;
    return super.then(onFulfilled, onRejected);
  }

  override _start(): IteratorResult<Suspension, Permit> {
    const limiter = this._limiter;
    const loop = bindLoop(limiter);
    limiter._admit(loop);
    // The total may have been lowered since acquire() was called.
    limiter._checkWeight(this._amount);
    const running = runningTask();
    // What drives the bare wait of an async function ends with it: the function goes on with the permit.
    const isBare = running instanceof AsyncWait && running._root instanceof Op;
    this._asker = isBare ? running._outer() : running;
    this._scope = isBare || this._awaited ? null : current.task;
    if (!limiter._mustWait() && this._amount <= limiter.available) return done(this._take());
    const error = limiter._selfDeadlock(this._amount, this._asker);
    if (error !== null) throw error;
    this._task = this._asker?._self() ?? null;
    return this._stand(loop);
  }

  _take(): Permit {
    return this._limiter._lend(this._amount, this._scope, this._asker);
  }

  /** Takes what it waits for: at once, so that nobody can snatch it. */
  _set(): void {
    this._permit = this._take();
  }

  override _granted(): Permit {
    return this._permit as Permit;
  }

  override _giveBack(): void {
    this._permit?.release();
  }

  override describe(): string {
    return "capacityLimiter.acquire";
  }
}

function* borrowing<T>(limiter: CapacityLimiter, weight: number, body: Body<[], T>): Coroutine<T> {
  const permit = yield* limiter.acquire(weight);
  try {
    return yield* callBody(body);
  } finally {
    permit.release();
  }
}
