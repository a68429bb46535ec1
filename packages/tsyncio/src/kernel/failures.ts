/** Finds errors that nobody ever looks at: reported when the future is collected, at the latest when the loop closes. */

import { describeError } from "../base/errors.ts";
import type { Future } from "./future.ts";
import type { EventLoop } from "./loop.ts";
import { UNRETRIEVED } from "./task-flags.ts";

/** What is known of a failed future without keeping it alive. */
interface Failure {
  readonly loop: EventLoop;
  readonly message: string;
  readonly exception: unknown;
  readonly site: string | undefined;
  readonly future: WeakRef<Future<unknown>>;
}

const collected = new FinalizationRegistry<Failure>((failure) => failure.loop._failures.report(failure));

export class Failures {
  readonly #loop: EventLoop;
  readonly #open = new Set<Failure>();
  readonly #byFuture = new WeakMap<Future<unknown>, Failure>();

  constructor(loop: EventLoop) {
    this.#loop = loop;
  }

  /** Notes a future that failed while nobody waited. */
  note(future: Future<unknown>): void {
    future._flags |= UNRETRIEVED;
    const failure: Failure = {
      loop: this.#loop,
      message: `${future[Symbol.toStringTag]} exception was never retrieved`,
      exception: future._outcome,
      site: future._origin(),
      future: new WeakRef(future),
    };
    // Until it is read, a stack holds the receivers of its calls: the very task whose collection is waited for.
    describeError(failure.exception);
    this.#open.add(failure);
    this.#byFuture.set(future, failure);
    collected.register(future, failure, future);
  }

  /** Somebody has looked at the error. */
  forget(future: Future<unknown>): void {
    future._flags &= ~UNRETRIEVED;
    const failure = this.#byFuture.get(future);
    if (failure === undefined) return;
    this.#byFuture.delete(future);
    this.#open.delete(failure);
    collected.unregister(future);
  }

  /** Tells the loop's exception handler, once. */
  report(failure: Failure): void {
    if (!this.#open.delete(failure)) return;
    const future = failure.future.deref();
    if (future !== undefined) collected.unregister(future);
    this.#loop.callExceptionHandler({
      message: failure.message,
      exception: failure.exception,
      future,
      origin: failure.site,
    });
  }

  /** Reports all that are open; used when the loop closes. */
  reportAll(): void {
    for (const failure of [...this.#open]) this.report(failure);
  }
}
