import {
  asCompleted,
  CapacityLimiter,
  CombinedLimiter,
  type Coroutine,
  createTask,
  currentTask,
  ExceptionGroup,
  Future,
  forEach,
  getRunningLoop,
  isCancelled,
  Lock,
  type Mapping,
  map,
  Queue,
  RateLimiter,
  type RuntimeError,
  Semaphore,
  SKIP,
  STOP,
  sleep,
  type Task,
  TimeoutError,
  timeout,
} from "tsyncio";
import { describe, expect, expectTypeOf, test } from "vitest";
import { runVirtual, virtually } from "../support/virtual.ts";

/** Counts how many are inside, at most. */
class Crowd {
  inside = 0;
  most = 0;
  begun: unknown[] = [];
  ended: unknown[] = [];
  cleaned: unknown[] = [];

  *work<T>(item: T, delay = 1): Coroutine<T> {
    this.begun.push(item);
    this.inside++;
    this.most = Math.max(this.most, this.inside);
    try {
      yield* sleep(delay);
      this.ended.push(item);
      return item;
    } finally {
      this.inside--;
      yield* sleep(0);
      this.cleaned.push(item);
    }
  }
}

/** An endless source that tells what was read of it, and whether it was closed. */
class Numbers {
  read = 0;
  closed = 0;

  *sync(): Generator<number, void, unknown> {
    try {
      for (;;) yield this.read++;
    } finally {
      this.closed++;
    }
  }

  async *async(delay = 0): AsyncGenerator<number, void, unknown> {
    try {
      for (;;) {
        if (delay > 0) await sleep(delay);
        yield this.read++;
      }
    } finally {
      if (delay > 0) await sleep(delay);
      this.closed++;
    }
  }
}

async function caught(job: () => unknown): Promise<unknown> {
  try {
    await job();
  } catch (error) {
    return error;
  }
  throw new Error("It did not throw");
}

/** The error that a coroutine throws. */
function* thrownBy(job: Coroutine<unknown>): Coroutine<unknown> {
  try {
    yield* job;
  } catch (error) {
    return error;
  }
  throw new Error("It did not throw");
}

const DELAYS = [5, 1, 4, 2, 3];

describe("map() as a whole", () => {
  test("map(), gives the results in the order of the items, whatever the order of their ends", async () => {
    const { result, elapsed } = await runVirtual(map(DELAYS, (delay) => sleep(delay, `${delay}!`)));

    expect(result).toEqual(["5!", "1!", "4!", "2!", "3!"]);
    expect(elapsed).toBe(5);
  });

  test("map(), gives the results in the order of their ends, when not ordered", async () => {
    const result = await virtually(map(DELAYS, (delay) => sleep(delay, delay), { ordered: false }));

    expect(result).toEqual([1, 2, 3, 4, 5]);
  });

  test("map(), takes functions of every kind, with item and index", async () => {
    const items = ["a", "b"];

    const results = await virtually(function* () {
      return [
        yield* map(items, function* (item, index) {
          yield* sleep(1);
          return item + index;
        }),
        yield* map(items, async (item, index) => {
          await sleep(1);
          return item + index;
        }),
        yield* map(items, (item, index) => item + index),
        yield* map(items, (item, index) => Promise.resolve(item + index)),
        yield* map(items, (item, index) => createTask(sleep(1, item + index))),
        yield* map(items, (item, index) => map([index], (n) => item + n)),
      ];
    });

    expect(results).toEqual([
      ["a0", "b1"],
      ["a0", "b1"],
      ["a0", "b1"],
      ["a0", "b1"],
      ["a0", "b1"],
      [["a0"], ["b1"]],
    ]);
  });

  test("map(), can be awaited, in a task and outside of any", async () => {
    const inside = await virtually(async () => await map([1, 2], (n) => sleep(1, n * 2)));
    const outside = await map([1, 2], (n) => n * 2);

    expect([inside, outside]).toEqual([
      [2, 4],
      [2, 4],
    ]);
  });

  test("map(), keeps to its concurrency, and uses all of it", async () => {
    const crowd = new Crowd();

    const { elapsed } = await runVirtual(map([1, 2, 3, 4, 5, 6, 7], (n) => crowd.work(n, 10), { concurrency: 3 }));

    expect(crowd.most).toBe(3);
    expect(elapsed).toBe(30);
  });

  test("map(), runs one after another, with a concurrency of 1", async () => {
    const crowd = new Crowd();

    await virtually(map([1, 2, 3], (n) => crowd.work(n), { concurrency: 1 }));

    expect(crowd.most).toBe(1);
    expect(crowd.cleaned).toEqual([1, 2, 3]);
  });

  test("map(), runs all at once, by default", async () => {
    const crowd = new Crowd();

    const { elapsed } = await runVirtual(map(Array(1000).keys(), (n) => crowd.work(n, 10)));

    expect(crowd.most).toBe(1000);
    expect(elapsed).toBe(10);
  });

  test("map(), runs nothing and reads nothing, before it is awaited", async () => {
    const numbers = new Numbers();

    await virtually(function* () {
      map(numbers.sync(), (n) => n);
      yield* sleep(10);
    });

    expect(numbers.read).toBe(0);
  });

  test("map(), is for one use, whichever", async () => {
    const errors = await virtually(async () => {
      const twice = map([1], (n) => n);
      await twice;
      const iterated = map([1], (n) => n);
      for await (const _ of iterated);
      return [
        await caught(() => twice),
        await caught(() => iterated),
        await caught(async () => {
          for await (const _ of twice);
        }),
        await caught(() => forEach(twice, () => {})),
      ];
    });

    expect(errors.map((error) => (error as { code: string }).code)).toEqual(Array(4).fill("COROUTINE_REUSED"));
  });

  test("map(), of nothing, gives nothing", async () => {
    expect(await virtually(map([], () => 1))).toEqual([]);
    expect(await virtually(map(new Numbers().sync(), () => STOP))).toEqual([]);
  });

  test("map(), reads no more than it has room for", async () => {
    const numbers = new Numbers();
    const seen: number[] = [];

    await virtually(
      map(
        numbers.sync(),
        function* (n) {
          yield* sleep(1);
          seen.push(numbers.read);
          return n < 5 ? n : STOP;
        },
        { concurrency: 2 },
      ),
    );

    expect(seen.slice(0, 5)).toEqual([2, 2, 4, 4, 6]);
    expect(numbers.closed).toBe(1);
  });

  test("map(), names its tasks, and makes them children of its own task", async () => {
    const names = await virtually(function* () {
      const me = currentTask() as Task<unknown>;
      function* tell(): Coroutine<[string, boolean]> {
        yield* sleep(0);
        const task = currentTask() as Task<unknown>;
        return [task.name, task.parentId === me.id];
      }
      return [...(yield* map([1, 2], tell)), ...(yield* map([1], tell, { name: "crawl" }))];
    });

    expect(names).toEqual([
      ["map[0]", true],
      ["map[1]", true],
      ["crawl[0]", true],
    ]);
  });

  test("map(), lets others run, when an endless source is read without a limit", async () => {
    const numbers = new Numbers();
    const aborter = new AbortController();

    const error = await virtually(function* () {
      createTask(function* () {
        yield* sleep(0);
        yield* sleep(0);
        aborter.abort(new RangeError("enough"));
      });
      return yield* thrownBy(map(numbers.sync(), () => sleep("1h"), { signal: aborter.signal }));
    });

    expect(error).toBeInstanceOf(RangeError);
    expect(numbers.read).toBeLessThan(2000);
    expect(numbers.closed).toBe(1);
  });
});

describe("what map() reads", () => {
  test("map(), takes iterables of every kind", async () => {
    const results = await virtually(function* () {
      const queue = new Queue<string>();
      queue.putNowait("x");
      queue.putNowait("y");
      queue.shutdown();
      const twice = (item: unknown) => `${item}${item}`;
      return [
        yield* map("ab", twice),
        yield* map(new Set(["a", "b"]), twice),
        yield* map(new Map([["a", 1]]), ([key, value]) => key + value),
        yield* map(queue, twice),
        yield* map(ReadableStream.from(["s", "t"]), twice),
        yield* map(
          map([1, 2], (n) => n + 1),
          twice,
        ),
      ];
    });

    expect(results).toEqual([["aa", "bb"], ["aa", "bb"], ["a1"], ["xx", "yy"], ["ss", "tt"], ["22", "33"]]);
  });

  test("map(), takes what is completed of asCompleted()", async () => {
    const result = await virtually(function* () {
      return yield* map(asCompleted([sleep(2, "slow"), sleep(1, "fast")]), (word) => word, { concurrency: 1 });
    });

    expect(result).toEqual(["fast", "slow"]);
  });

  test("map(), awaits items that are promises, and those of its async source", async () => {
    async function* source(): AsyncGenerator<Promise<number> | number> {
      yield 3;
      yield Promise.resolve(4);
    }

    const result = await virtually(function* () {
      const task = createTask(sleep(3, 1));
      return [
        ...(yield* map([task, sleep(1, 2), 0, Promise.resolve(5)], (n) => n * 10)),
        ...(yield* map(source(), (n) => n * 10)),
      ];
    });

    expect(result).toEqual([10, 20, 0, 50, 30, 40]);
  });

  test("map(), counts an item that is awaited among those that run", async () => {
    const crowd = new Crowd();

    const { elapsed } = await runVirtual(map([sleep(10, 1), sleep(10, 2)], (n) => crowd.work(n, 0), { concurrency: 1 }));

    expect(elapsed).toBe(20);
  });

  test("map(), throws what a promise among its items is rejected with, and leaves none unhandled [real]", async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on("unhandledRejection", note);
    try {
      const late = [1, 2, 3].map((n) => Promise.reject(new RangeError(`item ${n}`)));

      const error = await caught(() => map([sleep("5ms", 0), ...late], (n) => n, { concurrency: 1 }));
      const settled = await map(
        (function* () {
          yield Promise.reject(new RangeError("lazy"));
        })(),
        (n) => n,
        { settled: true },
      );
      await new Promise((resolve) => setImmediate(resolve));

      expect((error as Error).message).toBe("item 1");
      expect(settled).toMatchObject([{ status: "rejected" }]);
      expect(unhandled).toEqual([]);
    } finally {
      process.off("unhandledRejection", note);
    }
  });

  test("map(), reads an async source one item at a time, and no further than there is room", async () => {
    const numbers = new Numbers();
    const crowd = new Crowd();

    await virtually(
      map(
        numbers.async(1),
        function* (n) {
          yield* crowd.work(n, 10);
          return n < 4 ? n : STOP;
        },
        { concurrency: 2 },
      ),
    );

    expect(crowd.most).toBe(2);
    expect(numbers.read).toBeLessThanOrEqual(6);
    expect(numbers.closed).toBe(1);
  });
});

describe("map() with a limiter", () => {
  test("map(), shares a limiter with others, and reads one item ahead of it", async () => {
    const seats = new Semaphore(3);
    const crowd = new Crowd();
    const numbers = new Numbers();

    await virtually(function* () {
      const job = () => map([1, 2, 3, 4, 5], (n) => crowd.work(n, 5), { concurrency: seats });
      const endless = createTask(map(numbers.sync(), (n) => crowd.work(n, 5), { concurrency: seats }));
      yield* map([1, 2], job);
      endless.cancel();
      yield* endless.join();
    });

    expect(crowd.most).toBe(3);
    expect(seats.value).toBe(3);
    expect(numbers.read).toBeLessThanOrEqual(crowd.begun.length + 1);
  });

  test("map(), reads an async source no further than one item that waits for its limiter", async () => {
    const seats = new Semaphore(2);
    const numbers = new Numbers();
    const crowd = new Crowd();

    await virtually(function* () {
      const endless = createTask(map(numbers.async(), (n) => crowd.work(n, 50), { concurrency: seats }));
      yield* sleep(20);
      expect([crowd.inside, numbers.read]).toEqual([2, 3]);
      endless.cancel();
      yield* endless.join();
    });

    expect([seats.value, numbers.closed]).toEqual([2, 1]);
  });

  test("map() of a map(), does not hold a shared permit, while it waits for the inner one", async () => {
    const one = new Semaphore(1);

    const result = await virtually(
      map(
        map([1, 2, 3], (n) => sleep(1, n), { concurrency: one }),
        (n) => sleep(1, n * 2),
        { concurrency: one },
      ),
    );

    expect(result).toEqual([2, 4, 6]);
    expect(one.value).toBe(1);
  });

  test("map(), takes limiters of every kind: weights, rates, both", async () => {
    const api = new CombinedLimiter({ concurrency: 2, rate: { limit: 1, per: 10 } });
    const kinds = [new Lock(), new CapacityLimiter(2), new RateLimiter({ limit: 1, per: 10 }), api];

    const elapsed = await Promise.all(
      kinds.map(async (concurrency) => {
        const run = await runVirtual(map([1, 2, 3, 4], (n) => sleep(5, n), { concurrency }));
        expect(run.result).toEqual([1, 2, 3, 4]);
        return run.elapsed;
      }),
    );

    expect(elapsed).toEqual([20, 10, 35, 35]);
    expect(api.running).toBe(0);
  });

  test("map(), takes an error of the limiter for that of the item", async () => {
    let calls = 0;
    const seats = new Semaphore(1);
    const limiter = {
      acquire: () => {
        if (++calls === 2) throw new RangeError("full");
        return seats.acquire();
      },
    };

    const results = await virtually(map([1, 2, 3], (n) => sleep(1, n), { concurrency: limiter, settled: true }));

    expect(results.map((each) => each.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(seats.value).toBe(1);
  });
});

describe("skipping, stopping and errors", () => {
  test("SKIP, leaves an item out, in any order", async () => {
    const odd = (n: number) => sleep(9 - n, n % 2 === 1 ? n : SKIP);

    expect(await virtually(map([1, 2, 3, 4, 5], odd))).toEqual([1, 3, 5]);
    expect(await virtually(map([1, 2, 3, 4, 5], odd, { ordered: false }))).toEqual([5, 3, 1]);
    expect(await virtually(map([1, 2], odd, { settled: true }))).toEqual([{ status: "fulfilled", value: 1 }]);
    for (const [ordered, expected] of [
      [true, [1, 3, 5]],
      [false, [5, 3, 1]],
    ] as const) {
      const seen: number[] = [];
      await virtually(
        forEach(map([0, 1, 2, 3, 4, 5, 6], odd, { ordered }), (n) => {
          seen.push(n);
        }),
      );
      expect(seen).toEqual(expected);
    }
  });

  test("STOP, finishes earlier items and cancels later ones, which are awaited", async () => {
    const crowd = new Crowd();

    const { result, elapsed } = await runVirtual(
      map([9, 5, 2, 50, 50, 50], function* (delay, index) {
        const value = yield* crowd.work(delay, delay);
        return index === 2 ? STOP : value;
      }),
    );

    expect(result).toEqual([9, 5]);
    expect(elapsed).toBe(9);
    expect(crowd.ended).toEqual([2, 5, 9]);
    expect(crowd.cleaned).toHaveLength(6);
  });

  test("STOP, drops results of later items that were there before", async () => {
    const stop = (delay: number) => sleep(delay, delay === 2 ? STOP : delay);

    const lists = await virtually(async () => {
      const seen: number[] = [];
      for await (const each of map([3, 2, 1, 1], stop)) seen.push(each);
      return [await map([3, 2, 1, 1], stop), seen];
    });

    expect(lists).toEqual([[3], [3]]);
  });

  test("STOP, of the earliest item counts, when several say so", async () => {
    const result = await virtually(map([4, 3, 2, 1], (delay, index) => sleep(delay, index >= 1 ? STOP : delay)));

    expect(result).toEqual([4]);
  });

  test("STOP, cancels all that runs, when not ordered", async () => {
    const crowd = new Crowd();

    const { result, elapsed } = await runVirtual(
      map(
        [9, 1, 2, 50],
        function* (delay, index) {
          const value = yield* crowd.work(delay, delay);
          return index === 2 ? STOP : value;
        },
        { ordered: false },
      ),
    );

    expect(result).toEqual([1]);
    expect(elapsed).toBe(2);
    expect(crowd.cleaned).toHaveLength(4);
  });

  test("an error, cancels and awaits what runs, closes the source, and is thrown as it is", async () => {
    const crowd = new Crowd();
    const numbers = new Numbers();
    const boom = new Error("boom");
    let closedBy: unknown[] = [];

    const { result, errors } = await runVirtual(
      thrownBy(
        map(
          numbers.sync(),
          function* (n) {
            yield* crowd.work(n, n === 1 ? 2 : 50);
            closedBy = [numbers.closed, crowd.cleaned.length];
            throw boom;
          },
          { concurrency: 4 },
        ),
      ),
    );

    expect(result).toBe(boom);
    expect(closedBy).toEqual([0, 1]);
    expect(crowd.cleaned).toHaveLength(4);
    expect([numbers.read, numbers.closed]).toEqual([4, 1]);
    expect(errors).toEqual([]);
  });

  test("an error, is that of the item, when a function throws at once, even in its parameters", async () => {
    const results = await virtually(function* () {
      return [
        yield* thrownBy(
          map([1], () => {
            throw new RangeError("at once");
          }),
        ),
        yield* thrownBy(
          map([null as unknown as { id: number }], function* ({ id }) {
            return yield* sleep(1, id);
          }),
        ),
        yield* map([null as unknown as { id: number }], ({ id }) => id, { settled: true }),
      ];
    });

    expect(results[0]).toBeInstanceOf(RangeError);
    expect(results[1]).toBeInstanceOf(TypeError);
    expect(results[2]).toMatchObject([{ status: "rejected" }]);
  });

  test("errors after the first one, are told to the exception handler", async () => {
    const { result, errors } = await runVirtual(
      thrownBy(
        map([1, 2, 3], function* (n) {
          try {
            yield* sleep(n);
          } finally {
            if (n === 3) yield* thrownBy(failing("in cleanup"));
          }
          if (n === 1) throw new Error("first");
        }),
      ),
    );
    const late = await runVirtual(
      thrownBy(
        map([1, 2], function* (n) {
          try {
            yield* sleep(n);
          } catch {
            throw new Error("in cleanup");
          }
          throw new Error("first");
        }),
      ),
    );

    expect((result as Error).message).toBe("first");
    expect(errors).toEqual([]);
    expect((late.result as Error).message).toBe("first");
    expect(late.errors.map((each) => (each.exception as Error).message)).toEqual(["in cleanup"]);
  });

  test("stopOnError: false, runs all and throws all errors, in the order of the items", async () => {
    const crowd = new Crowd();

    const error = await virtually(
      thrownBy(
        map(
          [5, 4, 3, 2],
          function* (n) {
            yield* crowd.work(n, n);
            if (n % 2 === 1) throw new Error(`odd ${n}`);
          },
          { stopOnError: false },
        ),
      ),
    );

    expect(error).toBeInstanceOf(ExceptionGroup);
    expect((error as ExceptionGroup).errors.map((each) => each.message)).toEqual(["odd 5", "odd 3"]);
    expect(crowd.ended).toHaveLength(4);
  });

  test("stopOnError: false, gives the results, when there is no error", async () => {
    expect(await virtually(map([1, 2], (n) => n, { stopOnError: false }))).toEqual([1, 2]);
  });

  test("STOP with stopOnError: false, keeps the errors of earlier items, and reports those of later ones", async () => {
    const { result, errors } = await runVirtual(
      thrownBy(
        map(
          [4, 1, 3, 2],
          function* (n) {
            yield* sleep(n);
            if (n === 3) return STOP;
            throw new Error(`failed ${n}`);
          },
          { stopOnError: false },
        ),
      ),
    );

    expect((result as ExceptionGroup).errors.map((each) => each.message)).toEqual(["failed 4", "failed 1"]);
    expect(errors.map((each) => (each.exception as Error).message)).toEqual(["failed 2"]);
  });

  test("settled, makes results of errors, and ends by no error", async () => {
    const boom = new Error("boom");

    const results = await virtually(
      map(
        [1, 2, 3],
        (n) => {
          if (n === 2) throw boom;
          return sleep(1, n);
        },
        { settled: true },
      ),
    );

    expect(results).toEqual([
      { status: "fulfilled", value: 1 },
      { status: "rejected", reason: boom },
      { status: "fulfilled", value: 3 },
    ]);
  });

  test("settled, makes no result of a cancellation, whoever cancels", async () => {
    const crowd = new Crowd();

    const { result, errors } = await runVirtual(function* () {
      const items = [1, 2, 3];
      const whole = createTask(map(items, (n) => crowd.work(n, 50), { settled: true }));
      yield* sleep(1);
      whole.cancel();
      yield* whole.join();
      const one = yield* thrownBy(map(items, (n) => (n === 2 ? cancelMyself() : crowd.work(n, 50)), { settled: true }));
      return [whole.cancelled(), isCancelled(one)];
    });

    expect(result).toEqual([true, true]);
    expect(crowd.cleaned).toHaveLength(5);
    expect(errors).toEqual([]);
  });
});

function* failing(message: string): Coroutine<void> {
  yield* sleep(0);
  throw new Error(message);
}

function* cancelMyself(): Coroutine<void> {
  (currentTask() as Task<unknown>).cancel();
  yield* sleep(1);
}

describe("a source that misbehaves", () => {
  const close = (log: string[]) => ({
    return: () => {
      log.push("return");
      return { done: true as const, value: undefined };
    },
  });
  const boom = new Error("source");

  test("map(), throws what next() throws, cancels the rest, and does not close what threw", async () => {
    const crowd = new Crowd();
    const log: string[] = [];
    let n = 0;
    const sync = {
      [Symbol.iterator]: () => ({
        next: () => {
          if (n++ === 2) throw boom;
          return { done: false as const, value: n };
        },
        ...close(log),
      }),
    };
    const late = {
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          await sleep(1);
          if (n++ === 5) throw boom;
          return { done: false as const, value: n };
        },
        ...close(log),
      }),
    };

    const errors = await virtually(function* () {
      return [
        yield* thrownBy(map(sync, (m) => crowd.work(m, 50))),
        yield* thrownBy(map(late as never, (m) => crowd.work(m, 50))),
      ];
    });

    expect(errors).toEqual([boom, boom]);
    expect(log).toEqual([]);
    expect(crowd.begun.length).toBeGreaterThan(0);
    expect(crowd.cleaned).toEqual(crowd.begun);
  });

  test("map(), says that a function* source cannot wait, and closes it", async () => {
    const log: string[] = [];
    function* waiting(wait: () => Coroutine<unknown>) {
      try {
        yield 1;
        yield* wait();
        yield 2;
      } finally {
        log.push("closed");
      }
    }

    const { result, elapsed } = await runVirtual(function* () {
      const lock = new Lock();
      yield* lock.acquire();
      const errors = [
        yield* thrownBy(map(waiting(() => sleep(50)) as never, (n) => sleep(5, n))),
        yield* thrownBy(map(waiting(() => new Future() as never) as never, (n) => n)),
        yield* thrownBy(forEach(waiting(() => lock.acquire()) as never, () => {})),
      ] as RuntimeError[];
      lock.release();
      // Nobody is left in its line.
      yield* lock.acquire();
      return errors;
    });

    expect(result.map((error) => error.code)).toEqual(["SOURCE_WAITS", "SOURCE_WAITS", "SOURCE_WAITS"]);
    expect(result[0]?.message).toBe(
      "Cannot wait for <Operation sleep> in a function* that gives map() its items: make it an async function*, or send its items " +
        "through a Queue or a Channel",
    );
    expect(log).toEqual(["closed", "closed", "closed"]);
    expect(elapsed).toBe(0);
  });

  test("map(), throws what return() throws, unless there is an error already", async () => {
    const leaving = {
      [Symbol.iterator]: () => ({
        next: () => ({ done: false as const, value: 1 }),
        return: () => {
          throw boom;
        },
      }),
    };

    const { result, errors } = await runVirtual(function* () {
      return [
        yield* thrownBy(map(leaving, () => STOP, { concurrency: 1 })),
        yield* thrownBy(
          map(
            leaving,
            () => {
              throw new RangeError("first");
            },
            { concurrency: 1 },
          ),
        ),
      ];
    });

    expect(result[0]).toBe(boom);
    expect(result[1]).toBeInstanceOf(RangeError);
    expect(errors.map((each) => each.exception)).toEqual([boom]);
  });

  test("map(), throws what the iterable's own function throws, or refuses what that gives", async () => {
    const errors = await virtually(function* () {
      const broken = (iterator: unknown) => ({ [Symbol.iterator]: () => iterator }) as Iterable<number>;
      return [
        yield* thrownBy(
          map(
            {
              [Symbol.iterator]: () => {
                throw boom;
              },
            },
            (n) => n,
          ),
        ),
        yield* thrownBy(map(broken(null), (n) => n)),
        yield* thrownBy(map(broken({ next: () => 5 }), (n) => n)),
      ];
    });

    expect(errors[0]).toBe(boom);
    expect(errors.slice(1).map((error) => (error as Error).message)).toEqual([
      "Expected the iterable to give an iterator with next(), got null",
      "Expected the iterator's next() to give an object such as { done, value }, got 5 (number)",
    ]);
  });

  test("map(), awaits the cleanup of an async source that waits in next(), and of one that does not", async () => {
    for (const delay of [0, 10]) {
      const numbers = new Numbers();

      const { result, errors } = await runVirtual(
        thrownBy(
          map(
            numbers.async(delay),
            function* (n) {
              yield* sleep(1);
              if (n === 1) throw boom;
              yield* sleep(100);
            },
            { concurrency: 3 },
          ),
        ),
      );

      expect(result).toBe(boom);
      expect(numbers.closed).toBe(1);
      expect(errors).toEqual([]);
    }
  });

  test("map(), leaves a source behind after a second, and says so, when its next() never settles", async () => {
    async function* stuck(): AsyncGenerator<number> {
      yield 1;
      await new Promise(() => {});
    }

    const { result, errors, elapsed } = await runVirtual(
      thrownBy(timeout(10, () => map(stuck(), (n) => sleep(1, n), { concurrency: 2 }))),
    );

    expect(result).toBeInstanceOf(TimeoutError);
    expect(elapsed).toBe(1010);
    expect(errors.map((each) => each.message)).toEqual([
      "map() leaves its source behind: its next() has not settled within 1000 ms of the end",
    ]);
  });

  test("map(), closes at once a source whose return() ends its next()", async () => {
    let release: (() => void) | undefined;
    const source: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: () =>
          new Promise((resolve) => {
            release = () => resolve({ done: true, value: undefined });
          }),
        return: async () => {
          release?.();
          return { done: true, value: undefined };
        },
      }),
    };

    const { result, errors } = await runVirtual(function* () {
      const error = yield* thrownBy(timeout(10, () => map(source, (n) => n)));
      const after = getRunningLoop().time();
      yield* sleep("5s");
      return [error instanceof TimeoutError, after];
    });

    expect(result).toEqual([true, 10]);
    expect(errors).toEqual([]);
  });

  test("map(), awaits the return() of a source whose next() it has cancelled", async () => {
    let closed = false;
    const source: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          await sleep("1h");
          return { done: true, value: undefined };
        },
        return: async () => {
          await sleep(7);
          closed = true;
          return { done: true, value: undefined };
        },
      }),
    };

    const { result, elapsed } = await runVirtual(thrownBy(timeout(10, () => map(source, (n) => n))));

    expect(result).toBeInstanceOf(TimeoutError);
    expect([closed, elapsed]).toEqual([true, 17]);
  });

  test("map(), reports what the return() of a source throws that it has left behind", async () => {
    const source: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return: () => Promise.reject(boom),
      }),
    };

    const { errors } = await runVirtual(thrownBy(timeout(10, () => map(source, (n) => n))));

    expect(errors.map((each) => each.message)).toEqual([
      "map() leaves its source behind: its next() has not settled within 1000 ms of the end",
      "Error in a source that map() has left behind",
    ]);
  });

  test("map(), takes nothing from a queue, when it is cancelled while it waits for an item", async () => {
    const left = await virtually(function* () {
      const queue = new Queue<number>();
      queue.putNowait(1);
      const task = createTask(map(queue, (n) => sleep(1, n), { concurrency: 2 }));
      yield* sleep(5);
      task.cancel();
      yield* task.join();
      queue.putNowait(2);
      yield* sleep(5);
      return [task.cancelled(), queue.qsize()];
    });

    expect(left).toEqual([true, 1]);
  });
});

describe("cancelling map()", () => {
  test("map(), cancels and awaits all, and closes the source, when its task is cancelled", async () => {
    for (const make of [(numbers: Numbers) => numbers.sync(), (numbers: Numbers) => numbers.async(3)]) {
      const crowd = new Crowd();
      const numbers = new Numbers();

      const { result, errors } = await runVirtual(function* () {
        const task = createTask(map(make(numbers), (n) => crowd.work(n, 10), { concurrency: 3 }));
        yield* sleep(4);
        task.cancel("enough");
        yield* task.join();
        return [task.cancelled(), crowd.inside, numbers.closed];
      });

      expect(result).toEqual([true, 0, 1]);
      expect(crowd.cleaned).toEqual(crowd.begun);
      expect(errors).toEqual([]);
    }
  });

  test("map(), throws its error first, and the cancellation comes at the next wait, when it is cancelled in its cleanup", async () => {
    const { result, errors } = await runVirtual(function* () {
      const log: unknown[] = [];
      const task = createTask(function* () {
        const error = yield* thrownBy(
          map([1, 2], function* (n) {
            try {
              yield* sleep(n);
            } finally {
              if (n === 2) yield* sleep(10);
            }
            throw new RangeError("failed");
          }),
        );
        log.push((error as Error).message);
        yield* sleep(1);
      });
      yield* sleep(5);
      task.cancel();
      yield* task.join();
      return [...log, task.cancelled()];
    });

    expect(result).toEqual(["failed", true]);
    expect(errors).toEqual([]);
  });

  test("map(), tells a cancellation once, when an item was cancelled before", async () => {
    const { result, errors } = await runVirtual(function* () {
      let cleaned = false;
      const task = createTask(function* () {
        try {
          yield* map([1, 2], function* (n) {
            try {
              if (n === 1) yield* cancelMyself();
              yield* sleep("1h");
            } finally {
              if (n === 2) yield* sleep(10);
            }
          });
        } finally {
          yield* sleep(1);
          cleaned = true;
        }
      });
      yield* sleep(5);
      task.cancel();
      yield* task.join();
      return [task.cancelled(), cleaned];
    });

    expect(result).toEqual([true, true]);
    expect(errors).toEqual([]);
  });

  test("map() with stopOnError: false, reports what it has collected, when it is cancelled", async () => {
    const { result, errors } = await runVirtual(function* () {
      const task = createTask(map([1, 2, 50], (n) => (n < 50 ? failing(`failed ${n}`) : sleep("1h")), { stopOnError: false }));
      yield* sleep(5);
      task.cancel();
      yield* task.join();
      return task.cancelled();
    });

    expect(result).toBe(true);
    expect(errors).toHaveLength(1);
    expect(errors.map((each) => (each.exception as ExceptionGroup).errors.map(({ message }) => message))).toEqual([
      ["failed 1", "failed 2"],
    ]);
  });

  test("a signal, aborts at once with its reason, after all has ended", async () => {
    const crowd = new Crowd();
    const numbers = new Numbers();
    const reason = new Error("reason");

    const { result, elapsed } = await runVirtual(function* () {
      const aborter = new AbortController();
      createTask(function* () {
        yield* sleep(5);
        aborter.abort(reason);
      });
      const error = yield* thrownBy(
        map(numbers.sync(), (n) => crowd.work(n, 50), { concurrency: 2, signal: aborter.signal, settled: true }),
      );
      return [error, crowd.cleaned.length, numbers.closed];
    });

    expect(result).toEqual([reason, 2, 1]);
    expect(elapsed).toBe(5);
  });

  test("a signal that is aborted already, refuses before anything is read or called", async () => {
    const numbers = new Numbers();
    const reason = new Error("reason");
    let calls = 0;

    const error = await virtually(thrownBy(map(numbers.sync(), () => calls++, { signal: AbortSignal.abort(reason) })));

    expect(error).toBe(reason);
    expect([numbers.read, calls]).toEqual([0, 0]);
  });

  test("a signal, is let go of, when the map has ended", async () => {
    const aborter = new AbortController();
    let listeners = 0;
    const { signal } = aborter;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--;
      remove(...args);
    };

    await virtually(map([1, 2], (n) => sleep(1, n), { signal }));
    await virtually(thrownBy(map([1], () => failing("x"), { signal })));

    expect(listeners).toBe(0);
  });

  test("an item whose task is cancelled by somebody else, cancels the map", async () => {
    const crowd = new Crowd();

    const error = await virtually(thrownBy(map([1, 2, 3], (n) => (n === 2 ? cancelMyself() : crowd.work(n, 50)))));

    expect(isCancelled(error)).toBe(true);
    expect(crowd.cleaned).toHaveLength(2);
  });
});

describe("map() one by one", () => {
  test("for await, gives the results in order, or as completed", async () => {
    const results = await virtually(async () => {
      const lists: number[][] = [[], []];
      for await (const each of map(DELAYS, (delay) => sleep(delay, delay), { concurrency: 2 })) lists[0]?.push(each);
      for await (const each of map(DELAYS, (delay) => sleep(delay, delay), { ordered: false })) lists[1]?.push(each);
      return lists;
    });

    expect(results).toEqual([DELAYS, [1, 2, 3, 4, 5]]);
  });

  test("for await, holds the work back, when the results are taken slowly", async () => {
    for (const ordered of [true, false]) {
      const numbers = new Numbers();
      const ahead: number[] = [];

      await virtually(async () => {
        let taken = 0;
        for await (const _ of map(numbers.sync(), (n) => sleep(1, n), { concurrency: 3, lookAhead: 5, ordered })) {
          taken++;
          await sleep(20);
          ahead.push(numbers.read - taken);
          if (taken === 4) break;
        }
      });

      expect(ahead).toEqual([5, 5, 5, 5]);
      expect(numbers.closed).toBe(1);
    }
  });

  test("for await, looks no further ahead than the concurrency, and than 64 without one, by default", async () => {
    for (const [concurrency, ahead] of [
      [2, 2],
      [undefined, 64],
    ] as const) {
      const numbers = new Numbers();

      await virtually(async () => {
        for await (const _ of map(numbers.sync(), (n) => n, { concurrency })) {
          await sleep(5);
          break;
        }
      });

      expect(numbers.read).toBe(ahead + 1);
    }
  });

  test("for await, counts a skipped result only while an earlier one is not taken", async () => {
    const numbers = new Numbers();

    const read = await virtually(async () => {
      const seen: number[] = [];
      for await (const _ of map(numbers.sync(), (n) => (n % 10 === 9 ? n : n === 20 ? sleep(50, n) : SKIP), {
        concurrency: 2,
      })) {
        seen.push(numbers.read);
        if (seen.length === 3) break;
        await sleep(1);
      }
      return seen;
    });

    // The third is number 20, which is slow: nobody reads on behind it.
    expect(read[2]).toBeLessThanOrEqual(22 + 2);
  });

  test("for await, cancels and awaits what runs, and closes the source, when the loop is left", async () => {
    for (const how of ["break", "throw", "cancel"]) {
      const crowd = new Crowd();
      const numbers = new Numbers();
      let after: unknown;

      const { errors } = await runVirtual(function* () {
        const task = createTask(async () => {
          try {
            for await (const n of map(numbers.async(1), (each) => crowd.work(each, each === 0 ? 1 : 50), { concurrency: 3 })) {
              if (how === "cancel") await sleep("1h");
              await sleep(5);
              expect(n).toBe(0);
              if (how === "throw") throw new RangeError("left");
              break;
            }
          } finally {
            after = [crowd.inside, crowd.cleaned.length, numbers.closed];
          }
        });
        yield* sleep(10);
        task.cancel();
        yield* task.join();
      });

      expect([how, after]).toEqual([how, [0, crowd.begun.length, 1]]);
      expect(crowd.begun.length).toBeGreaterThan(2);
      expect(errors).toEqual([]);
    }
  });

  test("for await, ends all, when it is cancelled while it waits for a result", async () => {
    const crowd = new Crowd();
    const numbers = new Numbers();

    const { result } = await runVirtual(function* () {
      let after: unknown;
      const task = createTask(async () => {
        try {
          for await (const _ of map(numbers.sync(), (n) => crowd.work(n, 50), { concurrency: 3 }));
        } finally {
          after = [crowd.inside, crowd.cleaned.length, numbers.closed];
        }
      });
      yield* sleep(5);
      task.cancel();
      yield* task.join();
      return [task.cancelled(), after];
    });

    expect(result).toEqual([true, [0, 3, 1]]);
  });

  test("for await, gives what was there before an error, then throws it once", async () => {
    const boom = new Error("boom");

    const { result, errors } = await runVirtual(async () => {
      const seen: unknown[] = [];
      const results = map(
        [0, 1, 2, 3, 4],
        (n) => {
          if (n === 3) throw boom;
          return sleep(n, n);
        },
        { concurrency: 2, lookAhead: 5 },
      )[Symbol.asyncIterator]();
      for (let i = 0; i < 6; i++) {
        try {
          seen.push((await results.next()).value);
        } catch (error) {
          seen.push(error);
        }
      }
      return seen;
    });

    expect(result).toEqual([0, 1, boom, undefined, undefined, undefined]);
    expect(errors).toEqual([]);
  });

  test("for await, tells an error that nobody asked for to the exception handler, when the loop is left", async () => {
    const boom = new Error("boom");

    const { result, errors } = await runVirtual(async () => {
      for await (const n of map([0, 1, 2], (each) => (each === 1 ? failing("boom") : each), { concurrency: 3 })) {
        await sleep(5);
        return n;
      }
    });

    expect(result).toBe(0);
    expect(errors.map((each) => [each.message, (each.exception as Error).message])).toEqual([
      ["Error in map() after it was left", boom.message],
    ]);
  });

  test("for await, does not throw an error that nobody asked for, when the rest still ends as the loop is left", async () => {
    const { result, errors } = await runVirtual(async () => {
      const results = map([0, 1, 2], function* (n) {
        try {
          yield* sleep(n);
          if (n === 1) throw new Error("boom");
          yield* sleep(n * 10);
        } finally {
          if (n === 2) yield* sleep(20);
        }
        return n;
      });
      for await (const n of results) {
        await sleep(5);
        return n;
      }
    });

    expect(result).toBe(0);
    expect(errors.map((each) => (each.exception as Error).message)).toEqual(["boom"]);
  });

  test("for await, tells what closing the source throws to the exception handler, when it is cancelled meanwhile", async () => {
    async function* source(): AsyncGenerator<number> {
      try {
        yield 1;
        yield 2;
      } finally {
        await sleep(10);
        // biome-ignore lint/correctness/noUnsafeFinally: that is what is tried
        throw new RangeError("closing");
      }
    }

    const { result, errors } = await runVirtual(function* () {
      const task = createTask(async () => {
        for await (const _ of map(source(), (n) => n, { concurrency: 1 })) break;
      });
      yield* sleep(5);
      task.cancel();
      yield* task.join();
      return task.cancelled();
    });

    expect(result).toBe(true);
    expect(errors.map((each) => (each.exception as Error).message)).toEqual(["closing"]);
  });

  test("for await, opens no source, when it is left before its first step", async () => {
    let opened = 0;
    const items = {
      [Symbol.iterator]: () => {
        opened++;
        return [1, 2][Symbol.iterator]();
      },
    };

    const first = await virtually(async () => {
      const iterator = map(items, (n) => n)[Symbol.asyncIterator]();
      const next = iterator.next();
      await iterator.return?.();
      return next;
    });

    expect(first).toEqual({ done: true, value: undefined });
    expect(opened).toBe(0);
  });

  test("for await, throws what closing the source throws, when the loop is left", async () => {
    async function* source(): AsyncGenerator<number> {
      try {
        yield 1;
        yield 2;
      } finally {
        await sleep(1);
        // biome-ignore lint/correctness/noUnsafeFinally: that is what is tried
        throw new RangeError("closing");
      }
    }

    const error = await virtually(() =>
      caught(async () => {
        for await (const _ of map(source(), (n) => n, { concurrency: 1 })) break;
      }),
    );

    expect((error as Error).message).toBe("closing");
  });

  test("for await, gives the results before a STOP, in both orders", async () => {
    const stopAt3 = (n: number) => sleep(n === 0 ? 5 : 1, n === 3 ? STOP : n);

    const results = await virtually(async () => {
      const lists: number[][] = [[], []];
      for await (const n of map([0, 1, 2, 3, 4, 5], stopAt3)) lists[0]?.push(n);
      for await (const n of map([0, 1, 2, 3, 4, 5], stopAt3, { ordered: false })) lists[1]?.push(n);
      return lists;
    });

    expect(results).toEqual([
      [0, 1, 2],
      [1, 2],
    ]);
  });

  test("for await, drops what is there, when a signal is aborted", async () => {
    const reason = new Error("reason");
    const numbers = new Numbers();

    const [seen, error] = await virtually(async () => {
      const aborter = new AbortController();
      const taken: number[] = [];
      const thrown = await caught(async () => {
        for await (const n of map(numbers.sync(), (each) => each, { concurrency: 3, signal: aborter.signal })) {
          taken.push(n);
          await sleep(1);
          aborter.abort(reason);
        }
      });
      return [taken, thrown];
    });

    expect(seen).toEqual([0]);
    expect(error).toBe(reason);
    expect(numbers.closed).toBe(1);
  });

  test("next(), may be called several times at once", async () => {
    const results = await virtually(async () => {
      const iterator = map([1, 2], (n) => sleep(n, n))[Symbol.asyncIterator]();
      return Promise.all([iterator.next(), iterator.next(), iterator.next()]);
    });

    expect(results.map((each) => each.value)).toEqual([1, 2, undefined]);
  });

  test("return(), ends waiting next() calls, and is harmless when repeated or never begun", async () => {
    const results = await virtually(async () => {
      const numbers = new Numbers();
      const iterator = map(numbers.sync(), (n) => sleep(50, n), { concurrency: 2 })[Symbol.asyncIterator]();
      const waiting = iterator.next();
      await sleep(1);
      await iterator.return?.();
      await iterator.return?.();
      const untouched = map(numbers.sync(), (n) => n)[Symbol.asyncIterator]();
      await untouched.return?.();
      return [await waiting, await untouched.next(), numbers.closed];
    });

    expect(results).toEqual([{ done: true, value: undefined }, { done: true, value: undefined }, 1]);
  });

  test("lookAhead, above the concurrency, reads a slow async source while the function works", async () => {
    const time = async (lookAhead: number | undefined): Promise<number> => {
      const { elapsed } = await runVirtual(async () => {
        async function* source(): AsyncGenerator<number> {
          for (let n = 0; n < 4; n++) {
            await sleep(10);
            yield n;
          }
        }
        for await (const _ of map(source(), (n) => sleep(10, n), { concurrency: 1, lookAhead }));
      });
      return elapsed;
    };

    expect(await time(2)).toBe(50);
    expect(await time(undefined)).toBe(80);
  });
});

describe("wrong calls of map()", () => {
  const wrong: [string, () => unknown, string][] = [
    ["null", () => map(null as never, (n) => n), "Expected an iterable of items for map(), sync or async, got null"],
    ["number", () => map(5 as never, (n) => n), "Expected an iterable of items for map(), sync or async, got 5 (number)"],
    [
      "object",
      () => map({} as never, (n) => n),
      "Expected an iterable of items for map(), sync or async, got an object; pass an array, for instance",
    ],
    [
      "promise",
      () => map(Promise.resolve([]) as never, (n) => n),
      "Expected an iterable of items for map(), sync or async, got an instance of Promise; await it first",
    ],
    [
      "operation",
      () => map(sleep(1) as never, (n) => n),
      "Expected an iterable of items for map(), sync or async, got an instance of Sleep; await it first",
    ],
    [
      "no function",
      () => map([], 5 as never),
      "Expected the body of map() to be a function* or an async function, got 5 (number); pass the function itself, do not call it",
    ],
    [
      "concurrency 0",
      () => map([], (n) => n, { concurrency: 0 }),
      "Expected `concurrency` to be an integer ≥ 1 or Infinity, got 0 (number)",
    ],
    [
      "concurrency -1",
      () => map([], (n) => n, { concurrency: -1 }),
      "Expected `concurrency` to be an integer ≥ 1 or Infinity, got -1 (number)",
    ],
    [
      "concurrency 1.5",
      () => map([], (n) => n, { concurrency: 1.5 }),
      "Expected `concurrency` to be an integer ≥ 1 or Infinity, got 1.5 (number)",
    ],
    [
      "concurrency NaN",
      () => map([], (n) => n, { concurrency: Number.NaN }),
      "Expected `concurrency` to be an integer ≥ 1 or Infinity, got NaN (number)",
    ],
    [
      "concurrency string",
      () => map([], (n) => n, { concurrency: "2" as never }),
      'Expected `concurrency` to be an integer ≥ 1 or Infinity, got "2" (string)',
    ],
    [
      "concurrency null",
      () => map([], (n) => n, { concurrency: null as never }),
      "Expected `concurrency` to be an integer ≥ 1 or Infinity, got null",
    ],
    [
      "no limiter",
      () => map([], (n) => n, { concurrency: {} as never }),
      "Expected `concurrency` to be a number, or a limiter with acquire() or with(), got an object",
    ],
    [
      "lookAhead",
      () => map([], (n) => n, { concurrency: 4, lookAhead: 3 }),
      "Expected `lookAhead` to be an integer ≥ 4 or Infinity, got 3 (number)",
    ],
    ["signal", () => map([], (n) => n, { signal: {} as never }), "Expected `signal` to be an AbortSignal, got an object"],
    [
      "settled and stopOnError",
      () => map([], (n) => n, { settled: true, stopOnError: true } as never),
      "Cannot combine `settled` and `stopOnError`: settled results hold the errors; leave out one of them",
    ],
    ["ordered", () => map([], (n) => n, { ordered: 1 as never }), "Expected `ordered` to be true or false, got 1 (number)"],
    [
      "options",
      () => map([], (n) => n, 5 as never),
      "Expected `options` to be an object such as { concurrency: 8 }, got 5 (number)",
    ],
  ];

  test.for(wrong)("map(), refuses it at once, when given %s", ([, call, message]) => {
    expect(call).toThrow(message);
  });

  test("map(), takes options that are undefined as absent", async () => {
    const options = {
      concurrency: undefined,
      ordered: undefined,
      lookAhead: undefined,
      signal: undefined,
      settled: undefined,
      stopOnError: undefined,
      name: undefined,
    };

    expect(await virtually(map([1], (n) => n, options))).toEqual([1]);
  });
});

/** Never called: only its types count. */
export function* types(): Coroutine<void> {
  const lines = (async function* () {
    yield "line";
  })();
  expectTypeOf(map([1], (n) => n)).toEqualTypeOf<Mapping<number>>();
  expectTypeOf(map([1], (n) => (n > 1 ? sleep(1, "x") : SKIP))).toEqualTypeOf<Mapping<string>>();
  expectTypeOf(map([1], (n) => (n > 1 ? sleep(1, "x") : Promise.resolve(n)))).toEqualTypeOf<Mapping<string | number>>();
  expectTypeOf(map([1], async (n) => (n > 1 ? STOP : n))).toEqualTypeOf<Mapping<number>>();
  const stopping = map([Promise.resolve(1)], function* (n, index) {
    expectTypeOf(n).toEqualTypeOf<number>();
    expectTypeOf(index).toEqualTypeOf<number>();
    if (n > 1) return STOP;
    return yield* sleep(1, new Date());
  });
  expectTypeOf(stopping).toEqualTypeOf<Mapping<Date>>();
  expectTypeOf(yield* stopping).toEqualTypeOf<Date[]>();
  expectTypeOf(map(lines, (line) => line.length, { settled: true })).toEqualTypeOf<Mapping<PromiseSettledResult<number>>>();
  expectTypeOf(map(stopping, (date) => date.getTime())).toEqualTypeOf<Mapping<number>>();
  expectTypeOf(map(new Map([["a", 1]]), ([key]) => key)).toEqualTypeOf<Mapping<string>>();
  expectTypeOf(map(asCompleted([sleep(1, 5)]), (n) => n)).toEqualTypeOf<Mapping<number>>();
  expectTypeOf(map("abc", (letter) => letter)).toEqualTypeOf<Mapping<string>>();
  forEach(stopping, (date) => expectTypeOf(date).toEqualTypeOf<Date>());
  // @ts-expect-error: numbers cannot be iterated over
  map(5, (n) => n);
  // @ts-expect-error: settled results hold the errors
  map([1], (n) => n, { settled: true, stopOnError: false });
}

test("map(), reports by itself how many of its items are done, and what their tasks report, to the task that drives it", async () => {
  await virtually(function* () {
    const seen: [done: number | undefined, total: number | undefined][] = [];
    const mapping = createTask(
      map(
        [1, 2, 3, 4],
        function* (item) {
          yield* sleep(item);
          return item;
        },
        { concurrency: 2 },
      ),
    );
    for (let i = 0; i < 6; i++) {
      yield* sleep(1);
      yield* sleep(0);
      yield* sleep(0);
      seen.push([mapping.progress?.done, mapping.progress?.total]);
    }
    yield* mapping;

    expect(seen).toEqual([
      [1, 4],
      [2, 4],
      [2, 4],
      [3, 4],
      [3, 4],
      [4, 4],
    ]);
  });
});
