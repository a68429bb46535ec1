/** Telling Node's streams from the web's, and ending Node's. */

import type { Readable, Writable } from "node:stream";
import { shielded } from "../flow/shield.ts";
import { moveOnAfter } from "../flow/timeout.ts";
import { ensureFuture } from "../kernel/job.ts";
import type { Coroutine, WaitSource } from "../kernel/suspended.ts";
import { Place, Waiters, wakeAll } from "../sync/waiters.ts";
import { GRACE } from "./source.ts";

export function isNodeReadable(stream: unknown): stream is Readable {
  const { read, on, destroy } = (stream ?? {}) as Partial<Readable>;
  return typeof read === "function" && typeof on === "function" && typeof destroy === "function";
}

export function isNodeWritable(stream: unknown): stream is Writable {
  const { write, on, destroy } = (stream ?? {}) as Partial<Writable>;
  return typeof write === "function" && typeof on === "function" && typeof destroy === "function";
}

/** Listens to some events of a stream; whoever waits for any of them is woken. */
export class StreamWatch {
  readonly #stream: Readable | Writable;
  readonly #events: readonly string[];
  readonly #line = new Waiters();
  readonly #what: WaitSource;
  #listening = false;

  constructor(stream: Readable | Writable, events: readonly string[], what: string) {
    this.#stream = stream;
    this.#events = events;
    this.#what = { _outside: true, describe: () => what };
  }

  readonly #tell = (): void => wakeAll(this.#line);

  listen(): void {
    if (this.#listening) return;
    this.#listening = true;
    for (const event of this.#events) this.#stream.on(event, this.#tell);
  }

  unlisten(): void {
    this.#listening = false;
    for (const event of this.#events) this.#stream.removeListener(event, this.#tell);
    this.#tell();
  }

  /** Waits for the next of the events. */
  *wait(): Coroutine<void> {
    yield* new Place(this.#line, this.#what);
  }
}

/** Destroys a stream and waits until it has closed what it holds; an error of that is nobody's any more. */
export function* destroyed(stream: Readable | Writable, error?: Error): Coroutine<void> {
  const watch = new StreamWatch(stream, ["error", "close"], "a stream to close");
  watch.listen();
  try {
    stream.destroy(error);
    yield* shielded(function* () {
      yield* moveOnAfter(GRACE, function* () {
        while (!stream.closed) yield* watch.wait();
      });
      yield* eventsTold();
    });
  } finally {
    watch.unlisten();
  }
}

/**
 * RACE  1. a stream fails, and is closed   2. whoever used it has seen that and stops listening   3. the stream tells of its error by
 * an event, a tick later: unheard, it would end the process.
 */
export function* eventsTold(): Coroutine<void> {
  yield* ensureFuture(new Promise((resolve) => setImmediate(resolve)));
}
