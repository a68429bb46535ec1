/** Jobs under virtual time, and what they told: for tests that look at more than a result, or at loops that are not left clean. */

import { EventLoop, type ExceptionContext, type Job, Runner } from "tsyncio";
import { VirtualHost } from "tsyncio/testing";

export { VirtualHost };

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
