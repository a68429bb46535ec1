/** The laws of Lock. */

import { currentTask, Lock, sleep, TimeoutError, waitFor } from "tsyncio";
import { holds, law, type Script, type Stage, same } from "./scenario.ts";

/** Who is where around a lock. */
class Door {
  readonly lock = new Lock();
  /** Places in line, in the order of arrival and of entering. */
  readonly arrived: string[] = [];
  readonly entered: string[] = [];
  readonly waiting = new Set<string>();
  inside = 0;

  constructor(stage: Stage) {
    stage.always(() => {
      holds(this.inside <= 1, "one at most is inside");
      holds(this.inside === 0 || this.lock.locked(), "the lock is held while somebody is inside");
      holds(this.lock.locked() === (this.lock.owner !== null), "it has an owner if and only if it is held");
    });
    stage.atEnd(() => {
      // No order of the ready tasks changes this: a release wakes the first in line only, and newcomers stand behind it.
      const expected = this.arrived.filter((each) => this.entered.includes(each));
      same(this.entered, expected, "those that enter");
      holds(!this.lock.locked(), "the lock is free at the end");
      holds(!String(this.lock).includes("waiters"), `nobody stands in line at the end: ${this.lock}`);
    });
  }

  /** Nobody waits for what is free. */
  readonly check = (): void => {
    holds(this.lock.locked() || this.waiting.size === 0, `nobody waits for a free lock, but ${[...this.waiting]}`);
  };

  *pass(place: string, acquire: () => Script<unknown>, stay: number): Script {
    this.arrived.push(place);
    this.waiting.add(place);
    try {
      yield* acquire();
    } finally {
      this.waiting.delete(place);
    }
    this.entered.push(place);
    this.inside++;
    try {
      holds(this.lock.owner === currentTask(), "whoever is inside is the owner");
      yield sleep(stay);
    } finally {
      this.inside--;
    }
  }
}

law("Lock.acquire(), lets one in at a time, in order of arrival", function* (stage) {
  const door = new Door(stage);
  for (const [index, name] of ["A", "B", "C", "D"].entries()) {
    stage.actor(name, function* () {
      yield sleep(index >> 1);
      let mine = false;
      function* acquire(): Script {
        yield door.lock.acquire();
        mine = true;
      }
      try {
        yield* door.pass(name, acquire, 1);
      } finally {
        if (mine) door.lock.release();
      }
    });
  }
  yield* stage.watch(door.check);
});

law("Lock.release(), passes nobody over, when its holder comes again at once", function* (stage) {
  const door = new Door(stage);
  for (const name of ["A", "B", "C"]) {
    stage.actor(name, function* () {
      for (const round of [1, 2]) {
        let guard: { release(): void } | undefined;
        function* acquire(): Script {
          guard = yield door.lock.acquire();
        }
        try {
          yield* door.pass(`${name}${round}`, acquire, 0);
        } finally {
          guard?.release();
          guard?.release();
        }
      }
    });
  }
  yield* stage.watch(door.check);
});

law("Lock.with(), holds it for its body and no longer, when bodies wait and leave in any way", function* (stage) {
  const door = new Door(stage);
  for (const name of ["A", "B", "C"]) {
    stage.actor(name, function* () {
      door.arrived.push(name);
      const body = stage.body(function* (): Script {
        door.entered.push(name);
        door.inside++;
        try {
          yield sleep(name === "A" ? 1 : 0);
          if (name === "B") throw new RangeError("thrown inside");
        } finally {
          door.inside--;
        }
      });
      try {
        yield door.lock.with(body);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    });
  }
});

law(
  "Lock.acquire() under waitFor(), takes the lock if and only if it returns, when the time is over as it is released",
  function* (stage) {
    const door = new Door(stage);
    let late = 0;
    for (const name of ["A", "B", "C"]) {
      stage.actor(name, function* () {
        let mine = false;
        function* acquire(): Script {
          yield waitFor(door.lock.acquire(), 2);
          mine = true;
        }
        try {
          yield* door.pass(name, acquire, 2);
        } catch (error) {
          if (!(error instanceof TimeoutError)) throw error;
          late++;
        } finally {
          if (mine) door.lock.release();
        }
      });
    }
    stage.atEnd(() => {
      if (stage.undisturbed()) holds(door.entered.length + late === 3, "each enters or is late");
    });
    yield* stage.watch(door.check);
  },
);
