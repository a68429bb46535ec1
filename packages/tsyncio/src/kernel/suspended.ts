/** What a coroutine hands to its task when it suspends, as types. */

import type { Task } from "./task.ts";

declare const suspension: unique symbol;

/** What a coroutine yields. Opaque: only the library makes one, by `yield*` on its operations; a bare `yield` of a value does not compile. */
export interface Suspension {
  readonly [suspension]: never;
}

/** What a generator function returns, as in `function* job(): Coroutine<number>`. It runs nothing until a task drives it. */
export type Coroutine<T> = Generator<Suspension, T, unknown>;

/** Tells what a Future stands for, when it is part of a lock, a queue or a group. */
export interface WaitSource {
  describe(): string;
  holders?(): Iterable<Task<unknown>>;
}
