/** Work on many items at a time, of any iterable: back-pressured, cancelled as one. */

import { show, unexpected } from "../base/errors.ts";
import type { ResultOf } from "../flow/gather.ts";
import { Call, operation } from "../kernel/coroutine.ts";
import { FAILED } from "../kernel/future.ts";
import { type Body, checkBody } from "../kernel/job.ts";
import { getEventLoop } from "../kernel/loop.ts";
import { done, type Operation, type Step } from "../kernel/operation.ts";
import type { Coroutine, WaitSource } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";
import { Waiter, Waiters, wakeAll } from "../sync/waiters.ts";
import { Arrived, AsDone, Dropped, InOrder, type Kept, Listed, type Stream } from "./map-results.ts";
import { type MapLimiter, MapRun, type OnError, type Plan } from "./map-run.ts";
import { checkItems, PULL, type Pulled } from "./map-source.ts";

export type { MapLimiter } from "./map-run.ts";

/** What items are read from. Those that are promises are awaited. */
export type Items = Iterable<unknown> | AsyncIterable<unknown>;

/** The type of the items of an iterable, as the function gets them. */
export type ItemOf<I> =
  I extends Mapping<infer R>
    ? R
    : I extends AsyncIterable<infer T>
      ? Awaited<T>
      : I extends Iterable<infer T>
        ? Awaited<T>
        : never;

/** What `map` returns: await it for all results, or iterate over it for one after another. For one use. */
export interface Mapping<R> extends Operation<R[]> {
  /**
   * Takes the results one by one, by `for await`. Leaving the loop cancels and awaits what runs, and closes the source.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<R, undefined, unknown>;
}

/** Options that `map` and `forEach` share. */
export interface ForEachOptions {
  /**
   * How many items at a time: an integer ≥ 1, or Infinity; or a limiter, which others may share: a Semaphore, a
   * CapacityLimiter, a
   * RateLimiter, whatever has an `acquire()` or a `with(body)`.
   */
  readonly concurrency?: number | MapLimiter | undefined;
  /** Aborts at once: what runs is cancelled and awaited, then the signal's reason is thrown. */
  readonly signal?: AbortSignal | undefined;
  /** False: an error ends nothing; when all are done, an ExceptionGroup of all errors is thrown, in the order of the items. */
  readonly stopOnError?: boolean | undefined;
  /** What the tasks are called by: `map[0]`, `map[1]`, … */
  readonly name?: string | undefined;
}

/** Options of `map`. */
export interface MapOptions extends ForEachOptions {
  /** Whether results come in the order of the items (default), or as they are completed. */
  readonly ordered?: boolean | undefined;
  /**
   * For iteration: how many items may be read whose results have not been taken yet, an integer ≥ `concurrency`, or Infinity.
   * By
   * default as many as `concurrency`, or 64 where that is no number or Infinity. With more than `concurrency`, a slow async
   * source
   * is read ahead, up to `concurrency` items.
   */
  readonly lookAhead?: number | undefined;
  /** Whether results are `{ status: "fulfilled", value }` or `{ status: "rejected", reason }`. False by default. */
  readonly settled?: boolean | undefined;
}

/** How far the source is read ahead of whoever iterates, where nothing else bounds it. */
const LOOK_AHEAD = 64;

/**
 * Calls a function with each item, for many at a time, each in a task of its own.
 *
 * `yield*` or `await` it for the array of all results; or take them one by one, which holds the work back when they are taken
 * slowly:
 * by `for await` in an async function, in a coroutine by `forEach(map(…), function* (result) { … })`. Nothing runs before that.
 *
 * The first error cancels all that still runs, awaits it, closes the source and is thrown as it is. Errors that come after it
 * are told to the loop's exception handler. A cancellation is never a result: an item whose task somebody else cancels cancels
 * the
 * map. A source whose pending `next()` nothing can end is left behind a second after the end, and that is reported. An item that was
 * read, and whose call has not begun by then, is dropped: what must not get lost is taken by `yield* queue.get()` in a loop.
 *
 * @param items - Anything iterable, sync or async, endless, too; read only as far as there is room.
 * @param fn - A `function*`, an async function or an ordinary one; gets the item, awaited, and its index. It may return
 * {@link SKIP} or {@link STOP}.
 * @param options - `concurrency`: items at a time, Infinity by default; `ordered`, `lookAhead`, `settled`, `stopOnError`,
 * `signal`,
 * `name`.
 * @throws {TypeError} when `items` is not iterable or `fn` no function, {RangeError} for a number out of range: at once.
 *
 * **Suspends** until all is done, or the next result is there. **Cancel** cancels what runs, awaits it, and closes the source;
 * so does
 * leaving the loop. **Source** replaces p-map.
 *
 * @example
 * ```ts
 * yield* map(["a", "bb", "ccc"], (word) => sleep(1, word.length), { concurrency: 2 }); // => [1, 2, 3]
 * ```
 */
export function map<I extends Items, R>(
  items: I,
  fn: (item: ItemOf<I>, index: number) => R,
  options: MapOptions & { readonly settled: true; readonly stopOnError?: undefined },
): Mapping<PromiseSettledResult<Kept<ResultOf<() => R>>>>;
export function map<I extends Items, R>(
  items: I,
  fn: (item: ItemOf<I>, index: number) => R,
  options?: MapOptions & { readonly settled?: false | undefined },
): Mapping<Kept<ResultOf<() => R>>>;
export function map(items: unknown, fn: Body<[item: never, index: number], unknown>, options?: MapOptions): unknown {
  return new MapCall(planOf("map", items, fn, options ?? {}, Number.POSITIVE_INFINITY));
}

/**
 * Calls a function with each item; one after another, or as many at a time as `concurrency` says. The results are dropped.
 *
 * The loop of coroutines over what only `for await` could take: an async iterable, the results of a `map`. {@link STOP} ends
 * it.
 * Errors are treated as those of {@link map}.
 *
 * @param items - As for {@link map}. A mapping is driven directly, without promises.
 * @param options - `concurrency`: items at a time, 1 by default; `stopOnError`, `signal`, `name`.
 * @throws as {@link map} does.
 *
 * **Suspends** until all is done. **Cancel** cancels what runs, awaits it, and closes the source. **Source** replaces p-map
 * where the
 * results are not needed, and `for await` in coroutines.
 *
 * @example
 * ```ts
 * const seen: number[] = [];
 * yield* forEach(map([3, 1, 2], (n) => sleep(n, n * n), { ordered: false }), function* (square) {
 *   yield* sleep(1);
 *   seen.push(square);
 * });
 * seen; // => [1, 4, 9]
 * ```
 */
export function forEach<I extends Items>(
  items: I,
  fn: (item: ItemOf<I>, index: number) => unknown,
  options?: ForEachOptions,
): Operation<void> {
  checkOptions(options);
  const { concurrency, signal, stopOnError, name } = options ?? {};
  const plan = planOf("forEach", items, fn, { concurrency, signal, stopOnError, name }, 1);
  return operation(new MapRun(plan, new Dropped()).drive(), plan.label);
}

function planOf(
  label: string,
  items: unknown,
  fn: Body<[item: never, index: number], unknown>,
  options: MapOptions,
  usual: number,
): Plan {
  checkItems(items, label);
  checkBody(fn, label);
  checkOptions(options);
  const { concurrency: given = usual, ordered = true, lookAhead, signal, settled, stopOnError, name = label } = options;
  const limiter = typeof given === "object" && given !== null ? given : null;
  if (limiter !== null && !["acquire", "with"].some((each) => typeof Reflect.get(limiter, each) === "function")) {
    throw unexpected("`concurrency` to be a number, or a limiter with acquire() or with()", limiter);
  }
  const concurrency = limiter === null ? atLeast("concurrency", given as number, 1) : Number.POSITIVE_INFINITY;
  const bound = lookAhead === undefined ? usualLookAhead(concurrency) : atLeast("lookAhead", lookAhead, least(concurrency));
  checkFlag("ordered", ordered);
  checkFlag("settled", settled);
  checkFlag("stopOnError", stopOnError);
  checkSignal(signal);
  if (settled === true && stopOnError !== undefined) {
    throw new TypeError("Cannot combine `settled` and `stopOnError`: settled results hold the errors; leave out one of them");
  }
  return {
    items,
    fn,
    label: String(name),
    concurrency,
    limiter,
    ordered,
    lookAhead: bound,
    readAhead: 0,
    signal,
    onError: onErrorOf(settled, stopOnError),
  };
}

function usualLookAhead(concurrency: number): number {
  return concurrency === Number.POSITIVE_INFINITY ? LOOK_AHEAD : concurrency;
}

/** The least look-ahead: with less, fewer would run at a time than were asked for. */
function least(concurrency: number): number {
  return concurrency === Number.POSITIVE_INFINITY ? 1 : concurrency;
}

function atLeast(name: string, value: number, minimum: number): number {
  if (typeof value !== "number") throw unexpected(`\`${name}\` to be an integer ≥ ${minimum} or Infinity`, value);
  if (value >= minimum && (Number.isInteger(value) || value === Number.POSITIVE_INFINITY)) return value;
  throw new RangeError(`Expected \`${name}\` to be an integer ≥ ${minimum} or Infinity, got ${show(value)}`);
}

function checkOptions(options: unknown): void {
  if (options === undefined || typeof options === "object") return;
  throw unexpected("`options` to be an object such as { concurrency: 8 }", options);
}

function checkFlag(name: string, value: boolean | undefined): void {
  if (value !== undefined && typeof value !== "boolean") throw unexpected(`\`${name}\` to be true or false`, value);
}

/** Refuses what is no AbortSignal, of whichever realm. */
export function checkSignal(signal: AbortSignal | undefined): void {
  const found = signal as Partial<AbortSignal> | null | undefined;
  if (found === undefined) return;
  if (typeof found?.aborted === "boolean" && typeof found.addEventListener === "function") return;
  throw unexpected("`signal` to be an AbortSignal", signal);
}

function onErrorOf(settled: boolean | undefined, stopOnError: boolean | undefined): OnError {
  return settled === true ? "settle" : stopOnError === false ? "collect" : "stop";
}

/** The array of all results: nothing waits to be collected. */
function* all(plan: Plan): Coroutine<unknown[]> {
  const results = plan.ordered ? new Listed() : new Arrived();
  yield* new MapRun({ ...plan, lookAhead: Number.POSITIVE_INFINITY }, results).drive();
  return results.list();
}

class MapCall extends Call<unknown[]> {
  declare readonly _plan: Plan;

  constructor(plan: Plan) {
    super(all(plan), plan.label);
    this._plan = plan;
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<unknown, undefined, unknown> {
    const cursor = this[PULL]();
    return {
      next: () => new Next(cursor).then(undefined, (error: unknown) => cursor.closeBy(error)),
      return: () => new Call(cursor.close(), cursor.label).then(() => ({ done: true, value: undefined })),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  [PULL](): Cursor {
    this._claim();
    const { concurrency, lookAhead } = this._plan;
    const ahead = concurrency === Number.POSITIVE_INFINITY ? 0 : Math.min(concurrency, lookAhead - concurrency);
    return new Cursor({ ...this._plan, readAhead: ahead });
  }
}

/** Takes the results of a mapping one by one; a task of its own drives it meanwhile. */
class Cursor implements Pulled, WaitSource {
  readonly label: string;
  readonly #run: MapRun;
  readonly #results: Stream;
  readonly line: Waiters = new Waiters();
  #driver: Task<void> | null = null;
  #over = false;

  constructor(plan: Plan) {
    this.label = plan.label;
    this.#results = plan.ordered ? new InOrder() : new AsDone();
    this.#run = new MapRun(plan, this.#results, () => wakeAll(this.line));
  }

  *next(): Coroutine<IteratorResult<unknown, undefined>> {
    try {
      return yield* new Next(this) as unknown as Coroutine<IteratorResult<unknown, undefined>>;
    } catch (error) {
      yield* this.close();
      throw error;
    }
  }

  /** As a `catch` around `next()`, for those who await it. */
  async closeBy(error: unknown): Promise<never> {
    await new Call(this.close(), this.label);
    throw error;
  }

  /** The next result, if it can be told at once. */
  look(): IteratorResult<unknown, undefined> | null {
    if (this.#over) return { done: true, value: undefined };
    // ORDER  results that were there before an error are given before it.
    if (this.#results.ready()) {
      const value = this.#results.take();
      this.#run.wake();
      return { done: false, value };
    }
    const driver = this.#drive();
    if (!driver.done()) return null;
    this.#over = true;
    driver.result();
    return { done: true, value: undefined };
  }

  /** Ends it, and waits for the end. */
  *close(): Coroutine<void> {
    const first = !this.#over;
    this.#over = true;
    const driver = this.#driver;
    if (driver === null) return;
    if (first && driver.done()) {
      // It has failed meanwhile, and whoever leaves the loop does not ask how it went on.
      if (driver._state === FAILED) this.#reportFailure(driver);
      return;
    }
    if (first) this.#run.leave();
    let cancellation: { error: unknown } | null = null;
    while (!driver.done()) {
      try {
        yield* driver.join();
      } catch (error) {
        // Its tasks have been told; a second request does not hurry them.
        cancellation ??= { error };
      }
    }
    if (cancellation !== null) {
      if (first && driver._state === FAILED) this.#reportFailure(driver);
      throw cancellation.error;
    }
    if (first) driver.result();
  }

  #reportFailure(driver: Task<void>): void {
    const exception = driver.exception();
    driver._loop.callExceptionHandler({
      message: `Error in ${this.label}() after it was left`,
      exception,
      task: driver as Task<unknown>,
    });
  }

  #drive(): Task<void> {
    if (this.#driver === null) {
      this.#driver = getEventLoop()._spawn(this.#run.drive(), { name: this.label });
      this.#driver.addDoneCallback(() => wakeAll(this.line));
    }
    return this.#driver;
  }

  describe(): string {
    return this.#run.describe();
  }

  holders(): Task<unknown>[] {
    return this.#driver === null ? [] : [this.#driver as Task<unknown>];
  }
}

/** Waits for the next result. By hand, as a `for await` makes one for each. */
class Next extends Waiter<IteratorResult<unknown, undefined>> {
  declare readonly _cursor: Cursor;

  constructor(cursor: Cursor) {
    super();
    this._cursor = cursor;
  }

  override _start(): Step<IteratorResult<unknown, undefined>> {
    const found = this._cursor.look();
    if (found !== null) return done(found);
    this._cursor.line.join(this);
    return this._wait();
  }

  override _resume(): Step<IteratorResult<unknown, undefined>> {
    this._cursor.line.leave(this);
    // Another one may have been faster.
    return this._start();
  }

  override _abandon(): void {
    this._cursor.line.leave(this);
  }

  override describe(): string {
    return `next of ${this._cursor.label}`;
  }

  override _waitsFor(): WaitSource {
    return this._cursor;
  }
}
