/** A queue with O(1) work at both ends, in a ring that doubles when full. The ready queue and all item queues rest on it. */
export class Deque<T> {
  // INVARIANT  items are ring[head], ring[head + 1], … (modulo the size), `length` of them; the size is a power of two.
  #ring: (T | undefined)[] = new Array(16).fill(undefined);
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
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

  /** Takes the last item; undefined when empty. */
  pop(): T | undefined {
    if (this.#length === 0) return undefined;
    const index = (this.#head + --this.#length) & (this.#ring.length - 1);
    const item = this.#ring[index];
    this.#ring[index] = undefined;
    return item;
  }

  clear(): void {
    this.#ring = new Array(16).fill(undefined);
    this.#head = 0;
    this.#length = 0;
  }

  *[Symbol.iterator](): Generator<T, void, unknown> {
    for (let i = 0; i < this.#length; i++) yield this.#ring[(this.#head + i) & (this.#ring.length - 1)] as T;
  }

  #grow(): void {
    const size = this.#ring.length;
    const ring: (T | undefined)[] = new Array(size * 2).fill(undefined);
    for (let i = 0; i < size; i++) ring[i] = this.#ring[(this.#head + i) & (size - 1)];
    this.#ring = ring;
    this.#head = 0;
  }
}
