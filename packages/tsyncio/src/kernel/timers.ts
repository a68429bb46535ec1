/**
 * The loop's timers: a heap of deadlines in typed arrays, ties first come, first served.
 *
 * A cancelled entry stays until it comes to the top or cancelled ones are the majority; asyncio's rule, which makes cancelling O(1).
 */

import type { Runnable } from "./handle.ts";

export interface TimerEntry extends Runnable {
  /** @internal True while it stands in the heap. */
  _scheduled: boolean;
  cancelled(): boolean;
}

/** asyncio's constants: below this size, cancelled entries are left where they are. */
const MIN_SIZE_TO_SWEEP = 100;

export class Timers {
  // INVARIANT  the parent of i is (i - 1) >> 1; (when[i], order[i]) is never less than its parent's.
  #when = new Float64Array(16);
  #order = new Float64Array(16);
  #entries: (TimerEntry | undefined)[] = new Array(16).fill(undefined);
  #length = 0;
  #pushed = 0;
  #cancelled = 0;

  get length(): number {
    return this.#length;
  }

  push(when: number, entry: TimerEntry): void {
    if (this.#length === this.#when.length) this.#grow();
    this.#up(this.#length++, when, this.#pushed++, entry);
  }

  /** The least deadline of an entry that is not cancelled; Infinity when there is none. */
  next(): number {
    this.#sweep();
    return this.#length === 0 ? Number.POSITIVE_INFINITY : (this.#when[0] as number);
  }

  /** The least deadline, cancelled ones included: cheap, and never later than the true one. */
  bound(): number {
    return this.#length === 0 ? Number.POSITIVE_INFINITY : (this.#when[0] as number);
  }

  /** Takes out the entries due by `until`, in order. */
  take(until: number, due: (entry: TimerEntry) => void): void {
    this.#sweep();
    while (this.#length > 0 && (this.#when[0] as number) <= until) {
      const entry = this.#pop();
      if (entry.cancelled()) this.#cancelled--;
      else due(entry);
    }
  }

  /** Told when an entry that stands in the heap is cancelled. */
  noteCancelled(): void {
    this.#cancelled++;
  }

  clear(): void {
    for (let i = 0; i < this.#length; i++) (this.#entries[i] as TimerEntry)._scheduled = false;
    this.#entries.fill(undefined);
    this.#length = this.#cancelled = 0;
  }

  #sweep(): void {
    if (this.#length > MIN_SIZE_TO_SWEEP && this.#cancelled * 2 > this.#length) {
      let kept = 0;
      for (let i = 0; i < this.#length; i++) {
        const entry = this.#entries[i] as TimerEntry;
        if (entry.cancelled()) entry._scheduled = false;
        else {
          this.#when[kept] = this.#when[i] as number;
          this.#order[kept] = this.#order[i] as number;
          this.#entries[kept++] = entry;
        }
      }
      this.#entries.fill(undefined, kept, this.#length);
      this.#length = kept;
      this.#cancelled = 0;
      for (let i = (kept >> 1) - 1; i >= 0; i--) {
        this.#down(i, this.#when[i] as number, this.#order[i] as number, this.#entries[i] as TimerEntry);
      }
    } else {
      while (this.#length > 0 && (this.#entries[0] as TimerEntry).cancelled()) {
        this.#pop();
        this.#cancelled--;
      }
    }
  }

  #pop(): TimerEntry {
    const top = this.#entries[0] as TimerEntry;
    const last = --this.#length;
    const entry = this.#entries[last] as TimerEntry;
    this.#entries[last] = undefined;
    if (last > 0) this.#down(0, this.#when[last] as number, this.#order[last] as number, entry);
    top._scheduled = false;
    return top;
  }

  #up(start: number, when: number, order: number, entry: TimerEntry): void {
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      // A new entry has the greatest order, so that equal deadlines stay behind their elders.
      if ((this.#when[parent] as number) <= when) break;
      this.#move(parent, index);
      index = parent;
    }
    this.#set(index, when, order, entry);
  }

  #down(start: number, when: number, order: number, entry: TimerEntry): void {
    let index = start;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= this.#length) break;
      if (child + 1 < this.#length && this.#before(child + 1, child)) child++;
      const due = this.#when[child] as number;
      if (when < due || (when === due && order < (this.#order[child] as number))) break;
      this.#move(child, index);
      index = child;
    }
    this.#set(index, when, order, entry);
  }

  #before(a: number, b: number): boolean {
    const x = this.#when[a] as number;
    const y = this.#when[b] as number;
    return x < y || (x === y && (this.#order[a] as number) < (this.#order[b] as number));
  }

  #move(from: number, to: number): void {
    this.#when[to] = this.#when[from] as number;
    this.#order[to] = this.#order[from] as number;
    this.#entries[to] = this.#entries[from];
  }

  #set(index: number, when: number, order: number, entry: TimerEntry): void {
    this.#when[index] = when;
    this.#order[index] = order;
    this.#entries[index] = entry;
  }

  #grow(): void {
    const size = this.#when.length * 2;
    const when = new Float64Array(size);
    const order = new Float64Array(size);
    when.set(this.#when);
    order.set(this.#order);
    this.#when = when;
    this.#order = order;
    for (let i = this.#length; i < size; i++) this.#entries[i] = undefined;
  }
}
