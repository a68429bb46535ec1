/** Limits for functions: how many calls go on at a time, how often they begin, or both. */

import { NEVER } from "../base/duration.ts";
import { unexpected } from "../base/errors.ts";
import { type Linked, LinkedList } from "../base/linked-list.ts";
import { CLAIMED, Scope } from "../kernel/coroutine.ts";
import { currentTask } from "../kernel/current.ts";
import { type Body, callBody, checkBody } from "../kernel/job.ts";
import type { EventLoop } from "../kernel/loop.ts";
import type { Operation, Step } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";
import { bindLoop } from "../sync/loop-bound.ts";
import { CapacityLimiter, Permit } from "./capacity-limiter.ts";
import { checkWhole, type Limiter, type LimiterOptions, OUTSIDE, type Turn, type WaitingTask } from "./limiter.ts";
import { RateLimiter, type RateLimiterOptions } from "./rate-limiter.ts";
import type { Refusal } from "./refused.ts";
import { Watchers } from "./watchers.ts";

/** What holds for calls. `name`, `maxWaiting`, `whenFull` and `penalty` are those of the line that calls wait in. */
export interface CombinedOptions extends LimiterOptions {
  /** How many at a time; or a limiter that is shared with others. */
  readonly concurrency?: number | CapacityLimiter | undefined;
  /** How often they may begin; or a limiter that is shared with others. */
  readonly rate?: RateLimiter | RateLimiterOptions | undefined;
}

/** How much a call takes. */
export interface CallOptions {
  /** Of the capacity; 1 by default. */
  readonly weight?: number | undefined;
  /** Of the rate; 1 by default. */
  readonly cost?: number | undefined;
}

/** Attempts at both before permits are kept while the rate is waited for. */
const ATTEMPTS = 3;
const NO_ARGUMENTS: [] = [];

/**
 * Capacity and rate in one: a body runs when there is room for it and it is allowed.
 *
 * Calls start in the order in which they came. The first in line waits until the rate would let it go, and takes nothing of it; then it
 * takes its permits in their line; and the rate is spent in the very step in which the body begins. So a call that waits for room
 * spends nothing, and one that waits for the rate holds no room. Only if others with whom the limiters are shared are faster three
 * times running, the permits are kept until the rate allows: so nobody is starved. There is nothing to deadlock on: time alone
 * renews the rate.
 *
 * @example
 * ```ts
 * const api = new CombinedLimiter({ concurrency: 2, rate: { limit: 1, per: "1s" }, name: "api" });
 * const time = () => getRunningLoop().time();
 * const start = time();
 * const begin = () => api.with(function* () { return time() - start; });
 * yield* gather(begin(), begin(), begin()); // => [0, 1000, 2000]
 * ```
 */
export class CombinedLimiter {
  readonly name: string | undefined;
  /** How many at a time; null: any number. */
  readonly capacity: CapacityLimiter | null;
  /** How often; null: at any rate. */
  readonly rate: RateLimiter | null;
  /** @internal */
  _loop: EventLoop | null = null;
  /** Where calls wait: the line of the only limiter if that is our own, else in front of the door. */
  readonly #gate: Limiter;
  readonly #door: Door | null;
  readonly #watchers = new Watchers<this>(this);
  /** In order of arrival. */
  readonly #waiting = new LinkedList<WaitingCall>();
  #running = 0;

  /**
   * @param options - `concurrency`, `rate` or both; and what bounds the line of calls that wait.
   * @throws {TypeError} when there is neither; {RangeError} when a number is out of its range.
   */
  constructor(options: CombinedOptions) {
    if (typeof options !== "object" || options === null) {
      throw unexpected("`options` to be an object such as { concurrency: 5 }", options);
    }
    const { concurrency, rate, ...line } = options;
    if (concurrency === undefined && rate === undefined) {
      throw unexpected("`concurrency` or `rate` or both", options, "without a limit, call the function itself");
    }
    // Else it would be told of as the `total` of a CapacityLimiter.
    if (typeof concurrency === "number" && concurrency !== NEVER) checkWhole(concurrency, "concurrency");
    const { name } = options;
    this.name = name;
    // Where there is one limiter, and nobody else has it, its line is the line of calls.
    const alone = concurrency === undefined || rate === undefined;
    const bounds = alone ? line : { name };
    this.capacity =
      concurrency === undefined || concurrency instanceof CapacityLimiter
        ? (concurrency ?? null)
        : new CapacityLimiter(concurrency, bounds);
    this.rate = rate === undefined || rate instanceof RateLimiter ? (rate ?? null) : new RateLimiter({ ...rate, ...bounds });
    const own = alone && (this.capacity ?? this.rate) !== (concurrency ?? rate);
    this.#door = own ? null : new Door(line);
    this.#gate = this.#door ?? ((this.capacity ?? this.rate) as Limiter);
  }

  /** The bodies that run. */
  get running(): number {
    return this.#running;
  }

  /** The calls whose bodies have not begun. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Who waits, in order of arrival; `weight` is what the call takes of the capacity. */
  waiters(): WaitingTask[] {
    return [...this.#waiting].map(({ _task, _weight }) => ({ task: _task, name: _task?.name ?? OUTSIDE, weight: _weight }));
  }

  get paused(): boolean {
    return this.#gate.paused;
  }

  /** Begins no more bodies, until `resume()`; those that run go on. **Suspends** never. */
  pause(): void {
    this.#gate.pause();
    this.#watchers.changed();
  }

  /** Begins bodies again. **Suspends** never. */
  resume(): void {
    this.#gate.resume();
    this.#watchers.changed();
  }

  /**
   * Refuses all calls that wait: they get a RefusedError with the code `CLEARED`. Says how many there were. **Suspends** never.
   */
  clearWaiting(message?: string): number {
    return this.#gate.clearWaiting(message);
  }

  /** Refuses whoever comes from now on; those that wait are let in, with `immediate` they are refused, too. **Suspends** never. */
  shutdown(options?: { readonly immediate?: boolean | undefined }): void {
    this.#gate.shutdown(options);
  }

  /** Waits until no call waits and no body runs. **Suspends** only if that is not so now. **Cancel** ends the wait. */
  whenIdle(): Operation<void> {
    return this.#watchers.until((limiter) => limiter.running === 0 && limiter.waiting === 0, "whenIdle");
  }

  /**
   * Waits until a condition holds; for instance `limiter.waitUntil(({ waiting }) => waiting < 10)`. It holds when this returns.
   *
   * **Suspends** only if it does not hold now. **Cancel** ends the wait.
   */
  waitUntil(predicate: (limiter: this) => boolean): Operation<void> {
    if (typeof predicate !== "function") throw unexpected("a function for waitUntil()", predicate);
    return this.#watchers.until(predicate, "waitUntil");
  }

  /**
   * Runs a body as soon as there is room and the rate allows.
   *
   * @param body - A `function*` or an async function.
   * @param options - `weight` of the capacity and `cost` of the rate that it takes; 1 each by default.
   * @throws {RangeError} when it asks for more than there can be; {RefusedError} when it is turned away; and what the body throws.
   *
   * **Suspends** until it may begin, then as the body does. **Cancel** gives up the wait, with nothing taken or spent, or goes to the body.
   */
  with<T>(body: Body<[], T>, options?: CallOptions): Operation<T> {
    checkBody(body, "combinedLimiter.with");
    return this._run(body, NO_ARGUMENTS, options?.weight, options?.cost);
  }

  /** @internal As `with`, for a body that takes arguments. */
  _run<A extends unknown[], T>(body: Body<A, T>, args: A, weight?: number, cost?: number): Operation<T> {
    if (this.capacity === null) checkUnused(weight, "weight", "concurrency");
    else if (weight !== undefined) this.capacity._checkWeight(weight);
    if (this.rate === null) checkUnused(cost, "cost", "rate");
    else this.rate._checkCost(cost ?? 1);
    return new LimitedCall<A, T>(this, body, args, weight ?? 1, cost ?? 1) as unknown as Operation<T>;
  }

  /** @internal The wait for a place, or the permit if there is room. */
  _ask(weight: number, cost: number): Permit | Coroutine<Permit | null> {
    const { capacity } = this;
    // PERF  a limiter of our own with room left needs no line.
    if (this.#gate !== capacity) return this.#enter(weight, cost);
    return capacity._tryLend(weight) ?? capacity.acquire(weight)[Symbol.iterator]();
  }

  /** @internal */
  _waits(call: WaitingCall): void {
    this.#waiting.push(call);
    this.#watchers.changed();
  }

  /** @internal */
  _waitsNoMore(call: WaitingCall): void {
    this.#waiting.remove(call);
    this.#watchers.changed();
  }

  /** @internal A body begins. */
  _begins(): void {
    this.#running++;
    this.#watchers.changed();
  }

  /** @internal A body has ended. */
  _ends(permit: Permit | null): void {
    this.#running--;
    permit?.release();
    this.#watchers.changed();
  }

  /** Waits until it may begin. However it ends, it holds what it returns, and nothing else. */
  *#enter(weight: number, cost: number): Coroutine<Permit | null> {
    const { capacity, rate } = this;
    const door = this.#door;
    if (door === null) {
      yield* (rate as RateLimiter).acquire(cost);
      return null;
    }
    const loop = bindLoop(this);
    door._admit(loop);
    if (!door._mustWait() && door.available > 0) {
      const allowed = rate === null || rate._ready(cost);
      const permit = allowed ? (capacity?._tryLend(weight) ?? null) : null;
      if (allowed && (capacity === null || permit !== null)) {
        rate?.tryAcquire(cost);
        return permit;
      }
      // It has to wait.
      if (door.maxWaiting === 0) door._makeRoom(loop);
    }
    const inside = yield* door.acquire();
    let permit: Permit | null = null;
    let entered = false;
    try {
      for (let attempt = 1; !entered; attempt++) {
        if (door.paused) yield* door.waitUntil((each) => !each.paused);
        if (rate !== null) yield* door.stand(rate._turn(cost));
        if (capacity !== null) permit = yield* door.stand(capacity.acquire(weight));
        if (!door.paused) {
          entered = rate === null || rate.tryAcquire(cost);
          if (!entered && attempt >= ATTEMPTS) {
            yield* door.stand((rate as RateLimiter).acquire(cost));
            entered = true;
          }
        }
        if (!entered) {
          permit?.release();
          permit = null;
        }
      }
      return permit;
    } finally {
      if (!entered) permit?.release();
      inside.release();
    }
  }

  describe(): string {
    return this.name === undefined ? "CombinedLimiter" : `CombinedLimiter '${this.name}'`;
  }

  toString(): string {
    return `<${this.describe()} running:${this.#running}, waiting:${this.waiting}>`;
  }
}

/** A call whose body has not begun. */
interface WaitingCall extends Linked<WaitingCall> {
  readonly _task: Task<unknown> | null;
  readonly _weight: number;
}

/** A call: waits for a place, runs the body in it, and gives it back. */
class LimitedCall<A extends unknown[], T> extends Scope<T> implements WaitingCall {
  declare _previous: WaitingCall | null;
  declare _next: WaitingCall | null;
  declare readonly _limiter: CombinedLimiter;
  declare readonly _run: Body<A, T>;
  declare readonly _arguments: A;
  declare readonly _weight: number;
  declare readonly _cost: number;
  /** Whose it is; null outside of any task. */
  declare _task: Task<unknown> | null;
  /** The wait for a place. */
  declare _place: Coroutine<Permit | null> | null;
  declare _permit: Permit | null;

  constructor(limiter: CombinedLimiter, body: Body<A, T>, args: A, weight: number, cost: number) {
    super("combinedLimiter.with");
    this._previous = null;
    this._next = null;
    this._limiter = limiter;
    this._run = body;
    this._arguments = args;
    this._weight = weight;
    this._cost = cost;
    this._task = null;
    this._place = null;
    this._permit = null;
  }

  // PERF  the wait for a place is driven by hand: a generator around it and the body would cost as much as the rest of the call.
  override next(sent?: unknown): Step<T> {
    const wait = this._stage <= CLAIMED ? this._enterLine() : null;
    return wait ?? super.next(sent);
  }

  override throw(error: unknown): Step<T> {
    return super.throw(this._place === null ? error : this._leaveLine(this._place, error));
  }

  override return(value: T): Step<T> {
    if (this._place !== null) this._leaveLine(this._place, undefined);
    return super.return(value);
  }

  /** Goes on waiting for a place; null when it has one. */
  _enterLine(): Step<never> | null {
    let place = this._place;
    if (place === null) {
      const found = this._limiter._ask(this._weight, this._cost);
      if (found instanceof Permit) {
        this._permit = found;
        return null;
      }
      this._place = place = found;
      this._task = currentTask();
      this._limiter._waits(this);
    }
    let step: Step<Permit | null>;
    try {
      step = place.next();
    } catch (error) {
      this._placed(null);
      return super.throw(error) as Step<never>;
    }
    if (step.done !== true) return step;
    this._placed(step.value);
    return null;
  }

  /** Gives up the wait for a place; returns the error to go on with. */
  _leaveLine(place: Coroutine<Permit | null>, error: unknown): unknown {
    try {
      place.throw(error);
      return error;
    } catch (thrown) {
      return thrown;
    } finally {
      this._placed(null);
    }
  }

  /** The wait is over. */
  _placed(permit: Permit | null): void {
    this._place = null;
    this._permit = permit;
    this._limiter._waitsNoMore(this);
  }

  override _enter(): void {
    this._limiter._begins();
  }

  override _body(): Coroutine<T> {
    return callBody(this._run, ...this._arguments);
  }

  override _leave(value: unknown): T {
    this._limiter._ends(this._permit);
    return value as T;
  }

  override _leaveBy(error: unknown): T {
    this._limiter._ends(this._permit);
    throw error;
  }
}

/** Lets one at a time try to get in; the line of calls is in front of it. */
class Door extends CapacityLimiter {
  /** What the one inside stands in another line for: it is the first of those that wait. */
  #step: Turn<unknown> | null = null;

  constructor(options: LimiterOptions) {
    super(1, options);
  }

  /** Waits in the line of one of the two. */
  *stand<T>(turn: Operation<T>): Coroutine<T> {
    this.#step = turn as unknown as Turn<unknown>;
    try {
      return yield* turn;
    } finally {
      this.#step = null;
    }
  }

  override get waiting(): number {
    return super.waiting + this.borrowed;
  }

  override _spared(): Turn<unknown> | null {
    // Who is inside came before all others; by priority, it was the highest, and those behind it can be spared rather.
    const inside = this.#step?.inLine ? this.#step : null;
    return this._byArrival ? (inside ?? super._spared()) : super._spared();
  }

  override _refuseAll(code: Refusal, reason: string): number {
    const count = super._refuseAll(code, reason);
    const step = this.#step;
    if (!step?.inLine) return count;
    this._refuse(step, code, reason);
    // Others may stand behind it there.
    step._limiter._serve();
    return count + 1;
  }

  override _title(): string {
    return this.name === undefined ? "CombinedLimiter" : `CombinedLimiter '${this.name}'`;
  }
}

function checkUnused(value: unknown, name: string, option: string): void {
  if (value !== undefined) throw new TypeError(`Cannot use \`${name}\`: the limiter has no \`${option}\``);
}

/** What {@link limit} takes: the limits of the function's own, or a limiter that it shares with others; and what a call takes of it. */
export interface LimitOptions<A extends unknown[]> extends CombinedOptions {
  readonly limiter?: CombinedLimiter | undefined;
  /** What a call takes of the capacity: a number, or a function of the call's arguments. 1 by default. */
  readonly weight?: number | ((...args: A) => number) | undefined;
  /** What a call takes of the rate. 1 by default. */
  readonly cost?: number | ((...args: A) => number) | undefined;
}

/** A function whose calls are limited. */
export interface Limited<A extends unknown[], T> {
  (...args: A): Operation<T>;
  /** To look at the calls, and to pause, clear or shut them down. */
  readonly limiter: CombinedLimiter;
}

/**
 * Limits a function: returns one with the same parameters whose calls wait until there is room and the rate allows.
 *
 * @param fn - A `function*` or an async function.
 * @param options - `concurrency`: how many calls at a time; `rate`: how often they begin; `weight` and `cost` of a call; and as for
 *   {@link CombinedLimiter}. Or `limiter`, for functions that share one.
 * @returns the limited function. Its calls are operations: each does nothing until it is awaited, by `yield*` or `await`; give it to
 *   `createTask()` to start it at once. They run as part of the task that awaits them, with its context, and end when it is cancelled.
 * @throws {TypeError} or {RangeError} when an option is wrong.
 *
 * **Suspends** never; its calls do, until they may begin.
 *
 * @example
 * ```ts
 * const double = limit(function* (n: number) { yield* sleep(10); return 2 * n; }, { concurrency: 2 });
 * yield* gather(double(1), double(2), double(3)); // => [2, 4, 6]
 * double.limiter.running; // => 0
 * ```
 */
export function limit<A extends unknown[], T>(fn: Body<A, T>, options: LimitOptions<A>): Limited<A, T> {
  checkBody(fn, "limit");
  if (typeof options !== "object" || options === null) {
    throw unexpected("`options` to be an object such as { concurrency: 5 }", options);
  }
  const { limiter = null, weight, cost, ...limits } = options;
  if (limiter !== null && !(limiter instanceof CombinedLimiter)) throw unexpected("`limiter` to be a CombinedLimiter", limiter);
  if (limiter !== null && Object.values(limits).some((each) => each !== undefined)) {
    throw new TypeError("Cannot use `limiter` together with limits of its own; give those to the CombinedLimiter");
  }
  const used = limiter ?? new CombinedLimiter({ ...limits, name: limits.name ?? (fn.name || undefined) });
  function limited(this: unknown, ...args: A): Operation<T> {
    const bound = this === undefined ? fn : (fn.bind(this) as Body<A, T>);
    return used._run(
      bound,
      args,
      typeof weight === "function" ? weight(...args) : weight,
      typeof cost === "function" ? cost(...args) : cost,
    );
  }
  Object.defineProperty(limited, "name", { value: fn.name });
  Object.defineProperty(limited, "length", { value: fn.length });
  return Object.assign(limited, { limiter: used });
}
