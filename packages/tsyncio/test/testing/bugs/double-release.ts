/**
 * Double release: a seat of a licence is given back by who has used it, or by its expiry, whichever comes first. If the expiry has
 * just run, cancelling it does nothing, the seat is given back twice, and one more than there are is in use from then on.
 *
 * Not seen first come, first served: work that takes exactly as long as the seat is valid ends before the seat expires, since it was
 * started before.
 *
 * Mended: giving back asks whether that has been done.
 */

import assert from "node:assert/strict";
import { type Coroutine, createTask, gather, Semaphore, sleep, type Task } from "tsyncio";
import type { TestBody } from "tsyncio/testing";
import type { Bug } from "./bug.ts";

interface Seat {
  readonly user: string;
  expiry?: Task<void>;
}

class Licence {
  readonly inUse: Set<Seat> = new Set();
  protected readonly seats = new Semaphore(1, { name: "seats" });

  *use(user: string, work: () => Coroutine<void>): Coroutine<void> {
    yield* this.seats.acquire();
    const seat: Seat = { user };
    this.inUse.add(seat);
    seat.expiry = createTask(this.#expire(seat), { name: `expiry of ${user}` });
    try {
      yield* work();
    } finally {
      this.giveBack(seat);
      yield* seat.expiry.cancelAndWait();
    }
  }

  *#expire(seat: Seat): Coroutine<void> {
    yield* sleep("10ms");
    this.giveBack(seat);
  }

  giveBack(seat: Seat): void {
    this.inUse.delete(seat);
    this.seats.release();
  }
}

class CarefulLicence extends Licence {
  override giveBack(seat: Seat): void {
    if (this.inUse.delete(seat)) this.seats.release();
  }
}

const threeUsers = (make: () => Licence): TestBody =>
  function* (t) {
    const licence = make();
    t.invariant(() => {
      const users = [...licence.inUse].map((seat) => seat.user).join(", ");
      assert.ok(licence.inUse.size <= 1, `one seat, and it is used by ${users}`);
    });
    const user = (name: string, duration: number) =>
      createTask(
        licence.use(name, function* () {
          yield* sleep(duration);
        }),
        { name },
      );
    yield* gather(user("Ann", 10), user("Bob", 3), user("Cy", 3));
  };

export const doubleRelease: Bug = {
  name: "double release",
  runs: 40,
  decisions: 1,
  fails: ["AssertionError", "ERR_ASSERTION"],
  buggy: threeUsers(() => new Licence()),
  mended: threeUsers(() => new CarefulLicence()),
};
