/** The host for browsers: message channels for turns, timers for time. A page gets no signals, so programs need no guard. */

import type { DebugTools } from "../kernel/debug-tools.ts";
import type { Ambient, AsyncLocal, Host } from "../kernel/host.ts";
import type { ExceptionContext } from "../kernel/loop.ts";

/** Milliseconds; setTimeout takes little more. The loop asks again when it is called early. */
const LONGEST_TIMEOUT = 2e9;

export class WebHost implements Host {
  readonly debug: boolean = false;
  readonly debugTools: DebugTools | null = null;
  /** PERF  to look the global up costs as much as to ask it for the time. */
  readonly #clock: { now(): number } = performance;
  readonly #soon: (() => void)[] = [];
  #channel: InstanceType<typeof MessageChannel> | undefined;

  now(): number {
    return this.#clock.now();
  }

  wakeSoon(callback: () => void): void {
    if (this.#channel === undefined) {
      this.#channel = new MessageChannel();
      const receive = this.#channel.port1 as { onmessage?: () => void };
      receive.onmessage = () => this.#soon.shift()?.();
    }
    this.#soon.push(callback);
    this.#channel.port2.postMessage(null);
  }

  /** Browsers have nothing between microtasks and the next task. */
  wakeSettled(callback: () => void): void {
    this.wakeSoon(callback);
  }

  wakeAt(when: number, callback: () => void): unknown {
    return setTimeout(callback, Math.min(Math.max(Math.ceil(when - this.now()), 0), LONGEST_TIMEOUT));
  }

  cancel(timer: unknown): void {
    clearTimeout(timer as ReturnType<typeof setTimeout>);
  }

  /** The console shows errors and tasks as they are, so that they can be opened. */
  report(message: string, context?: ExceptionContext): void {
    console.error(message, context?.exception ?? "", context ?? "");
  }

  /** A page is never "about to end": deadlocks cannot be told from waiting for the user. */
  onIdle(_callback: () => void): () => void {
    return () => {};
  }

  captureAmbient(_neutral?: boolean): Ambient | null {
    return null;
  }

  createAsyncLocal<T>(): AsyncLocal<T> | null {
    return null;
  }
}

export const host: Host = new WebHost();
