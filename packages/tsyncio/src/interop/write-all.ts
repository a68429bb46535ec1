/** Writing into streams with back-pressure. */

import type { Writable } from "node:stream";
import type { WritableStream as WebStream } from "node:stream/web";
import { RuntimeError, unexpected } from "../base/errors.ts";
import { shielded } from "../flow/shield.ts";
import { moveOnAfter } from "../flow/timeout.ts";
import { operation } from "../kernel/coroutine.ts";
import { ensureFuture } from "../kernel/job.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import { abortable } from "./abort-signal.ts";
import { sourceOf } from "./async-iterable.ts";
import { type BaseSource, GRACE } from "./source.ts";
import { destroyed, eventsTold, isNodeWritable, StreamWatch } from "./stream-kinds.ts";

/**
 * Writes all items of an iterable into a stream, waiting whenever that is full, and ends it.
 *
 * When the stream fails, the iterable is closed and the stream's error thrown. When the iterable fails, or the task is cancelled, the
 * stream is destroyed (aborted, on the web), so that nobody takes what there is for the whole. No listener and no lock is left.
 *
 * @param stream - A Node `Writable` or a web `WritableStream`.
 * @param items - Any iterable, sync or async: a generator, a {@link Source}, another stream's `fromReadable`.
 * @param options - `end`: false leaves the stream open in every way out; true by default.
 * @throws {TypeError} for wrong arguments, at once; {RuntimeError} when the stream is destroyed before the end; else see above.
 *
 * **Suspends** until all is written and flushed. **Cancel** closes the iterable and destroys the stream. **Source** replaces Node's
 * `stream.pipeline`.
 *
 * @example
 * ```ts
 * const written: string[] = [];
 * yield* writeAll(new WritableStream({ write: (chunk) => void written.push(chunk) }), ["a", "b"]);
 * written; // => ["a", "b"]
 * ```
 */
export function writeAll<T>(
  stream: Writable | WebStream<T>,
  items: Iterable<T> | AsyncIterable<T>,
  options: { readonly end?: boolean | undefined } = {},
): Operation<void> {
  const end = options.end ?? true;
  if (typeof end !== "boolean") throw unexpected("`end` of writeAll() to be a boolean", end);
  if (isNodeWritable(stream)) {
    if (stream.writableEnded || stream.destroyed) throw unexpected("an open stream for writeAll()", stream, "it has ended");
    return operation(toNode(stream, sourceOf(items, "writeAll"), end), "writeAll");
  }
  if (typeof (stream as Partial<WebStream> | null)?.getWriter !== "function") {
    throw unexpected("a Writable or a WritableStream for writeAll()", stream);
  }
  if (stream.locked) throw unexpected("the stream for writeAll() to be free", stream, "it has a writer already");
  return operation(toWeb(stream, sourceOf(items, "writeAll"), end), "writeAll");
}

function* toNode<T>(stream: Writable, source: BaseSource<T>, end: boolean): Coroutine<void> {
  const watch = new StreamWatch(stream, ["drain", "finish"], "a stream to take more");
  const gone = new AbortController();
  const early = (): unknown =>
    stream.errored ?? new RuntimeError("Cannot write on: the stream was destroyed before its end", "STREAM_DESTROYED");
  const onError = (error: unknown): void => gone.abort(error);
  const onClose = (): void => {
    if (!stream.writableFinished) gone.abort(early());
  };
  watch.listen();
  stream.on("error", onError);
  stream.on("close", onClose);
  try {
    yield* abortable(gone.signal, function* () {
      for (let step = yield* source.next(); step.done !== true; step = yield* source.next()) {
        if (stream.destroyed) throw early();
        stream.write(step.value);
        while (stream.writableNeedDrain && !stream.destroyed) yield* watch.wait();
      }
      if (!end) return;
      stream.end();
      while (!stream.writableFinished) yield* watch.wait();
    });
  } catch (error) {
    yield* finallyAll(
      () => source.close(),
      function* () {
        if (end) yield* destroyed(stream, error instanceof Error && error !== stream.errored ? error : undefined);
        else if (stream.destroyed) yield* shielded(eventsTold);
      },
    );
    throw error;
  } finally {
    watch.unlisten();
    stream.removeListener("error", onError);
    stream.removeListener("close", onClose);
  }
}

function* toWeb<T>(stream: WebStream<T>, source: BaseSource<T>, end: boolean): Coroutine<void> {
  const writer = stream.getWriter();
  const gone = new AbortController();
  const look = (promise: Promise<unknown>): Promise<unknown> => {
    promise.then(undefined, () => {});
    return promise;
  };
  let left = false;
  writer.closed.then(undefined, (error: unknown) => {
    if (!left) gone.abort(error);
  });
  try {
    yield* abortable(gone.signal, function* () {
      for (let step = yield* source.next(); step.done !== true; step = yield* source.next()) {
        yield* ensureFuture(look(writer.ready));
        // Its error, if any, is the stream's, which `closed` tells as well.
        look(writer.write(step.value));
      }
      yield* ensureFuture(look(end ? writer.close() : writer.ready));
    });
  } catch (error) {
    yield* finallyAll(
      () => source.close(),
      function* () {
        if (!end) return;
        const aborted = look(writer.abort(error)).then(undefined, () => {});
        yield* moveOnAfter(GRACE, () => ensureFuture(aborted));
      },
    );
    throw error;
  } finally {
    left = true;
    writer.releaseLock();
  }
}

/** Two pieces of cleanup: the second one whatever becomes of the first. */
function* finallyAll(first: () => Coroutine<void>, second: () => Coroutine<void>): Coroutine<void> {
  try {
    yield* first();
  } finally {
    yield* second();
  }
}
