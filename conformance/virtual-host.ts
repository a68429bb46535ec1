/** A platform without a clock of its own: time stands still while there is work, and jumps to the next deadline when there is none. */

import { AsyncLocalStorage } from "node:async_hooks";
import { getEventListeners } from "node:events";
import { DeadlockError, type Host } from "tsyncio";

interface Timer {
  readonly when: number;
  readonly callback: () => void;
}

type Guarded = Parameters<Host["guard"]>[0];

/** The ambient state at the start. */
const NEUTRAL = AsyncLocalStorage.snapshot();

export class VirtualHost implements Host {
  readonly debug = false;
  readonly debugTools = null;
  #now = 0;
  #timers: Timer[] = [];
  #jump: NodeJS.Immediate | undefined;
  #idle: (() => void) | undefined;
  #busy = 0;

  now(): number {
    return this.#now;
  }

  /** Also after microtasks: an immediate runs when they, and all that they lead to, are done. */
  wakeSoon(callback: () => void): void {
    this.#busy++;
    setImmediate(() => {
      this.#busy--;
      callback();
      this.#plan();
    });
  }

  wakeSettled(callback: () => void): void {
    this.wakeSoon(callback);
  }

  wakeAt(when: number, callback: () => void): unknown {
    const timer = { when, callback };
    this.#timers.push(timer);
    this.#plan();
    return timer;
  }

  cancel(timer: unknown): void {
    this.#timers = this.#timers.filter((each) => each !== timer);
  }

  random(): number {
    return 0.5;
  }

  /** Diagnostics have no counterpart in CPython. */
  report(): void {}

  onIdle(callback: () => void): () => void {
    this.#idle = callback;
    this.#plan();
    return () => {
      this.#idle = undefined;
    };
  }

  /** A program that waits for nothing that could happen is ended, as the oracle does it. */
  guard({ loop }: Guarded): ReturnType<Host["guard"]> {
    const { _abort } = loop as unknown as { _abort(error: unknown): void };
    const release = this.onIdle(() => _abort.call(loop, new DeadlockError("deadlock", [])));
    return { explain: (error) => error, release };
  }

  isHeard(signal: AbortSignal): boolean {
    return getEventListeners(signal, "abort").length > 0;
  }

  captureAmbient(neutral = false): ReturnType<Host["captureAmbient"]> {
    return neutral ? NEUTRAL : AsyncLocalStorage.snapshot();
  }

  createAsyncLocal<T>(): AsyncLocalStorage<T> {
    return new AsyncLocalStorage<T>();
  }

  locate(): [] {
    return [];
  }

  /** Jumps, once the microtasks are done and nobody has asked for a turn meanwhile. */
  #plan(): void {
    if (this.#jump !== undefined) return;
    this.#jump = setImmediate(() => {
      this.#jump = undefined;
      if (this.#busy > 0) return;
      let next: Timer | undefined;
      for (const each of this.#timers) if (next === undefined || each.when < next.when) next = each;
      if (next === undefined) this.#idle?.();
      else if (next.when !== Number.POSITIVE_INFINITY) {
        this.cancel(next);
        this.#now = Math.max(this.#now, next.when);
        next.callback();
      }
      if (next !== undefined || this.#busy > 0) this.#plan();
    });
  }
}
