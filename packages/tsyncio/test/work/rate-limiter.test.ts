import {
  type Coroutine,
  createTask,
  DeadlockError,
  gather,
  getRunningLoop,
  RateLimiter,
  RateLimiterGroup,
  type RateLimiterOptions,
  sleep,
  timeout,
} from "tsyncio";
import { expect, test, vi } from "vitest";
import { turn, virtually } from "../support/virtual.ts";
import { SkewedClock, timers } from "./internals.ts";

const now = (): number => getRunningLoop().time();
const codeOf = (error: unknown): unknown => (error as { code?: unknown } | null)?.code;

/** Acquires a cost and notes when. */
function* taker(limiter: RateLimiter, times: number[], cost = 1): Coroutine<void> {
  yield* limiter.acquire(cost);
  times.push(now());
}

/** The times at which so many requests are granted that all come at 0. */
function* grants(limiter: RateLimiter, count: number): Coroutine<number[]> {
  const times: number[] = [];
  yield* gather(Array.from({ length: count }, () => taker(limiter, times)));
  return times;
}

/** The most that is granted in any half-open period of a length. */
function most(times: readonly number[], per: number): number {
  return Math.max(...times.map((start) => times.filter((each) => each >= start && each < start + per).length));
}

test.each([
  [{ limit: 0, per: 1 }, "Expected `limit` to be an integer ≥ 1, got 0 (number)"],
  [{ limit: -1, per: 1 }, "Expected `limit` to be an integer ≥ 1"],
  [{ limit: 1.5, per: 1 }, "Expected `limit` to be an integer ≥ 1"],
  [{ limit: Number.NaN, per: 1 }, "Expected `limit` to be an integer ≥ 1"],
  [{ limit: Number.POSITIVE_INFINITY, per: 1 }, "Expected `limit` to be an integer ≥ 1"],
  [{ limit: 1, per: 0 }, "Expected `per` to be > 0 ms, got 0 (number)"],
  [{ limit: 1, per: -5 }, "Expected `per` to be > 0 ms"],
  [{ limit: 1, per: Number.NaN }, "Expected `per` in milliseconds"],
  [{ limit: 1, per: Number.POSITIVE_INFINITY, burst: 2 }, "Expected `per` of a token bucket to be finite"],
  [{ limit: 1, per: 1, burst: 0 }, "Expected `burst` to be an integer ≥ 1"],
  [{ limit: 1, per: 1, burst: 0.5 }, "Expected `burst` to be an integer ≥ 1"],
  [{ limit: 1, per: 1, maxWaiting: -1 }, "Expected `maxWaiting` to be an integer ≥ 0"],
  [{ limit: 1, per: 1, also: [{ limit: 0, per: 1 }] }, "Expected `limit` to be an integer ≥ 1"],
] as [RateLimiterOptions, string][])("RateLimiter refuses %j", (options, message) => {
  expect(() => new RateLimiter(options)).toThrow(RangeError);
  expect(() => new RateLimiter(options)).toThrow(message);
});

test("RateLimiter refuses options that contradict each other or are none", () => {
  // @ts-expect-error no options
  expect(() => new RateLimiter()).toThrow("Expected `options` to be an object such as { limit: 10");
  // @ts-expect-error no period
  expect(() => new RateLimiter({ limit: 1 })).toThrow("Expected `per` in milliseconds");
  // @ts-expect-error no such strategy
  expect(() => new RateLimiter({ limit: 1, per: 1, strategy: "leaky" })).toThrow("Expected `strategy` to be");
  // @ts-expect-error one rate is no list
  expect(() => new RateLimiter({ limit: 1, per: 1, also: { limit: 1, per: 1 } })).toThrow("Expected `also` to be an array");
  expect(() => new RateLimiter({ limit: 1, per: 1, burst: 2, strategy: "sliding-window" })).toThrow(
    'Expected no `burst` with "sliding-window"',
  );
  expect(() => new RateLimiter({ limit: 1, per: 1, burst: undefined, strategy: undefined, also: undefined })).not.toThrow();
});

test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])("RateLimiter.acquire() refuses a cost of %s, at once", (cost) => {
  const limiter = new RateLimiter({ limit: 5, per: 1 });

  expect(() => limiter.acquire(cost)).toThrow(`Expected \`cost\` to be an integer ≥ 1, got ${cost} (number)`);
  expect(() => limiter.tryAcquire(cost)).toThrow(RangeError);
  expect(() => limiter.with(() => 1, { cost })).toThrow(RangeError);
});

test("RateLimiter.acquire() refuses a cost that can never be granted, at once", () => {
  const window = new RateLimiter({ limit: 5, per: 1, name: "api" });
  const bucket = new RateLimiter({ limit: 5, per: 1, burst: 2 });
  const both = new RateLimiter({ limit: 5, per: 1, also: [{ limit: 3, per: 9 }] });

  expect(() => window.acquire(6)).toThrow(
    new RangeError("Cannot acquire a cost of 6 from RateLimiter 'api': at most 5 can be granted at once; split it up"),
  );
  expect(() => bucket.acquire(3)).toThrow("at most 2 can be granted");
  expect(() => both.with(() => 1, { cost: 4 })).toThrow("at most 3 can be granted");
});

test("RateLimiter, grants at once what the limit allows, and does not suspend", async () => {
  await virtually(function* () {
    const limiter = new RateLimiter({ limit: 3, per: "1s" });

    const before = turn(getRunningLoop());
    for (let i = 0; i < 3; i++) yield* limiter.acquire();

    expect([turn(getRunningLoop()) - before, limiter.tryAcquire(), limiter.readyIn()]).toEqual([0, false, 1000]);
  });
});

test("RateLimiter with a sliding window, never grants more in any period, and exactly as much", async () => {
  await virtually(function* () {
    const limiter = new RateLimiter({ limit: 3, per: 1000 });
    yield* sleep(17);
    limiter.tryAcquire();
    yield* sleep(300);

    const times = yield* grants(limiter, 7);

    // The one at 17 counts until 1017; half-open: at that very moment no more.
    expect(times).toEqual([317, 317, 1017, 1317, 1317, 2017, 2317]);
    expect(most([17, ...times], 1000)).toBe(3);
  });
});

test("RateLimiter with a sliding window, allows no double burst at a boundary, as fixed windows would", async () => {
  await virtually(function* () {
    const limiter = new RateLimiter({ limit: 2, per: 1000 });
    yield* sleep(999);
    const first = yield* grants(limiter, 2);
    yield* sleep(1);

    const second = yield* grants(limiter, 2);

    expect([first, second]).toEqual([
      [999, 999],
      [1999, 1999],
    ]);
  });
});

test("RateLimiter with a token bucket, grants a burst, then evenly, and fills up again", async () => {
  await virtually(function* () {
    const limiter = new RateLimiter({ limit: 10, per: 1000, burst: 3 });

    const first = yield* grants(limiter, 6);
    yield* sleep(150);
    const some = limiter.statistics().available;
    yield* sleep(5000);
    const second = yield* grants(limiter, 4);

    expect(first).toEqual([0, 0, 0, 100, 200, 300]);
    expect(some).toBe(1);
    expect(second).toEqual([5450, 5450, 5450, 5550]);
  });
});

test.each([3, 7, 9, 11, 13, 49, 97])(
  "RateLimiter with a token bucket, rounds to nobody's advantage: %s in 1000 ms",
  async (limit) => {
    await virtually(function* () {
      const limiter = new RateLimiter({ limit, per: 1000, burst: 1 });
      yield* sleep(0.1);

      const times = yield* grants(limiter, 3 * limit + 1);

      // Sums of fractions are told apart from each other by less than that.
      expect(most(times, 1000 - 1e-9)).toBe(limit);
      expect(times[3 * limit]).toBeCloseTo(3000.1, 6);
      for (const [index, time] of times.entries()) expect((time - 0.1) * limit).toBeGreaterThan(1000 * index - 1e-9);
    });
  },
);

test("RateLimiter with a strategy and no burst, has a bucket for `limit` tokens", async () => {
  await virtually(function* () {
    const limiter = new RateLimiter({ limit: 2, per: 100, strategy: "token-bucket" });

    expect(yield* grants(limiter, 5)).toEqual([0, 0, 50, 100, 150]);
  });
});

test("RateLimiter of several rates, holds them all", async () => {
  await virtually(function* () {
    const limiter = new RateLimiter({ limit: 2, per: 10, also: [{ limit: 5, per: 100 }] });

    expect(yield* grants(limiter, 11)).toEqual([0, 0, 10, 10, 20, 100, 100, 110, 110, 120, 200]);
  });
});

test("RateLimiter, spaces starts by a least time, as a limit of one does", async () => {
  await virtually(function* () {
    expect(yield* grants(new RateLimiter({ limit: 1, per: "333ms" }), 4)).toEqual([0, 333, 666, 999]);
  });
});

test("RateLimiter of one period without end, is a budget, which setRate() can raise", async () => {
  await virtually(function* () {
    const limiter = new RateLimiter({ limit: 2, per: Number.POSITIVE_INFINITY });
    const times: number[] = [];
    const tasks = [1, 2, 3].map(() => createTask(taker(limiter, times)));
    yield* sleep(10_000);
    expect([times, limiter.readyIn()]).toEqual([[0, 0], Number.POSITIVE_INFINITY]);

    limiter.setRate({ limit: 4 });
    yield* gather(tasks);

    expect([times, limiter.statistics().available]).toEqual([[0, 0, 10_000], 1]);
  });
});

test("RateLimiter of a budget that is spent, ends in a deadlock that names it", async () => {
  const failing = virtually(() => grants(new RateLimiter({ limit: 1, per: Number.POSITIVE_INFINITY, name: "coins" }), 2));

  await expect(failing).rejects.toBeInstanceOf(DeadlockError);
  await expect(failing).rejects.toThrow("waits for RateLimiter 'coins' (1 per Infinity ms)");
});

test("RateLimiter.acquire() serves in order of arrival: a high cost is not overtaken by low ones", async () => {
  await virtually(function* () {
    const limiter = new RateLimiter({ limit: 3, per: 100 });
    const log: string[] = [];
    const take = function* (name: string, cost: number): Coroutine<void> {
      yield* limiter.acquire(cost);
      log.push(`${name} ${now()}`);
    };
    yield* gather(take("A", 2), take("B", 3), take("C", 1), take("D", 2));

    expect(log).toEqual(["A 0", "B 100", "C 200", "D 200"]);
  });
});

test("RateLimiter.acquire() spends nothing, when it is cancelled while it waits", async () => {
  await virtually(function* () {
    const limiter = new RateLimiter({ limit: 1, per: 100 });
    const times: number[] = [];
    yield* limiter.acquire();
    const waiter = createTask(taker(limiter, times));
    const next = createTask(taker(limiter, times));
    yield* sleep(50);

    waiter.cancel();
    yield* next;

    expect([times, limiter.statistics().granted]).toEqual([[100], 2]);
  });
});

test("RateLimiter.acquire() gives back what it was granted, when it is cancelled before it runs", async () => {
  await virtually(function* () {
    const limiter = new RateLimiter({ limit: 2, per: 100 });
    const times: number[] = [];
    yield* limiter.acquire(2);
    const waiter = createTask(taker(limiter, times, 2));
    const next = createTask(taker(limiter, times, 2));
    yield* sleep(0);
    // It runs in the turn in which the first in line is granted, before that one.
    getRunningLoop().callLater(100, () => {
      expect([limiter.waiting, waiter.cancel()]).toEqual([1, true]);
    });
    yield* next;

    expect([waiter.cancelled(), times, limiter.statistics().granted]).toEqual([true, [100], 2]);
  });
});

test("RateLimiter.acquire() counts from when its task goes on, not from when it was woken", async () => {
  const clock = new SkewedClock();
  await virtually(function* () {
    const limiter = new RateLimiter({ limit: 1, per: 100 });
    const times: number[] = [];
    yield* limiter.acquire();
    const tasks = [1, 2].map(() => createTask(taker(limiter, times)));
    yield* sleep(0);
    // In the turn of the grant, something else takes 30 ms.
    getRunningLoop().callLater(100, () => clock.busy(30));
    yield* gather(tasks);

    expect(times).toEqual([130, 230]);
  }, clock);
});

test("RateLimiter, has a timer for the first in line only, and none when nobody waits", async () => {
  await virtually(function* () {
    const limiter = new RateLimiter({ limit: 1, per: 100 });
    const times: number[] = [];
    yield* limiter.acquire();
    const tasks = Array.from({ length: 50 }, () => createTask(taker(limiter, times)));
    yield* sleep(0);
    const waiting = timers().length;
    for (const task of tasks) task.cancel();
    yield* sleep(0);

    expect([waiting, limiter.waiting, timers().next()]).toEqual([1, 0, Number.POSITIVE_INFINITY]);
  });
});

test("RateLimiter.with() runs bodies of both spellings, each at its time", async () => {
  await virtually(async () => {
    const limiter = new RateLimiter({ limit: 2, per: 100 });

    const a = await limiter.with(async () => {
      await sleep(1);
      return now();
    });
    const b = await limiter.with(
      function* () {
        yield* sleep(1);
        return now();
      },
      { cost: 2 },
    );

    expect([a, b]).toEqual([1, 101]);
    // @ts-expect-error a cost belongs into options
    expect(() => limiter.with(() => 1, 2)).toThrow("Expected `options` to be an object such as { cost }");
    // @ts-expect-error no body
    expect(() => limiter.with(2)).toThrow("Expected the body of rateLimiter.with()");
  });
});

test("RateLimiter.pause() grants nothing until resume(), and by itself after a time", async () => {
  await virtually(function* () {
    const limiter = new RateLimiter({ limit: 5, per: 100 });
    const times: number[] = [];
    limiter.pause();
    const a = createTask(taker(limiter, times));
    yield* sleep(50);
    expect([limiter.paused, limiter.tryAcquire(), limiter.readyIn()]).toEqual([true, false, Number.POSITIVE_INFINITY]);
    limiter.resume();
    yield* a;
    limiter.pause("30ms");
    expect([limiter.paused, limiter.tryAcquire(), limiter.readyIn()]).toEqual([true, false, 30]);
    yield* taker(limiter, times);
    limiter.pause("1h");
    const b = createTask(taker(limiter, times));
    yield* sleep(5);
    limiter.resume();
    yield* b;

    expect([times, limiter.paused]).toEqual([[50, 80, 85], false]);
  });
});

test("RateLimiter.pause() leaves no timer behind, while it lasts", async () => {
  await virtually(function* () {
    const limiter = new RateLimiter({ limit: 1, per: 100 });
    const times: number[] = [];
    yield* limiter.acquire();
    const task = createTask(taker(limiter, times));
    yield* sleep(0);
    limiter.pause();

    expect(timers().next()).toBe(Number.POSITIVE_INFINITY);
    yield* sleep(150);
    limiter.resume();
    yield* task;
    expect(times).toEqual([150]);
  });
});

test("RateLimiter.retryAfter() grants nothing before, the longest counts, and resume() does not end it", async () => {
  await virtually(function* () {
    const limiter = new RateLimiter({ limit: 5, per: 10 });
    const times: number[] = [];
    const waiting = createTask(taker(limiter, times, 5));
    yield* waiting;
    const next = createTask(taker(limiter, times));
    yield* sleep(0);
    limiter.retryAfter("2s");
    limiter.retryAfter(500);
    limiter.pause("5s");
    limiter.resume();
    expect([limiter.tryAcquire(), limiter.readyIn()]).toEqual([false, 2000]);
    yield* next;

    expect(times).toEqual([0, 2000]);
    expect(() => limiter.retryAfter(Number.NaN)).toThrow(RangeError);
  });
});

test("RateLimiter, holds up those that were granted and have not run, when it is paused, told to wait or slowed down", async () => {
  const log = (hold: (limiter: RateLimiter) => void, last: (limiter: RateLimiter) => void = () => {}, heavy = "c") =>
    virtually(function* () {
      const limiter = new RateLimiter({ limit: 3, per: 10 });
      for (let i = 0; i < 3; i++) limiter.tryAcquire();
      const seen: string[] = [];
      const tasks = [..."abcde"].map((name) =>
        createTask(function* () {
          yield* limiter.acquire(name === heavy ? 2 : 1);
          seen.push(`${name} ${now()}`);
          if (name === "a") hold(limiter);
        }),
      );
      yield* sleep(10);
      yield* sleep(20);
      last(limiter);
      for (const task of tasks) {
        yield* task.join();
        if (!task.cancelled() && task.exception() !== null) seen.push(`${task.name} ${codeOf(task.exception())}`);
      }
      expect([limiter.waiting, limiter.statistics().granted - 3]).toEqual([0, seen.filter((each) => /^. /.test(each)).length]);
      return seen.map((each) => each.replace(/^Task-\d+/, "one"));
    });

  expect(await log(() => {})).toEqual(["a 10", "b 10", "c 20", "d 20", "e 30"]);
  expect(await log((limiter) => limiter.pause(15))).toEqual(["a 10", "b 25", "c 25", "d 35", "e 35"]);
  expect(await log((limiter) => limiter.retryAfter(15))).toEqual(["a 10", "b 25", "c 25", "d 35", "e 35"]);
  expect(
    await log(
      (limiter) => limiter.pause(),
      (limiter) => limiter.resume(),
    ),
  ).toEqual(["a 10", "b 30", "c 30", "d 40", "e 40"]);
  expect(await log((limiter) => limiter.setRate({ limit: 1 }))).toEqual(["a 10", "b 20", "d 30", "one TOO_HEAVY", "e 40"]);
  expect(await log((limiter) => limiter.setRate({ limit: 1 }), undefined, "b")).toEqual([
    "a 10",
    "c 20",
    "d 30",
    "one TOO_HEAVY",
    "e 40",
  ]);
});

test("RateLimiter.setRate() keeps what was granted, and refuses those that can never go any more", async () => {
  await virtually(function* () {
    const limiter = new RateLimiter({ limit: 4, per: 100 });
    const times: number[] = [];
    yield* limiter.acquire(4);
    const heavy = createTask(taker(limiter, times, 3));
    const light = createTask(taker(limiter, times, 2));
    yield* sleep(10);

    limiter.setRate({ limit: 2, per: 200 });
    yield* heavy.join();
    yield* light;

    expect(codeOf(heavy.exception())).toBe("TOO_HEAVY");
    expect(times).toEqual([200]);
    expect(() => limiter.setRate({ limit: 0 })).toThrow(RangeError);
    expect(() => limiter.setRate({ burst: 2 })).toThrow(TypeError);
  });
});

test("RateLimiter.setRate() of a token bucket, keeps the tokens that are missing", async () => {
  await virtually(function* () {
    const limiter = new RateLimiter({ limit: 1, per: 100, burst: 10 });
    yield* limiter.acquire(8);

    limiter.setRate({ limit: 2 });

    expect([limiter.statistics().available, limiter.readyIn(3)]).toEqual([2, 50]);
    limiter.setRate({ burst: 9 });
    expect(limiter.statistics().available).toBe(1);
  });
});

test.each([
  ["reject", { A: 0, B: 100, C: "LINE_FULL" }],
  ["drop-oldest", { A: 0, B: "DROPPED", C: 100 }],
  ["block", { A: 0, B: "BLOCKED", C: "BLOCKED" }],
] as const)("RateLimiter with whenFull %s, turns the right ones away", async (whenFull, expected) => {
  await virtually(function* () {
    const limiter = new RateLimiter({ limit: 1, per: 100, maxWaiting: 1, whenFull });
    const ends: Record<string, unknown> = {};
    const take = function* (name: string): Coroutine<void> {
      try {
        yield* limiter.acquire();
        ends[name] = now();
      } catch (error) {
        ends[name] = codeOf(error);
      }
    };

    yield* gather(take("A"), take("B"), take("C"));

    expect(ends).toEqual(expected);
  });
});

test("RateLimiter.clearWaiting(), .shutdown() and .whenIdle(), as those of CapacityLimiter", async () => {
  await virtually(function* () {
    const limiter = new RateLimiter({ limit: 1, per: 100 });
    const times: number[] = [];
    const tasks = [1, 2, 3].map(() => createTask(taker(limiter, times)));
    yield* sleep(0);
    expect([limiter.clearWaiting(), String(limiter)]).toEqual([2, "<RateLimiter (1 per 100 ms)>"]);
    const last = createTask(taker(limiter, times));
    yield* sleep(0);

    limiter.shutdown();
    yield* limiter.whenIdle();

    expect([now(), limiter.tryAcquire()]).toEqual([100, false]);
    const late = createTask(taker(limiter, times));
    for (const task of [...tasks, last, late]) yield* task.join();
    const codes = [...tasks, last, late].map((task) => codeOf(task.exception()));
    expect(codes).toEqual([undefined, "CLEARED", "CLEARED", undefined, "SHUT_DOWN"]);
  });
});

test("RateLimiter, is left in time, by a timeout around it", async () => {
  await virtually(function* () {
    const limiter = new RateLimiter({ limit: 1, per: "1h" });
    yield* limiter.acquire();

    const late = createTask(() => timeout("5ms", () => limiter.acquire()));
    yield* late.join();

    expect([codeOf(late.exception()), limiter.waiting, now()]).toEqual(["TIMEOUT", 0, 5]);
  });
});

test("RateLimiter, starts anew in a program with another clock", async () => {
  const limiter = new RateLimiter({ limit: 1, per: "1h" });
  const times: number[] = [];

  for (let i = 0; i < 2; i++) await virtually(() => taker(limiter, times));

  expect(times).toEqual([0, 0]);
});

test("RateLimiter.tryAcquire(), works outside of any task [real]", () => {
  const limiter = new RateLimiter({ limit: 1, per: "1h" });

  expect([limiter.tryAcquire(), limiter.tryAcquire(), limiter.statistics().granted]).toEqual([true, false, 1]);
});

test("RateLimiterGroup, keeps keys apart, and gives the same limiter for the same key", async () => {
  await virtually(function* () {
    const group = new RateLimiterGroup<string>({ limit: 1, per: 100 });

    const tried = ["a", "a", "b"].map((key) => group.for(key).tryAcquire());

    expect(tried).toEqual([true, false, true]);
    expect(group.for("a")).toBe(group.for("a"));
    expect(group.for("a").name).toBe("a");
    expect([...group].map(([key]) => key)).toEqual(["a", "b"]);
    expect([group.delete("a"), group.delete("c"), group.for("a").tryAcquire()]).toEqual([true, false, true]);
    yield* sleep(0);
  });
});

test("RateLimiterGroup, drops limiters that are as new, so that memory does not grow", async () => {
  await virtually(function* () {
    const group = new RateLimiterGroup<number>({ limit: 1, per: 10 });
    const held = group.for(-1);
    held.tryAcquire();
    for (let key = 0; key < 1000; key++) {
      group.for(key).tryAcquire();
      yield* sleep(1);
    }
    const busy = group.size;

    // Whoever holds on to one gets the same: two would grant twice as much.
    expect(group.for(-1)).toBe(held);
    expect([held.tryAcquire(), group.for(-1).tryAcquire()]).toEqual([true, false]);
    yield* sleep(10);
    expect([busy, group.size]).toEqual([9, 0]);
  });
});

test("RateLimiterGroup, has each limiter watched once, however often it rests", async () => {
  const register = vi.spyOn(FinalizationRegistry.prototype, "register");
  await virtually(function* () {
    const group = new RateLimiterGroup<string>({ limit: 1, per: 10 });
    const limiter = group.for("a");
    const before = register.mock.calls.length;
    for (let i = 0; i < 5; i++) {
      yield* limiter.acquire();
      yield* sleep(10);
      expect(group.size).toBe(0);
    }

    expect([before, register.mock.calls.length]).toEqual([1, 1]);
  });
  register.mockRestore();
});

test("RateLimiterGroup, does not drop what is paused, held up by the server, waited for or changed", async () => {
  await virtually(function* () {
    const group = new RateLimiterGroup<string>((key) => ({ limit: key.length, per: 10 }));
    group.for("pause").pause();
    group.for("retry").retryAfter(100);
    group.for("rate").setRate({ limit: 1 });
    group.for("shut").shutdown();
    yield* sleep(50);

    expect([...group].map(([key]) => key)).toEqual(["pause", "retry", "rate", "shut"]);
    yield* sleep(50);
    expect(group.size).toBe(3);
    expect(() => group.for("five!").acquire(6)).toThrow(RangeError);
    expect(() => new RateLimiterGroup({ limit: 0, per: 1 })).toThrow(RangeError);
  });
});

test("RateLimiter.waitUntil(), looks again, when somebody is granted without waiting", async () => {
  await virtually(function* () {
    const rate = new RateLimiter({ limit: 1, per: "1s" });
    const spent = createTask(rate.waitUntil(() => rate.readyIn() > 0));
    yield* sleep(1);
    expect(rate.tryAcquire()).toBe(true);
    yield* sleep(0);
    yield* sleep(0);
    expect(spent.done()).toBe(true);
  });
});
