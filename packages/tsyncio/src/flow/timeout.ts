/** Deadlines for a piece of code. Mirrors asyncio/timeouts.py. */

import { type Duration, millisecondsOrNever } from "../base/duration.ts";
import { ExceptionGroup, isCancelled, RuntimeError, show, TimeoutError } from "../base/errors.ts";
import { current } from "../kernel/current.ts";
import type { Handle } from "../kernel/handle.ts";
import { type Body, callBody, checkBody } from "../kernel/job.ts";
import { type Operation, operation } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";
import { needTask } from "./create-task.ts";

// STATE  created ──enter──▶ active ──deadline──▶ expiring ──exit──▶ expired
//                             └──────────exit──────────────────────▶ finished
type State = "created" | "active" | "expiring" | "expired" | "finished";

/** A deadline for the body that runs under it; `timeout` and `timeoutAt` hand it to the body. **Source** `asyncio.Timeout`. */
export class Timeout {
  #when: number;
  #state: State = "created";
  #task: Task<unknown> | null = null;
  #timer: Handle | null = null;
  /** Requests to cancel that the task had when the body began: those are not ours to take back. */
  #cancelling = 0;
  /** How many shielded regions it lies in: those do not protect its body from it. */
  #level = 0;

  /** @internal */
  constructor(when: number) {
    this.#when = when;
  }

  /** The deadline on the loop's clock, in milliseconds; Infinity when there is none. */
  when(): number {
    return this.#when;
  }

  /**
   * Moves the deadline.
   *
   * @param when - Loop time in milliseconds; past means now; Infinity or null means never.
   * @throws {RuntimeError} when the body is not running, or its time is over already.
   */
  reschedule(when: number | null): void {
    if (this.#state !== "active") {
      throw new RuntimeError(`Cannot reschedule the timeout: it is ${this.#state}, not active`);
    }
    if (when !== null && (typeof when !== "number" || Number.isNaN(when))) {
      throw new RangeError(`Expected \`when\` to be a loop time in milliseconds or null, got ${show(when)}`);
    }
    this.#when = when ?? Number.POSITIVE_INFINITY;
    this.#timer?.cancel();
    const { _loop: loop } = this.#task as Task<unknown>;
    if (this.#when === Number.POSITIVE_INFINITY) this.#timer = null;
    else if (this.#when <= loop.time()) this.#timer = loop.callSoon(() => this.#expire());
    else this.#timer = loop.callAt(this.#when, () => this.#expire());
  }

  /** Whether the deadline has passed while the body ran. */
  expired(): boolean {
    return this.#state === "expiring" || this.#state === "expired";
  }

  /** @internal */
  _enter(): void {
    this.#task = needTask(current.task, "a timeout");
    this.#cancelling = this.#task._cancels;
    this.#level = this.#task._shields();
    this.#state = "active";
    this.reschedule(this.#when);
  }

  /** @internal Ends it; returns whether an error of the body is this timeout's own doing. */
  _exit(threw: boolean): boolean {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#state === "expiring") {
      this.#state = "expired";
      const task = this.#task as Task<unknown>;
      task._uncancel();
      // At the old count, nobody else has asked for a cancellation meanwhile, so the error stops here.
      return task._cancels <= this.#cancelling && threw;
    }
    this.#state = "finished";
    return false;
  }

  /** @internal Ends it after an error of the body; returns the error to go on with. */
  _explain(error: unknown, limit: string): unknown {
    if (!this._exit(true)) return error;
    if (isCancelled(error)) return new TimeoutError(`the time limit of ${limit} passed`, { cause: error, scope: this });
    noteTimeout(error, this);
    return error;
  }

  #expire(): void {
    this.#state = "expiring";
    this.#timer = null;
    (this.#task as Task<unknown>)._cancelFrom(this.#level);
  }

  toString(): string {
    const when = this.#state === "active" ? ` when=${this.#when}` : "";
    return `<Timeout [${this.#state}]${when}>`;
  }
}

/**
 * Runs a body; if it is not done in time, cancels it and throws a TimeoutError.
 *
 * @param duration - How long; Infinity, undefined or null means no limit; ≤ 0 expires at the body's first wait.
 * @param body - A `function*` or an async function; gets the scope, to look at or move the deadline.
 * @throws {TimeoutError} when the time is over, after the body has cleaned up; its `scope` is the scope.
 *
 * **Suspends** as the body does. **Cancel** goes to the body. **Source** asyncio/timeouts.py `timeout`.
 *
 * @example
 * ```ts
 * yield* timeout("1s", function* () {
 *   yield* sleep("1ms");
 *   return "in time";
 * }); // => "in time"
 * ```
 */
export function timeout<T>(duration: Duration | undefined | null, body: Body<[scope: Timeout], T>): Operation<T> {
  const delay = millisecondsOrNever(duration, "duration");
  checkBody(body, "timeout");
  return operation(underTimeout(delay, false, body), "timeout");
}

/**
 * As {@link timeout}, with the deadline as a time on the loop's clock (`loop.time()`, milliseconds).
 *
 * **Suspends** as the body does. **Cancel** goes to the body. **Source** asyncio/timeouts.py `timeout_at`.
 *
 * @example
 * ```ts
 * yield* timeoutAt(getRunningLoop().time() + 1000, () => sleep(1, "in time")); // => "in time"
 * ```
 */
export function timeoutAt<T>(when: number | undefined | null, body: Body<[scope: Timeout], T>): Operation<T> {
  const at = millisecondsOrNever(when, "when");
  checkBody(body, "timeoutAt");
  return operation(underTimeout(at, true, body), "timeoutAt");
}

function* underTimeout<T>(time: number, absolute: boolean, body: Body<[scope: Timeout], T>): Coroutine<T> {
  const scope = new Timeout(absolute ? time : deadline(time));
  scope._enter();
  let result: T;
  try {
    result = yield* callBody(body, scope);
  } catch (error) {
    throw scope._explain(error, absolute ? `loop time ${time}` : `${time} ms`);
  }
  scope._exit(false);
  return result;
}

/** @internal The loop time that lies so many milliseconds ahead. */
export function deadline(delay: number): number {
  return delay === Number.POSITIVE_INFINITY ? delay : needTask(current.task, "a timeout")._loop.time() + delay;
}

/**
 * An error that the body raised when it was told to stop keeps its place, and remembers the timeout at the end of its causes;
 * so does each error of a group.
 */
function noteTimeout(error: unknown, scope: Timeout): void {
  const noted: unknown[] = error instanceof ExceptionGroup ? [error, ...error.errors] : [error];
  for (let last of noted) {
    const seen = new Set<unknown>();
    while (last instanceof Error && last.cause instanceof Error && !seen.has(last) && !isCancelled(last.cause)) {
      seen.add(last);
      last = last.cause;
    }
    if (last instanceof Error && !isCancelled(last) && Object.isExtensible(last)) {
      last.cause = new TimeoutError("the time limit passed while this error was on its way", { cause: last.cause, scope });
    }
  }
}

/**
 * Runs a body and moves on when the time is over: a timeout without an error.
 *
 * @param duration - As for {@link timeout}.
 * @returns `timedOut`, and the body's `value` (undefined when the body was cut short).
 *
 * **Suspends** as the body does. **Cancel** goes to the body. **Source** trio's `move_on_after`.
 *
 * @example
 * ```ts
 * yield* moveOnAfter("1ms", function* () { yield* sleep("1h"); }); // => { timedOut: true, value: undefined }
 * ```
 */
export function moveOnAfter<T>(
  duration: Duration | undefined | null,
  body: Body<[scope: Timeout], T>,
): Operation<{ timedOut: boolean; value: T | undefined }> {
  const delay = millisecondsOrNever(duration, "duration");
  checkBody(body, "moveOnAfter");
  return operation(movingOn(delay, body), "moveOnAfter");
}

function* movingOn<T>(delay: number, body: Body<[scope: Timeout], T>): Coroutine<{ timedOut: boolean; value: T | undefined }> {
  const scope = new Timeout(deadline(delay));
  scope._enter();
  let value: T;
  try {
    value = yield* callBody(body, scope);
  } catch (error) {
    if (scope._exit(true) && isCancelled(error)) return { timedOut: true, value: undefined };
    throw error;
  }
  scope._exit(false);
  return { timedOut: false, value };
}
