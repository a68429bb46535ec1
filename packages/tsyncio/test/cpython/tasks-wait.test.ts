/** wait() and asCompleted(): who is done when, in both iterations. After CPython's test_tasks.py. */

import {
  ALL_COMPLETED,
  type AsCompleted,
  asCompleted,
  type Coroutine,
  createTask,
  FIRST_COMPLETED,
  FIRST_EXCEPTION,
  type Future,
  getRunningLoop,
  type Job,
  type Operation,
  type ReturnWhen,
  sleep,
  type Task,
  TimeoutError,
  wait,
} from "tsyncio";
import { expect, test } from "vitest";
import { runVirtual, virtually } from "../support/virtual.ts";

class ZeroDivision extends Error {}

const failing = (delay?: number): Task<void> =>
  createTask(function* () {
    if (delay !== undefined) yield* sleep(delay);
    throw new ZeroDivision();
  });

function* giving<T>(value: T): Coroutine<T> {
  return value;
}

const now = (): number => getRunningLoop().time();

// ── wait() ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

for (const form of ["an array", "an iterator"]) {
  test(`wait(), is over with the last of the tasks, and at once when asked again, given ${form}`, async () => {
    const seen = await virtually(function* () {
      const a = createTask(sleep(100));
      const b = createTask(sleep(150));
      const waiting = function* () {
        const tasks = [b, a];
        const { done, pending } = yield* wait(form === "an array" ? tasks : tasks[Symbol.iterator]());
        return [done.size, done.has(a), done.has(b), pending.size, now()];
      };
      return [yield* createTask(waiting), yield* createTask(waiting)];
    });

    expect(seen).toEqual([
      [2, true, true, 0, 150],
      [2, true, true, 0, 150],
    ]);
  });
}

test("wait(), takes an iterable that makes its tasks one by one", async () => {
  const seen = await virtually(function* () {
    const tasks = {
      *[Symbol.iterator]() {
        for (let i = 0; i < 10; i++) yield createTask(giving(i));
      },
    };
    const { done, pending } = yield* wait(tasks, { returnWhen: ALL_COMPLETED });
    return [[...done].map((task) => task.result()), pending.size];
  });

  expect(seen).toEqual([[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 0]);
});

test("wait(), counts a task once, when it is given twice", async () => {
  const seen = await virtually(function* () {
    const twice = createTask(giving("test"));
    const { done, pending } = yield* wait([twice, twice, createTask(giving("spam"))]);
    return [[...done].map((task) => task.result()), pending.size];
  });

  expect(seen).toEqual([["test", "spam"], 0]);
});

test("wait(), throws, when given no tasks, a single future or coroutine, or an unknown returnWhen", async () => {
  await virtually(function* () {
    const loop = getRunningLoop();
    for (const nothing of [[], new Set<Task<void>>()]) expect(() => wait(nothing)).toThrow(RangeError);
    expect(() => wait([sleep(10)], { returnWhen: -1 as never as ReturnWhen })).toThrow(RangeError);
    expect(() => wait(loop.createFuture() as never)).toThrow(TypeError);
    expect(() => wait(giving(1) as never)).toThrow(TypeError);
  });
});

test("wait() with FIRST_COMPLETED, returns with the first and leaves the other pending", async () => {
  const seen = await virtually(function* () {
    const a = createTask(sleep(10_000));
    const b = createTask(sleep(100));
    const { done, pending } = yield* createTask(wait([b, a], { returnWhen: FIRST_COMPLETED }));
    const sets = [[...done][0] === b, done.size, [...pending][0] === a, pending.size];
    const first = [...sets, a.done(), b.done(), b.result(), now()];
    yield* wait([a, b]);
    return [...first, now()];
  });

  expect(seen).toEqual([true, 1, true, 1, false, true, undefined, 100, 10_000]);
});

test("wait() with FIRST_COMPLETED, finds both done, when the second ends before the waiter goes on", async () => {
  const seen = await virtually(function* () {
    const a = createTask(function* () {
      yield* sleep(0);
    });
    const b = createTask(function* () {
      yield* sleep(0);
      yield* sleep(0);
    });
    const { done } = yield* createTask(wait([b, a], { returnWhen: FIRST_COMPLETED }));
    return [done.size, done.has(a), done.has(b), a.done(), a.result(), b.done(), b.result()];
  });

  expect(seen).toEqual([2, true, true, true, undefined, true, undefined]);
});

for (const [when, delay, at] of [
  ["a task fails at once", undefined, 0],
  ["a task fails meanwhile", 10, 10],
] as const) {
  test(`wait() with FIRST_EXCEPTION, returns with the failed task and leaves the other pending, when ${when}`, async () => {
    const { result, errors } = await runVirtual(function* () {
      const a = createTask(sleep(10_000));
      const b = failing(delay);
      const { done, pending } = yield* createTask(wait([b, a], { returnWhen: FIRST_EXCEPTION }));
      const first = [[...done][0] === b, done.size, [...pending][0] === a, pending.size, now()];
      yield* wait([a, b]);
      return [...first, b.exception() instanceof ZeroDivision];
    });

    expect(result).toEqual([true, 1, true, 1, at, true]);
    expect(errors).toEqual([]);
  });
}

test("wait(), waits for all and throws nothing, when one fails; and takes no time when asked again", async () => {
  const seen = await virtually(function* () {
    const a = createTask(sleep(100));
    const b = failing(150);
    const waiting = function* () {
      const { done, pending } = yield* wait([b, a]);
      const failed = [...done].filter((task) => task.exception() !== null);
      return [done.size, pending.size, failed.length, now()];
    };
    return [yield* createTask(waiting), yield* createTask(waiting)];
  });

  expect(seen).toEqual([
    [2, 0, 1, 150],
    [2, 0, 1, 150],
  ]);
});

for (const [when, timeout] of [
  ["between the ends of two tasks", 110],
  ["at the very time when the first ends", 100],
] as const) {
  test(`wait() with a timeout, tells who is done by then, when it is ${when}`, async () => {
    const seen = await virtually(function* () {
      const a = createTask(sleep(100));
      const b = createTask(sleep(150));
      const { done, pending } = yield* createTask(wait([b, a], { timeout }));
      const then = [[...done][0] === a, done.size, [...pending][0] === b, pending.size, now()];
      yield* wait([a, b]);
      return [...then, now()];
    });

    expect(seen).toEqual([true, 1, true, 1, timeout, 150]);
  });
}

// ── asCompleted() ────────────────────────────────────────────────────────────────────────────────────────────────────────

type Collect = <T>(jobs: Iterable<Job<T>>, options?: { timeout: number }) => Promise<T[]>;

/** Both iterations, as functions that collect the results. */
const ITERATIONS: Readonly<Record<string, Collect>> = {
  "for of": async <T>(jobs: Iterable<Job<T>>, options?: { timeout: number }) => {
    const values: T[] = [];
    for (const next of asCompleted(jobs, options)) values.push((await next) as T);
    return values;
  },
  "for await": async <T>(jobs: Iterable<Job<T>>, options?: { timeout: number }) => {
    const values: T[] = [];
    for await (const future of asCompleted(jobs, options)) values.push((await future) as T);
    return values;
  },
};

for (const [name, collect] of Object.entries(ITERATIONS)) {
  test(`asCompleted(), gives results in the order of their ends, by ${name}`, async () => {
    const { result, elapsed } = await runVirtual(async () => {
      function* sleeper(delay: number, value: string): Coroutine<string> {
        yield* sleep(delay);
        return value;
      }
      return await collect([sleeper(10, "b"), sleeper(150, "c"), sleeper(10, "a")]);
    });

    expect(result).toEqual(["b", "a", "c"]);
    expect(elapsed).toBe(150);
  });

  test(`asCompleted(), runs a coroutine once and gives it once, when it is given twice, by ${name}`, async () => {
    const seen = await virtually(async () => {
      const twice = giving("ham");
      return await collect([twice, twice, giving("spam")]);
    });

    expect(seen).toEqual(["ham", "spam"]);
  });

  test(`asCompleted(), keeps no timer, when all end before the timeout, by ${name}`, async () => {
    const seen = await virtually(async () => {
      const loop = getRunningLoop() as unknown as { _timers: { next(): number } };
      const values = await collect([sleep(10, "a")], { timeout: 1000 });
      return [values, now(), loop._timers.next()];
    });

    expect(seen).toEqual([["a"], 10, Number.POSITIVE_INFINITY]);
  });

  test(`asCompleted(), goes on where it was left, when it is iterated again, by ${name}`, async () => {
    const seen = await virtually(async () => {
      const completed = asCompleted([giving(0), giving(1), giving(2), giving(3)]);
      const collected: number[] = [];
      const take = async (count: number): Promise<void> => {
        if (name === "for of") {
          for (const next of completed) if (collected.push(await next) === count) break;
        } else {
          for await (const future of completed) if (collected.push(await future) === count) break;
        }
      };
      await take(2);
      const half = collected.length;
      await take(Number.POSITIVE_INFINITY);
      return [half, collected.sort()];
    });

    expect(seen).toEqual([2, [0, 1, 2, 3]]);
  });

  test(`asCompleted(), gives what can be awaited at the same time, by ${name}`, async () => {
    const { result, elapsed } = await runVirtual(async () => {
      const completed = asCompleted([sleep(50, "a"), sleep(50, "b")]);
      const nexts: Job<string>[] = [];
      if (name === "for of") nexts.push(...completed);
      else for await (const future of completed) nexts.push(future);
      const { done, pending } = await wait(nexts);
      return [nexts.length, [...done].map((future) => future.result()).sort(), pending.size];
    });

    expect(result).toEqual([2, ["a", "b"], 0]);
    expect(elapsed).toBe(50);
  });
}

test("asCompleted() with a timeout, throws TimeoutError in place of what is late, by for of in a coroutine", async () => {
  const seen = await virtually(function* () {
    const late = createTask(sleep(150, "b"));
    const values: unknown[] = [];
    for (const next of asCompleted([createTask(sleep(100, "a")), late], { timeout: 120 })) {
      try {
        values.push(yield* next);
      } catch (error) {
        values.push(error instanceof TimeoutError, now());
      }
    }
    return [...values, late.done(), yield* late];
  });

  expect(seen).toEqual(["a", true, 120, false, "b"]);
});

test("asCompleted() with a timeout, ends the loop with TimeoutError, by for await", async () => {
  const seen = await virtually(async () => {
    const late = createTask(sleep(150, "b"));
    const values: unknown[] = [];
    try {
      for await (const future of asCompleted([createTask(sleep(100, "a")), late], { timeout: 120 })) {
        values.push(await future);
      }
    } catch (error) {
      values.push(error instanceof TimeoutError, now());
    }
    return [...values, late.done(), await late];
  });

  expect(seen).toEqual(["a", true, 120, false, "b"]);
});

test("asCompleted(), gives the futures that it was given, and others for coroutines, by for await", async () => {
  const seen = await virtually(async () => {
    const coroutines = [giving(0), giving(1), giving(2), giving(3)];
    const fromCoroutines = new Set<unknown>();
    for await (const future of asCompleted(coroutines)) fromCoroutines.add(future);

    const tasks = [createTask(giving("b")), createTask(giving("d"))] as [Task<string>, Task<string>];
    const mixed: Job<string>[] = [giving("a"), tasks[0], giving("c"), tasks[1]];
    const fromMixed = new Set<unknown>();
    for await (const future of asCompleted(mixed)) fromMixed.add(future);
    return [
      fromCoroutines.size,
      coroutines.filter((each) => fromCoroutines.has(each)).length,
      fromMixed.size,
      mixed.filter((each) => fromMixed.has(each)).map((each) => tasks.indexOf(each as Task<string>)),
    ];
  });

  expect(seen).toEqual([4, 0, 4, [0, 1]]);
});

test("asCompleted(), gives the first result to whoever awaits first, though that was not the first to be made", async () => {
  const seen = await virtually(function* () {
    const nexts = [...asCompleted(new Set([sleep(50, "a"), sleep(100, "b")]))] as [Operation<string>, Operation<string>];
    const [second, first] = nexts;
    const log: unknown[] = [nexts.length];
    log.push(yield* first, now());
    log.push(yield* second, now());
    return log;
  });

  expect(seen).toEqual([2, "a", 50, "b", 100]);
});

test("asCompleted(), uses the running loop", async () => {
  const seen = await virtually(function* () {
    const nexts = [...asCompleted([giving(42)])] as [Operation<number>];
    return [nexts.length, yield* nexts[0]];
  });

  expect(seen).toEqual([1, 42]);
});

test("asCompleted(), uses the default loop, outside of any [real]", async () => {
  const nexts = [...asCompleted([giving(42)])] as [Operation<number>];

  expect(await nexts[0]).toBe(42);
});

test("asCompleted(), throws TypeError, when given a single future or coroutine, in both iterations", async () => {
  await virtually(async () => {
    const future = getRunningLoop().createFuture<void>();
    for (const single of [future, giving(1)] as unknown as Iterable<Job<unknown>>[]) {
      expect(() => asCompleted(single)[Symbol.iterator]().next()).toThrow(TypeError);
      const iterate = async (completed: () => AsCompleted<Job<unknown>>): Promise<void> => {
        for await (const _ of completed() as unknown as AsyncIterable<Future<unknown>>) break;
      };
      await expect(iterate(() => asCompleted(single))).rejects.toBeInstanceOf(TypeError);
    }
  });
});
