import {
  Batcher,
  type BatcherOptions,
  ContextVar,
  type Coroutine,
  createTask,
  currentTask,
  DeadlockError,
  effectivePriority,
  gather,
  getRunningLoop,
  RefusedError,
  sleep,
  type Task,
  timeout,
  wait,
} from "tsyncio";
import { expect, test } from "vitest";
import { runVirtual, virtually } from "../support/virtual.ts";
import { SkewedClock, timers } from "./internals.ts";

const now = (): number => getRunningLoop().time();
const codeOf = (error: unknown): unknown => (error as { code?: unknown } | null)?.code;

function failInCleanup(): void {
  throw new RangeError("cleanup failed");
}

/** A batcher of doubles, with a record of its calls. */
function doubling(
  options?: BatcherOptions<number, number>,
  duration = 10,
): { batcher: Batcher<number, number>; calls: (readonly number[])[]; times: number[]; cleaned: number[] } {
  const calls: (readonly number[])[] = [];
  const times: number[] = [];
  const cleaned: number[] = [];
  const batcher = new Batcher<number, number>(function* (keys) {
    calls.push(keys);
    times.push(now());
    try {
      yield* sleep(duration);
    } finally {
      yield* sleep(1);
      cleaned.push(now());
    }
    return keys.map((key) => (key < 0 ? new RangeError(`no ${key}`) : 2 * key));
  }, options);
  return { batcher, calls, times, cleaned };
}

test.each([
  [{ maxSize: 0 }, "Expected `maxSize` to be an integer ≥ 1, got 0 (number)"],
  [{ maxSize: -1 }, "Expected `maxSize`"],
  [{ maxSize: 1.5 }, "Expected `maxSize`"],
  [{ maxSize: Number.NaN }, "Expected `maxSize`"],
  [{ concurrency: 0 }, "Expected `concurrency` to be an integer ≥ 1"],
  [{ concurrency: Number.NaN }, "Expected `concurrency`"],
  [{ maxWait: -1 }, "Expected `maxWait` to be ≥ 0 ms, got -1 (number)"],
  [{ maxWait: Number.NaN }, "Expected `maxWait` in milliseconds"],
] as [BatcherOptions<number, number>, string][])("Batcher refuses %j", (options, message) => {
  expect(() => doubling(options)).toThrow(RangeError);
  expect(() => doubling(options)).toThrow(message);
});

test("Batcher refuses what is no function, key, cache or list of keys", () => {
  const fn = (keys: readonly number[]): number[] => [...keys];
  // @ts-expect-error no function
  expect(() => new Batcher(5)).toThrow("Expected the body of Batcher() to be a function* or an async function, got 5 (number)");
  // @ts-expect-error a name belongs into options
  expect(() => new Batcher(fn, "users")).toThrow("Expected `options` to be an object such as { name }");
  // @ts-expect-error no function
  expect(() => new Batcher(fn, { key: "id" })).toThrow('Expected `key` to be a function of a key, got "id" (string)');
  // @ts-expect-error no cache
  expect(() => new Batcher(fn, { cache: { get() {} } })).toThrow("Expected `cache` to be true, false, or to have get, set");
  // @ts-expect-error no boolean
  expect(() => new Batcher(fn, { cacheErrors: 1 })).toThrow("Expected `cacheErrors` to be true or false");
  // @ts-expect-error no keys
  expect(() => new Batcher(fn).loadMany(5)).toThrow("Expected `keys` to be an iterable of keys, got 5 (number)");
  const absent = { maxSize: undefined, maxWait: undefined, concurrency: undefined, key: undefined, cache: undefined };
  expect(String(new Batcher(fn, { ...absent, name: undefined, cacheErrors: undefined }))).toBe(
    "<Batcher (0 calls under way, 0 keys wait)>",
  );
});

test("Batcher.load(), makes one call of the loads of many tasks, in both spellings", async () => {
  await virtually(async () => {
    const { batcher, calls } = doubling();
    function* coroutine(key: number): Coroutine<number> {
      return yield* batcher.load(key);
    }
    const results = await gather(coroutine(1), async () => await batcher.load(2), batcher.load(3), createTask(coroutine(1)));

    expect(results).toEqual([2, 4, 6, 2]);
    expect(await Promise.all([4, 5, 4].map((key) => batcher.load(key)))).toEqual([8, 10, 8]);
    expect(calls).toEqual([
      [1, 2, 3],
      [4, 5],
    ]);
  });
});

test("Batcher.load(), is in one batch with all that are made while something is ready, however many turns they take", async () => {
  await virtually(async () => {
    const { batcher, calls } = doubling();
    function* slow(key: number): Coroutine<number> {
      for (let i = 0; i < key; i++) yield* sleep(0);
      return yield* batcher.load(key);
    }
    async function chained(key: number): Promise<number> {
      for (let i = 0; i < key; i++) await null;
      for (let i = 0; i < key; i++) await sleep(0);
      return await batcher.load(key);
    }
    const foreign = new Promise<void>((resolve) => {
      getRunningLoop().callSoon(() => {
        void Promise.resolve()
          .then(() => {})
          .then(resolve);
      });
    });
    const afterForeign = async (): Promise<number> => {
      await foreign;
      return await batcher.load(99);
    };
    function* nested(): Coroutine<unknown> {
      return yield* gather(gather(gather(sleep(0), sleep(0)), sleep(0)), createTask(slow(31)));
    }

    await gather(
      slow(0),
      slow(1),
      slow(30),
      () => chained(5),
      () => chained(12),
      afterForeign,
      nested(),
    );

    expect(calls.length).toBe(1);
    expect([...(calls[0] as number[])].sort((a, b) => a - b)).toEqual([0, 1, 5, 12, 30, 31, 99]);
  });
});

test("Batcher.load(), waits for an async function that goes on when a foreign promise is kept", async () => {
  await virtually(function* () {
    const { batcher, calls } = doubling();
    let keep: (value: unknown) => void = () => {};
    let promise = new Promise<unknown>((resolve) => {
      keep = resolve;
    });
    for (let i = 0; i < 20; i++) promise = promise.then(() => {});
    const late = createTask(async () => {
      await promise;
      return await batcher.load(2);
    });
    yield* sleep(5);
    // The promise is kept in the turn in which the last task that is ready loads its key.
    getRunningLoop().callSoon(keep, null);

    yield* gather(batcher.load(1), late);

    expect(calls).toEqual([[1, 2]]);
  });
});

test("Batcher.load(), does not wait for those that sleep", async () => {
  await virtually(function* () {
    const { batcher, calls, times } = doubling();
    function* later(key: number): Coroutine<number> {
      yield* sleep(5);
      return yield* batcher.load(key);
    }
    yield* gather(batcher.load(1), later(2), later(3));

    expect([calls, times]).toEqual([
      [[1], [2, 3]],
      [0, 5],
    ]);
  });
});

test("Batcher, sends although something is always ready, after a while", async () => {
  const clock = new SkewedClock();
  await virtually(function* () {
    const { batcher } = doubling(undefined, 1);
    let turns = 0;
    const busy = createTask(function* () {
      for (;;) {
        turns++;
        clock.busy(1);
        yield* sleep(0);
      }
    });

    expect(yield* batcher.load(1)).toBe(2);
    expect(turns).toBeGreaterThan(5);
    yield* busy.cancelAndWait();
  }, clock);
});

test("Batcher by size, sends as soon as a batch is full", async () => {
  await virtually(function* () {
    const { batcher, calls } = doubling({ maxSize: 2, maxWait: Number.POSITIVE_INFINITY });
    const loads = [1, 2, 2, 1, 3, 4, 5].map((key) => createTask(batcher.load(key)));
    yield* sleep(20);

    expect(calls).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(batcher.statistics()).toEqual({ loads: 7, hits: 0, batches: 2, keys: 4, waiting: 1, running: 0 });
    batcher.flush();
    expect(yield* gather(loads)).toEqual([2, 4, 4, 2, 6, 8, 10]);
    expect(calls.length).toBe(3);
  });
});

test("Batcher by size 1, makes a call of each key; equal ones are one until it is sent", async () => {
  await virtually(function* () {
    const { batcher, calls } = doubling({ maxSize: 1 });

    yield* gather(batcher.load(1), batcher.load(2), batcher.load(1));
    yield* batcher.load(1);

    expect(calls).toEqual([[1], [2], [1]]);
  });
});

test("Batcher by age, collects for that long from the first load on", async () => {
  await virtually(function* () {
    const { batcher, calls, times } = doubling({ maxWait: "20ms" });
    function* at(time: number, key: number): Coroutine<number> {
      yield* sleep(time);
      return yield* batcher.load(key);
    }

    yield* gather(at(5, 1), at(15, 2), at(24, 3), at(26, 4), at(90, 5));

    expect([calls, times]).toEqual([
      [[1, 2, 3], [4], [5]],
      [25, 46, 110],
    ]);
  });
});

test("Batcher of concurrency, lets so many calls run; what waits goes on collecting", async () => {
  await virtually(function* () {
    const { batcher, calls, times } = doubling({ concurrency: 1, maxSize: 3 });
    function* at(time: number, key: number): Coroutine<number> {
      yield* sleep(time);
      return yield* batcher.load(key);
    }

    yield* gather(at(0, 1), at(2, 2), at(4, 3), at(6, 4), at(8, 5), at(8, 2));

    expect([calls, times]).toEqual([
      [[1], [2, 3, 4], [5]],
      [0, 11, 22],
    ]);
  });
});

test("Batcher by key, tells objects apart by what it gives, and asks with the first of them", async () => {
  await virtually(function* () {
    const calls: unknown[] = [];
    const batcher = new Batcher(
      (keys: readonly { id: number; by: string }[]) => {
        calls.push(keys.map((key) => key.by));
        return keys.map((key) => key.id * 2);
      },
      { key: (key) => key.id },
    );

    const results = yield* gather(
      batcher.load({ id: 1, by: "a" }),
      batcher.load({ id: 1, by: "b" }),
      batcher.load({ id: 2, by: "c" }),
    );

    expect([results, calls]).toEqual([[2, 2, 4], [["a", "c"]]]);
  });
});

test("Batcher, throws what `key` throws, where it is awaited", async () => {
  await virtually(function* () {
    const batcher = new Batcher((keys: readonly number[]) => keys, {
      key: (key) => {
        if (key === 2) throw new RangeError("bad key");
        return key;
      },
    });
    const tasks = [createTask(batcher.load(2)), createTask(batcher.loadMany([1, 2])), createTask(batcher.load(3))];
    yield* wait(tasks);

    expect(tasks.map((task) => (task.exception() as Error | null)?.message)).toEqual(["bad key", "bad key", undefined]);
    expect(batcher.statistics()).toMatchObject({ batches: 1, keys: 1, waiting: 0, running: 0 });
  });
});

test("Batcher, throws an Error among the answers to those who want its key, and to nobody else", async () => {
  await virtually(function* () {
    const { batcher } = doubling();
    const tasks = [1, -2, -2, 3].map((key) => createTask(batcher.load(key)));
    yield* wait(tasks);

    const ends = tasks.map((task) => (task.exception() as Error | null)?.message ?? task.result());
    expect(ends).toEqual([2, "no -2", "no -2", 6]);
  });
});

const bad: [string, unknown, string][] = [
  ["too few values", [1], "one per key and in their order, or a Map or a plain object by key, got 1 values"],
  ["too many values", [1, 2, 3], "got 3 values"],
  [
    "nothing",
    undefined,
    "an array of 2 values, one per key and in their order, or a Map or a plain object by key, got undefined",
  ],
  ["null", null, "got null"],
  ["a string", "ab", 'got "ab" (string)'],
  ["a Set", new Set([1, 2]), "got an instance of Set"],
];
test.each(bad)("Batcher, tells every caller, when its function returns %s", async (_name, answers, message) => {
  await virtually(function* () {
    const batcher = new Batcher((_keys: readonly number[]) => answers as number[], { name: "users" });
    const tasks = [1, 2].map((key) => createTask(batcher.load(key)));
    yield* wait(tasks);

    for (const task of tasks) {
      const error = task.exception() as Error;
      expect(codeOf(error)).toBe("BAD_BATCH");
      expect(error.message).toContain("Expected the function of Batcher 'users' to return ");
      expect(error.message).toContain(message);
    }
  });
});

test("Batcher, takes a Map, an object or a typed array as answers; a key without an answer is an error of that key", async () => {
  await virtually(function* () {
    const answers: unknown[] = [];
    for (const made of [
      new Map<string, unknown>([
        ["a", 1],
        ["b", undefined],
      ]),
      { a: 1, b: undefined },
      Object.assign(Object.create(null), { a: 1, b: undefined }),
    ]) {
      const batcher = new Batcher<string, unknown>(() => made as Map<string, unknown>);
      const tasks = ["a", "b", "toString"].map((key) => createTask(batcher.load(key)));
      yield* wait(tasks);
      answers.push(tasks[0]?.result(), tasks[1]?.result(), (tasks[2]?.exception() as Error | undefined)?.message);
    }
    const floats = new Batcher((keys: readonly number[]) => Float64Array.from(keys));

    const message =
      'Batcher got no answer for the key "toString" (string); if there is no value, answer undefined, null or an Error';
    expect(answers).toEqual([1, undefined, message, 1, undefined, message, 1, undefined, message]);
    expect(yield* floats.loadMany([1.5, 2.5])).toEqual([1.5, 2.5]);
  });
});

test.each([
  [
    "a coroutine that throws",
    function* (): Coroutine<number[]> {
      yield* sleep(1);
      throw new RangeError("down");
    },
  ],
  [
    "an async function that rejects",
    async (): Promise<number[]> => {
      await sleep(1);
      throw new RangeError("down");
    },
  ],
  [
    "a function that throws at once",
    (): number[] => {
      throw new RangeError("down");
    },
  ],
])("Batcher, fails every caller with the error of %s, and works again", async (_name, fn) => {
  await virtually(function* () {
    const batcher = new Batcher<number, number>(fn, { cache: true });
    for (let round = 0; round < 2; round++) {
      const tasks = [1, 2].map((key) => createTask(batcher.load(key)));
      yield* wait(tasks);
      expect(tasks.map((task) => (task.exception() as Error).message)).toEqual(["down", "down"]);
    }

    expect(batcher.statistics()).toEqual({ loads: 4, hits: 0, batches: 2, keys: 4, waiting: 0, running: 0 });
  });
});

test("Batcher.loadMany() gives values in order, throws the first error at once, or gives errors as values", async () => {
  await virtually(function* () {
    const { batcher, calls } = doubling();

    const values = yield* batcher.loadMany(new Set([3, 1, 2]));
    const mixed = yield* batcher.loadMany([1, -1, 1], { returnExceptions: true });
    const failing = createTask(batcher.loadMany([1, -1, 2]));
    yield* failing.join();

    expect([values, mixed, yield* batcher.loadMany([])]).toEqual([[6, 2, 4], [2, new RangeError("no -1"), 2], []]);
    expect((failing.exception() as Error).message).toBe("no -1");
    expect(calls).toEqual([
      [3, 1, 2],
      [1, -1],
      [1, -1, 2],
    ]);
  });
});

test("Batcher.loadMany() cancels and awaits the calls that nobody wants any more, when a key has failed", async () => {
  const calls: string[] = [];
  await virtually(function* () {
    const batcher = new Batcher<number, number>(
      function* (keys) {
        try {
          yield* sleep((keys[0] as number) < 0 ? 1 : 100);
        } finally {
          yield* sleep(2);
          calls.push(`${keys} ${now()}`);
        }
        return keys.map((key) => (key < 0 ? new RangeError(`no ${key}`) : key));
      },
      { maxSize: 1 },
    );
    const shared = createTask(batcher.load(7));
    const many = createTask(batcher.loadMany([1, -1, 2]));
    yield* many.join();

    expect((many.exception() as Error).message).toBe("no -1");
    expect(now()).toBe(5);
    yield* shared;
  });

  expect(calls).toEqual(["-1 3", "1 5", "2 5", "7 102"]);
});

test("Batcher.loadMany(), when it is cancelled, cancels and awaits all calls that nobody else wants", async () => {
  await virtually(function* () {
    const ended: string[] = [];
    const batcher = new Batcher<number, number>(
      function* (keys) {
        try {
          yield* sleep(100);
        } finally {
          yield* sleep(keys[0] as number);
          ended.push(`${keys} ${now()}`);
        }
        return [...keys];
      },
      { maxSize: 1 },
    );
    const many = createTask(batcher.loadMany([1, 7, 4]));
    yield* sleep(5);
    yield* many.cancelAndWait();

    expect([many.cancelled(), now(), ended]).toEqual([true, 12, ["1 6", "4 9", "7 12"]]);
  });
});

test("Batcher with a cache, asks for a key once, also while it is being asked for", async () => {
  await virtually(function* () {
    const { batcher, calls } = doubling({ cache: true });
    const first = createTask(batcher.load(1));
    yield* sleep(5);
    const second = createTask(batcher.loadMany([1, 2]));
    yield* gather(first, second);
    const before = now();

    expect([yield* batcher.load(1), yield* batcher.loadMany([2, 1])]).toEqual([2, [4, 2]]);
    expect([calls, now() - before, batcher.statistics().hits]).toEqual([[[1], [2]], 0, 3]);
  });
});

test("Batcher without a cache, asks again in each batch", async () => {
  await virtually(function* () {
    const { batcher, calls } = doubling();
    const first = createTask(batcher.load(1));
    yield* sleep(5);
    yield* gather(first, createTask(batcher.load(1)));

    expect(calls).toEqual([[1], [1]]);
  });
});

test("Batcher with a cache, keeps errors only if asked to", async () => {
  await virtually(function* () {
    for (const cacheErrors of [false, true]) {
      const { batcher, calls } = doubling({ cache: true, cacheErrors });
      for (let round = 0; round < 2; round++) {
        const [good, failed] = yield* batcher.loadMany([1, -1], { returnExceptions: true });
        expect([good, (failed as Error).message]).toEqual([2, "no -1"]);
      }
      expect(calls).toEqual(cacheErrors ? [[1, -1]] : [[1, -1], [-1]]);
    }
  });
});

test("Batcher.prime(), .clear() and .clearAll() change what is known", async () => {
  await virtually(function* () {
    const { batcher, calls } = doubling({ cache: true });
    batcher.prime(1, 100).prime(1, 200).prime(2, new RangeError("primed"));
    const failing = createTask(batcher.load(2));
    yield* failing.join();

    expect([yield* batcher.load(1), (failing.exception() as Error).message]).toEqual([100, "primed"]);
    batcher.clear(1);
    expect(yield* batcher.load(1)).toBe(2);
    batcher.clearAll().prime(1, 5);
    expect(yield* batcher.loadMany([1, 2])).toEqual([5, 4]);
    expect(calls).toEqual([[1], [2]]);
    expect(() => batcher.prime(9, Promise.resolve(9) as never)).toThrow(
      "Expected `value` to be a value or an Error, got an instance of Promise; await it first",
    );
    expect(() => doubling({ name: "bare" }).batcher.prime(1, 1)).toThrow(
      "Cannot prime Batcher 'bare': it has no cache; make it with `cache`",
    );
  });
});

test.each(["clear", "clearAll"] as const)("Batcher.%s(), keeps no answer that was asked for before it", async (method) => {
  await virtually(function* () {
    let version = 1;
    const batcher = new Batcher<number, number>(
      function* (keys) {
        const read = version;
        yield* sleep(10);
        return keys.map(() => read);
      },
      { cache: true },
    );
    const stale = createTask(batcher.load(1));
    yield* sleep(5);
    version = 2;
    batcher[method](1);
    const fresh = createTask(batcher.load(1));
    yield* gather(stale, fresh);

    expect([stale.result(), fresh.result(), yield* batcher.load(1)]).toEqual([1, 2, 2]);
  });
});

test("Batcher.clear(), keeps no answer that was asked for before it, if nobody has asked since", async () => {
  await virtually(function* () {
    const { batcher, calls } = doubling({ cache: true });
    const stale = createTask(batcher.load(1));
    yield* sleep(5);
    batcher.clear(1);
    yield* stale;
    yield* batcher.load(1);

    expect(calls).toEqual([[1], [1]]);
  });
});

test("Batcher.clear() of a key that has not been sent, lets its answer be kept", async () => {
  await virtually(function* () {
    const { batcher, calls } = doubling({ cache: true, maxWait: 5 });
    const load = createTask(batcher.load(1));
    yield* sleep(1);
    batcher.clear(1);
    batcher.prime(1, 77);
    yield* gather(load, createTask(batcher.load(1)));

    expect([yield* batcher.load(1), calls]).toEqual([2, [[1]]]);
  });
});

test("Batcher with a cache of one's own, keeps what is known in it; one that fails is reported, and loses nothing", async () => {
  const known = new Map<string, unknown>();
  const { errors } = await runVirtual(function* () {
    const batcher = new Batcher<number, number, string>((keys) => keys.map((key) => key * 2), {
      key: String,
      cache: {
        get: (key) => known.get(key) as never,
        set: (key, value) => {
          if (key === "3") throw new RangeError("full");
          known.set(key, value);
        },
        delete: (key) => known.delete(key),
        clear: () => known.clear(),
      },
    });

    expect(yield* batcher.loadMany([1, 2, 3])).toEqual([2, 4, 6]);
  });

  expect([...known]).toEqual([
    ["1", { value: 2 }],
    ["2", { value: 4 }],
  ]);
  expect(errors.map((each) => each.message)).toEqual(["The cache of Batcher failed"]);
});

test("Batcher.load(), when it is cancelled before it is sent, takes the key along if nobody else wants it", async () => {
  await virtually(function* () {
    const { batcher, calls } = doubling({ maxWait: 10, cache: true });
    const [a, b, c] = [1, 1, 2].map((key) => createTask(batcher.load(key))) as [Task<number>, Task<number>, Task<number>];
    yield* sleep(1);
    a.cancel();
    c.cancel();

    expect(yield* b).toBe(2);
    expect([calls, a.cancelled(), c.cancelled()]).toEqual([[[1]], true, true]);
    const alone = createTask(batcher.load(3));
    yield* sleep(1);
    alone.cancel();
    yield* batcher.whenIdle();
    expect([calls.length, batcher.statistics().waiting, timers().next()]).toEqual([1, 0, Number.POSITIVE_INFINITY]);
  });
});

test("Batcher.load(), when it is cancelled after it is sent, leaves at once if others want something of the call", async () => {
  await virtually(function* () {
    const { batcher } = doubling({ cache: true });
    const [a, b] = [1, 2].map((key) => createTask(batcher.load(key))) as [Task<number>, Task<number>];
    yield* sleep(5);
    a.cancel();
    yield* a.join();

    expect([now(), a.cancelled(), yield* b]).toEqual([5, true, 4]);
    // What was loaded all the same is kept.
    expect([yield* batcher.load(1), now()]).toEqual([2, 11]);
  });
});

test("Batcher.load(), when the last caller of a call is cancelled, cancels and awaits the call, and keeps nothing of it", async () => {
  await virtually(function* () {
    const { batcher, calls, cleaned } = doubling({ cache: true });
    const [a, b] = [1, 2].map((key) => createTask(batcher.load(key))) as [Task<number>, Task<number>];
    yield* sleep(5);
    a.cancel();
    b.cancel("enough");
    yield* sleep(0);
    // Whoever comes now does not join a call that is being cancelled.
    const late = createTask(batcher.load(1));
    yield* b.join();

    expect([now(), cleaned, a.cancelled(), b.cancelled()]).toEqual([6, [6], true, true]);
    expect(yield* late).toBe(2);
    expect(calls).toEqual([[1, 2], [1]]);
  });
});

test("Batcher.load(), when it is cancelled twice, cancels the call's cleanup, too", async () => {
  await virtually(function* () {
    const { batcher, cleaned } = doubling();
    const task = createTask(batcher.load(1));
    yield* sleep(5);
    task.cancel("first");
    yield* sleep(0);
    yield* sleep(0);
    task.cancel("second");
    yield* task.join();

    expect([now(), cleaned, task.cancelled()]).toEqual([5, [], true]);
  });
});

test("Batcher.load(), when it is cancelled and the call refuses to end, is cancelled when that has ended", async () => {
  await virtually(function* () {
    const batcher = new Batcher<number, number>(
      function* (keys) {
        try {
          yield* sleep(10);
        } catch {
          currentTask()?.uncancel();
          yield* sleep(10);
        }
        return [...keys];
      },
      { cache: true },
    );
    const task = createTask(batcher.load(1));
    yield* sleep(5);
    task.cancel();
    yield* task.join();

    expect([now(), task.cancelled(), batcher.statistics().running]).toEqual([15, true, 0]);
  });
});

test("Batcher.load(), when it is cancelled and the call's cleanup fails, throws that error", async () => {
  await virtually(function* () {
    const batcher = new Batcher<number, number>(function* (keys) {
      try {
        yield* sleep(10);
      } finally {
        failInCleanup();
      }
      return [...keys];
    });
    const task = createTask(batcher.load(1));
    yield* sleep(5);
    task.cancel();
    yield* task.join();

    expect((task.exception() as Error).message).toBe("cleanup failed");
  });
});

test("Batcher.load() under a timeout, ends in time and cancels the call", async () => {
  await virtually(function* () {
    const { batcher, cleaned } = doubling(undefined, 1000);
    const task = createTask(() => timeout(5, () => batcher.load(1)));
    yield* task.join();

    expect([codeOf(task.exception()), cleaned]).toEqual(["TIMEOUT", [6]]);
  });
});

test("Batcher.load() in an async function, is cancelled and cleans up as in a coroutine", async () => {
  await virtually(async () => {
    const { batcher, cleaned } = doubling(undefined, 1000);
    const task = createTask(async () => await batcher.load(1));
    await sleep(5);
    await task.cancelAndWait();

    expect([task.cancelled(), cleaned]).toEqual([true, [6]]);
  });
});

test("Batcher, aborts the signal of a call that nobody wants any more", async () => {
  await virtually(async () => {
    let aborted = -1;
    const batcher = new Batcher<number, number>(async (keys) => {
      const signal = currentTask()?.signal as AbortSignal;
      await new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          aborted = now();
          reject(signal.reason as Error);
        });
      });
      return [...keys];
    });
    const task = createTask(batcher.load(1));
    await sleep(5);
    await task.cancelAndWait();

    expect([aborted, task.cancelled(), batcher.statistics().running]).toEqual([5, true, 0]);
  });
});

test("Batcher, tells callers that a call was cancelled by others, and not that they were", async () => {
  await virtually(function* () {
    const batcher = new Batcher<number, number>(
      function* (keys) {
        currentTask()?.cancel();
        yield* sleep(1);
        return [...keys];
      },
      { name: "users" },
    );
    const task = createTask(batcher.load(1));
    yield* task.join();

    expect([task.cancelled(), codeOf(task.exception())]).toEqual([false, "BATCH_CANCELLED"]);
    expect((task.exception() as Error).message).toBe("The call of Batcher 'users' was cancelled");
  });
});

test("Batcher, runs its function in its own context and task, and each caller goes on in its own", async () => {
  await virtually(function* () {
    const user = new ContextVar<string>("user", { default: "nobody" });
    user.set("maker");
    const seen: unknown[] = [];
    const batcher = new Batcher<number, number>(
      function* (keys) {
        seen.push(user.get(), currentTask()?.name, currentTask()?.parentId);
        user.set("batch");
        yield* sleep(1);
        return [...keys];
      },
      { maxSize: 2, name: "users" },
    );
    user.set("later");
    function* caller(name: string, key: number): Coroutine<string> {
      user.set(name);
      yield* batcher.load(key);
      return user.get();
    }

    const [a, b] = [createTask(caller("ann", 1)), createTask(caller("bob", 2))];

    expect([yield* gather(a, b), user.get()]).toEqual([["ann", "bob"], "later"]);
    expect(seen).toEqual(["maker", "Batcher 'users' #1", 0]);
  });
});

test("Batcher, whose function loads from itself while it may make one call only, is named in a deadlock", async () => {
  const failing = virtually(function* () {
    const batcher: Batcher<number, number> = new Batcher<number, number>(
      function* (keys) {
        return [...keys, yield* batcher.load(2)];
      },
      { name: "users", concurrency: 1 },
    );
    yield* batcher.load(1);
  });

  await expect(failing).rejects.toBeInstanceOf(DeadlockError);
  await expect(failing).rejects.toThrow("waits for Batcher 'users' (1 calls under way, 1 keys wait)");
  await expect(failing).rejects.toThrow("cycle: Batcher 'users' #1 → Batcher 'users' #1");
});

test("Batcher.close() sends what waits, waits for all, and refuses what comes", async () => {
  await virtually(function* () {
    const { batcher, calls } = doubling({ maxWait: "1h", name: "users" });
    const task = createTask(batcher.load(1));
    yield* sleep(1);

    yield* batcher.close();

    expect([now(), yield* task, calls]).toEqual([12, 2, [[1]]]);
    const late = createTask(batcher.load(2));
    yield* late.join();
    expect(late.exception()).toBeInstanceOf(RefusedError);
    expect((late.exception() as Error).message).toBe("Cannot load from Batcher 'users': it was shut down");
  });
});

test("Batcher, at the end of a `using` block, refuses those that wait, and cancels calls", async () => {
  const { errors } = await runVirtual(function* () {
    const { batcher, cleaned } = doubling({ maxWait: 5 });
    const sent = createTask(batcher.load(1));
    yield* sleep(7);
    const waiting = createTask(batcher.load(2));
    yield* sleep(1);
    {
      using _ = batcher;
    }
    yield* wait([sent, waiting]);

    expect([sent, waiting].map((task) => codeOf(task.exception()))).toEqual(["SHUT_DOWN", "SHUT_DOWN"]);
    yield* batcher.whenIdle();
    expect([now(), cleaned, batcher.statistics().running]).toEqual([9, [9], 0]);
  });

  expect(errors).toEqual([]);
});

test("Batcher, at the end of an `await using` block, waits for all", async () => {
  await virtually(async () => {
    const { batcher } = doubling({ maxWait: "1h" });
    let task: Task<number>;
    {
      await using users = batcher;
      task = createTask(users.load(1));
      await sleep(1);
    }

    expect([now(), task.done(), await task]).toEqual([12, true, 2]);
  });
});

test("Batcher, reports an error that nobody waits for any more", async () => {
  const { errors } = await runVirtual(function* () {
    const batcher = new Batcher<number, number>(function* () {
      try {
        yield* sleep(10);
      } finally {
        yield* sleep(1);
        failInCleanup();
      }
      return [];
    });
    const task = createTask(batcher.load(1));
    yield* sleep(5);
    batcher.shutdown({ immediate: true });
    yield* task.join();
    yield* batcher.whenIdle();
  });

  expect(errors.map((each) => [each.message, (each.exception as Error).message])).toEqual([
    ["Batcher failed, and nobody waits for it any more", "cleanup failed"],
  ]);
});

test("Batcher, serves one program after the other", async () => {
  const { batcher } = doubling();

  const results = [];
  for (let i = 1; i < 3; i++) results.push(await virtually(() => batcher.load(i)));

  expect(results).toEqual([2, 4]);
});

test("Batcher.load(), lifts its call to the priority of who waits for it, when that is sent", async () => {
  await virtually(function* () {
    const seen: number[] = [];
    const batcher = new Batcher(function* (keys: readonly number[]) {
      yield* sleep(1);
      seen.push(effectivePriority(currentTask() as Task<unknown>));
      return keys;
    });
    yield* createTask(batcher.load(1), { priority: 5 });
    yield* batcher.load(2);

    expect(seen).toEqual([5, 0]);
  });
});
