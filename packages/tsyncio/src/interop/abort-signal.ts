/** AbortSignals both ways: waiting for one, running under one, and giving one to foreign code. */

import { isCancelled, unexpected } from "../base/errors.ts";
import { needTask } from "../flow/need-task.ts";
import { TimeoutScope } from "../flow/timeout.ts";
import { current, currentTask } from "../kernel/current.ts";
import { type Body, callBody, checkBody } from "../kernel/job.ts";
import { done, Op, type Operation, type Step } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import { Task } from "../kernel/task.ts";
import { isHeard, manyListeners } from "./builtin.ts";
import { checkSignal, watchSignal } from "./signal-watch.ts";

/**
 * Waits until a signal is aborted.
 *
 * However many wait for one signal, it gets a single listener, which goes when the last of them stops waiting.
 *
 * @returns the signal's reason.
 * @throws {TypeError} when `signal` is no AbortSignal, at once.
 *
 * **Suspends** unless the signal is aborted. **Cancel** ends the wait. **Source** replaces `addEventListener("abort", …)`.
 *
 * @example
 * ```ts
 * yield* fromSignal(AbortSignal.abort("closing time")); // => "closing time"
 * ```
 */
export function fromSignal(signal: AbortSignal): Operation<unknown> {
  checkSignal(signal, "fromSignal");
  return new Abortion(signal) as unknown as Operation<unknown>;
}

class Abortion extends Op<unknown> {
  declare readonly _signal: AbortSignal;
  declare _unwatch: (() => void) | null;

  constructor(signal: AbortSignal) {
    super();
    this._signal = signal;
    this._unwatch = null;
  }

  override _start(): Step<unknown> {
    if (this._signal.aborted) return done(this._signal.reason);
    this._unwatch = watchSignal(this._signal, () => this._wake());
    return this._wait();
  }

  override _resume(): Step<unknown> {
    return done(this._signal.reason);
  }

  override _abandon(): void {
    this._unwatch?.();
  }

  /** @internal */
  get _outside(): boolean {
    return true;
  }

  override describe(): string {
    return "an AbortSignal";
  }
}

/**
 * Runs a body that an AbortSignal may end: it is cancelled where it waits, its cleanup is awaited, and the signal's reason is
 * thrown, as `fetch` does. A body that ends with a result all the same keeps it.
 *
 * @param signal - Aborted already: the body does not run at all.
 * @param body - A `function*` or an async function.
 * @throws the signal's reason; {TypeError} when `signal` is no AbortSignal or `body` no function, at once.
 *
 * **Suspends** as the body does. **Cancel** goes to the body. **Source** as `timeout`, ended by a signal instead of a deadline.
 *
 * @example
 * ```ts
 * yield* abortable(AbortSignal.abort(new Error("too late")), () => sleep("1h")); // throws Error
 * yield* abortable(new AbortController().signal, () => sleep(1, "done")); // => "done"
 * ```
 */
export function abortable<T>(signal: AbortSignal, body: Body<[], T>): Operation<T> {
  checkSignal(signal, "abortable");
  checkBody(body, "abortable");
  return new UnderSignal(signal, body) as unknown as Operation<T>;
}

class UnderSignal<T> extends TimeoutScope<T> {
  declare readonly _signal: AbortSignal;
  declare readonly _run: Body<[], T>;
  declare _unwatch: () => void;

  constructor(signal: AbortSignal, body: Body<[], T>) {
    super("abortable", Number.POSITIVE_INFINITY, false);
    this._signal = signal;
    this._run = body;
    this._unwatch = () => {};
  }

  override _enter(): void {
    if (this._signal.aborted) throw this._signal.reason;
    super._enter();
    this._unwatch = watchSignal(this._signal, () => {
      // Whoever aborts it may be a task in the middle of its step, whose context stays what it is.
      const outer = current._context;
      this._scope?._expire();
      current._context = outer;
    });
  }

  override _body(): Coroutine<T> {
    return callBody(this._run);
  }

  override _leave(value: unknown): T {
    this._unwatch();
    return super._leave(value);
  }

  override _leaveBy(error: unknown): T {
    this._unwatch();
    throw this._scope?._exit(true) && isCancelled(error) ? this._signal.reason : error;
  }
}

/**
 * The signal that is aborted when a task is cancelled, for foreign APIs: `task.signal`, which any number may listen to without
 * a warning.
 *
 * Its `reason` is the CancelledError. When a cancellation has been taken back, as by a timeout that has ended, ask for a new one.
 *
 * @param task - The current task by default.
 * @throws {RuntimeError} outside of any task; {TypeError} when `task` is no Task.
 *
 * **Suspends** never.
 *
 * @example
 * ```ts
 * const task = createTask(sleep("1h"));
 * const signal = toSignal(task);
 * task.cancel("enough");
 * [signal.aborted, (signal.reason as Error).message]; // => [true, "enough"]
 * ```
 */
export function toSignal(task?: Task<unknown>): AbortSignal {
  if (task !== undefined && !(task instanceof Task)) throw unexpected("`task` of toSignal() to be a Task", task);
  return manyListeners((task ?? needTask(currentTask(), "toSignal()")).signal);
}

/** Ends the watches of those that were collected. */
const collected = new FinalizationRegistry<() => void>((unwatch) => unwatch());

/**
 * A signal that is aborted as soon as one of the given ones is, with its reason.
 *
 * It may be collected while the given signals live on, and leaves nothing behind in them then; but not while somebody listens to
 * it. (`AbortSignal.any` leaks in Node 20.)
 *
 * @param signals - Undefined ones are left out.
 * @throws {TypeError} when one of them is no AbortSignal.
 *
 * **Suspends** never. **Source** replaces `AbortSignal.any`.
 *
 * @example
 * ```ts
 * const stop = new AbortController();
 * const signal = anySignal([stop.signal, undefined]);
 * stop.abort("stopped");
 * signal.reason; // => "stopped"
 * ```
 */
export function anySignal(signals: Iterable<AbortSignal | undefined>): AbortSignal {
  if (typeof signals !== "object" || signals === null || !(Symbol.iterator in signals)) {
    throw unexpected("an array of AbortSignals for anySignal()", signals);
  }
  const given = [...signals].filter((each) => each !== undefined);
  for (const each of given) checkSignal(each, "anySignal");
  const aborted = given.find((each) => each.aborted);
  if (aborted !== undefined) return AbortSignal.abort(aborted.reason);
  const controller = new AbortController();
  const signal = manyListeners(controller.signal);
  // What the given signals hold: the new one only while somebody listens to it.
  const hold: Hold = { heard: null, weak: new WeakRef(controller) };
  keepWhileHeard(controller, hold);
  const unwatch = given.map((each) => watchSignal(each, () => end(hold, unwatchAll, each.reason)));
  function unwatchAll(): void {
    for (const each of unwatch) each();
  }
  collected.register(signal, unwatchAll, hold);
  return signal;
}

interface Hold {
  heard: AbortSignal | null;
  readonly weak: WeakRef<AbortController>;
}

function end(hold: Hold, unwatchAll: () => void, reason: unknown): void {
  unwatchAll();
  collected.unregister(hold);
  hold.weak.deref()?.abort(reason);
  hold.heard = null;
}

const controllers = new WeakMap<AbortSignal, AbortController>();

/** The signal keeps its controller; a listener keeps the signal. */
function keepWhileHeard(controller: AbortController, hold: Hold): void {
  const { signal } = controller;
  controllers.set(signal, controller);
  const { addEventListener, removeEventListener } = signal;
  const overridden = {
    addEventListener(...args: unknown[]): void {
      Reflect.apply(addEventListener, signal, args);
      if (args[0] === "abort") hold.heard = signal;
    },
    removeEventListener(...args: unknown[]): void {
      Reflect.apply(removeEventListener, signal, args);
      // Where the platform cannot tell who listens, it is kept for as long as the given signals are.
      if (isHeard(signal) === false) hold.heard = null;
    },
  };
  for (const [name, value] of Object.entries(overridden)) {
    Object.defineProperty(signal, name, { value, configurable: true, writable: true });
  }
}
