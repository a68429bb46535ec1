/** Counting and taking back requests to cancel in async functions, inside of scopes: as in coroutines. Each test runs in both forms. */

import { type Coroutine, createTask, currentTask, Future, gather, isCancelled, sleep, type Task, timeout } from "tsyncio";
import { describe, expect, test } from "vitest";
import { virtually } from "../support/virtual.ts";

/** Tasks that do the same, as a coroutine and as an async function. */
interface Forms<T> {
  readonly coroutine: () => Coroutine<T>;
  readonly asynchronous: () => Promise<T>;
}

function me(): Task<unknown> {
  return currentTask() as Task<unknown>;
}

function each<T>(expected: T, { coroutine, asynchronous }: Forms<T>): void {
  test("as a function*", async () => {
    expect(await virtually(coroutine)).toEqual(expected);
  });
  test("as an async function", async () => {
    expect(await virtually(asynchronous)).toEqual(expected);
  });
}

const caught = (error: unknown): string => (isCancelled(error) ? `cancelled ${error.message}` : String(error));

describe("task.cancelling(), counts what the task's own timeout has requested, when asked from outside", () => {
  each([1, 0], {
    *coroutine(): Coroutine<number[]> {
      const task = createTask(function* () {
        yield* timeout(1, function* () {
          yield* sleep(5);
        });
      });
      yield* sleep(1);
      const during = task.cancelling();
      yield* task.join();
      return [during, task.cancelling()];
    },
    async asynchronous() {
      const task = createTask(async () => {
        await timeout(1, async () => {
          await sleep(5);
        });
      });
      await sleep(1);
      const during = task.cancelling();
      await task.join();
      return [during, task.cancelling()];
    },
  });
});

describe("task.uncancel(), takes a request back that is on its way into a sleep, when called from outside", () => {
  each([0, "slept"], {
    *coroutine(): Coroutine<unknown[]> {
      const task = createTask(function* () {
        return yield* timeout(9, function* () {
          yield* sleep(0);
          return "slept";
        });
      });
      yield* sleep(0);
      task.cancel();
      return [task.uncancel(), yield* task];
    },
    async asynchronous() {
      const task = createTask(() =>
        timeout(9, async () => {
          await sleep(0);
          return "slept";
        }),
      );
      await sleep(0);
      task.cancel();
      return [task.uncancel(), await task];
    },
  });
});

describe("task.uncancel(), inside of a timeout that has expired, leaves the timeout to take back the next request", () => {
  each(0, {
    *coroutine(): Coroutine<number> {
      yield* timeout(1, function* () {
        try {
          yield* sleep(5);
        } catch {
          me().uncancel();
        }
        me().cancel();
      });
      return me().cancelling();
    },
    async asynchronous() {
      await timeout(1, async () => {
        try {
          await sleep(5);
        } catch {
          me().uncancel();
        }
        me().cancel();
      });
      return me().cancelling();
    },
  });
});

describe("task.cancel(), goes by the last message, when requested twice before a wait, the second time in a scope", () => {
  each("cancelled second", {
    *coroutine(): Coroutine<string> {
      me().cancel("first");
      yield* timeout(9, function* () {
        me().cancel("second");
      });
      try {
        yield* sleep(0);
        return "slept";
      } catch (error) {
        return caught(error);
      }
    },
    async asynchronous() {
      me().cancel("first");
      await timeout(9, async () => {
        me().cancel("second");
      });
      try {
        await sleep(0);
        return "slept";
      } catch (error) {
        return caught(error);
      }
    },
  });
});

describe("task.cancel(), is delivered at the next wait, when a body ended with a CancelledError that was not the task's", () => {
  each(["cancelled foreign", "cancelled own"], {
    *coroutine(): Coroutine<string[]> {
      const log: string[] = [];
      const future = new Future<void>();
      future.cancel("foreign");
      me().cancel("own");
      try {
        yield* timeout(9, function* () {
          yield* future;
        });
      } catch (error) {
        log.push(caught(error));
      }
      try {
        yield* sleep(0);
      } catch (error) {
        log.push(caught(error));
      }
      return log;
    },
    async asynchronous() {
      const log: string[] = [];
      const future = new Future<void>();
      future.cancel("foreign");
      me().cancel("own");
      try {
        await timeout(9, async () => {
          await future;
        });
      } catch (error) {
        log.push(caught(error));
      }
      try {
        await sleep(0);
      } catch (error) {
        log.push(caught(error));
      }
      return log;
    },
  });
});

describe("gather(), of a task twice that refuses to be cancelled, is cancelled with the message of the second request to it", () => {
  each("cancelled twice", {
    *coroutine(): Coroutine<string> {
      const task = createTask(function* () {
        try {
          yield* sleep(5);
        } catch {}
      });
      const both = gather(task, task);
      yield* sleep(0);
      both.cancel("twice");
      try {
        yield* both;
        return "done";
      } catch (error) {
        return caught(error);
      }
    },
    async asynchronous() {
      const task = createTask(async () => {
        try {
          await sleep(5);
        } catch {}
      });
      const both = gather(task, task);
      await sleep(0);
      both.cancel("twice");
      try {
        await both;
        return "done";
      } catch (error) {
        return caught(error);
      }
    },
  });
});

test("Task.cancel(), reaches a coroutine that is ready, when a foreign API listens to its signal", async () => {
  await virtually(function* () {
    const task = createTask(function* () {
      currentTask()?.signal.addEventListener("abort", () => {});
      for (let i = 0; i < 10; i++) yield* sleep(0);
    });
    yield* sleep(0);
    task.cancel();
    yield* sleep(1);

    expect(task.cancelled()).toBe(true);
  });
});
