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

  push(when: number, entry: TimerEntry): void {
    const size = this.#when.length;
    if (this.#length === size) {
      this.#when = doubled(this.#when);
      this.#order = doubled(this.#order);
    }
    this.#set(this.#length, when, this.#pushed++, entry);
    this.#up(this.#length++);
  }

  /** The least deadline of an entry that is not cancelled; Infinity when there is none. */
  next(): number {
    this.#sweep();
    return this.bound();
  }

  /** The least deadline, cancelled ones included: cheap, and never later than the true one. */
  bound(): number {
    return this.#length === 0 ? Number.POSITIVE_INFINITY : (this.#when[0] as number);
  }

  /** Takes out the entries due by `until`, in order. */
  take(until: number, due: (entry: TimerEntry) => void): void {
    while (this.next() <= until && this.#length > 0) due(this.#pop());
  }

  /** Told when an entry that stands in the heap is cancelled. */
  noteCancelled(): void {
    this.#cancelled++;
  }

  clear(): void {
    while (this.#length > 0) this.#pop();
    this.#cancelled = 0;
  }

  /** Drops cancelled entries: all, when they are the majority, else those at the top. */
  #sweep(): void {
    if (this.#length > MIN_SIZE_TO_SWEEP && this.#cancelled * 2 > this.#length) {
      const entries = this.#entries;
      const size = this.#length;
      this.#entries = [];
      this.#length = this.#cancelled = 0;
      for (let i = 0; i < size; i++) {
        const entry = entries[i] as TimerEntry;
        if (entry.cancelled()) entry._scheduled = false;
        else {
          // What is written lies at or before i, so nothing is overwritten that is still to be read.
          this.#set(this.#length, this.#when[i] as number, this.#order[i] as number, entry);
          this.#up(this.#length++);
        }
      }
    }
    while (this.#length > 0 && (this.#entries[0] as TimerEntry).cancelled()) {
      this.#pop();
      this.#cancelled--;
    }
  }

  #pop(): TimerEntry {
    const top = this.#entries[0] as TimerEntry;
    this.#swap(0, --this.#length);
    this.#entries.pop();
    this.#down();
    top._scheduled = false;
    return top;
  }

  #up(start: number): void {
    for (let index = start; index > 0; ) {
      const parent = (index - 1) >> 1;
      if (!this.#before(index, parent)) return;
      this.#swap(index, parent);
      index = parent;
    }
  }

  #down(): void {
    for (let index = 0; ; ) {
      let child = 2 * index + 1;
      if (child + 1 < this.#length && this.#before(child + 1, child)) child++;
      if (child >= this.#length || !this.#before(child, index)) return;
      this.#swap(child, index);
      index = child;
    }
  }

  #before(a: number, b: number): boolean {
    const x = this.#when[a] as number;
    const y = this.#when[b] as number;
    return x < y || (x === y && (this.#order[a] as number) < (this.#order[b] as number));
  }

  #swap(a: number, b: number): void {
    const [when, order, entry] = [this.#when[a] as number, this.#order[a] as number, this.#entries[a] as TimerEntry];
    this.#set(a, this.#when[b] as number, this.#order[b] as number, this.#entries[b] as TimerEntry);
    this.#set(b, when, order, entry);
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
