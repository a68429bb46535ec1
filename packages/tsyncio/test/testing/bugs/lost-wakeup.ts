/**
 * Lost wakeup: a consumer stores what has arrived, and then clears the event that says that something has. A letter that comes while
 * it stores sets an event that is set; clearing it forgets that letter, and the consumer waits for ever.
 *
 * Not seen first come, first served: the second letter comes in the same millisecond in which the first has been stored, and after.
 *
 * Mended: the event is cleared before the letters are taken.
 */

import { type Coroutine, createTask, Event, gather, sleep } from "tsyncio";
import type { TestBody } from "tsyncio/testing";
import type { Bug } from "./bug.ts";

class Mailbox {
  readonly arrived: Event = new Event({ name: "a letter has arrived" });
  #letters: string[] = [];

  post(letter: string): void {
    this.#letters.push(letter);
    this.arrived.set();
  }

  takeAll(): string[] {
    const letters = this.#letters;
    this.#letters = [];
    return letters;
  }
}

class Archive {
  readonly letters: string[] = [];

  *store(letters: string[]): Coroutine<void> {
    yield* sleep("2ms");
    this.letters.push(...letters);
  }
}

type Consume = (box: Mailbox, archive: Archive) => Coroutine<void>;

function* clearLate(box: Mailbox, archive: Archive): Coroutine<void> {
  yield* box.arrived.wait();
  yield* archive.store(box.takeAll());
  box.arrived.clear();
}

function* clearFirst(box: Mailbox, archive: Archive): Coroutine<void> {
  yield* box.arrived.wait();
  box.arrived.clear();
  yield* archive.store(box.takeAll());
}

const postTwo = (consume: Consume): TestBody =>
  function* () {
    const box = new Mailbox();
    const archive = new Archive();
    const archivist = createTask(
      function* () {
        while (archive.letters.length < 2) yield* consume(box, archive);
      },
      { name: "archivist" },
    );
    function* ann(): Coroutine<void> {
      box.post("from Ann");
    }
    function* bob(): Coroutine<void> {
      yield* sleep("1ms"); // looks up the address
      yield* sleep("1ms"); // and the postage
      box.post("from Bob");
    }
    yield* gather(createTask(ann(), { name: "Ann" }), createTask(bob(), { name: "Bob" }), archivist);
  };

export const lostWakeup: Bug = {
  name: "lost wakeup",
  runs: 10,
  decisions: 1,
  fails: ["DeadlockError", "DEADLOCK"],
  buggy: postTwo(clearLate),
  mended: postTwo(clearFirst),
};
