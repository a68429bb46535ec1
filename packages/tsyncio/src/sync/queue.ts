/** Handing items from task to task. Mirrors asyncio/queues.py `Queue` (3.13 and later). */

import { Deque } from "../base/deque.ts";
import { NEVER } from "../base/duration.ts";
import { QueueEmpty, QueueFull, QueueShutDown, show } from "../base/errors.ts";
import { current } from "../kernel/current.ts";
import type { EventLoop } from "../kernel/loop.ts";
import { done, type Operation } from "../kernel/operation.ts";
import type { ItemCount, ProgressPlace } from "../kernel/progress.ts";
import type { Suspension, WaitSource } from "../kernel/suspended.ts";
import { bindLoop, type LineOptions, type LoopBound, nameIn, orderIn } from "./loop-bound.ts";
import { type InLine, Waiter, Waiters } from "./waiters.ts";

/** What holds the items of a queue, and decides their order. */
export interface QueueStore<T> {
  readonly length: number;
  push(item: T): unknown;
  shift(): T | undefined;
}

/**
 * A queue, first in, first out, of limited size: `put` waits while it is full, `get` while it is empty.
 *
 * @example
 * ```ts
 * const queue = new Queue<string>(1);
 * const producer = createTask(function* () {
 *   for (const word of ["one", "two"]) yield* queue.put(word);
 *   queue.shutdown();
 * });
 * [yield* queue.get(), yield* queue.get()]; // => ["one", "two"]
 * ```
 */
export class Queue<T> implements LoopBound, AsyncIterable<T> {
  /** The greatest number of items; 0 or less means no limit. */
  readonly maxsize: number;
  readonly name: string | undefined;
  /** @internal */
  _loop: EventLoop | null = null;
  readonly #items: QueueStore<T>;
  // A waiter leaves its line when it is woken: the line holds only those that still sleep, or were cancelled just now.
  readonly #getters: Waiters;
  readonly #putters: Waiters;
  readonly #joiners = new Waiters();
  readonly #emptied: WaitSource = { describe: () => `${this.describe()}.get (empty)` };
  readonly #filled: WaitSource = { describe: () => `${this.describe()}.put (full: ${this.qsize()})` };
  readonly #unjoined: WaitSource = { describe: () => `${this.describe()}.join (${this.#unfinished} unfinished)` };
  #unfinished = 0;
  #shutDown = false;
  /** Whose progress the items are: the task that has made the queue, or else the one that waits for them. */
  #place: ProgressPlace | null = current._progress?.here() ?? null;
  /** What is seen of it; from the first `taskDone` on, as without that nobody knows what is done. */
  #count: ItemCount | null = null;

  /**
   * @param maxsize - The greatest number of items; 0 (default) or less means no limit.
   * @param options - `name`: shown in wait graphs; `order: "priority"`: of the tasks that wait to get or to put, those of a higher
   *   priority go first.
   * @throws {RangeError} when `maxsize` is not a number.
   */
  constructor(maxsize = 0, options?: LineOptions) {
    if (typeof maxsize !== "number" || Number.isNaN(maxsize)) {
      throw new RangeError(`Expected \`maxsize\` to be a number (0: no limit), got ${show(maxsize)}`);
    }
    this.maxsize = maxsize === NEVER ? 0 : maxsize;
    this.name = nameIn(options);
    this.#getters = new Waiters(orderIn(options));
    this.#putters = new Waiters(orderIn(options));
    this.#items = this._makeStore();
  }

  /** @internal */
  _makeStore(): QueueStore<T> {
    return new Deque<T>();
  }

  /** The number of items in the queue. */
  qsize(): number {
    return this.#items.length;
  }

  empty(): boolean {
    return this.#items.length === 0;
  }

  full(): boolean {
    return this.maxsize > 0 && this.#items.length >= this.maxsize;
  }

  /**
   * Puts an item in, waiting for a free slot if need be.
   *
   * @throws {QueueShutDown} when the queue is shut down, before or meanwhile; the item is not put.
   *
   * **Suspends** only if the queue is full. **Cancel** puts nothing. **Source** asyncio/queues.py `Queue.put`.
   */
  put(item: T): Operation<void> {
    return new Put(this, item) as unknown as Operation<void>;
  }

  /**
   * Takes the next item, waiting for one if need be.
   *
   * @throws {QueueShutDown} when the queue is shut down and empty.
   *
   * **Suspends** only if the queue is empty. **Cancel** takes nothing: an item is taken only in the step that returns it.
   * **Source** asyncio/queues.py `Queue.get`.
   */
  get(): Operation<T> {
    return new Get(this) as unknown as Operation<T>;
  }

  /** As `put`, at once. @throws {QueueFull} when it is full; {QueueShutDown} when it is shut down. */
  putNowait(item: T): void {
    if (this.#shutDown) throw this._shutDownError("put into");
    if (this.full()) throw new QueueFull(`Cannot put into ${this.describe()}: it holds ${this.qsize()} of ${this.maxsize}`);
    this.#items.push(item);
    this.#unfinished++;
    if (this.#count !== null) this.#countPut(this.#count);
    callNext(this.#getters);
  }

  /** As `get`, at once. @throws {QueueEmpty} when it is empty; {QueueShutDown} when it is shut down as well. */
  getNowait(): T {
    if (this.empty()) {
      if (this.#shutDown) throw this._shutDownError("get from");
      throw new QueueEmpty(`Cannot get from ${this.describe()}: it is empty`);
    }
    const item = this.#items.shift() as T;
    callNext(this.#putters);
    return item;
  }

  /**
   * Says that the work on an item that was taken is finished; `join` counts these.
   *
   * @throws {RangeError} when called more often than items were put.
   */
  taskDone(): void {
    if (this.#unfinished <= 0) {
      throw new RangeError(`Cannot mark a task of ${this.describe()} done: taskDone() was called once per item already`);
    }
    if (this.#place !== null) this.#countDone(this.#place);
    this.#unfinished--;
    if (this.#unfinished === 0) callAll(this.#joiners);
  }

  #countPut(count: ItemCount): void {
    if (count._added) this.#beginCount();
    else {
      (count._total as number)++;
      count._over = false;
    }
  }

  /** One of those that are unfinished is done. */
  #countDone(place: ProgressPlace): void {
    const count = this.#count === null || this.#count._added ? this.#beginCount() : this.#count;
    count._done++;
    count._over = this.#unfinished === 1;
    place.changed();
  }

  #beginCount(): ItemCount {
    this.#count = { _done: 0, _total: this.#unfinished, _inTasks: false, _over: false, _added: false };
    this.#place?.open(this.#count);
    return this.#count;
  }

  /** @internal Somebody waits until all is done. */
  _joined(): void {
    if (this.#place?.over === false) return;
    this.#place = current._progress?.here() ?? null;
    this.#count = null;
  }

  /**
   * Waits until `taskDone` was called for every item that was put.
   *
   * **Suspends** only if there is unfinished work. **Cancel** ends the wait. **Source** asyncio/queues.py `Queue.join`.
   */
  join(): Operation<void> {
    return new Join(this) as unknown as Operation<void>;
  }

  /**
   * Ends the queue: no more puts; gets take what is left, then throw QueueShutDown. Whoever waits is told.
   *
   * @param options - `immediate`: drop the items that are left; they count as done.
   *
   * **Suspends** never. **Source** asyncio/queues.py `Queue.shutdown`.
   */
  shutdown(options?: { readonly immediate?: boolean | undefined }): void {
    this.#shutDown = true;
    if (options?.immediate === true) {
      while (!this.empty()) {
        this.#items.shift();
        if (this.#unfinished === 0) continue;
        if (this.#place !== null && this.#count !== null) this.#countDone(this.#place);
        this.#unfinished--;
      }
      if (this.#unfinished === 0) callAll(this.#joiners);
    }
    callAll(this.#getters);
    callAll(this.#putters);
  }

  /** Takes items until the queue is shut down and empty: `for await (const item of queue)`. */
  [Symbol.asyncIterator](): AsyncIterator<T, void, unknown> {
    return {
      next: async () => {
        try {
          return { done: false, value: await this.get() };
        } catch (error) {
          if (error instanceof QueueShutDown) return { done: true, value: undefined };
          throw error;
        }
      },
    };
  }

  /** @internal */
  get _getters(): Waiters {
    return this.#getters;
  }

  /** @internal */
  get _putters(): Waiters {
    return this.#putters;
  }

  /** @internal */
  get _joiners(): Waiters {
    return this.#joiners;
  }

  /** @internal What those in a line wait for. */
  _sourceOf(line: Waiters): WaitSource {
    return line === this.#getters ? this.#emptied : line === this.#putters ? this.#filled : this.#unjoined;
  }

  /** @internal One that waited goes without what it was woken for, if it was: another takes its place, if that is still there. */
  _giveUp(line: Waiters, waiter: InLine, woken: boolean): void {
    line.leave(waiter);
    const still = line === this.#getters ? !this.empty() : !this.full();
    if (still && woken) callNext(line);
  }

  /** @internal */
  get _isShutDown(): boolean {
    return this.#shutDown;
  }

  /** @internal */
  get _unfinished(): number {
    return this.#unfinished;
  }

  /** @internal */
  _shutDownError(action: string): QueueShutDown {
    return new QueueShutDown(`Cannot ${action} ${this.describe()}: it was shut down`);
  }

  describe(): string {
    return this.name === undefined ? this.constructor.name : `${this.constructor.name} '${this.name}'`;
  }

  toString(): string {
    const shut = this.#shutDown ? " shutdown" : "";
    const waiting = [
      this.#getters.length > 0 ? ` getters[${this.#getters.length}]` : "",
      this.#putters.length > 0 ? ` putters[${this.#putters.length}]` : "",
      this.#unfinished > 0 ? ` tasks=${this.#unfinished}` : "",
    ].join("");
    return `<${this.constructor.name} maxsize=${this.maxsize} qsize=${this.qsize()}${waiting}${shut}>`;
  }
}

/** Wakes the next that still sleeps; it leaves the line now, as it is going to look for itself. */
function callNext(line: Waiters): void {
  for (let waiter = line.next(); waiter !== null; waiter = line.next()) {
    line.leave(waiter);
    if (waiter._wake()) return;
  }
}

function callAll(line: Waiters): void {
  for (let waiter = line.first; waiter !== null; waiter = line.first) {
    line.leave(waiter);
    waiter._wake();
  }
}

class Put<T> extends Waiter<void> {
  declare readonly _queue: Queue<T>;
  declare readonly _item: T;

  constructor(queue: Queue<T>, item: T) {
    super();
    this._queue = queue;
    this._item = item;
  }

  /** Looks again after each wake: `putNowait` of another task may have been faster. */
  override _start(): IteratorResult<Suspension, void> {
    const queue = this._queue;
    if (queue.full() && !queue._isShutDown) {
      bindLoop(queue);
      queue._putters.join(this);
      return this._wait();
    }
    queue.putNowait(this._item);
    return done(undefined);
  }

  override _resume(): IteratorResult<Suspension, void> {
    try {
      return this._start();
    } catch (error) {
      this._abandon(true);
      throw error;
    }
  }

  override _abandon(woken: boolean): void {
    this._queue._giveUp(this._queue._putters, this, woken);
  }

  override describe(): string {
    return "queue.put";
  }

  override _waitsFor(): WaitSource {
    return this._queue._sourceOf(this._queue._putters);
  }
}

class Get<T> extends Waiter<T> {
  declare readonly _queue: Queue<T>;

  constructor(queue: Queue<T>) {
    super();
    this._queue = queue;
  }

  override _start(): IteratorResult<Suspension, T> {
    const queue = this._queue;
    if (queue.empty() && !queue._isShutDown) {
      bindLoop(queue);
      queue._getters.join(this);
      return this._wait();
    }
    return done(queue.getNowait());
  }

  override _resume(): IteratorResult<Suspension, T> {
    try {
      return this._start();
    } catch (error) {
      this._abandon(true);
      throw error;
    }
  }

  override _abandon(woken: boolean): void {
    this._queue._giveUp(this._queue._getters, this, woken);
  }

  override describe(): string {
    return "queue.get";
  }

  override _waitsFor(): WaitSource {
    return this._queue._sourceOf(this._queue._getters);
  }
}

class Join<T> extends Waiter<void> {
  declare readonly _queue: Queue<T>;

  constructor(queue: Queue<T>) {
    super();
    this._queue = queue;
  }

  override _start(): IteratorResult<Suspension, void> {
    if (this._queue._unfinished === 0) return done(undefined);
    this._queue._joined();
    bindLoop(this._queue);
    this._queue._joiners.join(this);
    return this._wait();
  }

  override _resume(): IteratorResult<Suspension, void> {
    return done(undefined);
  }

  override _abandon(): void {
    this._queue._joiners.leave(this);
  }

  override describe(): string {
    return "queue.join";
  }

  override _waitsFor(): WaitSource {
    return this._queue._sourceOf(this._queue._joiners);
  }
}
