/**
 * A task drives a coroutine or an async function. Mirrors asyncio/tasks.py `Task`.
 *
 * Here is how it starts, is cancelled, and ends; step.ts has what happens in between.
 */

import { CancelledError, falsyError, isCancelled, RuntimeError } from "../base/errors.ts";
import type { Linked } from "../base/linked-list.ts";
import { Context, type ContextSlot, captureContext } from "./context.ts";
import { current, runningTask } from "./current.ts";
import type { Frame } from "./frames.ts";
import { CANCELLED, FAILED, FINISHED, Future, standIn } from "./future.ts";
import type { Runnable } from "./handle.ts";
import type { Ambient, Location } from "./host.ts";
import { isGenerator, mark, take } from "./kinds.ts";
import type { EventLoop } from "./loop.ts";
import type { Progress } from "./progress.ts";
import { PromiseWait } from "./promise-wait.ts";
import { settled, step } from "./step.ts";
import type { Coroutine, Wait, WaitSource } from "./suspended.ts";
import { MUST_CANCEL, WAS_CANCELLED } from "./task-flags.ts";

/** What a task can be made of. */
export type TaskBody<T> = Coroutine<T> | (() => Coroutine<T> | PromiseLike<T> | T);

export interface TaskOptions {
  /** Shown in messages, dumps and graphs; `Task-1`, `Task-2`, … by default. */
  readonly name?: string | undefined;
  /** The Context to run in; by default a copy of the current one. */
  readonly context?: Context | undefined;
  /** Whether the first step runs at once, inside the call that makes the task. False by default. */
  readonly eager?: boolean | undefined;
  /** Higher ones go first; any finite number, 0 by default. See `Task.priority`. */
  readonly priority?: number | undefined;
}

/** What few tasks need; kept apart, since each field costs every task eight bytes. */
interface Rare {
  controller: AbortController | null;
  /** Library operations that the task's async function awaits right now: one as a rule, which needs no Set. */
  waits: Task<unknown> | Set<Task<unknown>> | null;
  cancelMessage: string | undefined;
  /** How many `shielded` regions it is in. */
  shields: number;
  /** Requests that wait for the end of a region; each is due when the task is in no more than `level` regions. */
  deferred: { readonly level: number; readonly message: string | undefined }[];
  /** What is known of its progress: `ProgressNode`. */
  progress?: object;
}

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
  declare _waiter: Wait | null;
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
   * How far it is, with what is below it; undefined when nothing was reported there. It is there once something of progress is
   * imported, such as `reportProgress`; see there.
   */
  declare readonly progress: Progress | undefined;

  /**
   * @param body - A coroutine, or a function that returns one or is async.
   * @param options - As for `createTask`; `loop`: the one to run in, by default the running one.
   * @throws {RuntimeError} when the coroutine was driven before.
   */
  constructor(body: TaskBody<T>, options?: TaskOptions & { readonly loop?: EventLoop | undefined }, _loop?: EventLoop) {
    super(options, _loop);
    // PERF  short enough to be inlined where tasks are made, which saves a third; the rest is in `_begin`.
    this._waiter = null;
    this._root = body;
    this._leaf = null;
    this._context = null;
    this._ambient = null;
    this._name = 0;
    this.id = ++made;
    this.parentId = 0;
    this._cancels = 0;
    this._rare = null;
    this._previous = null;
    this._next = null;
    this._begin(body, options);
  }

  /** @internal Takes the coroutine, enters the loop's books, and runs or schedules the first step. */
  _begin(body: TaskBody<T>, options: TaskOptions | undefined): void {
    const loop = this._loop;
    // Before the coroutine is taken: what is given as name may throw.
    const name = options?.name;
    this._name = name === undefined ? ++loop._unnamed : String(name);
    if (typeof body !== "function") take(body);
    const maker = current.task ?? runningTask();
    if (maker === null) this._ambient = loop._ambientOfCaller();
    else {
      const parent = maker._self();
      this._ambient = parent._ambient;
      (this as { parentId: number }).parentId = parent.id;
    }
    this._context = options?.context ?? captureContext();
    if (options?.priority !== undefined) this.priority = options.priority;
    this._start(options?.eager === true);
  }

  /** @internal */
  _start(eager: boolean): void {
    const loop = this._loop;
    loop._tasks.push(this as Task<unknown>);
    current.probe?.created(this as Task<unknown>);
    if (eager && loop.isRunning()) {
      loop._stepNow(this as Task<unknown>);
      // As asyncio has it: what was over at once never shows its coroutine.
      if (this.done()) this._root = null as never;
    } else loop._enqueue(this);
  }

  /** The name that messages and dumps show. */
  get name(): string {
    return typeof this._name === "number" ? `Task-${this._name}` : this._name;
  }

  set name(name: string) {
    this._name = String(name);
  }

  /**
   * Of tasks that are ready, those with a higher priority go first; a number, 0 by default, which may be changed at any time.
   *
   * It is a preference, not a claim: whoever has been ready for the longest is passed over 16 times at most. A task that holds a
   * lock, or whose end is awaited, has at least the priority of those that wait for it. Children do not inherit it.
   *
   * @throws {TypeError} when set to what is no number; {RangeError} when it is not finite.
   *
   * @example
   * ```ts
   * const order: string[] = [];
   * const job = (name: string) => function* () { order.push(name); };
   * yield* gather(createTask(job("later")), createTask(job("first"), { priority: 1 }));
   * order; // => ["first", "later"]
   * ```
   */
  get priority(): number {
    return current.priorities?.of(this as Task<unknown>) ?? 0;
  }

  set priority(priority: number) {
    if (current.priorities === null) throw new RuntimeError("Cannot use priorities: the program must import createTask");
    current.priorities.set(this as Task<unknown>, priority);
  }

  /** What it runs: the coroutine, or the function before it has started; null when it was done as soon as it was made. */
  getCoro(): TaskBody<T> | null {
    const root = this._root;
    // From now on it is known outside.
    if (isGenerator(root)) mark(root);
    return root;
  }

  /** The Context that it runs in. */
  getContext(): Context {
    if (!(this._context instanceof Context)) {
      // From now on the context has an identity that both sides share.
      const context = new Context(this._context);
      if (current.task?._self() === (this as unknown)) current._context = context;
      this._context = context;
    }
    return this._context;
  }

  /** @throws {RuntimeError} always: a task's result is what its coroutine returns. */
  override setResult(_value: T): never {
    throw new RuntimeError("Cannot set the outcome of a task; use a Future");
  }

  /** @throws {RuntimeError} always: a task's error is what its coroutine throws. */
  override setException(_error: unknown): never {
    return this.setResult(undefined as T);
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
        // A foreign API that listens ends an async function's wait; it must not get the cancellation a second time in its cleanup.
        if (this._waiter instanceof PromiseWait) delivered ||= this._loop._host.isHeard?.(rare.controller.signal) ?? true;
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
    const waits = this._rare?.waits ?? [];
    return waits instanceof Task ? [waits] : [...waits];
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
    const ended = standIn<void>(this._loop, {
      describe: () => `end of ${this.name}`,
      holders: () => [this as Task<unknown>],
    });
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
  _waits(): WaitSource[] {
    const inner = this._inner().flatMap((wait) => wait._waits());
    const outer = this._waiter;
    // The wait for an async body is only the shell around what the body waits for.
    return outer === null || (outer instanceof PromiseWait && inner.length > 0) ? inner : [outer._waitsFor(), ...inner];
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
    this._rare ??= { controller: null, waits: null, cancelMessage: undefined, shields: 0, deferred: [] };
    return this._rare;
  }

  /** @internal */
  _addInner(wait: Task<unknown>): void {
    const rare = this._rarely();
    const { waits } = rare;
    rare.waits = waits === null ? wait : waits instanceof Task ? new Set([waits, wait]) : waits.add(wait);
  }

  /** @internal */
  _removeInner(wait: Task<unknown>): void {
    const rare = this._rarely();
    if (rare.waits === wait) rare.waits = null;
    else (rare.waits as Set<Task<unknown>> | null)?.delete(wait);
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
      if (this._loop._debug && (this._flags & WAS_CANCELLED) !== 0) current.debugTools?.swallowed(this as Task<unknown>);
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
    current._progress?.finished(this as Task<unknown>);
    current.probe?.finished(this as Task<unknown>);
  }

  override describe(): string {
    return `Task ${this.name}`;
  }

  override holders(): Iterable<Task<unknown>> {
    return [this as Task<unknown>];
  }

  override toString(): string {
    const state = !this.done() && this._cancels > 0 ? "cancelling" : this._stateText();
    const waits = this.waitingFor;
    const origin = this._origin();
    return `<Task ${state} name='${this.name}'${waits ? ` wait_for=<${waits}>` : ""}${origin ? ` created at ${origin}` : ""}>`;
  }

  override get [Symbol.toStringTag](): string {
    return "Task";
  }
}
