/** Where the results of `map` and `forEach` go: into an array, to whoever iterates, or nowhere. */

import { Deque } from "../base/deque.ts";

declare const marker: unique symbol;

/** What {@link SKIP} and {@link STOP} are: values that are never results. */
export interface Marker<Kind extends string> {
  readonly [marker]: Kind;
}

/**
 * What the function of `map` returns to leave its item out of the results.
 *
 * @example
 * ```ts
 * yield* map([1, 2, 3, 4], (n) => (n % 2 === 0 ? n : SKIP)); // => [2, 4]
 * ```
 */
export const SKIP: Marker<"skip"> = makeMarker("SKIP");

/**
 * What the function of `map` or `forEach` returns to end it here, as `break` ends a loop.
 *
 * Nothing more is read. What runs for later items is cancelled and awaited; earlier items are finished, and the results are
 * theirs.
 * With `ordered: false`, all that runs is cancelled, and the results are those that were there. The item itself has no result.
 *
 * @example
 * ```ts
 * function* numbers() { for (let n = 1; ; n++) yield n; }
 * yield* map(numbers(), (n) => (n * n > 20 ? STOP : n * n), { concurrency: 3 }); // => [1, 4, 9, 16]
 * ```
 */
export const STOP: Marker<"stop"> = makeMarker("STOP");

function makeMarker<Kind extends string>(name: string): Marker<Kind> {
  return Object.freeze({ toString: () => name }) as unknown as Marker<Kind>;
}

/** What is left of a function's results when the markers are taken out. */
export type Kept<R> = Exclude<R, Marker<string>>;

/** Takes the results. */
export interface Results {
  /** How many wait to be collected: they count for the look-ahead. */
  readonly held: number;
  /** An item is started: the next in the order of the source. */
  begin(): void;
  /** Its result is there; {@link SKIP} for none. */
  put(index: number, value: unknown): void;
  /** There is to be no result from this item on. */
  cut(index: number): void;
}

/** Takes them for somebody who collects one after another. */
export interface Stream extends Results {
  /** Whether there is one to take. */
  ready(): boolean;
  take(): unknown;
  /** Forgets all. */
  clear(): void;
}

/** All of them, in the order of the source. */
export class Listed implements Results {
  readonly held = 0;
  readonly #values: unknown[] = [];

  begin(): void {
    // PERF  the array grows from its end; written to from any other, it would become a slow one.
    this.#values.push(SKIP);
  }

  put(index: number, value: unknown): void {
    this.#values[index] = value;
  }

  cut(index: number): void {
    this.#values.length = index;
  }

  list(): unknown[] {
    return this.#values.includes(SKIP) ? this.#values.filter((value) => value !== SKIP) : this.#values;
  }
}

/** All of them, as they come. */
export class Arrived implements Results {
  readonly held = 0;
  readonly #values: unknown[] = [];

  begin(): void {}

  put(_index: number, value: unknown): void {
    if (value !== SKIP) this.#values.push(value);
  }

  cut(): void {}

  list(): unknown[] {
    return this.#values;
  }
}

/** None of them. */
export class Dropped implements Results {
  readonly held = 0;
  begin(): void {}
  put(): void {}
  cut(): void {}
}

/** One by one in the order of the source: a slow one holds back those that come after it. */
export class InOrder implements Stream {
  // INVARIANT  the keys are ≥ head; a skipped one stays only while it stands behind the head, so that the look-ahead bounds it.
  readonly #values = new Map<number, unknown>();
  #head = 0;

  get held(): number {
    return this.#values.size;
  }

  begin(): void {}

  put(index: number, value: unknown): void {
    this.#values.set(index, value);
    this.#passSkipped();
  }

  cut(index: number): void {
    for (const key of [...this.#values.keys()]) if (key >= index) this.#values.delete(key);
  }

  ready(): boolean {
    return this.#values.has(this.#head);
  }

  take(): unknown {
    const value = this.#values.get(this.#head);
    this.#values.delete(this.#head++);
    this.#passSkipped();
    return value;
  }

  clear(): void {
    this.#values.clear();
  }

  #passSkipped(): void {
    while (this.#values.get(this.#head) === SKIP) this.#values.delete(this.#head++);
  }
}

/** One by one as they come. */
export class AsDone implements Stream {
  #values = new Deque<unknown>();

  get held(): number {
    return this.#values.length;
  }

  begin(): void {}

  put(_index: number, value: unknown): void {
    if (value !== SKIP) this.#values.push(value);
  }

  cut(): void {}

  ready(): boolean {
    return this.#values.length > 0;
  }

  take(): unknown {
    return this.#values.shift();
  }

  clear(): void {
    this.#values = new Deque();
  }
}
