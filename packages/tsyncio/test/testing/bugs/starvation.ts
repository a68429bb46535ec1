/**
 * Starvation: a backup wants a database file for itself. It tries the primary some times and then the replica, giving way to readers
 * that are in, and fails when it was in vain. One slow reader cannot hurt it; a slow one on each file at the wrong time can.
 *
 * Not seen first come, first served: everybody gets a turn, so the reader is gone before the third try.
 *
 * It takes three things in order: the first reader goes in and is overtaken, the second one goes in and is overtaken, and the backup
 * uses up its tries. That is what `pct:3` is made for: priorities that change at two points. Measured with the seeds 1 to 10, in runs
 * until it is found: `pct:3` 2 to 137, 56 on average; a random walk, which has to pick the backup most of the time for twelve tries,
 * 22 to 15,020, 4,264 on average; the portfolio, of which `pct:3` is a part, 6 to 1,141.
 *
 * Mended: the backup waits in line for the file, and is told when the readers are gone.
 */

import assert from "node:assert/strict";
import { Condition, type Coroutine, createTask, gather, sleep } from "tsyncio";
import type { TestBody } from "tsyncio/testing";
import type { Bug } from "./bug.ts";

const TRIES = 6;

class DatabaseFile {
  readonly #changed = new Condition();
  #readers = 0;

  get isFree(): boolean {
    return this.#readers === 0;
  }

  *read(): Coroutine<void> {
    this.#readers++;
    try {
      yield* sleep(0); // the first page
      yield* sleep(0); // the second
    } finally {
      const file = this;
      yield* this.#changed.with(function* () {
        file.#readers--;
        file.#changed.notifyAll();
      });
    }
  }

  *untilFree(): Coroutine<void> {
    const file = this;
    yield* this.#changed.with(function* () {
      yield* file.#changed.waitFor(() => file.isFree);
    });
  }
}

type Backup = (primary: DatabaseFile, replica: DatabaseFile) => Coroutine<DatabaseFile>;

function* backUpByTrying(primary: DatabaseFile, replica: DatabaseFile): Coroutine<DatabaseFile> {
  for (const file of [primary, replica]) {
    for (let tried = 0; tried < TRIES; tried++) {
      if (file.isFree) return file;
      yield* sleep(0);
    }
  }
  return assert.fail("no backup was made, as there were always readers");
}

function* backUpInLine(primary: DatabaseFile): Coroutine<DatabaseFile> {
  yield* primary.untilFree();
  return primary;
}

const backUpWhileReading = (backUp: Backup): TestBody =>
  function* () {
    const primary = new DatabaseFile();
    const replica = new DatabaseFile();
    yield* gather(
      createTask(primary.read(), { name: "reader of the primary" }),
      createTask(replica.read(), { name: "reader of the replica" }),
      createTask(backUp(primary, replica), { name: "backup" }),
    );
  };

export const starvation: Bug = {
  name: "starvation",
  runs: 1500,
  decisions: 14,
  fails: ["AssertionError", "ERR_ASSERTION"],
  buggy: backUpWhileReading(backUpByTrying),
  mended: backUpWhileReading(backUpInLine),
};
