/**
 * A task drives a coroutine or an async function. Mirrors asyncio/tasks.py `Task`.
 *
 * The file is the state machine whole: start, step, suspend, wake, cancel, end.
 */

import { CancelledError, falsyError, isCancelled, RuntimeError, show } from "../base/errors.ts";
import type { Linked } from "../base/linked-list.ts";
import { Context, type ContextSlot, captureContext } from "./context.ts";
import { current, runningTask } from "./current.ts";
import { adoptSegment, type Frame } from "./frames.ts";
import { CANCELLED, FAILED, FINISHED, Future, PENDING } from "./future.ts";
import type { Runnable } from "./handle.ts";
import type { Ambient, Location } from "./host.ts";
import type { EventLoop } from "./loop.ts";
import { PromiseWait } from "./promise-wait.ts";
import type { Coroutine } from "./suspended.ts";
import { ARMED, MUST_CANCEL, RETRIEVED, WAS_CANCELLED } from "./task-flags.ts";

/** What a task can be made of. */
export type TaskBody<T> = Coroutine<T> | (() => Coroutine<T> | PromiseLike<T> | T);

export interface TaskOptions {
  /** Shown in messages, dumps and graphs; `Task-1`, `Task-2`, … by default. */
  readonly name?: string | undefined;
  /** The Context to run in; by default a copy of the current one. */
  readonly context?: Context | undefined;
  /** Whether the first step runs at once, inside the call that makes the task. False by default. */
  readonly eager?: boolean | undefined;
}

/** What few tasks need; kept apart, since each field costs every task eight bytes. */
interface Rare {
  controller: AbortController | null;
  /** Library operations that the task's async function awaits right now. */
  readonly waits: Set<Task<unknown>>;
  cancelMessage: string | undefined;
  /** How many `shielded` regions it is in. */
  shields: number;
  /** Requests that wait for the end of a region; each is due when the task is in no more than `level` regions. */
  deferred: { readonly level: number; readonly message: string | undefined }[];
}

const DECIDES = "Cannot set the outcome of a task; use a Future";

/** Marks the generators that a task has taken, so that none is driven twice. */
const TAKEN: unique symbol = Symbol("tsyncio.taken");

const GeneratorFunction = Object.getPrototypeOf(function* () {}).constructor as FunctionConstructor;

let made = 0;

/**
 * Runs a coroutine or an async function concurrently with other tasks. Made by `createTask`.
 *
 * A Future of its result: `yield*` or `await` it. The loop holds it until it is done, so that no running task is ever collected.
 *
 * **Source** asyncio/tasks.py `Task`.
 */
export class Task<T> extends Future<T> implements Runnable, Linked<Task<unknown>> {
  // STATE  exactly one of these holds for a task that is not done:
  //   ready    stands in the loop's ready queue; `_waiter` is null or what it was woken by
  //   waiting  `_waiter` is what it waits for, and has the task in its list
  //   running  `current.task` is it; `_waiter` is null
  /** @internal */
  declare _waiter: Future<unknown> | null;
  /** @internal The outermost coroutine; before the first step of an async function, the function. */
  declare _root: TaskBody<T>;
  /** @internal The innermost wrapped coroutine, which is resumed directly; null: resume the root. */
  declare _leaf: Frame | null;
  /** @internal */
  declare _context: ContextSlot;
  /** @internal The platform's ambient state to run in; null: the loop's. */
  declare _ambient: Ambient | null;
  /** @internal A given name, or the N of `Task-N`. */
  declare _name: string | number;
  /** A number that no other task of the process has. */
  declare readonly id: number;
  /** The `id` of the task that made this one; 0 when none did. (The id alone: a chain of tasks must not keep its ancestors alive.) */
  declare readonly parentId: number;
  /** @internal Requests to cancel, less those taken back by `uncancel()` and those that a shielded region keeps back. */
  declare _cancels: number;
  /** @internal */
  declare _rare: Rare | null;
  /** @internal */
  declare _previous: Task<unknown> | null;
  /** @internal */
  declare _next: Task<unknown> | null;

  /**
   * @param body - A coroutine, or a function that returns one or is async.
   * @param options - As for `createTask`; `loop`: the one to run in, by default the running one.
   * @throws {RuntimeError} when the coroutine was driven before.
   */
  constructor(body: TaskBody<T>, options?: TaskOptions & { readonly loop?: EventLoop | undefined }, _loop?: EventLoop) {
    // PERF  the loop comes by itself: to spread it into the options would cost more than the task.
    super(_loop === undefined ? options : _loop._option);
    const parent = runningTask();
    // Before the coroutine is taken: what is given as name may throw.
    this._name = options?.name === undefined ? ++this._loop._unnamed : String(options.name);
    this._root = take(body);
    this._waiter = null;
    this._leaf = null;
    this._context = options?.context ?? captureContext();
    this._ambient = this._loop._ambientOfCaller();
    this.id = ++made;
    this.parentId = parent === null ? 0 : parent._self().id;
    this._cancels = 0;
    this._rare = null;
    this._previous = null;
    this._next = null;
    this._begin(options?.eager === true);
  }

  /** @internal Enters the loop's books and runs or schedules the first step. */
  _begin(eager: boolean): void {
    this._loop._tasks.push(this as Task<unknown>);
    current.probe?.created(this as Task<unknown>);
    if (eager && this._loop.isRunning()) {
      this._loop._stepNow(this as Task<unknown>);
      // As asyncio has it: what was over at once never shows its coroutine.
      if (this.done()) this._root = null as never;
    } else this._loop._enqueue(this);
  }

  /** The name that messages and dumps show. */
  get name(): string {
    return typeof this._name === "number" ? `Task-${this._name}` : this._name;
  }

  set name(name: string) {
    this._name = String(name);
  }

  /** What it runs: the coroutine, or the function before it has started; null when it was done as soon as it was made. */
  getCoro(): TaskBody<T> | null {
    return this._root;
  }

  /** The Context that it runs in. */
  getContext(): Context {
    if (!(this._context instanceof Context)) {
      // From now on the context has an identity that both sides share.
      const context = new Context();
      context._values = this._context;
      if (current.task?._self() === (this as unknown)) current.context = context;
      this._context = context;
    }
    return this._context;
  }

  /** @throws {RuntimeError} always: a task's result is what its coroutine returns. */
  override setResult(_value: T): never {
    throw new RuntimeError(DECIDES);
  }

  /** @throws {RuntimeError} always: a task's error is what its coroutine throws. */
  override setException(_error: unknown): never {
    throw new RuntimeError(DECIDES);
  }

  /**
   * Requests the task to stop: a CancelledError is thrown where it waits, in the next turn.
   *
   * The task may clean up first, and may refuse by catching the error. In an async function all library operations that are
   * being awaited reject, and `signal` is aborted. Inside `shielded` the request is kept until the region ends.
   *
   * @param message - Becomes the message of the CancelledError.
   * @returns false when the task is done already.
   *
   * **Suspends** never. **Source** asyncio/tasks.py `Task.cancel`.
   */
  override cancel(message?: string): boolean {
    // A chain of tasks that await each other is followed in a loop: it may be longer than the stack.
    let task: Task<unknown> = this as Task<unknown>;
    for (;;) {
      const inner = task._waiter;
      if (!(inner instanceof Task) || inner.done() || task._rare !== null || inner.cancel !== this.cancel) break;
      task._cancels++;
      current.probe?.cancelled(task);
      task = inner;
    }
    return task._cancelFrom(0, message) || task !== (this as Task<unknown>);
  }

  /** @internal A request that comes from inside of `level` shielded regions; only regions inside of those keep it back. */
  _cancelFrom(level: number, message?: string): boolean {
    if (this.done()) {
      this._retrieved();
      return false;
    }
    current.probe?.cancelled(this as Task<unknown>);
    const rare = this._rare;
    if (rare !== null && rare.shields > level) rare.deferred.push({ level, message });
    else {
      this._cancels++;
      this._deliverCancel(message);
    }
    return true;
  }

  /** @internal Interrupts what is being waited for; if nothing is, leaves word for the next suspension. */
  _deliverCancel(message: string | undefined): void {
    let delivered = this._waiter?._interrupt(message) ?? false;
    const rare = this._rare;
    if (rare !== null) {
      for (const wait of this._inner()) delivered = wait.cancel(message) || delivered;
      if (rare.controller !== null) {
        // A foreign API that listens ends its wait; it must not get the cancellation a second time in its cleanup.
        delivered ||= this._loop._host.isHeard(rare.controller.signal);
        this._flags |= WAS_CANCELLED;
        rare.controller.abort(new CancelledError(message));
      }
    }
    // A request that is still to be delivered goes along with this one.
    this._flags = delivered ? this._flags & ~MUST_CANCEL : this._flags | MUST_CANCEL;
    for (let task = delivered ? null : (this as Task<unknown>); task !== null; task = task._outer()) {
      if (message !== undefined || task._rare !== null) task._rarely().cancelMessage = message;
    }
  }

  /** The number of requests to cancel that were not taken back by `uncancel()`. **Source** `Task.cancelling`. */
  cancelling(): number {
    const scope = this._scope();
    // An operation that its async function awaits has what was requested of the task, and what it requested itself.
    return Math.max(scope._requests(), ...scope._inner().map((wait) => wait.cancelling()));
  }

  /** @internal */
  _requests(): number {
    return this._cancels + (this._rare?.deferred.length ?? 0);
  }

  /** @internal The operations that its async function awaits. */
  _inner(): Task<unknown>[] {
    return [...(this._rare?.waits ?? [])];
  }

  /**
   * Takes one request to cancel back; for code that has caught its own cancellation, as `timeout` does.
   *
   * @returns the number of requests left. At 0, one that was not delivered yet never will be, and `signal` is a fresh one.
   *
   * **Source** asyncio/tasks.py `Task.uncancel`.
   */
  uncancel(): number {
    const scope = this._scope();
    if (scope._inner().map((wait) => wait.uncancel()).length === 0) scope._uncancel();
    return this.cancelling();
  }

  /** @internal Takes one request back: one that was made here, if there is any. */
  _uncancel(): void {
    const rare = this._rare;
    if (this._cancels > 0) this._cancels--;
    else rare?.deferred.pop();
    if (this._cancels === 0) {
      this._flags &= ~MUST_CANCEL;
      if (rare?.controller?.signal.aborted) rare.controller = null;
    }
    // What was requested of the owner was requested of its operations, too; if fewer are left here, it was one of those.
    const outer = this._outer();
    if (outer !== null && outer._requests() > this._requests()) outer._uncancel();
  }

  /**
   * Aborted when the task is cancelled: hand it to foreign APIs, as in `fetch(url, { signal: task.signal })`.
   *
   * Made when first asked for. Its `reason` is the CancelledError.
   */
  get signal(): AbortSignal {
    const scope = this._scope();
    const rare = scope._rarely();
    if (rare.controller === null) {
      rare.controller = new AbortController();
      if (scope._cancels > 0) rare.controller.abort(new CancelledError(rare.cancelMessage));
    }
    return rare.controller.signal;
  }

  /**
   * Waits until the task has ended, however it ended; never throws the task's own outcome.
   *
   * **Suspends** until the task is done. **Cancel** of the waiting task leaves this task alone.
   *
   * @example
   * ```ts
   * const task = createTask(function* () { throw new Error("lost"); });
   * yield* task.join(); // => undefined
   * task.exception(); // the error; looked at, so not reported as lost
   * ```
   */
  join(): Future<void> {
    const ended = new Future<void>(this._loop._option);
    ended._source = { describe: () => `end of ${this.name}`, holders: () => [this as Task<unknown>] };
    const end = (): void => {
      this._retrieved();
      if (!ended.done()) ended.setResult();
    };
    this.addDoneCallback(end);
    // Whoever stops waiting leaves nothing behind in a task that lives long.
    ended.addDoneCallback(() => this.removeDoneCallback(end));
    return ended;
  }

  /**
   * Cancels the task and waits until it has really ended; never throws the task's own outcome.
   *
   * **Suspends** until the task is done. **Cancel** of the waiting task is its own: it is never mistaken for this one's.
   */
  cancelAndWait(message?: string): Future<void> {
    this.cancel(message);
    return this.join();
  }

  /**
   * The suspended calls, outermost first, each with its place in the source where the platform can tell; in browsers, after
   * `installDebugTools()`.
   */
  getStack(): Location[] {
    return current.debugTools?.stackOf(this as Task<unknown>) ?? [];
  }

  /** Reports the stack and what the task waits for, as text, through the host (stderr on Node) or to `write`. */
  printStack(write: (text: string) => void = (text) => this._loop._host.report(text)): void {
    write(current.debugTools?.formatStack(this as Task<unknown>) ?? String(this));
  }

  /** What it waits for, in words; undefined while it is ready, running or done. */
  get waitingFor(): string | undefined {
    return this.done() ? undefined : this._waits()[0]?.describe();
  }

  /** @internal All that it waits for: one thing in a coroutine, any number in an async function. */
  _waits(): Future<unknown>[] {
    const inner = this._inner().flatMap((wait) => wait._waits());
    const outer = this._waiter;
    // The wait for an async body is only the shell around what the body waits for.
    return outer === null || (outer instanceof PromiseWait && inner.length > 0) ? inner : [outer, ...inner];
  }

  /** @internal The task that the user knows: itself, except for the operations that an async function awaits. */
  _self(): Task<unknown> {
    return this as Task<unknown>;
  }

  /** @internal What that is a part of; null for a task by itself. */
  _outer(): Task<unknown> | null {
    return null;
  }

  /** @internal In the body of an operation that this task's async function awaits, that operation; else the task itself. */
  _scope(): Task<unknown> {
    const inner = runningTask();
    return inner?._self() === (this as unknown) ? (inner as Task<unknown>) : (this as Task<unknown>);
  }

  /** @internal */
  _rarely(): Rare {
    this._rare ??= { controller: null, waits: new Set(), cancelMessage: undefined, shields: 0, deferred: [] };
    return this._rare;
  }

  /** @internal */
  _shields(): number {
    return this._rare?.shields ?? 0;
  }

  /** @internal */
  _cancelMessage(): string | undefined {
    return this._rare?.cancelMessage;
  }

  /** @internal */
  _signalAborted(): boolean {
    return this._rare?.controller?.signal.aborted ?? false;
  }

  /** @internal A step: called by the loop when the task's turn in the ready queue comes. */
  _run(): void {
    if (this._ambient === null) step(this as Task<unknown>);
    else this._ambient(() => step(this as Task<unknown>));
  }

  /** @internal Throws an error into the task at its next step. */
  _throwSoon(error: unknown): void {
    this._waiter = settled(this._loop, FAILED, error);
    this._loop._enqueue(this);
  }

  /** @internal The coroutine returned. */
  _ended(value: unknown): void {
    // It cancelled itself and never waited again: cancelled, as asyncio has it.
    if ((this._flags & MUST_CANCEL) !== 0) this._close(CANCELLED, this._cancelMessage());
    else {
      if (this._loop._debug && this._cancels > 0 && (this._flags & WAS_CANCELLED) !== 0)
        current.debugTools?.swallowed(this as Task<unknown>);
      this._close(FINISHED, value);
    }
  }

  /** @internal The coroutine threw. */
  _threw(error: unknown): void {
    if (isCancelled(error)) this._close(CANCELLED, error);
    else this._close(FAILED, error ? error : falsyError(`Task "${this.name}"`, error));
  }

  /** @internal */
  _close(state: number, outcome: unknown): void {
    this._loop._tasks.remove(this as Task<unknown>);
    this._leaf = null;
    this._settle(state, outcome);
    current.probe?.finished(this as Task<unknown>);
  }

  #where(): string {
    const origin = this._origin();
    return origin === undefined ? "" : ` created at ${origin}`;
  }

  override describe(): string {
    return `Task ${this.name}`;
  }

  override holders(): Iterable<Task<unknown>> {
    return [this as Task<unknown>];
  }

  override toString(): string {
    const state = this._state === PENDING && this._cancels > 0 ? "cancelling" : this._stateText();
    const waits = this._state === PENDING && this._waiter !== null ? ` wait_for=<${this._waiter.describe()}>` : "";
    return `<Task ${state} name='${this.name}'${waits}${this.#where()}>`;
  }

  override get [Symbol.toStringTag](): string {
    return "Task";
  }
}

/** Runs one step of a task: from where it waits to where it waits next, or to its end. */
export function step(task: Task<unknown>): void {
  if (task.done()) return;
  const self = task._self();
  const outerTask = current.task;
  const outerContext = current.context;
  current.task = task;
  current.context = self._context;
  const probe = current.probe;
  if (probe !== null) probe.stepping(self);

  const waiter = task._waiter;
  task._waiter = null;
  let failed = false;
  let error: unknown;
  // The end of an async body is no wait of the library's: a cancellation that is due stays so until the next one that is.
  if ((task._flags & MUST_CANCEL) !== 0 && !(waiter instanceof PromiseWait)) {
    failed = true;
    error = cancellation(task, waiter);
  } else if (waiter?._failed()) {
    failed = true;
    error = waiter._takeError();
  }

  if (failed && isCancelled(error)) self._flags |= WAS_CANCELLED;

  let frame = task._leaf;
  let coroutine = coroutineOf(task, frame);
  for (;;) {
    let result: IteratorResult<unknown, unknown>;
    let ended: boolean;
    try {
      // Before the first step of a function, there is no coroutine yet. A task that is cancelled by then never calls it.
      if (typeof coroutine === "function" && !failed) coroutine = task._root = call(task, coroutine) as Coroutine<unknown>;
      if (failed) {
        failed = false;
        if (typeof coroutine === "function") throw error;
        result = coroutine.throw(error);
      } else result = coroutine.next();
      ended = result.done === true;
    } catch (caught) {
      const thrown = explain(error, caught);
      if (frame === null) {
        leave(self, outerTask, outerContext);
        task._threw(thrown);
        break;
      }
      frame._abort(thrown);
      frame = frame._caller;
      coroutine = coroutineOf(task, frame);
      continue;
    }
    if (ended) {
      if (frame === null) {
        leave(self, outerTask, outerContext);
        task._ended(result.value);
        break;
      }
      frame._complete(result);
      frame = frame._caller;
      coroutine = coroutineOf(task, frame);
      continue;
    }
    task._leaf = adoptSegment(frame, result);
    try {
      suspend(task, result.value);
    } catch (unforeseen) {
      // What was yielded is foreign: even to look at it may throw.
      task._throwSoon(unforeseen);
    }
    leave(self, outerTask, outerContext);
    break;
  }
  if (probe !== null) probe.stepped(self);
}

/** What a resume goes to: the leaf of the wrapped calls, or the root where there is none. */
function coroutineOf(task: Task<unknown>, frame: Frame | null): Generator<unknown, unknown, unknown> {
  return frame === null ? (task._root as Coroutine<unknown>) : frame._generator;
}

function leave(self: Task<unknown>, outerTask: Task<unknown> | null, outerContext: ContextSlot): void {
  self._context = current.context;
  current.task = outerTask;
  current.context = outerContext;
}

/** Parks the task on what it yielded. */
function suspend(task: Task<unknown>, yielded: unknown): void {
  if (yielded instanceof Future && (yielded._flags & ARMED) !== 0) {
    const error = yielded._park(task);
    if (error !== null) {
      task._throwSoon(error);
      return;
    }
    task._waiter = yielded;
    current.probe?.waits(task._self(), yielded);
    // It was cancelled while it ran, so what it waits for now is cancelled at once.
    if ((task._flags & MUST_CANCEL) !== 0 && yielded._interrupt(task._cancelMessage())) task._flags &= ~MUST_CANCEL;
  } else if (yielded === undefined) {
    task._loop._enqueue(task);
    current.probe?.waits(task._self(), null);
  } else task._throwSoon(badYield(task, yielded));
}

/** The error for a step with a cancellation due. The cancellation that the wait itself ended with goes first, as in asyncio. */
function cancellation(task: Task<unknown>, waiter: Future<unknown> | null): unknown {
  task._flags &= ~MUST_CANCEL;
  if (waiter?._failed()) {
    if (waiter._state === FAILED && !isCancelled(waiter._outcome)) {
      // Its error is not going to be seen here; if nobody else looks at it either, it must be reported.
      if ((waiter._flags & RETRIEVED) === 0) waiter._loop._failures.note(waiter);
    } else {
      const error = waiter._takeError();
      if (isCancelled(error)) return error;
    }
  }
  return new CancelledError(task._cancelMessage());
}

/** Calls the function that a task was made of, and gives the coroutine to drive. */
function call(task: Task<unknown>, fn: () => unknown): unknown {
  const made = isGeneratorFunction(fn) ? fn() : asAsyncFunctionOf(task, fn);
  if (isCoroutine(made)) return take(made);
  if (isPromiseLike(made)) {
    return made instanceof Future ? made : new PromiseWait(made, task._loop);
  }
  return settled(task._loop, FINISHED, made);
}

/** Calls a function so that, after its `await`s, it is still known to belong to the task. */
export function asAsyncFunctionOf<R>(task: Task<unknown>, fn: () => R): R {
  if (current.asyncTask === null) {
    current.asyncTask = task._loop._host.createAsyncLocal<Task<unknown>>();
    if (current.asyncTask === null) return fn();
  }
  return current.asyncTask.run(task, fn);
}

/** Tells whether calling it runs no code of its body: a `function*`, or one wrapped by `coroutine()`. */
export function isGeneratorFunction(fn: unknown): boolean {
  return fn instanceof GeneratorFunction || (fn as { [MAKES_COROUTINE]?: boolean } | null)?.[MAKES_COROUTINE] === true;
}

/** Marks what `coroutine()` returns. */
export const MAKES_COROUTINE: unique symbol = Symbol("tsyncio.makesCoroutine");

/**
 * Tells whether a value is a coroutine: what a generator function or a wrapped one returns.
 *
 * **Suspends** never. **Source** asyncio/coroutines.py `iscoroutine`.
 *
 * @example
 * ```ts
 * isCoroutine((function* () {})()); // => true
 * isCoroutine(Promise.resolve()); // => false
 * ```
 */
export function isCoroutine(value: unknown): value is Coroutine<unknown> {
  if (typeof value !== "object" || value === null || value instanceof Future) return false;
  const it = value as Partial<Coroutine<unknown>>;
  return typeof it.next === "function" && typeof it.throw === "function" && typeof it[Symbol.iterator] === "function";
}

export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return (
    (typeof value === "object" || typeof value === "function") &&
    value !== null &&
    typeof (value as { then?: unknown }).then === "function"
  );
}

/** Claims a coroutine for a task. A plain generator tells nothing of its past, so it is marked. */
function take<T>(body: TaskBody<T>): TaskBody<T> {
  if (typeof body === "function" || body instanceof Future) return body;
  const marked = body as { [TAKEN]?: boolean; _claim?(): void };
  if (typeof marked._claim === "function") marked._claim();
  else if (marked[TAKEN] === true) {
    throw new RuntimeError("Cannot reuse a coroutine: it is for one use; call its function again", "COROUTINE_REUSED");
  } else marked[TAKEN] = true;
  return body;
}

/** A future that has ended already, for an outcome that somebody asks a future for. */
function settled(loop: EventLoop, state: number, outcome: unknown): Future<unknown> {
  const future = new Future<unknown>(loop._option);
  future._state = state;
  future._outcome = outcome;
  return future;
}

/** `yield*` on an array answers an error that is thrown into it with a TypeError of the engine's, which explains nothing. */
function explain(error: unknown, caught: unknown): unknown {
  if (!(error instanceof RuntimeError && error.code === "BAD_YIELD" && caught instanceof TypeError)) return caught;
  error.cause = caught;
  return error;
}

function badYield(task: Task<unknown>, value: unknown): Error {
  const remedy =
    value instanceof Future || isCoroutine(value)
      ? "the star is missing; write `yield* …`"
      : isPromiseLike(value)
        ? "write `yield* ensureFuture(promise)`"
        : typeof value === "function"
          ? "call it: `yield* fn()`"
          : Array.isArray(value)
            ? "write `yield* gather(…)`"
            : "await by `yield*`; give a value back by `return`";
  return new RuntimeError(`Cannot yield ${show(value)} in task "${task.name}": ${remedy}`, "BAD_YIELD");
}
