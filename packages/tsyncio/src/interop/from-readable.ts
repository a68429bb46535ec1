/** Readable streams as sources. */

import type { Readable } from "node:stream";
import type { ReadableStream as WebStream } from "node:stream/web";
import { RuntimeError, unexpected } from "../base/errors.ts";
import { shielded } from "../flow/shield.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import { ForeignSource } from "./async-iterable.ts";
import { BaseSource, END, type Source } from "./source.ts";
import { destroyed, eventsTold, isNodeReadable, StreamWatch } from "./stream-kinds.ts";

/**
 * Reads a stream chunk by chunk, no faster than they are asked for.
 *
 * Closing it before its end destroys a Node stream, and cancels a web stream; the end of that is awaited. No listener and no lock is
 * left at the stream.
 *
 * @param stream - A Node `Readable` (a socket, `request`, a file stream) or a web `ReadableStream` (`response.body`).
 * @throws {TypeError} when it is neither, or a web stream that has a reader; from `next()` the stream's error, or {RuntimeError}
 * when it was destroyed before its end.
 *
 * **Suspends** never; its `next()` does. **Cancel** see {@link Source}. **Source** replaces `for await (… of stream)`.
 *
 * @example
 * ```ts
 * const stream = new ReadableStream({
 *   start(controller) {
 *     controller.enqueue("a");
 *     controller.close();
 *   },
 * });
 * const chunks = fromReadable(stream);
 * [yield* chunks.next(), yield* chunks.next()]; // => [{ done: false, value: "a" }, { done: true, value: undefined }]
 * ```
 */
export function fromReadable<T>(stream: WebStream<T>): Source<T>;
export function fromReadable<T = Uint8Array>(stream: Readable): Source<T>;
export function fromReadable<T>(stream: Readable | WebStream<T>): Source<T> {
  if (isNodeReadable(stream)) return new NodeSource<T>(stream);
  if (typeof (stream as Partial<WebStream> | null)?.getReader !== "function") {
    throw unexpected("a Readable or a ReadableStream for fromReadable()", stream);
  }
  if (stream.locked) throw unexpected("the stream for fromReadable() to be free", stream, "it has a reader already");
  const reader = stream.getReader();
  return new ForeignSource<T>(
    {
      next: async () => {
        let last = true;
        try {
          const step = await reader.read();
          last = step.done;
          return step as IteratorResult<T, undefined>;
        } finally {
          if (last) reader.releaseLock();
        }
      },
      return: async () => {
        try {
          await reader.cancel();
        } finally {
          reader.releaseLock();
        }
      },
    },
    "fromReadable",
  );
}

/** By `readable` events: a chunk leaves the stream in the step that gives it, so that a cancelled wait loses none. */
class NodeSource<T> extends BaseSource<T> {
  readonly #stream: Readable;
  readonly #watch: StreamWatch;
  #over = false;

  constructor(stream: Readable) {
    super("fromReadable");
    this.#stream = stream;
    this.#watch = new StreamWatch(stream, ["readable", "end", "error", "close"], "a chunk of a stream");
  }

  override *_take(): Coroutine<IteratorResult<T, undefined>> {
    const stream = this.#stream;
    for (;;) {
      if (this.#over) return END;
      this.#watch.listen();
      const value = stream.destroyed ? null : (stream.read() as T | null);
      if (value !== null) return { done: false, value };
      if (stream.readableEnded || stream.errored || stream.destroyed) break;
      yield* this.#watch.wait();
    }
    if (!stream.readableEnded) yield* shielded(eventsTold);
    if (this.#over) return END;
    this.#over = true;
    this.#watch.unlisten();
    if (stream.errored) throw stream.errored;
    if (stream.readableEnded) return END;
    throw new RuntimeError("Cannot read on: the stream was destroyed before its end", "STREAM_DESTROYED");
  }

  override *_close(): Coroutine<void> {
    if (this.#over) return;
    this.#over = true;
    this.#watch.unlisten();
    yield* destroyed(this.#stream);
  }
}
