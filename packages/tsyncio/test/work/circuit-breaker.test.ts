import {
  CircuitBreaker,
  type CircuitBreakerOptions,
  CircuitOpenError,
  type Coroutine,
  createTask,
  getRunningLoop,
  sleep,
} from "tsyncio";
import { describe, expect, test } from "vitest";
import { runVirtual, virtually } from "../support/virtual.ts";

class Down extends Error {}

/** A breaker, and calls through it that say how they ended. */
class Line {
  readonly breaker: CircuitBreaker;
  readonly changes: string[] = [];

  constructor(options: Partial<CircuitBreakerOptions> = {}) {
    this.breaker = new CircuitBreaker({
      threshold: 3,
      resetAfter: 100,
      onStateChange: ({ from, to, error }) => {
        const by = error === undefined ? "" : ` by ${(error as Error).constructor.name}`;
        this.changes.push(`${getRunningLoop().time()}: ${from} ${to}${by}`);
      },
      ...options,
    });
  }

  *call(outcome: "ok" | "fail" | "odd" = "ok", delay = 0): Coroutine<string> {
    try {
      return yield* this.breaker.with(function* () {
        if (delay > 0) yield* sleep(delay);
        if (outcome === "fail") throw new Down();
        if (outcome === "odd") throw new RangeError();
        return "ok";
      });
    } catch (error) {
      if (error instanceof CircuitOpenError) return `refused ${error.retryAfter}`;
      if (error instanceof Down) return "failed";
      if (error instanceof RangeError) return "odd";
      throw error;
    }
  }

  *calls(outcomes: string): Coroutine<string[]> {
    const ends: string[] = [];
    for (const each of outcomes) ends.push(yield* this.call(each === "." ? "ok" : each === "?" ? "odd" : "fail"));
    return ends;
  }
}

describe("CircuitBreaker, closed", () => {
  test("CircuitBreaker.with(), gives what the body gives and throws what it throws, in both spellings", async () => {
    const { breaker } = new Line();
    const boom = new Error("boom");

    const results = await virtually(async () => [
      await breaker.with(() => 1),
      await breaker.run(async () => {
        await sleep(1);
        return 2;
      }),
      await breaker.with(() => Promise.reject(boom)).then(undefined, (error) => error),
    ]);

    expect(results).toEqual([1, 2, boom]);
    expect(breaker.failures).toBe(1);
  });

  test("a threshold, opens it by so many failures in a row", async () => {
    const line = new Line();

    const ends = await virtually(line.calls("xx.xxxx"));

    expect(ends).toEqual(["failed", "failed", "ok", "failed", "failed", "failed", "refused 100"]);
    expect(line.changes).toEqual(["0: closed open by Down"]);
  });

  test("a threshold with a window, opens it by so many failures in that time, in a row or not", async () => {
    const line = new Line({ window: 50 });

    const ends = await virtually(function* () {
      const found = [...(yield* line.calls("x.x"))];
      yield* sleep(50);
      found.push(...(yield* line.calls("x")), String(line.breaker.failures));
      yield* sleep(49);
      found.push(...(yield* line.calls(".x.x.")));
      return found;
    });

    expect(ends).toEqual(["failed", "ok", "failed", "failed", "1", "ok", "failed", "ok", "failed", "refused 100"]);
  });

  test("a threshold that is a share, opens it by that share of the calls of the window, when there were enough", async () => {
    const line = new Line({ threshold: 0.5, window: 1000, minimumCalls: 6 });

    const ends = await virtually(function* () {
      const early = yield* line.calls("xxx..");
      const state = line.breaker.state;
      const late = yield* line.calls(".x..x.xx.");
      return [early, state, late];
    });

    expect(ends[1]).toBe("closed");
    // 3 of 6 are failures after the sixth; but it is a failure that opens it.
    expect(ends[2]).toEqual(["ok", "failed", ...Array(7).fill("refused 100")]);
  });

  test("shouldCount, leaves errors out that say nothing about the service", async () => {
    const line = new Line({ shouldCount: (error) => error instanceof Down });

    const ends = await virtually(line.calls("xx?x."));

    expect(ends).toEqual(["failed", "failed", "odd", "failed", "refused 100"]);
  });
});

describe("CircuitBreaker, open and half-open", () => {
  test("CircuitOpenError, says when it may be tried again", async () => {
    const { breaker } = new Line({ name: "db" });

    const error = (await virtually(function* () {
      breaker.open();
      yield* sleep(30);
      try {
        yield* breaker.with(() => 1);
      } catch (thrown) {
        return thrown;
      }
    })) as CircuitOpenError;

    expect(error).toMatchObject({ name: "CircuitOpenError", code: "CIRCUIT_OPEN", retryAfter: 70, breaker });
    expect(error.message).toBe("Cannot call through CircuitBreaker 'db' (open); try again in 70 ms");
  });

  test("CircuitBreaker, lets one call through after its time, and closes when that succeeds", async () => {
    const line = new Line();

    const ends = await virtually(function* () {
      const found: unknown[] = yield* line.calls("xxx");
      yield* sleep(99);
      found.push(...(yield* line.calls(".")));
      yield* sleep(1);
      found.push(line.breaker.state);
      const trial = createTask(line.call("ok", 10));
      yield* sleep(1);
      found.push(line.breaker.state, ...(yield* line.calls(".")), yield* trial, line.breaker.state);
      return found;
    });

    expect(ends.slice(3)).toEqual(["refused 1", "half-open", "half-open", "refused undefined", "ok", "closed"]);
    expect(line.changes).toEqual(["0: closed open by Down", "100: open half-open", "110: half-open closed"]);
  });

  test("CircuitBreaker, opens again for its whole time, when the trial fails", async () => {
    const line = new Line();

    const ends = await virtually(function* () {
      yield* line.calls("xxx");
      yield* sleep(100);
      const found: unknown[] = yield* line.calls("x.");
      yield* sleep(100);
      found.push(...(yield* line.calls("..")), line.breaker.state);
      return found;
    });

    expect(ends).toEqual(["failed", "refused 100", "ok", "ok", "closed"]);
  });

  test("halfOpen, is how many may try at a time, and must succeed", async () => {
    const line = new Line({ halfOpen: 2 });

    const ends = await virtually(function* () {
      yield* line.calls("xxx");
      yield* sleep(100);
      const trials = [createTask(line.call("ok", 5)), createTask(line.call("ok", 10)), createTask(line.call("ok", 10))];
      yield* sleep(7);
      const between = line.breaker.state;
      const found: unknown[] = [];
      for (const trial of trials) found.push(yield* trial);
      return [...found, between, line.breaker.state];
    });

    expect(ends).toEqual(["ok", "ok", "refused undefined", "half-open", "closed"]);
  });

  test("a call that is cancelled, counts neither way, and gives its place on trial back", async () => {
    const line = new Line({ threshold: 2 });

    const states = await virtually(function* () {
      yield* line.calls("x");
      const found: unknown[] = [];
      const cancelled = createTask(line.call("ok", 50));
      yield* sleep(1);
      cancelled.cancel();
      yield* cancelled.join();
      found.push(line.breaker.failures);
      yield* line.calls("x");
      yield* sleep(100);
      const trial = createTask(line.call("ok", 50));
      yield* sleep(1);
      found.push(...(yield* line.calls(".")));
      trial.cancel();
      yield* trial.join();
      found.push(line.breaker.state, ...(yield* line.calls(".")), line.breaker.state);
      return found;
    });

    expect(states).toEqual([1, "refused undefined", "half-open", "ok", "closed"]);
  });

  test("an error that does not count, gives the place on trial back, and leaves it half-open", async () => {
    const line = new Line({ shouldCount: (error) => error instanceof Down });

    const ends = await virtually(function* () {
      yield* line.calls("xxx");
      yield* sleep(100);
      return [...(yield* line.calls("?")), line.breaker.state, ...(yield* line.calls(".")), line.breaker.state];
    });

    expect(ends).toEqual(["odd", "half-open", "ok", "closed"]);
  });

  test("a call that ends in another state than it began in, counts neither way", async () => {
    const line = new Line({ threshold: 1, halfOpen: 2 });

    const states = await virtually(function* () {
      const slow = [createTask(line.call("fail", 150)), createTask(line.call("ok", 150))];
      yield* sleep(1);
      yield* line.calls("x");
      yield* sleep(100);
      const trial = createTask(line.call("ok", 100));
      yield* sleep(60);
      for (const each of slow) yield* each;
      const found: unknown[] = [line.breaker.state, ...(yield* line.calls("."))];
      yield* trial;
      return [...found, line.breaker.state];
    });

    expect(states).toEqual(["half-open", "ok", "closed"]);
  });

  test("open() and close(), change it by hand", async () => {
    const line = new Line();

    const ends = await virtually(function* () {
      line.breaker.open();
      line.breaker.open();
      const found = yield* line.calls(".");
      line.breaker.close();
      return [...found, ...(yield* line.calls("xx.")), line.breaker.state];
    });

    expect(ends).toEqual(["refused 100", "failed", "failed", "ok", "closed"]);
    expect(line.changes).toEqual(["0: closed open", "0: open closed"]);
  });

  test("what onStateChange throws, goes to the exception handler, not to the caller", async () => {
    const line = new Line({
      threshold: 1,
      onStateChange: () => {
        throw new RangeError("hook");
      },
    });

    const { result, errors } = await runVirtual(line.calls("x."));

    expect(result).toEqual(["failed", "refused 100"]);
    expect(errors.map((each) => each.message)).toEqual(["Error in onStateChange of CircuitBreaker (open)"]);
  });
});

test("what shouldCount throws, goes to the exception handler, and the error of the call to the caller, which counts", async () => {
  const line = new Line({
    threshold: 1,
    shouldCount: () => {
      throw new RangeError("hook");
    },
  });

  const { result, errors } = await runVirtual(line.calls("x."));

  expect(result).toEqual(["failed", "refused 100"]);
  expect(errors.map((each) => each.message)).toEqual(["Error in shouldCount of CircuitBreaker (closed)"]);
});

test("a call that would be the first on trial, is refused, when the breaker is opened by whoever is told of the trial", async () => {
  const breaker = new CircuitBreaker({
    threshold: 1,
    resetAfter: 10,
    onStateChange: ({ to }) => {
      if (to === "half-open") breaker.open();
    },
  });
  let calls = 0;

  await virtually(function* () {
    breaker.open();
    yield* sleep(10);
    try {
      yield* breaker.with(() => calls++);
    } catch (error) {
      expect(error).toBeInstanceOf(CircuitOpenError);
    }
  });

  expect([calls, breaker.state]).toEqual([0, "open"]);
});

describe("wrong calls of CircuitBreaker", () => {
  const wrong: [string, object, string][] = [
    ["nothing", {}, "Expected `threshold` to be an integer ≥ 1, or a share between 0 and 1, got undefined"],
    ["threshold 0", { threshold: 0 }, "Expected `threshold` to be an integer ≥ 1, or a share between 0 and 1, got 0 (number)"],
    [
      "threshold -1",
      { threshold: -1 },
      "Expected `threshold` to be an integer ≥ 1, or a share between 0 and 1, got -1 (number)",
    ],
    [
      "threshold 1.5",
      { threshold: 1.5 },
      "Expected `threshold` to be an integer ≥ 1, or a share between 0 and 1, got 1.5 (number)",
    ],
    [
      "threshold NaN",
      { threshold: Number.NaN },
      "Expected `threshold` to be an integer ≥ 1, or a share between 0 and 1, got NaN (number)",
    ],
    [
      "share, no window",
      { threshold: 0.5 },
      "Expected a `window` for a `threshold` that is a share, got undefined; give the time to look at",
    ],
    [
      "minimumCalls",
      { minimumCalls: 3 },
      "Cannot use `minimumCalls` with a number of failures: it is for a `threshold` between 0 and 1",
    ],
    ["window", { window: 0 }, "Expected `window` to be a duration > 0, got 0 (number)"],
    ["resetAfter", { resetAfter: -1 }, "Expected `resetAfter` to be a duration > 0, got -1 (number)"],
    ["no resetAfter", { resetAfter: undefined }, 'Expected `resetAfter` in milliseconds or like "1.5s", got undefined'],
    ["halfOpen", { halfOpen: 0 }, "Expected `halfOpen` to be an integer ≥ 1, got 0 (number)"],
    ["halfOpen text", { halfOpen: "2" }, 'Expected `halfOpen` to be an integer ≥ 1, got "2" (string)'],
    ["shouldCount", { shouldCount: 1 }, "Expected `shouldCount` to be a function, got 1 (number)"],
  ];

  test.for(wrong)("CircuitBreaker, refuses it at once, when given %s", ([name, options, message]) => {
    const base = name === "nothing" ? {} : { threshold: 3, resetAfter: 100 };
    expect(() => new CircuitBreaker({ ...base, ...options } as CircuitBreakerOptions)).toThrow(message);
  });

  test("CircuitBreaker.with(), refuses what is no function, and a breaker no options", () => {
    expect(() => new Line().breaker.with(5 as never)).toThrow("Expected the body of circuitBreaker.with()");
    expect(() => new CircuitBreaker(undefined as never)).toThrow("Expected `options` to be an object such as");
  });
});
