/** What debug mode needs beyond the kernel: a slot, so that programs without it do not carry it. */

import type { Runnable } from "./handle.ts";
import type { Location } from "./host.ts";
import type { EventLoop } from "./loop.ts";
import type { Task } from "./task.ts";

/** Node's host brings them; in browsers, `installDebugTools()` does. */
export interface DebugTools {
  /** Remembers the place that makes a future or task. */
  noteOrigin(made: object): void;
  /** The place where it was made; undefined when it was not noted. */
  originOf(made: object): string | undefined;
  /** The suspended calls of a task, outermost first. */
  stackOf(task: Task<unknown>): Location[];
  /** Runs an entry of the ready queue, and reports it if it takes too long. */
  runTimed(loop: EventLoop, entry: Runnable): void;
  /** Reports a task that was cancelled, yet returned a value, unless the request was taken back. */
  swallowed(task: Task<unknown>): void;
  /** The suspended frames of a task and what it waits for, as text. */
  formatStack(task: Task<unknown>): string;
  /** Remembers an operation that has not been awaited yet. */
  noteUnstarted(operation: { describe(): string }, loop: EventLoop | null): void;
  noteStarted(operation: object): void;
  /** What to write instead of a `yield` of this; undefined where that is not known. */
  remedyFor(value: unknown): string | undefined;
  /**
   * A loop has closed: reports the operations made during its turns that nobody has awaited, and closes what rests on it (base/at-close.ts).
   * Both in this slot, because pages have no sockets, and a second one would cost each of them.
   */
  closed(loop: EventLoop): void;
}
