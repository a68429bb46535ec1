/** Leaving alone for a while what keeps failing. */

import { Deque } from "../base/deque.ts";
import { type Duration, milliseconds } from "../base/duration.ts";
import { isCancelled, show, unexpected } from "../base/errors.ts";
import { operation } from "../kernel/coroutine.ts";
import { type Body, callBody, checkBody } from "../kernel/job.ts";
import { type EventLoop, getEventLoop } from "../kernel/loop.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import { bindLoop, type LoopBound } from "../sync/loop-bound.ts";

/** Calls go through; calls are refused; a few calls go through, to see whether it works again. */
export type CircuitState = "closed" | "open" | "half-open";

/** A change of state, as `onStateChange` is told. */
export interface CircuitChange {
  readonly breaker: CircuitBreaker;
  readonly from: CircuitState;
  readonly to: CircuitState;
  /** The failure that opened it, if one did. */
  readonly error?: unknown;
}

export interface CircuitBreakerOptions {
  /**
   * What opens it: so many failures, an integer ≥ 1; or, between 0 and 1, a share of the calls in the `window`, once there
   * were `minimumCalls`.
   */
  readonly threshold: number;
  /** The time in which failures are counted. Without it they count as long as no success comes between. */
  readonly window?: Duration | undefined;
  /** How many calls there must have been in the window before their share of failures says anything; 10 by default. */
  readonly minimumCalls?: number | undefined;
  /** How long it stays open before calls are let through on trial. */
  readonly resetAfter: Duration;
  /** How many calls go through at a time on trial, and how many must succeed to close it, an integer ≥ 1; 1 by default. */
  readonly halfOpen?: number | undefined;
  /** Shown in errors and by `describe()`. */
  readonly name?: string | undefined;
  /**
   * Whether an error speaks against the service; one that does not, such as a wrong input, counts neither way. Any does, by
   * default. What it throws goes to the loop's exception handler, and the error counts.
   */
  readonly shouldCount?: ((error: unknown) => boolean) | undefined;
  /** Called at each change of state. What it throws goes to the loop's exception handler. */
  readonly onStateChange?: ((change: CircuitChange) => void) | undefined;
}

/** The circuit is open: the call was not made. */
export class CircuitOpenError extends Error {
  override name = "CircuitOpenError";
  readonly code = "CIRCUIT_OPEN";
  readonly breaker: CircuitBreaker;
  /**
   * Milliseconds until it may be tried again; undefined while calls on trial are under way, which will tell. `retry` waits so
   * long.
   */
  readonly retryAfter: number | undefined;

  constructor(breaker: CircuitBreaker, retryAfter: number | undefined) {
    const when = retryAfter === undefined ? "when the calls on trial have ended" : `in ${Math.ceil(retryAfter)} ms`;
    super(`Cannot call through ${breaker.describe()}; try again ${when}`);
    this.breaker = breaker;
    this.retryAfter = retryAfter;
  }
}

/** What the calls of one time ended with. */
interface Slot {
  readonly time: number;
  calls: number;
  failures: number;
}

/**
 * Refuses calls to what keeps failing, so that it can recover and nobody waits for it in vain; then tries it again, carefully.
 *
 * Calls that are cancelled count neither way.
 *
 * @example
 * ```ts
 * const breaker = new CircuitBreaker({ threshold: 2, resetAfter: "10s", name: "db" });
 * const call = () => breaker.with(function* () { throw new RangeError("down"); });
 * for (let i = 0; i < 2; i++) yield* gather([call()], { returnExceptions: true });
 * breaker.state; // => "open"
 * yield* call(); // throws CircuitOpenError
 * ```
 */
export class CircuitBreaker implements LoopBound {
  // STATE  closed ──threshold──▶ open ──resetAfter, at the next call──▶ half-open ──successes──▶ closed
  //                               ◀──────────────a failure───────────────┘
  readonly name: string | undefined;
  /** @internal */
  _loop: EventLoop | null = null;
  readonly #threshold: number;
  readonly #window: number | null;
  readonly #minimumCalls: number;
  readonly #resetAfter: number;
  readonly #trials: number;
  readonly #shouldCount: (error: unknown) => boolean;
  readonly #onStateChange: ((change: CircuitChange) => void) | undefined;
  #state: CircuitState = "closed";
  /** Changes with the state: what a call of an earlier one ends with says nothing about this one. */
  #epoch = 0;
  /** Loop time from which on it may be tried again. */
  #openUntil = 0;
  /** Without a window, failures in a row; on trial, successes. */
  #count = 0;
  /** On trial, the calls under way. */
  #trying = 0;
  /** With a window: calls that ended in it, oldest first, and their sums. */
  #slots = new Deque<Slot>();
  #last: Slot | null = null;
  #calls = 0;
  #failures = 0;

  /**
   * @throws {TypeError} or {RangeError} when an option is missing or out of range.
   */
  constructor(options: CircuitBreakerOptions) {
    if (typeof options !== "object" || options === null) {
      throw unexpected('`options` to be an object such as { threshold: 5, resetAfter: "30s" }', options);
    }
    const { threshold, window, minimumCalls, resetAfter, halfOpen = 1, name, shouldCount, onStateChange } = options;
    if (typeof threshold !== "number")
      throw unexpected("`threshold` to be an integer ≥ 1, or a share between 0 and 1", threshold);
    const share = threshold > 0 && threshold < 1;
    if (!share && !(Number.isSafeInteger(threshold) && threshold >= 1)) {
      throw new RangeError(`Expected \`threshold\` to be an integer ≥ 1, or a share between 0 and 1, got ${show(threshold)}`);
    }
    if (share && window === undefined) {
      throw new TypeError("Expected a `window` for a `threshold` that is a share, got undefined; give the time to look at");
    }
    if (!share && minimumCalls !== undefined) {
      throw new TypeError("Cannot use `minimumCalls` with a number of failures: it is for a `threshold` between 0 and 1");
    }
    this.#threshold = threshold;
    this.#window = window === undefined ? null : positive("window", window);
    this.#minimumCalls = integer("minimumCalls", minimumCalls ?? 10);
    this.#resetAfter = positive("resetAfter", resetAfter);
    this.#trials = integer("halfOpen", halfOpen);
    this.name = name;
    for (const [key, hook] of Object.entries({ shouldCount, onStateChange })) {
      if (hook !== undefined && typeof hook !== "function") throw unexpected(`\`${key}\` to be a function`, hook);
    }
    this.#shouldCount = shouldCount ?? (() => true);
    this.#onStateChange = onStateChange;
  }

  /** Whether calls go through now. Open turns into half-open by the clock. */
  get state(): CircuitState {
    return this.#state === "open" && this.#now() >= this.#openUntil ? "half-open" : this.#state;
  }

  /** Failures that are counted now: in a row, or in the window. */
  get failures(): number {
    if (this.#state !== "closed") return 0;
    if (this.#window === null) return this.#count;
    this.#forgetOld(this.#now());
    return this.#failures;
  }

  /**
   * Runs a body, if the circuit lets it.
   *
   * @throws {CircuitOpenError} when it is open, or all calls on trial are under way; else what the body throws.
   *
   * **Suspends** as the body does. **Cancel** goes to the body; the call counts neither way and gives its place back.
   * **Source** replaces opossum's `fire` and cockatiel's `execute`.
   */
  with<T>(body: Body<[], T>): Operation<T> {
    checkBody(body, "circuitBreaker.with");
    return operation(this.#call(body), "circuitBreaker.with");
  }

  /** As {@link with}. */
  run<T>(body: Body<[], T>): Operation<T> {
    return this.with(body);
  }

  /** Opens it by hand; calls are let through on trial after `resetAfter`. **Suspends** never. */
  open(): void {
    bindLoop(this);
    this.#open(undefined);
  }

  /** Closes it by hand, and forgets what it counted. **Suspends** never. */
  close(): void {
    this.#change("closed");
  }

  *#call<T>(body: Body<[], T>): Coroutine<T> {
    bindLoop(this);
    this.#enter();
    const epoch = this.#epoch;
    let verdict: "success" | "failure" | "none" = "none";
    let failure: unknown;
    try {
      const result = yield* callBody(body);
      verdict = "success";
      return result;
    } catch (error) {
      failure = error;
      if (!isCancelled(error) && this.#counts(error)) verdict = "failure";
      throw error;
    } finally {
      // RACE  1. A begins while it is closed   2. B's failure opens it, and it is tried again   3. A fails: of what was before.
      //       test: "a call that ends in another state than it began in, counts neither way"
      if (epoch === this.#epoch) this.#leave(verdict, failure);
    }
  }

  #enter(): void {
    const now = this.#now();
    if (this.#state === "open") {
      if (now < this.#openUntil) throw new CircuitOpenError(this, this.#openUntil - now);
      this.#change("half-open");
      // Whoever was told of that may have opened or closed it by hand.
      this.#enter();
      return;
    }
    if (this.#state !== "half-open") return;
    if (this.#trying >= this.#trials) throw new CircuitOpenError(this, undefined);
    this.#trying++;
  }

  #counts(error: unknown): boolean {
    try {
      return this.#shouldCount(error);
    } catch (exception) {
      // The caller is to hear of what has failed, not of who was asked about it.
      this.#report("shouldCount", exception);
      return true;
    }
  }

  #leave(verdict: "success" | "failure" | "none", error: unknown): void {
    if (this.#state === "half-open") {
      this.#trying--;
      if (verdict === "failure") this.#open(error);
      else if (verdict === "success" && ++this.#count >= this.#trials) this.#change("closed");
    } else if (verdict !== "none" && this.#isTooMuch(verdict === "failure")) this.#open(error);
  }

  /** Counts a call that has ended; whether it is the one too many. */
  #isTooMuch(failed: boolean): boolean {
    if (this.#window === null) {
      this.#count = failed ? this.#count + 1 : 0;
      return this.#count >= this.#threshold;
    }
    const now = this.#now();
    this.#forgetOld(now);
    // PERF  one entry for each millisecond in which calls have ended: a busy service must not fill the memory.
    const time = Math.floor(now);
    if (this.#last === null || this.#last.time !== time) {
      this.#last = { time, calls: 0, failures: 0 };
      this.#slots.push(this.#last);
    }
    this.#last.calls++;
    this.#calls++;
    if (!failed) return false;
    this.#last.failures++;
    this.#failures++;
    if (this.#threshold >= 1) return this.#failures >= this.#threshold;
    return this.#calls >= this.#minimumCalls && this.#failures / this.#calls >= this.#threshold;
  }

  #forgetOld(now: number): void {
    for (
      let slot = this.#slots.first;
      slot !== undefined && slot.time <= now - (this.#window as number);
      slot = this.#slots.first
    ) {
      this.#slots.shift();
      this.#calls -= slot.calls;
      this.#failures -= slot.failures;
    }
  }

  #open(error: unknown): void {
    this.#openUntil = this.#now() + this.#resetAfter;
    this.#change("open", error);
  }

  #change(to: CircuitState, error?: unknown): void {
    const from = this.#state;
    this.#state = to;
    this.#epoch++;
    this.#count = this.#trying = this.#calls = this.#failures = 0;
    this.#slots = new Deque();
    this.#last = null;
    if (from === to) return;
    try {
      this.#onStateChange?.({ breaker: this, from, to, ...(error === undefined ? {} : { error }) });
    } catch (exception) {
      this.#report("onStateChange", exception);
    }
  }

  #report(hook: string, exception: unknown): void {
    getEventLoop().callExceptionHandler({ message: `Error in ${hook} of ${this.describe()}`, exception });
  }

  #now(): number {
    return (this._loop ?? getEventLoop()).time();
  }

  describe(): string {
    const name = this.name === undefined ? "CircuitBreaker" : `CircuitBreaker '${this.name}'`;
    return `${name} (${this.state})`;
  }

  toString(): string {
    return `<${this.describe()}>`;
  }
}

function positive(name: string, given: Duration): number {
  const value = milliseconds(given, name);
  if (value > 0) return value;
  throw new RangeError(`Expected \`${name}\` to be a duration > 0, got ${show(given)}`);
}

function integer(name: string, value: number): number {
  if (typeof value !== "number") throw unexpected(`\`${name}\` to be an integer ≥ 1`, value);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new RangeError(`Expected \`${name}\` to be an integer ≥ 1, got ${show(value)}`);
}
