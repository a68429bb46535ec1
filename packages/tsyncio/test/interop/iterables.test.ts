import {
  allTasks,
  type Coroutine,
  createTask,
  Event,
  forEach,
  gather,
  getRunningLoop,
  isCancelled,
  map,
  STOP,
  sleep,
  timeout,
} from "tsyncio";
import { fromAsyncIterable, toAsyncIterable } from "tsyncio/interop";
import { expect, test } from "vitest";
import { runVirtual, virtually } from "../support/virtual.ts";
import { outcome } from "./support.ts";

/** An async generator that tells what becomes of it. */
async function* numbers(log: string[], delay = 0, last = 3): AsyncGenerator<number, void, unknown> {
  try {
    for (let n = 1; n <= last; n++) {
      if (delay > 0) await sleep(delay);
      yield n;
    }
    log.push("end");
  } catch (error) {
    log.push(isCancelled(error) ? "cancelled" : "threw");
    throw error;
  } finally {
    await sleep(1);
    log.push("closed");
  }
}

test("fromAsyncIterable() gives the items, then the end, of async and of plain iterables", async () => {
  const log: string[] = [];

  const seen = await virtually(function* () {
    const got: unknown[] = [];
    for (const items of [numbers(log, 1), [1, Promise.resolve(2), 3], new Set([1, 2, 3])]) {
      const source = fromAsyncIterable(items as Iterable<number>);
      for (let step = yield* source.next(); step.done !== true; step = yield* source.next()) got.push(step.value);
      yield* source.close();
      got.push((yield* source.next()).done);
    }
    return got;
  });

  expect(seen).toEqual([1, 2, 3, true, 1, 2, 3, true, 1, 2, 3, true]);
  expect(log).toEqual(["end", "closed"]);
});

test("fromAsyncIterable() throws the iterator's error once, and is over then", async () => {
  const seen = await virtually(async () => {
    const source = fromAsyncIterable(
      (async function* () {
        yield 1;
        throw new Error("bad");
      })(),
    );
    return [await source.next(), await outcome(source.next()), await source.next()];
  });

  expect(seen).toEqual([{ done: false, value: 1 }, new Error("bad"), { done: true, value: undefined }]);
});

test("fromAsyncIterable() loses no item, when a wait for it is cancelled", async () => {
  const log: string[] = [];

  await virtually(function* () {
    const source = fromAsyncIterable(numbers(log, 10));
    const late = yield* timeout(5, () => outcome(timeout(3, () => source.next())) as Promise<Error>);
    expect(late.name).toBe("TimeoutError");
    expect([(yield* source.next()).value, (yield* source.next()).value, (yield* source.next()).value]).toEqual([1, 2, 3]);
    yield* source.close();
  });

  expect(log).toEqual(["closed"]);
});

test("fromAsyncIterable() gives each item once, to several consumers", async () => {
  const seen = await virtually(function* () {
    const source = fromAsyncIterable(numbers([], 1));
    const steps = yield* gather(source.next(), source.next(), source.next(), source.next());
    return steps.map((step) => step.value);
  });

  expect(seen).toEqual([1, 2, 3, undefined]);
});

test("fromAsyncIterable() cancels what its source awaits of the library, and awaits its cleanup, when it is closed", async () => {
  const log: string[] = [];

  await virtually(function* () {
    const source = fromAsyncIterable(numbers(log, 1000));
    const waiting = createTask(source.next());
    yield* sleep(5);
    yield* source.close();
    expect(log).toEqual(["cancelled", "closed"]);
    expect(yield* waiting).toEqual({ done: true, value: undefined });
    yield* source.close();
  });
});

for (const way of ["break", "throw", "cancel", "STOP"] as const) {
  test(`fromAsyncIterable() closes its source, by ${way}`, async () => {
    const log: string[] = [];

    await virtually(async () => {
      const task = createTask(async () => {
        const source = fromAsyncIterable(numbers(log, 10, 1e9));
        if (way === "STOP") return void (await forEach(source, () => STOP));
        for await (const _ of source) {
          if (way === "break") break;
          if (way === "throw") throw new Error("thrown");
        }
      });
      await sleep(15);
      task.cancel();
      await task.join();
    });

    expect(log.at(-1)).toBe("closed");
    expect(log.filter((each) => each === "closed")).toHaveLength(1);
  });
}

test("fromAsyncIterable() leaves a source behind after a second, and reports it, when its next() never settles", async () => {
  let returned = 0;
  const stuck = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise<IteratorResult<number>>(() => {}),
      return: () => {
        returned++;
        return Promise.reject(new Error("late"));
      },
    }),
  };

  const { errors, elapsed } = await runVirtual(function* () {
    const source = fromAsyncIterable(stuck);
    const waiting = createTask(source.next());
    yield* sleep(1);
    yield* source.close();
    expect((yield* waiting).done).toBe(true);
  });

  expect(returned).toBe(1);
  expect(elapsed).toBe(1001);
  expect(errors.map((each) => each.message)).toEqual([
    "fromAsyncIterable() leaves its source behind: its next() has not settled within 1000 ms of the end",
    "Error in a source that fromAsyncIterable() has closed",
  ]);
});

test("fromAsyncIterable() tells of an error that nobody has taken, when it is closed", async () => {
  const bad = new Error("bad");

  const { errors } = await runVirtual(function* () {
    const source = fromAsyncIterable({
      [Symbol.asyncIterator]: () => ({ next: () => sleep(2).then(() => Promise.reject(bad)) }),
    } as AsyncIterable<number>);
    const waiting = createTask(source.next());
    yield* sleep(1);
    yield* waiting.cancelAndWait();
    yield* sleep(5);
    yield* source.close();
  });

  expect(errors).toMatchObject([{ exception: bad }]);
});

test("fromAsyncIterable() throws what the iterator's return() does, when it is closed", async () => {
  const seen = await virtually(async () => {
    const source = fromAsyncIterable({
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: false as const, value: 1 }),
        return: async (): Promise<never> => {
          throw new Error("in return");
        },
      }),
    });
    await source.next();
    return outcome(source.close());
  });

  expect(seen).toEqual(new Error("in return"));
});

test("fromAsyncIterable() can still be closed, when somebody else has cancelled its reading", async () => {
  const log: string[] = [];

  const seen = await virtually(async () => {
    const source = fromAsyncIterable({
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          await sleep(5);
          return { done: false as const, value: 1 };
        },
        return: async () => {
          log.push("returned");
          return { done: true as const, value: undefined };
        },
      }),
    });
    const waiting = outcome(source.next());
    await sleep(1);
    for (const task of allTasks()) if (task.name.endsWith(".source")) task.cancel();
    const error = await waiting;
    await source.close();
    return isCancelled(error);
  });

  expect([seen, log]).toEqual([true, ["returned"]]);
});

test("fromAsyncIterable() refuses what is not iterable, at once, and what gives no results, when it does", async () => {
  expect(() => fromAsyncIterable(5 as never)).toThrow(TypeError);
  expect(() => fromAsyncIterable(undefined as never)).toThrow(TypeError);
  expect(() => fromAsyncIterable(sleep(1) as never)).toThrow("await it first");
  expect(() => fromAsyncIterable({ [Symbol.asyncIterator]: () => ({}) } as never)).toThrow("next()");

  const seen = await virtually(() =>
    outcome(fromAsyncIterable({ [Symbol.asyncIterator]: () => ({ next: () => 5 }) } as never).next()),
  );

  expect(seen).toBeInstanceOf(TypeError);
});

for (const spelling of ["function*", "async"] as const) {
  const counting = (log: string[]) =>
    spelling === "async"
      ? toAsyncIterable<number>(async (emit) => {
          try {
            for (let n = 1; n <= 3; n++) {
              log.push(`make ${n}`);
              await sleep(1);
              await emit(n);
            }
          } finally {
            await sleep(1);
            log.push("clean");
          }
        })
      : toAsyncIterable<number>(function* (emit): Coroutine<void> {
          try {
            for (let n = 1; n <= 3; n++) {
              log.push(`make ${n}`);
              yield* sleep(1);
              yield* emit(n);
            }
          } finally {
            yield* sleep(1);
            log.push("clean");
          }
        });

  test(`toAsyncIterable() runs its body only as far as values are asked for, ${spelling}`, async () => {
    const log: string[] = [];

    await virtually(async () => {
      for await (const value of counting(log)) {
        await sleep(10);
        log.push(`took ${value}`);
      }
    });

    expect(log).toEqual(["make 1", "took 1", "make 2", "took 2", "make 3", "took 3", "clean"]);
  });

  test(`toAsyncIterable() cancels its body and awaits it, when the loop is left, ${spelling}`, async () => {
    const log: string[] = [];

    await virtually(async () => {
      for await (const _ of counting(log)) break;
      expect(log).toEqual(["make 1", "clean"]);
      const source = counting(log);
      const waiting = createTask(source.next());
      await sleep(0);
      await sleep(0);
      await source.close();
      expect(await waiting).toEqual({ done: true, value: undefined });
    });

    expect(log).toEqual(["make 1", "clean", "make 1", "clean"]);
  });

  test(`toAsyncIterable() loses no value, when a wait for it is cancelled, ${spelling}`, async () => {
    const seen = await virtually(async () => {
      const source = counting([]);
      const first = createTask(source.next());
      await sleep(0);
      await first.cancelAndWait();
      return await map(source, (value) => value);
    });

    expect(seen).toEqual([1, 2, 3]);
  });
}

test("toAsyncIterable() throws the body's error once, after the values before it", async () => {
  const seen = await virtually(async () => {
    const source = toAsyncIterable<number>(function* (emit) {
      yield* emit(1);
      throw new Error("bad");
    });
    return [await source.next(), await outcome(source.next()), await source.next()];
  });

  expect(seen).toEqual([{ done: false, value: 1 }, new Error("bad"), { done: true, value: undefined }]);
});

test("toAsyncIterable() throws the error of the body's cleanup, when it is closed", async () => {
  const seen = await virtually(async () => {
    const source = toAsyncIterable<number>(function* (emit) {
      try {
        yield* emit(1);
      } finally {
        // biome-ignore lint/correctness/noUnsafeFinally: what cleanup that fails does
        throw new Error("in cleanup");
      }
    });
    await source.next();
    return outcome(source.close());
  });

  expect(seen).toEqual(new Error("in cleanup"));
});

test("toAsyncIterable() gives all values that branches of its body emit, to several consumers", async () => {
  const seen = await virtually(function* () {
    const source = toAsyncIterable<number>(function* (emit) {
      yield* gather(emit(1), emit(2), emit(3));
    });
    const steps = yield* gather(source.next(), source.next(), source.next(), source.next());
    return steps.map((step) => step.value);
  });

  expect(seen).toEqual([1, 2, 3, undefined]);
});

test("toAsyncIterable() hands its turn on, when the consumer that was woken is cancelled", async () => {
  await virtually(async () => {
    const go = new Event();
    const source = toAsyncIterable<number>(function* (emit) {
      yield* go.wait();
      yield* emit(1);
    });
    const [first, second] = [createTask(source.next()), createTask(source.next())];
    await sleep(1);
    go.set();
    // The turn in which the body emits, and wakes the first.
    getRunningLoop().callSoon(() => first.cancel());
    expect(await timeout("1s", () => second)).toEqual({ done: false, value: 1 });
    await source.close();
  });
});

test("toAsyncIterable() has not emitted what an emit was cancelled with, before somebody took it", async () => {
  const seen = await virtually(async () => {
    const source = toAsyncIterable<number>(function* (emit) {
      const sent = createTask(emit(1));
      yield* sleep(5);
      yield* sent.cancelAndWait();
    });
    // The consumer that asks is gone when the value comes.
    const asking = createTask(source.next());
    await sleep(0);
    await asking.cancelAndWait();
    await sleep(10);
    return await source.next();
  });

  expect(seen).toEqual({ done: true, value: undefined });
});

test("toAsyncIterable() refuses what is no function, and an emit after the end", async () => {
  expect(() => toAsyncIterable([1, 2] as never)).toThrow(TypeError);

  const seen = await virtually(async () => {
    const kept: ((value: number) => PromiseLike<void>)[] = [];
    const source = toAsyncIterable<number>(async (emit) => {
      kept.push(emit);
    });
    await source.next();
    return outcome(kept[0]?.(1) as PromiseLike<void>);
  });

  expect(seen).toMatchObject({ code: "EMIT_CLOSED" });
});
