/** Finds errors that nobody ever looks at: reported when the future is collected, at the latest when the loop closes. */

import { describeError } from "../base/errors.ts";
import type { ContextSlot } from "./context.ts";
import type { Future } from "./future.ts";
import type { EventLoop, ExceptionContext } from "./loop.ts";
import type { Task } from "./task.ts";
import { UNRETRIEVED } from "./task-flags.ts";

/** What is known of a failed future without keeping it alive. */
interface Failure {
  readonly loop: EventLoop;
  /** What the exception handler is told. */
  readonly told: ExceptionContext;
  /** Where it is told: as asyncio does, in the context of the task. */
  readonly _context: ContextSlot;
  readonly future: WeakRef<Future<unknown>>;
}

const collected = new FinalizationRegistry<Failure>((failure) => failure.loop._failures.report(failure));

export class Failures {
  readonly #open = new Set<Failure>();
  readonly #byFuture = new WeakMap<Future<unknown>, Failure>();

  /** Notes a future that failed while nobody waited. */
  note(future: Future<unknown>): void {
    future._flags |= UNRETRIEVED;
    const exception = future._outcome;
    const failure: Failure = {
      loop: future._loop,
      told: {
        message: `${future[Symbol.toStringTag]} exception was never retrieved`,
        exception,
        origin: future._origin(),
      },
      _context: (future as Task<unknown>)._context,
      future: new WeakRef(future),
    };
    // Until it is read, a stack holds the receivers of its calls: the very task whose collection is waited for.
    describeError(exception);
    this.#open.add(failure);
    this.#byFuture.set(future, failure);
    collected.register(future, failure, failure);
  }

  /** Somebody has looked at the error. */
  forget(future: Future<unknown>): void {
    future._flags &= ~UNRETRIEVED;
    this.#drop(this.#byFuture.get(future) as Failure);
  }

  /** Whether it was open. */
  #drop(failure: Failure): boolean {
    collected.unregister(failure);
    return this.#open.delete(failure);
  }

  /** Tells the loop's exception handler, once. */
  report(failure: Failure): void {
    if (!this.#drop(failure)) return;
    failure.loop.callExceptionHandler({ ...failure.told, future: failure.future.deref() }, failure._context);
  }

  /** Reports all that are open; used when the loop closes. */
  reportAll(): void {
    for (const failure of [...this.#open]) this.report(failure);
  }
}
