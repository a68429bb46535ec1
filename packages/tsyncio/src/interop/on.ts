/** All events of a name, one after another. */

import { Deque } from "../base/deque.ts";
import { show, unexpected } from "../base/errors.ts";
import type { Coroutine, WaitSource } from "../kernel/suspended.ts";
import { Place, Waiters, wakeAll } from "../sync/waiters.ts";
import {
  checkEmitter,
  type EmitterLike,
  type EventName,
  errorOf,
  listen,
  namesIn,
  rejections,
  type TargetLike,
} from "./emitter.ts";
import { BaseSource, END, type Source } from "./source.ts";

/** More events came than the buffer of `on` holds. Those in the buffer were given out before. */
export class EventOverflowError extends Error {
  override name = "EventOverflowError";
  readonly code = "EVENT_OVERFLOW";
}

/** Options of `on`. */
export interface OnOptions {
  /** How many events may wait to be taken: an integer ≥ 1, or Infinity; 1024 by default. */
  readonly buffer?: number | undefined;
  /**
   * What an event does that finds the buffer full: it ends the source with an EventOverflowError when the buffered ones are taken
   * (`"error"`, the default), takes the place of the oldest (`"drop-oldest"`), or is dropped (`"drop-newest"`).
   */
  readonly whenFull?: "error" | "drop-oldest" | "drop-newest" | undefined;
  /** Events that end the source, once what came before is taken. */
  readonly close?: EventName | readonly EventName[] | undefined;
  /** As of `once`. */
  readonly rejectOn?: EventName | readonly EventName[] | undefined;
}

/** What `on` returns. */
export interface Events<A> extends Source<A> {
  /** How many events were dropped because the buffer was full. */
  readonly dropped: number;
}

/**
 * Listens to an event from now on, and gives what its listeners get, call by call, as arrays.
 *
 * Nothing that is emitted between two `next()` is lost, as long as the buffer has room. It listens until it is closed, which leaving
 * a `for await` loop does.
 *
 * @param emitter - An EventEmitter or an EventTarget.
 * @param name - The event.
 * @param options - `buffer`, `whenFull`, `close`, `rejectOn`.
 * @throws {TypeError} for wrong arguments, {RangeError} for a wrong `buffer`, at once; {EventOverflowError} from `next()`, see there.
 *
 * **Suspends** never; its `next()` does. **Cancel** see {@link Source}. **Source** replaces Node's `events.on`, whose buffer has no
 * end.
 *
 * @example
 * ```ts
 * const target = new EventTarget();
 * const opened = on(target, "opened", { close: "closed" });
 * for (const type of ["opened", "opened", "closed"]) target.dispatchEvent(new globalThis.Event(type));
 * [(yield* opened.next()).done, (yield* opened.next()).done, (yield* opened.next()).done]; // => [false, false, true]
 * ```
 */
export function on<A extends readonly unknown[] = unknown[]>(
  emitter: EmitterLike | TargetLike,
  name: EventName,
  options: OnOptions = {},
): Events<A> {
  checkEmitter(emitter, name, "on");
  const { buffer = 1024, whenFull = "error" } = options;
  if (typeof buffer !== "number" || !(buffer >= 1) || (buffer !== Number.POSITIVE_INFINITY && !Number.isInteger(buffer))) {
    throw new RangeError(`Expected \`buffer\` of on() to be an integer ≥ 1 or Infinity, got ${show(buffer)}`);
  }
  if (!["error", "drop-oldest", "drop-newest"].includes(whenFull)) {
    throw unexpected('`whenFull` of on() to be "error", "drop-oldest" or "drop-newest"', whenFull);
  }
  return new EventSource(emitter, name, buffer, whenFull, options) as unknown as Events<A>;
}

// STATE  listening ──end──▶ ended: no more comes, what is in the buffer is still given ──close──▶ closed: nothing is
class EventSource extends BaseSource<unknown[]> implements Events<unknown[]> {
  dropped = 0;
  readonly #items = new Deque<unknown[]>();
  readonly #line = new Waiters();
  readonly #source: WaitSource;
  readonly #stop: (() => void)[] = [];
  readonly #buffer: number;
  readonly #whenFull: string;
  #ended = false;
  #closed = false;
  /** In an object, as it may be any value. */
  #failure: { readonly error: unknown } | null = null;

  constructor(emitter: EmitterLike | TargetLike, name: EventName, buffer: number, whenFull: string, options: OnOptions) {
    super(`on(${String(name)})`);
    this.#source = { _outside: true, describe: () => `event "${String(name)}"` };
    this.#buffer = buffer;
    this.#whenFull = whenFull;
    const failing = rejections(emitter, name, options.rejectOn);
    const closing = namesIn(options.close, "close").filter((each) => each !== name);
    try {
      this.#stop.push(listen(emitter, name, (...args) => this.#came(args)));
      for (const each of failing) {
        this.#stop.push(listen(emitter, each, (...args) => this.#end({ error: errorOf(each, args, name) })));
      }
      for (const each of closing) this.#stop.push(listen(emitter, each, () => this.#end(null)));
    } catch (error) {
      this.#unlisten();
      throw error;
    }
  }

  #came(args: unknown[]): void {
    if (this.#ended) return;
    if (this.#items.length >= this.#buffer) {
      if (this.#whenFull === "error") {
        const message = `Cannot buffer another event in ${this.label}: ${this.#buffer} wait to be taken; take them faster, raise \`buffer\`, or drop some by \`whenFull\``;
        this.#end({ error: new EventOverflowError(message) });
        return;
      }
      this.dropped++;
      if (this.#whenFull === "drop-newest") return;
      this.#items.shift();
    }
    this.#items.push(args);
    this.#line.wakeOne();
  }

  #end(failure: { readonly error: unknown } | null): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    // Until the error has been taken, further ones must not end the process.
    if (failure === null) this.#unlisten();
    wakeAll(this.#line);
  }

  #unlisten(): void {
    for (const stop of this.#stop.splice(0)) stop();
  }

  override *_take(): Coroutine<IteratorResult<unknown[], undefined>> {
    let turned = false;
    while (!this.#ended && (this.#items.length === 0 || (!turned && this.#line.length > 0))) {
      try {
        yield* new Place(this.#line, this.#source);
        turned = true;
      } catch (error) {
        // RACE  1. an event wakes A   2. A is cancelled before it runs   3. B must be woken in its place.
        //       test: "on() hands its turn on, when the consumer that was woken is cancelled"
        if (this.#items.length > 0) this.#line.wakeOne();
        throw error;
      }
    }
    const value = this.#items.shift();
    if (value !== undefined) {
      if (this.#items.length > 0) this.#line.wakeOne();
      return { done: false, value };
    }
    this.#unlisten();
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) throw failure.error;
    return END;
  }

  override *_close(): Coroutine<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#unlisten();
    while (this.#items.length > 0) this.#items.shift();
    this.#failure = null;
    this.#end(null);
  }
}
