import {
  CancelledError,
  type Coroutine,
  createTask,
  currentTask,
  Future,
  gather,
  getRunningLoop,
  isCancelled,
  sleep,
  type Task,
} from "tsyncio";
import { expect, test } from "vitest";
import { runVirtual, turn, virtually } from "../support/virtual.ts";

function* fails(message: string, delay = 1): Coroutine<never> {
  yield* sleep(delay);
  throw new Error(message);
}

test("gather() gives the results in the order of the jobs, whatever kind they are and whenever they end", async () => {
  const results = await virtually(function* () {
    const future = new Future<number>();
    getRunningLoop().callLater(5, () => future.setResult(6));
    return yield* gather(
      sleep(3, "coroutine"),
      Promise.resolve("promise"),
      () => "function",
      async () => {
        await sleep(2);
        return "async function";
      },
      createTask(sleep(1, "task")),
      future,
      function* (): Coroutine<string> {
        return "generator function";
      },
    );
  });

  expect(results).toEqual(["coroutine", "promise", "function", "async function", "task", 6, "generator function"]);
});

test("gather() runs its jobs at the same time", async () => {
  const { elapsed } = await runVirtual(async () => {
    await gather(sleep(30), async () => await sleep(20), sleep(10));
  });

  expect(elapsed).toBe(30);
});

test("gather() accepts an array or another iterable", async () => {
  const seen = await virtually(function* () {
    const set = new Set([sleep(2, "a"), sleep(1, "b")]);
    return [yield* gather([sleep(1, 1), () => 2]), yield* gather(set)];
  });

  expect(seen).toEqual([
    [1, 2],
    ["a", "b"],
  ]);
});

test("gather() of nothing is a done future of an empty list", async () => {
  const seen = await virtually(function* () {
    const loop = getRunningLoop();
    const before = turn(loop);
    const nothing = gather();
    const results = [nothing.done(), yield* nothing, yield* gather([]), turn(loop) - before];
    return results;
  });

  expect(seen).toEqual([true, [], [], 0]);
});

test("gather() resumes its awaiter two turns after the last job ended", async () => {
  const turns = await virtually(function* () {
    const loop = getRunningLoop();
    let ended = 0;
    yield* gather(sleep(0), function* () {
      yield* sleep(1);
      ended = turn(loop);
    });
    return turn(loop) - ended;
  });

  expect(turns).toBe(2);
});

test("gather() runs a job once and gives its result twice, when it is given twice", async () => {
  const seen = await virtually(function* () {
    let runs = 0;
    const job = (function* (): Coroutine<number> {
      runs++;
      yield* sleep(1);
      return 7;
    })();
    const future = new Future<string>();
    getRunningLoop().callLater(1, () => future.setResult("x"));
    return [yield* gather(job, future, job, future), runs];
  });

  expect(seen).toEqual([[7, "x", 7, "x"], 1]);
});

test("gather() calls a function each time, when it is given three times", async () => {
  const seen = await virtually(function* () {
    let calls = 0;
    function* worker(): Coroutine<number> {
      yield* sleep(1);
      return ++calls;
    }
    return yield* gather(worker, worker, async () => "other", worker);
  });

  expect(seen).toEqual([1, 2, "other", 3]);
});

for (const spelling of ["function*", "async"] as const) {
  test(`gather() throws the first error at once, and the other jobs go on, ${spelling}`, async () => {
    const { result, errors } = await runVirtual(function* () {
      const log: string[] = [];
      const loop = getRunningLoop();
      const other = createTask(
        spelling === "function*"
          ? function* () {
              yield* sleep(10);
              log.push("other ended");
            }
          : async () => {
              await sleep(10);
              log.push("other ended");
            },
      );
      try {
        yield* gather(other, fails("first", 1), fails("second", 5));
      } catch (error) {
        log.push(`${(error as Error).message} at ${loop.time()}`);
      }
      yield* sleep(20);
      return log;
    });

    expect(result).toEqual(["first at 1", "other ended"]);
    // The second error came when one had been told already; asyncio drops it, too.
    expect(errors).toEqual([]);
  });

  test(`gather() with returnExceptions gives errors in place of results, ${spelling}`, async () => {
    const results = await virtually(function* () {
      const cancelled = createTask(sleep("1h"));
      cancelled.cancel();
      const bad =
        spelling === "function*"
          ? () => fails("bad")
          : async () => {
              await sleep(1);
              throw new Error("bad");
            };
      return yield* gather([sleep(5, "good"), bad, cancelled], { returnExceptions: true });
    });

    expect(results[0]).toBe("good");
    expect((results[1] as Error).message).toBe("bad");
    expect(results[2]).toBeInstanceOf(CancelledError);
  });
}

test("gather() throws CancelledError but is not cancelled, when a job is cancelled", async () => {
  const seen = await virtually(function* () {
    const victim = createTask(sleep("1h"));
    const other = createTask(sleep(5, "other"));
    const all = gather(victim, other);
    yield* sleep(1);
    victim.cancel("gone");
    const log: unknown[] = [];
    try {
      yield* all;
    } catch (error) {
      log.push(isCancelled(error), (error as Error).message);
    }
    return [...log, all.cancelled(), all.done(), currentTask()?.cancelling(), yield* other];
  });

  expect(seen).toEqual([true, "gone", false, true, 0, "other"]);
});

test("cancelling the future of gather() cancels all jobs, and it ends when they have", async () => {
  const seen = await virtually(function* () {
    const loop = getRunningLoop();
    const slow = createTask(function* () {
      try {
        yield* sleep("1h");
      } finally {
        yield* sleep(10);
      }
    });
    const quick = createTask(sleep("1h"));
    const all = gather(slow, quick);
    yield* sleep(1);
    const accepted = all.cancel("stop");
    const early = all.done();
    const log: unknown[] = [];
    try {
      yield* all;
    } catch (error) {
      log.push(isCancelled(error), loop.time());
    }
    return { accepted, early, log, ends: [slow.cancelled(), quick.cancelled(), all.cancelled()], again: all.cancel() };
  });

  expect(seen).toEqual({ accepted: true, early: false, log: [true, 1], ends: [false, true, false], again: false });
});

test("cancelling the future of gather() with returnExceptions waits for all jobs, then throws CancelledError", async () => {
  const seen = await virtually(function* () {
    const loop = getRunningLoop();
    const slow = createTask(function* () {
      try {
        yield* sleep("1h");
      } finally {
        yield* sleep(10);
      }
    });
    const all = gather([slow, sleep("1h")], { returnExceptions: true });
    yield* sleep(1);
    all.cancel();
    try {
      yield* all;
    } catch (error) {
      return [isCancelled(error), loop.time(), slow.cancelled(), all.cancelled()];
    }
    return [];
  });

  expect(seen).toEqual([true, 11, true, false]);
});

for (const spelling of ["function*", "async"] as const) {
  test(`cancelling a task that awaits gather() cancels the jobs, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const log: string[] = [];
      const job = (name: string) => async (): Promise<void> => {
        try {
          await sleep("1h");
        } finally {
          log.push(name);
        }
      };
      const task = createTask(
        spelling === "function*"
          ? function* () {
              yield* gather(job("a"), job("b"));
            }
          : async () => {
              await gather(job("a"), job("b"));
            },
      );
      yield* sleep(1);
      task.cancel();
      yield* task.join();
      return [...log, task.cancelled(), task.cancelling()];
    });

    expect(seen).toEqual(["a", "b", true, 1]);
  });
}

test("the awaiter of gather() is cancelled, when its only job has swallowed the cancellation", async () => {
  const seen = await virtually(function* () {
    const stubborn = createTask(function* () {
      try {
        yield* sleep("1h");
      } catch {
        return "swallowed";
      }
      return "slept";
    });
    const task = createTask(function* () {
      return yield* gather(stubborn);
    });
    yield* sleep(1);
    task.cancel();
    yield* task.join();
    return [task.cancelled(), yield* stubborn];
  });

  expect(seen).toEqual([true, "swallowed"]);
});

test("gather.cancel() is refused, when it has failed already: the jobs go on", async () => {
  const seen = await virtually(function* () {
    const other = createTask(sleep(10, "went on"));
    const all = gather(other, fails("first"));
    yield* sleep(2);
    const accepted = all.cancel();
    const error = all.exception() as Error;
    return [accepted, error.message, yield* other];
  });

  expect(seen).toEqual([false, "first", "went on"]);
});

test("gather() of a shared task does not cancel it when only another job fails", async () => {
  const seen = await virtually(function* () {
    const shared = createTask(sleep(10, "shared"));
    const first = gather(shared, fails("broken"));
    const second = gather(shared, sleep(1, "mine"));
    try {
      yield* first;
    } catch {
      // Expected; the other gathering is not touched.
    }
    return yield* second;
  });

  expect(seen).toEqual(["shared", "mine"]);
});

test("gather() reports an error that nobody awaited", async () => {
  const { errors } = await runVirtual(function* () {
    gather(fails("lost"));
    yield* sleep(5);
  });

  expect(errors.map((each) => (each.exception as Error).message)).toEqual(["lost"]);
});

test("gather() throws TypeError and shows what it found, when a job cannot be awaited", async () => {
  await virtually(function* () {
    expect(() => gather(sleep(0), 5 as never)).toThrow(TypeError);
    expect(() => gather([() => 1, "text" as never])).toThrow('got "text" (string)');
    yield* sleep(0);
  });
});

test("gather() of 10,000 jobs gives 10,000 results in order", async () => {
  const results = await virtually(async () => {
    return await gather(
      Array.from({ length: 10_000 }, (_, i) =>
        i % 2 === 0
          ? sleep(i % 7, i)
          : async () => {
              await sleep(i % 5);
              return i;
            },
      ),
    );
  });

  expect((results as number[]).every((each, i) => each === i)).toBe(true);
});

test("gather() nested in gather() is cancelled down to the leaves", async () => {
  const seen = await virtually(function* () {
    const leaves: Task<void>[] = [];
    const leaf = (): Task<void> => {
      const task = createTask(sleep("1h"));
      leaves.push(task);
      return task;
    };
    const task = createTask(function* () {
      yield* gather(gather(leaf(), leaf()), gather(leaf(), gather(leaf())));
    });
    yield* sleep(1);
    task.cancel();
    yield* task.join();
    return [task.cancelled(), ...leaves.map((each) => each.cancelled())];
  });

  expect(seen).toEqual([true, true, true, true, true]);
});
