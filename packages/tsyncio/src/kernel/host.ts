/** The platform as the kernel sees it: the only door for time, order and output. */

import type { DebugTools } from "./debug-tools.ts";
import type { Runnable } from "./handle.ts";
import type { EventLoop, ExceptionContext } from "./loop.ts";
import type { Task } from "./task.ts";

/**
 * What the kernel needs of its platform.
 *
 * Implementations: `hosts/node.ts` (Node, Bun, Deno) and `hosts/web.ts` (browsers), chosen by the `#host` import condition;
 * the testing kit brings a virtual one.
 */
export interface Host {
  /** Monotonic time in milliseconds; fractions count. */
  now(): number;
  /** Calls back after the platform had a chance to do its I/O and fire its timers. */
  wakeSoon(callback: () => void): void;
  /** Calls back after the microtasks that are queued now, and those they queue, have run; I/O may have to wait. */
  wakeSettled(callback: () => void): void;
  /** Calls back at `when` (on the scale of `now`) or shortly after; may call early, the loop looks at the clock again. */
  wakeAt(when: number, callback: () => void): unknown;
  /** Forgets a `wakeAt`; harmless once it has fired. */
  cancel(timer: unknown): void;
  /** Tells the user something: a slow step, or, with the `context` of the exception handler, a lost exception. */
  report(message: string, context?: ExceptionContext): void;
  /** Calls back when the platform has nothing left to wait for while a program is unfinished; returns how to stop watching. */
  onIdle(callback: () => void): () => void;
  /** Makes the ready queue of a loop, where it is not to be first in, first out; the testing kit explores other orders. */
  createQueue?(loop: EventLoop): ReadyQueue;
  /** A number from 0 to less than 1, where the host decides what happens by chance, as under test. */
  random?(): number;
  /** Whether somebody listens to a signal, so that aborting it ends a wait; without it, everything is taken to be heard. */
  isHeard?(signal: AbortSignal): boolean;
  /** Watches over a program while it runs, where something may end it. */
  guard?(program: Program): Guard;
  /**
   * Remembers the platform's ambient state (AsyncLocalStorage), or with `neutral` that of the library's start, and gives a
   * function that runs others in it; null where there is none.
   */
  captureAmbient(neutral?: boolean): Ambient | null;
  /** Makes a variable that follows async functions across `await`; null where the platform has none. */
  createAsyncLocal<T>(): AsyncLocal<T> | null;
  /** Whether debug mode is asked for by the environment. */
  readonly debug: boolean;
  /** What debug mode reports with; null where a page has to bring it. */
  readonly debugTools: DebugTools | null;
  /** Says where suspended frames stand, as far as the platform can tell. */
  locate?(frames: readonly Suspendable[]): (Location | undefined)[];
}

/** What is ready to run; `shift` decides what goes next. */
export interface ReadyQueue {
  readonly length: number;
  push(entry: Runnable): void;
  shift(): Runnable | undefined;
  /** From now on, entries of a higher rank go first; null: no more. Without it, another queue takes the place of this one. */
  rankBy?(rankOf: ((entry: Runnable) => number) | null): void;
  /** The rank of a task has changed. */
  move?(task: Task<unknown>): void;
}

/** A program that runs, as its guard sees it. */
export interface Program {
  readonly loop: EventLoop;
  readonly task: Task<unknown>;
  /** The signals that end it; undefined for the usual one, SIGINT. */
  readonly signals: readonly string[] | undefined;
}

export interface Guard {
  /** The error to end the program with, given what its main task ended with. */
  explain(error: unknown): unknown;
  release(): void;
}

/** A suspended call: its generator, and what it is called. */
export interface Suspendable {
  readonly _generator: object;
  describe(): string;
}

/** Runs a function in a remembered ambient state. */
export type Ambient = <R>(fn: () => R) => R;

/** The part of AsyncLocalStorage that is needed. */
export interface AsyncLocal<T> {
  run<R>(value: T, fn: () => R): R;
  getStore(): T | undefined;
}

/** A place in the source. Lines and columns count from 1. */
export interface Location {
  readonly functionName: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
}
