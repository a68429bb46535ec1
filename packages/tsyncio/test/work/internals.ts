/** What a test looks at that is not public: a loop's timers and its clock. */

import { type EventLoop, getRunningLoop, type Host } from "tsyncio";

interface Internals {
  readonly _host: Host;
  readonly _timers: { readonly length: number; next(): number };
}

function internalsOf(loop: EventLoop): Internals {
  return loop as unknown as Internals;
}

/** How many timers the running loop has, and when the next one is due. */
export function timers(): { readonly length: number; next(): number } {
  return internalsOf(getRunningLoop())._timers;
}

/** A clock that goes on by itself and by hand, as if something kept the thread busy: give `prepare` to runVirtual. */
export class SkewedClock {
  #skew = 0;

  /** Time passes while the thread is busy. */
  busy(milliseconds: number): void {
    this.#skew += milliseconds;
  }

  readonly prepare = (loop: EventLoop): void => {
    const host = internalsOf(loop)._host;
    const now = host.now.bind(host);
    const wakeAt = host.wakeAt.bind(host);
    host.now = () => now() + this.#skew;
    host.wakeAt = (when, callback) => wakeAt(when - this.#skew, callback);
  };
}
