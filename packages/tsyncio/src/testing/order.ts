/** Numbered points that a test must pass in order, whichever task passes them. */

import { RuntimeError } from "../base/errors.ts";

export interface Order {
  /** Passes point `n`; throws unless the points passed before are exactly 1 to n - 1. */
  (n: number): void;
  /** Passes the last point, `n`; any point after it fails. */
  end(n: number): void;
  /** The last point that was passed; 0 at first. */
  readonly reached: number;
}

/**
 * Makes a function that must be called with 1, 2, 3 and so on, in that order, by all tasks together: it says of each line of a test
 * when it runs.
 *
 * @throws {RuntimeError} `ORDER` (from the function) when a point is passed out of order, twice, or after the end.
 *
 * **Suspends** never. **Source** ours; the idea is that of the tests of kotlinx.coroutines.
 *
 * @example
 * ```ts no-task
 * await runTest(function* () {
 *   const at = order();
 *   const task = createTask(function* () { at(2); });
 *   at(1);
 *   yield* task;
 *   at.end(3);
 *   return at.reached;
 * }); // => 3
 * ```
 */
export function order(): Order {
  let reached = 0;
  let ended = false;
  const pass = (n: number): void => {
    if (ended) throw new RuntimeError(`Point ${n} was passed after the end, which was point ${reached}`, "ORDER");
    if (n !== reached + 1) throw new RuntimeError(`Expected point ${reached + 1} to be passed next, got point ${n}`, "ORDER");
    reached = n;
  };
  return Object.defineProperty(
    Object.assign((n: number) => pass(n), {
      end(n: number): void {
        pass(n);
        ended = true;
      },
    }),
    "reached",
    { get: () => reached },
  ) as Order;
}
