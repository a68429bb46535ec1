/** The laws of retry and CircuitBreaker. */

import { CircuitBreaker, CircuitOpenError, isCancelled, RetryError, retry, sleep, TimeoutError } from "tsyncio";
import { holds, law, requests, type Script, Work } from "./scenario.ts";

law("retry(), begins no attempt once it is cancelled, and awaits the one that runs", function* (stage) {
  for (const name of ["A", "B"]) {
    const work = new Work(stage);
    stage.actor(name, function* () {
      let attempts = 0;
      let inside = 0;
      try {
        const result: number = yield retry(
          stage.body(function* (attempt: number): Script<number> {
            holds(requests() === 0, `attempt ${attempt} does not begin when it is cancelled`);
            holds(attempt === ++attempts, `attempt ${attempt} is the ${attempts}.`);
            inside++;
            try {
              yield* work.run(attempt === 2 ? 9 : 1, 0);
            } finally {
              inside--;
            }
            if (attempt < 4) throw new RangeError("failed");
            return attempt;
          }),
          { attempts: 4, backoff: 1, timeout: 3, jitter: "full", random: () => 0.5 },
        );
        holds(result === 4, `the last one succeeds, not ${result}`);
        holds(requests() === 0, "whoever was cancelled is told so");
      } catch (error) {
        if (!isCancelled(error)) throw error;
        holds(requests() > 0, "nobody is cancelled without a request");
        throw error;
      } finally {
        holds(inside === 0, "no attempt runs when it has ended");
      }
      holds(requests() === 0, "no request is left");
      yield sleep(0);
    });
  }
});

law("retry() with a signal, throws its reason or what it was cancelled by, no attempt left", function* (stage) {
  const aborter = new AbortController();
  const reason = new Error("reason");
  const work = new Work(stage);
  stage.actor("aborting", function* () {
    yield sleep(2);
    aborter.abort(reason);
  });
  stage.actor("retrying", function* () {
    let inside = 0;
    let told: unknown;
    try {
      yield retry(
        stage.body(function* (): Script {
          inside++;
          try {
            yield* work.run(1, 0);
          } finally {
            inside--;
          }
          throw new RangeError("failed");
        }),
        { attempts: 4, backoff: 1, signal: aborter.signal },
      );
    } catch (error) {
      told = error;
    }
    holds(inside === 0, "no attempt runs when it has ended");
    if (isCancelled(told)) {
      holds(requests() > 0, "nobody is cancelled without a request");
      throw told;
    }
    holds(
      told === reason || (told instanceof RetryError && !aborter.signal.aborted) || told instanceof RetryError,
      `told is ${told}`,
    );
    if (stage.undisturbed() && stage.inOrder) holds(told === reason, "it is aborted in time");
    yield sleep(0);
  });
});

law(
  "CircuitBreaker.with(), lets no more on trial than it may, and has all places back, whoever is cancelled",
  function* (stage) {
    const breaker = new CircuitBreaker({ threshold: 2, resetAfter: 2, halfOpen: 2 });
    let trying = 0;
    let broken = true;
    stage.always(() => holds(trying <= 2, `two are on trial at most, not ${trying}`));
    for (const name of ["A", "B", "C", "D"]) {
      stage.actor(name, function* () {
        for (let i = 0; i < 6; i++) {
          const trial = breaker.state !== "closed";
          try {
            yield breaker.with(
              stage.body(function* (): Script {
                if (trial) trying++;
                try {
                  yield sleep(1);
                  if (broken) throw new RangeError("down");
                } finally {
                  if (trial) trying--;
                }
              }),
            );
          } catch (error) {
            if (!(error instanceof RangeError || error instanceof CircuitOpenError || error instanceof TimeoutError))
              throw error;
          }
          yield sleep(1);
        }
      });
    }
    yield sleep(20);
    yield* stage.settle();
    broken = false;
    // Had a place been lost, these would be refused.
    for (let i = 0; i < 2; i++) {
      const body = stage.body(function* (): Script {
        yield sleep(1);
      });
      yield breaker.with(body);
    }
    holds(breaker.state === "closed", `it is closed at the end, not ${breaker.state}`);
  },
);
