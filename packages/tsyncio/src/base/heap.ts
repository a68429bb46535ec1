interface Item<T> {
  readonly value: T;
  readonly order: number;
}

/** A binary heap with stable order: of two items that compare equal, the one pushed first comes out first. */
export class Heap<T> {
  readonly #items: Item<T>[] = [];
  readonly #compare: (a: T, b: T) => number;
  #pushed = 0;

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  get length(): number {
    return this.#items.length;
  }

  push(value: T): void {
    const items = this.#items;
    const item = { value, order: this.#pushed };
    // The place is found before anything moves: a comparison that throws leaves the heap as it was.
    let place = items.length;
    while (place > 0 && this.#before(item, items[(place - 1) >> 1] as Item<T>)) place = (place - 1) >> 1;
    for (let index = items.length; index > place; index = (index - 1) >> 1) {
      items[index] = items[(index - 1) >> 1] as Item<T>;
    }
    items[place] = item;
    this.#pushed++;
  }

  /** Takes the least item; undefined when empty. */
  pop(): T | undefined {
    const items = this.#items;
    const top = items[0];
    const item = items.pop();
    if (top === undefined || item === undefined || items.length === 0) return top?.value;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      let below = items[child];
      if (below === undefined) break;
      const right = items[child + 1];
      if (right !== undefined && this.#before(right, below)) {
        below = right;
        child++;
      }
      if (!this.#before(below, item)) break;
      items[index] = below;
      index = child;
    }
    items[index] = item;
    return top.value;
  }

  clear(): void {
    this.#items.length = 0;
  }

  /** All items, in no particular order. */
  *[Symbol.iterator](): Generator<T, void, unknown> {
    for (const item of this.#items) yield item.value;
  }

  #before(a: Item<T>, b: Item<T>): boolean {
    const order = this.#compare(a.value, b.value);
    return order === 0 ? a.order < b.order : order < 0;
  }
}
