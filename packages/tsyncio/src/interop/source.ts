/** What gives items one after another, in both spellings. */

import { operation } from "../kernel/coroutine.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";

/**
 * Gives items one after another, from outside.
 *
 * In an async function: `for await (const item of source)`, which closes the source however the loop is left. In a coroutine:
 * `yield* forEach(source, function* (item) { … })`, which does so, too; or by hand `yield* source.next()` until `done`, and
 * `yield* source.close()` in a `finally`.
 */
export interface Source<T> extends AsyncIterable<T, undefined>, AsyncDisposable {
  /**
   * The next item; `done` when there are no more. A source that has thrown is over.
   *
   * **Suspends** until there is one. **Cancel** loses nothing: what comes is given by the next call.
   */
  next(): Operation<IteratorResult<T, undefined>>;
  /**
   * Ends it: what is under way is cancelled and awaited, what is held is let go, all listeners are removed. Harmless when repeated.
   *
   * **Suspends** until that is done. **Cancel** ends the wait, not the closing.
   */
  close(): Operation<void>;
  [Symbol.asyncIterator](): AsyncIterator<T, undefined>;
}

export const END: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** Milliseconds that something foreign has to end when it was told to, before it is left behind: decision 20. */
export const GRACE = 1000;

export abstract class BaseSource<T> implements Source<T> {
  /** What it is called in wait graphs. */
  readonly label: string;

  constructor(label: string) {
    this.label = label;
  }

  /** @internal */
  abstract _take(): Coroutine<IteratorResult<T, undefined>>;
  /** @internal */
  abstract _close(): Coroutine<void>;

  next(): Operation<IteratorResult<T, undefined>> {
    return operation(this._take(), `${this.label}.next`);
  }

  close(): Operation<void> {
    return operation(this._close(), `${this.label}.close`);
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return {
      next: async () => {
        try {
          return await this.next();
        } catch (error) {
          // `for await` does not call return() after an error, and a cancellation is one.
          await this.close();
          throw error;
        }
      },
      return: async () => {
        await this.close();
        return END;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  toString(): string {
    return `<Source ${this.label}>`;
  }
}
