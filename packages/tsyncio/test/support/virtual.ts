/** Virtual time for the library's own tests: the clock jumps when everything sleeps. */

import { EventLoop, type ExceptionContext, type Host, type Job, Runner } from "tsyncio";
import { host as platform } from "#host";
import { ProgramGuard } from "../../src/hosts/guard.ts";

/** A host whose clock stands still while there is work, and jumps to the next deadline when there is none. */
export class VirtualHost implements Host {
  debug = false;
  debugTools = platform.debugTools;
  reports: string[] = [];
  #now = 0;
  #timers: { when: number; callback: () => void }[] = [];
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
    return Math.random();
  }
  report(message: string): void {
    this.reports.push(message);
  }
  onIdle(callback: () => void): () => void {
    this.#idle = callback;
    this.#plan();
    return () => {
      this.#idle = undefined;
    };
  }
  guard(program: Parameters<Host["guard"]>[0]): ReturnType<Host["guard"]> {
    return new ProgramGuard(program, this, { onSignal: () => undefined, interrupted() {} });
  }
  isHeard(signal: AbortSignal): boolean {
    return platform.isHeard(signal);
  }
  captureAmbient(neutral?: boolean): ReturnType<Host["captureAmbient"]> {
    return platform.captureAmbient(neutral);
  }
  createAsyncLocal<T>(): ReturnType<typeof platform.createAsyncLocal<T>> {
    return platform.createAsyncLocal<T>();
  }
  locate(frames: Parameters<Host["locate"]>[0]): ReturnType<Host["locate"]> {
    return platform.locate(frames);
  }

  /** Jumps, once the microtasks are done and nobody has asked for a turn meanwhile. */
  #plan(): void {
    if (this.#jump !== undefined) return;
    this.#jump = setImmediate(() => {
      this.#jump = undefined;
      if (this.#busy > 0) return;
      const next = this.#timers.reduce<{ when: number; callback: () => void } | undefined>(
        (least, each) => (least === undefined || each.when < least.when ? each : least),
        undefined,
      );
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

export interface VirtualRun<T> {
  /** What the job returned. */
  readonly result: T;
  /** What went to the exception handler. */
  readonly errors: ExceptionContext[];
  /** What was reported to the host: diagnostics. */
  readonly reports: string[];
  /** Virtual milliseconds that passed. */
  readonly elapsed: number;
  readonly loop: EventLoop;
}

export interface VirtualOptions {
  readonly debug?: boolean;
  readonly prepare?: (loop: EventLoop) => void;
}

/** Runs a job under virtual time and tells what happened. */
export async function runVirtual<T>(job: Job<T>, options: VirtualOptions = {}): Promise<VirtualRun<T>> {
  const host = new VirtualHost();
  const loop = new EventLoop({ host, debug: options.debug ?? false });
  const errors: ExceptionContext[] = [];
  loop.setExceptionHandler((_, context) => errors.push(context));
  options.prepare?.(loop);
  await using runner = new Runner({ loop, signals: [] });
  const result = await runner.run(job);
  const elapsed = host.now();
  await runner.close();
  return { result, errors, reports: host.reports, elapsed, loop };
}

/** As {@link runVirtual}, for the result alone. */
export async function virtually<T>(job: Job<T>, options?: VirtualOptions): Promise<T> {
  return (await runVirtual(job, options)).result;
}

/** The turn that runs now: two things with the same number happened in the same turn. */
export function turn(loop: EventLoop): number {
  return (loop as unknown as { _turnNumber: number })._turnNumber;
}
