import {
  type Coroutine,
  createTask,
  currentTask,
  Future,
  getRunningLoop,
  isCancelled,
  Queue,
  sleep,
  TimeoutError,
  waitFor,
} from "tsyncio";
import { expect, test } from "vitest";
import { runVirtual, turn, virtually } from "../support/virtual.ts";

test("waitFor() gives the result, when the job is done in time, whatever kind it is", async () => {
  const results = await virtually(async () => [
    await waitFor(sleep(1, "coroutine"), 10),
    await waitFor(async () => await sleep(1, "async function"), "1s"),
    await waitFor(() => "function", 10),
    await waitFor(function* (): Coroutine<string> {
      return yield* sleep(1, "generator function");
    }, 10),
    await waitFor(createTask(sleep(1, "task")), 10),
    await waitFor(Promise.resolve("promise"), 10),
    await waitFor(sleep(1, "unlimited"), undefined),
    await waitFor(sleep(1, "unlimited"), null),
    await waitFor(sleep("1h", "unlimited"), Number.POSITIVE_INFINITY),
  ]);

  expect(results).toEqual([
    "coroutine",
    "async function",
    "function",
    "generator function",
    "task",
    "promise",
    "unlimited",
    "unlimited",
    "unlimited",
  ]);
});

test("waitFor() calls a function without arguments", async () => {
  const counts = await virtually(async () => [
    await waitFor((...args: unknown[]) => args.length, 10),
    await waitFor(async (...args: unknown[]) => args.length, 10),
    await waitFor(function* (...args: unknown[]): Coroutine<number> {
      return args.length;
    }, 10),
  ]);

  expect(counts).toEqual([0, 0, 0]);
});

for (const spelling of ["function*", "async"] as const) {
  test(`waitFor() throws TimeoutError after the job has cleaned up, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const loop = getRunningLoop();
      const log: unknown[] = [];
      const job =
        spelling === "function*"
          ? function* () {
              try {
                yield* sleep("1h");
              } finally {
                yield* sleep(5);
                log.push(`clean at ${loop.time()}`);
              }
            }
          : async () => {
              try {
                await sleep("1h");
              } finally {
                await sleep(5);
                log.push(`clean at ${loop.time()}`);
              }
            };
      try {
        yield* waitFor(job, 10);
      } catch (error) {
        log.push(error instanceof TimeoutError, isCancelled((error as Error).cause), loop.time());
      }
      return [...log, currentTask()?.cancelling()];
    });

    expect(seen).toEqual(["clean at 15", true, true, 15, 0]);
  });

  test(`waitFor() returns the value of a job that swallows the cancellation, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const value = yield* waitFor(
        spelling === "function*"
          ? function* (): Coroutine<string> {
              try {
                yield* sleep("1h");
              } catch {
                return "swallowed";
              }
              return "slept";
            }
          : async () => {
              try {
                await sleep("1h");
              } catch {
                return "swallowed";
              }
              return "slept";
            },
        10,
      );
      return [value, currentTask()?.cancelling()];
    });

    expect(seen).toEqual(["swallowed", 0]);
  });

  test(`waitFor() throws the error of a job that fails while it is cancelled, with the timeout as its cause, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      try {
        yield* waitFor(
          spelling === "function*"
            ? function* (): Coroutine<void> {
                try {
                  yield* sleep("1h");
                } catch {
                  throw new Error("failed to stop");
                }
              }
            : async () => {
                try {
                  await sleep("1h");
                } catch {
                  throw new Error("failed to stop");
                }
              },
          10,
        );
      } catch (error) {
        return [(error as Error).message, (error as Error).cause instanceof TimeoutError, currentTask()?.cancelling()];
      }
      return [];
    });

    expect(seen).toEqual(["failed to stop", true, 0]);
  });

  test(`waitFor() that is cancelled cancels the job and is cancelled, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const log: string[] = [];
      const job =
        spelling === "function*"
          ? function* () {
              try {
                yield* sleep("1h");
              } finally {
                yield* sleep(1);
                log.push("clean");
              }
            }
          : async () => {
              try {
                await sleep("1h");
              } finally {
                await sleep(1);
                log.push("clean");
              }
            };
      const task = createTask(
        spelling === "function*"
          ? function* () {
              yield* waitFor(job, 100);
            }
          : async () => {
              await waitFor(job, 100);
            },
      );
      yield* sleep(1);
      task.cancel("stop");
      yield* task.join();
      return [...log, task.cancelled(), task.cancelling(), getRunningLoop().time()];
    });

    expect(seen).toEqual(["clean", true, 1, 2]);
  });
}

test("waitFor() passes the job's own error on", async () => {
  await virtually(async () => {
    const bad = async (): Promise<never> => {
      await sleep(1);
      throw new RangeError("own");
    };
    await expect(waitFor(bad, 10)).rejects.toThrow(RangeError);
    await expect(
      waitFor(
        (function* () {
          throw new TimeoutError("of the job");
        })(),
        10,
      ),
    ).rejects.toThrow("of the job");
  });
});

test("waitFor() of a coroutine that does not wait takes no turn", async () => {
  const seen = await virtually(function* () {
    const loop = getRunningLoop();
    const before = turn(loop);
    const value = yield* waitFor(
      (function* (): Coroutine<number> {
        return 1;
      })(),
      10,
    );
    return [value, turn(loop) - before];
  });

  expect(seen).toEqual([1, 0]);
});

test("waitFor() runs a coroutine as part of the current task, and leaves no timer", async () => {
  const { result, elapsed } = await runVirtual(function* () {
    const me = currentTask();
    return yield* waitFor(
      (function* (): Coroutine<boolean> {
        yield* sleep(1);
        return currentTask() === me;
      })(),
      "1h",
    );
  });

  expect(result).toBe(true);
  expect(elapsed).toBe(1);
});

test("waitFor() cancels a future or task that it waited for in vain", async () => {
  const seen = await virtually(async () => {
    const future = new Future<void>();
    const task = createTask(sleep("1h"));
    for (const job of [future, task]) {
      try {
        await waitFor(job, 5);
      } catch (error) {
        if (!(error instanceof TimeoutError)) throw error;
      }
    }
    return [future.cancelled(), task.cancelled()];
  });

  expect(seen).toEqual([true, true]);
});

test("waitFor() leaves a promise behind, when the time is over", async () => {
  const seen = await virtually(async () => {
    let resolve = (_: string): void => {};
    const promise = new Promise<string>((fulfil) => {
      resolve = fulfil;
    });
    const log: unknown[] = [];
    try {
      await waitFor(promise, 5);
    } catch (error) {
      log.push(error instanceof TimeoutError);
    }
    resolve("later");
    return [...log, await promise];
  });

  expect(seen).toEqual([true, "later"]);
});

for (const limit of [0, -1]) {
  test(`waitFor(…, ${limit}) gives the result of what is done, and never starts what is not`, async () => {
    const seen = await virtually(async () => {
      const done = new Future<string>();
      done.setResult("done");
      const failed = new Future<string>();
      failed.setException(new RangeError("failed"));
      let started = 0;
      const log: unknown[] = [await waitFor(done, limit)];
      const jobs = [
        failed,
        new Future<string>(),
        (function* () {
          started++;
        })(),
        async () => {
          started++;
        },
      ];
      for (const job of jobs) {
        try {
          await waitFor<unknown>(job, limit);
        } catch (error) {
          log.push((error as Error).name);
        }
      }
      return [...log, started, (jobs[1] as Future<string>).cancelled()];
    });

    expect(seen).toEqual(["done", "RangeError", "TimeoutError", "TimeoutError", "TimeoutError", 0, true]);
  });
}

test("waitFor(…, 0) waits for the cleanup of a running task, and can itself be cancelled then", async () => {
  const seen = await virtually(function* () {
    const log: unknown[] = [];
    const slow = createTask(function* () {
      try {
        yield* sleep("1h");
      } finally {
        yield* sleep(10);
        log.push("clean");
      }
    });
    yield* sleep(1);
    const waiting = createTask(waitFor(slow, 0));
    yield* sleep(1);
    waiting.cancel();
    yield* waiting.join();
    log.push(waiting.cancelled(), slow.done());
    yield* slow.join();
    return [...log, slow.cancelled()];
  });

  expect(seen).toEqual([true, false, "clean", true]);
});

test("waitFor() of queue.get() leaves the item in the queue, when it is put at the deadline", async () => {
  const seen = await virtually(function* () {
    const queue = new Queue<string>();
    const log: unknown[] = [];
    getRunningLoop().callLater(10, () => queue.putNowait("item"));
    const consumer = createTask(function* () {
      try {
        log.push(yield* waitFor(queue.get(), 10));
      } catch (error) {
        log.push(error instanceof TimeoutError);
      }
    });
    yield* consumer;
    return [...log, queue.qsize()];
  });

  expect(seen).toEqual([true, 1]);
});

test("waitFor() nested: the inner limit is the inner's, the outer's the outer's", async () => {
  const seen = await virtually(async () => {
    const log: unknown[] = [];
    const inner = async (): Promise<string> => {
      try {
        await waitFor(sleep("1h"), 5);
      } catch (error) {
        log.push(error instanceof TimeoutError);
      }
      await sleep(2);
      return "inner went on";
    };
    log.push(await waitFor(inner, 10));
    try {
      await waitFor(() => waitFor(sleep("1h"), 50), 10);
    } catch (error) {
      log.push(error instanceof TimeoutError, getRunningLoop().time());
    }
    return log;
  });

  expect(seen).toEqual([true, "inner went on", true, 17]);
});

test("waitFor() throws TypeError at once, when the job cannot be awaited", () => {
  expect(() => waitFor(5 as never, 10)).toThrow(TypeError);
  expect(() => waitFor(sleep(1), Number.NaN)).toThrow(RangeError);
});
