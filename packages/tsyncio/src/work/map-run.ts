/** One run of `map` or `forEach`: reads the source, starts a task for each item, hands the results on, and clears up. */

import { Deque } from "../base/deque.ts";
import { ExceptionGroup, isCancelled } from "../base/errors.ts";
import { type Linked, LinkedList } from "../base/linked-list.ts";
import { sleep } from "../flow/sleep.ts";
import { current } from "../kernel/current.ts";
import { FAILED } from "../kernel/future.ts";
import type { Runnable } from "../kernel/handle.ts";
import { type Body, callBody, ensureFuture } from "../kernel/job.ts";
import { isCoroutine, isGeneratorFunction, isPromiseLike } from "../kernel/kinds.ts";
import { done, Op, type Operation, type Step } from "../kernel/operation.ts";
import type { ItemCount } from "../kernel/progress.ts";
import type { Coroutine, WaitSource } from "../kernel/suspended.ts";
import type { Task, TaskBody } from "../kernel/task.ts";
import type { Guard } from "../sync/lock.ts";
import { type Results, SKIP, STOP, type Stream } from "./map-results.ts";
import { cancellationOf, lookAt, openSource, type Reader, type Source, taskHere } from "./map-source.ts";
import { itemsInTasks } from "./progress-count.ts";

/**
 * Whatever lets tasks in, so many at a time or so often: a Semaphore, a CapacityLimiter, a RateLimiter. Several maps may share
 * one.
 */
export type MapLimiter =
  | { acquire(): Operation<Guard> | Operation<void> }
  | { acquire?: undefined; with<T>(body: Body<[], T>): Operation<T> };

/** What becomes of an error of the function. */
export type OnError = "stop" | "collect" | "settle";

export interface Plan {
  readonly items: unknown;
  readonly fn: Body<[item: never, index: number], unknown>;
  /** What the tasks are called by. */
  readonly label: string;
  /** Items at a time; Infinity where a limiter decides. */
  readonly concurrency: number;
  readonly limiter: MapLimiter | null;
  readonly ordered: boolean;
  /** Items that were read and whose results have not been collected, at most. */
  readonly lookAhead: number;
  /** Of these, items that wait for their turn, so that a slow source does not keep the function waiting. */
  readonly readAhead: number;
  readonly signal: AbortSignal | undefined;
  readonly onError: OnError;
}

/** An endless source must let others run now and then: so many items are started in one go. */
const STRETCH = 256;

/**
 * STATE  open ──drive──▶ running ──source at its end, STOP, an error, the consumer leaves──▶ closing ──all has ended──▶ over
 *
 * It is driven by one task, which starts all others; what happens meanwhile wakes it.
 */
export class MapRun implements Reader, WaitSource {
  readonly #plan: Plan;
  readonly #results: Results;
  readonly #onResult: () => void;
  /** Started and not ended. */
  readonly #running = new LinkedList<Item>();
  /** Read and not started. */
  readonly #waiting = new Deque<unknown>();
  #driver: Task<unknown> | null = null;
  readonly #count: ItemCount;
  /** How many shielded regions the driver lies in. */
  #level = 0;
  #source: Source | null = null;
  #started = 0;
  #exhausted = false;
  /** A task waits for the limiter: the next item is read when it has got in. */
  #queueing = -1;
  /** The first item that returned STOP. */
  #stopAt = Number.POSITIVE_INFINITY;
  #left = false;
  #closing = false;
  #failure: { error: unknown } | null = null;
  /** The driver was cancelled. */
  #cancellation: { error: unknown } | null = null;
  /** With `stopOnError: false`: by the index of the item. */
  readonly #errors = new Map<number, unknown>();
  /** @internal Something has happened since the driver looked. */
  _changed = false;
  /** @internal The driver's wait. */
  _asleep: Change | null = null;

  /** @param onResult - Told when there is a result to collect. */
  constructor(plan: Plan, results: Results, onResult: () => void = () => {}) {
    this.#plan = plan;
    this.#results = results;
    this.#onResult = onResult;
    this.#count = itemsInTasks(plan.items);
  }

  get label(): string {
    return this.#plan.label;
  }

  /** Runs it all, in the task that drives this coroutine. */
  *drive(): Coroutine<void> {
    const driver = taskHere();
    this.#driver = driver;
    this.#level = driver._shields();
    const { signal, items } = this.#plan;
    if (this.#left) return;
    if (signal?.aborted) throw signal.reason;
    signal?.addEventListener("abort", this.#onAbort);
    current._progress?.opened(this.#count, driver);
    try {
      try {
        this.#source = openSource(items, this, driver);
      } catch (error) {
        this.#failure = { error };
      }
      try {
        while (this.#advance()) {
          // More can be started at once: but others must have their turn.
          if (this._changed && this.#mayStart()) yield* sleep(0);
          else yield* new Change(this);
        }
      } catch (error) {
        this.#cancellation = { error };
      }
      this.#beginClose();
      while (this.#running.length > 0 || this.#source?.quiet === false) {
        try {
          this._changed = false;
          yield* new Change(this);
        } catch (error) {
          // All have been told; a second request does not hurry them.
          this.#cancellation ??= { error };
        }
      }
      try {
        if (this.#source !== null) yield* this.#source.close();
      } catch (error) {
        if (isCancelled(error) && driver._cancels > 0) this.#cancellation ??= { error };
        else if (this.#failure === null) this.#failure = { error };
        else this.#report(error, "while its source was closed");
      }
    } finally {
      this.#count._over = true;
      signal?.removeEventListener("abort", this.#onAbort);
      // Only a driver that is closed by hand gets here with tasks left.
      for (const item of this.#running) item._task.cancel();
    }
    this.#end();
  }

  #end(): void {
    const failure = this.#failure;
    const cancellation = this.#cancellation;
    // A cancellation is told once: not also as that of an item.
    if (failure !== null && !(cancellation !== null && isCancelled(failure.error))) {
      this.#reportCollected("before its source failed");
      // RACE  1. an item fails   2. the driver is cancelled, while it awaits the others   3. the error must not hide the
      // cancellation.
      //       As with a TaskGroup, the error goes first, and the cancellation is delivered at the next wait.
      //       test: "map(), throws its error first, and the cancellation comes at the next wait, when it is cancelled in its cleanup"
      const driver = this.#driver as Task<unknown>;
      if (cancellation !== null && driver._cancels > 0) {
        driver._cancels--;
        driver._cancelFrom(this.#level);
      }
      throw failure.error;
    }
    if (cancellation !== null) {
      this.#reportCollected("before it was cancelled");
      throw cancellation.error;
    }
    if (this.#errors.size > 0) throw this.#collected();
  }

  /** With `stopOnError: false`: the errors so far, in the order of the items. */
  #collected(): ExceptionGroup {
    const inOrder = [...this.#errors].sort(([a], [b]) => a - b);
    return new ExceptionGroup(
      `errors in ${this.label}()`,
      inOrder.map(([, error]) => error),
    );
  }

  #reportCollected(when: string): void {
    if (this.#errors.size > 0) this.#report(this.#collected(), when);
    this.#errors.clear();
  }

  /** The consumer wants no more. */
  leave(): void {
    this.#left = true;
    // What it was not told of is not lost.
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) this.#report(failure.error, "when nobody wanted its results any more");
    this.#reportCollected("when nobody wanted its results any more");
    this.wake();
  }

  wake(): void {
    this._changed = true;
    this._asleep?._wake();
  }

  /** Starts what can be started; false when it is time to close. */
  #advance(): boolean {
    this._changed = false;
    if (this.#over()) return false;
    const source = this.#source as Source;
    for (let count = 0; this.#mayStart(); count++) {
      if (count === STRETCH) {
        this._changed = true;
        break;
      }
      if (this.#waiting.length === 0) source.ask();
      if (this.#over()) return false;
      if (this.#waiting.length > 0) this.#start(this.#waiting.shift());
    }
    if (!source.sync && !source.reading && this.#mayRead()) source.ask();
    const nothingToCome = this.#exhausted || this.#stopAt < Number.POSITIVE_INFINITY;
    return (
      !nothingToCome || this.#running.length > 0 || (this.#waiting.length > 0 && this.#stopAt === Number.POSITIVE_INFINITY)
    );
  }

  #over(): boolean {
    return this.#failure !== null || this.#left || (this.#stopAt < Number.POSITIVE_INFINITY && !this.#plan.ordered);
  }

  /** Whether there is room for one more item to run, and one to be had at once. */
  #mayStart(): boolean {
    if (this.#stopAt < Number.POSITIVE_INFINITY) return false;
    if (this.#running.length >= this.#plan.concurrency) return false;
    return this.#waiting.length > 0 || ((this.#source as Source).sync && this.#mayRead());
  }

  #mayRead(): boolean {
    const { concurrency, limiter, readAhead, lookAhead } = this.#plan;
    if (this.#exhausted || this.#stopAt < Number.POSITIVE_INFINITY || this.#taken() >= lookAhead) return false;
    if (limiter !== null) return this.#queueing < 0 && this.#waiting.length === 0;
    return this.#running.length + this.#waiting.length < concurrency + readAhead;
  }

  /** Read, and not collected. */
  #taken(): number {
    return this.#running.length + this.#waiting.length + this.#results.held;
  }

  #start(item: unknown): void {
    const index = this.#started++;
    const { limiter } = this.#plan;
    const driver = this.#driver as Task<unknown>;
    this.#results.begin();
    if (limiter !== null) this.#queueing = index;
    const task = driver._loop._spawn(this.#bodyOf(item, index), { name: `${this.label}[${index}]` });
    const entry = new Item(this, index, task);
    this.#running.push(entry);
    // An eager one may be done by now.
    if (task.done()) driver._loop._enqueue(entry);
    else task._addWaiting(entry as never);
  }

  /** What the task of an item runs. */
  #bodyOf(item: unknown, index: number): TaskBody<unknown> {
    const { fn, limiter } = this.#plan as Plan & { fn: Body<[item: unknown, index: number], unknown> };
    try {
      const awaitable = typeof item === "object" && item !== null && isPromiseLike(item);
      if (limiter !== null) return this.#within(limiter, fn, item, index, awaitable);
      if (awaitable) return resolved(fn, item as PromiseLike<unknown>, index);
      // PERF  the coroutine itself, where there is one: a generator around it would cost at each resume.
      return isGeneratorFunction(fn) ? (fn(item, index) as Coroutine<unknown>) : () => fn(item, index) as Coroutine<unknown>;
    } catch (error) {
      // A default value of its parameters has thrown, or the item's `then`.
      return failing(error);
    }
  }

  *#within(
    limiter: MapLimiter,
    fn: Body<[item: unknown, index: number], unknown>,
    item: unknown,
    index: number,
    awaitable: boolean,
  ): Coroutine<unknown> {
    const job = (): Coroutine<unknown> => {
      this.#admitted(index);
      return awaitable ? resolved(fn, item as PromiseLike<unknown>, index) : callBody(fn, item, index);
    };
    if (limiter.acquire === undefined) {
      return yield* limiter.with(function* () {
        return yield* job();
      });
    }
    const guard = (yield* limiter.acquire()) as Guard | undefined;
    try {
      return yield* job();
    } finally {
      guard?.release();
    }
  }

  #admitted(index: number): void {
    if (this.#queueing !== index) return;
    this.#queueing = -1;
    this.wake();
  }

  /** @internal */
  _onEnd(item: Item): void {
    const { _index: index, _task: task } = item;
    this.#running.remove(item);
    this.#count._done++;
    current._progress?.changed(this.#driver as Task<unknown>);
    this.#admitted(index);
    const unwanted = this.#closing || this.#failure !== null || index > this.#stopAt;
    if (task._state === FAILED) this.#onError(index, task.exception(), unwanted);
    else if (!unwanted) {
      // Nobody has asked it to end: as in `gather`, its result is missing, and nothing can stand in for it.
      if (task.cancelled()) this.#fail(cancellationOf(task), `in its item ${index}`);
      else this.#onValue(index, task.result());
    }
    this.wake();
  }

  #onValue(index: number, value: unknown): void {
    if (value === STOP) this.#stop(index);
    else if (value === SKIP || this.#plan.onError !== "settle") this.#results.put(index, value);
    else this.#results.put(index, { status: "fulfilled", value });
    this.#onResult();
  }

  #onError(index: number, error: unknown, unwanted: boolean): void {
    const { onError } = this.#plan;
    if (onError === "stop" && index <= this.#stopAt) this.#fail(error, `in its item ${index}`);
    else if (unwanted) this.#report(error, `in its item ${index}, whose result was not wanted any more`);
    else {
      if (onError === "collect") this.#errors.set(index, error);
      this.#results.put(index, onError === "collect" ? SKIP : { status: "rejected", reason: error });
      this.#onResult();
    }
  }

  /** It ends here: what comes later is not wanted. */
  #stop(index: number): void {
    this.#cancel(index + 1);
    this.#stopAt = index;
    this.#results.cut(index);
    // What failed behind it is told to nobody else.
    for (const [each, error] of this.#errors) {
      if (each < index) continue;
      this.#errors.delete(each);
      this.#report(error, "behind the item that stopped it");
    }
  }

  /** Cancels those that have not been told yet, from an index on: once, as a second request would cut their cleanup short. */
  #cancel(from: number): void {
    for (const { _index, _task } of this.#running) if (_index >= from && _index <= this.#stopAt) _task.cancel();
  }

  /**
   * ORDER  the first error is thrown, as it is, so that a `catch` knows what to expect. Others go where errors go that nobody
   * awaits; so
   * does one that comes when there is nobody to throw it to.
   */
  #fail(error: unknown, when: string): void {
    const first = this.#failure === null && (!this.#closing || this.#cancellation !== null);
    // That an item was cancelled is no error yet: a real one takes its place.
    if (first || (this.#failure !== null && isCancelled(this.#failure.error))) this.#failure = { error };
    else this.#report(error, when);
  }

  #report(exception: unknown, when: string): void {
    // A cancellation has done its work where it was thrown.
    if (isCancelled(exception)) return;
    const driver = this.#driver as Task<unknown>;
    driver._loop.callExceptionHandler({ message: `Error in ${this.label}() ${when}`, exception, task: driver });
  }

  readonly #onAbort = (): void => {
    if (this.#failure === null && !this.#closing) {
      this.#failure = { error: (this.#plan.signal as AbortSignal).reason };
      (this.#results as Partial<Stream>).clear?.();
    }
    this.wake();
  };

  #beginClose(): void {
    this.#closing = true;
    this.#cancel(0);
    this.#source?.beginClose();
  }

  arrived(item: unknown): void {
    if (this.#closing) return;
    this.#waiting.push(item);
    // It may be rejected before its task begins.
    if (item instanceof Promise) lookAt(item);
  }

  exhausted(): void {
    this.#exhausted = true;
  }

  failed(error: unknown, when: string): void {
    this.#exhausted = true;
    this.#fail(error, when);
  }

  describe(): string {
    return `${this.label} (${this.#running.length} running)`;
  }

  holders(): Iterable<Task<unknown>> {
    return Array.from(this.#running, (item) => item._task);
  }
}

/**
 * An item in work. It stands in the line of those who wait for its task.
 *
 * PERF  a done callback would cost three objects and a call more.
 */
class Item implements Runnable, Linked<Item> {
  declare readonly _map: MapRun;
  declare readonly _index: number;
  declare readonly _task: Task<unknown>;
  declare _previous: Item | null;
  declare _next: Item | null;

  constructor(run: MapRun, index: number, task: Task<unknown>) {
    this._map = run;
    this._index = index;
    this._task = task;
    this._previous = null;
    this._next = null;
  }

  /** The task has ended. */
  _run(): void {
    this._map._onEnd(this);
  }

  toString(): string {
    return `<end of ${this._task.name}>`;
  }
}

/** Awaits an item that is a promise, as part of its task. */
function* resolved(
  fn: Body<[item: unknown, index: number], unknown>,
  item: PromiseLike<unknown>,
  index: number,
): Coroutine<unknown> {
  const value = yield* isCoroutine(item) ? item : ensureFuture(item);
  return yield* callBody(fn, value, index);
}

function* failing(error: unknown): Coroutine<never> {
  throw error;
}

/** The driver waits for something to happen. */
class Change extends Op<void> {
  declare readonly _run: MapRun;

  constructor(run: MapRun) {
    super();
    this._run = run;
  }

  override _start(): Step<void> {
    if (this._run._changed) return done(undefined);
    this._run._asleep = this;
    return this._wait();
  }

  override _resume(): Step<void> {
    this._run._asleep = null;
    return done(undefined);
  }

  override _abandon(): void {
    this._run._asleep = null;
  }

  override describe(): string {
    return "map";
  }

  override _waitsFor(): WaitSource {
    return this._run;
  }
}
