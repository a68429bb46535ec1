/** The lines of a process's output, as text. */

import { show, unexpected } from "../base/errors.ts";
import { operation } from "../kernel/coroutine.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import type { StreamReader } from "../streams/reader.ts";

export interface LineOptions {
  /** One in which a newline is a byte of its own; `"utf8"` by default. */
  readonly encoding?: LineEncoding | undefined;
}

export type LineEncoding = "utf8" | "utf-8" | "latin1" | "ascii";

/**
 * Lines as text, without `\n` or `\r\n` at their end. `Process.lines()` makes it.
 *
 * To stop early, `break`: the process goes on until it is stopped, and what it writes is kept as long as there is room.
 */
export class Lines implements AsyncIterableIterator<string, undefined> {
  readonly #reader: StreamReader;
  readonly #encoding: LineEncoding;
  #over = false;

  /** @internal */
  constructor(reader: StreamReader, options?: LineOptions) {
    const { encoding = "utf8" } = options ?? {};
    if (!["utf8", "utf-8", "latin1", "ascii"].includes(encoding)) {
      throw unexpected('`encoding` to be "utf8", "latin1" or "ascii"', encoding, `read ${show(encoding)} as bytes`);
    }
    this.#reader = reader;
    this.#encoding = encoding;
  }

  /**
   * The next line; `done` at the end of the stream.
   *
   * @throws {LimitOverrunError} when the line is longer than the reader's limit; it is left out then.
   *
   * **Suspends** until it is there. **Cancel** leaves it to be read later.
   */
  next(): Operation<IteratorResult<string, undefined>> & Promise<IteratorResult<string, undefined>> {
    return operation(this.#take(), "lines.next") as never;
  }

  async return(): Promise<IteratorResult<string, undefined>> {
    this.#over = true;
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  *#take(): Coroutine<IteratorResult<string, undefined>> {
    const line = this.#over ? null : yield* this.#reader.readline();
    if (line === null || line.length === 0) {
      this.#over = true;
      return { done: true, value: undefined };
    }
    return { done: false, value: line.toString(this.#encoding).replace(/\r?\n$/, "") };
  }
}
