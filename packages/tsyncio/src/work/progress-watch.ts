/** Hearing of progress: `onProgress`, `progressEvents`, and a look at all there is. */

import { type Duration, milliseconds } from "../base/duration.ts";
import { unexpected } from "../base/errors.ts";
import { Call, operation } from "../kernel/coroutine.ts";
import { isGeneratorFunction } from "../kernel/kinds.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Progress } from "../kernel/progress.ts";
import type { Coroutine, WaitSource } from "../kernel/suspended.ts";
import { Task } from "../kernel/task.ts";
import { Place, Waiters, wakeAll } from "../sync/waiters.ts";
import { Listener } from "./progress-listener.ts";
import { tracker } from "./progress-tracker.ts";

/** Options of `onProgress` and `progressEvents`. */
export interface ProgressOptions {
  /** The least time between two looks, ≥ 0; `"100ms"` by default. With Infinity only the first state and ends are told. */
  readonly interval?: Duration | undefined;
  /** Only this task, with what is below it; it ends with the task. By default all tasks. */
  readonly task?: Task<unknown> | undefined;
}

/**
 * Calls a listener when there is progress to be seen: soon, then at most once in an interval, and always with the last state.
 *
 * It gets each task that counts for no other, with the tree below it, when something in that has changed; and each task that has
 * ended, once more, whose `state` says how. Rates and times alone are no change: look at `task.progress` or {@link allProgress} for those.
 *
 * @param listener - An ordinary or async function. Its errors go to the loop's exception handler.
 * @param options - `interval`; `task`: only that one.
 * @returns how to stop: call it, or hold it by `using`. What was not told yet is told then.
 * @throws {TypeError} when `listener` is not such a function or `task` not a Task; {RangeError} for an interval that is negative or NaN.
 *
 * **Suspends** never. Nothing is kept alive by it: not the process, and not what has ended.
 *
 * @example
 * ```ts
 * const copy = createTask(function* () {
 *   for (const _ of track(Array(80))) yield* sleep("30ms");
 * });
 * const seen: number[] = [];
 * const stop = onProgress(({ done }) => void seen.push(done), { task: copy, interval: "1s" });
 * yield* copy;
 * seen; // => [0, 33, 66, 80]
 * ```
 */
export function onProgress(
  listener: (progress: Progress) => unknown,
  options: ProgressOptions = {},
): (() => void) & Disposable {
  if (typeof listener !== "function" || isGeneratorFunction(listener)) {
    throw unexpected("an ordinary or async function for onProgress()", listener, "in a coroutine, use progressEvents()");
  }
  const { interval, task } = read(options);
  const given = new Listener(listener, interval, task);
  const stop = (): void => given.stop();
  return Object.assign(stop, { [Symbol.dispose]: stop });
}

/** Progress as it comes: by `for await`, or by `yield* events.next()`. */
export interface ProgressEvents extends Disposable {
  /**
   * Waits for the next picture; `done` when nothing comes any more.
   *
   * **Suspends** until there is one. **Cancel** takes none.
   */
  next(): Operation<IteratorResult<Progress, undefined>>;
  /** Ends it. What was not taken is dropped. */
  return(): Operation<IteratorResult<Progress, undefined>>;
  [Symbol.asyncIterator](): AsyncIterator<Progress, undefined, unknown>;
}

/**
 * Progress as a stream: as {@link onProgress} tells it, for `for await` in async functions, and for coroutines.
 *
 * Who takes slowly gets the last state of each task, and none twice; of those that have ended, the end. It listens from the call on,
 * until the loop over it is left, or until `return()`.
 *
 * @param options - `interval`; `task`: only that one; the stream ends when that ends.
 * @throws as {@link onProgress} does.
 *
 * **Suspends** at each `next()`. **Cancel** of that wait loses nothing.
 *
 * @example
 * ```ts
 * const task = createTask(function* () {
 *   for (const _ of track(["a", "b"])) yield* sleep("1s");
 * });
 * const seen: string[] = [];
 * const events = progressEvents({ task });
 * for (let next = yield* events.next(); !next.done; next = yield* events.next()) {
 *   seen.push(`${next.value.done} of ${next.value.total}, ${next.value.state}`);
 * }
 * seen; // => ["0 of 2, running", "1 of 2, running", "2 of 2, finished"]
 * ```
 */
export function progressEvents(options: ProgressOptions = {}): ProgressEvents {
  const { interval, task } = read(options);
  return new Events(interval, task);
}

/**
 * Looks at all that has something to tell: the tasks that count for no other, each with the tree below it, in order of their beginning.
 *
 * **Suspends** never.
 *
 * @example
 * ```ts
 * createTask(function* () {
 *   yield* gather(sleep(1), sleep(3));
 * });
 * yield* sleep(2);
 * const [main] = allProgress();
 * main?.children.map(({ done, total, unit }) => `${done} of ${total} ${unit}`); // => ["1 of 2 tasks"]
 * ```
 */
export function allProgress(): Progress[] {
  return tracker.roots().flatMap((node) => node.seen ?? []);
}

function read(options: ProgressOptions): { interval: number; task: Task<unknown> | null } {
  if (typeof options !== "object" || options === null)
    throw unexpected('`options` to be an object such as { interval: "1s" }', options);
  const { interval = 100, task } = options;
  const time = milliseconds(interval, "interval");
  if (time < 0) throw new RangeError(`Expected \`interval\` to be 0 or more, got ${time}; 0 looks at each turn`);
  if (task !== undefined && !(task instanceof Task)) throw unexpected("`task` to be a Task", task);
  return { interval: time, task: task?._self() ?? null };
}

class Events implements ProgressEvents, WaitSource {
  readonly #line = new Waiters();
  /** Not taken yet: of each task, the last. */
  readonly #waiting = new Map<number, Progress>();
  readonly #listener: Listener;
  #over = false;

  constructor(interval: number, task: Task<unknown> | null) {
    const tell = (progress: Progress): void => {
      // ORDER  as they were told last.
      this.#waiting.delete(progress.id);
      this.#waiting.set(progress.id, progress);
      wakeAll(this.#line);
    };
    const onStop = (): void => {
      this.#over = true;
      wakeAll(this.#line);
    };
    this.#listener = new Listener(tell, interval, task, onStop);
  }

  next(): Operation<IteratorResult<Progress, undefined>> {
    return operation(this.#next(), "progressEvents.next");
  }

  *#next(): Coroutine<IteratorResult<Progress, undefined>> {
    // RACE  1. woken   2. another one is faster   3. so it is looked again.
    while (this.#waiting.size === 0) {
      if (this.#over) return { done: true, value: undefined };
      yield* new Place(this.#line, this);
    }
    const [value] = this.#waiting.values() as Iterable<Progress> as [Progress];
    this.#waiting.delete(value.id);
    return { done: false, value };
  }

  return(): Operation<IteratorResult<Progress, undefined>> {
    return operation(this.#return(), "progressEvents.return");
  }

  *#return(): Coroutine<IteratorResult<Progress, undefined>> {
    this[Symbol.dispose]();
    return { done: true, value: undefined };
  }

  [Symbol.dispose](): void {
    this.#listener.stop();
    this.#waiting.clear();
  }

  [Symbol.asyncIterator](): AsyncIterator<Progress, undefined, unknown> {
    return {
      next: () => new Call(this.#next(), "progressEvents.next").then(),
      return: () => new Call(this.#return(), "progressEvents.return").then(),
    };
  }

  describe(): string {
    return "the next of progressEvents()";
  }
}
