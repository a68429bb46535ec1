/** Trying again what failed: with pauses, budgets, and an error that tells all attempts. */

import { type Duration, milliseconds, NEVER } from "../base/duration.ts";
import { isCancelled, oneLine, show, TimeoutError, unexpected } from "../base/errors.ts";
import { sleep } from "../flow/sleep.ts";
import { timeout, timeoutAt } from "../flow/timeout.ts";
import { operation } from "../kernel/coroutine.ts";
import { chance, current } from "../kernel/current.ts";
import { type Body, callBody, checkBody } from "../kernel/job.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";

/** Pauses that grow: `initial`, then `factor` times as long each time, at most `max`. */
export interface Backoff {
  /** The first pause; 1 s by default. */
  readonly initial?: Duration | undefined;
  /** How much longer each pause is than the one before, a number > 0; 2 by default. */
  readonly factor?: number | undefined;
  /** The longest pause; 30 s by default. */
  readonly max?: Duration | undefined;
}

/** What is known when an attempt has failed and another is going to follow. */
export interface FailedAttempt {
  readonly error: unknown;
  /** Which attempt it was, from 1. */
  readonly attempt: number;
  /** How many are left, this one not counted; Infinity where there is no limit. */
  readonly attemptsLeft: number;
  /** Milliseconds until the next one. */
  readonly delay: number;
  /** Milliseconds since the first one began. */
  readonly elapsed: number;
}

export interface RetryOptions {
  /** How many attempts in all, an integer ≥ 1, or Infinity; 10 by default. */
  readonly attempts?: number | undefined;
  /**
   * The pauses: a {@link Backoff}, one duration for all of them, or a function of the attempt that failed (from 1) and its
   * error.
   */
  readonly backoff?: Backoff | Duration | ((attempt: number, error: unknown) => Duration) | undefined;
  /**
   * What chance does to a pause, so that many clients do not come back all at once: `"none"` (default), `"full"`: anything
   * between 0 and the pause,
   * `"equal"`: between half of it and all of it. A pause that the server asked for stays as it is.
   */
  readonly jitter?: "none" | "full" | "equal" | undefined;
  /** Where chance comes from: gives numbers from 0 to less than 1. chance by default, under test that of the test's seed. */
  readonly random?: (() => number) | undefined;
  /**
   * When so much time has passed since the beginning, no further attempt begins; nor is a pause begun that would last longer.
   */
  readonly maxElapsed?: Duration | undefined;
  /** How long each attempt may take. One that takes longer is cancelled, awaited, and has failed with a TimeoutError. */
  readonly timeout?: Duration | undefined;
  /**
   * Whether another attempt makes sense after this error; a `function*` or an async function, too. By default after any but
   * mistakes in the
   * program: a ReferenceError, or a TypeError that is not `fetch`'s way to tell of a network error.
   */
  readonly shouldRetry?: Body<[error: unknown, attempt: number], boolean> | undefined;
  /**
   * Whether a failure uses up one of the `attempts` and makes the pauses grow; a `function*` or an async function, too. Always,
   * by default.
   */
  readonly shouldCount?: Body<[error: unknown, attempt: number], boolean> | undefined;
  /**
   * How long the server wants us to wait after this error, undefined where it said nothing. It takes the place of the backoff.
   * By default the error's
   * property `retryAfter`, if that is a duration ≥ 0. What is below 0, as the time until a date that has passed, is no pause; Infinity: not
   * to try again.
   */
  readonly retryAfter?: ((error: unknown) => Duration | undefined) | undefined;
  /** Called before each pause; a `function*` or an async function is waited for. What it throws ends it all. */
  readonly onRetry?: Body<[failed: FailedAttempt], void> | undefined;
  /** Aborts at once, attempt or pause: the attempt is cancelled and awaited, then the signal's reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** All attempts have failed. `errors` are theirs, in order; `cause` is the last one. */
export class RetryError extends AggregateError {
  override name = "RetryError";
  readonly code = "RETRY_FAILED";
  /** How many attempts there were. */
  readonly attempts: number;
  /** Milliseconds from the first to the end of the last. */
  readonly elapsed: number;

  constructor(what: string, errors: readonly unknown[], elapsed: number, reason: string) {
    const count = `${errors.length} attempt${errors.length === 1 ? "" : "s"}`;
    super(errors, `${what} failed in ${count}; ${reason}${errors.map((each) => `\n  - ${oneLine(each)}`).join("")}`, {
      cause: errors.at(-1),
    });
    this.attempts = errors.length;
    this.elapsed = elapsed;
  }
}

/**
 * Calls a function until an attempt succeeds, with a pause after each that fails.
 *
 * A cancellation is never retried, wherever it comes. An attempt's own timeout is.
 *
 * @param fn - Called anew for each attempt with its number, from 1; a `function*`, an async function or an ordinary one.
 * @param options - How often, how long, and what for: see {@link RetryOptions}.
 * @returns what the attempt that succeeds returns.
 * @throws {RetryError} with all errors when no attempt is left, or no time; the error itself, when `shouldRetry` refuses it or
 * its `retryAfter` is Infinity: those of earlier
 * attempts are a RetryError at the end of its causes then. {TypeError} and {RangeError} for wrong options, at once.
 *
 * **Suspends** as the attempts do, and in the pauses. **Cancel** ends the attempt or the pause, and all of it. **Source**
 * replaces p-retry.
 *
 * @example
 * ```ts
 * const flaky = function* (attempt: number) {
 *   if (attempt < 3) throw new Error("busy");
 *   return `attempt ${attempt}`;
 * };
 * yield* retry(flaky, { attempts: 5, backoff: { initial: "10ms" } }); // => "attempt 3"
 * ```
 */
export function retry<T>(fn: Body<[attempt: number], T>, options: RetryOptions = {}): Operation<T> {
  checkBody(fn, "retry");
  const plan = planOf(options);
  const { signal } = plan;
  return operation(signal === undefined ? retrying(fn, plan) : abortable(signal, () => retrying(fn, plan)), "retry");
}

interface Plan {
  readonly attempts: number;
  readonly backoff: (counted: number, attempt: number, error: unknown) => number;
  readonly jitter: "none" | "full" | "equal";
  readonly random: () => number;
  readonly maxElapsed: number;
  readonly timeout: number;
  readonly shouldRetry: Body<[error: unknown, attempt: number], boolean>;
  readonly shouldCount: Body<[error: unknown, attempt: number], boolean>;
  readonly retryAfter: (error: unknown) => Duration | undefined;
  readonly onRetry: Body<[failed: FailedAttempt], void> | undefined;
  readonly signal: AbortSignal | undefined;
}

function planOf(options: RetryOptions): Plan {
  if (typeof options !== "object" || options === null) {
    throw unexpected("`options` to be an object such as { attempts: 3 }", options);
  }
  const { attempts = 10, jitter = "none", random = chance, signal, onRetry } = options;
  if (typeof attempts !== "number") throw unexpected("`attempts` to be an integer ≥ 1 or Infinity", attempts);
  if (!(attempts >= 1 && (Number.isInteger(attempts) || attempts === Number.POSITIVE_INFINITY))) {
    throw new RangeError(`Expected \`attempts\` to be an integer ≥ 1 or Infinity, got ${show(attempts)}`);
  }
  if (jitter !== "none" && jitter !== "full" && jitter !== "equal") {
    throw new RangeError(`Expected \`jitter\` to be "none", "full" or "equal", got ${show(jitter)}`);
  }
  const { shouldRetry = worthRetrying, shouldCount = () => true, retryAfter = serverDelay } = options;
  for (const [name, hook] of Object.entries({ random, shouldRetry, shouldCount, retryAfter, onRetry })) {
    if (hook !== undefined && typeof hook !== "function") throw unexpected(`\`${name}\` to be a function`, hook);
  }
  checkSignal(signal);
  return {
    attempts,
    backoff: backoffOf(options.backoff ?? {}),
    jitter,
    random,
    maxElapsed: duration("maxElapsed", options.maxElapsed, NEVER),
    timeout: duration("timeout", options.timeout, NEVER),
    shouldRetry,
    shouldCount,
    retryAfter,
    onRetry,
    signal,
  };
}

/** A duration ≥ 0 of the options. */
function duration(name: string, given: Duration | undefined, usual: number): number {
  const value = given === undefined ? usual : milliseconds(given, name);
  if (value >= 0) return value;
  throw new RangeError(`Expected \`${name}\` to be a duration ≥ 0, got ${show(given)}`);
}

function backoffOf(given: NonNullable<RetryOptions["backoff"]>): Plan["backoff"] {
  if (typeof given === "function") return (_counted, attempt, error) => duration("backoff", given(attempt, error), 0);
  if (typeof given !== "object") {
    const constant = duration("backoff", given, 0);
    return () => constant;
  }
  const initial = duration("backoff.initial", given.initial, 1000);
  const max = duration("backoff.max", given.max, 30_000);
  const { factor = 2 } = given;
  if (typeof factor !== "number") throw unexpected("`backoff.factor` to be a number > 0", factor);
  if (!(factor > 0 && factor < Number.POSITIVE_INFINITY)) {
    throw new RangeError(`Expected \`backoff.factor\` to be a number > 0, got ${show(factor)}`);
  }
  // 0 stays 0, however large the factor has grown.
  return (counted) => (initial === 0 ? 0 : Math.min(max, initial * factor ** (counted - 1)));
}

/** Refuses what is no AbortSignal, of whichever realm. */
function checkSignal(signal: AbortSignal | undefined): void {
  const found = signal as Partial<AbortSignal> | null | undefined;
  if (found === undefined) return;
  if (typeof found?.aborted === "boolean" && typeof found.addEventListener === "function") return;
  throw unexpected("`signal` to be an AbortSignal", signal);
}

/**
 * A mistake in the program stays one. `fetch` tells of the network by a TypeError: with a cause in Node, with these words in
 * browsers.
 */
function worthRetrying(error: unknown): boolean {
  if (error instanceof ReferenceError) return false;
  if (!(error instanceof TypeError)) return true;
  return error.cause !== undefined || /\b(fetch|network|load failed|connection)\b/i.test(error.message);
}

/** What an error says by its property `retryAfter`. */
function serverDelay(error: unknown): Duration | undefined {
  const given = (error as { retryAfter?: unknown } | null | undefined)?.retryAfter;
  if (typeof given !== "number" && typeof given !== "string") return undefined;
  try {
    const delay = milliseconds(given as Duration);
    return delay >= 0 ? delay : undefined;
  } catch {
    // A date, say: not ours to interpret.
    return undefined;
  }
}

function* retrying<T>(fn: Body<[attempt: number], T>, plan: Plan): Coroutine<T> {
  const task = current.task as Task<unknown>;
  const loop = task._loop;
  const { attempts, maxElapsed } = plan;
  const start = loop.time();
  const isTooLate = (delay: number): boolean => loop.time() - start + delay >= maxElapsed;
  const errors: unknown[] = [];
  let counted = 0;
  for (let attempt = 1; ; attempt++) {
    const requests = task._cancels;
    let error: unknown;
    try {
      return yield* plan.timeout === NEVER ? callBody(fn, attempt) : timeout(plan.timeout, () => callBody(fn, attempt));
    } catch (thrown) {
      error = thrown;
    }
    // It may have met its cancellation with an error of its own: no reason to go on either.
    if (isCancelled(error) || task._cancels > requests) throw error;
    errors.push(error);
    const elapsed = loop.time() - start;
    const what = nameOf(fn);
    let delay: number;
    try {
      if (yield* callBody(plan.shouldCount, error, attempt)) counted++;
      if (counted >= attempts) throw new RetryError(what, errors, elapsed, "no attempt is left");
      if (!(yield* callBody(plan.shouldRetry, error, attempt))) throw error;
      const asked = plan.retryAfter(error);
      delay =
        asked === undefined
          ? withJitter(plan.backoff(Math.max(counted, 1), attempt, error), plan)
          : Math.max(0, milliseconds(asked, "retryAfter"));
      if (delay === NEVER) throw error;
      if (plan.onRetry !== undefined && !isTooLate(delay)) {
        yield* callBody(plan.onRetry, { error, attempt, attemptsLeft: attempts - counted, delay, elapsed });
      }
    } catch (final) {
      // It may also be a hook's own.
      throw final instanceof RetryError || isCancelled(final) ? final : withEarlier(final, errors, what, elapsed);
    }
    // ORDER  looked at last once more, as the hooks may have taken their time. It is of no use to wait for what cannot be begun.
    if (isTooLate(delay)) {
      throw new RetryError(what, errors, elapsed, `the next one would begin after ${maxElapsed} ms or later`);
    }
    // Even a pause of nothing lets the others run, and a cancellation be heard.
    yield* sleep(delay);
  }
}

function withJitter(delay: number, { jitter, random }: Plan): number {
  if (jitter === "none" || delay === NEVER) return delay;
  return jitter === "full" ? delay * random() : (delay * (1 + random())) / 2;
}

function nameOf(fn: unknown): string {
  const { name } = fn as { readonly name: string };
  return name === "" ? "retry()" : `${name}()`;
}

/** An error that is thrown as it is keeps those of earlier attempts at the end of its causes. */
function withEarlier(error: unknown, earlier: readonly unknown[], what: string, elapsed: number): unknown {
  const chain = new Set<unknown>();
  let last: unknown = error;
  for (; last instanceof Error && !chain.has(last); last = last.cause) {
    chain.add(last);
    if (!(last.cause instanceof Error) || chain.has(last.cause)) break;
  }
  const others = earlier.filter((each) => !chain.has(each));
  if (others.length > 0 && last instanceof Error && last.cause === undefined && Object.isExtensible(last)) {
    last.cause = new RetryError(what, others, elapsed, "what came then was not to be retried");
  }
  return error;
}

/** Runs a body that a signal ends: the body is cancelled and awaited, then the reason is thrown. */
function* abortable<T>(signal: AbortSignal, body: () => Coroutine<T>): Coroutine<T> {
  if (signal.aborted) throw signal.reason;
  let abort: (() => void) | undefined;
  try {
    return yield* timeoutAt(null, (scope) => {
      // A deadline that is now: it cancels the body as a timeout does, and takes its request back.
      abort = () => scope.reschedule(Number.NEGATIVE_INFINITY);
      signal.addEventListener("abort", abort, { once: true });
      return body();
    });
  } catch (error) {
    // By now, a cancellation is one from outside.
    if (!signal.aborted || isCancelled(error)) throw error;
    if (!(error instanceof TimeoutError) && (error as { name?: unknown } | null)?.name !== "AbortError") {
      // The body's own, on its way out: the reason goes first.
      const task = current.task as Task<unknown>;
      task._loop.callExceptionHandler({ message: "Error in retry() while it was aborted", exception: error, task });
    }
    throw signal.reason;
  } finally {
    if (abort !== undefined) signal.removeEventListener("abort", abort);
  }
}
