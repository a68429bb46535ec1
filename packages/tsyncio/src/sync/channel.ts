/** Handing a stream of values from senders to receivers, which ends. The model is Go's channels and trio's memory channels. */

import { Deque } from "../base/deque.ts";
import { NEVER } from "../base/duration.ts";
import { isCancelled, show, unexpected } from "../base/errors.ts";
import type { EventLoop } from "../kernel/loop.ts";
import { done, type Operation, postpone, WOKEN } from "../kernel/operation.ts";
import type { Suspension, WaitSource } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";
import { bindLoop, type LoopBound, nameIn } from "./loop-bound.ts";
import { type InLine, Waiter, Waiters } from "./waiters.ts";

/** The channel is closed: no more sends, and no more receives once it is empty. `cause` is the error it was closed with. */
export class ChannelClosed extends Error {
  override name = "ChannelClosed";
  readonly code = "CHANNEL_CLOSED";
}

/** What `channel.statistics()` returns. */
export interface ChannelStatistics {
  /** How many values fit in. */
  readonly capacity: number;
  /** How many values have been sent and not been received. */
  readonly length: number;
  /** How many handles are open. */
  readonly handles: number;
  readonly waitingSenders: number;
  readonly waitingReceivers: number;
}

/**
 * A stream of values from any number of senders to any number of receivers; each value goes to one of them, in order.
 *
 * With a capacity of 0 a `send` ends when a receiver has taken the value; with more, so many values are kept in between.
 *
 * It is open for as long as one of its handles is: `clone()` makes another handle, for another sender, and each is closed by itself,
 * by `close()` or at the end of a `using` block. Receiving needs no open handle: when all are closed, receivers get what was sent
 * before, then the end. `close(error)` ends the channel as a whole, from either side.
 *
 * @example
 * ```ts
 * const numbers = new Channel<number>();
 * const sender = (from: number) => {
 *   const mine = numbers.clone();
 *   return function* () {
 *     using open = mine;
 *     for (const each of [from, from + 1]) yield* open.send(each);
 *   };
 * };
 * const senders = [createTask(sender(1)), createTask(sender(10))];
 * numbers.close();
 * const all: number[] = [];
 * yield* createTask(async () => {
 *   for await (const each of numbers) all.push(each);
 * });
 * all.sort((a, b) => a - b); // => [1, 2, 10, 11]
 * senders.every((each) => each.done()); // => true
 * ```
 */
export class Channel<T> implements AsyncIterable<T>, Disposable {
  /** @internal */
  readonly _hub: Hub<T>;
  /** @internal */
  _open = true;

  /**
   * @param capacity - How many values are kept for receivers: an integer ≥ 0, or Infinity; 0 by default.
   * @param options - `name`: shown in wait graphs.
   * @throws {RangeError} when `capacity` is not such a number.
   */
  constructor(capacity = 0, options?: { readonly name?: string | undefined }, _hub?: Hub<T>) {
    if (capacity !== NEVER && (!Number.isInteger(capacity) || capacity < 0)) {
      throw new RangeError(`Expected \`capacity\` to be an integer ≥ 0 or Infinity, got ${show(capacity)}`);
    }
    this._hub = _hub ?? new Hub(capacity, nameIn(options));
    this._hub.handles++;
  }

  get name(): string | undefined {
    return this._hub.name;
  }

  get capacity(): number {
    return this._hub.capacity;
  }

  /** How many values have been sent and not been received. */
  get length(): number {
    return this._hub.items.length;
  }

  /** Whether this handle sends no more. */
  get closed(): boolean {
    return !this._open || this._hub.ended;
  }

  /**
   * Sends a value, waiting until there is room for it, or, with a capacity of 0, until a receiver has taken it.
   *
   * @throws {ChannelClosed} when this handle is closed, before or meanwhile; the value is not sent.
   *
   * **Suspends** only if there is no room. **Cancel** sends nothing. When the value was taken already, `send` ends as usual, and the
   * cancellation is delivered where the task waits next.
   */
  send(value: T): Operation<void> {
    return new Send(this, value) as unknown as Operation<void>;
  }

  /**
   * Receives the next value, waiting for one if need be, first come, first served.
   *
   * @throws {ChannelClosed} when all handles are closed and nothing is left; the error that the channel was closed with, if it was.
   *
   * **Suspends** only if nothing is there, or others came first. **Cancel** takes nothing: a value is taken only in the step that
   * returns it.
   */
  receive(): Operation<T> {
    return new Receive(this._hub) as unknown as Operation<T>;
  }

  /**
   * Sends a value at once: if there is room, or, with a capacity of 0, if a receiver waits for it. (Should that one be cancelled
   * before it runs, the next one gets the value.)
   *
   * @returns whether it was sent.
   * @throws {ChannelClosed} when this handle is closed.
   *
   * **Suspends** never.
   */
  trySend(value: T): boolean {
    const hub = this._hub;
    this._checkOpen();
    if (!hub.hasRoom() && (hub.capacity > 0 || hub.receivers.length === 0)) return false;
    hub.items.push(value);
    hub.call();
    return true;
  }

  /**
   * Receives a value at once, if there is one that nobody else waits for.
   *
   * @returns the value, in an object, since it may be anything; or null.
   * @throws as `receive` does, at the end.
   *
   * **Suspends** never.
   */
  tryReceive(): { readonly value: T } | null {
    const hub = this._hub;
    const value = hub.available() > hub.called ? hub.take() : NOTHING;
    if (value !== NOTHING) return { value };
    if (hub.isOver()) throw hub.endError();
    return null;
  }

  /**
   * Makes another handle, which is open until it is closed itself.
   *
   * @throws {ChannelClosed} when this handle is closed.
   *
   * **Suspends** never.
   */
  clone(): Channel<T> {
    this._checkOpen("clone");
    return new Channel<T>(this._hub.capacity, undefined, this._hub);
  }

  /**
   * Closes this handle; harmless when repeated. Those that wait to send by it are told. With the last one, the channel ends:
   * receivers get what was sent, then the end.
   *
   * @param error - Ends the channel as a whole, whichever handles are open: senders get a ChannelClosed with this cause, receivers
   *   get what was sent, then this error.
   * @throws {TypeError} when `error` is no object: a string tells a `catch` block too little.
   *
   * **Suspends** never.
   */
  close(error?: unknown): void {
    if (error !== undefined && (typeof error !== "object" || error === null)) throw unexpected("`error` to be an Error", error);
    const hub = this._hub;
    if (this._open) {
      this._open = false;
      hub.handles--;
    }
    if (error !== undefined || hub.handles === 0) hub.end(error);
    hub.tellSenders();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  statistics(): ChannelStatistics {
    const { capacity, items, handles, senders, receivers } = this._hub;
    return {
      capacity,
      length: items.length,
      handles,
      waitingSenders: senders.length,
      waitingReceivers: receivers.length,
    };
  }

  /** Receives until the end: `for await (const value of channel)`. Leaving the loop closes nothing. */
  [Symbol.asyncIterator](): AsyncIterator<T, void, unknown> {
    return {
      next: async () => {
        try {
          return { done: false, value: await this.receive() };
        } catch (error) {
          if (error instanceof ChannelClosed && error !== this._hub.failure) return { done: true, value: undefined };
          throw error;
        }
      },
    };
  }

  /** @internal */
  _checkOpen(action = "send to"): void {
    if (this.closed) throw this._closedError(action);
  }

  /** @internal */
  _closedError(action: string): ChannelClosed {
    const { ended, failure } = this._hub;
    const what = ended ? "it is closed" : "this handle is closed; clone() one for each sender";
    return new ChannelClosed(
      `Cannot ${action} ${this._hub.describe()}: ${what}`,
      failure === undefined ? {} : { cause: failure },
    );
  }

  toString(): string {
    return String(this._hub);
  }
}

const NOTHING: unique symbol = Symbol("nothing");

/** What the handles of a channel share. */
class Hub<T> implements LoopBound {
  // INVARIANT  nobody sleeps who could go on: while more is available than receivers were called for, none of them sleeps; while
  //            there is room, no sender does. (In a `select`, those that could only meet their own siblings sleep all the same.)
  readonly capacity: number;
  readonly name: string | undefined;
  readonly items: Deque<T> = new Deque<T>();
  /** Those that sleep. */
  readonly senders: Waiters = new Waiters();
  /** Those that sleep. */
  readonly receivers: ReceiverLine = new ReceiverLine();
  /** How many receivers have been woken and have not run. As much of what is available is theirs. */
  called = 0;
  handles = 0;
  ended = false;
  failure: unknown = undefined;
  _loop: EventLoop | null = null;
  readonly sending: WaitSource = {
    describe: () => `${this.describe()}.send (${this.capacity === 0 ? "no receiver" : `full: ${this.items.length}`})`,
  };
  readonly receiving: WaitSource = { describe: () => `${this.describe()}.receive (empty)` };

  constructor(capacity: number, name: string | undefined) {
    this.capacity = capacity;
    this.name = name;
  }

  hasRoom(): boolean {
    return this.items.length < this.capacity;
  }

  /** How many values could be taken: those kept, and those that senders wait with. */
  available(): number {
    return this.items.length + this.senders.length;
  }

  isOver(): boolean {
    return this.ended && this.items.length === 0;
  }

  endError(): unknown {
    return this.failure ?? new ChannelClosed(`Cannot receive from ${this.describe()}: it is closed, and nothing is left`);
  }

  /** Takes the next value. Here, in a receiver's own step, and nowhere else, values change hands. */
  take(): T | typeof NOTHING {
    if (this.items.length === 0) {
      const sender = this.#nextSender();
      return sender === null ? NOTHING : sender._value;
    }
    const value = this.items.shift() as T;
    while (this.hasRoom()) {
      const sender = this.#nextSender();
      if (sender === null) break;
      this.items.push(sender._value);
    }
    if (this.isOver()) this.#tellReceivers();
    return value;
  }

  /** The first sender whose value may be taken: from now on it is sent. */
  #nextSender(): Send<T> | null {
    for (let each = this.senders.first as Send<T> | null; each !== null; each = each._next as Send<T> | null) {
      if (!each._settle()) continue;
      this.senders.leave(each);
      each._wake();
      return each;
    }
    return null;
  }

  /** Wakes receivers for what is available. */
  call(): void {
    while (this.available() > this.called && this.#callNext()) this.called++;
  }

  #callNext(): boolean {
    for (let each = this.receivers.first; each !== null; each = each._next) {
      if (this.items.length === 0 && !this.#hasOther(each)) continue;
      this.receivers.leave(each);
      if (each._wake()) return true;
    }
    return false;
  }

  /** Whether somebody else than a receiver's own `select` wants to send. */
  #hasOther(receiver: InLine): boolean {
    const party = partyOf(receiver);
    for (let each = this.senders.first; each !== null; each = each._next) if (partyOf(each) !== party) return true;
    return false;
  }

  end(failure: unknown): void {
    if (this.ended) return;
    this.ended = true;
    this.failure = failure;
    if (this.isOver()) this.#tellReceivers();
  }

  /** Wakes those senders whose handle was closed. */
  tellSenders(): void {
    for (const each of this.senders) {
      if (!(each as Send<T>)._channel.closed) continue;
      this.senders.leave(each);
      each._wake();
    }
  }

  #tellReceivers(): void {
    for (const each of this.receivers) {
      this.receivers.leave(each);
      if (each._wake()) this.called++;
    }
  }

  describe(): string {
    return this.name === undefined ? "Channel" : `Channel '${this.name}'`;
  }

  toString(): string {
    const waiting = [
      this.receivers.length > 0 ? ` receivers[${this.receivers.length}]` : "",
      this.senders.length > 0 ? ` senders[${this.senders.length}]` : "",
    ].join("");
    return `<Channel capacity=${this.capacity} length=${this.items.length}${waiting}${this.ended ? " closed" : ""}>`;
  }
}

class ReceiverLine extends Waiters {
  /** Joins in front: it had its turn, and found nothing. */
  joinFirst(waiter: InLine): void {
    const { first } = this;
    this.join(waiter);
    if (first === null) return;
    // From the end to the front.
    const last = waiter._previous as InLine;
    last._next = null;
    this.last = last;
    waiter._previous = null;
    waiter._next = first;
    first._previous = waiter;
    this.first = waiter;
  }
}

/** What stands in the place of a task for each of the operations of a `select`: of those that cannot be undone, only one may happen. */
interface Choice {
  /** Whether the operation may happen; from then on no other one will. */
  _choose?(): boolean;
  /** The whole `select`. */
  readonly _whole?: object;
}

/** Whoever waits: a task, or a whole `select`, of which no two parts may meet. */
function partyOf(waiter: InLine): unknown {
  return (waiter._waiting as Choice | null)?._whole ?? waiter._waiting;
}

class Send<T> extends Waiter<void> {
  declare readonly _channel: Channel<T>;
  declare readonly _value: T;
  /** A receiver has taken the value, or it has been put among those that are kept. */
  declare _sent: boolean;

  constructor(channel: Channel<T>, value: T) {
    super();
    this._channel = channel;
    this._value = value;
    this._sent = false;
  }

  override _start(): IteratorResult<Suspension, void> {
    const hub = this._channel._hub;
    bindLoop(hub);
    this._channel._checkOpen();
    if (hub.hasRoom()) {
      hub.items.push(this._value);
      hub.call();
      return done(undefined);
    }
    hub.senders.join(this);
    return this._wait();
  }

  /** Only now it is known who waits, and so whom it may meet. */
  override _park(task: Task<unknown>): null | undefined {
    const refused = super._park(task);
    if (refused === null) this._channel._hub.call();
    return refused;
  }

  /** @internal Whether its value may be taken; it is, if so. */
  _settle(): boolean {
    this._sent = (this._waiting as Choice | null)?._choose?.() ?? true;
    return this._sent;
  }

  override _resume(): IteratorResult<Suspension, void> {
    if (this._sent) return done(undefined);
    throw this._channel._closedError("send to");
  }

  override throw(error: unknown): IteratorResult<Suspension, void> {
    // RACE  1. a receiver takes the value   2. the sender is cancelled before it runs   3. a cancelled send would have sent.
    //       test: "Channel.send() has sent nothing if it is cancelled, whenever that is"
    if (this._sent && this._stage === WOKEN && isCancelled(error)) {
      postpone(this);
      return this.next();
    }
    return super.throw(error);
  }

  override _interrupt(message: string | undefined): boolean {
    if (!super._interrupt(message)) return false;
    this._channel._hub.senders.leave(this);
    return true;
  }

  override _abandon(): void {
    this._channel._hub.senders.leave(this);
  }

  override describe(): string {
    return "channel.send";
  }

  override _waitsFor(): WaitSource {
    return this._channel._hub.sending;
  }
}

class Receive<T> extends Waiter<T> {
  declare readonly _hub: Hub<T>;

  constructor(hub: Hub<T>) {
    super();
    this._hub = hub;
  }

  override _start(): IteratorResult<Suspension, T> {
    const hub = this._hub;
    bindLoop(hub);
    const value = hub.available() > hub.called ? hub.take() : NOTHING;
    if (value !== NOTHING) return done(value);
    if (hub.isOver()) throw hub.endError();
    hub.receivers.join(this);
    return this._wait();
  }

  override _resume(): IteratorResult<Suspension, T> {
    const hub = this._hub;
    hub.called--;
    const value = hub.take();
    if (value !== NOTHING) return done(value);
    if (hub.isOver()) throw hub.endError();
    // RACE  1. A is woken for a sender   2. that is cancelled   3. what is there now comes from A's own select.
    //       test: "Channel.receive() passes its turn on, when all it could meet is a send of its own select"
    hub.call();
    hub.receivers.joinFirst(this);
    return this._wait();
  }

  override _interrupt(message: string | undefined): boolean {
    if (!super._interrupt(message)) return false;
    this._hub.receivers.leave(this);
    return true;
  }

  override _abandon(woken: boolean): void {
    const hub = this._hub;
    hub.receivers.leave(this);
    if (!woken) return;
    // RACE  1. A is woken for a value   2. A is cancelled before it runs   3. B must be woken in its place.
    //       test: "Channel.receive() passes its turn on, when woken and then cancelled"
    hub.called--;
    hub.call();
  }

  override describe(): string {
    return "channel.receive";
  }

  override _waitsFor(): WaitSource {
    return this._hub.receiving;
  }
}
