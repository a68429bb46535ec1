/** A queue that gives the least item first. Mirrors asyncio/queues.py `PriorityQueue`. */

import { show } from "../base/errors.ts";
import { Heap } from "../base/heap.ts";
import type { LineOptions } from "./loop-bound.ts";
import { Queue, type QueueStore } from "./queue.ts";

/** Says which item comes first: negative for `a`, positive for `b`, 0 for the one that was put first. */
export type Compare<T> = (a: T, b: T) => number;

/**
 * A queue that gives the least item first; of equal ones, the one that was put first (decision 0003).
 *
 * Without a comparison of your own, items are numbers, bigints, strings, dates, or arrays of such, which are compared like
 * Python's tuples: `[priority, item]`.
 *
 * @example
 * ```ts
 * const queue = new PriorityQueue<[number, string]>();
 * queue.putNowait([2, "later"]);
 * queue.putNowait([1, "now"]);
 * (yield* queue.get())[1]; // => "now"
 * ```
 */
export class PriorityQueue<T> extends Queue<T> {
  #compare: Compare<T>;

  /**
   * @param maxsize - As for Queue.
   * @param options - `compare`: the order of the items; `name` and `order` (of the tasks that wait) as for Queue.
   */
  constructor(maxsize = 0, options?: LineOptions & { readonly compare?: Compare<T> | undefined }) {
    if (options?.compare !== undefined && typeof options.compare !== "function") {
      throw new TypeError(`Expected \`compare\` to be a function, got ${show(options.compare)}`);
    }
    super(maxsize, options);
    this.#compare = options?.compare ?? compareItems;
  }

  override _makeStore(): QueueStore<T> {
    const heap = new Heap<T>((a, b) => this.#compare(a, b));
    return {
      get length() {
        return heap.length;
      },
      push: (item) => heap.push(item),
      shift: () => heap.pop(),
    };
  }
}

/** Compares as Python compares numbers, strings and tuples. */
function compareItems(a: unknown, b: unknown): number {
  if (Array.isArray(a) && Array.isArray(b)) {
    for (let i = 0; i < a.length && i < b.length; i++) {
      if (a[i] === b[i]) continue;
      const order = compareItems(a[i], b[i]);
      if (order !== 0) return order;
    }
    return a.length - b.length;
  }
  const numeric = isNumeric(a) && isNumeric(b);
  if (numeric || (typeof a === "string" && typeof b === "string")) {
    return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0;
  }
  throw new TypeError(
    `Cannot order ${show(a)} and ${show(b)} in a PriorityQueue: put numbers, strings or arrays [priority, item], or pass { compare }`,
  );
}

function isNumeric(value: unknown): boolean {
  return (typeof value === "number" && !Number.isNaN(value)) || typeof value === "bigint" || value instanceof Date;
}
