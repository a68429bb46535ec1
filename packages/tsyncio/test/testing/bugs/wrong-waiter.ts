/**
 * The wrong one is woken: those that wait for a place and those that wait for an item wait for the same condition, and one of them is
 * notified. If that is one who can do nothing with it, the news is lost, and all wait.
 *
 * Not seen first come, first served: a baker and a customer come in turns, and nobody has to wait.
 *
 * Mended: all are notified; who cannot go on waits again.
 */

import { Condition, type Coroutine, createTask, gather } from "tsyncio";
import type { TestBody } from "tsyncio/testing";
import type { Bug } from "./bug.ts";

type Tell = (changed: Condition) => void;

class Shelf {
  readonly #changed = new Condition(undefined, { name: "shelf has changed" });
  readonly #tell: Tell;
  #items = 0;

  constructor(tell: Tell) {
    this.#tell = tell;
  }

  *put(): Coroutine<void> {
    yield* this.#change(
      () => this.#items < 1,
      () => this.#items++,
    );
  }

  *take(): Coroutine<void> {
    yield* this.#change(
      () => this.#items > 0,
      () => this.#items--,
    );
  }

  *#change(possible: () => boolean, change: () => void): Coroutine<void> {
    const changed = this.#changed;
    const tell = this.#tell;
    yield* changed.with(function* () {
      yield* changed.waitFor(possible);
      change();
      tell(changed);
    });
  }
}

const bakersAndCustomers = (tell: Tell): TestBody =>
  function* () {
    const shelf = new Shelf(tell);
    yield* gather(
      createTask(shelf.put(), { name: "baker 1" }),
      createTask(shelf.take(), { name: "customer 1" }),
      createTask(shelf.put(), { name: "baker 2" }),
      createTask(shelf.take(), { name: "customer 2" }),
    );
  };

export const wrongWaiter: Bug = {
  name: "the wrong one is woken",
  runs: 60,
  decisions: 2,
  fails: ["DeadlockError", "DEADLOCK"],
  buggy: bakersAndCustomers((changed) => changed.notify()),
  mended: bakersAndCustomers((changed) => changed.notifyAll()),
};
