import { Line } from "./line.ts";

/** A queue of limited size, as one writes it by hand: a ring of items, and at each end a line of those who wait. */
export class BoundedQueue<T> {
  readonly #ring: T[];
  readonly #size: number;
  #head = 0;
  #length = 0;
  readonly #getters = new Line<(item: T) => void>();
  readonly #putters = new Line<{ readonly item: T; readonly resolve: () => void }>();

  constructor(size: number) {
    this.#ring = new Array(size);
    this.#size = size;
  }

  /** To be awaited; no promise where there is room. */
  put(item: T): Promise<void> | undefined {
    const getter = this.#getters.shift();
    if (getter !== undefined) getter(item);
    else if (this.#length < this.#size) this.#push(item);
    else return new Promise((resolve) => this.#putters.push({ item, resolve }));
    return undefined;
  }

  /** To be awaited; no promise where there is an item. */
  get(): Promise<T> | T {
    if (this.#length === 0) return new Promise((resolve) => this.#getters.push(resolve));
    const item = this.#ring[this.#head] as T;
    this.#head = (this.#head + 1) % this.#size;
    this.#length--;
    const putter = this.#putters.shift();
    if (putter !== undefined) {
      this.#push(putter.item);
      putter.resolve();
    }
    return item;
  }

  #push(item: T): void {
    this.#ring[(this.#head + this.#length++) % this.#size] = item;
  }
}
