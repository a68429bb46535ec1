/** Coroutines with a name that can be awaited: `coroutine()` makes them of generator functions. */

import { show } from "../base/errors.ts";
import { current, runningLoop } from "./current.ts";
import { type Frame, noteFrame } from "./frames.ts";
import { isGenerator, isGeneratorFunction, MAKES_COROUTINE } from "./kinds.ts";
import { BaseOperation, done, NEW, type Operation, type Step } from "./operation.ts";
import type { Coroutine, Suspension } from "./suspended.ts";

// STATE  NEW ──claim──▶ CLAIMED ──first next()──▶ RUNNING ──▶ RETURNED or THREW, as the task has told it
export const CLAIMED = 1;
const RUNNING = 2;
const RETURNED = 3;
const THREW = 4;

/** A call of a wrapped coroutine; see frames.ts for how it keeps deep calls cheap. */
export class Call<T> extends BaseOperation<T> implements Frame {
  declare _generator: Generator<unknown, unknown, unknown>;
  declare _caller: Frame | null;
  /** @internal */
  declare readonly _label: string;
  /** @internal How the generator ended: its last result, or the error. */
  declare _outcome: unknown;

  constructor(generator: Generator<unknown, T, unknown> | null, label: string) {
    super();
    this._generator = generator as Generator<unknown, T, unknown>;
    this._label = label;
    this._caller = null;
    this._outcome = undefined;
    if (current.debug) current.debugTools?.noteUnstarted(this, runningLoop());
  }

  next(sent?: unknown): Step<T> {
    if (this._stage <= CLAIMED) {
      this._stage = RUNNING;
      const result = this._generator.next() as Step<T>;
      if (result.done !== true) noteFrame(this, result);
      return result;
    }
    if (this._stage === RETURNED) return this._outcome as Step<T>;
    if (this._stage === THREW) throw this._outcome;
    return this._generator.next(sent) as Step<T>;
  }

  throw(error: unknown): Step<T> {
    if (this._stage > RUNNING) throw error;
    this._stage = RUNNING;
    return this._generator.throw(error) as Step<T>;
  }

  return(value: T): Step<T> {
    if (this._stage === NEW) this._claim();
    this._stage = RUNNING;
    return this._generator.return(value) as Step<T>;
  }

  _complete(result: IteratorResult<unknown, unknown>): void {
    this._stage = RETURNED;
    this._outcome = result;
  }

  _abort(error: unknown): void {
    this._stage = THREW;
    this._outcome = error;
  }

  override describe(): string {
    return this._label;
  }
}

/**
 * A call whose body runs inside of something that is entered before and left after it: a deadline.
 *
 * PERF  the task resumes the body directly, as if the scope were not there; a generator around it would cost at each resume.
 */
export abstract class Scope<T> extends Call<T> {
  constructor(label: string) {
    super(null, label);
  }

  /** @internal Right before the body. An error thrown here is the scope's own. */
  abstract _enter(): void;
  /** @internal The body's coroutine. */
  abstract _body(): Coroutine<unknown>;
  /** @internal After the body has returned: the result to give instead. */
  abstract _leave(value: unknown): T;
  /** @internal After the body threw: throws, or gives a result instead. */
  abstract _leaveBy(error: unknown): T;

  override next(sent?: unknown): Step<T> {
    const first = this._stage <= CLAIMED;
    if (first) this._enter();
    else if (this._stage !== RUNNING) return super.next();
    try {
      if (first) {
        const body = this._body();
        // What is not a plain generator is claimed, as `yield*` would do.
        this._generator = isGenerator(body) ? body : body[Symbol.iterator]();
      }
      const result = super.next(sent);
      if (result.done !== true) return result;
      this._complete(result);
    } catch (error) {
      this._abort(error);
    }
    return super.next();
  }

  override throw(thrown: unknown): Step<T> {
    if (this._stage !== RUNNING) {
      this._stage = THREW;
      throw thrown;
    }
    try {
      const result = super.throw(thrown);
      if (result.done !== true) return result;
      this._complete(result);
    } catch (error) {
      this._abort(error);
    }
    return super.next();
  }

  override return(value: T): Step<T> {
    if (this._stage !== RUNNING) {
      if (this._stage === NEW) this._claim();
      this._stage = THREW;
      return done(value);
    }
    try {
      const result = super.return(value);
      if (result.done === true) this._complete(result);
      return result;
    } catch (error) {
      // The body's cleanup threw: it is left all the same.
      this._abort(error);
      return super.next();
    }
  }

  override _complete(result: IteratorResult<unknown, unknown>): void {
    try {
      super._complete(done(this._leave(result.value)));
    } catch (error) {
      super._abort(error);
    }
  }

  override _abort(thrown: unknown): void {
    try {
      super._complete(done(this._leaveBy(thrown)));
    } catch (error) {
      super._abort(error);
    }
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
