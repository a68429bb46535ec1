/** The laws of map and forEach. */

import { forEach, isCancelled, map, Semaphore, SKIP, STOP, sleep } from "tsyncio";
import { holds, law, requests, type Script, type Stage, same, Work } from "./scenario.ts";

/** Items, and whether the source of them is left in order. */
class Feed {
  read = 0;
  opened = 0;
  over = 0;
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  *sync(): Generator<number, void, unknown> {
    this.opened++;
    try {
      while (this.read < this.#count) yield this.read++;
    } finally {
      this.over++;
    }
  }

  async *async(): AsyncGenerator<number, void, unknown> {
    this.opened++;
    try {
      while (this.read < this.#count) {
        await sleep(1);
        yield this.read++;
      }
    } finally {
      this.over++;
    }
  }

  of(kind: "sync" | "async"): Iterable<number> | AsyncIterable<number> {
    return kind === "sync" ? this.sync() : this.async();
  }

  check(): void {
    holds(this.over === this.opened, `of ${this.opened} sources that were opened, all are over, not ${this.over}`);
  }
}

/** Lets a cancellation of oneself through; that of an item ends the map, and is the only other one. */
function mine(error: unknown): boolean {
  if (!isCancelled(error)) throw error;
  return requests() > 0;
}

/** Work in hand that must be over when a map is. */
class Hands {
  readonly work: Work;
  readonly #stage: Stage;
  inside = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
    this.work = new Work(stage);
  }

  job(run: (n: number) => Script<unknown>): (n: number) => never {
    const { work } = this;
    return this.#stage.body((n: number): Script<unknown> => this.#counted(work, run, n));
  }

  *#counted(work: Work, run: (n: number) => Script<unknown>, n: number): Script<unknown> {
    this.inside++;
    try {
      yield* work.run(n % 2, n);
      return yield* run(n);
    } finally {
      this.inside--;
    }
  }
}

for (const kind of ["sync", "async"] as const) {
  law(
    `map() of a source that is ${kind}, ends when all has ended, its source closed, its permits given back`,
    function* (stage) {
      const seats = new Semaphore(2);
      stage.always(() => holds(seats.value >= 0 && seats.value <= 2, `there are two permits, ${seats.value} free`));
      stage.atEnd(() => holds(seats.value === 2, `all permits are there at the end, not ${seats.value}`));
      for (const [name, concurrency] of [
        ["by number", 2],
        ["by limiter", seats],
      ] as const) {
        stage.actor(name, function* () {
          const feed = new Feed(4);
          const hands = new Hands(stage);
          const job = hands.job(function* (n) {
            return n === 1 ? SKIP : n;
          });
          try {
            const results: number[] = yield map(feed.of(kind), job, { concurrency });
            holds(requests() === 0, "whoever was cancelled is told so, and not given results");
            same(results, [0, 2, 3], "the results");
          } catch (error) {
            if (mine(error)) throw error;
          } finally {
            holds(hands.inside === 0, `${hands.inside} still run when the map has ended`);
            feed.check();
          }
          yield sleep(0);
        });
      }
    },
  );

  law(
    `forEach() of a map() of a source that is ${kind}, takes results in order, no further ahead than it may`,
    function* (stage) {
      const feed = new Feed(9);
      const hands = new Hands(stage);
      let taken = 0;
      stage.always(() => holds(feed.read - taken <= 3 + 1, `${feed.read} were read when ${taken} had been taken`));
      stage.actor("consumer", function* () {
        const squares = map(
          feed.of(kind),
          hands.job(function* (n) {
            return n * n;
          }),
          { concurrency: 2, lookAhead: 3 },
        );
        const seen: number[] = [];
        try {
          yield forEach(
            squares,
            stage.body(function* (square: number): Script<unknown> {
              yield sleep(square === 1 ? 2 : 0);
              seen.push(square);
              taken++;
              return square === 9 ? STOP : undefined;
            }),
          );
          holds(requests() === 0, "whoever was cancelled is told so");
          same(seen, [0, 1, 4, 9], "what was seen");
        } catch (error) {
          if (mine(error)) throw error;
        } finally {
          holds(hands.inside === 0, `${hands.inside} still run when the loop is left`);
          feed.check();
        }
        yield sleep(0);
      });
    },
  );
}

law("map() unordered, cancels and awaits the rest, and closes the source, when an item fails", function* (stage) {
  stage.actor("owner", function* () {
    const feed = new Feed(9);
    const hands = new Hands(stage);
    let caught: unknown;
    try {
      yield map(
        feed.sync(),
        hands.job(function* (n) {
          if (n === 2) throw new RangeError("two");
          return n;
        }),
        { concurrency: 3, ordered: false },
      );
    } catch (error) {
      caught = error;
    }
    holds(hands.inside === 0, `${hands.inside} still run when the map has ended`);
    feed.check();
    holds(feed.read <= 8, `it was not read to its end: ${feed.read}`);
    if (!(caught instanceof RangeError)) {
      if (mine(caught)) throw caught;
      return;
    }
    // A cancellation that came as the map failed is told at the next wait.
    const due = requests() > 0;
    try {
      yield sleep(0);
      holds(!due, "a cancellation that came as the map failed is told at the next wait");
    } catch (error) {
      holds(requests() > 0, "nobody is cancelled without a request");
      throw error;
    }
  });
});
