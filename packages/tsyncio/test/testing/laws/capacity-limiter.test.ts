/** The laws of CapacityLimiter and CombinedLimiter. */

import {
  CapacityLimiter,
  CombinedLimiter,
  type Permit,
  RateLimiter,
  RefusedError,
  sleep,
  TimeoutError,
  waitFor,
} from "tsyncio";
import { holds, law, type Script, type Stage, same } from "./scenario.ts";

/** Who is where around a limiter. */
class Hall {
  readonly limiter: CapacityLimiter;
  readonly arrived: string[] = [];
  readonly entered: string[] = [];
  inside = 0;
  /** What the total has been at most since the last time that as much was inside. */
  highest: number;
  readonly #stage: Stage;

  constructor(stage: Stage, limiter: CapacityLimiter) {
    this.#stage = stage;
    this.limiter = limiter;
    this.highest = limiter.total;
    stage.always(() => {
      const { borrowed } = limiter;
      if (borrowed <= limiter.total) this.highest = limiter.total;
      holds(this.inside <= borrowed, `${this.inside} are inside, and of ${limiter} no fewer are out`);
      holds(borrowed <= this.highest, `no more is out than there was: ${limiter}`);
      const known = limiter.borrowers().reduce((sum, each) => sum + each.weight, 0);
      holds(known === borrowed, `it knows the borrowers of all: ${known} of ${limiter}`);
    });
    stage.atEnd(() => {
      holds(limiter.borrowed === 0 && this.inside === 0, `all permits have come back: ${limiter}`);
      holds(limiter.waiting === 0, `nobody stands in line at the end: ${limiter}`);
      holds(limiter.borrowers().length === 0, "nobody is taken for a borrower");
      // Who was granted its permits in one go with others may run before them.
      if (!stage.inOrder) return;
      const expected = this.arrived.filter((each) => this.entered.includes(each));
      same(this.entered, expected, "those that enter");
    });
  }

  /** When all wait, nobody waits whose weight is free, and no permit is on its way, unless a cancellation came just then. */
  readonly check = (): void => {
    const first = this.limiter.waiters()[0];
    holds(first === undefined || first.weight > this.limiter.available, `the first in line does not fit: ${this.limiter}`);
    const settled = this.inside === this.limiter.borrowed || !this.#stage.undisturbed();
    holds(settled, `what is out is inside: ${this.inside}, ${this.limiter}`);
  };

  *pass(name: string, weight: number, stay: number, acquire = (): Script<Permit> => this.#acquire(weight)): Script {
    let permit: Permit | undefined;
    this.arrived.push(name);
    try {
      permit = yield* acquire();
      this.entered.push(name);
      this.inside += weight;
      try {
        yield sleep(stay);
      } finally {
        this.inside -= weight;
      }
    } finally {
      permit?.release();
      permit?.release();
    }
  }

  *#acquire(weight: number): Script<Permit> {
    return yield this.limiter.acquire(weight);
  }

  actors(weights: readonly number[], stay: (index: number) => number = (index) => index % 2): void {
    for (const [index, weight] of weights.entries()) {
      const name = "ABCDEFG"[index] as string;
      this.#stage.actor(name, () => this.#visit(name, index >> 1, weight, stay(index)));
    }
  }

  *#visit(name: string, after: number, weight: number, stay: number): Script {
    yield sleep(after);
    yield* this.pass(name, weight, stay);
  }
}

law("CapacityLimiter.acquire(), keeps within its total, and loses no permit, whatever the weights", function* (stage) {
  const hall = new Hall(stage, new CapacityLimiter(3));
  hall.actors([2, 2, 3, 1, 1]);
  yield* stage.watch(hall.check);
});

law("CapacityLimiter.total, loses nobody who waits, and nothing that is out, when it changes at any time", function* (stage) {
  const hall = new Hall(stage, new CapacityLimiter(3));
  hall.actors([2, 1, 2, 1], () => 2);
  for (const total of [2, 4, 2, 3]) {
    yield* stage.settle();
    hall.check();
    hall.limiter.total = total;
    hall.highest = Math.max(hall.highest, total);
    yield sleep(1);
  }
  yield* stage.watch(hall.check);
});

law("CapacityLimiter.with(), gives back what it took, when bodies wait and leave in any way", function* (stage) {
  const hall = new Hall(stage, new CapacityLimiter(3));
  for (const [index, name] of ["A", "B", "C", "D"].entries()) {
    const weight = 1 + (index % 3);
    stage.actor(name, function* () {
      const body = stage.body(function* (): Script {
        hall.inside += weight;
        try {
          yield sleep(name === "A" ? 1 : 0);
          if (name === "B") throw new RangeError("thrown inside");
        } finally {
          hall.inside -= weight;
        }
      });
      try {
        yield hall.limiter.with(body, { weight });
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    });
  }
});

law("CapacityLimiter.acquire() under waitFor(), takes permits if and only if it returns", function* (stage) {
  const hall = new Hall(stage, new CapacityLimiter(2));
  let late = 0;
  for (const [index, name] of ["A", "B", "C"].entries()) {
    const weight = index === 1 ? 2 : 1;
    stage.actor(name, function* () {
      try {
        yield* hall.pass(name, weight, 2, function* () {
          return yield waitFor(hall.limiter.acquire(weight), 2);
        });
      } catch (error) {
        if (!(error instanceof TimeoutError)) throw error;
        late++;
      }
    });
  }
  stage.atEnd(() => {
    if (stage.undisturbed()) holds(hall.entered.length + late === 3, "each enters or is late");
  });
  yield* stage.watch(hall.check);
});

for (const whenFull of ["reject", "drop-oldest", "block"] as const) {
  law(`CapacityLimiter with ${whenFull}, serves or refuses each, and loses nothing`, function* (stage) {
    const hall = new Hall(stage, new CapacityLimiter(2, { maxWaiting: 1, whenFull, penalty: 2 }));
    let refused = 0;
    for (const [index, name] of ["A", "B", "C", "D"].entries()) {
      stage.actor(name, function* () {
        try {
          yield* hall.pass(name, 1 + (index % 2), 1);
        } catch (error) {
          if (!(error instanceof RefusedError)) throw error;
          refused++;
        }
      });
    }
    stage.always(() => holds(hall.limiter.waiting <= 1, `no more wait than may: ${hall.limiter}`));
    stage.atEnd(() => {
      if (stage.undisturbed()) holds(hall.entered.length + refused === 4, "each enters or is refused");
    });
    yield* stage.watch(hall.check);
  });
}

law("CapacityLimiter.pause(), .clearWaiting() and .whenIdle(), leave nobody behind", function* (stage) {
  const hall = new Hall(stage, new CapacityLimiter(2));
  let cleared = 0;
  for (const name of ["A", "B", "C", "D"]) {
    stage.actor(name, function* () {
      try {
        yield* hall.pass(name, 1, 2);
      } catch (error) {
        if (!(error instanceof RefusedError)) throw error;
        cleared++;
      }
    });
  }
  yield sleep(0);
  hall.limiter.pause();
  yield sleep(1);
  try {
    hall.limiter.clearWaiting();
  } finally {
    hall.limiter.resume();
  }
  stage.actor("E", () => hall.pass("E", 2, 1));
  yield hall.limiter.whenIdle();
  holds(hall.inside === 0 && hall.limiter.waiting === 0, "it is idle when it says so");
  stage.atEnd(() => {
    if (stage.undisturbed()) holds(hall.entered.length + cleared === 5, "each enters or is cleared");
  });
});

const kinds = {
  "limits of its own": () => new CombinedLimiter({ concurrency: 2, rate: { limit: 2, per: 3 } }),
  "shared limits": () =>
    new CombinedLimiter({ concurrency: new CapacityLimiter(2), rate: new RateLimiter({ limit: 2, per: 3 }), maxWaiting: 9 }),
};

for (const [kind, make] of Object.entries(kinds)) {
  law(`CombinedLimiter with ${kind}, keeps both limits, and spends the rate for bodies that begin only`, function* (stage) {
    const both = make();
    const capacity = both.capacity as CapacityLimiter;
    const rate = both.rate as RateLimiter;
    const begun: number[] = [];
    let inside = 0;
    let foreign = 0;
    stage.always(() => {
      holds(inside <= 2 && both.running <= 2 && capacity.borrowed <= 2, `two at a time: ${inside} and ${both}`);
      for (const start of begun) {
        const many = begun.filter((each) => each >= start && each < start + 3).length;
        holds(many <= 2, `two in 3 ms, not at ${begun}`);
      }
    });
    stage.atEnd(() => {
      holds(both.running === 0 && both.waiting === 0, `nobody is left: ${both}`);
      holds(capacity.borrowed === 0 && capacity.waiting === 0 && rate.waiting === 0, `nothing is held: ${capacity}, ${rate}`);
      const { granted } = rate.statistics();
      holds(granted === begun.length, `of the rate, ${granted} were spent for ${begun.length} that began`);
    });
    for (const name of ["A", "B", "C", "D"]) {
      stage.actor(name, function* () {
        const body = stage.body(function* (): Script {
          begun.push(stage.t.now());
          inside++;
          try {
            yield sleep(name === "A" ? 4 : 1);
          } finally {
            inside--;
          }
        });
        yield both.with(body);
      });
    }
    if (kind === "shared limits") {
      stage.actor("other", function* () {
        // With the limiters that are shared, another takes both in the other order.
        yield rate.acquire();
        begun.push(stage.t.now());
        const permit: Permit = yield capacity.acquire(2);
        foreign++;
        try {
          yield sleep(1);
        } finally {
          permit.release();
        }
      });
    }
    yield both.whenIdle();
    stage.atEnd(() => {
      if (stage.undisturbed()) holds(begun.length >= 4 && foreign <= 1, "all have begun");
    });
  });
}
