/**
 * The event loop: a ready queue, timers, and turns exactly as asyncio's `BaseEventLoop._run_once`.
 *
 * It rides on its host: it never blocks, but lets the host call it back, runs turns while there is work, and hands the thread
 * back before I/O could starve.
 */

import { host as platform } from "#host";
import { Deque } from "../base/deque.ts";
import { type Duration, milliseconds, NEVER } from "../base/duration.ts";
import { RuntimeError, unexpected } from "../base/errors.ts";
import { LinkedList } from "../base/linked-list.ts";
import { AsyncWait } from "./async-wait.ts";
import type { ContextSlot } from "./context.ts";
import { current, runningLoop, runningTask, within } from "./current.ts";
import { Failures } from "./failures.ts";
import { awaitsItself, Future } from "./future.ts";
import { Handle, type Runnable, TimerHandle } from "./handle.ts";
import type { Ambient, Host, ReadyQueue } from "./host.ts";
import { isCoroutine, isGeneratorFunction, isPromiseLike } from "./kinds.ts";
import { step } from "./step.ts";
import type { Coroutine } from "./suspended.ts";
import { Task, type TaskBody, type TaskOptions } from "./task.ts";
import { type TimerEntry, Timers } from "./timers.ts";

/** What the loop tells its exception handler. */
export interface ExceptionContext {
  readonly message: string;
  readonly exception?: unknown;
  readonly future?: Future<unknown> | undefined;
  readonly task?: Task<unknown>;
  readonly handle?: Handle;
  /** In debug mode, where the future or task was made. */
  readonly origin?: string | undefined;
  readonly [detail: string]: unknown;
}

export type ExceptionHandler = (loop: EventLoop, context: ExceptionContext) => void;

/** Makes the tasks of a loop; see `setTaskFactory`. */
export type TaskFactory = <T>(loop: EventLoop, body: TaskBody<T>, options: TaskOptions) => Task<T>;

export interface EventLoopOptions {
  /** Checks and reports more, at a cost. Also by the environment variable TSYNCIO_DEBUG=1. */
  readonly debug?: boolean | undefined;
  readonly host?: Host | undefined;
}

/** How a run ends. */
interface Finish {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** PERF  one for all tasks without options, instead of an object for each. */
const DEFAULTS: TaskOptions = {};
/** A slice of turns may last so long before the host gets the thread back, in milliseconds. */
const SLICE = 2;
/** The clock is read at least once per so many entries; less often would let slow entries overrun the slice. */
const MAX_STRIDE = 256;

/**
 * An event loop. Programs rarely touch it: `run()` makes, runs and closes one.
 *
 * **Source** asyncio/base_events.py `BaseEventLoop`.
 */
export class EventLoop {
  /** @internal */
  readonly _host: Host;
  /** @internal */
  readonly _timers: Timers = new Timers();
  /** @internal Tasks that are not done, in order of birth. They are held here, so that none is collected while it waits. */
  readonly _tasks: LinkedList<Task<unknown>> = new LinkedList<Task<unknown>>();
  /** @internal */
  readonly _failures: Failures = new Failures();
  /** @internal How many of its tasks got no name of their own. */
  _unnamed = 0;
  /** @internal How many turns have begun. */
  _turnNumber = 0;
  /** @internal An async function has been resumed: microtasks run before the next entry of the ready queue. */
  _settling = false;
  /** @internal */
  _debug: boolean;
  /** Steps and callbacks that take longer, in milliseconds, are reported in debug mode. */
  slowCallbackDuration = 100;

  /** @internal What runs next; another queue may take its place at any time. */
  _ready: ReadyQueue;
  #running = false;
  #stopping = false;
  #closed = false;
  /** A call back from the host is due, or a slice is on the stack. */
  #awake = false;
  /** Entries of the turn under way that have not run yet: a slice may end in the middle of a turn. */
  #left = 0;
  /** The time of the last look at the clock. */
  #now = 0;
  #sliceStart = 0;
  #stride = 1;
  #timer: unknown;
  #timerAt = NEVER;
  #ambient: Ambient | null = null;
  #taskFactory: TaskFactory | null = null;
  #exceptionHandler: ExceptionHandler | null = null;
  #finish: Finish | null = null;

  constructor(options?: EventLoopOptions) {
    this._host = options?.host ?? platform;
    this._ready = this._host.createQueue?.(this) ?? new Deque<Runnable>();
    this._debug = options?.debug ?? platform.debug;
    current.debug ||= this._debug;
  }

  // ── Callbacks ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Calls `callback(...args)` in the next turn, in a copy of the current context.
   *
   * @throws {TypeError} when `callback` is not an ordinary function; {RuntimeError} when the loop is closed.
   *
   * **Suspends** never. **Source** `loop.call_soon`.
   */
  callSoon<A extends unknown[]>(callback: (...args: A) => unknown, ...args: A): Handle {
    this.#check(callback, "callSoon");
    const handle = new Handle(this, callback as never, args);
    this._enqueue(handle);
    return handle;
  }

  /** As {@link callSoon}: there is one thread here. Kept so that code carries over. */
  callSoonThreadsafe<A extends unknown[]>(callback: (...args: A) => unknown, ...args: A): Handle {
    return this.callSoon(callback, ...args);
  }

  /**
   * Calls `callback(...args)` after a delay; equal deadlines keep their order.
   *
   * @param delay - Milliseconds or a string with unit; ≤ 0 means the next turn, Infinity never.
   *
   * **Suspends** never. **Source** `loop.call_later`.
   */
  callLater<A extends unknown[]>(delay: Duration, callback: (...args: A) => unknown, ...args: A): TimerHandle {
    this.#check(callback, "callLater");
    return this.#callAt(this._host.now() + milliseconds(delay, "delay"), callback, args);
  }

  /** As {@link callLater}, at an absolute loop time in milliseconds. */
  callAt<A extends unknown[]>(when: number, callback: (...args: A) => unknown, ...args: A): TimerHandle {
    this.#check(callback, "callAt");
    return this.#callAt(milliseconds(when, "when"), callback, args);
  }

  #callAt(when: number, callback: (...args: never[]) => unknown, args: readonly unknown[]): TimerHandle {
    const handle = new TimerHandle(this, when, callback, args);
    this._schedule(when, handle);
    return handle;
  }

  /** The loop's clock: monotonic milliseconds. */
  time(): number {
    return this._host.now();
  }

  // ── Futures and tasks ────────────────────────────────────────────────────────────────────────────────────────────────

  createFuture<T>(): Future<T> {
    return new Future<T>(undefined, this);
  }

  /**
   * Makes a task of a coroutine, or of a function that returns one or is async.
   *
   * @throws {TypeError} when `body` is neither.
   *
   * **Suspends** never. **Source** `loop.create_task`.
   */
  createTask<T>(body: TaskBody<T>, options?: TaskOptions): Task<T> {
    if (typeof body !== "function" && !isCoroutine(body)) throw unexpected("a coroutine or a function that makes one", body);
    return this._spawn(body, options);
  }

  /** @internal As createTask, for a body that is known to be one. */
  _spawn<T>(body: TaskBody<T>, options: TaskOptions = DEFAULTS): Task<T> {
    if (this.#closed || typeof options !== "object") this.#refuse(options);
    return this.#taskFactory === null ? new Task<T>(body, options, this) : this.#taskFactory(this, body, options);
  }

  #refuse(options: unknown): void {
    this._checkOpen();
    throw unexpected("`options` to be an object such as { name }", options);
  }

  /** Sets what makes this loop's tasks; null for the default. **Source** `loop.set_task_factory`. */
  setTaskFactory(factory: TaskFactory | null): void {
    checkFunctionOrNull("factory", factory);
    this.#taskFactory = factory;
  }

  getTaskFactory(): TaskFactory | null {
    return this.#taskFactory;
  }

  // ── Errors and debug mode ────────────────────────────────────────────────────────────────────────────────────────────

  /** Sets what is told of errors that have nowhere else to go; null for the default, which reports them. */
  setExceptionHandler(handler: ExceptionHandler | null): void {
    checkFunctionOrNull("handler", handler);
    this.#exceptionHandler = handler;
  }

  getExceptionHandler(): ExceptionHandler | null {
    return this.#exceptionHandler;
  }

  /** Reports an error as the default handler does: on stderr in Node, on the console in browsers. */
  defaultExceptionHandler(context: ExceptionContext): void {
    this._host.report(context.message, context);
  }

  /**
   * Tells the exception handler, in the context of the task that it is told about; one that throws itself is reported, too.
   *
   * (The second argument is the library's own: a context where the task itself may be gone.)
   */
  callExceptionHandler(
    context: ExceptionContext,
    slot: ContextSlot | undefined = ((context.task ?? context.future) as Task<unknown> | undefined)?._context,
  ): void {
    if (this.#exceptionHandler === null) {
      this.defaultExceptionHandler(context);
      return;
    }
    const outer = current._context;
    // It runs in the context of the task that it is told about, if any; a plain future has none.
    if (slot !== undefined) current._context = slot;
    try {
      this.#exceptionHandler(this, context);
    } catch (exception) {
      this.defaultExceptionHandler({ message: "Unhandled error in exception handler", exception, context: context.message });
    }
    current._context = outer;
  }

  getDebug(): boolean {
    return this._debug;
  }

  setDebug(enabled: boolean): void {
    this._debug = enabled;
    current.debug ||= enabled;
  }

  // ── Running ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  isRunning(): boolean {
    return this.#running;
  }

  isClosed(): boolean {
    return this.#closed;
  }

  /**
   * Runs turns until `stop()` is called; the promise resolves then.
   *
   * @throws {RuntimeError} (by rejection) when the loop runs already or is closed, or when called inside another loop.
   */
  async runForever(): Promise<void> {
    this._checkIdle();
    return this.#start();
  }

  /**
   * Runs turns until a future, or the task made of a coroutine or function, is done; resolves or rejects as it does.
   *
   * @throws {RuntimeError} (by rejection) when the loop is stopped before.
   */
  async runUntilComplete<T>(job: Future<T> | TaskBody<T>): Promise<T> {
    this._checkIdle();
    const stop = (): void => this.stop();
    let next: unknown = job;
    do {
      const future = next instanceof Future ? next : this.createTask(next as TaskBody<unknown>);
      future.addDoneCallback(stop);
      try {
        await this.#start();
      } catch (error) {
        // The loop was torn down by an interrupt; what the main task ended with is not lost but superseded.
        future._retrieved();
        throw error;
      } finally {
        future.removeDoneCallback(stop);
      }
      if (!future.done()) throw new RuntimeError("Event loop stopped before Future completed.", "LOOP_STOPPED");
      next = future.result();
      // A promise cannot hold a Future: it would await it when this loop no longer runs. So it is awaited here.
    } while (next instanceof Future || (isCoroutine(next) && isPromiseLike(next)));
    return next as T;
  }

  /** Makes the loop stop after the turn under way; if it does not run, after the first turn of the next run. */
  stop(): void {
    this.#stopping = true;
    this.#wake();
  }

  /**
   * Closes the loop: forgets its callbacks, reports errors that nobody looked at. Harmless when closed already.
   *
   * @throws {RuntimeError} when it is running.
   */
  close(): void {
    if (this.#running) throw new RuntimeError("Cannot close a running event loop; stop it");
    if (this.#closed) return;
    this.#closed = true;
    this._ready = new Deque();
    this.#left = 0;
    this._timers.clear();
    this.#setTimer(NEVER);
    for (const task of this._tasks) {
      if (task._self() === task) {
        this.callExceptionHandler({ message: "Task was destroyed but it is pending!", task });
      }
    }
    this._failures.reportAll();
    current.debugTools?.closed(this);
    if (current.defaultLoop === this) current.defaultLoop = null;
  }

  /** @internal Runs for as long as the process does: the loop for code outside of any program. */
  _runInBackground(): void {
    if (this.#running) return;
    void this.#start();
    // Not the state of whoever happened to be first: tasks and callbacks bring their makers' own.
    this.#ambient = this._host.captureAmbient(true);
  }

  /** @internal Ends the run with an error, at once. */
  _abort(error: unknown): void {
    const finish = this.#finish;
    if (finish === null) return;
    this.#halt();
    finish.reject(error);
  }

  /** @internal Puts an entry at the end of the ready queue. */
  _enqueue(entry: Runnable): void {
    this._ready.push(entry);
    if (!this.#awake) this.#wake();
  }

  /** @internal Puts an entry among the timers. */
  _schedule(when: number, entry: TimerEntry): void {
    this._timers.push(when, entry);
    if (!this.#awake && when < this.#timerAt) this.#wake();
  }

  /** @internal Told when a timer is cancelled: outside of turns, the host is to be asked for the next one's time instead. */
  _timerCancelled(): void {
    this._timers.noteCancelled();
    if (!this.#awake) this.#setTimer(this._timers.next());
  }

  /** @internal Runs a step outside of the ready queue: an eager first step, or one that a promise resumes. */
  _stepNow(task: Task<unknown>): void {
    if (this.#closed) return;
    const { loop } = current;
    current.loop = this;
    try {
      if (task._ambient === null || loop !== null) step(task);
      else task._ambient(() => step(task));
    } finally {
      current.loop = loop;
    }
  }

  /** @internal The promise of an operation that is awaited by an async function, or outside of any task. `plain`: it has no body. */
  _await<T>(operation: Coroutine<T>, task: Task<unknown> | null = runningTask(), plain = false): Promise<T> {
    try {
      this._checkOpen();
      if (task !== null && (task._self() as unknown) === operation) throw awaitsItself(task);
      const owner = task?._loop === this ? task : null;
      // PERF  the first step is the function's own: what ends with it, such as taking a lock that is free, needs no wait.
      const begun = plain && owner !== null && current.probe === null ? operation[Symbol.iterator]().next() : undefined;
      if (begun?.done !== true) return new AsyncWait<T>(this, operation, owner, begun).promise;
      if (current.loop !== null) this._settling = true;
      return Promise.resolve(begun.value);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** @internal The ambient state for what is made now: that of the task that makes it, or of the caller; null: the loop's own. */
  _ambientOfCaller(): Ambient | null {
    const task = runningTask();
    if (task !== null) return task._self()._ambient;
    return current.loop === this || !this.#running ? null : this._host.captureAmbient();
  }

  /** @internal */
  _checkOpen(): void {
    if (this.#closed) throw new RuntimeError("Event loop is closed", "LOOP_CLOSED");
  }

  #check(callback: unknown, method: string): void {
    this._checkOpen();
    if (typeof callback !== "function" || isGeneratorFunction(callback)) {
      throw unexpected(`an ordinary function for ${method}()`, callback, "createTask() is for coroutines");
    }
  }

  /** @internal Whether it can be run here. */
  _checkIdle(): void {
    this._checkOpen();
    if (this.#running) throw new RuntimeError("This event loop is already running", "LOOP_RUNNING");
    if (current.loop !== null || runningTask() !== null) {
      throw new RuntimeError("Cannot run a loop inside another; use createTask()", "LOOP_RUNNING");
    }
  }

  #start(): Promise<void> {
    this.#running = true;
    this._settling = false;
    this.#ambient = this._host.captureAmbient();
    const finished = new Promise<void>((resolve, reject) => {
      this.#finish = { resolve, reject };
    });
    this.#wake();
    return finished;
  }

  #halt(): void {
    this.#running = false;
    // The entry that runs now is the last one.
    this._settling = true;
    this.#stopping = false;
    this.#finish = null;
    this.#setTimer(NEVER);
  }

  /** Asks the host for a slice: soon after the microtasks, or after its I/O if this slice has lasted long enough. */
  #wake(now: number = this._host.now()): void {
    if (!this.#running || this.#awake) return;
    this.#awake = true;
    if (now - this.#sliceStart < SLICE) this._host.wakeSettled(this.#continue);
    else this._host.wakeSoon(this.#begin);
  }

  /** A slice that follows the host's I/O. */
  readonly #begin = (): void => {
    this.#sliceStart = this._host.now();
    this.#continue();
  };

  /** A slice that follows microtasks: part of the one before. */
  readonly #continue = (): void => {
    this.#now = this._host.now();
    // The ambient state of whoever happened to wake the loop must not reach its tasks.
    within(this.#ambient, this.#turns);
  };

  readonly #timerFired = (): void => {
    this.#timer = undefined;
    this.#timerAt = NEVER;
    if (!this.#awake) this.#begin();
  };

  readonly #turns = (): void => {
    if (!this.#running) {
      this.#awake = false;
      return;
    }
    this.#awake = true;
    const { loop, task, _context } = current;
    current.loop = this;
    current.task = null;
    current._context = null;
    // PERF  what changes at each entry is kept in variables.
    let left = this.#left;
    let untilClock = this.#stride;
    try {
      for (;;) {
        if (left === 0) left = this.#beginTurn();
        while (left > 0) {
          left--;
          const entry = this._ready.shift() as Runnable;
          if (this._debug && current.debugTools !== null) current.debugTools.runTimed(this, entry);
          else entry._run();
          // ORDER  an async function that was resumed goes on before the next entry runs, as a coroutine would have.
          if (this._settling) break;
          if (--untilClock <= 0) {
            const over = this.#sliceIsOver();
            untilClock = this.#stride;
            if (over) break;
          }
        }
        if (!this.#running) return;
        if (left === 0 && this.#stopping) {
          const finish = this.#finish as Finish;
          const settling = this._settling;
          this.#halt();
          // ORDER  async functions that were resumed in this turn go on before the run ends.
          if (settling) this._host.wakeSettled(finish.resolve);
          else finish.resolve();
          return;
        }
        if (this._ready.length === 0 && this._timers.next() > this.#now) break;
        if (this.#now - this.#sliceStart >= SLICE || this._settling) break;
      }
    } catch (exception) {
      // Entries handle their own errors; should one get here all the same, the loop goes on with the next.
      this.callExceptionHandler({ message: "Exception in event loop", exception });
    } finally {
      this.#left = left;
      current.loop = loop;
      current.task = task;
      current._context = _context;
      this.#awake = false;
    }
    this._settling = false;
    const next = this._timers.next();
    // The host's timers take a millisecond at least, even for what is due already.
    const idle = this._ready.length === 0 && !this.#stopping && next > this._host.now();
    this.#setTimer(idle ? next : NEVER);
    if (!idle) this.#wake(this.#now);
  };

  /** Puts due timers behind what is ready, and takes the snapshot: what becomes ready from now on waits for the next turn. */
  #beginTurn(): number {
    this._turnNumber++;
    if (this._timers.bound() < NEVER) {
      // PERF  the clock is read for timers only where nothing else is ready: it costs as much as a whole step.
      if (this._ready.length === 0) this.#now = this._host.now();
      if (this._timers.bound() <= this.#now) this._timers.take(this.#now, (entry) => this._ready.push(entry));
    }
    return this._ready.length;
  }

  /** Reads the clock and adapts how often that is done to how long entries take. */
  #sliceIsOver(): boolean {
    const before = this.#now;
    this.#now = this._host.now();
    const elapsed = this.#now - before;
    this.#stride = elapsed > SLICE / 8 ? 1 : Math.min(MAX_STRIDE, this.#stride * 2);
    return this.#now - this.#sliceStart >= SLICE;
  }

  #setTimer(when: number): void {
    if (when === this.#timerAt) return;
    if (this.#timer !== undefined) this._host.cancel(this.#timer);
    this.#timer = when === NEVER ? undefined : this._host.wakeAt(when, this.#timerFired);
    this.#timerAt = when;
  }
}

function checkFunctionOrNull(name: string, value: unknown): void {
  if (value !== null && typeof value !== "function") throw unexpected(`\`${name}\` to be a function or null`, value);
}

/**
 * Returns the running loop or, outside of any, the thread's default loop, which runs in the background from then on.
 *
 * **Suspends** never. **Source** asyncio/events.py `get_event_loop`; differs: decision 0004.
 *
 * @example
 * ```ts
 * getEventLoop() === getRunningLoop(); // => true
 * ```
 */
export function getEventLoop(): EventLoop {
  const running = runningLoop();
  if (running !== null) return running;
  current.defaultLoop ??= new EventLoop();
  current.defaultLoop._runInBackground();
  return current.defaultLoop;
}

/**
 * The tasks of a loop that are not done, in order of birth; by default of the running one.
 *
 * **Suspends** never. **Source** asyncio/tasks.py `all_tasks`.
 *
 * @example
 * ```ts
 * const task = createTask(sleep(1));
 * allTasks().has(task); // => true
 * yield* task;
 * allTasks().has(task); // => false
 * ```
 */
export function allTasks(loop?: EventLoop): Set<Task<unknown>> {
  const of = loop ?? runningLoop() ?? current.defaultLoop;
  const tasks = new Set<Task<unknown>>();
  // What async functions await is driven by entries of its own, which are part of their task.
  for (const task of of?._tasks ?? []) if (task._self() === task) tasks.add(task);
  return tasks;
}
