/** What a coroutine hands to its task when it suspends. */

import type { Task } from "./task.ts";

declare const suspension: unique symbol;

/** What a coroutine yields. Opaque: only the library makes one, by `yield*` on its operations; a bare `yield` of a value does not compile. */
export interface Suspension {
  readonly [suspension]: never;
}

/** What a generator function returns, as in `function* job(): Coroutine<number>`. It runs nothing until a task drives it. */
export type Coroutine<T> = Generator<Suspension, T, unknown>;

/** Tells what is waited for. */
export interface WaitSource {
  describe(): string;
  /** The tasks that must act before the wait can end. */
  holders?(): Iterable<Task<unknown>>;
  /** @internal Whether it may come from outside of the library: from a socket, a process, an event. */
  readonly _outside?: boolean;
}

/** What a task can wait for: a Future, or an operation that waits by itself. */
export interface Wait {
  /** @internal Takes in a task that has yielded it: null. Or the error to throw into the task; undefined when it was not ready to be yielded. */
  _park(task: Task<unknown>): Error | null | undefined;
  /** @internal Whether the task goes on with an error. */
  _failed(): boolean;
  /** @internal That error. */
  _takeError(): unknown;
  /** @internal Ends the wait for a task that is cancelled; false when it has ended already or cannot be ended. */
  _interrupt(message: string | undefined): boolean;
  /** @internal What is told of it. */
  _waitsFor(): WaitSource;
}
