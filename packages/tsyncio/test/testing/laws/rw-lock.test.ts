/** The laws of RWLock. */

import { type Guard, RWLock, sleep, TimeoutError, type WriteGuard, waitFor } from "tsyncio";
import { holds, law, type Script, type Stage, same } from "./scenario.ts";

/** Who is where around a lock. */
class Library {
  readonly lock: RWLock;
  readonly arrived: string[] = [];
  readonly waiting = new Set<string>();
  readonly entered: string[] = [];
  reading = 0;
  writing = 0;
  readonly #stage: Stage;
  /** The time from which on those that still wait give up. */
  readonly #limit: number;

  constructor(stage: Stage, prefer: "fair" | "writers" = "fair", limit = Number.POSITIVE_INFINITY) {
    this.#stage = stage;
    this.#limit = limit;
    this.lock = new RWLock({ prefer });
    stage.always(() => {
      holds(this.writing <= 1 && (this.writing === 0 || this.reading === 0), `${this.writing} write, ${this.reading} read`);
      holds(this.reading <= this.lock.readerCount, `it knows of those that read: ${this.lock}`);
      holds(this.writing === 0 || (this.lock.locked() && this.lock.readerCount === 0), `it knows of who writes: ${this.lock}`);
    });
    stage.atEnd(() => {
      holds(String(this.lock) === "<RWLock [unlocked]>", `nobody holds it and nobody waits at the end: ${this.lock}`);
      holds(this.lock.readers.length === 0 && this.lock.owner === null, "it remembers nobody at the end");
    });
  }

  /** When all wait, whoever was let in is in, and nobody waits in front of a lock that is free. */
  readonly check = (): void => {
    // One that is cancelled just now has left the line; those whom that let in have not run.
    if (this.#stage.actors.some((actor) => actor.cancelling() > 0 && !actor.done())) return;
    holds(this.reading === this.lock.readerCount, `${this.reading} read: ${this.lock}`);
    holds(this.lock.locked() === this.reading + this.writing > 0, `it is held if somebody is in: ${this.lock}`);
    holds(this.lock.waiting === this.waiting.size, `${[...this.waiting]} wait: ${this.lock}`);
    holds(this.lock.locked() || this.waiting.size === 0, `nobody waits for a free lock, but ${[...this.waiting]}`);
    const readers = [...this.waiting].filter((each) => each.startsWith("r"));
    const onlyReaders = readers.length === this.waiting.size;
    holds(this.writing > 0 || readers.length === 0 || !onlyReaders, `readers wait for readers only: ${readers}`);
  };

  /** Enters by a guard and leaves it, having been inside for a time. Readers' names begin with r. */
  *visit(name: string, duration: number, acquire?: () => Script<Guard>): Script {
    const reads = name.startsWith("r");
    this.arrived.push(name);
    this.waiting.add(name);
    let guard: Guard;
    try {
      if (acquire !== undefined) guard = yield* acquire();
      else guard = yield reads ? this.lock.read() : this.lock.write();
    } finally {
      this.waiting.delete(name);
    }
    this.entered.push(name);
    if (reads) this.reading++;
    else this.writing++;
    try {
      yield sleep(duration);
    } finally {
      if (reads) this.reading--;
      else this.writing--;
      guard.release();
      guard.release();
    }
  }

  /** Of those that enter, none has overtaken another. A reader may run before one that was let in together with it. */
  checkOrder(name: string): void {
    const earlier = this.arrived.slice(0, this.arrived.indexOf(name)).filter((each) => this.#waits(each));
    const passed = earlier.filter((each) => !name.startsWith("r") || !each.startsWith("r"));
    holds(passed.length === 0, `${name} has overtaken ${passed}`);
  }

  #waits(name: string): boolean {
    const actor = this.#stage.actors.find((each) => each.name === name);
    return this.waiting.has(name) && actor?.cancelling() === 0 && this.#stage.t.now() < this.#limit;
  }
}

law("RWLock, lets in one writer or any readers, in order of arrival", function* (stage) {
  const library = new Library(stage);
  for (const [index, name] of ["r1", "w2", "r3", "r4", "w5", "r6"].entries()) {
    stage.actor(name, function* () {
      yield sleep(index >> 1);
      yield* library.visit(name, index % 3, function* (): Script<Guard> {
        const guard: Guard = yield name.startsWith("r") ? library.lock.read() : library.lock.write();
        library.checkOrder(name);
        return guard;
      });
    });
  }
  stage.atEnd(() => {
    const writers = library.entered.filter((each) => each.startsWith("w"));
    const expected = library.arrived.filter((each) => writers.includes(each));
    if (stage.inOrder) same(writers, expected, "the writers that enter");
  });
  yield* stage.watch(library.check);
});

law('RWLock({ prefer: "writers" }), lets in one writer or any readers, and nobody is left behind', function* (stage) {
  const library = new Library(stage, "writers");
  for (const [index, name] of ["r1", "r2", "w3", "w4", "r5", "w6"].entries()) {
    stage.actor(name, function* () {
      yield sleep(index >> 1);
      yield* library.visit(name, 1 + (index % 2));
    });
  }
  yield* stage.watch(library.check);
});

law("RWLock.withRead() and withWrite(), leave the lock, when bodies wait, fail and downgrade", function* (stage) {
  const library = new Library(stage);
  const enter = (reads: boolean): void => {
    if (reads) library.reading++;
    else library.writing++;
  };
  const leave = (reads: boolean): void => {
    if (reads) library.reading--;
    else library.writing--;
  };
  for (const [index, name] of ["r1", "w2", "r3", "w4"].entries()) {
    stage.actor(name, function* () {
      let reads = name.startsWith("r");
      const body = stage.body(function* (guard: WriteGuard): Script {
        enter(reads);
        try {
          yield sleep(index % 2);
          if (name === "w4") throw new RangeError("thrown inside");
          if (reads) return;
          leave(false);
          guard.downgrade();
          reads = true;
          enter(true);
          yield library.lock.withRead(stage.body(() => library.visit("r9", 0)));
          yield sleep(1);
        } finally {
          leave(reads);
        }
      });
      try {
        yield reads ? library.lock.withRead(body as () => never) : library.lock.withWrite(body);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    });
  }
});

law("RWLock.read() and write() under waitFor(), enter if and only if they return, when the time is over", function* (stage) {
  const library = new Library(stage, "fair", 2);
  let late = 0;
  for (const name of ["r1", "w2", "r3", "w4"]) {
    stage.actor(name, function* () {
      try {
        yield* library.visit(name, 2, function* (): Script<Guard> {
          const { lock } = library;
          const guard: Guard = yield waitFor(name.startsWith("r") ? lock.read() : lock.write(), 2);
          library.checkOrder(name);
          return guard;
        });
      } catch (error) {
        if (!(error instanceof TimeoutError)) throw error;
        late++;
      }
    });
  }
  stage.atEnd(() => {
    if (stage.undisturbed()) holds(library.entered.length + late === 4, "each enters or is late");
  });
  yield* stage.watch(library.check);
});

law("RWLock.tryRead() and tryWrite(), overtake nobody who waits", function* (stage) {
  const library = new Library(stage);
  for (const name of ["w1", "r2", "w3"]) {
    stage.actor(name, function* () {
      yield* library.visit(name, 1);
    });
  }
  stage.actor("thief", function* () {
    for (let i = 0; i < 4; i++) {
      const reads = i % 2 === 0;
      const waiting = library.lock.waiting > 0;
      const guard = reads ? library.lock.tryRead() : library.lock.tryWrite();
      if (guard !== null) {
        holds(!waiting, "it enters only if nobody waits");
        if (reads) library.reading++;
        else library.writing++;
        try {
          yield sleep(0);
        } finally {
          if (reads) library.reading--;
          else library.writing--;
          guard.release();
        }
      }
      yield sleep(0);
    }
  });
  yield* stage.watch(library.check);
});
