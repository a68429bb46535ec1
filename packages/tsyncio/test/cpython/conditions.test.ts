/** Condition: who goes on when, and what a cancellation or another loop does to it. After CPython's test_locks.py. */

import {
  CancelledError,
  Condition,
  type Coroutine,
  createTask,
  EventLoop,
  type Future,
  getRunningLoop,
  Lock,
  moveOnAfter,
  RuntimeError,
  sleep,
  type Task,
  TimeoutError,
  timeout,
  waitFor,
} from "tsyncio";
import { expect, test } from "vitest";
import { VirtualHost, virtually } from "../support/virtual.ts";

/** The error that awaiting ends with. */
function* errorOf(awaited: Future<unknown> | Coroutine<unknown>): Coroutine<unknown> {
  try {
    yield* awaited;
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

/** How many stand in line, as the text of a condition tells. */
const inLine = (condition: Condition): number => Number(/waiters:(\d+)/.exec(String(condition))?.[1] ?? 0);

/** Waits once; keeps the lock, or gives it back. */
function* waiting(condition: Condition, number: number, log: number[], end: "keep" | "release"): Coroutine<true> {
  yield* condition.acquire();
  if (yield* condition.wait()) {
    log.push(number);
    if (end === "release") condition.release();
  }
  return true;
}

// ── wait and notify ──────────────────────────────────────────────────────────────────────────────────────────────────────

test("Condition.wait(), goes on as the lock is released, one task after another, when several are notified", async () => {
  await virtually(function* () {
    const condition = new Condition();
    const log: number[] = [];
    const tasks = [1, 2, 3].map((number) => createTask(waiting(condition, number, log, "keep")));
    yield* sleep(0);
    expect([log, condition.locked()]).toEqual([[], false]);

    expect(yield* condition.acquire()).toBeTruthy();
    condition.notify();
    yield* sleep(0);
    expect([log, condition.locked()]).toEqual([[], true]);

    condition.release();
    yield* sleep(0);
    expect([log, condition.locked()]).toEqual([[1], true]);

    condition.notify(2);
    yield* sleep(0);
    expect([log, condition.locked()]).toEqual([[1], true]);

    condition.release();
    yield* sleep(0);
    expect([log, condition.locked()]).toEqual([[1, 2], true]);

    condition.release();
    yield* sleep(0);
    expect([log, condition.locked()]).toEqual([[1, 2, 3], true]);
    expect(tasks.map((task) => task.done() && task.result())).toEqual([true, true, true]);
  });
});

test("Condition.notify(), wakes as many as asked for, or all there are, which go on within the next turn", async () => {
  await virtually(function* () {
    const condition = new Condition();
    const log: number[] = [];
    const tasks = [1, 2, 3].map((number) => createTask(waiting(condition, number, log, "release")));
    yield* sleep(0);
    expect(log).toEqual([]);

    yield* condition.acquire();
    condition.notify(1);
    condition.release();
    yield* sleep(0);
    expect(log).toEqual([1]);

    yield* condition.acquire();
    condition.notify(1);
    condition.notify(2048);
    condition.release();
    yield* sleep(0);
    expect(log).toEqual([1, 2, 3]);
    expect(tasks.map((task) => task.done() && task.result())).toEqual([true, true, true]);
  });
});

test("Condition.notifyAll(), wakes all that wait, which go on within the next turn", async () => {
  await virtually(function* () {
    const condition = new Condition();
    const log: number[] = [];
    const tasks = [1, 2].map((number) => createTask(waiting(condition, number, log, "release")));
    yield* sleep(0);
    expect(log).toEqual([]);

    yield* condition.acquire();
    condition.notifyAll();
    condition.release();
    yield* sleep(0);

    expect(log).toEqual([1, 2]);
    expect(tasks.map((task) => task.done() && task.result())).toEqual([true, true]);
  });
});

test("Condition.notify() and notifyAll(), are errors, when the lock is not held and no loop runs", () => {
  const condition = new Condition();

  expect(() => condition.notify()).toThrow(RuntimeError);
  expect(() => condition.notifyAll()).toThrow(RuntimeError);
});

test("Condition.waitFor(), goes on in the turn after a notification, when its predicate holds by then", async () => {
  await virtually(function* () {
    const condition = new Condition();
    const log: number[] = [];
    let holds = false;
    const task = createTask(function* () {
      yield* condition.acquire();
      if (yield* condition.waitFor(() => holds)) {
        log.push(1);
        condition.release();
      }
      return true;
    });
    yield* sleep(0);
    expect(log).toEqual([]);

    yield* condition.acquire();
    condition.notify();
    condition.release();
    yield* sleep(0);
    expect(log).toEqual([]);

    holds = true;
    yield* condition.acquire();
    condition.notify();
    condition.release();
    yield* sleep(0);
    expect(log).toEqual([1]);
    expect([task.done(), task.result()]).toEqual([true, true]);
  });
});

test("Condition.waitFor(), needs the lock only to wait, and returns what its predicate gives, when that holds", async () => {
  await virtually(function* () {
    const condition = new Condition();

    expect(yield* condition.waitFor(() => [1, 2, 3])).toEqual([1, 2, 3]);
    expect(yield* errorOf(createTask(condition.waitFor(() => false)))).toBeInstanceOf(RuntimeError);
  });
});

test("Condition.toString(), tells the state of the lock and how many wait", async () => {
  await virtually(function* () {
    const condition = new Condition();
    expect(String(condition)).toContain("[unlocked]");
    const tasks = [1, 2].map((number) => createTask(waiting(condition, number, [], "keep")));
    yield* sleep(0);

    yield* condition.acquire();

    expect(String(condition)).toContain("[locked, waiters:2]");
    tasks[1]?.cancel();
    yield* sleep(0);
    expect(String(condition)).toContain("[locked, waiters:1]");
    tasks[0]?.cancel();
    condition.release();
  });
});

// ── The lock ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("Condition.with(), holds the lock while its body runs", async () => {
  await virtually(function* () {
    const condition = new Condition();
    const before = condition.locked();

    const inside = yield* condition.with(() => condition.locked());

    expect([before, inside, condition.locked()]).toEqual([false, true, false]);
  });
});

test("Condition, is one with the lock that it is given: either one's with() locks both", async () => {
  await virtually(function* () {
    const lock = new Lock();
    const condition = new Condition(lock);
    const states = (): boolean[] => [lock.locked(), condition.locked()];

    expect(states()).toEqual([false, false]);
    expect(yield* condition.with(states)).toEqual([true, true]);
    expect(states()).toEqual([false, false]);
    expect(yield* lock.with(states)).toEqual([true, true]);
    expect(states()).toEqual([false, false]);
  });
});

test("Condition.acquire(), is an error as the lock's own acquire(), when that is bound to another loop", async () => {
  const other = new EventLoop({ host: new VirtualHost() });
  const lock = new Lock();
  await other.runUntilComplete(lock.with(() => {}));

  await virtually(function* () {
    const condition = new Condition(lock);
    for (const acquiring of [lock.acquire(), condition.acquire()]) {
      const error = yield* errorOf(createTask(acquiring));
      expect(error).toBeInstanceOf(RuntimeError);
      expect((error as Error).message).toContain("belongs to another event loop");
    }
    expect(lock.locked()).toBe(false);
  });
  other.close();
});

test("Condition.wait(), is an error and keeps the lock, when the condition is bound to another loop", async () => {
  const other = new EventLoop({ host: new VirtualHost() });
  const condition = new Condition();
  // The white box of CPython's test as well: no public way leads to a condition of one loop with a lock of another.
  (condition as unknown as { _loop: EventLoop })._loop = other;

  await virtually(function* () {
    yield* condition.with(function* () {
      const error = yield* errorOf(createTask(condition.wait()));
      expect(error).toBeInstanceOf(RuntimeError);
      expect((error as Error).message).toContain("belongs to another event loop");
      expect(condition.locked()).toBe(true);
    });
  });
  other.close();
});

// ── Cancellation ─────────────────────────────────────────────────────────────────────────────────────────────────────────

test("Condition.wait(), throws the cancellation with the lock held, nobody in line, when a task of its own", async () => {
  await virtually(function* () {
    const condition = new Condition();
    yield* condition.acquire();
    const task = createTask(condition.wait());
    getRunningLoop().callSoon(() => task.cancel());

    expect(yield* errorOf(task)).toBeInstanceOf(CancelledError);
    expect([inLine(condition), condition.locked()]).toEqual([0, true]);
  });
});

test("Condition.wait(), ends with the lock held, when notified, cancelled and given the lock in one turn", async () => {
  await virtually(function* () {
    const condition = new Condition();
    yield* condition.acquire();
    expect(condition.locked()).toBe(true);
    const task = createTask(condition.wait());
    yield* sleep(0);
    expect(condition.locked()).toBe(false);

    yield* condition.acquire();
    expect(condition.locked()).toBe(true);
    condition.notify();
    getRunningLoop().callSoon(() => task.cancel());
    getRunningLoop().callSoon(() => condition.release());
    yield* task.join();

    expect([task.cancelled(), condition.locked()]).toEqual([true, true]);
  });
});

test("Condition.wait(), throws the cancellation a turn after release(), when cancelled as it acquires again", async () => {
  await virtually(function* () {
    const condition = new Condition();
    let waited = false;
    const task = createTask(
      condition.with(function* () {
        waited = true;
        yield* condition.wait();
      }),
    );
    yield* sleep(0);

    yield* condition.acquire();
    condition.notify();
    yield* sleep(0);
    task.cancel();
    yield* sleep(0);
    expect(task.done()).toBe(false);
    condition.release();
    yield* sleep(0);

    expect([task.cancelled(), waited, condition.locked()]).toEqual([true, true, false]);
  });
});

test("Condition.wait(), throws TimeoutError inside of a body, when waitFor() ends it", async () => {
  await virtually(function* () {
    const condition = new Condition();

    const error = yield* errorOf(
      condition.with(function* () {
        yield* waitFor(condition.wait(), "0.5s");
      }),
    );

    expect(error).toBeInstanceOf(TimeoutError);
    expect(condition.locked()).toBe(false);
  });
});

test.each(["while it waits", "while it takes the lock again"])(
  "Condition.waitFor(), throws the very CancelledError that its task ends with, when cancelled %s",
  async (when) => {
    await virtually(function* () {
      const condition = new Condition();
      let wake = false;
      let raised: unknown;
      const task = createTask(
        condition.with(function* () {
          raised = yield* errorOf(condition.waitFor(() => wake));
          throw raised;
        }),
      );
      yield* sleep(0);
      if (when === "while it waits") task.cancel("foo");
      else {
        yield* condition.acquire();
        wake = true;
        condition.notify();
        yield* sleep(0);
        task.cancel("foo");
        condition.release();
      }

      const error = yield* errorOf(task);

      expect(raised).toBeInstanceOf(CancelledError);
      expect((error as CancelledError).message).toBe("foo");
      expect(error === raised).toBe(true);
    });
  },
);

/** Takes items, which are counted in `stock.items`, until that is negative. */
function* consuming(condition: Condition, stock: { items: number }): Coroutine<void> {
  yield* condition.with(function* () {
    for (;;) {
      yield* condition.waitFor(() => stock.items !== 0);
      if (stock.items < 0) return;
      stock.items--;
    }
  });
}

test.each(["before it runs", "as it takes the lock again"])(
  "Condition.notify(), reaches the other consumer, when the one that it woke is cancelled %s",
  async (when) => {
    await virtually(function* () {
      const condition = new Condition();
      const stock = { items: 0 };
      const consumers = [createTask(consuming(condition, stock)), createTask(consuming(condition, stock))];
      yield* sleep(0);

      yield* condition.with(function* () {
        stock.items++;
        condition.notify(1);
        if (when === "as it takes the lock again") yield* sleep(0);
        consumers[0]?.cancel();

        // Nobody notifies when an item is taken, so it is the time that ends this.
        const ended = yield* errorOf(timeout("10ms", () => condition.waitFor(() => stock.items === 0)));
        expect([stock.items, (ended as Error).name, condition.locked()]).toEqual([0, "TimeoutError", true]);

        stock.items = -1;
        condition.notifyAll();
      });
      yield* consumers[1] as Task<void>;
      expect(consumers[0]?.cancelled()).toBe(true);
    });
  },
);

test.each(["before it runs", "as it takes the lock again"])(
  "Condition.notify(), reaches the other async consumer, when the one that it woke is cancelled %s",
  async (when) => {
    await virtually(async () => {
      const condition = new Condition();
      let items = 0;
      const consume = (): Promise<void> =>
        (async () => {
          using _guard = await condition.acquire();
          for (;;) {
            await condition.waitFor(() => items !== 0);
            if (items < 0) return;
            items--;
          }
        })();
      const consumers = [createTask(consume), createTask(consume)];
      await sleep(0);

      await condition.with(async () => {
        items++;
        condition.notify(1);
        if (when === "as it takes the lock again") await sleep(0);
        consumers[0]?.cancel();

        await moveOnAfter("10ms", () => condition.waitFor(() => items === 0));
        expect([items, condition.locked()]).toEqual([0, true]);

        items = -1;
        condition.notifyAll();
      });
      await consumers[1];
      expect(consumers[0]?.cancelled()).toBe(true);
    });
  },
);
