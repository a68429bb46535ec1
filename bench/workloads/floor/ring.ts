/** First in, first out: a ring that doubles when it is full. */
export class Ring<T> {
  #items: (T | undefined)[] = new Array(16).fill(undefined);
  #head = 0;
  length = 0;

  push(item: T): void {
    if (this.length === this.#items.length) this.#grow();
    this.#items[(this.#head + this.length++) & (this.#items.length - 1)] = item;
  }

  /** There must be one. */
  shift(): T {
    const items = this.#items;
    const head = this.#head;
    const item = items[head] as T;
    items[head] = undefined;
    this.#head = (head + 1) & (items.length - 1);
    this.length--;
    return item;
  }

  /** Takes an item out of the middle, by search; tells whether it was there. */
  remove(item: T): boolean {
    const items = this.#items;
    const at = (i: number) => (this.#head + i) & (items.length - 1);
    for (let i = 0; i < this.length; i++) {
      if (items[at(i)] !== item) continue;
      this.length--;
      for (; i < this.length; i++) items[at(i)] = items[at(i + 1)];
      items[at(i)] = undefined;
      return true;
    }
    return false;
  }

  #grow(): void {
    const items = this.#items;
    const mask = items.length - 1;
    this.#items = new Array(2 * items.length).fill(undefined);
    for (let i = 0; i < items.length; i++) this.#items[i] = items[(this.#head + i) & mask];
    this.#head = 0;
  }
}
