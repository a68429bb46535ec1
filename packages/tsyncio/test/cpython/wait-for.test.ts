/** waitFor(): limits of none, zero and more, jobs that do not stop at once, shields. After CPython's test_waitfor.py. */

import {
  CancelledError,
  type Coroutine,
  createTask,
  Future,
  getRunningLoop,
  isCancelled,
  shield,
  sleep,
  TimeoutError,
  wait,
  waitFor,
} from "tsyncio";
import { expect, test } from "vitest";
import { virtually } from "../support/virtual.ts";

class Broken extends Error {}

/** The error that awaiting ends with. */
function* errorOf(awaited: Future<unknown> | Coroutine<unknown>): Coroutine<unknown> {
  try {
    yield* awaited;
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

for (const spelling of ["function*", "async"] as const) {
  /** A job that goes on for 200 ms, whatever is requested of it. */
  const stubborn = (log: string[]): (() => Coroutine<string> | Promise<string>) => {
    const end = getRunningLoop().time() + 200;
    const left = (): number => end - getRunningLoop().time();
    return spelling === "function*"
      ? function* () {
          while (left() > 0) {
            try {
              yield* sleep(left());
            } catch (error) {
              log.push(isCancelled(error) ? `cancelled at ${end - left()}` : "failed");
            }
          }
          log.push("exited");
          return "value";
        }
      : async () => {
          while (left() > 0) {
            try {
              await sleep(left());
            } catch (error) {
              log.push(isCancelled(error) ? `cancelled at ${end - left()}` : "failed");
            }
          }
          log.push("exited");
          return "value";
        };
  };

  test(`waitFor(), lets a job that refuses to stop run to its end, when cancelled, ${spelling}`, async () => {
    await virtually(function* () {
      const log: string[] = [];
      const waiting = createTask(waitFor(stubborn(log), 400));
      yield* sleep(0);
      waiting.cancel();
      yield* wait([waiting]);

      expect(log).toEqual(["cancelled at 0", "exited"]);
      expect(waiting.result()).toBe("value");
    });
  });

  test(`waitFor(), lets a job that refuses to stop run to its end, when the time is over, ${spelling}`, async () => {
    await virtually(function* () {
      const log: string[] = [];
      const value = yield* waitFor(stubborn(log), 100);

      expect(log).toEqual(["cancelled at 100", "exited"]);
      expect(value).toBe("value");
    });
  });

  test(`waitFor(), gives the value of a job that swallows the cancellation, ${spelling}`, async () => {
    await virtually(function* () {
      const caught: unknown[] = [];
      const value = yield* waitFor(
        spelling === "function*"
          ? function* (): Coroutine<number> {
              caught.push(yield* errorOf(sleep(1000)));
              return 42;
            }
          : async () => {
              await sleep(1000).then(undefined, (error) => caught.push(error));
              return 42;
            },
        10,
      );

      expect(value).toBe(42);
      expect(caught).toEqual([expect.any(CancelledError)]);
    });
  });
}

test.each([0, -1, 100])("waitFor(…, %d), cancels a running task, awaits it and throws TimeoutError", async (limit) => {
  await virtually(function* () {
    const started = new Future<void>();
    let running = false;
    const task = createTask(function* () {
      running = true;
      started.setResult();
      try {
        yield* sleep(10_000);
      } finally {
        running = false;
      }
      return "done";
    });
    yield* started;
    expect(running).toBe(true);

    expect(yield* errorOf(waitFor(task, limit))).toBeInstanceOf(TimeoutError);
    expect([task.done(), task.cancelled(), running]).toEqual([true, true, false]);
  });
});

test("waitFor(), gives the result of a future that is set as soon as it is waited for", async () => {
  await virtually(function* () {
    const future = new Future<string>();
    const waiting = waitFor(future, 200);
    getRunningLoop().callSoon(() => future.setResult("ok"));

    expect(yield* waiting).toBe("ok");
  });
});

test.each([0, 1])(
  "waitFor(…, %d), throws a TimeoutError caused by a cancellation, when the task's cleanup has waited",
  async (limit) => {
    await virtually(function* () {
      let cleaned = false;
      const task = createTask(function* () {
        try {
          yield* sleep(10_000);
        } catch (error) {
          yield* sleep(1);
          throw error;
        } finally {
          cleaned = true;
        }
      });
      yield* sleep(1);
      const error = yield* errorOf(waitFor(task, limit));

      expect(cleaned).toBe(true);
      expect(error).toBeInstanceOf(TimeoutError);
      expect((error as Error).cause).toBeInstanceOf(CancelledError);
    });
  },
);

test("waitFor(), throws the error of a task that fails as it is cancelled", async () => {
  await virtually(function* () {
    const task = createTask(function* () {
      try {
        yield* sleep(200);
      } catch {
        throw new Broken();
      }
    });

    expect(yield* errorOf(waitFor(task, 1))).toBeInstanceOf(Broken);
  });
});

test.each([null, 60_000])("waitFor(…, %s), cancels the task that it waits for, when cancelled itself", async (limit) => {
  await virtually(function* () {
    const task = createTask(function* () {
      yield* new Future<void>();
    });
    const waiting = createTask(waitFor(task, limit));
    getRunningLoop().callSoon(() => waiting.cancel());

    expect(yield* errorOf(waiting)).toBeInstanceOf(CancelledError);
    expect(task.cancelled()).toBe(true);
  });
});

test("waitFor(), is cancelled although its task is done, when the cancellation comes in that turn", async () => {
  await virtually(function* () {
    let reachedEnd = false;
    const inner = createTask(function* () {
      return "done";
    });
    const task = createTask(function* () {
      yield* waitFor(inner, 100_000);
      yield* sleep(1000);
      reachedEnd = true;
    });
    expect(task.done()).toBe(false);
    yield* sleep(0);
    task.cancel();

    expect(yield* errorOf(task)).toBeInstanceOf(CancelledError);
    expect(inner.done()).toBe(true);
    expect(yield* inner).toBe("done");
    expect(reachedEnd).toBe(false);
  });
});

test.each([0, 10])(
  "waitFor(shield(…), %d), throws TimeoutError and cancels the shield alone, whose task goes on",
  async (limit) => {
    await virtually(function* () {
      const task = createTask(sleep(100, "done"));
      const shielded = shield(task);

      expect(yield* errorOf(waitFor(shielded, limit))).toBeInstanceOf(TimeoutError);
      expect([task.done(), task.cancelled(), shielded.cancelled()]).toEqual([false, false, true]);
      expect(yield* task).toBe("done");
      expect(task.done()).toBe(true);
    });
  },
);

test("waitFor(shield(…), null), waits till the task has its result", async () => {
  await virtually(function* () {
    const task = createTask(sleep(100, "done"));
    yield* waitFor(shield(task), null);

    expect(task.done()).toBe(true);
    expect(yield* task).toBe("done");
  });
});
