/** A flag that tasks wait for. Mirrors asyncio/locks.py `Event`. */

import type { EventLoop } from "../kernel/loop.ts";
import { done, type Operation } from "../kernel/operation.ts";
import type { Suspension, WaitSource } from "../kernel/suspended.ts";
import { bindLoop, type LoopBound, nameIn } from "./loop-bound.ts";
import { Waiter, Waiters, wakeAll } from "./waiters.ts";

/**
 * A flag: `set()` lets everybody through who waits and who comes, until `clear()`.
 *
 * @example
 * ```ts
 * const ready = new Event();
 * ready.set();
 * yield* ready.wait(); // => true
 * ```
 */
export class Event implements WaitSource, LoopBound {
  #set = false;
  readonly #waiters = new Waiters();
  readonly name: string | undefined;
  /** @internal */
  _loop: EventLoop | null = null;

  /** @param options - `name`: shown in wait graphs. */
  constructor(options?: { readonly name?: string | undefined }) {
    this.name = nameIn(options);
  }

  isSet(): boolean {
    return this.#set;
  }

  /** Sets the flag and wakes all that wait, in order of arrival. */
  set(): void {
    if (this.#set) return;
    this.#set = true;
    wakeAll(this.#waiters);
  }

  /** Takes the flag back; whoever was woken stays so. */
  clear(): void {
    this.#set = false;
  }

  /**
   * Waits until the flag is set.
   *
   * @returns true, always.
   *
   * **Suspends** only if the flag is not set. **Cancel** ends the wait. **Source** asyncio/locks.py `Event.wait`.
   */
  wait(): Operation<true> {
    return new WaitForFlag(this) as unknown as Operation<true>;
  }

  /** @internal */
  get _line(): Waiters {
    return this.#waiters;
  }

  describe(): string {
    return `${this.name === undefined ? "Event" : `Event '${this.name}'`} (not set)`;
  }

  toString(): string {
    const waiters = this.#waiters.length > 0 ? `, waiters:${this.#waiters.length}` : "";
    return `<Event [${this.#set ? "set" : "unset"}${waiters}]>`;
  }
}

class WaitForFlag extends Waiter<true> {
  declare readonly _event: Event;

  constructor(event: Event) {
    super();
    this._event = event;
  }

  override _start(): IteratorResult<Suspension, true> {
    bindLoop(this._event);
    if (this._event.isSet()) return done(true);
    this._event._line.join(this);
    return this._wait();
  }

  override _resume(): IteratorResult<Suspension, true> {
    this._event._line.leave(this);
    return done(true);
  }

  override _abandon(): void {
    this._event._line.leave(this);
  }

  override describe(): string {
    return "event.wait";
  }

  override _waitsFor(): WaitSource {
    return this._event;
  }
}
