/** What limiters have in common: a line, first come, first served, that may be bounded, paused, cleared and shut down. */

import { type Duration, milliseconds, NEVER } from "../base/duration.ts";
import { show, unexpected } from "../base/errors.ts";
import { current, runningTask } from "../kernel/current.ts";
import type { EventLoop } from "../kernel/loop.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Suspension, WaitSource } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";
import { type LoopBound, nameIn, orderIn } from "../sync/loop-bound.ts";
import { Waiter, Waiters } from "../sync/waiters.ts";
import { type Refusal, RefusedError } from "./refused.ts";
import { Watchers } from "./watchers.ts";

/**
 * What happens to a request that comes when `maxWaiting` others wait:
 * `"reject"` refuses it (LINE_FULL);
 * `"drop-oldest"` refuses the one that has waited for the longest instead (DROPPED); by priority, of those with the lowest;
 * `"drop-lower"` does so only if that one has a lower priority than the one who comes, which is refused otherwise (LINE_FULL);
 * `"block"` refuses it and all that wait, and from then on whoever comes until nobody has come for `penalty` (BLOCKED).
 */
export type WhenFull = "reject" | "drop-oldest" | "drop-lower" | "block";

/** What bounds a line of waiters. */
export interface LimiterOptions {
  /** Shown in messages and wait graphs. */
  readonly name?: string | undefined;
  /** How many may wait, an integer ≥ 0; without limit by default. */
  readonly maxWaiting?: number | undefined;
  /** What happens when more come; `"reject"` by default. */
  readonly whenFull?: WhenFull | undefined;
  /** Who goes first: whoever came first (`"arrival"`, the default), or whoever has the highest priority (`"priority"`), see Lock. */
  readonly order?: "arrival" | "priority" | undefined;
  /** For `"block"`: how long nobody must have come; 5 seconds by default. */
  readonly penalty?: Duration | undefined;
}

/** One that waits, as `waiters()` lists it. */
export interface WaitingTask {
  /** Null outside of any task. */
  readonly task: Task<unknown> | null;
  readonly name: string;
  /** What it asks for: its weight or cost. */
  readonly weight: number;
}

const WHEN_FULL: readonly unknown[] = ["reject", "drop-oldest", "drop-lower", "block"];
export const OUTSIDE = "(outside of any task)";

/** The base of CapacityLimiter and RateLimiter. */
export abstract class Limiter implements WaitSource, LoopBound {
  readonly name: string | undefined;
  readonly maxWaiting: number;
  readonly whenFull: WhenFull;
  /** @internal */
  _loop: EventLoop | null = null;
  // INVARIANT  only those that sleep stand in line: whoever is served, refused or cancelled has left it in the same step.
  readonly #line: Waiters;
  readonly #watchers = new Watchers<this>(this);
  readonly #penalty: number;
  #blockedUntil = -NEVER;
  #paused = false;
  #shutDown = false;
  #granted = 0;
  #refused = 0;

  constructor(options: LimiterOptions | undefined) {
    this.name = nameIn(options);
    this.#line = new Waiters(orderIn(options));
    const { maxWaiting = NEVER, whenFull = "reject", penalty = 5000 } = options ?? {};
    if (maxWaiting !== NEVER && (!Number.isInteger(maxWaiting) || maxWaiting < 0)) {
      throw new RangeError(`Expected \`maxWaiting\` to be an integer ≥ 0, got ${show(maxWaiting)}; leave it out for no limit`);
    }
    if (!WHEN_FULL.includes(whenFull))
      throw unexpected('`whenFull` to be "reject", "drop-oldest", "drop-lower" or "block"', whenFull);
    this.maxWaiting = maxWaiting;
    this.whenFull = whenFull;
    this.#penalty = milliseconds(penalty, "penalty");
    if (this.#penalty < 0) throw new RangeError(`Expected \`penalty\` to be ≥ 0 ms, got ${show(penalty)}`);
  }

  /** How many wait. */
  get waiting(): number {
    return this.#line.length;
  }

  /** Who waits, in order. */
  waiters(): WaitingTask[] {
    return [...this.#line].map((each) => {
      const turn = each as Turn<unknown>;
      return { task: turn._task, name: turn._task?.name ?? OUTSIDE, weight: turn._amount };
    });
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Serves nobody from now on, until `resume()`; what has been granted is not touched. **Suspends** never. */
  pause(): void {
    this._altered();
    this.#paused = true;
    this._changed();
  }

  /** Serves again. **Suspends** never. */
  resume(): void {
    this.#paused = false;
    this._serve();
  }

  /**
   * Refuses all that wait: they get a RefusedError with the code `CLEARED`.
   *
   * @param message - Said in the error.
   * @returns how many there were.
   *
   * **Suspends** never.
   */
  clearWaiting(message?: string): number {
    const count = this._refuseAll("CLEARED", message ?? "those that waited were cleared");
    this._serve();
    return count;
  }

  /**
   * Refuses whoever comes from now on, with the code `SHUT_DOWN`; those that wait are served. `whenIdle()` waits for the end.
   *
   * @param options - `immediate`: those that wait are refused, too.
   *
   * **Suspends** never.
   */
  shutdown(options?: { readonly immediate?: boolean | undefined }): void {
    this._altered();
    this.#shutDown = true;
    if (options?.immediate === true) this._refuseAll("SHUT_DOWN", "it was shut down");
    this._serve();
  }

  /**
   * Waits until nobody waits and nothing is under way.
   *
   * **Suspends** only if that is not so now. **Cancel** ends the wait.
   */
  whenIdle(): Operation<void> {
    return this.#watchers.until((limiter) => limiter._idle(), "whenIdle");
  }

  /**
   * Waits until a condition holds, which is looked at after each change: somebody came, was served, left or gave back. For instance
   * `limiter.waitUntil(({ waiting }) => waiting < 10)` holds a producer back. It holds when this returns.
   *
   * @throws what the predicate throws.
   *
   * **Suspends** only if it does not hold now. **Cancel** ends the wait. It takes nothing and stands in nobody's way.
   */
  waitUntil(predicate: (limiter: this) => boolean): Operation<void> {
    if (typeof predicate !== "function") throw unexpected("a function for waitUntil()", predicate);
    return this.#watchers.until(predicate, "waitUntil");
  }

  /** @internal Serves as many as there is room for, from the front. */
  abstract _serve(): void;
  /** @internal */
  abstract _idle(): boolean;
  abstract describe(): string;

  /** @internal Somebody has done something to it that must not be forgotten. */
  _altered(): void {}

  /** @internal What it is called in messages. */
  _title(): string {
    return this.name === undefined ? this.constructor.name : `${this.constructor.name} '${this.name}'`;
  }

  /** @internal The one to be served next. */
  get _head(): Turn<unknown> | null {
    return this.#line.peek() as Turn<unknown> | null;
  }

  /** @internal All that wait, in order of arrival. */
  get _waiters(): Iterable<Turn<unknown>> {
    return this.#line as Iterable<unknown> as Iterable<Turn<unknown>>;
  }

  /** @internal Whether a newcomer must not be served at once. */
  _mustWait(): boolean {
    return this.#paused || this.#line.first !== null;
  }

  /** @internal Throws unless whoever comes now may come. `now`: the loop's time. */
  _admit(loop: EventLoop): void {
    if (this.#shutDown) throw this._refusal("SHUT_DOWN", "it was shut down");
    if (this.#blockedUntil === -NEVER) return;
    const now = loop.time();
    if (now >= this.#blockedUntil) this.#blockedUntil = -NEVER;
    else {
      this.#blockedUntil = now + this.#penalty;
      throw this._refusal("BLOCKED", `too many came; it is blocked until nobody has come for ${this.#penalty} ms`);
    }
  }

  /** @internal Whether newcomers are turned away, as far as can be told without a loop. */
  get _closed(): boolean {
    return this.#shutDown || (this.#blockedUntil !== -NEVER && (this._loop?.time() ?? NEVER) < this.#blockedUntil);
  }

  /** @internal Puts a request into the line, or turns one away if that is full. */
  _join(turn: Turn<unknown>, loop: EventLoop): void {
    this._makeRoom(loop);
    this.#line.join(turn);
  }

  /** @internal Turns somebody away if the line is full: throws, if that is the one who comes. */
  _makeRoom(loop: EventLoop): void {
    if (this.waiting < this.maxWaiting) return;
    const full = `${this.maxWaiting} wait already, which is \`maxWaiting\``;
    if (this.whenFull === "block") {
      this.#blockedUntil = loop.time() + this.#penalty;
      this._refuseAll("BLOCKED", `too many came: ${full}`);
      this._serve();
      throw this._refusal("BLOCKED", `too many came: ${full}`);
    }
    const spared = this.whenFull === "reject" ? null : this._spared();
    if (spared === null) throw this._refusal("LINE_FULL", full);
    this._refuse(spared, "DROPPED", `it could be spared most, and ${full}`);
  }

  /** @internal */
  get _byArrival(): boolean {
    return this.#line._order === null;
  }

  /** @internal The one that is turned away for the one who comes: it has waited for the longest, of those with the lowest priority. */
  _spared(): Turn<unknown> | null {
    const first = this.#line.first as Turn<unknown> | null;
    const task = runningTask();
    const own = task === null ? 0 : (current.priorities?.rankOf(task) ?? 0);
    const lowest = current.priorities?.lowest(first, this.whenFull === "drop-lower" ? own : NEVER) ?? null;
    return this.whenFull === "drop-lower" || !this._byArrival ? lowest : first;
  }

  /** @internal Refuses all that wait; returns how many there were. */
  _refuseAll(code: Refusal, reason: string): number {
    const count = this.#line.length;
    for (const each of this.#line) this._refuse(each as Turn<unknown>, code, reason);
    return count;
  }

  /** @internal Out of the line, as it is served: the one that `_head` has told. */
  _serveOne(turn: Turn<unknown>): void {
    this.#line.next();
    this.#line.leave(turn);
  }

  /** @internal Out of the line. */
  _leave(turn: Turn<unknown>): void {
    this.#line.leave(turn);
  }

  /** @internal One that waits is cancelled: whoever stands behind it may be able to go. */
  _cancelled(turn: Turn<unknown>): void {
    if (!turn.inLine) return;
    this.#line.leave(turn);
    this._serve();
  }

  /** @internal */
  _refuse(turn: Turn<unknown>, code: Refusal, reason: string): void {
    this._turnAway(turn, this._refusal(code, reason));
  }

  /** @internal */
  _turnAway(turn: Turn<unknown>, error: Error): void {
    turn._limiter._leave(turn);
    turn._refusal = error;
    turn._wake();
  }

  /** @internal */
  _refusal(code: Refusal, reason: string): RefusedError {
    this.#refused++;
    return new RefusedError(`Cannot acquire from ${this._title()}: ${reason}`, code);
  }

  /** @internal */
  _noteGranted(): void {
    this.#granted++;
  }

  /** @internal */
  get _counts(): { readonly waiting: number; readonly granted: number; readonly refused: number; readonly paused: boolean } {
    return { waiting: this.waiting, granted: this.#granted, refused: this.#refused, paused: this.paused };
  }

  /** @internal */
  _changed(): void {
    this.#watchers.changed();
  }

  toString(): string {
    return `<${this.describe()}${this.waiting > 0 ? `, waiters:${this.waiting}` : ""}>`;
  }
}

/** A request that stands in line. */
export abstract class Turn<T> extends Waiter<T> {
  declare readonly _limiter: Limiter;
  /** What it asks for. */
  declare readonly _amount: number;
  /** Why it was turned away. */
  declare _refusal: Error | null;
  /** Whose it is; null outside of any task. */
  declare _task: Task<unknown> | null;

  constructor(limiter: Limiter, amount: number) {
    super();
    this._limiter = limiter;
    this._amount = amount;
    this._refusal = null;
    this._task = null;
  }

  /** Its turn has come, and its task runs: takes what was set aside for it. */
  abstract _granted(): T;
  /** It was granted, but does not go on. */
  abstract _giveBack(): void;

  /** Joins the line and waits. */
  _stand(loop: EventLoop): IteratorResult<Suspension, T> {
    this._limiter._join(this as Turn<unknown>, loop);
    const step = this._wait();
    // The one that was dropped in its favour may have been all that held up the line; or it is the first, and needs a timer.
    this._limiter._serve();
    return step;
  }

  override _resume(): IteratorResult<Suspension, T> {
    if (this._refusal !== null) throw this._refusal;
    return { done: true, value: this._granted() };
  }

  override _interrupt(message: string | undefined): boolean {
    if (!super._interrupt(message)) return false;
    this._limiter._cancelled(this as Turn<unknown>);
    return true;
  }

  override _abandon(woken: boolean): void {
    // RACE  1. A is granted what it waits for   2. A is cancelled before it runs   3. that must not be lost with it.
    //       tests: "…acquire() gives back what it was granted, when it is cancelled before it runs"
    if (!woken) this._limiter._cancelled(this as Turn<unknown>);
    else if (this._refusal === null) this._giveBack();
  }

  override _waitsFor(): WaitSource {
    return this._limiter;
  }
}

/** Refuses what is not a whole number of things. */
export function checkWhole(value: unknown, name: string): asserts value is number {
  if (!Number.isSafeInteger(value) || (value as number) < 1) {
    throw new RangeError(`Expected \`${name}\` to be an integer ≥ 1, got ${show(value)}`);
  }
}
