/** Coroutines as async generators: a body that emits values, for whoever iterates. */

import { RuntimeError } from "../base/errors.ts";
import { operation } from "../kernel/coroutine.ts";
import { type Body, callBody, checkBody } from "../kernel/job.ts";
import { getEventLoop } from "../kernel/loop.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";
import { Lock } from "../sync/lock.ts";
import { Place, Waiters, wakeAll } from "../sync/waiters.ts";
import { BaseSource, END, type Source } from "./source.ts";

/** What a body of `toAsyncIterable` emits values with: suspends until the next one is asked for. */
export type Emit<T> = (value: T) => Operation<void>;

/**
 * Makes an async iterable of a coroutine (or of an async function) that emits values: an async generator that can be cancelled
 * wherever it waits.
 *
 * The body begins with the first `next()`, in a task of its own, and as a generator it goes on after an `emit` only when the next
 * value is asked for. Leaving the loop cancels it and awaits its cleanup.
 *
 * @param body - A `function*` or an async function; gets `emit`.
 * @param options - `name`: the task's.
 * @throws {TypeError} when `body` is no function, at once; from `next()` what the body throws.
 *
 * **Suspends** never; its `next()` does. **Cancel** see {@link Source}. **Source** Python's asynchronous generators.
 *
 * @example
 * ```ts
 * const squares = toAsyncIterable<number>(function* (emit) {
 *   for (let n = 1; ; n++) {
 *     yield* sleep(1);
 *     yield* emit(n * n);
 *   }
 * });
 * [(yield* squares.next()).value, (yield* squares.next()).value]; // => [1, 4]
 * yield* squares.close();
 * ```
 */
export function toAsyncIterable<T>(
  body: Body<[emit: Emit<T>], unknown>,
  options: { readonly name?: string | undefined } = {},
): Source<T> {
  checkBody(body, "toAsyncIterable");
  return new Emitting(body, options.name ?? "toAsyncIterable");
}

class Emitting<T> extends BaseSource<T> {
  readonly #body: Body<[emit: Emit<T>], unknown>;
  readonly #takers = new Waiters();
  /** Whoever has emitted the value and waits to go on. */
  readonly #emitter = new Waiters();
  readonly #emitting = new Lock();
  readonly #untaken = { describe: () => `a value of ${this.label}` };
  readonly #unasked = { describe: () => `the next value of ${this.label} to be asked for` };
  #task: Task<unknown> | null = null;
  /** The value that was emitted and not taken yet; in an array, as it may be any. */
  #value: [T] | null = null;
  /** How many `next()` wait. */
  #asked = 0;
  #closed = false;

  constructor(body: Body<[emit: Emit<T>], unknown>, label: string) {
    super(label);
    this.#body = body;
  }

  override *_take(): Coroutine<IteratorResult<T, undefined>> {
    if (this.#closed) return END;
    this.#task ??= this.#start();
    const task = this.#task;
    this.#asked++;
    this.#emitter.wakeOne();
    try {
      while (this.#value === null && !task.done()) yield* new Place(this.#takers, this.#untaken);
    } catch (error) {
      // RACE  1. a value wakes A   2. A is cancelled before it runs   3. B must be woken in its place.
      //       test: "toAsyncIterable() hands its turn on, when the consumer that was woken is cancelled"
      if (this.#value !== null) this.#takers.wakeOne();
      throw error;
    } finally {
      this.#asked--;
    }
    const taken = this.#value;
    if (taken !== null) {
      this.#value = null;
      if (this.#asked > 0) this.#emitter.wakeOne();
      return { done: false, value: taken[0] };
    }
    if (this.#closed) return END;
    this.#closed = true;
    // Its error goes to whoever asks first, once.
    task.result();
    return END;
  }

  #start(): Task<unknown> {
    const body = this.#body;
    const emit: Emit<T> = (value) => operation(this.#emit(value), "emit");
    const task = getEventLoop().createTask(() => callBody(body, emit), { name: this.label });
    task.addDoneCallback(() => wakeAll(this.#takers));
    return task;
  }

  *#emit(value: T): Coroutine<void> {
    if (this.#closed || this.#task?.done()) {
      throw new RuntimeError(`Cannot emit in ${this.label}: it is closed; end the body when it is cancelled`, "EMIT_CLOSED");
    }
    // Branches of one body may emit side by side: one after another.
    const guard = yield* this.#emitting.acquire();
    const emitted: [T] = [value];
    this.#value = emitted;
    this.#takers.wakeOne();
    try {
      while (this.#value === emitted) yield* new Place(this.#emitter, this.#unasked);
    } finally {
      // Cancelled before somebody took it: it was not emitted.
      if (this.#value === emitted) this.#value = null;
      guard.release();
    }
  }

  override *_close(): Coroutine<void> {
    const over = this.#closed;
    this.#closed = true;
    this.#value = null;
    wakeAll(this.#takers);
    const task = this.#task;
    if (task === null) return;
    yield* task.cancelAndWait();
    if (!over && !task.cancelled()) task.result();
  }
}
