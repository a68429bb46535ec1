/** A queue, first in, first out, with O(1) work: a ring that doubles when full. The ready queue and the item queues rest on it. */
export class Deque<T> {
  // INVARIANT  items are ring[head], ring[head + 1], … (modulo the size), `length` of them; the size is a power of two.
  #ring: (T | undefined)[] = new Array(16).fill(undefined);
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The item that goes next; undefined when empty. */
  get first(): T | undefined {
    return this.#ring[this.#head];
  }

  /** Adds at the end. */
  push(item: T): void {
    if (this.#length === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.#length++) & (this.#ring.length - 1)] = item;
  }

  /** Takes the first item; undefined when empty. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#ring[this.#head];
    // The slot is emptied, so that what was taken can be collected.
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.#length--;
    return item;
  }

  #grow(): void {
    const ring = this.#ring;
    const free = new Array(ring.length).fill(undefined);
    this.#ring = ring.slice(this.#head).concat(ring.slice(0, this.#head), free);
    this.#head = 0;
  }
}
