/** How often something may happen: so much in a time. */

import { type Duration, milliseconds, NEVER } from "../base/duration.ts";
import { show, unexpected } from "../base/errors.ts";
import { operation } from "../kernel/coroutine.ts";
import { runningLoop, runningTask } from "../kernel/current.ts";
import { type Body, callBody, checkBody } from "../kernel/job.ts";
import { type EventLoop, getEventLoop } from "../kernel/loop.ts";
import { done, type Operation } from "../kernel/operation.ts";
import type { Coroutine, Suspension } from "../kernel/suspended.ts";
import type { TimerEntry } from "../kernel/timers.ts";
import { bindLoop } from "../sync/loop-bound.ts";
import type { Waiters } from "../sync/waiters.ts";
import { checkWhole, Limiter, type LimiterOptions, Turn } from "./limiter.ts";
import { type Meter, SlidingWindow, TokenBucket } from "./rate-meters.ts";

/** How a rate is measured; see {@link RateLimiter}. */
export type RateStrategy = "sliding-window" | "token-bucket";

/** So much in a time. */
export interface Rate {
  /** The cost that is granted in each period: an integer ≥ 1. */
  readonly limit: number;
  /** The period, > 0. Infinity with a sliding window: a budget that is never renewed. */
  readonly per: Duration;
  /** For a token bucket: how many tokens it holds, an integer ≥ 1; as many as `limit` by default. */
  readonly burst?: number | undefined;
  /** `"token-bucket"` if there is a `burst`, else `"sliding-window"`. */
  readonly strategy?: RateStrategy | undefined;
}

export interface RateLimiterOptions extends Rate, LimiterOptions {
  /** Further rates that hold as well: so many a second, and so many an hour. */
  readonly also?: readonly Rate[] | undefined;
}

export interface RateStatistics {
  /** The cost that could be granted now, were nobody waiting and nothing held up. */
  readonly available: number;
  readonly waiting: number;
  /** How many requests were granted, and refused, since the limiter was made. */
  readonly granted: number;
  readonly refused: number;
  readonly paused: boolean;
}

/** Told by a limiter of a group that it is in use. */
interface Owner {
  used(limiter: RateLimiter): void;
}

/**
 * Lets things happen at a limited rate, first come, first served.
 *
 * `"sliding-window"`: in no period, wherever it begins, is more than `limit` granted. Periods are half open: what is granted at the
 * time t counts until t + per, and at that very moment no longer. `"token-bucket"`: after a rest, `burst` may be granted at once, then
 * one each `per / limit`; so in any time w at most burst + limit · w / per.
 *
 * A grant counts from when the task that waited for it goes on, so a busy loop does not make grants come closer. The clock is the
 * loop's; the first in line has a timer, the others have none.
 *
 * @example
 * ```ts
 * const api = new RateLimiter({ limit: 2, per: "1s" });
 * const start = getRunningLoop().time();
 * for (let i = 0; i < 5; i++) yield* api.acquire();
 * getRunningLoop().time() - start; // => 2000
 * ```
 */
export class RateLimiter extends Limiter {
  readonly #meters: Meter[];
  readonly #rate: { limit: number; per: number; burst: number | undefined };
  readonly #owner: Owner | null;
  /** What is granted to those that have not run yet: it counts from then on. */
  #reserved = 0;
  #pausedUntil = -NEVER;
  /** Told by the server: nothing before. */
  #notBefore = -NEVER;
  #timer: HeadTimer | null = null;
  /** Its rate is not the one that it was made with. */
  #changed = false;
  /** How many have come to stand in line, and how often it was held up or its rate changed since it was made. */
  #arrivals = 0;
  #changes = 0;

  /**
   * @param options - `limit` per `per`, `burst`, `strategy` and `also` are the rate, see {@link Rate}; `name`, `maxWaiting`, `whenFull`
   *   and `penalty` as for CapacityLimiter.
   * @throws {RangeError} when a number is out of its range; {TypeError} when options contradict each other.
   */
  constructor(options: RateLimiterOptions, _owner: Owner | null = null) {
    if (typeof options !== "object" || options === null) {
      throw unexpected('`options` to be an object such as { limit: 10, per: "1s" }', options);
    }
    super(options);
    const { also = [] } = options;
    if (!Array.isArray(also)) throw unexpected("`also` to be an array of rates", also);
    this.#rate = checkRate(options);
    this.#meters = [makeMeter(options), ...also.map(makeMeter)];
    this.#owner = _owner;
  }

  /**
   * Waits until it is allowed.
   *
   * @param cost - How much of the limit it takes, an integer ≥ 1; 1 by default.
   * @throws {RangeError} when `cost` is not such a number, or more than can ever be granted at once.
   * @throws {RefusedError} when it is turned away.
   *
   * **Suspends** only if it is not allowed yet, or somebody waits. **Cancel** gives up the place in line; nothing is spent.
   */
  acquire(cost = 1): Operation<void> {
    this._checkCost(cost);
    return new AcquireRate(this, cost, true) as unknown as Operation<void>;
  }

  /**
   * Takes it if it is allowed now and nobody waits; says whether it did.
   *
   * @throws {RangeError} as `acquire` does.
   *
   * **Suspends** never.
   */
  tryAcquire(cost = 1): boolean {
    this._checkCost(cost);
    const loop = this._clock();
    return !this._closed && this._tryTake(cost, loop.time());
  }

  /**
   * Waits until it is allowed, then runs a body.
   *
   * @param body - A `function*` or an async function.
   * @param options - `cost`: as for `acquire`.
   *
   * **Suspends** until it is allowed, then as the body does. **Cancel** gives up the wait, or goes to the body.
   */
  with<T>(body: Body<[], T>, options?: { readonly cost?: number | undefined }): Operation<T> {
    checkBody(body, "rateLimiter.with");
    if (options !== undefined && (typeof options !== "object" || options === null)) {
      throw unexpected("`options` to be an object such as { cost }", options);
    }
    const cost = options?.cost ?? 1;
    this._checkCost(cost);
    return operation(limited(this, cost, body), "rateLimiter.with");
  }

  /** Milliseconds until a request would be granted if nobody else came: 0 if it would be now. At least so many, if others wait. */
  readyIn(cost = 1): number {
    this._checkCost(cost);
    if (super.paused) return NEVER;
    const now = this._clock().time();
    return Math.max(this._readyAt(cost + this.#reserved, now), this._heldUntil()) - now;
  }

  override get paused(): boolean {
    return super.paused || (this.#pausedUntil !== -NEVER && this._clock().time() < this.#pausedUntil);
  }

  /**
   * Grants nothing from now on, until `resume()` or for a time. What comes due meanwhile is not lost.
   *
   * **Suspends** never.
   */
  override pause(duration?: Duration): void {
    this.#changes++;
    if (duration === undefined) super.pause();
    else {
      this._altered();
      this.#pausedUntil = this._clock().time() + milliseconds(duration, "duration");
    }
    // The timer of the first in line is to be set anew.
    this._serve();
  }

  override resume(): void {
    this.#pausedUntil = -NEVER;
    super.resume();
  }

  /**
   * Grants nothing before a delay has passed, as a server has asked for; the longest one counts, and `resume()` does not end it.
   *
   * @param delay - Milliseconds or a string with unit. The header Retry-After is in seconds: `retryAfter(1000 * Number(header))`.
   *
   * **Suspends** never.
   */
  retryAfter(delay: Duration): void {
    const wait = milliseconds(delay, "delay");
    this.#changes++;
    this._altered();
    this.#notBefore = Math.max(this.#notBefore, this._clock().time() + wait);
    this._serve();
  }

  /**
   * Changes the rate (the first one, if there are several); what has been granted keeps counting.
   *
   * Those that wait for more than can be granted from now on are refused with the code `TOO_HEAVY`.
   *
   * **Suspends** never.
   */
  setRate(rate: {
    readonly limit?: number | undefined;
    readonly per?: Duration | undefined;
    readonly burst?: number | undefined;
  }): void {
    const meter = this.#meters[0] as Meter;
    const strategy = meter instanceof TokenBucket ? "token-bucket" : "sliding-window";
    const { limit = this.#rate.limit, per = this.#rate.per, burst = this.#rate.burst } = rate;
    const checked = checkRate({ limit, per, burst, strategy });
    meter.change(checked.limit, checked.per, checked.burst ?? checked.limit, this._clock().time());
    Object.assign(this.#rate, checked);
    this.#changed = true;
    this.#changes++;
    this._altered();
    for (const turn of this._waiters) this.#refuseIfTooHeavy(turn);
    this._serve();
  }

  #refuseIfTooHeavy(turn: Turn<unknown>): void {
    const max = this._max;
    if (turn._amount > max)
      this._refuse(turn, "TOO_HEAVY", `it costs ${turn._amount}, and the rate was lowered to ${max} at once`);
  }

  statistics(): RateStatistics {
    const now = this._clock().time();
    const available = Math.min(...this.#meters.map((meter) => meter.available(now)));
    return { available: Math.max(0, available - this.#reserved), ...this._counts };
  }

  /** @internal The greatest cost that can ever be granted. */
  get _max(): number {
    let max = NEVER;
    for (const meter of this.#meters) max = Math.min(max, meter.max);
    return max;
  }

  /** @internal Somebody has done something to it that must not be forgotten. */
  override _altered(): void {
    this.#owner?.used(this);
  }

  /** @internal */
  _checkCost(cost: number): void {
    checkWhole(cost, "cost");
    const max = this._max;
    if (cost > max) {
      throw new RangeError(
        `Cannot acquire a cost of ${cost} from ${this._title()}: at most ${max} can be granted at once; split it up`,
      );
    }
  }

  /** @internal The loop whose clock counts. A limiter outlives the loops that use it, if they have the same clock. */
  _clock(): EventLoop {
    const before = this._loop;
    if (before !== null && before === runningLoop()) return before;
    if (runningLoop() === null) this._loop = before !== null && !before.isClosed() ? before : getEventLoop();
    else bindLoop(this);
    const loop = this._loop as EventLoop;
    if (before !== null && before !== loop) {
      this.#timer = null;
      if (before._host !== loop._host) {
        for (const meter of this.#meters) meter.reset();
        this.#pausedUntil = this.#notBefore = -NEVER;
      }
    }
    return loop;
  }

  /** @internal Whether `tryAcquire` would succeed. */
  _ready(cost: number): boolean {
    return !this._closed && this._head === null && this.readyIn(cost) === 0;
  }

  /** @internal */
  _tryTake(cost: number, now: number): boolean {
    if (this._mustWait() || now < this._heldUntil() || this._readyAt(cost + this.#reserved, now) > now) return false;
    this._charge(cost, now);
    this._changed();
    return true;
  }

  /** @internal Counts a grant. */
  _charge(cost: number, now: number): void {
    this._altered();
    for (const meter of this.#meters) meter.charge(cost, now);
    this._noteGranted();
  }

  /** @internal Sets aside what is granted to one that has not run yet, or takes that back. */
  _reserve(cost: number): void {
    this.#reserved += cost;
  }

  /** @internal */
  _nextArrival(): number {
    return this.#arrivals++;
  }

  /** @internal Changes whenever what has been granted may not be allowed any more. */
  get _changes(): number {
    return this.#changes;
  }

  /**
   * @internal RACE  1. A and B are granted   2. A goes on, and pauses it or lowers its rate   3. B must not go on: nothing is granted now.
   * Tells whether B may; if not, it stands in line again, before all that came later.
   *       test: "RateLimiter, holds up those that were granted and have not run, when it is paused, told to wait or slowed down"
   */
  _mayGo(turn: AcquireRate): boolean {
    const now = this._clock().time();
    if (!super.paused && Math.max(this._heldUntil(), this._readyAt(turn._amount, now)) <= now) return true;
    this._reserve(-turn._amount);
    const line = this._waiters as Iterable<unknown> as Waiters;
    const later = [...line].filter((each) => (each as AcquireRate)._arrival > turn._arrival);
    for (const each of later) line.leave(each);
    for (const each of [turn, ...later]) line.join(each);
    return false;
  }

  /** @internal It waits once more. */
  _recalled(turn: AcquireRate): void {
    this.#refuseIfTooHeavy(turn as Turn<unknown>);
    this._serve();
  }

  /** @internal */
  _readyAt(cost: number, now: number): number {
    // PERF  one meter, as a rule.
    let when = now;
    for (const meter of this.#meters) when = Math.max(when, meter.readyAt(cost, now));
    return when;
  }

  /** @internal Until when nothing is granted, whatever the rate. */
  _heldUntil(): number {
    return Math.max(this.#pausedUntil, this.#notBefore);
  }

  /** @internal Waits in line until a cost could be granted, and takes nothing. */
  _turn(cost: number): Operation<void> {
    return new AcquireRate(this, cost, false) as unknown as Operation<void>;
  }

  override _mustWait(): boolean {
    // A pause for a time is in `_heldUntil()`.
    return super.paused || this._head !== null;
  }

  override _serve(): void {
    let timerAt = NEVER;
    if (this._head !== null && !super.paused) {
      const now = this._clock().time();
      const held = this._heldUntil();
      for (let turn = this._head; turn !== null; turn = this._head) {
        const when = Math.max(held, this._readyAt(turn._amount + this.#reserved, now));
        if (when > now) {
          // While something is set aside, it is not known when that begins to count: whoever takes it looks again.
          timerAt = this.#reserved === 0 || held > now ? when : NEVER;
          break;
        }
        this._serveOne(turn);
        (turn as AcquireRate)._set();
        turn._wake();
      }
    }
    this.#arm(timerAt);
    this._changed();
  }

  #arm(when: number): void {
    if (this.#timer !== null) {
      if (this.#timer.when === when) return;
      this.#timer.limiter = null;
      this.#timer = null;
      this._loop?._timerCancelled();
    }
    if (when === NEVER) return;
    this.#timer = new HeadTimer(this, when);
    this._loop?._schedule(when, this.#timer);
  }

  /** @internal The timer has fired. */
  _fired(): void {
    this.#timer = null;
    this._serve();
  }

  override _idle(): boolean {
    return this.waiting === 0 && this.#reserved === 0;
  }

  /** @internal Whether it cannot be told from a new one. */
  _asNew(): boolean {
    if (!this._idle() || super.paused || this._closed || this.#changed) return false;
    const now = this._clock().time();
    return now >= this._heldUntil() && this.#meters.every((meter) => meter.asNew(now));
  }

  describe(): string {
    const { limit, per } = this.#rate;
    return `${this._title()} (${limit} per ${per} ms${super.paused ? ", paused" : ""})`;
  }
}

/** The timer of the first in line. */
class HeadTimer implements TimerEntry {
  readonly when: number;
  limiter: RateLimiter | null;

  constructor(limiter: RateLimiter, when: number) {
    this.limiter = limiter;
    this.when = when;
  }

  cancelled(): boolean {
    return this.limiter === null;
  }

  _run(): void {
    const limiter = this.limiter;
    this.limiter = null;
    limiter?._fired();
  }

  toString(): string {
    return `${this.limiter?.describe()}`;
  }
}

class AcquireRate extends Turn<void> {
  declare readonly _limiter: RateLimiter;
  /** Whether it takes what it waits for. */
  declare readonly _takes: boolean;
  /** Its number in the order of arrival. */
  declare _arrival: number;
  /** `_changes` of the limiter when it was granted. */
  declare _grantedIn: number;

  constructor(limiter: RateLimiter, cost: number, takes: boolean) {
    super(limiter as Limiter, cost);
    this._takes = takes;
    this._arrival = this._grantedIn = 0;
  }

  override _start(): IteratorResult<Suspension, void> {
    const limiter = this._limiter;
    const loop = limiter._clock();
    limiter._admit(loop);
    // The rate may have been lowered since acquire() was called.
    limiter._checkCost(this._amount);
    if (!limiter._mustWait()) {
      const now = loop.time();
      if (this._takes ? limiter._tryTake(this._amount, now) : limiter._ready(this._amount)) return done(undefined);
    }
    this._task = runningTask()?._self() ?? null;
    this._arrival = limiter._nextArrival();
    return this._stand(loop);
  }

  override _resume(): IteratorResult<Suspension, void> {
    const limiter = this._limiter;
    const asGranted = !this._takes || this._refusal !== null || this._grantedIn === limiter._changes;
    if (asGranted || limiter._mayGo(this)) return super._resume();
    const step = this._wait();
    limiter._recalled(this);
    return step;
  }

  _set(): void {
    this._grantedIn = this._limiter._changes;
    if (this._takes) this._limiter._reserve(this._amount);
  }

  override _granted(): void {
    if (!this._takes) return;
    this._limiter._reserve(-this._amount);
    this._limiter._charge(this._amount, this._limiter._clock().time());
    this._limiter._serve();
  }

  override _giveBack(): void {
    if (this._takes) this._limiter._reserve(-this._amount);
    this._limiter._serve();
  }

  override describe(): string {
    return "rateLimiter.acquire";
  }
}

function* limited<T>(limiter: RateLimiter, cost: number, body: Body<[], T>): Coroutine<T> {
  yield* limiter.acquire(cost);
  return yield* callBody(body);
}

function checkRate(rate: Rate): { limit: number; per: number; burst: number | undefined } {
  if (typeof rate !== "object" || rate === null) throw unexpected('a rate such as { limit: 10, per: "1s" }', rate);
  const { limit, per, burst, strategy = burst === undefined ? "sliding-window" : "token-bucket" } = rate;
  checkWhole(limit, "limit");
  const period = milliseconds(per, "per");
  if (strategy !== "sliding-window" && strategy !== "token-bucket") {
    throw unexpected('`strategy` to be "sliding-window" or "token-bucket"', strategy);
  }
  if (period <= 0) throw new RangeError(`Expected \`per\` to be > 0 ms, got ${show(per)}`);
  if (strategy === "token-bucket" && period === NEVER) {
    throw new RangeError("Expected `per` of a token bucket to be finite, got Infinity; a budget is a sliding window");
  }
  if (burst !== undefined) {
    checkWhole(burst, "burst");
    if (strategy === "sliding-window") {
      throw new TypeError('Expected no `burst` with "sliding-window"; it grants `limit` at once, or use "token-bucket"');
    }
  }
  return { limit, per: period, burst };
}

function makeMeter(rate: Rate): Meter {
  const { limit, per, burst } = checkRate(rate);
  const bucket = (rate.strategy ?? (burst === undefined ? "sliding-window" : "token-bucket")) === "token-bucket";
  return bucket ? new TokenBucket(limit, per, burst ?? limit) : new SlidingWindow(limit, per);
}
