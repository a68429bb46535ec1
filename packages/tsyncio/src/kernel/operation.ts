/** What can be `yield*`-ed and `await`-ed alike: the library's waiting operations, and coroutines wrapped by `coroutine()`. */

import { RuntimeError, show } from "../base/errors.ts";
import { current, runningLoop } from "./current.ts";
import { type Frame, noteFrame } from "./frames.ts";
import type { Future } from "./future.ts";
import { getEventLoop } from "./loop.ts";
import type { Coroutine, Suspension } from "./suspended.ts";
import { isGeneratorFunction, MAKES_COROUTINE } from "./task.ts";

/**
 * A lazy, one-use piece of waiting: `yield*` it in a coroutine, or `await` it in an async function.
 *
 * It does nothing until then. Awaited outside of any task, it runs on the thread's default loop.
 */
export interface Operation<T> extends Coroutine<T>, PromiseLike<T> {}

type Step<T> = IteratorResult<Suspension, T>;

const NEW = 0;
const CLAIMED = 1;
/** It waits. (A Call stays so to its end, an Op goes on to ENDED.) */
const STARTED = 2;
const ENDED = 3;

/** What all operations share: one use, and `await`. */
abstract class BaseOperation<T> {
  /** @internal */
  _stage: number = NEW;

  abstract next(): Step<T>;
  abstract throw(error: unknown): Step<T>;
  abstract return(value: T): Step<T>;
  /** What it is called, as in `lock.acquire`. */
  abstract describe(): string;

  /** @internal Taken by a `yield*`, an `await` or a task: once. */
  _claim(): void {
    if (this._stage !== NEW) {
      throw new RuntimeError(
        `Cannot await ${this.describe()} again: it is for one use; call its function again`,
        "COROUTINE_REUSED",
      );
    }
    this._stage = CLAIMED;
    if (current.debug) current.debugTools?.noteStarted(this);
  }

  [Symbol.iterator](): this {
    this._claim();
    return this;
  }

  // biome-ignore lint/suspicious/noThenProperty: an operation is awaitable on purpose
  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    const loop = runningLoop() ?? getEventLoop();
    return loop._await<T>(this as never).then(onFulfilled, onRejected);
  }

  get [Symbol.toStringTag](): string {
    return "Operation";
  }

  toString(): string {
    return `<Operation ${this.describe()}>`;
  }
}

/** An operation written as a small state machine by hand: half the cost of a generator, for what is awaited most. */
export abstract class Op<T> extends BaseOperation<T> {
  /** @internal The first run: the result, or what to wait for. */
  abstract _start(): Step<T>;
  /** @internal The wait is over. */
  abstract _resume(): Step<T>;
  /** @internal The wait ended with an error, a cancellation as a rule: clean up and throw it. */
  abstract _fail(error: unknown): Step<T>;

  constructor() {
    super();
    if (current.debug) current.debugTools?.noteUnstarted(this, this.describe(), runningLoop());
  }

  next(): Step<T> {
    const waited = this._stage === STARTED;
    // Ended, unless the step says otherwise: also when it throws.
    this._stage = ENDED;
    const result = waited ? this._resume() : this._start();
    if (result.done !== true) this._stage = STARTED;
    return result;
  }

  throw(error: unknown): Step<T> {
    const waited = this._stage === STARTED;
    this._stage = ENDED;
    if (!waited) throw error;
    const result = this._fail(error);
    if (result.done !== true) this._stage = STARTED;
    return result;
  }

  return(value: T): Step<T> {
    if (this._stage === NEW) this._claim();
    try {
      this.throw(new RuntimeError(`${this.describe()} was closed`));
    } catch {
      // It has cleaned up; the caller of return() wants no error.
    }
    return done(value);
  }
}

/** Ends an operation's step with its result. */
export function done<T>(value: T): Step<T> {
  return { done: true, value };
}

/** Ends an operation's step by waiting. */
export function suspendOn(what: Future<never> | Future<void>): Step<never> {
  return what.next() as Step<never>;
}

const RUNNING = 0;
const RETURNED = 1;
const THREW = 2;

/** A call of a wrapped coroutine; see frames.ts for how it keeps deep calls cheap. */
export class Call<T> extends BaseOperation<T> implements Frame {
  readonly _generator: Generator<unknown, unknown, unknown>;
  readonly #label: string;
  _caller: Frame | null = null;
  #ended = RUNNING;
  #outcome: unknown = undefined;

  constructor(generator: Generator<unknown, T, unknown>, label: string) {
    super();
    this._generator = generator;
    this.#label = label;
    if (current.debug) current.debugTools?.noteUnstarted(this, label, runningLoop());
  }

  next(sent?: unknown): Step<T> {
    if (this._stage === STARTED) {
      if (this.#ended === RUNNING) return this._generator.next(sent) as Step<T>;
      if (this.#ended === RETURNED) return this.#outcome as Step<T>;
      throw this.#outcome;
    }
    this._stage = STARTED;
    const result = this._generator.next() as Step<T>;
    if (result.done !== true) noteFrame(this, result);
    return result;
  }

  throw(error: unknown): Step<T> {
    if (this._stage === STARTED && this.#ended !== RUNNING) throw error;
    this._stage = STARTED;
    return this._generator.throw(error) as Step<T>;
  }

  return(value: T): Step<T> {
    if (this._stage === NEW) this._claim();
    this._stage = STARTED;
    return this._generator.return(value) as Step<T>;
  }

  _complete(result: IteratorResult<unknown, unknown>): void {
    this.#ended = RETURNED;
    this.#outcome = result;
  }

  _abort(error: unknown): void {
    this.#ended = THREW;
    this.#outcome = error;
  }

  override describe(): string {
    return this.#label;
  }
}

/** Makes an operation of the library out of a generator. */
export function operation<T>(generator: Coroutine<T>, name: string): Operation<T> {
  return new Call<T>(generator, name) as unknown as Operation<T>;
}

/**
 * Wraps a generator function, so that its calls can be `yield*`-ed and `await`-ed, know their name, are noticed in debug mode
 * when nobody awaits them, and are resumed at the same cost however deep they are nested.
 *
 * Arguments, `this`, name and type parameters are kept.
 *
 * @throws {TypeError} when `fn` is not a generator function.
 *
 * **Suspends** never; its calls do as `fn` does, and are cancelled wherever they wait.
 *
 * @example
 * ```ts
 * const double = coroutine(function* (n: number) {
 *   yield* sleep(1);
 *   return 2 * n;
 * });
 * yield* double(21); // => 42
 * ```
 */
export function coroutine<This, A extends unknown[], T>(
  fn: (this: This, ...args: A) => Generator<Suspension, T, unknown>,
): (this: This, ...args: A) => Operation<T> {
  if (!isGeneratorFunction(fn)) {
    throw new TypeError(
      `Expected a generator function for coroutine(), got ${show(fn)}; write function* (an async function needs no wrapper)`,
    );
  }
  const { name, length } = fn;
  function wrapped(this: This, ...args: A): Operation<T> {
    return new Call<T>(fn.apply(this, args), name || "coroutine") as unknown as Operation<T>;
  }
  Object.defineProperty(wrapped, "name", { value: name });
  Object.defineProperty(wrapped, "length", { value: length });
  Object.defineProperty(wrapped, MAKES_COROUTINE, { value: true });
  return wrapped;
}
