import {
  asCompleted,
  type Coroutine,
  coroutine,
  createTask,
  currentTask,
  EventLoop,
  ensureFuture,
  Future,
  gather,
  getRunningLoop,
  Lock,
  run,
  Semaphore,
  sleep,
  type Task,
  taskGroup,
  timeout,
  wait,
  waitFor,
} from "tsyncio";
import { expect, test } from "vitest";
import { runVirtual, VirtualHost, virtually } from "../support/virtual.ts";

/** What a coroutine gets thrown for a yield that is wrong. */
async function thrownFor(yielded: () => unknown): Promise<Error> {
  return virtually(function* (): Coroutine<Error> {
    try {
      yield yielded() as never;
    } catch (error) {
      return error as Error;
    }
    return new Error("nothing was thrown");
  });
}

test.each([
  ["a promise", () => Promise.resolve(1), /an instance of Promise.*yield\* ensureFuture\(promise\)/],
  ["an operation", () => sleep(1), /the star is missing; write `yield\*/],
  ["a coroutine", () => (function* () {})(), /the star is missing/],
  ["a Future", () => new Future(), /the star is missing/],
  ["a task", () => createTask(function* () {}), /the star is missing/],
  ["an array", () => [1, 2], /an array of 2.*yield\* gather/],
  ["a string", () => "text", /"text" \(string\)/],
  ["a number", () => 5, /5 \(number\)/],
  ["null", () => null, /null/],
  ["an object", () => ({ a: 1 }), /an object/],
  ["a function", () => sleep, /function sleep.*call it/],
])("a yield of %s is answered by an error that names the remedy", async (_, yielded, message) => {
  const error = await thrownFor(yielded);

  expect(error.name).toBe("RuntimeError");
  expect(error.message).toMatch(message);
});

test("a coroutine goes on after a wrong yield, when it catches the error", async () => {
  const result = await virtually(function* (): Coroutine<string> {
    try {
      yield 1 as never;
    } catch {
      yield* sleep(1);
    }
    return "went on";
  });

  expect(result).toBe("went on");
});

test("`yield*` on an array or a string is answered by an error, at its first item", async () => {
  await expect(
    virtually(function* () {
      yield* "ab" as unknown as Coroutine<void>;
    }),
  ).rejects.toThrow(/"a" \(string\)/);
  await expect(
    virtually(function* () {
      yield* [1] as unknown as Coroutine<void>;
    }),
  ).rejects.toThrow(/1 \(number\)/);
  await expect(
    virtually(function* () {
      yield* [sleep(1)] as unknown as Coroutine<void>;
    }),
  ).rejects.toThrow(/the star is missing/);
});

test("a bare `yield` of nothing is one turn, as in asyncio", async () => {
  expect(
    await virtually(function* (): Coroutine<string> {
      yield undefined as never;
      return "ok";
    }),
  ).toBe("ok");
});

test("a coroutine cannot be run twice, finished or not", async () => {
  function* job() {
    yield* sleep(1);
  }
  await virtually(function* () {
    const finished = job();
    yield* createTask(finished);
    expect(() => createTask(finished)).toThrow(/Cannot await a coroutine again/);
    const running = job();
    const task = createTask(running);
    expect(() => createTask(running)).toThrow(/Cannot await a coroutine again/);
    yield* task;
  });
  const once = job();
  await run(once);
  await expect(run(once)).rejects.toThrow(/Cannot await a coroutine again/);
});

test("an operation cannot be awaited twice, by whichever spelling", async () => {
  const nap = coroutine(function* nap() {
    yield* sleep(1);
    return 1;
  });
  await virtually(function* () {
    for (const make of [() => sleep(1), nap, () => new Lock().acquire()]) {
      const operation = make();
      yield* operation as Coroutine<unknown>;
      expect(() => operation[Symbol.iterator]()).toThrow(/Cannot await .* again/);
      expect(() => createTask(operation as never)).toThrow(/Cannot await .* again/);
    }
  });
  const second = nap();
  await second;
  await expect(second).rejects.toThrow(/Cannot await nap again/);
});

test("a task cannot await itself, in either spelling", async () => {
  const errors = await virtually(function* () {
    const star: Task<unknown> = createTask(function* () {
      yield* star;
    });
    const fn: Task<unknown> = createTask(async () => {
      await currentTask();
    });
    yield* star.join();
    yield* fn.join();
    return [star.exception(), fn.exception()];
  });

  for (const error of errors) {
    expect(String(error)).toMatch(/Cannot await <Task .*> in itself/);
    expect(error).toMatchObject({ code: "AWAITS_ITSELF" });
  }
});

test("a coroutine passed where a list of jobs belongs is refused, and does not run", async () => {
  const log: string[] = [];
  function* job(): Coroutine<void> {
    log.push("ran");
    yield* sleep(1);
  }

  await virtually(function* () {
    expect(() => wait(job() as never)).toThrow(/write wait\(\[a, b\]\)/);
    expect(() => asCompleted(job() as never)).toThrow(/write asCompleted\(\[a, b\]\)/);
    expect(() => wait(createTask(sleep(0)) as never)).toThrow(/an instance of Task/);
  });

  expect(log).toEqual([]);
});

test("callSoon() of a generator function is refused: it would run nothing", async () => {
  await virtually(function* () {
    expect(() => getRunningLoop().callSoon(function* () {} as never)).toThrow(/createTask\(\) is for coroutines/);
    expect(() => getRunningLoop().callLater(1, coroutine(function* () {}) as never)).toThrow(TypeError);
  });
});

test("a task's name is text, whatever was given", async () => {
  expect(
    await virtually(function* () {
      return createTask(sleep(0), { name: 12345 as never }).name;
    }),
  ).toBe("12345");
});

test("a Future of another loop is refused", async () => {
  const other = new EventLoop({ host: new VirtualHost() });
  const foreign = other.createFuture<void>();

  await expect(
    virtually(function* () {
      yield* foreign;
    }),
  ).rejects.toThrow(/belongs to another event loop/);
});

test.each([
  ["undefined", undefined],
  ["null", null],
  ["0", 0],
  ["an empty string", ""],
  ["false", false],
])("throwing %s ends the task with an error that says so and carries it", async (_, value) => {
  const [error, viaAsync, viaGroup] = await virtually(function* () {
    const star = createTask(function* () {
      throw value;
    });
    const fn = createTask(async () => {
      throw value;
    });
    yield* star.join();
    yield* fn.join();
    let group: unknown;
    try {
      yield* taskGroup(function* (g) {
        g.createTask(function* () {
          throw value;
        });
      });
    } catch (caught) {
      group = caught;
    }
    return [star.exception(), fn.exception(), group] as [Error, Error, AggregateError];
  });

  expect(error).toMatchObject({ name: "RuntimeError", code: "FALSY_ERROR", cause: value });
  expect(viaAsync.message).toMatch(/threw .*; throw an Error instead/);
  expect(viaGroup.errors).toHaveLength(1);
});

test("a truthy value that is no Error is thrown on as it is", async () => {
  await expect(
    virtually(function* () {
      throw "text";
    }),
  ).rejects.toBe("text");
});

test.each([
  ["sleep(NaN)", () => sleep(Number.NaN), RangeError, /in milliseconds or like .*, got NaN/],
  ["sleep('soon')", () => sleep("soon" as never), RangeError, /like "1.5s".*got "soon"/],
  ["sleep({})", () => sleep({} as never), TypeError, /got an object/],
  ["timeout() with a called body", () => timeout(1, (function* () {})() as never), TypeError, /pass the function itself/],
  ["taskGroup(undefined)", () => taskGroup(undefined as never), TypeError, /got undefined/],
  ["wait(not iterable)", () => wait(sleep(1) as never), TypeError, /write wait\(\[a, b\]\)/],
  ["wait([])", () => wait([]), RangeError, /got none/],
  ["wait() with an unknown returnWhen", () => wait([sleep(1)], { returnWhen: "SOON" as never }), RangeError, /"SOON"/],
  ["asCompleted(a coroutine)", () => asCompleted(sleep(1) as never), TypeError, /asCompleted\(\[a, b\]\)/],
  ["waitFor(5)", () => waitFor(5 as never, 1), TypeError, /got 5 \(number\)/],
  ["coroutine(async function)", () => coroutine((async () => {}) as never), TypeError, /function\*/],
  ["createTask(5)", () => createTask(5 as never), TypeError, /got 5 \(number\)/],
  ["createTask(undefined)", () => createTask(undefined as never), TypeError, /got undefined/],
  ["ensureFuture('x')", () => ensureFuture("x" as never), TypeError, /got "x"/],
  ["gather(1)", () => gather(1 as never), TypeError, /got 1 \(number\)/],
  ["new Semaphore(-1)", () => new Semaphore(-1), RangeError, /integer ≥ 0, got -1/],
])("%s is refused at once, with what was found and what to do", (_, call, kind, message) => {
  expect(call).toThrow(kind);
  expect(call).toThrow(message);
});

test("durations accept extremes: Infinity never ends, negative ones are one turn, huge ones wait", async () => {
  const { elapsed } = await runVirtual(function* () {
    const never = createTask(sleep(Number.POSITIVE_INFINITY));
    const huge = createTask(sleep(1e300));
    yield* sleep(-5);
    yield* sleep("1.5s");
    expect([never.done(), huge.done()]).toEqual([false, false]);
    never.cancel();
    huge.cancel();
  });

  expect(elapsed).toBe(1500);
});

test("setResult() and setException() of a task are refused", async () => {
  await virtually(function* () {
    const task = createTask(sleep(1));
    expect(() => task.setResult(undefined as never)).toThrow(/Cannot set the outcome of a task/);
    expect(() => task.setException(new Error())).toThrow(/Cannot set the outcome of a task/);
    yield* task;
  });
});

test("getRunningLoop() outside of any loop says where to call it", () => {
  expect(() => getRunningLoop()).toThrow(/no running event loop/);
  expect(() => new Future()).toThrow(/no running event loop/);
});

test("run() inside a running loop is refused, in both spellings", async () => {
  await expect(
    virtually(function* () {
      yield* ensureFuture(run(sleep(1)));
    }),
  ).rejects.toThrow(/Cannot run a loop inside another/);
  await expect(
    virtually(async () => {
      await run(sleep(1));
    }),
  ).rejects.toThrow(/Cannot run a loop inside another/);
});

test("run() of what cannot be awaited rejects with a TypeError", async () => {
  await expect(run(5 as never)).rejects.toThrow(TypeError);
  await expect(run(undefined as never)).rejects.toThrow(/got undefined/);
});

test("an async generator is refused with a remedy", async () => {
  async function* generate() {
    yield 1;
  }
  expect(() => createTask(generate() as never)).toThrow(TypeError);
});

test("a pending Future that is iterated or spread is refused, not looped over forever", async () => {
  await virtually(function* () {
    const future = new Future<number>();
    expect(() => [...(future as never)]).toThrow(/Cannot iterate over <Future pending>/);
    future.setResult(1);
    expect(yield* future).toBe(1);
  });
});

test("a bare name where options belong is refused, not ignored", async () => {
  await virtually(function* () {
    expect(() => createTask(sleep(0), "name" as never)).toThrow(/`options` to be an object such as \{ name \}, got "name"/);
    expect(() => new Lock("db" as never)).toThrow(/`options` to be an object such as \{ name \}, got "db"/);
    expect(() => new Semaphore(1, "seats" as never)).toThrow(TypeError);
  });
});
