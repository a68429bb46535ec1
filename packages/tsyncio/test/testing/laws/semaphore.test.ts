/** The laws of Semaphore and BoundedSemaphore. */

import { BoundedSemaphore, Semaphore, sleep, TimeoutError, waitFor } from "tsyncio";
import { holds, law, type Script, type Stage, same } from "./scenario.ts";

function refuses(semaphore: BoundedSemaphore): boolean {
  try {
    semaphore.release();
    return false;
  } catch (error) {
    return error instanceof RangeError;
  }
}

/** Who is where around a semaphore. */
class Room {
  readonly semaphore: Semaphore;
  readonly arrived: string[] = [];
  readonly waiting = new Set<string>();
  readonly granted: string[] = [];
  inside = 0;
  permits: number;
  readonly #stage: Stage;
  /** The time from which on those that still wait give up. */
  readonly #limit: number;

  constructor(stage: Stage, semaphore: Semaphore, limit = Number.POSITIVE_INFINITY) {
    this.#stage = stage;
    this.#limit = limit;
    this.semaphore = semaphore;
    this.permits = semaphore.value;
    stage.always(() => {
      holds(
        this.inside + semaphore.value <= this.permits,
        `of ${this.permits} permits, ${this.inside} are used and ${semaphore} has the rest`,
      );
      holds(semaphore.locked() || semaphore.value > 0, "it says that it is locked if no permit is free");
    });
    stage.atEnd(() => {
      holds(this.inside + semaphore.value === this.permits, `all ${this.permits} permits are there: ${semaphore}`);
      holds(!String(semaphore).includes("waiters"), `nobody stands in line at the end: ${semaphore}`);
      if (stage.inOrder) {
        const expected = this.arrived.filter((each) => this.granted.includes(each));
        same(this.granted, expected, "those that enter");
      }
      if (semaphore instanceof BoundedSemaphore) holds(refuses(semaphore), "it refuses a permit too many");
    });
  }

  release(): void {
    this.inside--;
    this.semaphore.release();
  }

  add(): void {
    this.permits++;
    this.semaphore.release();
  }

  /** When all wait, no permit is on its way: each is used or free, and none is free while somebody waits. */
  readonly check = (): void => {
    holds(
      this.inside + this.semaphore.value === this.permits,
      `permits are used or free: ${this.inside} and ${this.semaphore}`,
    );
    holds(this.semaphore.value === 0 || this.waiting.size === 0, `nobody waits for a free permit, but ${[...this.waiting]}`);
    holds(this.semaphore.locked() === (this.semaphore.value === 0), "it is locked if and only if no permit is free");
  };

  *enter(place: string, acquire: () => Script<unknown>): Script {
    this.arrived.push(place);
    this.waiting.add(place);
    try {
      yield* acquire();
    } finally {
      this.waiting.delete(place);
    }
    // Of several that have been granted a permit, any may run first. Whoever came earlier and is not here yet must be one of them.
    const earlier = this.arrived.slice(0, this.arrived.indexOf(place)).filter((each) => this.#waits(each));
    this.inside++;
    this.granted.push(place);
    const due = this.permits - this.inside - this.semaphore.value;
    holds(earlier.length <= due, `${place} has overtaken ${earlier}, of whom ${due} had been granted a permit`);
  }

  /** Whether it has come to stay: whoever is told to leave may be overtaken before it runs. */
  #waits(place: string): boolean {
    const actor = this.#stage.actors.find((each) => each.name === place);
    return this.waiting.has(place) && actor?.cancelling() === 0 && this.#stage.t.now() < this.#limit;
  }
}

const makers = {
  Semaphore: (value: number) => new Semaphore(value),
  BoundedSemaphore: (value: number) => new BoundedSemaphore(value),
};

for (const [name, make] of Object.entries(makers)) {
  law(`${name}.acquire(), lets as many in as there are permits, nobody overtaken`, function* (stage) {
    const room = new Room(stage, make(2));
    for (const [index, actor] of ["A", "B", "C", "D", "E"].entries()) {
      stage.actor(actor, function* () {
        yield sleep(index >> 1);
        let mine = false;
        function* acquire(): Script {
          yield room.semaphore.acquire();
          mine = true;
        }
        try {
          yield* room.enter(actor, acquire);
          yield sleep(index % 2);
        } finally {
          if (mine) room.release();
        }
      });
    }
    yield* stage.watch(room.check);
  });
}

law("Semaphore.with(), gives the permit back, when bodies wait and leave in any way", function* (stage) {
  const room = new Room(stage, new Semaphore(2));
  for (const name of ["A", "B", "C", "D"]) {
    stage.actor(name, function* () {
      const body = stage.body(function* (): Script {
        room.inside++;
        try {
          yield sleep(name === "A" ? 1 : 0);
          if (name === "B") throw new RangeError("thrown inside");
        } finally {
          room.inside--;
        }
      });
      try {
        yield room.semaphore.with(body);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    });
  }
});

law("Semaphore.release(), loses no permit, when several are released at once and newcomers are there", function* (stage) {
  const room = new Room(stage, new Semaphore(0));
  for (const [index, name] of ["A", "B", "C", "D", "E"].entries()) {
    stage.actor(name, function* () {
      yield sleep(index < 3 ? 0 : 1);
      yield* room.enter(name, function* () {
        yield room.semaphore.acquire();
      });
    });
  }
  yield sleep(1);
  // More than wait: those who come before the woken ones have run find a free permit, and stand in line all the same.
  for (const burst of [4, 1]) {
    for (let i = 0; i < burst; i++) room.add();
    yield* stage.settle();
    room.check();
    yield sleep(0);
  }
});

law(
  "Semaphore.acquire() under waitFor(), takes a permit if and only if it returns, when the time is over as one is released",
  function* (stage) {
    const room = new Room(stage, new BoundedSemaphore(1), 2);
    let late = 0;
    for (const name of ["A", "B", "C"]) {
      stage.actor(name, function* () {
        let mine = false;
        function* acquire(): Script {
          yield waitFor(room.semaphore.acquire(), 2);
          mine = true;
        }
        try {
          yield* room.enter(name, acquire);
          yield sleep(2);
        } catch (error) {
          if (!(error instanceof TimeoutError)) throw error;
          late++;
        } finally {
          if (mine) room.release();
        }
      });
    }
    stage.atEnd(() => {
      if (stage.undisturbed()) holds(room.granted.length + late === 3, "each enters or is late");
    });
    yield* stage.watch(room.check);
  },
);
