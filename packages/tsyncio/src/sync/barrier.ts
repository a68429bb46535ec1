/** A meeting point. Mirrors asyncio/locks.py `Barrier`. */

import { BrokenBarrierError, show } from "../base/errors.ts";
import { operation } from "../kernel/coroutine.ts";
import { type Body, callBody, checkBody } from "../kernel/job.ts";
import type { EventLoop } from "../kernel/loop.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Coroutine, WaitSource } from "../kernel/suspended.ts";
import { bindLoop, type LoopBound, nameIn } from "./loop-bound.ts";
import { Place, Waiters, wakeAll } from "./waiters.ts";

// STATE  filling ──last party arrives──▶ draining ──last party leaves──▶ filling
//        any ──reset() while parties wait──▶ resetting ──last one leaves──▶ filling       any ──abort()──▶ broken ──reset()──▶ filling
type State = "filling" | "draining" | "resetting" | "broken";

/**
 * Holds tasks back until a number of them have arrived, then lets all go; reusable.
 *
 * @example
 * ```ts
 * const start = new Barrier(2);
 * const other = createTask(start.wait());
 * yield* start.wait(); // => 0
 * yield* other; // => 1
 * ```
 */
export class Barrier implements WaitSource, LoopBound {
  readonly parties: number;
  readonly name: string | undefined;
  /** @internal */
  _loop: EventLoop | null = null;
  #state: State = "filling";
  #count = 0;
  readonly #waiters = new Waiters();

  /**
   * @param parties - How many must arrive, an integer ≥ 1.
   * @param options - `name`: shown in wait graphs.
   * @throws {RangeError} when `parties` is not such a number.
   */
  constructor(parties: number, options?: { readonly name?: string | undefined }) {
    if (!Number.isInteger(parties) || parties < 1) {
      throw new RangeError(`Expected \`parties\` to be an integer ≥ 1, got ${show(parties)}`);
    }
    this.parties = parties;
    this.name = nameIn(options);
  }

  /** How many wait at the barrier while it fills; 0 at other times. */
  get nWaiting(): number {
    return this.#state === "filling" ? this.#count : 0;
  }

  get broken(): boolean {
    return this.#state === "broken";
  }

  /**
   * Arrives, and waits for the others.
   *
   * @returns the order of arrival, from 0; so exactly one task gets each number.
   * @throws {BrokenBarrierError} when the barrier is broken, or reset meanwhile.
   *
   * **Suspends** unless it is the last to arrive. **Cancel** takes the arrival back. **Source** asyncio/locks.py `Barrier.wait`.
   */
  wait(): Operation<number> {
    return operation(this.#wait(), "barrier.wait");
  }

  /** Arrives, waits for the others, and runs a body with the order of arrival. **Source** `async with barrier as position`. */
  with<T>(body: Body<[position: number], T>): Operation<T> {
    checkBody(body, "barrier.with");
    return operation(this.#with(body), "barrier.with");
  }

  /** Empties the barrier: those that wait get a BrokenBarrierError, and it is as new. **Suspends** until a running round ends never. */
  reset(): Operation<void> {
    return operation(this.#reset(), "barrier.reset");
  }

  /** Breaks the barrier for good (until `reset()`): those that wait and those that come get a BrokenBarrierError. */
  abort(): Operation<void> {
    return operation(this.#abort(), "barrier.abort");
  }

  *#with<T>(body: Body<[position: number], T>): Coroutine<T> {
    const position = yield* this.wait();
    return yield* callBody(body, position);
  }

  *#wait(): Coroutine<number> {
    bindLoop(this);
    yield* this.#block();
    const index = this.#count++;
    try {
      if (index + 1 === this.parties) {
        this.#state = "draining";
        wakeAll(this.#waiters);
      } else yield* this.#waitForOthers();
      return index;
    } finally {
      this.#count--;
      this.#exit();
    }
  }

  /** While the last round leaves, nobody enters. */
  *#block(): Coroutine<void> {
    while (this.#state === "draining" || this.#state === "resetting") yield* this.#sleep();
    if (this.#state === "broken") throw new BrokenBarrierError(`Cannot wait at ${this}: it was aborted; reset() mends it`);
  }

  *#waitForOthers(): Coroutine<void> {
    while (this.#state === "filling") yield* this.#sleep();
    if (this.#state === "broken" || this.#state === "resetting") {
      throw new BrokenBarrierError(
        `The wait at ${this} ended: the barrier was ${this.#state === "broken" ? "aborted" : "reset"}`,
      );
    }
  }

  *#sleep(): Coroutine<void> {
    try {
      yield* new Place(this.#waiters, this);
    } catch (error) {
      // As asyncio's, which rests on a Condition: the next one wakes, looks, and rejoins at the end of the line.
      this.#waiters.wakeNext();
      throw error;
    }
  }

  /** The last one out opens the barrier for the next round. */
  #exit(): void {
    if (this.#count > 0) return;
    if (this.#state === "resetting" || this.#state === "draining") this.#state = "filling";
    wakeAll(this.#waiters);
  }

  *#reset(): Coroutine<void> {
    if (this.#count > 0) {
      if (this.#state !== "resetting") this.#state = "resetting";
    } else this.#state = "filling";
    wakeAll(this.#waiters);
  }

  *#abort(): Coroutine<void> {
    this.#state = "broken";
    wakeAll(this.#waiters);
  }

  describe(): string {
    return `${this.name === undefined ? "Barrier" : `Barrier '${this.name}'`} (${this.#count} of ${this.parties} arrived)`;
  }

  toString(): string {
    const waiters = this.#state === "broken" ? "" : `, waiters:${this.nWaiting}/${this.parties}`;
    return `<Barrier [${this.#state}${waiters}]>`;
  }
}
