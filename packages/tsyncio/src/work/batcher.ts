/** Many calls for one thing each, made one call for many. */

import { type Duration, milliseconds, NEVER } from "../base/duration.ts";
import { falsyError, isCancelled, RuntimeError, show, unexpected } from "../base/errors.ts";
import { type Context, copyContext } from "../kernel/context.ts";
import { operation } from "../kernel/coroutine.ts";
import { current } from "../kernel/current.ts";
import type { Runnable } from "../kernel/handle.ts";
import { type Body, callBody, checkBody } from "../kernel/job.ts";
import { isPromiseLike } from "../kernel/kinds.ts";
import type { EventLoop } from "../kernel/loop.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Coroutine, WaitSource } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";
import type { TimerEntry } from "../kernel/timers.ts";
import { bindLoop, nameIn } from "../sync/loop-bound.ts";
import { type Answers, answerOf, checkAnswers } from "./answers.ts";
import { Drain } from "./drained.ts";
import { checkWhole } from "./limiter.ts";
import {
  Batch,
  type Cached,
  type Caller,
  COLLECTING,
  DUE,
  Entry,
  isError,
  Load,
  type Loader,
  LoadMany,
  OVER,
  SENT,
} from "./loads.ts";
import { RefusedError } from "./refused.ts";
import { Watchers } from "./watchers.ts";

/** Where a batcher keeps what it knows; a Map is one, and most LRU caches are. */
export interface BatcherCache<C, V> {
  get(key: C): Cached<V> | undefined;
  set(key: C, known: Cached<V>): unknown;
  delete(key: C): unknown;
  clear(): unknown;
}

export interface BatcherOptions<K, V, C = K> {
  /** Shown in messages and wait graphs. */
  readonly name?: string | undefined;
  /** The most keys in a call, an integer ≥ 1; without limit by default. A batch is sent as soon as it has so many. */
  readonly maxSize?: number | undefined;
  /**
   * How long a batch collects keys, from its first one on, in milliseconds or with unit. By default, and with 0, it collects until
   * nothing is ready any more: all loads by tasks that can go on now are in one batch, however many turns they take. With Infinity it is
   * sent by size or by `flush()` alone.
   */
  readonly maxWait?: Duration | undefined;
  /** How many calls at a time, an integer ≥ 1; any number by default. Batches that wait for others to end go on collecting. */
  readonly concurrency?: number | undefined;
  /** What tells keys apart: those for which it gives the same are loaded as one. By default the keys themselves (as in a Map). */
  readonly key?: ((key: K) => C) | undefined;
  /** Whether values are kept: true, for ever, or in a cache of yours. False by default: a key is loaded again in a later batch. */
  readonly cache?: boolean | BatcherCache<C, V> | undefined;
  /** Whether errors are kept as well. False by default. */
  readonly cacheErrors?: boolean | undefined;
}

export interface BatcherStatistics {
  /** Keys asked for, in all. */
  readonly loads: number;
  /** Those answered from the cache. */
  readonly hits: number;
  /** Calls of the function, and how many keys they had in all. */
  readonly batches: number;
  readonly keys: number;
  /** Keys that wait to be sent. */
  readonly waiting: number;
  /** Calls under way. */
  readonly running: number;
}

/**
 * Makes one call of many: `load(key)` of many tasks becomes one call of `fn(keys)`.
 *
 * A batch is sent when nothing is ready any more, when it is full, or when it is old enough (see `maxSize` and `maxWait`). Equal keys
 * are one. Whoever is cancelled leaves the batch, and so does the key if nobody else wants it; a call whose last caller has gone is
 * cancelled. `fn` runs in a task of the batcher's own, with the context in which the batcher was made: never that of a caller. Callers
 * go on in their own.
 *
 * @example
 * ```ts
 * const calls: (readonly number[])[] = [];
 * const squares = new Batcher(function* (keys: readonly number[]) {
 *   calls.push(keys);
 *   yield* sleep(1);
 *   return keys.map((key) => key * key);
 * });
 * yield* gather(squares.load(2), squares.load(3), squares.load(2)); // => [4, 9, 4]
 * calls; // => [[2, 3]]
 * ```
 */
export class Batcher<K, V, C = K> implements WaitSource {
  readonly name: string | undefined;
  readonly maxSize: number;
  readonly maxWait: number;
  readonly concurrency: number;
  /** @internal */
  _loop: EventLoop | null = null;
  readonly #fn: Body<[keys: readonly K[]], Answers<K, V, C>>;
  readonly #idOf: (key: K) => C;
  readonly #cache: BatcherCache<C, V> | null;
  readonly #cacheErrors: boolean;
  readonly #context: Context;
  /** The batch that takes in new keys. */
  #open: Batch<K, V, C> | null = null;
  readonly #due: Batch<K, V, C>[] = [];
  readonly #sent = new Set<Batch<K, V, C>>();
  /** With a cache: what has not been answered; another load of the key waits along. */
  readonly #pending = new Map<C, Entry<K, V, C>>();
  readonly #watchers = new Watchers<this>(this);
  #sender: Runnable | null = null;
  #shutDown = false;
  #loads = 0;
  #hits = 0;
  #batches = 0;
  #keys = 0;

  /**
   * @param fn - A `function*` or an async function: gets the keys of a batch, each once, and returns the values: an array in the order of
   *   the keys, or a Map or plain object that has each key (as `options.key` gives it). A value that is an Error is thrown to whoever
   *   wants that key, and to nobody else.
   * @throws {RangeError} or {TypeError} when an option is wrong.
   */
  constructor(fn: Body<[keys: readonly K[]], Answers<K, V, C>>, options?: BatcherOptions<K, V, C>) {
    checkBody(fn, "Batcher");
    this.name = nameIn(options);
    const { maxSize = NEVER, maxWait = 0, concurrency = NEVER, key, cache = false, cacheErrors = false } = options ?? {};
    if (maxSize !== NEVER) checkWhole(maxSize, "maxSize");
    if (concurrency !== NEVER) checkWhole(concurrency, "concurrency");
    if (key !== undefined && typeof key !== "function") throw unexpected("`key` to be a function of a key", key);
    if (typeof cache !== "boolean") checkCache(cache);
    if (typeof cacheErrors !== "boolean") throw unexpected("`cacheErrors` to be true or false", cacheErrors);
    this.#fn = fn;
    this.maxSize = maxSize;
    this.maxWait = milliseconds(maxWait, "maxWait");
    if (this.maxWait < 0) throw new RangeError(`Expected \`maxWait\` to be ≥ 0 ms, got ${show(maxWait)}`);
    this.concurrency = concurrency;
    this.#idOf = key ?? ((each) => each as unknown as C);
    this.#cache = cache === true ? new Map<C, Cached<V>>() : cache === false ? null : cache;
    this.#cacheErrors = cacheErrors;
    this.#context = copyContext();
  }

  /**
   * Loads the value of a key, together with what others load.
   *
   * @throws the error that the key was answered with, or that the whole call failed with; {RuntimeError} when the call gave no answer for
   *   the key; {RefusedError} when the batcher is shut down.
   *
   * **Suspends** until the call has ended; not at all if the value is in the cache. **Cancel** leaves the batch: at once, if others want
   * something of it or it has not been sent; else the call is cancelled, and awaited.
   */
  load(key: K): Operation<V> {
    return new Load<V>(this as unknown as Loader, key) as unknown as Operation<V>;
  }

  /**
   * Loads the values of many keys, in their order.
   *
   * @param options - `returnExceptions`: errors are given in place of values, so that it never throws for a key.
   * @throws the first error, as `load` does, at once: what is wanted of the other keys is given up.
   *
   * **Suspends** and **Cancel** as `load`.
   */
  loadMany(keys: Iterable<K>, options: { readonly returnExceptions: true }): Operation<(V | Error)[]>;
  loadMany(keys: Iterable<K>, options?: { readonly returnExceptions?: boolean | undefined }): Operation<V[]>;
  loadMany(keys: Iterable<K>, options?: { readonly returnExceptions?: boolean | undefined }): Operation<(V | Error)[]> {
    if (typeof (keys as Partial<Iterable<K>> | null)?.[Symbol.iterator] !== "function") {
      throw unexpected("`keys` to be an iterable of keys", keys);
    }
    return new LoadMany<V>(this as unknown as Loader, [...keys], options?.returnExceptions === true) as unknown as Operation<
      (V | Error)[]
    >;
  }

  /** Sends what has been collected, without waiting for more. **Suspends** never. */
  flush(): void {
    if (this.#open !== null) this.#makeDue(this.#open);
  }

  /**
   * Puts a value into the cache, unless the key is there already or is being loaded. An Error is thrown to whoever loads the key.
   *
   * @throws {RuntimeError} when there is no cache; {TypeError} when the value is a promise or a future: await it first.
   *
   * **Suspends** never.
   */
  prime(key: K, value: V | Error): this {
    if (this.#cache === null)
      throw new RuntimeError(`Cannot prime ${this._title()}: it has no cache; make it with \`cache\``, "NO_CACHE");
    if (isPromiseLike(value)) throw unexpected("`value` to be a value or an Error", value, "await it first");
    const id = this.#idOf(key);
    if ((this.#cache.get(id) ?? undefined) === undefined && !this.#pending.has(id)) {
      this.#cache.set(id, value instanceof Error ? { error: value } : { value });
    }
    return this;
  }

  /**
   * Forgets a key: it is loaded anew by whoever comes from now on, and what is being loaded of it now is not kept.
   *
   * **Suspends** never.
   */
  clear(key: K): this {
    const id = this.#idOf(key);
    this.#cache?.delete(id);
    // What has not been sent will be fresh.
    if ((this.#pending.get(id)?.batch.state ?? OVER) >= SENT) this.#pending.delete(id);
    return this;
  }

  /** Forgets all keys, as `clear` does. **Suspends** never. */
  clearAll(): this {
    this.#cache?.clear();
    for (const [id, entry] of this.#pending) if (entry.batch.state >= SENT) this.#pending.delete(id);
    return this;
  }

  /**
   * Refuses loads from now on, with the code `SHUT_DOWN`; what waits is sent now, as `flush` does.
   *
   * @param options - `immediate`: those that wait are refused, too, and calls under way are cancelled.
   *
   * **Suspends** never.
   */
  shutdown(options?: { readonly immediate?: boolean | undefined }): void {
    this.#shutDown = true;
    if (options?.immediate !== true) {
      this.flush();
      return;
    }
    const batches = [...(this.#open === null ? [] : [this.#open]), ...this.#due, ...this.#sent];
    for (const batch of batches) {
      for (const entry of batch.entries.values()) this.#answer(entry, { error: this._refusal() });
      this.#settle(batch);
      if (batch.state === SENT) batch.task?.cancel();
      else this.#drop(batch);
    }
    this.#watchers.changed();
  }

  /** Shuts down, sends what waits, and waits for the end of all calls. **Suspends** until then. **Cancel** ends the wait alone. */
  close(): Operation<void> {
    const closing = function* (batcher: Batcher<K, V, C>): Coroutine<void> {
      batcher.shutdown();
      yield* batcher.whenIdle();
    };
    return operation(closing(this), "batcher.close");
  }

  /** Waits until nothing waits to be sent and no call is under way. **Suspends** only if that is not so now. */
  whenIdle(): Operation<void> {
    return this.#watchers.until((batcher) => batcher._idle(), "whenIdle");
  }

  statistics(): BatcherStatistics {
    let waiting = this.#open?.entries.size ?? 0;
    for (const batch of this.#due) waiting += batch.entries.size;
    return {
      loads: this.#loads,
      hits: this.#hits,
      batches: this.#batches,
      keys: this.#keys,
      waiting,
      running: this.#sent.size,
    };
  }

  /** At the end of a `using` block: as `shutdown({ immediate: true })`. */
  [Symbol.dispose](): void {
    this.shutdown({ immediate: true });
  }

  /** At the end of an `await using` block: as `close()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  // ── Taking keys in ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** @internal Looks a key up: what is known of it, or where it is or will be loaded. */
  _seek(key: K): Cached<V> | Entry<K, V, C> {
    const loop = bindLoop(this);
    if (this.#shutDown) throw this._refusal();
    const id = this.#idOf(key);
    this.#loads++;
    const known = this.#cache?.get(id);
    if ((known ?? undefined) !== undefined) {
      this.#hits++;
      return known as Cached<V>;
    }
    let entry = this.#find(id);
    if (entry === undefined) {
      const batch = this.#collecting(loop);
      entry = new Entry(key, id, batch);
      batch.entries.set(id, entry);
      if (this.#cache !== null) this.#pending.set(id, entry);
      if (batch.entries.size >= this.maxSize) this.#makeDue(batch);
    }
    return entry;
  }

  /** Where a key is to be loaded, or is being loaded if its answer is to be kept. */
  #find(id: C): Entry<K, V, C> | undefined {
    if (this.#cache !== null) return this.#pending.get(id);
    // PERF  without a cache, nobody joins a call that has been sent: the batches themselves know all the keys.
    let entry = this.#open?.entries.get(id);
    for (let i = 0; entry === undefined && i < this.#due.length; i++) entry = this.#due[i]?.entries.get(id);
    return entry;
  }

  /** The batch for a new key: one that is due and waits for others to end takes more, while it has room. */
  #collecting(loop: EventLoop): Batch<K, V, C> {
    const last = this.#due.at(-1);
    if (last !== undefined && last.entries.size < this.maxSize) return last;
    if (this.#open === null) {
      const batch = new Batch<K, V, C>();
      this.#open = batch;
      const send = (): void => this.#makeDue(batch);
      if (this.maxWait === 0) batch.trigger = new Drain(loop, send);
      else if (this.maxWait < NEVER) batch.trigger = new Age(loop, loop.time() + this.maxWait, send);
    }
    return this.#open;
  }

  #makeDue(batch: Batch<K, V, C>): void {
    if (batch.state !== COLLECTING) return;
    batch.state = DUE;
    batch.trigger?.cancel();
    if (this.#open === batch) this.#open = null;
    this.#due.push(batch);
    this.#sendSoon();
  }

  // ── Calls ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Sends from a turn of the loop, so that a call is nobody's child and has nobody's context. */
  #sendSoon(): void {
    if (this.#sender !== null || this._loop === null) return;
    const sender: Runnable & { toString(): string } = { _run: () => this.#send(), toString: () => this.describe() };
    this.#sender = sender;
    this._loop._enqueue(sender);
  }

  #send(): void {
    this.#sender = null;
    while (this.#due.length > 0 && this.#sent.size < this.concurrency) {
      const batch = this.#due.shift() as Batch<K, V, C>;
      batch.state = SENT;
      this.#sent.add(batch);
      this.#batches++;
      this.#keys += batch.entries.size;
      const loop = this._loop as EventLoop;
      batch.task = loop.createTask(() => this.#call(batch), {
        name: `${this._title()} #${this.#batches}`,
        context: this.#context.copy(),
      });
      // Who waits for it may be more urgent than it is.
      current.probe?.held(this);
      // One that is cancelled before it has begun ends without a word.
      batch.task.addDoneCallback(() => {
        if (batch.state === OVER) return;
        let cause: unknown;
        try {
          batch.task?.result();
        } catch (error) {
          cause = error;
        }
        this.#over(batch, { error: this.#cancelled(cause) });
      });
    }
  }

  *#call(batch: Batch<K, V, C>): Coroutine<void> {
    const entries = [...batch.entries.values()];
    const keys = entries.map((entry) => entry.key);
    let answers: Answers<K, V, C>;
    try {
      answers = yield* callBody(this.#fn, keys);
      checkAnswers(answers, keys.length, this._title());
    } catch (error) {
      this.#over(batch, {
        error: isCancelled(error) ? this.#cancelled(error) : error ? error : falsyError(this._title(), error),
      });
      if (isCancelled(error)) throw error;
      return;
    }
    const title = this._title();
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i] as Entry<K, V, C>;
      const answer = answerOf<V>(answers, i, entry.id, title);
      this.#keep(entry, answer);
      this.#answer(entry, answer);
    }
    this.#over(batch, null);
  }

  /** Puts an answer into the cache, if it is to be kept. */
  #keep(entry: Entry<K, V, C>, answer: Cached<V>): void {
    const cache = this.#cache;
    // One that was cleared meanwhile, or whose last caller has gone, is not what this key is waited for with any more.
    if (cache === null || this.#pending.get(entry.id) !== entry || (isError(answer) && !this.#cacheErrors)) return;
    try {
      cache.set(entry.id, answer);
    } catch (error) {
      this._loop?.callExceptionHandler({ message: `The cache of ${this._title()} failed`, exception: error });
    }
  }

  /** From now on this is the answer for those that wait for a key; whoever comes loads it anew. The first answer counts. */
  #answer(entry: Entry<K, V, C>, answer: Cached<V>): void {
    entry.answer ??= answer;
    this.#forget(entry);
  }

  /** Wakes those that wait for a batch: all keys have been answered. */
  #settle({ callers }: Batch<K, V, C>): void {
    for (let each = callers.first; each !== null; each = callers.first) {
      callers.leave(each);
      (each as Caller)._settled();
    }
  }

  /** A call has ended; `failure` is for those that were not answered. */
  #over(batch: Batch<K, V, C>, failure: { error: unknown } | null): void {
    if (batch.state === OVER) return;
    batch.state = OVER;
    this.#sent.delete(batch);
    const own = failure === null || isOwnEnd(failure.error);
    let told = own || batch.callers.first !== null;
    if (failure !== null) for (const entry of batch.entries.values()) this.#answer(entry, failure);
    this.#settle(batch);
    if (batch.mourner?._buried(own ? null : failure) === true) told = true;
    if (!told) {
      const message = `${this._title()} failed, and nobody waits for it any more`;
      this._loop?.callExceptionHandler({ message, exception: failure?.error });
    }
    if (this.#due.length > 0) this.#sendSoon();
    this.#watchers.changed();
  }

  #cancelled(cause?: unknown): RuntimeError {
    return new RuntimeError(`The call of ${this._title()} was cancelled`, BATCH_CANCELLED, { cause });
  }

  /** @internal Nobody wants a key any more: it is not loaded, if it has not been sent. */
  _unwanted(entry: Entry<K, V, C>): void {
    const { batch } = entry;
    if (batch.state >= SENT) return;
    batch.entries.delete(entry.id);
    this.#forget(entry);
    if (batch.entries.size === 0) this.#drop(batch);
  }

  /** @internal Nobody wants anything of a batch any more; says whether it is a call under way. */
  _deserted(batch: Batch<K, V, C>): boolean {
    if (batch.state !== SENT) return false;
    // Whoever comes now must not join a call that is being cancelled.
    for (const each of batch.entries.values()) this.#forget(each);
    return true;
  }

  /** Nobody who comes from now on waits along. */
  #forget(entry: Entry<K, V, C>): void {
    if (this.#cache !== null && this.#pending.get(entry.id) === entry) this.#pending.delete(entry.id);
  }

  #drop(batch: Batch<K, V, C>): void {
    batch.state = OVER;
    batch.trigger?.cancel();
    if (this.#open === batch) this.#open = null;
    const index = this.#due.indexOf(batch);
    if (index >= 0) this.#due.splice(index, 1);
    this.#watchers.changed();
  }

  /** @internal */
  _idle(): boolean {
    return this.#open === null && this.#due.length === 0 && this.#sent.size === 0;
  }

  /** @internal */
  _refusal(): RefusedError {
    return new RefusedError(`Cannot load from ${this._title()}: it was shut down`, "SHUT_DOWN");
  }

  /** @internal */
  _title(): string {
    return this.name === undefined ? "Batcher" : `Batcher '${this.name}'`;
  }

  describe(): string {
    const { waiting, running } = this.statistics();
    return `${this._title()} (${running} calls under way, ${waiting} keys wait)`;
  }

  holders(): Task<unknown>[] {
    return [...this.#sent].flatMap((batch) => (batch.task as Task<unknown> | null) ?? []);
  }

  toString(): string {
    return `<${this.describe()}>`;
  }
}

const BATCH_CANCELLED = "BATCH_CANCELLED";

/** Whether a call ended because it was cancelled. */
function isOwnEnd(error: unknown): boolean {
  return error instanceof RuntimeError && error.code === BATCH_CANCELLED;
}

/** Makes a batch due when it is old enough. */
class Age implements TimerEntry {
  readonly #loop: EventLoop;
  #callback: (() => void) | null;

  constructor(loop: EventLoop, when: number, callback: () => void) {
    this.#loop = loop;
    this.#callback = callback;
    loop._schedule(when, this);
  }

  cancel(): void {
    if (this.#callback === null) return;
    this.#callback = null;
    this.#loop._timerCancelled();
  }

  cancelled(): boolean {
    return this.#callback === null;
  }

  _run(): void {
    const callback = this.#callback;
    this.#callback = null;
    callback?.();
  }

  toString(): string {
    return "a batch that collects";
  }
}

function checkCache(cache: unknown): void {
  const found = cache as Partial<BatcherCache<unknown, unknown>> | null;
  for (const method of ["get", "set", "delete", "clear"] as const) {
    if (typeof found?.[method] === "function") continue;
    throw unexpected("`cache` to be true, false, or to have get, set, delete and clear as a Map has", cache);
  }
}
