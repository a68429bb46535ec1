/** The laws of RateLimiter. */

import { RateLimiter, type RateLimiterOptions, RefusedError, sleep, TimeoutError, waitFor } from "tsyncio";
import { holds, law, type Script, type Stage, same } from "./scenario.ts";

/** What is granted when. */
class Tap {
  readonly limiter: RateLimiter;
  readonly grants: { readonly at: number; readonly cost: number }[] = [];
  readonly arrived: string[] = [];
  readonly served: string[] = [];
  readonly #stage: Stage;

  constructor(stage: Stage, options: RateLimiterOptions) {
    this.#stage = stage;
    this.limiter = new RateLimiter(options);
    const { limit, per, burst } = options;
    const period = per as number;
    stage.always(() => {
      for (const first of this.grants) {
        for (const last of this.grants) {
          if (last.at < first.at) continue;
          let sum = 0;
          for (const { at, cost } of this.grants) if (at >= first.at && at <= last.at) sum += cost;
          const time = last.at - first.at;
          if (burst === undefined) holds(time >= period || sum <= limit, `${limit} in ${period} ms, not ${sum} in ${time}`);
          else holds(sum <= burst + (limit * time) / period, `${burst} and ${limit} in ${period} ms, not ${sum} in ${time}`);
        }
      }
    });
    stage.atEnd(() => {
      holds(this.limiter.waiting === 0, `nobody stands in line at the end: ${this.limiter}`);
      // What was granted was taken by somebody who went on with it: nothing is lost by those that were cancelled.
      const { granted } = this.limiter.statistics();
      holds(granted === this.grants.length, `${granted} were granted, and ${this.grants.length} went on`);
      if (!stage.inOrder) return;
      const expected = this.arrived.filter((each) => this.served.includes(each));
      same(this.served, expected, "those that are served");
    });
  }

  /** When all wait, nobody waits for what is allowed. */
  readonly check = (): void => {
    const first = this.limiter.waiters()[0];
    holds(
      first === undefined || this.limiter.readyIn(first.weight) > 0,
      `the first in line is not allowed yet: ${this.limiter}`,
    );
  };

  *take(name: string, cost: number, acquire = (): Script => this.#acquire(cost)): Script {
    this.arrived.push(name);
    yield* acquire();
    this.served.push(name);
    this.grants.push({ at: this.#stage.t.now(), cost });
  }

  *#acquire(cost: number): Script {
    yield this.limiter.acquire(cost);
  }

  actors(costs: readonly number[]): void {
    for (const [index, cost] of costs.entries()) {
      const name = "ABCDEFGH"[index] as string;
      this.#stage.actor(name, () => this.#visit(name, index, cost));
    }
  }

  *#visit(name: string, index: number, cost: number): Script {
    yield sleep(index >> 1);
    yield* this.take(name, cost);
    if (index % 2 === 0) yield* this.take(`${name}2`, 1);
  }
}

const rates: Record<string, RateLimiterOptions> = {
  "a sliding window": { limit: 3, per: 5 },
  "a token bucket": { limit: 2, per: 4, burst: 3 },
  "an even flow": { limit: 1, per: 2, burst: 1 },
  "two rates": { limit: 2, per: 3, also: [{ limit: 3, per: 7 }] },
};

for (const [name, options] of Object.entries(rates)) {
  law(`RateLimiter with ${name}, is never exceeded, serves in order, and spends nothing for nobody`, function* (stage) {
    const tap = new Tap(stage, options);
    tap.actors(options.burst === 1 ? [1, 1, 1] : [2, 1, 2]);
    yield* stage.watch(tap.check);
    stage.atEnd(() => {
      if (stage.undisturbed()) holds(tap.served.length === tap.arrived.length, "all are served");
    });
  });
}

law(
  "RateLimiter.acquire() under waitFor(), spends if and only if it returns, when time is over as it is granted",
  function* (stage) {
    const tap = new Tap(stage, { limit: 1, per: 2 });
    let late = 0;
    for (const name of ["A", "B", "C"]) {
      stage.actor(name, function* () {
        try {
          yield* tap.take(name, 1, function* () {
            yield waitFor(tap.limiter.acquire(), 2);
          });
        } catch (error) {
          if (!(error instanceof TimeoutError)) throw error;
          late++;
        }
      });
    }
    stage.atEnd(() => {
      if (stage.undisturbed()) holds(tap.served.length + late === 3, "each is served or late");
    });
    yield* stage.watch(tap.check);
  },
);

law("RateLimiter.pause(), .retryAfter() and .setRate(), lose nobody who waits", function* (stage) {
  const tap = new Tap(stage, { limit: 2, per: 3 });
  let refused = 0;
  for (const [index, name] of ["A", "B", "C", "D"].entries()) {
    stage.actor(name, function* () {
      try {
        yield* tap.take(name, 1 + (index % 2));
      } catch (error) {
        if (!(error instanceof RefusedError)) throw error;
        refused++;
      }
    });
  }
  yield* stage.settle();
  tap.limiter.pause();
  try {
    yield sleep(4);
    holds(tap.served.length <= 2, "nobody is served in a pause");
    tap.limiter.retryAfter(2);
  } finally {
    tap.limiter.resume();
  }
  tap.limiter.pause(1);
  const before = stage.t.now();
  yield* stage.settle();
  holds(
    tap.grants.every(({ at }) => at < before || at >= before + 2),
    "nobody is served before the server allows",
  );
  yield sleep(2);
  tap.limiter.setRate({ limit: 1, per: 3 });
  yield* stage.watch(() => {
    holds(
      tap.limiter.waiters().every((each) => each.weight === 1),
      "nobody waits for what can never be",
    );
  });
  stage.atEnd(() => {
    if (stage.undisturbed()) holds(tap.served.length + refused === 4, "each is served or refused");
  });
});

law(
  "RateLimiter, grants nothing while it is held up, also to those that were woken before, and loses none of them",
  function* (stage) {
    const tap = new Tap(stage, { limit: 3, per: 3 });
    const { limiter } = tap;
    let until = 0;
    yield* tap.take("all", 3);
    for (const name of ["A", "B", "C", "D"]) {
      stage.actor(name, function* () {
        yield* tap.take(name, name === "C" ? 2 : 1);
        const now = stage.t.now();
        holds(now >= until, `nothing is granted before ${until}, not at ${now}`);
        until = now + 2;
        if (name === "A") limiter.retryAfter(2);
        else limiter.pause(2);
      });
    }
    yield* stage.watch(tap.check);
    stage.atEnd(() => {
      if (stage.undisturbed()) holds(tap.served.length === 5, "all are served");
    });
  },
);
