/** Context variables: values that follow a task and what it starts. Mirrors Python's `contextvars`. */

import { RuntimeError } from "../base/errors.ts";
import { current, currentTask } from "./current.ts";

/** The values of a context. Never changed once made: a new one replaces it, so that copying a context is copying a reference. */
type Values = ReadonlyMap<ContextVar<unknown>, unknown>;

/**
 * What a task keeps: the values alone (null when there are none), or a Context that is shared by identity, if it was given one.
 *
 * PERF  a task that never touches a variable costs no allocation for its context.
 */
export type ContextSlot = Context | Values | null;

const NOT_SET: unique symbol = Symbol("tsyncio.notSet");

/** What keeps the context of the running code: for an async function after an `await` its task, for all else the stack. */
function keeper(): { _context: ContextSlot } {
  return (current.loop === null && current.task === null ? currentTask() : null) ?? current;
}

export function valuesOf(of: ContextSlot): Values | null {
  return of instanceof Context ? of._values : of;
}

/** The Context of the running code; where there are values alone, it gets an identity now, by which tokens know it. */
function ownContext(): Context {
  const of = keeper();
  if (!(of._context instanceof Context)) of._context = new Context(of._context);
  return of._context;
}

/** Replaces the values of a context by changed ones. */
function rewrite(context: Context, change: (values: Map<ContextVar<unknown>, unknown>) => void): void {
  const next = new Map(context._values);
  change(next);
  context._values = next;
}

/** The values of the running code, for a new task or callback to start from. */
export function captureContext(): Values | null {
  // PERF  in a step, which is where most tasks are made, there is nothing to look for.
  return valuesOf(current.task === null ? keeper()._context : current._context);
}

/**
 * A variable with a value of its own in each task; a new task starts with its maker's values.
 *
 * @param name - For messages.
 * @param options - `default`: what `get()` returns where no value was set.
 *
 * **Source** Python `contextvars.ContextVar`.
 *
 * @example
 * ```ts
 * const user = new ContextVar("user", { default: "nobody" });
 * user.get(); // => "nobody"
 * ```
 */
export class ContextVar<T> {
  readonly name: string;
  readonly #default: T | typeof NOT_SET;

  constructor(name: string, options?: { readonly default: T }) {
    if (typeof name !== "string") throw new TypeError(`Expected \`name\` to be a string, got ${typeof name}`);
    this.name = name;
    this.#default = options !== undefined && "default" in options ? options.default : NOT_SET;
  }

  /**
   * Returns the value in the current context, else `fallback`, else the default.
   *
   * @throws {RangeError} when there is none of the three (Python: LookupError).
   */
  get(...fallback: [fallback?: T]): T {
    const found = valuesOf(keeper()._context);
    if (found?.has(this as ContextVar<unknown>)) return found.get(this as ContextVar<unknown>) as T;
    if (fallback.length > 0) return fallback[0] as T;
    if (this.#default !== NOT_SET) return this.#default;
    throw new RangeError(
      `Cannot get ContextVar "${this.name}": it has no value here; set() it first, or pass a default to get() or the constructor`,
    );
  }

  /** Sets the value in the current context; the token gives it back to `reset`. */
  set(value: T): Token<T> {
    const context = ownContext();
    const before = context._values;
    const key = this as ContextVar<unknown>;
    const old = before?.has(key) ? (before.get(key) as T) : NOT_SET;
    rewrite(context, (next) => next.set(key, value));
    return new Token(this, old, context);
  }

  /**
   * Gives the variable the value it had before the `set()` that made the token.
   *
   * @throws {RangeError} when the token is another variable's, or of a `set()` in another context.
   * @throws {RuntimeError} when the token was used before.
   */
  reset(token: Token<T>): void {
    if (!(token instanceof Token)) throw new TypeError("Expected `token` to be what set() returned");
    if (token.variable !== this) {
      throw new RangeError(`Cannot reset ContextVar "${this.name}": the token is of "${token.variable.name}"`);
    }
    const context = keeper()._context;
    if (context !== token._context) {
      throw new RangeError(`Cannot reset ContextVar "${this.name}": the token was made in another context`);
    }
    const old = token._use();
    const key = this as ContextVar<unknown>;
    rewrite(context, (next) => (old === NOT_SET ? next.delete(key) : next.set(key, old)));
  }

  toString(): string {
    return `<ContextVar name='${this.name}'>`;
  }
}

/** What `ContextVar.set()` returns; undoes it once, by `reset()` or at the end of a `using` declaration. */
export class Token<T> {
  readonly variable: ContextVar<T>;
  readonly #old: T | typeof NOT_SET;
  #used = false;
  /** @internal Where the `set()` was. */
  readonly _context: Context;

  /** @internal */
  constructor(variable: ContextVar<T>, old: T | typeof NOT_SET, context: Context) {
    this.variable = variable;
    this.#old = old;
    this._context = context;
  }

  /** The value before the `set()`; undefined when there was none. */
  get oldValue(): T | undefined {
    return this.#old === NOT_SET ? undefined : this.#old;
  }

  /** @internal */
  _use(): T | typeof NOT_SET {
    if (this.#used) throw new RuntimeError(`Cannot reset ContextVar "${this.variable.name}": the token was used before`);
    this.#used = true;
    return this.#old;
  }

  [Symbol.dispose](): void {
    if (!this.#used) this.variable.reset(this);
  }
}

/**
 * A set of variable values that code can be run in.
 *
 * **Source** Python `contextvars.Context`.
 */
export class Context {
  /** @internal */
  _values: Values | null;
  #entered = false;

  /** @internal */
  constructor(_values: Values | null = null) {
    this._values = _values;
  }

  /**
   * Calls `fn` with this context as the current one; what it sets stays in this context.
   *
   * @throws {RuntimeError} when the context is entered already.
   *
   * **Suspends** never: `fn` is an ordinary function.
   */
  run<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): R {
    const of = keeper();
    const outside = of._context;
    if (this.#entered || outside === this) throw new RuntimeError("Cannot enter the context again; use a copy()");
    this.#entered = true;
    of._context = this;
    try {
      return fn(...args);
    } finally {
      of._context = outside;
      this.#entered = false;
    }
  }

  /** A context with the same values, which then go separate ways. */
  copy(): Context {
    return new Context(this._values);
  }

  /** The value of a variable in this context; undefined when it has none. */
  get<T>(variable: ContextVar<T>): T | undefined {
    return this._values?.get(variable as ContextVar<unknown>) as T | undefined;
  }

  has(variable: ContextVar<never> | ContextVar<unknown>): boolean {
    return this._values?.has(variable as ContextVar<unknown>) ?? false;
  }

  get size(): number {
    return this._values?.size ?? 0;
  }

  *[Symbol.iterator](): Generator<[ContextVar<unknown>, unknown], void, unknown> {
    yield* this._values ?? [];
  }
}

/**
 * Copies the current context. O(1).
 *
 * **Suspends** never. **Source** Python `contextvars.copy_context`.
 *
 * @example
 * ```ts
 * const user = new ContextVar("user", { default: "nobody" });
 * const context = copyContext();
 * context.run(() => user.set("ada"));
 * [context.get(user), user.get()]; // => ["ada", "nobody"]
 * ```
 */
export function copyContext(): Context {
  return new Context(captureContext());
}
