/**
 * Semaphore leaked on cancel: between taking a permit and the `try` whose `finally` gives it back, there is a wait. Who is cancelled in
 * that wait takes the permit along.
 *
 * Not seen first come, first served: nobody is cancelled. `explore` cancels with the option `cancel`, `cancelEverywhere` always.
 *
 * Mended: the `try` begins right behind `acquire()`.
 */

import { BoundedSemaphore, type Coroutine, createTask, gather, sleep } from "tsyncio";
import type { TestBody } from "tsyncio/testing";
import type { Bug } from "./bug.ts";

abstract class Pool {
  protected readonly permits = new BoundedSemaphore(2, { name: "pool" });

  abstract query(sql: string): Coroutine<string>;

  protected *greet(): Coroutine<void> {
    yield* sleep("1ms");
  }

  protected *ask(sql: string): Coroutine<string> {
    yield* sleep("3ms");
    return `rows of ${sql}`;
  }
}

class LeakyPool extends Pool {
  override *query(sql: string): Coroutine<string> {
    yield* this.permits.acquire();
    yield* this.greet();
    try {
      return yield* this.ask(sql);
    } finally {
      this.permits.release();
    }
  }
}

class TightPool extends Pool {
  override *query(sql: string): Coroutine<string> {
    yield* this.permits.acquire();
    try {
      yield* this.greet();
      return yield* this.ask(sql);
    } finally {
      this.permits.release();
    }
  }
}

const threeQueries = (make: () => Pool): TestBody =>
  function* () {
    const pool = make();
    yield* gather([1, 2, 3].map((n) => createTask(pool.query(`SELECT ${n}`), { name: `query ${n}` })));
  };

export const semaphoreLeak: Bug = {
  name: "semaphore leaked on cancel",
  runs: 30,
  decisions: 1,
  fails: ["ProblemError", "HELD_LOCK"],
  cancel: true,
  buggy: threeQueries(() => new LeakyPool()),
  mended: threeQueries(() => new TightPool()),
};
