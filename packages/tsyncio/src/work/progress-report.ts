/** What tasks say of themselves: `reportProgress`, and `track`, which counts the items of a loop. */

import { RuntimeError, show, unexpected } from "../base/errors.ts";
import { runningTask } from "../kernel/current.ts";
import { Task } from "../kernel/task.ts";
import { countOf } from "./progress-count.ts";
import { Account, type ProgressNode } from "./progress-node.ts";
import { Rate } from "./progress-rate.ts";
import { tracker } from "./progress-tracker.ts";

/** What a task says of its progress. What is left out stays as it was. */
export interface ProgressReport {
  /** How many units are done, ≥ 0; less than before means that the work begins anew. */
  readonly done?: number | undefined;
  /** How many more are done than before, ≥ 0; instead of `done`. */
  readonly advance?: number | undefined;
  /** How many units there are, ≥ 0; Infinity when nobody knows. */
  readonly total?: number | undefined;
  /** What is being done. */
  readonly message?: string | undefined;
  /** What is counted, such as `"files"`; `"bytes"` is shown as kB and MB. */
  readonly unit?: string | undefined;
}

export interface ReportOptions {
  /** Whose progress it is; the running task by default. For callbacks, and for browsers after an `await`. */
  readonly task?: Task<unknown> | undefined;
}

/** Options of `track`. */
export interface TrackOptions extends ReportOptions {
  /** How many items there are, ≥ 0; Infinity: nobody knows. By default the `length` or `size` of what is iterated over, if it has one. */
  readonly total?: number | undefined;
  readonly message?: string | undefined;
  readonly unit?: string | undefined;
}

/**
 * Says how far the running task is; whoever looks sees it in `task.progress`, `onProgress` and `progressEvents`.
 *
 * It costs next to nothing: numbers are stored, and put together when somebody looks. Tasks that have something to tell make a tree. One
 * that has reported numbers itself shows those; if it has given a `unit`, together with those of its children with the same. One that works on items
 * by `map` or a Queue shows those. Any other shows its children: their sums if all count the same unit, else how many tasks have
 * ended, with the fractions of those under way. Children that have ended count until their parent ends.
 *
 * TaskGroup, `gather`, `asCompleted`, `map`, `forEach` and queues whose `taskDone` is called report by themselves.
 *
 * @param report - `done` or `advance`, `total`, `message`, `unit`. Ignored when the task has ended.
 * @param options - `task`: whose progress it is.
 * @throws {TypeError} when a value is of the wrong type; {RangeError} for a number that is negative or NaN, or an infinite `done`;
 *   {RuntimeError} outside of any task.
 *
 * **Suspends** never. **Source** none in asyncio.
 *
 * @example
 * ```ts
 * const copy = createTask(function* () {
 *   reportProgress({ total: 3, unit: "files" });
 *   for (const name of ["a", "b", "c"]) {
 *     reportProgress({ message: name });
 *     yield* sleep("1s");
 *     reportProgress({ advance: 1 });
 *   }
 * });
 * yield* sleep("2500ms");
 * const { done, total, unit, message, rate, eta } = copy.progress ?? {};
 * [done, total, unit, message, rate, eta]; // => [2, 3, "files", "c", 1, 1000]
 * yield* copy;
 * copy.progress?.fraction; // => 1
 * ```
 */
export function reportProgress(report: ProgressReport, options?: ReportOptions): void {
  if (typeof report !== "object" || report === null) throw unexpected("a report such as { done: 3, total: 10 }", report);
  const { done, advance, total, message, unit } = report;
  checkNumber("done", done);
  checkNumber("advance", advance);
  checkNumber("total", total, true);
  checkText("message", message);
  checkText("unit", unit);
  if (done !== undefined && advance !== undefined)
    throw new TypeError("Cannot take both `done` and `advance`; leave out one of them");
  const node = nodeFor("reportProgress()", options);
  if (node === null) return;
  const now = node.task._loop.time();
  node.own ??= new Account(now);
  const { own } = node;
  if (message !== undefined) own.message = message;
  if (unit !== undefined) own.unit = unit;
  if (total !== undefined) own.total = known(total);
  const count = done ?? (advance === undefined ? undefined : own.done + advance);
  if (count !== undefined || total !== undefined) own.count(count ?? own.done, now);
  tracker.changed(node.task);
}

/**
 * Goes over items as the iterable itself does, and reports how many are done: an item is, when the next one is asked for.
 *
 * The report is that of the task in which `track` is called. Inside of another `track` of the task, it is shown below that one, until it ends.
 * After it, another begins anew.
 *
 * @param items - Anything iterable: for `for … of`, if it is async for `for await`, or `forEach` in a coroutine.
 * @param options - `total`, `message`, `unit`, `task`.
 * @throws {TypeError} when it is not iterable or a value is of the wrong type; {RangeError} for a total that is negative or NaN;
 *   {RuntimeError} outside of any task.
 *
 * **Suspends** never by itself. **Source** replaces tqdm.
 *
 * @example
 * ```ts
 * const words = ["one", "two", "three", "four"];
 * const reader = createTask(function* () {
 *   for (const word of track(words, { unit: "words" })) yield* sleep(word.length);
 * });
 * yield* sleep(7);
 * [reader.progress?.done, reader.progress?.total]; // => [2, 4]
 * yield* reader;
 * ```
 */
export function track<T>(items: Iterable<T>, options?: TrackOptions): Iterable<T>;
export function track<T>(items: AsyncIterable<T>, options?: TrackOptions): AsyncIterable<T>;
export function track<T>(items: Iterable<T> | AsyncIterable<T>, options?: TrackOptions): Iterable<T> | AsyncIterable<T>;
export function track(items: unknown, options: TrackOptions = {}): unknown {
  const makeAsync = method(items, Symbol.asyncIterator);
  const make = makeAsync ?? method(items, Symbol.iterator);
  if (make === undefined)
    throw unexpected("something iterable for track(), sync or async", items, "pass an array, for instance");
  const { total = countOf(items), message, unit } = options;
  checkNumber("total", total, true);
  checkText("message", message);
  checkText("unit", unit);
  const node = nodeFor("track()", options);
  const pass = (): Pass => new Pass(node, total === undefined ? undefined : known(total), message, unit);
  if (makeAsync === undefined) {
    return { [Symbol.iterator]: () => new Tracked(pass(), make.call(items) as Iterator<unknown>) };
  }
  return { [Symbol.asyncIterator]: () => new AsyncTracked(pass(), makeAsync.call(items) as AsyncIterator<unknown>) };
}

function method(of: unknown, name: symbol): ((this: unknown) => unknown) | undefined {
  const found = (of as Record<symbol, unknown> | null | undefined)?.[name];
  return typeof found === "function" ? (found as () => unknown) : undefined;
}

/** One time through the items. */
class Pass {
  readonly #node: ProgressNode | null;
  readonly #account: Account | null = null;
  /** An item has been handed out. */
  #under = false;
  #over = false;

  constructor(node: ProgressNode | null, total: number | undefined, message: string | undefined, unit: string | undefined) {
    this.#node = node?.endedAt === undefined ? node : null;
    if (this.#node === null) return;
    const { tracks, task } = this.#node;
    const now = task._loop.time();
    const inside = tracks !== null && tracks.length > 0;
    const account = inside ? new Account(now) : (this.#node.own ?? new Account(now));
    if (!inside) this.#node.own = account;
    account.done = 0;
    account.rate = new Rate(now, 0);
    account.total = total;
    account.unit = unit;
    if (message !== undefined) account.message = message;
    this.#node.tracks = [...(tracks ?? []), account];
    this.#account = account;
    tracker.changed(task);
  }

  /** The next item is asked for: so the one before is done. */
  advance(): void {
    if (this.#account === null || !this.#under) return;
    this.#under = false;
    const node = this.#node as ProgressNode;
    this.#account.count(this.#account.done + 1, node.task._loop.time());
    tracker.changed(node.task);
  }

  /** An item, or the end. */
  took(result: IteratorResult<unknown>): void {
    if (result.done === true) this.end(true);
    else this.#under = true;
  }

  end(exhausted: boolean): void {
    const node = this.#node;
    const account = this.#account;
    if (this.#over || node === null || account === null) return;
    this.#over = true;
    // There are no more than there were.
    if (exhausted) account.total ??= account.done;
    node.tracks = node.tracks?.filter((each) => each !== account) ?? null;
    tracker.changed(node.task);
  }
}

class Tracked implements IterableIterator<unknown> {
  readonly #pass: Pass;
  readonly #inner: Iterator<unknown>;

  constructor(pass: Pass, inner: Iterator<unknown>) {
    this.#pass = pass;
    this.#inner = inner;
  }

  next(): IteratorResult<unknown> {
    this.#pass.advance();
    try {
      const result = this.#inner.next();
      this.#pass.took(result);
      return result;
    } catch (error) {
      this.#pass.end(false);
      throw error;
    }
  }

  return(value?: unknown): IteratorResult<unknown> {
    this.#pass.end(false);
    return this.#inner.return?.(value) ?? { done: true, value };
  }

  [Symbol.iterator](): this {
    return this;
  }
}

class AsyncTracked implements AsyncIterableIterator<unknown> {
  readonly #pass: Pass;
  readonly #inner: AsyncIterator<unknown>;

  constructor(pass: Pass, inner: AsyncIterator<unknown>) {
    this.#pass = pass;
    this.#inner = inner;
  }

  async next(): Promise<IteratorResult<unknown>> {
    this.#pass.advance();
    try {
      const result = await this.#inner.next();
      this.#pass.took(result);
      return result;
    } catch (error) {
      this.#pass.end(false);
      throw error;
    }
  }

  async return(value?: unknown): Promise<IteratorResult<unknown>> {
    this.#pass.end(false);
    return (await this.#inner.return?.(value)) ?? { done: true, value };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

function nodeFor(what: string, options: ReportOptions | undefined): ProgressNode | null {
  const { task = runningTask() } = options ?? {};
  if (task === null) {
    throw new RuntimeError(`Cannot use ${what} outside of any task; call it in one, or pass { task }`, "NO_TASK");
  }
  if (!(task instanceof Task)) throw unexpected("`task` to be a Task", task);
  return tracker.nodeOf(task);
}

function known(total: number): number | undefined {
  return total === Number.POSITIVE_INFINITY ? undefined : total;
}

function checkNumber(name: string, value: unknown, infinite = false): void {
  if (value === undefined) return;
  const expected = `\`${name}\` to be a ${infinite ? "number ≥ 0, or Infinity" : "finite number ≥ 0"}`;
  if (typeof value !== "number") throw unexpected(expected, value);
  if (!(value >= 0 && (infinite || value < Number.POSITIVE_INFINITY))) {
    throw new RangeError(`Expected ${expected}, got ${show(value)}`);
  }
}

function checkText(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== "string") throw unexpected(`\`${name}\` to be a string`, value);
}
