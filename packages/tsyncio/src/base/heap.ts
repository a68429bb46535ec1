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
    const last = items.length - 1;
    const item = items[last];
    const top = items[0];
    if (item === undefined || top === undefined) return undefined;
    // The path that the last item sinks along is found before anything moves: a comparison that throws loses nothing.
    const path: number[] = [];
    for (let index = 0; ; ) {
      let child = 2 * index + 1;
      if (child >= last) break;
      if (child + 1 < last && this.#before(items[child + 1] as Item<T>, items[child] as Item<T>)) child++;
      if (!this.#before(items[child] as Item<T>, item)) break;
      path.push(child);
      index = child;
    }
    items.pop();
    let hole = 0;
    for (const child of path) {
      items[hole] = items[child] as Item<T>;
      hole = child;
    }
    if (last > 0) items[hole] = item;
    return top.value;
  }

  #before(a: Item<T>, b: Item<T>): boolean {
    const order = this.#compare(a.value, b.value);
    return order === 0 ? a.order < b.order : order < 0;
  }
}
