/** Async iterables as sources: what others give by promises is taken by coroutines, and closed in every way out. */

import { unexpected } from "../base/errors.ts";
import { moveOnAfter } from "../flow/timeout.ts";
import { current } from "../kernel/current.ts";
import { ensureFuture } from "../kernel/job.ts";
import { isCoroutine, isGenerator, isPromiseLike } from "../kernel/kinds.ts";
import { type EventLoop, getEventLoop } from "../kernel/loop.ts";
import { asAsyncFunctionOf } from "../kernel/step.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";
import { tellLate } from "./from-promise.ts";
import { isAbortion } from "./signal-watch.ts";
import { BaseSource, END, GRACE, type Source } from "./source.ts";

/**
 * Takes the items of an async iterable (or of a plain one) in a coroutine, one by one.
 *
 * Its `next()` is called in a task of its own, so that a cancelled wait loses no item, and `close()` can cancel what an `async
 * function*` awaits of the library. Closing calls the iterator's `return()`; a pending `next()` that nothing can end is left
 * behind after a second, and that is reported.
 *
 * @param items - Async iterable, or iterable: items that are promises are awaited then.
 * @throws {TypeError} when `items` is not iterable, at once.
 *
 * **Suspends** never; its `next()` does. **Cancel** see {@link Source}. **Source** Python's `async for` over a foreign iterator.
 *
 * @example
 * ```ts
 * const letters = fromAsyncIterable((async function* () { yield "a"; yield "b"; })());
 * (yield* letters.next()).value; // => "a"
 * yield* letters.close();
 * (yield* letters.next()).done; // => true
 * ```
 */
export function fromAsyncIterable<T>(items: AsyncIterable<T> | Iterable<T>): Source<Awaited<T>> {
  return sourceOf<T>(items, "fromAsyncIterable") as Source<Awaited<T>>;
}

/** Anything iterable as a source; what is one stays what it is. */
export function sourceOf<T>(items: AsyncIterable<T> | Iterable<T>, user: string): BaseSource<T> {
  if (items instanceof BaseSource) return items;
  // Into a stream, they would go letter by letter.
  if (user !== "fromAsyncIterable" && (typeof items === "string" || ArrayBuffer.isView(items))) {
    throw unexpected(`an iterable of chunks for ${user}()`, items, "put it into an array: [data]");
  }
  const found = items as Partial<AsyncIterable<T> & Iterable<T>> | null | undefined;
  const waits = isPromiseLike(items) || (isCoroutine(items) && !isGenerator(items));
  const makeAsync = waits ? undefined : found?.[Symbol.asyncIterator];
  const make = makeAsync ?? (waits ? undefined : found?.[Symbol.iterator]);
  if (typeof make !== "function") {
    throw unexpected(`an iterable of items for ${user}(), sync or async`, items, waits ? "await it first" : "");
  }
  const iterator = (make as () => unknown).call(items) as ForeignIterator<T>;
  if (typeof iterator?.next !== "function") throw unexpected("the iterable to give an iterator with next()", iterator);
  return new ForeignSource(iterator, user, makeAsync === undefined || makeAsync === null);
}

/** What is needed of an iterator; its results may be promises or not. */
export interface ForeignIterator<T> {
  next(): PromiseLike<IteratorResult<T, unknown>> | IteratorResult<T, unknown>;
  return?(): unknown;
}

export class ForeignSource<T> extends BaseSource<T> {
  readonly #iterator: ForeignIterator<T>;
  /** Items may be promises. */
  readonly #sync: boolean;
  /** STATE  the task that has called `next()`, until somebody takes what it gave. */
  #reading: Task<IteratorResult<T, undefined>> | null = null;
  /** What that `next()` has given, while it is under way. */
  #pending: PromiseLike<unknown> | null = null;
  /** It came to its end, or threw, or is being closed. */
  #over = false;
  #closing: Task<void> | null = null;

  constructor(iterator: ForeignIterator<T>, label: string, sync = false) {
    super(label);
    this.#iterator = iterator;
    this.#sync = sync;
  }

  override *_take(): Coroutine<IteratorResult<T, undefined>> {
    for (;;) {
      if (this.#over) return END;
      const loop = getEventLoop();
      this.#reading ??= loop.createTask(this.#read(), { name: `${this.label}.source`, eager: true });
      const reading = this.#reading;
      if (!reading.done()) yield* reading.join();
      // Another one that waited may have taken it.
      if (reading !== this.#reading) continue;
      this.#reading = null;
      if (this.#closing !== null) return END;
      try {
        const step = reading.result();
        this.#over = step.done === true;
        return step;
      } catch (error) {
        // What was interrupted is to be closed still; what threw by itself is over.
        this.#over = !reading.cancelled();
        throw error;
      }
    }
  }

  *#read(): Coroutine<IteratorResult<T, undefined>> {
    const made = asAsyncFunctionOf(current.task as Task<unknown>, () => this.#iterator.next());
    const step = yield* this.#await(made);
    if (typeof step !== "object" || step === null) {
      throw unexpected("the iterator's next() to give an object such as { done, value }", step);
    }
    if (step.done === true) return END;
    return { done: false, value: this.#sync ? yield* this.#await(step.value) : step.value };
  }

  *#await<V>(made: PromiseLike<V> | V): Coroutine<V> {
    if (!isPromiseLike(made)) return made;
    if (isCoroutine(made)) return (yield* made) as V;
    this.#pending = made;
    try {
      return yield* ensureFuture(made);
    } finally {
      this.#pending = null;
    }
  }

  override *_close(): Coroutine<void> {
    if (this.#closing === null) {
      if (this.#over) return;
      this.#closing = getEventLoop().createTask(this.#end(), { name: `${this.label}.close`, eager: true });
      this.#over = true;
    }
    const closing = this.#closing;
    if (!closing.done()) yield* closing.join();
    closing.result();
  }

  *#end(): Coroutine<void> {
    const task = current.task as Task<unknown>;
    const loop = task._loop;
    const reading = this.#reading;
    const pending = this.#pending;
    if (reading !== null) {
      // An error that nobody has taken.
      if (reading.done() && !reading.cancelled() && reading.exception() !== null) this.#tell(loop, reading.exception());
      // Ends what the library waits for inside of next(), and lets go of the rest.
      yield* reading.cancelAndWait();
    }
    const returned = settledOf(() => asAsyncFunctionOf(task, () => this.#iterator.return?.()));
    if (pending !== null) {
      // Many iterators answer return() by ending what is under way; an async generator does when its own wait is over.
      const settled = pending.then(undefined, (error: unknown) => this.#tell(loop, error));
      const { timedOut } = yield* moveOnAfter(GRACE, () => ensureFuture(settled));
      if (timedOut) {
        const message = `${this.label}() leaves its source behind: its next() has not settled within ${GRACE} ms of the end`;
        loop.callExceptionHandler({ message, task });
        returned.then(undefined, (error: unknown) => this.#tell(loop, error));
        return;
      }
    }
    yield* ensureFuture(returned);
  }

  #tell(loop: EventLoop, error: unknown): void {
    if (!isAbortion(error)) tellLate(loop, `Error in a source that ${this.label}() has closed`, error);
  }
}

/** What a function gives or throws, as a promise that somebody looks at. */
function settledOf(fn: () => unknown): Promise<unknown> {
  const promise = new Promise((resolve) => resolve(fn()));
  promise.then(undefined, () => {});
  return promise;
}
