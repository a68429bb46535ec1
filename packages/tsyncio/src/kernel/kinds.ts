/** Telling coroutines, the functions that make them, and promises apart. */

import { RuntimeError } from "../base/errors.ts";
import { Future } from "./future.ts";
import type { Coroutine } from "./suspended.ts";

const GeneratorFunction = Object.getPrototypeOf(function* () {}).constructor as FunctionConstructor;

/** PERF  what all generators have in their prototype chain: `instanceof` costs the same however many functions they come from. */
function AnyGenerator(): void {}
AnyGenerator.prototype = GeneratorFunction.prototype.prototype;

/** Marks the generators that a task has taken, so that none is driven twice. */
const TAKEN: unique symbol = Symbol("taken");

/** Marks what `coroutine()` returns. */
export const MAKES_COROUTINE: unique symbol = Symbol("coroutine");

/** Tells whether calling it runs no code of its body: a `function*`, or one wrapped by `coroutine()`. */
export function isGeneratorFunction(fn: unknown): boolean {
  return fn instanceof GeneratorFunction || (fn as { [MAKES_COROUTINE]?: boolean } | null)?.[MAKES_COROUTINE] === true;
}

/**
 * Tells whether a value is a coroutine: what a generator function or a wrapped one returns.
 *
 * **Suspends** never. **Source** asyncio/coroutines.py `iscoroutine`.
 *
 * @example
 * ```ts
 * isCoroutine((function* () {})()); // => true
 * isCoroutine(Promise.resolve()); // => false
 * ```
 */
export function isCoroutine(value: unknown): value is Coroutine<unknown> {
  if (isGenerator(value)) return true;
  if (typeof value !== "object" || value instanceof Future) return false;
  const it = value as Partial<Coroutine<unknown>> | null;
  return typeof it?.next === "function" && typeof it.throw === "function" && typeof it[Symbol.iterator] === "function";
}

export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}

/** Whether it is a generator: what plain coroutines are. */
export function isGenerator(value: unknown): boolean {
  return value instanceof (AnyGenerator as never);
}

/** Claims a coroutine for a task. A plain generator tells nothing of its past, so it is marked. */
export function take(coroutine: object): void {
  if (coroutine instanceof Future) return;
  const marked = coroutine as { _claim?(): void };
  if (!isGenerator(coroutine) && typeof marked._claim === "function") marked._claim();
  else if (isTaken(coroutine)) throw reused("a coroutine");
  else mark(coroutine);
}

/** Whether a task has taken it: what is for one use is used up then. */
export function isTaken(value: unknown): boolean {
  const marked = value as { [TAKEN]?: boolean; _stage?: number };
  return marked[TAKEN] === true || (!isGenerator(value) && (marked._stage as number) > 0);
}

export function reused(what: string): RuntimeError {
  return new RuntimeError(`Cannot await ${what} again: it is for one use; call its function again`, "COROUTINE_REUSED");
}

/** Marks a generator as taken. */
export function mark(generator: object): void {
  (generator as { [TAKEN]?: boolean })[TAKEN] = true;
}
