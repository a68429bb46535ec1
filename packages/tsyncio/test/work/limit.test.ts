import {
  CapacityLimiter,
  CombinedLimiter,
  type CombinedOptions,
  ContextVar,
  type Coroutine,
  createTask,
  currentTask,
  gather,
  getRunningLoop,
  limit,
  RateLimiter,
  sleep,
  type Task,
} from "tsyncio";
import { expect, test } from "vitest";
import { virtually } from "../support/virtual.ts";

const now = (): number => getRunningLoop().time();
const codeOf = (error: unknown): unknown => (error as { code?: unknown } | null)?.code;

/** A body that notes when it begins, and takes a while. */
function body(log: string[], name: string, duration = 10): () => Coroutine<void> {
  return function* () {
    log.push(`${name} ${now()}`);
    yield* sleep(duration);
  };
}

test.each([
  [{}, "Expected `concurrency` or `rate` or both, got an object; without a limit, call the function itself"],
  [{ concurrency: 0 }, "Expected `concurrency` to be an integer ≥ 1, got 0 (number)"],
  [{ concurrency: 1.5 }, "Expected `concurrency` to be an integer ≥ 1"],
  [{ rate: { limit: 0, per: 1 } }, "Expected `limit` to be an integer ≥ 1"],
  [{ concurrency: 1, rate: { limit: 1, per: 1 }, maxWaiting: -1 }, "Expected `maxWaiting` to be an integer ≥ 0"],
] as [CombinedOptions, string][])("limit() and CombinedLimiter refuse %j", (options, message) => {
  expect(() => new CombinedLimiter(options)).toThrow(message);
  expect(() => limit(() => 1, options)).toThrow(message);
});

test("limit() refuses what is no function, no options, and a shared limiter with limits of its own", () => {
  const limiter = new CombinedLimiter({ concurrency: 1 });
  // @ts-expect-error no function
  expect(() => limit(5, { concurrency: 1 })).toThrow("Expected the body of limit()");
  // @ts-expect-error no options
  expect(() => limit(() => 1)).toThrow("Expected `options` to be an object");
  // @ts-expect-error another limiter
  expect(() => limit(() => 1, { limiter: new CapacityLimiter(1) })).toThrow("Expected `limiter` to be a CombinedLimiter");
  expect(() => limit(() => 1, { limiter, concurrency: 2 })).toThrow("Cannot use `limiter` together with limits of its own");
  expect(limit(() => 1, { limiter, concurrency: undefined }).limiter).toBe(limiter);
});

test("limit(), keeps parameters, `this`, name and result, in both spellings", async () => {
  await virtually(async () => {
    const add = limit(
      function* add(a: number, b: number) {
        yield* sleep(1);
        return a + b;
      },
      { concurrency: 1 },
    );
    const text = limit(async (word: string) => word.toUpperCase(), { concurrency: 1 });
    const counter = {
      n: 5,
      read: limit(
        async function (this: { n: number }) {
          return this.n;
        },
        { concurrency: 1 },
      ),
    };

    const results: [number, string, number] = [await add(1, 2), await text("a"), await counter.read()];

    expect(results).toEqual([3, "A", 5]);
    expect([add.name, add.length, add.limiter.name]).toEqual(["add", 2, "add"]);
    // @ts-expect-error a string is no number
    void (() => add("1", 2));
  });
});

test("limit() by concurrency, runs so many calls at a time, in order of arrival", async () => {
  await virtually(function* () {
    const log: string[] = [];
    const call = limit((name: string) => body(log, name)(), { concurrency: 2 });

    const tasks = ["A", "B", "C", "D", "E"].map((name) => createTask(call(name)));
    yield* sleep(1);
    const counts = [call.limiter.running, call.limiter.waiting];
    yield* gather(tasks);

    expect(log).toEqual(["A 0", "B 0", "C 10", "D 10", "E 20"]);
    expect([counts, call.limiter.running, call.limiter.waiting]).toEqual([[2, 3], 0, 0]);
  });
});

test("limit(), runs calls in the branches of one async function", async () => {
  await virtually(async () => {
    const log: number[] = [];
    const call = limit(
      async (n: number) => {
        await sleep(10);
        log.push(n, now());
        return n;
      },
      { concurrency: 2 },
    );

    expect(await Promise.all([1, 2, 3].map((n) => call(n)))).toEqual([1, 2, 3]);
    expect(log).toEqual([1, 10, 2, 10, 3, 20]);
  });
});

test("limit() by rate, begins calls at that rate, however long they take", async () => {
  await virtually(function* () {
    const log: string[] = [];
    const call = limit((name: string) => body(log, name, 500)(), { rate: { limit: 2, per: 100 } });

    yield* gather(["A", "B", "C"].map((name) => createTask(call(name))));

    expect(log).toEqual(["A 0", "B 0", "C 100"]);
  });
});

test("limit() by both, holds both", async () => {
  await virtually(function* () {
    const log: string[] = [];
    const call = limit((name: string, time: number) => body(log, name, time)(), {
      concurrency: 2,
      rate: { limit: 2, per: 100 },
    });

    yield* gather([
      createTask(call("A", 250)),
      createTask(call("B", 10)),
      createTask(call("C", 10)),
      createTask(call("D", 10)),
      createTask(call("E", 10)),
    ]);

    expect(log).toEqual(["A 0", "B 0", "C 100", "D 110", "E 200"]);
  });
});

test("limit(), takes weight and cost by the arguments of each call", async () => {
  await virtually(function* () {
    const log: string[] = [];
    const call = limit((name: string, _size: number) => body(log, name, 30)(), {
      concurrency: 3,
      rate: { limit: 10, per: 100 },
      weight: (_name, size) => size,
      cost: 4,
    });

    yield* gather([createTask(call("A", 2)), createTask(call("B", 2)), createTask(call("C", 1))]);

    expect(log).toEqual(["A 0", "B 30", "C 100"]);
    expect(() => call("D", 4)).toThrow(RangeError);
    expect(() => call("D", 0)).toThrow(RangeError);
  });
});

test("CombinedLimiter.with() refuses a weight or cost that it has no limit for", () => {
  const capacity = new CombinedLimiter({ concurrency: 1 });
  const rate = new CombinedLimiter({ rate: { limit: 1, per: 1 } });

  expect(() => capacity.with(() => 1, { cost: 1 })).toThrow(new TypeError("Cannot use `cost`: the limiter has no `rate`"));
  expect(() => rate.with(() => 1, { weight: 1 })).toThrow("Cannot use `weight`: the limiter has no `concurrency`");
  expect(() => rate.with(() => 1, { cost: 2 })).toThrow(RangeError);
  // @ts-expect-error no body
  expect(() => rate.with(1)).toThrow("Expected the body of combinedLimiter.with()");
});

test("CombinedLimiter, spends no rate while it waits for room", async () => {
  await virtually(function* () {
    const capacity = new CapacityLimiter(1);
    const rate = new RateLimiter({ limit: 1, per: 100 });
    const both = new CombinedLimiter({ concurrency: capacity, rate });
    const log: string[] = [];
    const permit = yield* capacity.acquire();
    const waiting = createTask(() => both.with(body(log, "both")));
    yield* sleep(10);

    // Somebody else may have what the one that waits does not need yet.
    expect(rate.tryAcquire()).toBe(true);
    permit.release();
    yield* waiting;

    expect(log).toEqual(["both 110"]);
  });
});

test("CombinedLimiter, takes no room while it waits for the rate", async () => {
  await virtually(function* () {
    const capacity = new CapacityLimiter(1);
    const rate = new RateLimiter({ limit: 1, per: 100 });
    const both = new CombinedLimiter({ concurrency: capacity, rate });
    const log: string[] = [];
    rate.tryAcquire();
    const waiting = createTask(() => both.with(body(log, "both")));
    yield* sleep(10);

    expect([capacity.borrowed, capacity.waiting, both.waiting]).toEqual([0, 0, 1]);
    yield* capacity.with(body(log, "other"));
    yield* waiting;

    expect(log).toEqual(["other 10", "both 100"]);
  });
});

/** Makes a call while others are always faster: whenever the capacity is free, the rate has just been spent by another. */
function* contend(capacity: CapacityLimiter, rate: RateLimiter, call: () => Coroutine<void>): Coroutine<void> {
  const others = [
    createTask(function* () {
      for (;;) {
        yield* rate.acquire();
        yield* sleep(1);
      }
    }),
    createTask(function* () {
      for (;;) yield* capacity.with(() => sleep(3));
    }),
  ];
  yield* sleep(0);
  yield* call();
  for (const each of others) yield* each.cancelAndWait();
}

test("CombinedLimiter, is not starved by others that are faster with a shared rate", async () => {
  await virtually(function* () {
    const capacity = new CapacityLimiter(1);
    const rate = new RateLimiter({ limit: 1, per: 10 });
    const both = new CombinedLimiter({ concurrency: capacity, rate });
    const log: string[] = [];

    yield* contend(capacity, rate, () => both.with(body(log, "both")));

    expect(log.length).toBe(1);
    expect(now()).toBeLessThan(100);
    expect([capacity.borrowed, rate.waiting, both.running, both.waiting]).toEqual([0, 0, 0, 0]);
  });
});

test("CombinedLimiter, gives back what it holds, whenever it is cancelled among others that are faster", async () => {
  let begun = 0;
  let held = 0;
  for (let at = 0; at < 90; at++) {
    await virtually(function* () {
      const capacity = new CapacityLimiter(1);
      const rate = new RateLimiter({ limit: 1, per: 10 });
      const both = new CombinedLimiter({ concurrency: capacity, rate });
      const log: string[] = [];

      yield* contend(capacity, rate, function* () {
        const task = createTask(() => both.with(body(log, "both")), { name: "victim" });
        yield* sleep(at + 0.5);
        if (log.length === 0 && capacity.borrowers()[0]?.name === "victim") held++;
        yield* task.cancelAndWait();
      });

      begun += log.length;
      expect([capacity.borrowed, capacity.waiting, rate.waiting, both.running, both.waiting]).toEqual([0, 0, 0, 0, 0]);
    });
  }

  expect(begun).toBeGreaterThan(0);
  // It was cancelled in between, too: with its permits, and without the rate.
  expect(held).toBeGreaterThan(0);
});

test.each([
  ["a shared capacity", () => ({ concurrency: new CapacityLimiter(2), rate: { limit: 1, per: 10 } })],
  ["a shared rate", () => ({ concurrency: 2, rate: new RateLimiter({ limit: 1, per: 10 }) })],
  ["limits of its own", () => ({ concurrency: 2, rate: { limit: 1, per: 10 } })],
  ["a shared capacity alone", () => ({ concurrency: new CapacityLimiter(1) })],
  ["a rate of its own alone", () => ({ rate: { limit: 1, per: 10 } })],
] as [string, () => CombinedOptions][])(
  "CombinedLimiter with %s, loses nothing, whichever call is cancelled, whenever",
  async (_name, make) => {
    for (let victim = 0; victim < 4; victim++) {
      for (let at = 0; at <= 60; at += 5) {
        await virtually(function* () {
          const both = new CombinedLimiter(make());
          const log: string[] = [];
          const tasks = ["A", "B", "C", "D"].map((name) => createTask(() => both.with(body(log, name, 15))));
          getRunningLoop().callLater(at, () => tasks[victim]?.cancel());
          for (const task of tasks) yield* task.join();
          yield* both.whenIdle();
          yield* sleep(20);

          expect(tasks.filter((task) => !task.cancelled()).length).toBeGreaterThanOrEqual(3);
          expect([both.running, both.waiting, both.capacity?.borrowed ?? 0, both.rate?.waiting ?? 0]).toEqual([0, 0, 0, 0]);
          expect(both.rate?.statistics().available ?? 1).toBe(1);
          const spent = both.rate?.statistics().granted ?? log.length;
          expect(spent).toBe(log.length);
        });
      }
    }
  },
);

test("limit(), tells a call inside of a call, that it would wait for itself", async () => {
  await virtually(async () => {
    const inner: { call?: () => PromiseLike<unknown> } = {};
    const call = limit(async () => inner.call?.(), { concurrency: 1 });
    inner.call = call;

    await expect(call()).rejects.toMatchObject({ code: "SELF_DEADLOCK" });
    expect(call.limiter.capacity?.borrowed).toBe(0);
  });
});

test("limit(), runs calls as part of the task that awaits them, with its context", async () => {
  await virtually(function* () {
    const user = new ContextVar<string>("user");
    const call = limit(
      function* () {
        yield* sleep(1);
        return `${user.get()} ${currentTask()?.name}`;
      },
      { concurrency: 1, rate: { limit: 1, per: 10 } },
    );
    const as = (name: string): Task<string> =>
      createTask(
        function* () {
          user.set(name);
          return yield* call();
        },
        { name: `task of ${name}` },
      );

    expect(yield* gather(as("ann"), as("bob"))).toEqual(["ann task of ann", "bob task of bob"]);
  });
});

test.each([
  ["limits of its own", { concurrency: 1 }],
  ["both limits", { concurrency: 1, rate: { limit: 1, per: 10 } }],
  ["a shared limit", { concurrency: new CapacityLimiter(1) }],
] as [string, CombinedOptions][])("CombinedLimiter with %s, is paused, cleared and shut down", async (_name, options) => {
  await virtually(function* () {
    const both = new CombinedLimiter(options);
    const log: string[] = [];
    const start = (name: string): Task<void> => createTask(() => both.with(body(log, name, 20)), { name });
    const [a, b] = [start("A"), start("B")];
    yield* sleep(0);
    both.pause();
    yield* sleep(50);
    expect([both.paused, log, both.running, both.waiting]).toEqual([true, ["A 0"], 0, 1]);
    both.resume();
    yield* sleep(5);
    expect(log).toEqual(["A 0", "B 50"]);
    const [c, d] = [start("C"), start("D")];
    yield* sleep(10);

    const cleared = both.clearWaiting("enough");
    const e = start("E");
    yield* sleep(0);
    both.shutdown();
    const f = start("F");
    yield* both.whenIdle();

    expect([cleared, log.at(-1), now()]).toEqual([2, "E 70", 90]);
    const codes = [a, b, c, d, e, f].map((task) => codeOf(task.exception()));
    expect(codes).toEqual([undefined, undefined, "CLEARED", "CLEARED", undefined, "SHUT_DOWN"]);
  });
});

test.each([
  ["reject", 1, { A: "ran", B: "ran", C: "LINE_FULL", D: "LINE_FULL" }],
  ["drop-oldest", 1, { A: "ran", B: "DROPPED", C: "DROPPED", D: "ran" }],
  ["block", 1, { A: "ran", B: "BLOCKED", C: "BLOCKED", D: "BLOCKED" }],
  ["reject", 0, { A: "ran", B: "LINE_FULL", C: "LINE_FULL", D: "LINE_FULL" }],
  ["drop-oldest", 2, { A: "ran", B: "DROPPED", C: "ran", D: "ran" }],
] as const)(
  "CombinedLimiter with whenFull %s and %i that may wait, turns the right ones away",
  async (whenFull, maxWaiting, expected) => {
    for (const limits of [
      { concurrency: 1 },
      { concurrency: 1, rate: { limit: 1, per: 10 } },
      { rate: { limit: 1, per: 10 } },
    ]) {
      await virtually(function* () {
        const both = new CombinedLimiter({ ...limits, maxWaiting, whenFull });
        const ends: Record<string, unknown> = {};
        const call = function* (name: string): Coroutine<void> {
          try {
            yield* both.with(() => sleep(20));
            ends[name] = "ran";
          } catch (error) {
            ends[name] = codeOf(error);
          }
        };
        const tasks = [];
        for (const name of ["A", "B", "C", "D"]) {
          tasks.push(createTask(call(name)));
          yield* sleep(0);
          yield* sleep(0);
        }
        yield* gather(tasks);

        expect(ends).toEqual(expected);
        expect([both.running, both.waiting]).toEqual([0, 0]);
      });
    }
  },
);

test("CombinedLimiter.waitUntil() holds a producer back", async () => {
  await virtually(function* () {
    const both = new CombinedLimiter({ concurrency: 1 });
    const log: string[] = [];
    const tasks: Task<void>[] = [];
    for (let n = 0; n < 4; n++) {
      yield* both.waitUntil(({ waiting }) => waiting < 1);
      log.push(`made ${now()}`);
      tasks.push(createTask(() => both.with(() => sleep(10))));
      yield* sleep(0);
    }
    yield* gather(tasks);

    expect(log).toEqual(["made 0", "made 0", "made 10", "made 20"]);
    // @ts-expect-error a number is no predicate
    expect(() => both.waitUntil(1)).toThrow("Expected a function for waitUntil()");
    expect(String(both)).toBe("<CombinedLimiter running:0, waiting:0>");
  });
});

test.each<[condition: string, at: number, holds: (limiter: CombinedLimiter) => boolean]>([
  ["a call waits", 1, ({ waiting }) => waiting > 0],
  ["a body runs", 1, ({ running }) => running > 0],
  ["it is paused", 2, ({ paused }) => paused],
  ["it goes on again", 12, ({ paused }) => now() > 2 && !paused],
])("CombinedLimiter.waitUntil() ends at once, when %s", async (_, at, holds) => {
  for (const rate of [undefined, { limit: 1, per: 100 }]) {
    await virtually(function* () {
      const both = new CombinedLimiter({ concurrency: 1, rate });
      const watch = createTask(function* () {
        yield* both.waitUntil((limiter) => now() > 0 && holds(limiter));
        return now();
      });
      yield* sleep(1);
      const calls = [createTask(both.with(() => sleep(10))), createTask(both.with(() => sleep(10)))];
      yield* sleep(1);
      both.pause();
      yield* sleep(10);
      both.resume();
      yield* gather(calls);

      expect(yield* watch).toBe(at);
    });
  }
});

test("CombinedLimiter.waiters() lists the calls that wait, in front of either limit, until their bodies begin", async () => {
  for (const rate of [undefined, { limit: 1, per: 100 }]) {
    await virtually(function* () {
      const both = new CombinedLimiter({ concurrency: 3, rate });
      const seen: unknown[] = [];
      const look = (): number => seen.push(both.waiters().map(({ task, name, weight }) => [task?.name === name, name, weight]));
      const call = (name: string, weight: number) =>
        createTask(
          both.with(() => sleep(10), { weight }),
          { name },
        );
      const [, b] = [call("a", 3), call("b", 2), call("c", 1)];
      look();
      yield* sleep(5);
      look();
      b?.cancel();
      yield* sleep(0);
      look();
      yield* both.whenIdle();
      look();

      expect(seen).toEqual([
        [],
        [
          [true, "b", 2],
          [true, "c", 1],
        ],
        [[true, "c", 1]],
        [],
      ]);
    });
  }
});
