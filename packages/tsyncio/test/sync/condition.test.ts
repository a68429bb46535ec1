import {
  Condition,
  type Coroutine,
  createTask,
  EventLoop,
  gather,
  isCancelled,
  Lock,
  Runner,
  RuntimeError,
  sleep,
  type Task,
  TimeoutError,
  timeout,
} from "tsyncio";
import { expect, test } from "vitest";
import { cancelEverywhere, pause } from "../support/cancel-everywhere.ts";
import { VirtualHost, virtually } from "../support/virtual.ts";

/** Waits once inside the condition and notes its name while it holds the lock. */
function* waiting(condition: Condition, name: string, log: string[]): Coroutine<boolean> {
  return yield* condition.with(function* () {
    const result = yield* condition.wait();
    log.push(condition.locked() ? name : `${name}, without the lock`);
    return result;
  });
}

function start(condition: Condition, names: string[], log: string[]): Task<boolean>[] {
  return names.map((name) => createTask(waiting(condition, name, log), { name }));
}

test("Condition.wait() lets go of the lock, and returns true with the lock held, when notified", async () => {
  await virtually(function* () {
    const condition = new Condition();
    const log: string[] = [];
    const [task] = start(condition, ["A"], log) as [Task<boolean>];
    yield* sleep(0);

    const waited = condition.locked();
    yield* condition.acquire();
    condition.notify();
    condition.release();

    expect([waited, yield* task, log, condition.locked()]).toEqual([false, true, ["A"], false]);
  });
});

test("Condition.notify() wakes the first n, which go on in order of arrival", async () => {
  await virtually(function* () {
    const condition = new Condition();
    const log: string[] = [];
    const tasks = start(condition, ["A", "B", "C", "D"], log);
    yield* sleep(0);

    yield* condition.with(() => condition.notify());
    yield* sleep(5);
    expect(log).toEqual(["A"]);
    yield* condition.with(() => condition.notify(2));
    yield* sleep(5);
    expect(log).toEqual(["A", "B", "C"]);
    yield* condition.with(() => condition.notify(2048));
    yield* gather(tasks);

    expect(log).toEqual(["A", "B", "C", "D"]);
  });
});

test("Condition.notify() twice under one lock wakes two", async () => {
  await virtually(function* () {
    const condition = new Condition();
    const log: string[] = [];
    const tasks = start(condition, ["A", "B", "C"], log);
    yield* sleep(0);

    yield* condition.with(() => {
      condition.notify(1);
      condition.notify(1);
    });
    yield* sleep(5);

    expect(log).toEqual(["A", "B"]);
    tasks[2]?.cancel();
  });
});

test("Condition.notifyAll() wakes all that wait, one after another", async () => {
  await virtually(function* () {
    const condition = new Condition();
    const log: string[] = [];
    let inside = 0;
    let most = 0;
    const tasks = ["A", "B", "C"].map((name) =>
      createTask(() =>
        condition.with(function* () {
          yield* condition.wait();
          most = Math.max(most, ++inside);
          yield* sleep(1);
          inside--;
          log.push(name);
        }),
      ),
    );
    yield* sleep(0);

    yield* condition.with(() => condition.notifyAll());
    yield* gather(tasks);

    expect([log, most, condition.locked()]).toEqual([["A", "B", "C"], 1, false]);
  });
});

test("Condition.notify() wakes nobody that comes later", async () => {
  await virtually(function* () {
    const condition = new Condition();
    const log: string[] = [];

    yield* condition.with(() => condition.notifyAll());
    const [task] = start(condition, ["A"], log) as [Task<boolean>];
    yield* sleep(5);

    expect(log).toEqual([]);
    task.cancel();
  });
});

test.each([0, -1, Number.NEGATIVE_INFINITY])("Condition.notify() wakes nobody, when n is %s", async (n) => {
  await virtually(function* () {
    const condition = new Condition();
    const log: string[] = [];
    const [task] = start(condition, ["A"], log) as [Task<boolean>];
    yield* sleep(0);

    yield* condition.with(() => condition.notify(n));
    yield* sleep(5);

    expect(log).toEqual([]);
    task.cancel();
  });
});

test("Condition.notify() refuses what is no number, and wakes nobody", async () => {
  await virtually(function* () {
    const condition = new Condition();
    const log: string[] = [];
    const [task] = start(condition, ["A"], log) as [Task<boolean>];
    yield* sleep(0);

    yield* condition.with(() => {
      expect(() => condition.notify(Number.NaN)).toThrow("Expected `n` to be a number of waiters, got NaN (number)");
      // @ts-expect-error a string is no number
      expect(() => condition.notify("2")).toThrow(RangeError);
      // @ts-expect-error nor is null
      expect(() => condition.notify(null)).toThrow(RangeError);
    });
    yield* sleep(5);

    expect(log).toEqual([]);
    task.cancel();
  });
});

test("Condition.notify() goes to a live waiter, when the first was cancelled in the same turn", async () => {
  await virtually(function* () {
    const condition = new Condition();
    const log: string[] = [];
    const tasks = start(condition, ["A", "B"], log);
    yield* sleep(0);
    yield* condition.acquire();

    tasks[0]?.cancel();
    condition.notify();
    condition.release();
    yield* gather(tasks, { returnExceptions: true });

    expect([tasks[0]?.cancelled(), log]).toEqual([true, ["B"]]);
  });
});

test("Condition wait(), notify(), notifyAll() and release() are errors, when the lock is not held", async () => {
  await virtually(function* () {
    const condition = new Condition();
    const failing = createTask(condition.wait());
    yield* failing.join();

    expect(failing.exception()).toMatchObject({
      name: "RuntimeError",
      code: "NOT_HELD",
      message: "Cannot wait on <Condition [unlocked]>: the lock is not held; acquire it first",
    });
    expect(() => condition.notify()).toThrow("Cannot notify on <Condition [unlocked]>: the lock is not held");
    expect(() => condition.notifyAll()).toThrow(RuntimeError);
    expect(() => condition.release()).toThrow(RuntimeError);
  });
});

// ── Cancellation ─────────────────────────────────────────────────────────────────────────────────────────────────────

test("Condition.wait() throws the cancellation with the lock held, when cancelled while it waits", async () => {
  await virtually(function* () {
    const condition = new Condition();
    let held: boolean | undefined;
    const task = createTask(function* () {
      yield* condition.acquire();
      try {
        yield* condition.wait();
      } finally {
        held = condition.locked() && condition.toString() === "<Condition [locked]>";
        condition.release();
      }
    });
    yield* sleep(0);

    task.cancel();
    yield* task.join();

    expect([task.cancelled(), held, condition.locked()]).toEqual([true, true, false]);
  });
});

test("Condition.wait() goes on waiting for the lock, when cancelled while it takes it again", async () => {
  await virtually(function* () {
    const condition = new Condition();
    const log: string[] = [];
    const task = createTask(function* () {
      yield* condition.acquire();
      try {
        yield* condition.wait();
      } catch (error) {
        log.push(isCancelled(error) ? `cancelled: ${error.message}` : "?", condition.locked() ? "with the lock" : "without");
        throw error;
      } finally {
        condition.release();
      }
    });
    yield* sleep(0);
    yield* condition.acquire();
    condition.notify();
    yield* sleep(1);

    task.cancel("first");
    yield* sleep(1);
    const meanwhile = [task.done(), [...log]];
    task.cancel("second");
    yield* sleep(1);
    condition.release();
    yield* task.join();

    expect(meanwhile).toEqual([false, []]);
    // The latest cancellation is the one that is thrown.
    expect(log).toEqual(["cancelled: second", "with the lock"]);
    expect([task.cancelled(), condition.locked()]).toEqual([true, false]);
  });
});

test("Condition.wait() hands its notification on, when notified and then cancelled", async () => {
  await virtually(function* () {
    const condition = new Condition();
    const log: string[] = [];
    const tasks = start(condition, ["A", "B"], log);
    yield* sleep(0);
    yield* condition.acquire();

    condition.notify();
    tasks[0]?.cancel();
    condition.release();
    yield* gather(tasks, { returnExceptions: true });

    expect([tasks[0]?.cancelled(), log, condition.locked()]).toEqual([true, ["B"], false]);
  });
});

test("Condition.wait() hands its notification on, when cancelled while it takes the lock again", async () => {
  await virtually(function* () {
    const condition = new Condition();
    const log: string[] = [];
    const tasks = start(condition, ["A", "B"], log);
    yield* sleep(0);
    yield* condition.acquire();
    condition.notify();
    yield* sleep(1);

    tasks[0]?.cancel();
    yield* sleep(1);
    condition.release();
    yield* gather(tasks, { returnExceptions: true });

    expect([tasks[0]?.cancelled(), log]).toEqual([true, ["B"]]);
  });
});

test("Condition.wait() hands its notification on, by async functions, when notified and then cancelled", async () => {
  await virtually(async () => {
    const condition = new Condition();
    const log: string[] = [];
    const asynchronous = (name: string): Task<void> =>
      createTask(async () => {
        await condition.with(async () => {
          await condition.wait();
          log.push(name);
        });
      });
    const a = asynchronous("A");
    const b = asynchronous("B");
    await sleep(1);
    await condition.acquire();

    condition.notify();
    a.cancel();
    condition.release();
    await gather([a, b], { returnExceptions: true });

    expect([a.cancelled(), log, condition.locked()]).toEqual([true, ["B"], false]);
  });
});

test("Condition.wait() ends with the lock held, when a timeout ends the wait", async () => {
  await virtually(function* () {
    const condition = new Condition();
    let caught: unknown;

    yield* condition.acquire();
    try {
      yield* timeout(10, () => condition.wait());
    } catch (error) {
      caught = error;
    }

    expect(caught).toBeInstanceOf(TimeoutError);
    expect(String(condition)).toBe("<Condition [locked]>");
  });
});

// ── waitFor ──────────────────────────────────────────────────────────────────────────────────────────────────────────

test("Condition.waitFor() returns the predicate's value at once, when it holds", async () => {
  await virtually(function* () {
    const condition = new Condition();

    const result = yield* condition.with(() => condition.waitFor(() => "yes"));

    expect(result).toBe("yes");
  });
});

test("Condition.waitFor() asks again after each notification, with the lock held", async () => {
  await virtually(function* () {
    const condition = new Condition();
    const asked: [number, boolean][] = [];
    let level = 0;
    const task = createTask(() =>
      condition.with(() =>
        condition.waitFor(() => {
          asked.push([level, condition.locked()]);
          return level >= 2 ? `level ${level}` : false;
        }),
      ),
    );
    yield* sleep(0);

    for (level = 1; level <= 2; level++) {
      yield* condition.with(() => condition.notify());
      yield* sleep(1);
    }

    expect(yield* task).toBe("level 2");
    expect(asked).toEqual([
      [0, true],
      [1, true],
      [2, true],
    ]);
  });
});

test("Condition.waitFor() is an error, when the lock is not held and the predicate does not hold", async () => {
  const condition = new Condition();

  await expect(virtually(() => condition.waitFor(() => false))).rejects.toMatchObject({ code: "NOT_HELD" });
});

test("Condition.waitFor() passes on what its predicate throws, with the lock held", async () => {
  await virtually(function* () {
    const condition = new Condition();
    yield* condition.acquire();

    let caught: unknown;
    try {
      yield* condition.waitFor(() => {
        throw new Error("predicate");
      });
    } catch (error) {
      caught = error;
    }

    expect(caught).toMatchObject({ message: "predicate" });
    expect(condition.locked()).toBe(true);
  });
});

test("Condition.waitFor() refuses a predicate that is not a function", () => {
  const condition = new Condition();

  // @ts-expect-error a boolean is no function
  expect(() => condition.waitFor(true)).toThrow("Expected a function for waitFor(), got true (boolean)");
});

test("Condition.waitFor() serves async functions", async () => {
  await virtually(async () => {
    const condition = new Condition();
    const items: string[] = [];
    const taker = createTask(async () => {
      using _guard = await condition.acquire();
      await condition.waitFor(() => items.length > 0);
      return items.pop();
    });
    await sleep(1);

    await condition.with(async () => {
      items.push("tea");
      await sleep(1);
      condition.notify();
    });

    expect([await taker, condition.locked()]).toEqual(["tea", false]);
  });
});

// ── The lock ─────────────────────────────────────────────────────────────────────────────────────────────────────────

test("Condition shares the lock that it is given", async () => {
  await virtually(function* () {
    const lock = new Lock();
    const full = new Condition(lock);
    const empty = new Condition(lock);

    yield* full.acquire();
    const states = [lock.locked(), empty.locked()];
    lock.release();

    expect([states, full.locked()]).toEqual([[true, true], false]);
  });
});

test("Condition.notify() wakes only its own waiters, when the lock is shared", async () => {
  await virtually(function* () {
    const lock = new Lock();
    const [first, second] = [new Condition(lock), new Condition(lock)];
    const log: string[] = [];
    const [a] = start(first, ["A"], log) as [Task<boolean>];
    const [b] = start(second, ["B"], log) as [Task<boolean>];
    yield* sleep(0);

    yield* second.with(() => second.notifyAll());
    yield* b;
    yield* sleep(1);

    expect([log, a.done()]).toEqual([["B"], false]);
    a.cancel();
  });
});

test("Condition refuses a lock that is none", () => {
  // @ts-expect-error an object is no lock
  expect(() => new Condition({})).toThrow("Expected `lock` to be a Lock, got an object");
  // @ts-expect-error a name belongs into the options
  expect(() => new Condition("db")).toThrow(TypeError);
});

test("Condition guard releases the lock, at the end of a block in which it was waited", async () => {
  await virtually(function* () {
    const condition = new Condition();
    const task = createTask(function* () {
      using _guard = yield* condition.acquire();
      yield* condition.wait();
    });
    yield* sleep(0);

    yield* condition.with(() => condition.notify());
    yield* task;

    expect(condition.locked()).toBe(false);
  });
});

test("Condition.with() refuses what is not a function", () => {
  const condition = new Condition();

  // @ts-expect-error an operation is no body
  expect(() => condition.with(condition.wait())).toThrow(/condition.with\(\).*pass the function itself, do not call it/);
});

test("Condition serves code outside of any task [real]", async () => {
  const condition = new Condition();
  let ready = false;
  const waiter = condition.with(async () => condition.waitFor(() => ready));

  await sleep(1);
  await condition.with(() => {
    ready = true;
    condition.notifyAll();
  });

  expect([await waiter, condition.locked()]).toEqual([true, false]);
});

// ── Loops, names, text ───────────────────────────────────────────────────────────────────────────────────────────────

test("Condition refuses the use by a second loop", async () => {
  const condition = new Condition();
  await using first = new Runner({ loop: new EventLoop({ host: new VirtualHost() }), signals: [] });
  await using second = new Runner({ loop: new EventLoop({ host: new VirtualHost() }), signals: [] });
  await first.run(() => condition.with(() => {}));

  await expect(second.run(() => condition.with(() => {}))).rejects.toMatchObject({ code: "OTHER_LOOP" });
});

test("Condition.toString() tells the state of the lock and the number of waiters", async () => {
  await virtually(function* () {
    const condition = new Condition();
    const texts = [String(condition)];
    yield* condition.acquire();
    texts.push(String(condition));
    condition.release();
    const tasks = start(condition, ["A", "B"], []);
    yield* sleep(0);
    texts.push(String(condition));
    yield* condition.acquire();
    texts.push(String(condition));
    condition.notifyAll();
    condition.release();
    yield* gather(tasks);
    texts.push(String(condition));

    expect(texts).toEqual([
      "<Condition [unlocked]>",
      "<Condition [locked]>",
      "<Condition [unlocked, waiters:2]>",
      "<Condition [locked, waiters:2]>",
      "<Condition [unlocked]>",
    ]);
  });
});

test("Condition shows by its name in what a task waits for, and so does its lock", async () => {
  await virtually(function* () {
    const condition = new Condition(undefined, { name: "changed" });
    const [task] = start(condition, ["A"], []) as [Task<boolean>];
    yield* sleep(0);
    const texts = [new Condition().describe(), task.waitingFor];

    yield* createTask(condition.acquire(), { name: "holder" });
    condition.notify();
    yield* sleep(0);
    texts.push(task.waitingFor);
    condition.release();
    yield* task;

    expect(texts).toEqual(["Condition", "Condition 'changed'", "Lock 'changed' held by holder"]);
  });
});

// ── Cancelled everywhere ─────────────────────────────────────────────────────────────────────────────────────────────

test("Condition loses no notification and no item, whichever task is cancelled at whichever turn", async () => {
  const sweep = await cancelEverywhere((stage) => {
    const condition = new Condition();
    const items: number[] = [];
    let produced = 0;
    let consumed = 0;
    let hungry = 0;
    let stuck = false;
    let closed = false;
    const takers = ["A", "B", "C"].map((name) =>
      stage.actor(name, function* () {
        const guard = yield condition.acquire();
        hungry++;
        try {
          yield condition.waitFor(() => items.length > 0 || closed);
          if (items.pop() !== undefined) consumed++;
          yield* pause();
        } finally {
          hungry--;
          guard.release();
        }
      }),
    );
    const makers = ["X", "Y"].map((name) =>
      stage.actor(name, function* () {
        yield* pause();
        const guard = yield condition.acquire();
        try {
          yield* pause();
          items.push(++produced);
          condition.notify();
          yield* pause();
        } finally {
          guard.release();
        }
      }),
    );
    stage.helper("closer", function* () {
      for (const task of makers) yield task.join();
      // Long after the last notification, nobody may sleep while there is an item.
      yield* pause(20);
      stuck = items.length > 0 && hungry > 0;
      yield condition.acquire();
      closed = true;
      condition.notifyAll();
      condition.release();
      for (const task of takers) yield task.join();
    });
    return () => {
      expect(stuck).toBe(false);
      expect(produced).toBe(consumed + items.length);
      expect(String(condition)).toBe("<Condition [unlocked]>");
    };
  });

  expect(sweep.cancelled).toBeGreaterThan(100);
});

test("Condition.wait() ends with the lock held, whichever task is cancelled at whichever turn", async () => {
  const sweep = await cancelEverywhere((stage) => {
    const lock = new Lock();
    const condition = new Condition(lock);
    let inside = 0;
    let most = 0;
    let waited = 0;
    let ended = 0;
    for (const name of ["A", "B"]) {
      stage.actor(name, function* () {
        yield condition.with(
          stage.body(function* () {
            waited++;
            try {
              yield condition.wait();
            } finally {
              ended++;
              most = Math.max(most, ++inside);
              if (!lock.locked()) most = Number.NaN;
              inside--;
            }
            inside++;
            yield* pause();
            inside--;
          }),
        );
      });
    }
    stage.helper("notifier", function* () {
      for (let i = 0; i < 4; i++) {
        yield* pause(3);
        yield lock.acquire();
        yield* pause();
        condition.notify();
        lock.release();
      }
    });
    return () => {
      expect(ended).toBe(waited);
      expect(most).toBeLessThanOrEqual(2);
      expect(String(lock)).toBe("<Lock [unlocked]>");
      expect(String(condition)).toBe("<Condition [unlocked]>");
    };
  });

  expect(sweep.cancelled).toBeGreaterThan(50);
});
