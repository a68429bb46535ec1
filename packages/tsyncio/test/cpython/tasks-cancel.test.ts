/** Cancelling tasks: requests, messages, what is interrupted and what is not. After CPython's test_tasks.py. */

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
  TimeoutError,
  wait,
} from "tsyncio";
import { expect, test } from "vitest";
import { runVirtual, virtually } from "../support/virtual.ts";

const me = (): Task<unknown> => currentTask() as Task<unknown>;

/** The error that awaiting ends with. */
function* errorOf(awaited: Future<unknown> | Coroutine<unknown>): Coroutine<unknown> {
  try {
    yield* awaited;
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

/** What a task waits for: the white box that asyncio's tests look into as well. */
const waiterOf = (task: Task<unknown>): unknown => (task as unknown as { _waiter: unknown })._waiter;

/** The messages that asyncio's tests try, and what becomes of them; CancelledError's is text in JavaScript. */
const MESSAGES: readonly [args: [] | [string | undefined], message: string][] = [
  [[], ""],
  [[undefined], ""],
  [["my message"], "my message"],
];

// ── Messages ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("Task.cancel(), gives who awaits the task its message, when it comes before the first step", async () => {
  const error = await virtually(function* () {
    const task = createTask(function* () {});
    task.cancel("my message");
    return yield* errorOf(task);
  });

  expect(error).toBeInstanceOf(CancelledError);
  expect((error as Error).message).toBe("my message");
});

test("Task.cancel(), replaces the message, when the first request is not delivered yet", async () => {
  const error = await virtually(function* () {
    const task = createTask(function* () {});
    task.cancel("my message");
    task.cancel("my new message");
    return yield* errorOf(task);
  });

  expect((error as Error).message).toBe("my new message");
});

for (const look of ["result", "exception"] as const) {
  test(`Task.${look}(), throws the cancellation with its message, when asked after wait()`, async () => {
    for (const [args, message] of MESSAGES) {
      const error = await virtually(function* () {
        return yield* errorOf(
          createTask(function* () {
            const task = createTask(sleep(10_000));
            yield* sleep(0);
            task.cancel(...args);
            yield* wait([task]);
            task[look]();
          }),
        );
      });

      expect(error).toBeInstanceOf(CancelledError);
      expect((error as Error).message).toBe(message);
      expect((error as Error).cause).toBeUndefined();
    }
  });
}

test("Task.exception(), throws the cancellation with its message, when the task had not started", async () => {
  const error = await virtually(function* () {
    return yield* errorOf(
      createTask(function* () {
        const task = createTask(sleep(10_000));
        task.cancel("my message");
        yield* wait([task]);
        task.exception();
      }),
    );
  });

  expect(error).toBeInstanceOf(CancelledError);
  expect((error as Error).message).toBe("my message");
  expect((error as Error).cause).toBeUndefined();
});

test("CancelledError, can be the cause of another error, with its message", async () => {
  const error = await virtually(function* () {
    const loop = getRunningLoop();
    const started = new Future<void>();
    return yield* errorOf(
      createTask(function* () {
        const inner = createTask(function* () {
          started.setResult();
          yield* sleep(10_000);
        });
        yield* started;
        loop.callSoon(() => inner.cancel("msg"));
        try {
          yield* inner;
        } catch (caught) {
          throw new RangeError("cancelled", { cause: caught });
        }
      }),
    );
  });

  const { message, cause } = error as Error;
  expect(message).toBe("cancelled");
  expect(cause).toBeInstanceOf(CancelledError);
  expect((cause as Error).message).toBe("msg");
  expect((cause as Error).cause).toBeUndefined();
});

test("CancelledError, reaches the canceller through a gather with returnExceptions, with its message", async () => {
  for (const [args, message] of MESSAGES) {
    const error = await virtually(function* () {
      const task = createTask(function* () {
        for (let time = 0; time <= 1000; time += 50) yield* gather([sleep(50)], { returnExceptions: true });
      });
      yield* sleep(200);
      task.cancel(...args);
      return yield* errorOf(task);
    });

    expect(error).toBeInstanceOf(CancelledError);
    expect((error as Error).message).toBe(message);
    expect((error as Error).cause).toBeUndefined();
  }
});

// ── Requests and taking them back ────────────────────────────────────────────────────────────────────────────────────────

test("Task.cancelling(), counts each cancel(), which is accepted as often as it is asked", async () => {
  const seen = await virtually(function* () {
    const task = createTask(sleep(10_000));
    const before = [task.cancelling(), String(task).includes("cancelling")];
    const first = [task.cancel(), task.cancelling(), String(task).includes("<Task cancelling ")];
    const second = [task.cancel(), task.cancelling()];
    const error = yield* errorOf(task);
    return [before, first, second, isCancelled(error)];
  });

  expect(seen).toEqual([[0, false], [true, 1, true], [true, 2], true]);
});

test("Task.uncancel(), lets a task go on as if never cancelled, when it caught its cancellation", async () => {
  await virtually(function* () {
    const task = createTask(function* () {
      try {
        yield* sleep(10_000);
      } catch (error) {
        if (!isCancelled(error)) throw error;
        me().uncancel();
        yield* sleep(10_000);
      }
    });
    yield* sleep(10);

    expect(task.cancel()).toBe(true);
    expect(String(task)).toContain("<Task cancelling ");
    expect([task.cancelling(), task.cancelled()]).toEqual([1, false]);
    yield* sleep(10);
    expect(String(task)).not.toContain("cancelling");
    expect([task.cancelling(), task.cancelled()]).toEqual([0, false]);

    expect(task.cancel()).toBe(true);
    expect([task.cancelling(), task.cancelled()]).toEqual([1, false]);
    expect(isCancelled(yield* errorOf(task))).toBe(true);
    expect([task.cancelled(), task.done()]).toEqual([true, true]);

    // It comes too late to change anything.
    task.uncancel();
    expect([task.cancelled(), task.done()]).toEqual([true, true]);
  });
});

for (const spelling of ["function*", "async"] as const) {
  test(`Task.uncancel(), is what a timeout by hand is made of: code outside of the block goes on, ${spelling}`, async () => {
    const generator = (length: number, limit: number) =>
      function* (): Coroutine<boolean[]> {
        const task = me();
        let timedOut = false;
        let blockFinished = false;
        const timer = task.getLoop().callLater(limit, () => {
          timedOut = true;
          task.cancel();
        });
        try {
          try {
            yield* sleep(length);
            blockFinished = true;
          } catch (error) {
            if (timedOut && task.uncancel() === 0 && isCancelled(error)) throw new TimeoutError();
            throw error;
          } finally {
            timer.cancel();
          }
        } catch (error) {
          expect(error).toBeInstanceOf(TimeoutError);
          expect(timedOut).toBe(true);
        }
        yield* sleep(0);
        return [timedOut, blockFinished];
      };
    const asynchronous = (length: number, limit: number) => async (): Promise<boolean[]> => {
      const task = me();
      let timedOut = false;
      let blockFinished = false;
      const timer = task.getLoop().callLater(limit, () => {
        timedOut = true;
        task.cancel();
      });
      try {
        try {
          await sleep(length);
          blockFinished = true;
        } catch (error) {
          if (timedOut && task.uncancel() === 0 && isCancelled(error)) throw new TimeoutError();
          throw error;
        } finally {
          timer.cancel();
        }
      } catch (error) {
        expect(error).toBeInstanceOf(TimeoutError);
        expect(timedOut).toBe(true);
      }
      await sleep(0);
      return [timedOut, blockFinished];
    };
    const seen = await virtually(function* () {
      const make = spelling === "function*" ? generator : asynchronous;
      const late = createTask<boolean[]>(make(10_000, 100));
      const lateEnd = [yield* late, late.cancelling()];
      const early = createTask<boolean[]>(make(0, 10_000));
      return [lateEnd, [yield* early, early.cancelling()]];
    });

    expect(seen).toEqual([
      [[true, false], 0],
      [[false, true], 0],
    ]);
  });
}

test("Task.uncancel(), withdraws a request, when the task is about to go on with a result", async () => {
  const seen = await virtually(function* () {
    const future = new Future<void>();
    const task = createTask(function* () {
      yield* future;
      return 42;
    });
    yield* sleep(0);
    future.setResult();
    task.cancel();
    const requested = task.cancelling();
    task.uncancel();
    return [requested, task.cancelling(), yield* task];
  });

  expect(seen).toEqual([1, 0, 42]);
});

// ── What is interrupted ──────────────────────────────────────────────────────────────────────────────────────────────────

test("Task.cancel(), ends a sleep, and is refused afterwards", async () => {
  const { result, elapsed } = await runVirtual(function* () {
    const task = createTask(function* () {
      yield* sleep(10_000);
      return 12;
    });
    getRunningLoop().callSoon(() => task.cancel());
    const error = yield* errorOf(task);
    return [isCancelled(error), task.done(), task.cancelled(), task.cancel()];
  });

  expect(result).toEqual([true, true, true, false]);
  expect(elapsed).toBe(0);
});

test("Task.cancel(), interrupts a bare turn of the loop, sleep(0)", async () => {
  const seen = await virtually(function* () {
    const task = createTask(function* () {
      yield* sleep(0);
      yield* sleep(0);
      return 12;
    });
    yield* sleep(0);
    task.cancel();
    const error = yield* errorOf(task);
    return [isCancelled(error), task.done(), task.cancelled(), task.cancel()];
  });

  expect(seen).toEqual([true, true, true, false]);
});

for (const both of [false, true]) {
  test(`a task, ends cancelled, when the future it waits for is cancelled${both ? " and so is the task" : ""}`, async () => {
    const seen = await virtually(function* () {
      const future = new Future<void>();
      const task = createTask(function* () {
        yield* future;
        return 12;
      });
      yield* sleep(0);
      future.cancel();
      if (both) task.cancel();
      const error = yield* errorOf(task);
      return [isCancelled(error), task.done(), future.cancelled(), task.cancelled()];
    });

    expect(seen).toEqual([true, true, true, true]);
  });
}

test("Task.cancel(), cancels the future that the task waits for, at once, and the task has it no longer", async () => {
  const seen = await virtually(function* () {
    const future = new Future<void>();
    const task = createTask(function* () {
      yield* future;
    });
    yield* sleep(0);
    const waited = waiterOf(task) === future;
    task.cancel();
    const cancelled = future.cancelled();
    yield* sleep(0);
    return [waited, cancelled, isCancelled(yield* errorOf(task)), waiterOf(task)];
  });

  expect(seen).toEqual([true, true, true, null]);
});

test("Task.cancel(), gives the task's own value, when it catches the cancellation and returns", async () => {
  const seen = await virtually(function* () {
    const first = new Future<void>();
    const second = new Future<void>();
    const task = createTask(function* () {
      yield* first;
      try {
        yield* second;
      } catch (error) {
        if (isCancelled(error)) return 42;
      }
      return 0;
    });
    yield* sleep(0);
    const waits = [waiterOf(task) === first];
    first.setResult();
    yield* sleep(0);
    waits.push(waiterOf(task) === second);
    task.cancel();
    return [...waits, second.cancelled(), yield* task, task.cancelled()];
  });

  expect(seen).toEqual([true, true, true, 42, false]);
});

test("Task.cancel(), leaves the next wait alone, when the task ignores it", async () => {
  const seen = await virtually(function* () {
    const [first, second, third] = [new Future<void>(), new Future<void>(), new Future<number>()];
    const task = createTask(function* () {
      yield* first;
      try {
        yield* second;
      } catch (error) {
        if (!isCancelled(error)) throw error;
      }
      return yield* third;
    });
    yield* sleep(0);
    const waits = [waiterOf(task) === first];
    first.setResult();
    yield* sleep(0);
    waits.push(waiterOf(task) === second);
    task.cancel();
    waits.push(second.cancelled());
    yield* sleep(0);
    waits.push(waiterOf(task) === third);
    third.setResult(42);
    return [...waits, yield* task, third.cancelled(), task.cancelled()];
  });

  expect(seen).toEqual([true, true, true, true, 42, false, false]);
});

for (const [when, body] of [
  ["at its next wait", () => sleep(100_000)],
  ["when it returns without waiting", null],
] as const) {
  test(`Task.cancel() by the task itself, ends it ${when}`, async () => {
    const { result, elapsed } = await runVirtual(function* () {
      const task: Task<number> = createTask(function* () {
        task.cancel();
        if (body !== null) yield* body();
        return 12;
      });
      const before = task.cancelled();
      const error = yield* errorOf(task);
      return [before, isCancelled(error), task.done(), task.cancelled(), task.cancel()];
    });

    expect(result).toEqual([false, true, true, true, false]);
    expect(elapsed).toBe(0);
  });
}

test("Task.cancel() by the task itself, cancels the task that it awaits next, down to the future", async () => {
  const seen = await virtually(function* () {
    const future = new Future<void>();
    let nested: Task<void> | undefined;
    const task: Task<void> = createTask(function* () {
      nested = createTask(function* () {
        yield* future;
      });
      yield* sleep(0);
      task.cancel();
      yield* nested;
    });
    const error = yield* errorOf(task);
    return [isCancelled(error), task.cancelled(), nested?.cancelled(), future.cancelled()];
  });

  expect(seen).toEqual([true, true, true, true]);
});

test("Task.cancel() by a timer, ends a long sleep of another task, whose awaiter goes on", async () => {
  const { result, elapsed } = await runVirtual(function* () {
    const sleeper = createTask(function* () {
      yield* sleep(5_000_000);
    });
    getRunningLoop().callLater(100, () => sleeper.cancel());
    try {
      yield* sleeper;
    } catch (error) {
      if (isCancelled(error)) return "cancelled";
      throw error;
    }
    return "slept in";
  });

  expect(result).toBe("cancelled");
  expect(elapsed).toBe(100);
});

test("sleep(), takes its timer back, when it is cancelled", async () => {
  const seen = await virtually(function* () {
    const loop = getRunningLoop();
    const timers = loop as unknown as { _timers: { next(): number } };
    const task = createTask(sleep(10_000, "yeah"));
    yield* sleep(0);
    const before = timers._timers.next();
    task.cancel();
    yield* sleep(0);
    return [before, timers._timers.next(), task.cancelled()];
  });

  expect(seen).toEqual([10_000, Number.POSITIVE_INFINITY, true]);
});

test("Task.cancel(), goes through coroutines to the future; each may clean up, and the outermost may go on", async () => {
  const seen = await virtually(function* () {
    const waiter = new Future<void>();
    const log: string[] = [];
    function* inner(): Coroutine<void> {
      try {
        yield* waiter;
        log.push("got past the wait");
      } catch (error) {
        if (isCancelled(error)) log.push("inner");
        throw error;
      }
    }
    const task = createTask(function* () {
      try {
        yield* inner();
        log.push("got past inner");
      } catch (error) {
        if (isCancelled(error)) log.push("outer");
      }
    });
    yield* sleep(0);
    task.cancel();
    yield* task;
    return [...log, waiter.cancelled(), task.cancelled()];
  });

  expect(seen).toEqual(["inner", "outer", true, false]);
});

test("Task.cancel(), ends a wait() early, and leaves what was waited for running", async () => {
  const seen = await virtually(function* () {
    const waiter = new Future<void>();
    const log: string[] = [];
    const task = createTask(function* () {
      yield* wait([
        createTask(function* () {
          yield* waiter;
          log.push("inner");
        }),
      ]);
      log.push("outer");
    });
    yield* sleep(0);
    task.cancel();
    const error = yield* errorOf(task);
    waiter.setResult();
    yield* sleep(0);
    return [isCancelled(error), ...log];
  });

  expect(seen).toEqual([true, "inner"]);
});

test("Task.cancel(), ends in the task's failure, when the task answers with an error of its own", async () => {
  const seen = await virtually(function* () {
    const own = new Error("own");
    const task = createTask(function* () {
      try {
        yield* sleep(10_000);
      } catch (error) {
        if (isCancelled(error)) throw own;
      }
    });
    yield* sleep(0);
    task.cancel();
    const early = task.done();
    yield* sleep(0);
    return [early, task.done(), task.cancelled(), task.exception() === own];
  });

  expect(seen).toEqual([false, true, false, true]);
});

// ── Cancelling what gathers ──────────────────────────────────────────────────────────────────────────────────────────────

test("gather().cancel(), is refused, when all jobs are done and the gathering is not told yet", async () => {
  const seen = await virtually(function* () {
    const future = new Future<number>();
    const gathering = gather(
      (function* () {
        return yield* future;
      })(),
    );
    yield* sleep(0);
    let accepted: boolean | undefined;
    future.addDoneCallback(() => {
      accepted = gathering.cancel();
    });
    future.setResult(42);
    return [yield* gathering, accepted, gathering.cancelled(), gathering.result()];
  });

  expect(seen).toEqual([[42], false, false, [42]]);
});
