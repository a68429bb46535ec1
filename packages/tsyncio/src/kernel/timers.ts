/**
 * The loop's timers: a heap of deadlines in typed arrays, ties first come, first served.
 *
 * A cancelled entry stays until it comes to the top or cancelled ones are the majority; asyncio's rule, which makes cancelling O(1).
 */

import { NEVER } from "../base/duration.ts";
import type { Runnable } from "./handle.ts";

export interface TimerEntry extends Runnable {
  cancelled(): boolean;
}

/** asyncio's constant: below this size, cancelled entries are left where they are. */
const MIN_SIZE_TO_SWEEP = 100;

export class Timers {
  // INVARIANT  the parent of i is (i - 1) >> 1; (when[i], order[i]) is never less than its parent's.
  #when = new Float64Array(16);
  #order = new Float64Array(16);
  #entries: (TimerEntry | undefined)[] = [];
  #length = 0;
  #pushed = 0;
  #cancelled = 0;

  /** The number of entries, cancelled ones included. */
  get length(): number {
    return this.#length;
  }

  push(when: number, entry: TimerEntry): void {
    const size = this.#when.length;
    if (this.#length === size) {
      this.#when = doubled(this.#when);
      this.#order = doubled(this.#order);
    }
    this.#rise(this.#length++, when, this.#pushed++, entry);
  }

  /** The least deadline of an entry that is not cancelled; Infinity when there is none. */
  next(): number {
    // Drops the cancelled entries at the top.
    while (this.#length > 0 && (this.#entries[0] as TimerEntry).cancelled()) {
      this.#pop();
      if (this.#cancelled > 0) this.#cancelled--;
    }
    return this.bound();
  }

  /** The least deadline, cancelled ones included: cheap, and never later than the true one. */
  bound(): number {
    return this.#length === 0 ? NEVER : (this.#when[0] as number);
  }

  /** Takes out the entries due by `until`, in order. */
  take(until: number, due: (entry: TimerEntry) => void): void {
    while (this.next() <= until && this.#length > 0) due(this.#pop());
  }

  /** Told when an entry that stands in the heap is cancelled; once too often does no harm, it is only counted. */
  noteCancelled(): void {
    this.#cancelled++;
    // Here, not only in `next()`: a loop that is always busy may not ask for a long time.
    if (this.#length > MIN_SIZE_TO_SWEEP && this.#cancelled * 2 > this.#length) this.#rebuild();
  }

  clear(): void {
    this.#entries = [];
    this.#length = this.#cancelled = 0;
  }

  /** Drops all cancelled entries. */
  #rebuild(): void {
    const entries = this.#entries;
    const size = this.#length;
    this.clear();
    for (let i = 0; i < size; i++) {
      const entry = entries[i] as TimerEntry;
      // What is written lies at or before i, so nothing is overwritten that is still to be read.
      if (!entry.cancelled()) this.#rise(this.#length++, this.#when[i] as number, this.#order[i] as number, entry);
    }
  }

  #pop(): TimerEntry {
    const top = this.#entries[0] as TimerEntry;
    const last = --this.#length;
    const entry = this.#entries.pop() as TimerEntry;
    if (last > 0) this.#sink(this.#when[last] as number, this.#order[last] as number, entry);
    return top;
  }

  /** Puts an entry at a free place or above, where it belongs. */
  #rise(start: number, when: number, order: number, entry: TimerEntry): void {
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#after(parent, when, order)) break;
      this.#move(parent, index);
      index = parent;
    }
    this.#set(index, when, order, entry);
  }

  /** Puts an entry at the top, which is free, or below, where it belongs. */
  #sink(when: number, order: number, entry: TimerEntry): void {
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= this.#length) break;
      if (child + 1 < this.#length && this.#after(child, this.#when[child + 1] as number, this.#order[child + 1] as number))
        child++;
      if (this.#after(child, when, order)) break;
      this.#move(child, index);
      index = child;
    }
    this.#set(index, when, order, entry);
  }

  /** Whether the entry at an index comes after one with these keys. */
  #after(index: number, when: number, order: number): boolean {
    const other = this.#when[index] as number;
    return other > when || (other === when && (this.#order[index] as number) > order);
  }

  #move(from: number, to: number): void {
    this.#set(to, this.#when[from] as number, this.#order[from] as number, this.#entries[from] as TimerEntry);
  }

  #set(index: number, when: number, order: number, entry: TimerEntry): void {
    this.#when[index] = when;
    this.#order[index] = order;
    this.#entries[index] = entry;
  }
}

function doubled(values: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(values.length * 2);
  larger.set(values);
  return larger;
}
