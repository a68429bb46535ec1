/** Deadlines for a piece of code. Mirrors asyncio/timeouts.py. */

import { type Duration, millisecondsOrNever, NEVER } from "../base/duration.ts";
import { ExceptionGroup, isCancelled, RuntimeError, show, TimeoutError } from "../base/errors.ts";
import { valuesOf } from "../kernel/context.ts";
import { Scope } from "../kernel/coroutine.ts";
import { current } from "../kernel/current.ts";
import { type Body, callBody, checkBody } from "../kernel/job.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";
import type { TimerEntry } from "../kernel/timers.ts";
import { needTask } from "./need-task.ts";

// STATE  created ──enter──▶ active ──deadline──▶ expiring ──exit──▶ expired
//                             └──────────exit──────────────────────▶ finished
type State = "created" | "active" | "expiring" | "expired" | "finished";

/** A deadline for the body that runs under it; `timeout` and `timeoutAt` hand it to the body. **Source** `asyncio.Timeout`. */
export class Timeout {
  /** @internal */
  declare _when: number;
  /** @internal */
  declare _state: State;
  /** @internal */
  declare _task: Task<unknown> | null;
  /** @internal */
  declare _deadline: Deadline | null;
  /** @internal Requests to cancel that the task had when the body began: those are not ours to take back. */
  declare _cancelling: number;
  /** @internal How many shielded regions it lies in: those do not protect its body from it. */
  declare _level: number;

  /** @internal */
  constructor() {
    this._when = NEVER;
    this._state = "created";
    this._task = null;
    this._deadline = null;
    this._cancelling = 0;
    this._level = 0;
  }

  /** The deadline on the loop's clock, in milliseconds; Infinity when there is none. */
  when(): number {
    return this._when;
  }

  /**
   * Moves the deadline.
   *
   * @param when - Loop time in milliseconds; past means now; Infinity or null means never.
   * @throws {RuntimeError} when the body is not running, or its time is over already.
   */
  reschedule(when: number | null): void {
    if (this._state !== "active") {
      throw new RuntimeError(`Cannot reschedule the timeout: it is ${this._state}, not active`);
    }
    if (when !== null && (typeof when !== "number" || Number.isNaN(when))) {
      throw new RangeError(`Expected \`when\` to be a loop time in milliseconds or null, got ${show(when)}`);
    }
    this._forget();
    this._arm(when ?? NEVER, (this._task as Task<unknown>)._loop.time());
  }

  /** @internal */
  _arm(when: number, now: number): void {
    this._when = when;
    if (when === NEVER) return;
    const { _loop: loop } = this._task as Task<unknown>;
    this._deadline = new Deadline(this);
    if (when > now) loop._schedule(when, this._deadline);
    else loop._enqueue(this._deadline);
  }

  /** Whether the deadline has passed while the body ran. */
  expired(): boolean {
    return this._state === "expiring" || this._state === "expired";
  }

  /** @internal Begins, with a time limit or a deadline. */
  _enter(time: number, absolute: boolean): void {
    const task = needTask(current.task, "a timeout");
    this._task = task;
    this._cancelling = task._cancels;
    this._level = task._shields();
    this._state = "active";
    // PERF  the clock costs more than all the rest: without a limit it is not read.
    if (time === NEVER) return;
    const now = task._loop.time();
    this._arm(absolute ? time : now + time, now);
  }

  /** @internal Ends it; returns whether an error of the body is this timeout's own doing. */
  _exit(threw: boolean): boolean {
    this._forget();
    if (this._state === "expiring") {
      this._state = "expired";
      const task = this._task as Task<unknown>;
      task._uncancel();
      // At the old count, nobody else has asked for a cancellation meanwhile, so the error stops here.
      return task._cancels <= this._cancelling && threw;
    }
    this._state = "finished";
    return false;
  }

  /** @internal Ends it after an error of the body; returns the error to go on with. */
  _explain(error: unknown, limit: string): unknown {
    if (!this._exit(true)) return error;
    if (isCancelled(error)) return new TimeoutError(`the time limit of ${limit} passed`, { cause: error, scope: this });
    noteTimeout(error, this);
    return error;
  }

  /** @internal */
  _expire(): void {
    this._state = "expiring";
    this._deadline = null;
    const task = this._task as Task<unknown>;
    // Whoever listens to the task's signal is called in the task's context.
    current._context = valuesOf(task._self()._context);
    if (task._ambient === null) task._cancelFrom(this._level);
    else task._ambient(() => task._cancelFrom(this._level));
    current._context = null;
  }

  /** @internal */
  _forget(): void {
    const deadline = this._deadline;
    if (deadline === null) return;
    this._deadline = null;
    deadline.scope = null;
    (this._task as Task<unknown>)._loop._timerCancelled();
  }

  toString(): string {
    const when = this._state === "active" ? ` when=${this._when}` : "";
    return `<Timeout [${this._state}]${when}>`;
  }
}

/** The timer of a timeout: an entry of its own for each time that the deadline is set. */
class Deadline implements TimerEntry {
  declare scope: Timeout | null;

  constructor(scope: Timeout) {
    this.scope = scope;
  }

  cancelled(): boolean {
    return this.scope === null;
  }

  _run(): void {
    this.scope?._expire();
  }

  toString(): string {
    return String(this.scope);
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
  return new Limited("timeout", delay, false, body) as unknown as Operation<T>;
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
  return new Limited("timeoutAt", at, true, body) as unknown as Operation<T>;
}

/** A body under a deadline. */
export abstract class TimeoutScope<T> extends Scope<T> {
  /** @internal */
  declare readonly _time: number;
  /** @internal */
  declare readonly _absolute: boolean;
  /** @internal */
  declare _scope: Timeout | null;

  constructor(label: string, time: number, absolute: boolean) {
    super(label);
    this._time = time;
    this._absolute = absolute;
    this._scope = null;
  }

  override _enter(): void {
    this._scope = new Timeout();
    this._scope._enter(this._time, this._absolute);
  }

  override _leave(value: unknown): T {
    this._scope?._exit(false);
    return value as T;
  }

  override _leaveBy(error: unknown): T {
    throw this._scope?._explain(error, this._absolute ? `loop time ${this._time}` : `${this._time} ms`);
  }
}

class Limited<T, B = T> extends TimeoutScope<T> {
  declare readonly _run: Body<[scope: Timeout], B>;

  constructor(label: string, time: number, absolute: boolean, body: Body<[scope: Timeout], B>) {
    super(label, time, absolute);
    this._run = body;
  }

  override _body(): Coroutine<B> {
    return callBody(this._run, this._scope as Timeout);
  }
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
  return new MovingOn("moveOnAfter", delay, false, body) as unknown as Operation<{ timedOut: boolean; value: T | undefined }>;
}

class MovingOn<T> extends Limited<{ timedOut: boolean; value: T | undefined }, T> {
  override _leave(value: unknown): { timedOut: boolean; value: T | undefined } {
    super._leave(undefined);
    return { timedOut: false, value: value as T };
  }

  override _leaveBy(error: unknown): { timedOut: boolean; value: T | undefined } {
    if (this._scope?._exit(true) && isCancelled(error)) return { timedOut: true, value: undefined };
    throw error;
  }
}
