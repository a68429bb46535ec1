/** Where the items of `map` and `forEach` come from: a sync iterable, an async one, or another mapping. */

import { CancelledError, isCancelled, RuntimeError, unexpected } from "../base/errors.ts";
import { current } from "../kernel/current.ts";
import { FAILED, Future } from "../kernel/future.ts";
import type { TimerHandle } from "../kernel/handle.ts";
import { isCoroutine, isGenerator, isPromiseLike } from "../kernel/kinds.ts";
import { done, NEW, Op, type Step } from "../kernel/operation.ts";
import { PromiseWait } from "../kernel/promise-wait.ts";
import { asAsyncFunctionOf } from "../kernel/step.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";
import { ARMED } from "../kernel/task-flags.ts";

/** Milliseconds that a source's `next()` which is under way when the map ends has to settle, before it is left behind. */
const GRACE = 1000;

/** What the map does with what comes of the source. */
export interface Reader {
  arrived(item: unknown): void;
  /** There are no more items. */
  exhausted(): void;
  /** The source threw. */
  failed(error: unknown, when: string): void;
  /** The state of the source is another. */
  wake(): void;
  readonly label: string;
}

export interface Source {
  /** Whether `pull` has an item at once; otherwise `ask` for one. */
  readonly sync: boolean;
  /** Whether an item was asked for and is not there yet. */
  readonly reading: boolean;
  /** Gives the next item to the reader. */
  ask(): void;
  /** Begins to close it: nothing more is read. */
  beginClose(): void;
  /** Whether `close()` may be called: nothing reads any more. */
  readonly quiet: boolean;
  /** Closes it, when it is quiet. */
  close(): Coroutine<void>;
}

/** Results that are pulled by operations of the library, without promises. */
export interface Pulled {
  next(): Coroutine<IteratorResult<unknown, unknown>>;
  close(): Coroutine<void>;
}

/** How a mapping is opened to be pulled from. */
export const PULL: unique symbol = Symbol("pull");

/** Refuses what gives no items; nothing is read yet. */
export function checkItems(items: unknown, name: string): void {
  const expected = `an iterable of items for ${name}(), sync or async`;
  if (typeof items === "string") return;
  if (typeof items !== "object" || items === null) throw unexpected(expected, items);
  if (PULL in items) return;
  // An operation of the library is iterable, too: what it yields is meant for its task.
  const awaitable = isPromiseLike(items) || (isCoroutine(items) && !isGenerator(items));
  if (awaitable) throw unexpected(expected, items, "await it first");
  if (!(Symbol.asyncIterator in items || Symbol.iterator in items))
    throw unexpected(expected, items, "pass an array, for instance");
}

/** Opens it; throws what its iterator function throws. */
export function openSource(items: unknown, reader: Reader, task: Task<unknown>): Source {
  const pulled = (items as { [PULL]?: () => Pulled })[PULL];
  if (typeof pulled === "function") return new AsyncSource(reader, task, new PulledItems(pulled.call(items)));
  const makeAsync = (items as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator];
  if (makeAsync !== undefined && makeAsync !== null) {
    return new AsyncSource(reader, task, new ForeignItems(checkIterator(makeAsync.call(items)), reader));
  }
  // An array's promises are there already; one that is rejected before its turn has somebody who looks at it.
  if (Array.isArray(items)) for (const item of items) if (item instanceof Promise) lookAt(item);
  return new SyncSource(reader, checkIterator((items as Iterable<unknown>)[Symbol.iterator]()));
}

/** Keeps a promise that is going to be awaited later from being reported as rejected and not handled. */
export function lookAt(promise: PromiseLike<unknown>): void {
  promise.then(undefined, () => {});
}

interface ForeignIterator {
  next(): unknown;
  return?(): unknown;
}

function checkIterator(iterator: unknown): ForeignIterator {
  if (typeof (iterator as ForeignIterator | null)?.next === "function") return iterator as ForeignIterator;
  throw unexpected("the iterable to give an iterator with next()", iterator);
}

function checkStep(step: unknown): IteratorResult<unknown, unknown> {
  if (typeof step === "object" && step !== null) return step as IteratorResult<unknown, unknown>;
  throw unexpected("the iterator's next() to give an object such as { done, value }", step);
}

/** Whether a generator has not given it, but waits for it by `yield*`: that was meant for a task. */
function isWaitedFor(item: unknown): boolean {
  return item instanceof Op ? item._stage !== NEW : item instanceof Future && (item._flags & ARMED) !== 0;
}

function cannotWait(label: string, item: unknown): RuntimeError {
  const remedy = "make it an async function*, or send its items through a Queue or a Channel";
  return new RuntimeError(`Cannot wait for ${item} in a function* that gives ${label}() its items: ${remedy}`, "SOURCE_WAITS");
}

class SyncSource implements Source {
  readonly sync = true;
  readonly reading = false;
  readonly quiet = true;
  readonly #reader: Reader;
  readonly #iterator: ForeignIterator;
  #over = false;

  constructor(reader: Reader, iterator: ForeignIterator) {
    this.#reader = reader;
    this.#iterator = iterator;
  }

  ask(): void {
    // As in `for … of`, an iterator that is over, by its end or an error of its own, is not closed.
    let item: unknown;
    try {
      const step = checkStep(this.#iterator.next());
      this.#over = step.done === true;
      if (!this.#over) item = step.value;
    } catch (error) {
      this.#over = true;
      this.#reader.failed(error, "while it was read");
      return;
    }
    if (this.#over) this.#reader.exhausted();
    else if (isWaitedFor(item)) this.#reader.failed(cannotWait(this.#reader.label, item), "while it was read");
    else this.#reader.arrived(item);
  }

  beginClose(): void {}

  *close(): Coroutine<void> {
    if (this.#over) return;
    this.#over = true;
    this.#iterator.return?.();
  }
}

/** What an AsyncSource reads from, in a task of its own. */
interface AsyncItems {
  next(task: Task<unknown>): Coroutine<IteratorResult<unknown, unknown>>;
  /** The task that reads is cancelled in `next()`. */
  interrupted(task: Task<unknown>): void;
  close(task: Task<unknown>): Coroutine<void>;
}

/**
 * Reads in a task of its own, so that what a source awaits in its `next()` can be cancelled, and is awaited.
 *
 * STATE  idle ──ask──▶ reading ──item──▶ idle      idle or reading ──beginClose──▶ quiet, as soon as the task has ended
 */
class AsyncSource implements Source {
  readonly sync = false;
  readonly #reader: Reader;
  readonly #items: AsyncItems;
  readonly #task: Task<void>;
  readonly #driver: Task<unknown>;
  #asked = false;
  #idle: Asked | null = null;
  #closing = false;
  /** It came to its end, or threw: there is nothing to close. */
  #over = false;
  #ended = false;

  constructor(reader: Reader, driver: Task<unknown>, items: AsyncItems) {
    this.#reader = reader;
    this.#items = items;
    this.#driver = driver;
    this.#task = driver._loop._spawn(this.#read(), { name: `${reader.label}.source` });
    this.#task.addDoneCallback((task) => this.#onEnd(task));
  }

  get reading(): boolean {
    return this.#asked;
  }

  get quiet(): boolean {
    return this.#ended;
  }

  ask(): void {
    this.#asked = true;
    this.#idle?._wake();
  }

  beginClose(): void {
    this.#closing = true;
    if (this.#ended) return;
    if (this.#asked && !this.#over) {
      this.#task.cancel();
      this.#items.interrupted(this.#driver);
    } else this.#idle?._wake();
  }

  *close(): Coroutine<void> {
    if (this.#over) return;
    this.#over = true;
    yield* this.#items.close(this.#driver);
  }

  *#read(): Coroutine<void> {
    while (!this.#closing) {
      if (!this.#asked) {
        this.#idle = new Asked(this.#reader.label);
        yield* this.#idle;
        this.#idle = null;
        continue;
      }
      let step: IteratorResult<unknown, unknown>;
      try {
        step = checkStep(yield* this.#items.next(this.#task as Task<unknown>));
        this.#over = step.done === true;
        if (!this.#over) this.#reader.arrived(step.value);
      } catch (error) {
        // What was interrupted is to be closed still; what threw by itself is over.
        this.#over = !(this.#closing && isCancelled(error));
        throw error;
      }
      this.#asked = false;
      if (this.#over) break;
      this.#reader.wake();
    }
  }

  #onEnd(task: Task<void>): void {
    this.#ended = true;
    if (task.cancelled()) {
      // Cancelled by somebody else: the map cannot go on without it.
      if (!this.#closing) this.#reader.failed(cancellationOf(task as Task<unknown>), "while it was read");
    } else if (task._state === FAILED) this.#reader.failed(task.exception(), "while it was read");
    else if (this.#over && !this.#closing) this.#reader.exhausted();
    this.#reader.wake();
  }
}

/** The error that a cancelled task ended with. */
export function cancellationOf(task: Task<unknown>): unknown {
  try {
    task.result();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** The reading task waits for the next item to be asked for. */
class Asked extends Op<void> {
  declare readonly _label: string;

  constructor(label: string) {
    super();
    this._label = label;
  }

  override _start(): Step<void> {
    return this._wait();
  }

  override _resume(): Step<void> {
    return done(undefined);
  }

  override describe(): string {
    return `room in ${this._label}`;
  }
}

class PulledItems implements AsyncItems {
  readonly #pulled: Pulled;

  constructor(pulled: Pulled) {
    this.#pulled = pulled;
  }

  next(): Coroutine<IteratorResult<unknown, unknown>> {
    return this.#pulled.next();
  }

  interrupted(): void {}

  close(): Coroutine<void> {
    return this.#pulled.close();
  }
}

/** An async iterator that gives promises. */
class ForeignItems implements AsyncItems {
  readonly #iterator: ForeignIterator;
  readonly #reader: Reader;
  /** The wait for its `next()`, while that is under way. */
  #pending: SourceWait | null = null;
  #grace: TimerHandle | null = null;
  #returned: { readonly made: unknown } | { readonly error: unknown } | null = null;
  #leftBehind = false;

  constructor(iterator: ForeignIterator, reader: Reader) {
    this.#iterator = iterator;
    this.#reader = reader;
  }

  *next(task: Task<unknown>): Coroutine<IteratorResult<unknown, unknown>> {
    const made = asAsyncFunctionOf(task, () => this.#iterator.next());
    try {
      return yield* this.#settle(task, made) as Coroutine<IteratorResult<unknown, unknown>>;
    } finally {
      this.#pending = null;
      this.#grace?.cancel();
    }
  }

  /**
   * What the library awaits inside of `next()` has been cancelled. For the rest: many iterators answer their `return()`, an
   * async
   * generator does when its own wait is over. One that does not within some time is left behind, as nothing can stop it.
   */
  interrupted(task: Task<unknown>): void {
    const pending = this.#pending;
    if (pending === null) return;
    this.#callReturn(task);
    this.#grace = task._loop.callLater(GRACE, () => {
      this.#leftBehind = true;
      task._loop.callExceptionHandler({
        message: `${this.#reader.label}() leaves its source behind: its next() has not settled within ${GRACE} ms of the end`,
        task,
      });
      pending.abandon();
    });
  }

  *close(task: Task<unknown>): Coroutine<void> {
    if (this.#returned === null) this.#callReturn(task);
    const returned = this.#returned as unknown as { readonly made: unknown } | { readonly error: unknown };
    if ("error" in returned) throw returned.error;
    const { made } = returned;
    if (!this.#leftBehind) yield* this.#settle(task, made);
    else if (isPromiseLike(made)) {
      const message = `Error in a source that ${this.#reader.label}() has left behind`;
      made.then(undefined, (exception: unknown) => task._loop.callExceptionHandler({ message, exception, task }));
    }
  }

  #callReturn(task: Task<unknown>): void {
    try {
      const made = asAsyncFunctionOf(task, () => this.#iterator.return?.());
      // It is awaited later, if at all.
      if (isPromiseLike(made) && !isCoroutine(made)) lookAt(made);
      this.#returned = { made };
    } catch (error) {
      this.#returned = { error };
    }
  }

  *#settle(task: Task<unknown>, made: unknown): Coroutine<unknown> {
    if (!isPromiseLike(made)) return made;
    // An operation or a Future: nothing of the sort needs a promise.
    if (isCoroutine(made)) return yield* made;
    const wait = new SourceWait(made, task._loop);
    this.#pending = wait;
    return yield* wait as unknown as Coroutine<unknown>;
  }
}

/** The wait for a promise of a source: as for that of an async function, but it can be given up. */
class SourceWait extends PromiseWait {
  declare _task: Task<unknown> | null;

  constructor(promise: PromiseLike<unknown>, loop: Task<unknown>["_loop"]) {
    super(promise, loop);
    this._task = null;
  }

  override _park(task: Task<unknown>): null {
    this._task = task;
    return super._park(task);
  }

  abandon(): void {
    if (this._task !== null) this._end(this._task, FAILED, new CancelledError());
  }

  override describe(): string {
    return "the source";
  }
}

/** The task that runs on the stack. */
export function taskHere(): Task<unknown> {
  return current.task as Task<unknown>;
}
