import {
  asCompleted,
  type Coroutine,
  createTask,
  Future,
  gather,
  getRunningLoop,
  type Operation,
  sleep,
  TimeoutError,
  timeout,
  wait,
} from "tsyncio";
import { expect, test } from "vitest";
import { runVirtual, turn, virtually } from "../support/virtual.ts";

test("asCompleted() gives results as they come, by yield*", async () => {
  const { result, elapsed } = await runVirtual(function* () {
    const order: string[] = [];
    const jobs = [
      sleep(3, "slow"),
      async () => await sleep(1, "quick"),
      createTask(sleep(2, "middle")),
      Promise.resolve("first"),
    ];
    for (const next of asCompleted(jobs)) order.push(yield* next);
    return order;
  });

  expect(result).toEqual(["first", "quick", "middle", "slow"]);
  expect(elapsed).toBe(3);
});

test("asCompleted() gives the given futures themselves, done, by for await", async () => {
  const seen = await virtually(async () => {
    const slow = createTask(sleep(2, "slow"));
    const quick = createTask(sleep(1, "quick"));
    const order: [boolean, string, boolean][] = [];
    for await (const future of asCompleted([slow, quick])) {
      order.push([future.done(), future.result(), future === slow || future === quick]);
    }
    return order;
  });

  expect(seen).toEqual([
    [true, "quick", true],
    [true, "slow", true],
  ]);
});

test("asCompleted() throws the error of a job at its place, and goes on", async () => {
  const seen = await virtually(async () => {
    const bad = async (): Promise<never> => {
      await sleep(2);
      throw new Error("bad");
    };
    const log: unknown[] = [];
    for (const next of asCompleted([sleep(1, "a"), bad, sleep(3, "c")])) {
      try {
        log.push(await next);
      } catch (error) {
        log.push((error as Error).message);
      }
    }
    return log;
  });

  expect(seen).toEqual(["a", "bad", "c"]);
});

test("asCompleted() takes what is done already first, after two turns", async () => {
  const seen = await virtually(function* () {
    const loop = getRunningLoop();
    const done = new Future<string>();
    done.setResult("done");
    const order: string[] = [];
    const before = turn(loop);
    let turns = -1;
    for (const next of asCompleted([sleep(1, "later"), done])) {
      order.push(yield* next);
      if (turns < 0) turns = turn(loop) - before;
    }
    return [...order, turns];
  });

  expect(seen).toEqual(["done", "later", 2]);
});

test("asCompleted() resumes its consumer two turns after a job ended", async () => {
  const turns = await virtually(function* () {
    const loop = getRunningLoop();
    let ended = 0;
    const job = createTask(function* () {
      yield* sleep(1);
      ended = turn(loop);
    });
    for (const next of asCompleted([job])) yield* next;
    return turn(loop) - ended;
  });

  expect(turns).toBe(2);
});

for (const spelling of ["function*", "for await"] as const) {
  test(`asCompleted() throws TimeoutError for each job that is late, and cancels none, ${spelling}`, async () => {
    const seen = await virtually(async () => {
      const jobs = [createTask(sleep(1, "in time")), createTask(sleep(20, "late")), createTask(sleep(30, "later"))];
      const log: unknown[] = [];
      const completed = asCompleted(jobs, { timeout: 10 });
      if (spelling === "function*") {
        await createTask(function* () {
          for (const next of completed) {
            try {
              log.push(yield* next);
            } catch (error) {
              log.push(error instanceof TimeoutError, getRunningLoop().time());
            }
          }
        });
      } else {
        const iterator = completed[Symbol.asyncIterator]();
        for (;;) {
          try {
            const next = await iterator.next();
            if (next.done === true) break;
            log.push(next.value.result());
          } catch (error) {
            log.push(error instanceof TimeoutError, getRunningLoop().time());
          }
        }
      }
      return [log, await gather(jobs)];
    });

    expect(seen).toEqual([
      ["in time", true, 10, true, 10],
      ["in time", "late", "later"],
    ]);
  });
}

test("asCompleted() whose jobs are done in time leaves no timer", async () => {
  const { elapsed } = await runVirtual(function* () {
    for (const next of asCompleted([sleep(1)], { timeout: "1h" })) yield* next;
    yield* sleep(1);
  });

  expect(elapsed).toBe(2);
});

test("asCompleted() runs a job once and gives it once, when it is given twice", async () => {
  const seen = await virtually(function* () {
    let runs = 0;
    const job = (function* (): Coroutine<string> {
      runs++;
      yield* sleep(1);
      return "once";
    })();
    const results: string[] = [];
    for (const next of asCompleted([job, job, sleep(2, "other")])) results.push(yield* next);
    return [...results, runs];
  });

  expect(seen).toEqual(["once", "other", 1]);
});

test("asCompleted() and wait() call a function each time, when it is given twice", async () => {
  const seen = await virtually(function* () {
    let calls = 0;
    const worker = async (): Promise<number> => ++calls;
    const results: number[] = [];
    for (const next of asCompleted([worker, worker])) results.push(yield* next);
    const { done } = yield* wait([worker, worker]);
    return [results, [...done].map((each) => each.result())];
  });

  expect(seen).toEqual([
    [1, 2],
    [3, 4],
  ]);
});

test("asCompleted() of nothing ends at once, in both iterations", async () => {
  const seen = await virtually(async () => {
    let count = 0;
    for (const next of asCompleted([])) {
      await next;
      count++;
    }
    for await (const _ of asCompleted([])) count++;
    return count;
  });

  expect(seen).toBe(0);
});

test("asCompleted() hands results to several waiters in the order of their arrival", async () => {
  const seen = await virtually(function* () {
    const operations: Operation<string>[] = [...asCompleted([sleep(3, "c"), sleep(1, "a"), sleep(2, "b")])];
    return yield* gather(operations);
  });

  expect(seen).toEqual(["a", "b", "c"]);
});

test("asCompleted() counts both iterations together", async () => {
  const seen = await virtually(async () => {
    const completed = asCompleted([sleep(1, "a"), sleep(2, "b"), sleep(3, "c")]);
    const log: string[] = [];
    for (const next of completed) {
      log.push(await next);
      break;
    }
    for await (const future of completed) log.push(future.result());
    return log;
  });

  expect(seen).toEqual(["a", "b", "c"]);
});

for (const spelling of ["function*", "async"] as const) {
  test(`asCompleted() loses no result, when its wait is cancelled, ${spelling}`, async () => {
    const seen = await virtually(async () => {
      const operations = [...asCompleted([sleep(5, "a"), sleep(6, "b")])] as [Operation<string>, Operation<string>];
      const [first, second] = operations;
      const impatient = createTask(
        spelling === "function*"
          ? function* () {
              yield* first;
            }
          : async () => {
              await first;
            },
      );
      await sleep(1);
      await impatient.cancelAndWait();
      return await second;
    });

    expect(seen).toBe("a");
  });
}

test("asCompleted() passes its wakeup on, when the woken waiter is cancelled in the same turn", async () => {
  const seen = await virtually(function* () {
    const future = new Future<string>();
    const [first, second] = [...asCompleted([future, sleep("1h", "never")])] as [Operation<string>, Operation<string>];
    const one = createTask(first);
    const two = createTask(second);
    yield* sleep(1);
    future.setResult("value");
    yield* sleep(0);
    one.cancel();
    yield* one.join();
    return [one.cancelled(), yield* timeout(10, () => two)];
  });

  expect(seen).toEqual([true, "value"]);
});

test("asCompleted() left early cancels nothing", async () => {
  const seen = await virtually(async () => {
    const slow = createTask(sleep(10, "slow"));
    for await (const future of asCompleted([slow, sleep(1, "quick")])) if (future.result() === "quick") break;
    return [slow.done(), await slow];
  });

  expect(seen).toEqual([false, "slow"]);
});

test("asCompleted() throws TypeError at once, when given a single job", async () => {
  await virtually(function* () {
    const task = createTask(sleep(0));
    expect(() => asCompleted(task as never)).toThrow(TypeError);
    expect(() => asCompleted(sleep(0) as never)).toThrow(TypeError);
    yield* task;
  });
});
