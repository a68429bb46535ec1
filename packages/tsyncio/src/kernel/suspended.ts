/** What a coroutine hands to its task when it suspends, and the protocol between the two. */

import type { Task } from "./task.ts";

declare const suspension: unique symbol;

/** What a coroutine yields. Opaque: only the library makes one, by `yield*` on its operations; a bare `yield` of a value does not compile. */
export interface Suspension {
  readonly [suspension]: never;
}

/** What a generator function returns, as in `function* job(): Coroutine<number>`. It runs nothing until a task drives it. */
export type Coroutine<T> = Generator<Suspension, T, unknown>;

/** Something a task can wait for: a Future, a sleep, a foreign promise. */
export abstract class Suspended {
  /** @internal Set by `next()` just before it is yielded; a yield without it came from `yield` where `yield*` was meant. */
  abstract _isArmed(): boolean;
  /** @internal Takes the task in; it is woken by `task._wake()`. Returns an error to throw into the task instead, or null. */
  abstract _park(task: Task<unknown>): Error | null;
  /** @internal Is asked when the task goes on: whether it goes on with an error. */
  abstract _failed(): boolean;
  /** @internal The error to go on with; asked once, after `_failed()` said so. */
  abstract _takeError(): unknown;
  /** @internal Cancels the wait; false when it has ended already or cannot be cancelled. */
  abstract _interrupt(message: string | undefined): boolean;
  /** What is waited for, in words: `Lock 'db' held by Task-2`. */
  abstract describe(): string;
  /** The tasks that must act before the wait can end, as far as known. */
  holders(): Iterable<Task<unknown>> {
    return [];
  }
}

/** Tells what a Future stands for, when it is part of a lock, a queue or a group. */
export interface WaitSource {
  describe(): string;
  holders?(): Iterable<Task<unknown>>;
}
