/** The host for browsers: message channels for turns, timers for time. */

import type { DebugTools } from "../kernel/debug-tools.ts";
import type { Ambient, AsyncLocal, Guard, Host, Location, Program, Suspendable } from "../kernel/host.ts";

/** setTimeout takes no more; the loop asks again when it is called early. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

export class WebHost implements Host {
  readonly debug: boolean = false;
  readonly debugTools: DebugTools | null = null;
  readonly #soon: (() => void)[] = [];
  #channel: InstanceType<typeof MessageChannel> | undefined;

  now(): number {
    return performance.now();
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

  random(): number {
    return Math.random();
  }

  report(message: string): void {
    console.error(message);
  }

  /** A page is never "about to end": deadlocks cannot be told from waiting for the user. */
  onIdle(_callback: () => void): () => void {
    return () => {};
  }

  isHeard(_signal: AbortSignal): boolean {
    return true;
  }

  /** Nor does a page get signals. */
  guard(_program: Program): Guard {
    return { explain: (error) => error, release() {} };
  }

  captureAmbient(_neutral?: boolean): Ambient | null {
    return null;
  }

  createAsyncLocal<T>(): AsyncLocal<T> | null {
    return null;
  }

  locate(frames: readonly Suspendable[]): Location[] {
    return frames.map((frame) => ({ functionName: frame.describe() }));
  }
}

export const host: Host = new WebHost();
