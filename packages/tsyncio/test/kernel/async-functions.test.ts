import {
  allTasks,
  CancelledError,
  createTask,
  currentTask,
  Event,
  Future,
  gather,
  getRunningLoop,
  isCancelled,
  Lock,
  Queue,
  shielded,
  sleep,
  type Task,
  TimeoutError,
  timeout,
  waitFor,
} from "tsyncio";
import { expect, test } from "vitest";
import { runVirtual, turn, virtually } from "../support/virtual.ts";

test("currentTask() is the task of the async function, after each await of a library operation or a promise", async () => {
  const names = await virtually(async () => {
    const seen: (string | undefined)[] = [];
    const job = async (): Promise<void> => {
      seen.push(currentTask()?.name);
      await sleep(1);
      seen.push(currentTask()?.name);
      await Promise.resolve();
      seen.push(currentTask()?.name);
    };
    await gather(createTask(job, { name: "a" }), createTask(job, { name: "b" }));
    return seen;
  });

  expect(names.sort()).toEqual(["a", "a", "a", "b", "b", "b"]);
});

test("currentTask() is null in a callback of the loop, also when an async function scheduled it", async () => {
  const found = await virtually(async () => {
    const called = new Future<Task<unknown> | null>();
    await sleep(1);
    getRunningLoop().callSoon(() => called.setResult(currentTask()));
    return [await called];
  });

  expect(found).toEqual([null]);
});

test("task.cancel() rejects the library operation that the async function awaits, in the next turn", async () => {
  const log = await virtually(async () => {
    const lines: string[] = [];
    const loop = getRunningLoop();
    const task = createTask(async () => {
      try {
        await sleep(1000);
      } catch (error) {
        lines.push(`${isCancelled(error)} ${(error as Error).message} +${turn(loop) - asked}`);
        throw error;
      }
    });
    await sleep(1);
    const asked = turn(loop);
    task.cancel("enough");
    await task.join();
    lines.push(String(task.cancelled()));
    return lines;
  });

  expect(log).toEqual(["true enough +1", "true"]);
});

test("task.cancel() rejects all operations in flight, when the async function awaits several at once", async () => {
  const outcome = await virtually(async () => {
    const lock = new Lock();
    const queue = new Queue<number>();
    const held = await lock.acquire();
    const task = createTask(async () => {
      const all = await Promise.allSettled([sleep(1000), lock.acquire(), queue.get()]);
      return all.map((each) => each.status === "rejected" && isCancelled(each.reason));
    });
    await sleep(1);
    task.cancel();
    const result = await task;
    held.release();
    return [result, lock.locked(), allTasks().size];
  });

  expect(outcome).toEqual([[true, true, true], false, 1]);
});

test("task.signal is aborted with the CancelledError, when the async function awaits a foreign API", async () => {
  const outcome = await virtually(async () => {
    let reason: unknown;
    const task = createTask(async () => {
      const { signal } = currentTask() as Task<unknown>;
      await new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          reason = signal.reason;
          reject(signal.reason);
        });
      });
    });
    await sleep(1);
    task.cancel("stop");
    await task.join();
    return [task.cancelled(), isCancelled(reason), (reason as Error).message];
  });

  expect(outcome).toEqual([true, true, "stop"]);
});

test("an AbortError of a foreign API counts as the cancellation, when the task's signal was aborted", async () => {
  const cancelled = await virtually(async () => {
    const task = createTask(async () => {
      const { signal } = currentTask() as Task<unknown>;
      await new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(new DOMException("The operation was aborted", "AbortError")));
      });
    });
    await sleep(1);
    task.cancel();
    await task.join();
    return task.cancelled();
  });

  expect(cancelled).toBe(true);
});

test("a cancellation during a foreign promise is delivered at the next library operation", async () => {
  const lines = await virtually(async () => {
    const log: string[] = [];
    let finish = (): void => {};
    const foreign = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const task = createTask(async () => {
      await foreign;
      log.push("foreign done");
      try {
        await sleep(1);
        log.push("not reached");
      } catch (error) {
        log.push((error as Error).name);
        throw error;
      }
    });
    await sleep(1);
    task.cancel();
    await sleep(1);
    log.push(`still ${task.done() ? "done" : "pending"}`);
    finish();
    await task.join();
    log.push(task.cancelled() ? "cancelled" : "other");
    return log;
  });

  expect(lines).toEqual(["still pending", "foreign done", "CancelledError", "cancelled"]);
});

test("timeout() ends after the async body has cleaned up, when the time is over", async () => {
  const { result, elapsed } = await runVirtual(async () => {
    const log: string[] = [];
    try {
      await timeout(10, async () => {
        try {
          await sleep(1000);
        } finally {
          await sleep(5);
          log.push("clean");
        }
      });
    } catch (error) {
      log.push((error as Error).name, String(error instanceof TimeoutError));
    }
    log.push(String((currentTask() as Task<unknown>).cancelling()));
    return log;
  });

  expect(result).toEqual(["clean", "TimeoutError", "true", "0"]);
  expect(elapsed).toBe(15);
});

test("waitFor() leaves a promise behind at the deadline, as a promise cannot be stopped", async () => {
  const { result, elapsed } = await runVirtual(async () => {
    try {
      await waitFor(new Promise(() => {}), 20);
    } catch (error) {
      return (error as Error).name;
    }
  });

  expect(result).toBe("TimeoutError");
  expect(elapsed).toBe(20);
});

test("task.signal inside a timeout's body is aborted at the deadline, and the task's own is not, in an async function", async () => {
  const outcome = await virtually(async () => {
    const task = currentTask() as Task<unknown>;
    const own = task.signal;
    let inner: AbortSignal | undefined;
    try {
      await timeout(5, async () => {
        inner = currentTask()?.signal;
        await sleep(100);
      });
    } catch {}
    return [inner?.aborted, own.aborted, task.signal === own];
  });

  expect(outcome).toEqual([true, false, true]);
});

test("task.signal is a fresh one, after a timeout inside a coroutine has expired", async () => {
  const outcome = await virtually(function* () {
    const task = currentTask() as Task<unknown>;
    const first = task.signal;
    try {
      yield* timeout(5, () => sleep(100));
    } catch {}
    return [first.aborted, task.signal.aborted];
  });

  expect(outcome).toEqual([true, false]);
});

test("a coroutine and an async function share one Lock, in order of arrival", async () => {
  const order = await virtually(async () => {
    const lock = new Lock();
    const log: string[] = [];
    const star = (name: string) =>
      function* () {
        yield* lock.with(function* () {
          log.push(name);
          yield* sleep(1);
        });
      };
    const fn = (name: string) => async () => {
      await lock.with(async () => {
        log.push(name);
        await sleep(1);
      });
    };
    await gather(star("1"), fn("2"), star("3"), fn("4"));
    return log;
  });

  expect(order).toEqual(["1", "2", "3", "4"]);
});

test("an async function called inside a coroutine body is awaited by ensureFuture, and its waits belong to the coroutine's task", async () => {
  const outcome = await virtually(function* () {
    const event = new Event();
    const task = createTask(function* () {
      yield* timeout(5, async () => {
        await event.wait();
      });
    });
    yield* task.join();
    return task.exception();
  });

  expect(outcome).toBeInstanceOf(TimeoutError);
});

test("an error of an async function keeps its identity and its stack, when the task is awaited", async () => {
  const boom = new Error("boom");

  const caught = await virtually(async () => {
    const task = createTask(async () => {
      await sleep(1);
      throw boom;
    });
    try {
      await task;
    } catch (error) {
      return error;
    }
  });

  expect(caught).toBe(boom);
});

test("a cancelled task awaited from outside rejects with name and code of a CancelledError", async () => {
  const task = createTask(async () => {
    await sleep(1000);
  });
  task.cancel("why");

  const error = await task.then(
    () => undefined,
    (reason: unknown) => reason,
  );

  expect(error).toBeInstanceOf(CancelledError);
  expect(error).toMatchObject({ name: "CancelledError", code: "CANCELLED", message: "why" });
});

test("an error of the body is not replaced, when a cancellation came during its foreign promise", async () => {
  const outcome = await virtually(async () => {
    let fail = (_: Error): void => {};
    const task = createTask(async () => {
      await new Promise((_, reject) => {
        fail = reject;
      });
    });
    await sleep(1);
    task.cancel();
    fail(new Error("own error"));
    await task.join();
    return task.cancelled() || (task.exception() as Error).message;
  });

  expect(outcome).toBe("own error");
});

test("shielded() keeps an async body whole, and throws the cancellation at its end", async () => {
  const log = await virtually(async () => {
    const lines: string[] = [];
    const task = createTask(async () => {
      try {
        await shielded(async () => {
          await sleep(10);
          lines.push("whole");
        });
        lines.push("not reached");
      } catch (error) {
        lines.push((error as Error).message);
        throw error;
      }
    });
    await sleep(1);
    task.cancel("patience");
    await task.join();
    lines.push(String(task.cancelled()));
    return lines;
  });

  expect(log).toEqual(["whole", "patience", "true"]);
});

test("async functions that await library operations alone run in the order of coroutines", async () => {
  const order = await virtually(async () => {
    const log: string[] = [];
    const star = (name: string) =>
      function* () {
        for (let i = 0; i < 3; i++) {
          log.push(name + i);
          yield* sleep(0);
        }
      };
    const fn = (name: string) => async () => {
      for (let i = 0; i < 3; i++) {
        log.push(name + i);
        await sleep(0);
      }
    };
    await gather(fn("a"), fn("b"));
    const asynchronous = log.splice(0).join(" ");
    await gather(star("a"), star("b"));
    return [asynchronous, log.join(" ")];
  });

  expect(order[0]).toBe(order[1]);
});

test("an operation that an async function did not await is ended, when the program ends", async () => {
  const lock = new Lock();
  const { errors, reports } = await runVirtual(async () => {
    await lock.acquire();
    createTask(async () => {
      void lock.acquire().then(
        () => {},
        () => {},
      );
    });
    await sleep(1);
  });

  expect(errors).toEqual([]);
  expect(reports).toEqual([]);
  expect(lock.toString()).toBe("<Lock [locked]>");
});

test("await of an operation, gives the task no wait of its own, when the operation ends at its first step", async () => {
  await virtually(async () => {
    const lock = new Lock();
    const queue = new Queue<string>();
    queue.putNowait("item");
    const task = currentTask() as Task<unknown>;

    const acquiring = Promise.resolve(lock.acquire());
    await null;
    expect(task.waitingFor).toBe("an async function");
    expect(lock.owner).toBe(task);
    (await acquiring).release();
    expect(await queue.get()).toBe("item");
    expect(allTasks()).toEqual(new Set([task]));
  });
});

test("await of an operation, rejects and can be done once, when its first step throws", async () => {
  await virtually(async () => {
    const queue = new Queue<string>();
    queue.shutdown();
    const getting = queue.get();

    await expect(Promise.resolve(getting)).rejects.toThrow(/it was shut down/);
    await expect(Promise.resolve(getting)).rejects.toThrow(/Cannot await queue.get again/);
  });
});

test("a cancellation that is due, waits for the next operation that suspends, when the one in between ends at its first step", async () => {
  await virtually(async () => {
    const lock = new Lock();
    const events: string[] = [];
    const task = createTask(async () => {
      await Promise.resolve();
      events.push("asked");
      currentTask()?.cancel("late");
      await lock.acquire();
      events.push("acquired");
      try {
        await sleep(0);
      } finally {
        lock.release();
      }
    });

    await expect(Promise.resolve(task)).rejects.toThrow("late");
    expect(events).toEqual(["asked", "acquired"]);
    expect(lock.locked()).toBe(false);
  });
});

for (const awaits of ["lock.acquire()", "sleep(0)"] as const) {
  test(`await ${awaits}, lets the function go on before the next entry of the loop, when it is the function's first`, async () => {
    await virtually(function* () {
      const lock = new Lock();
      const events: string[] = [];
      const jobs = [1, 2].map((n) =>
        createTask(async () => {
          await (awaits === "sleep(0)" ? sleep(0) : lock.acquire());
          events.push(`async ${n}`);
          if (lock.locked()) lock.release();
        }),
      );
      getRunningLoop().callSoon(() => {
        events.push("callback");
        getRunningLoop().callSoon(() => events.push("turn after"));
      });
      yield* gather(...jobs);

      const first = awaits === "sleep(0)" ? ["callback", "async 1", "async 2"] : ["async 1", "async 2", "callback"];
      expect(events.slice(0, 3)).toEqual(first);
    });
  });
}
