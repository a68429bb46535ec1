/** A queue that gives the newest item first. Mirrors asyncio/queues.py `LifoQueue`. */

import { Queue, type QueueStore } from "./queue.ts";

/**
 * A queue that gives the item first that was put last.
 *
 * @example
 * ```ts
 * const stack = new LifoQueue<number>();
 * stack.putNowait(1);
 * stack.putNowait(2);
 * yield* stack.get(); // => 2
 * ```
 */
export class LifoQueue<T> extends Queue<T> {
  override _makeStore(): QueueStore<T> {
    const stack: T[] = [];
    return {
      get length() {
        return stack.length;
      },
      push: (item) => stack.push(item),
      shift: () => stack.pop(),
    };
  }
}
