/** Items as readable streams: read only as fast as the stream is. */

import type { Readable, ReadableOptions } from "node:stream";
import type { ReadableStream as WebStream } from "node:stream/web";
import { getEventLoop } from "../kernel/loop.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";
import { Place, Waiters, wakeAll } from "../sync/waiters.ts";
import { sourceOf } from "./async-iterable.ts";
import { builtin } from "./builtin.ts";
import type { BaseSource } from "./source.ts";

/** The stream's side. */
interface Sink<T> {
  /** Takes an item; whether there is room for more. */
  push(item: T): boolean;
  end(): void;
  fail(error: unknown): void;
}

/** A task that moves items from a source into a stream, while the stream asks for them. */
class Pump<T> {
  readonly #source: BaseSource<T>;
  readonly #sink: Sink<T>;
  readonly #line = new Waiters();
  readonly #task: Task<void>;
  #asked = false;
  /** The stream has ended: it must not be told any more. */
  #stopped = false;

  constructor(source: BaseSource<T>, sink: Sink<T>) {
    this.#source = source;
    this.#sink = sink;
    // Begun at once, as one that is cancelled before it begins would close nothing.
    this.#task = getEventLoop().createTask(this.#move(), { name: `${source.label}.pump`, eager: true });
  }

  /** The stream has room. */
  ask(): void {
    this.#asked = true;
    wakeAll(this.#line);
  }

  /** The stream has no use for more: cancels what is under way; called back when that has ended, with its error if any. */
  stop(ended: (error: unknown) => void): void {
    this.#stopped = true;
    const tell = (task: Task<void>): void => ended(task.cancelled() ? null : task.exception());
    // The loop may be closed by then.
    if (this.#task.done()) {
      tell(this.#task);
      return;
    }
    this.#task.cancel();
    this.#task.addDoneCallback(tell);
  }

  *#move(): Coroutine<void> {
    const asked = { _outside: true, describe: () => `a reader of ${this.#source.label}` };
    try {
      try {
        for (;;) {
          while (!this.#asked) yield* new Place(this.#line, asked);
          const step = yield* this.#source.next();
          if (step.done === true) break;
          this.#asked = false;
          // A stream that has room may ask again inside of this.
          if (this.#sink.push(step.value)) this.#asked = true;
        }
      } finally {
        yield* this.#source.close();
      }
      this.#sink.end();
    } catch (error) {
      if (this.#stopped) throw error;
      this.#sink.fail(error);
    }
  }
}

/**
 * Makes a Node `Readable` of items, for code that wants a stream.
 *
 * Items are taken when the stream is read, in a task of the loop that is running here. Destroying the stream cancels that, closes the
 * items, and awaits their end before it emits `close`. An error of the items is the stream's.
 *
 * @param items - Any iterable, sync or async, such as {@link toAsyncIterable}'s.
 * @param options - Of the stream; `objectMode` is true by default, as items may be anything.
 * @throws {TypeError} when `items` is not iterable; {RuntimeError} where there is no `node:stream`.
 *
 * **Suspends** never. **Source** replaces `Readable.from`, which does not await what it has left.
 *
 * @example
 * ```ts
 * const stream = toReadable(["a", "b"]);
 * const chunks = fromReadable<string>(stream);
 * [(yield* chunks.next()).value, (yield* chunks.next()).value, (yield* chunks.next()).done]; // => ["a", "b", true]
 * ```
 */
export function toReadable<T>(
  items: Iterable<T> | AsyncIterable<T>,
  options: Omit<ReadableOptions, "read" | "destroy"> = {},
): Readable {
  const { Readable } = builtin("node:stream", "toReadable");
  const source = sourceOf(items, "toReadable");
  const stream = new Readable({
    objectMode: true,
    ...options,
    read: () => pump.ask(),
    destroy: (error: Error | null, callback: (error?: Error | null) => void) =>
      pump.stop((ended) => callback(error ?? (ended as Error | null))),
  });
  const pump = new Pump<T>(source, {
    push: (item) => stream.push(item),
    end: () => void stream.push(null),
    fail: (error) => void stream.destroy(error as Error),
  });
  return stream;
}

/**
 * Makes a web `ReadableStream` of items, for a `Response`, say.
 *
 * As {@link toReadable}: taken when read; cancelling the stream cancels what is under way, closes the items and awaits their end.
 *
 * @param items - Any iterable, sync or async.
 * @throws {TypeError} when `items` is not iterable.
 *
 * **Suspends** never. **Source** replaces `ReadableStream.from`.
 *
 * @example
 * ```ts
 * const text = new Response(toReadableStream([new TextEncoder().encode("hello")])).text();
 * yield* fromPromise(text); // => "hello"
 * ```
 */
export function toReadableStream<T>(items: Iterable<T> | AsyncIterable<T>): WebStream<T> {
  const source = sourceOf(items, "toReadableStream");
  let controller: { enqueue(item: T): void; close(): void; error(error: unknown): void; readonly desiredSize: number | null };
  const stream = new ReadableStream<T>(
    {
      start: (given) => {
        controller = given;
      },
      pull: () => pump.ask(),
      cancel: () => new Promise<void>((resolve, reject) => pump.stop((error) => (error === null ? resolve() : reject(error)))),
    },
    // Nothing is taken before somebody reads.
    { highWaterMark: 0 },
  );
  const pump = new Pump<T>(source, {
    push: (item) => {
      controller.enqueue(item);
      return (controller.desiredSize ?? 0) > 0;
    },
    end: () => controller.close(),
    fail: (error) => controller.error(error),
  });
  return stream as WebStream<T>;
}
