import {
  type Coroutine,
  createTask,
  currentTask,
  EventLoop,
  gather,
  isCancelled,
  Lock,
  Runner,
  RuntimeError,
  run,
  sleep,
  type Task,
  TimeoutError,
  taskGroup,
  timeout,
} from "tsyncio";
import { expect, test } from "vitest";
import { cancelEverywhere, pause } from "../support/cancel-everywhere.ts";
import { runVirtual, turn, VirtualHost, virtually } from "../support/virtual.ts";

/** Tasks that take the lock in turn and note their names. */
function* taker(lock: Lock, name: string, log: string[]): Coroutine<void> {
  yield* lock.acquire();
  log.push(name);
  lock.release();
}

test("Lock is free at first, held after acquire(), free after release()", async () => {
  const states: boolean[] = [];
  await virtually(function* () {
    const lock = new Lock();

    states.push(lock.locked());
    yield* lock.acquire();
    states.push(lock.locked());
    lock.release();
    states.push(lock.locked());
  });

  expect(states).toEqual([false, true, false]);
});

test("Lock.acquire() does not suspend, when the lock is free", async () => {
  const turns = await virtually(function* () {
    const lock = new Lock();
    const loop = (currentTask() as Task<unknown>).getLoop();

    const before = turn(loop);
    yield* lock.acquire();
    return turn(loop) - before;
  });

  expect(turns).toBe(0);
});

test("Lock.acquire() returns a truthy guard", async () => {
  const guard = await virtually(() => new Lock().acquire());

  expect(guard).toBeTruthy();
});

test("Lock.acquire() serves waiters in order of arrival", async () => {
  const log: string[] = [];
  await virtually(function* () {
    const lock = new Lock();
    yield* lock.acquire();
    const tasks = ["A", "B", "C"].map((name) => createTask(taker(lock, name, log)));
    yield* sleep(0);

    lock.release();
    yield* gather(tasks);
  });

  expect(log).toEqual(["A", "B", "C"]);
});

test("Lock.release() wakes the first waiter only, and it runs in the next turn", async () => {
  await virtually(function* () {
    const lock = new Lock();
    const loop = (currentTask() as Task<unknown>).getLoop();
    yield* lock.acquire();
    const first = createTask(function* () {
      yield* lock.acquire();
      return turn(loop);
    });
    const second = createTask(taker(lock, "B", []));
    yield* sleep(0);

    const released = turn(loop);
    lock.release();
    const resumed = yield* first;
    yield* sleep(0);

    expect(resumed).toBe(released + 1);
    expect(second.done()).toBe(false);
    lock.release();
    yield* second;
  });
});

test("Lock.locked() is false between release() and the turn of the woken waiter, yet a newcomer queues behind it", async () => {
  const log: string[] = [];
  await virtually(function* () {
    const lock = new Lock();
    yield* lock.acquire();
    const waiter = createTask(taker(lock, "waiter", log));
    yield* sleep(0);

    lock.release();
    const between = lock.locked();
    yield* taker(lock, "newcomer", log);
    yield* waiter;

    expect(between).toBe(false);
    expect(log).toEqual(["waiter", "newcomer"]);
  });
});

test("Lock.acquire() takes a free lock at once, when all that stand in line are cancelled", async () => {
  await virtually(function* () {
    const lock = new Lock();
    yield* lock.acquire();
    const waiter = createTask(lock.acquire());
    yield* sleep(0);
    waiter.cancel();
    lock.release();

    const loop = (currentTask() as Task<unknown>).getLoop();
    const before = turn(loop);
    yield* lock.acquire();

    expect(turn(loop)).toBe(before);
    yield* waiter.join();
    expect(lock.locked()).toBe(true);
  });
});

test("Lock.acquire() gives up its place, when cancelled while it waits", async () => {
  const log: string[] = [];
  await virtually(function* () {
    const lock = new Lock();
    yield* lock.acquire();
    const [a, b, c] = ["A", "B", "C"].map((name) => createTask(taker(lock, name, log))) as [Task<void>, Task<void>, Task<void>];
    yield* sleep(0);

    b.cancel();
    yield* b.join();
    expect(String(lock)).toBe("<Lock [locked, waiters:2]>");
    lock.release();
    yield* gather(a, c);

    expect(b.cancelled()).toBe(true);
  });

  expect(log).toEqual(["A", "C"]);
});

test("Lock.acquire() hands its turn on, when woken and then cancelled", async () => {
  const log: string[] = [];
  await virtually(function* () {
    const lock = new Lock();
    yield* lock.acquire();
    const a = createTask(taker(lock, "A", log));
    const b = createTask(taker(lock, "B", log));
    yield* sleep(0);

    lock.release();
    a.cancel();
    yield* gather([a, b], { returnExceptions: true });

    expect(a.cancelled()).toBe(true);
    expect(lock.locked()).toBe(false);
  });

  expect(log).toEqual(["B"]);
});

test("Lock.acquire() hands its turn on past a cancelled neighbour, when woken and then cancelled", async () => {
  const log: string[] = [];
  await virtually(function* () {
    const lock = new Lock();
    yield* lock.acquire();
    const [a, b, c] = ["A", "B", "C"].map((name) => createTask(taker(lock, name, log))) as [Task<void>, Task<void>, Task<void>];
    yield* sleep(0);

    lock.release();
    a.cancel();
    b.cancel();
    yield* gather([a, b, c], { returnExceptions: true });
  });

  expect(log).toEqual(["C"]);
});

test("Lock.release() reaches a live waiter, when the first in line was cancelled in the same turn", async () => {
  const log: string[] = [];
  await virtually(function* () {
    const lock = new Lock();
    yield* lock.acquire();
    const a = createTask(taker(lock, "A", log));
    const b = createTask(taker(lock, "B", log));
    yield* sleep(0);

    a.cancel();
    lock.release();
    yield* gather([a, b], { returnExceptions: true });
  });

  expect(log).toEqual(["B"]);
});

test("Lock.acquire() leaves no second waiter awake, when a waiter is cancelled while the lock is held", async () => {
  const log: string[] = [];
  await virtually(function* () {
    const lock = new Lock();
    yield* lock.acquire();
    const a = createTask(taker(lock, "A", log));
    const b = createTask(taker(lock, "B", log));
    yield* sleep(0);

    a.cancel();
    yield* sleep(0);
    yield* sleep(0);
    expect(log).toEqual([]);
    lock.release();
    yield* b;
  });

  expect(log).toEqual(["B"]);
});

test("Lock.acquire() throws the message of the cancellation", async () => {
  await virtually(function* () {
    const lock = new Lock();
    yield* lock.acquire();
    const waiter = createTask(function* () {
      try {
        yield* lock.acquire();
      } catch (error) {
        return isCancelled(error) ? error.message : "";
      }
      return "acquired";
    });
    yield* sleep(0);

    waiter.cancel("enough");

    expect(yield* waiter).toBe("enough");
  });
});

test("Lock.acquire() gives up its place, when a timeout ends the wait", async () => {
  await virtually(function* () {
    const lock = new Lock();
    yield* lock.acquire();

    let caught: unknown;
    try {
      yield* timeout(10, () => lock.acquire());
    } catch (error) {
      caught = error;
    }

    expect(caught).toBeInstanceOf(TimeoutError);
    expect(String(lock)).toBe("<Lock [locked]>");
  });
});

test("Lock.acquire() waits forever and is told as deadlock, when its own task holds the lock", async () => {
  const ending = virtually(function* () {
    const lock = new Lock({ name: "db" });
    yield* lock.acquire();
    yield* lock.acquire();
  });

  await expect(ending).rejects.toMatchObject({ code: "DEADLOCK", message: expect.stringContaining("Lock 'db' held by") });
});

test("Lock.acquire() is for one use", async () => {
  await virtually(function* () {
    const lock = new Lock();
    const acquiring = lock.acquire();
    yield* acquiring;

    expect(() => acquiring[Symbol.iterator]()).toThrow(/Cannot await lock.acquire again/);
  });
});

test("Lock.release() is an error, when the lock is not held", async () => {
  const lock = new Lock();

  expect(() => lock.release()).toThrow(RuntimeError);
  expect(() => lock.release()).toThrow("Cannot release Lock: it is not held; acquire it first");
});

test("Lock.release() may be called by a task that does not hold the lock", async () => {
  await virtually(function* () {
    const lock = new Lock();
    yield* createTask(lock.acquire());

    lock.release();

    expect(lock.locked()).toBe(false);
  });
});

test("Lock.owner is the task that holds it, and null when free", async () => {
  await virtually(function* () {
    const lock = new Lock();
    const main = currentTask();

    yield* lock.acquire();
    const first = lock.owner;
    const next = createTask(lock.acquire());
    yield* sleep(0);
    lock.release();
    const between = lock.owner;
    yield* next;
    const second = lock.owner;
    lock.release();

    expect([first === main, between, second === next, lock.owner]).toEqual([true, null, true, null]);
  });
});

test("Lock.owner is the task of the async function that awaited it", async () => {
  await virtually(async () => {
    const lock = new Lock();

    await lock.acquire();

    expect(lock.owner !== null && lock.owner === currentTask()).toBe(true);
  });
});

test("Lock.owner is null, when acquired outside of any task [real]", async () => {
  const lock = new Lock();

  using _guard = await lock.acquire();

  expect(lock.owner === null).toBe(true);
});

// ── Guards and bodies ────────────────────────────────────────────────────────────────────────────────────────────────

test("Lock guard releases at the end of a `using` block, in a coroutine", async () => {
  await virtually(function* () {
    const lock = new Lock();
    let inside = false;

    {
      using _guard = yield* lock.acquire();
      inside = lock.locked();
    }

    expect([inside, lock.locked()]).toEqual([true, false]);
  });
});

test("Lock guard releases at the end of a `using` block, in an async function", async () => {
  await virtually(async () => {
    const lock = new Lock();
    let inside = false;

    {
      using _guard = await lock.acquire();
      await sleep(1);
      inside = lock.locked();
    }

    expect([inside, lock.locked()]).toEqual([true, false]);
  });
});

test("Lock guard releases, when the `using` block throws or is cancelled", async () => {
  await virtually(function* () {
    const lock = new Lock();
    const failing = createTask(function* () {
      using _guard = yield* lock.acquire();
      throw new Error("inside");
    });
    yield* failing.join();
    const afterError = lock.locked();
    const cancelled = createTask(function* () {
      using _guard = yield* lock.acquire();
      yield* sleep(Number.POSITIVE_INFINITY);
    });
    yield* sleep(0);
    const while_ = lock.locked();

    cancelled.cancel();
    yield* cancelled.join();

    expect([afterError, while_, lock.locked()]).toEqual([false, true, false]);
  });
});

test("Lock guard releases once, however often it is told to", async () => {
  await virtually(function* () {
    const lock = new Lock();
    const guard = yield* lock.acquire();

    guard.release();
    guard.release();
    guard[Symbol.dispose]();
    const next = yield* lock.acquire();
    guard.release();

    expect(lock.locked()).toBe(true);
    next.release();
  });
});

test("Lock.with() holds the lock while its function* runs, and gives its result", async () => {
  await virtually(function* () {
    const lock = new Lock();

    const result = yield* lock.with(function* () {
      yield* sleep(1);
      return lock.locked();
    });

    expect([result, lock.locked()]).toEqual([true, false]);
  });
});

test("Lock.with() holds the lock while its async body runs, and gives its result", async () => {
  await virtually(async () => {
    const lock = new Lock();

    const result = await lock.with(async () => {
      await sleep(1);
      return lock.locked();
    });

    expect([result, lock.locked()]).toEqual([true, false]);
  });
});

test("Lock.with() takes an async body in a coroutine, and a function* in an async function", async () => {
  const lock = new Lock();
  const results = await virtually(function* () {
    const first = yield* lock.with(async () => {
      await sleep(1);
      return "async body";
    });
    const second = yield* createTask(async () => {
      return await lock.with(function* () {
        yield* sleep(1);
        return "function* body";
      });
    });
    return [first, second];
  });

  expect(results).toEqual(["async body", "function* body"]);
});

test("Lock.with() takes a plain function", async () => {
  const lock = new Lock();

  const result = await virtually(() => lock.with(() => lock.locked()));

  expect([result, lock.locked()]).toEqual([true, false]);
});

test("Lock.with() releases and passes the error on, when its body throws", async () => {
  const lock = new Lock();
  const failure = new Error("inside");

  const results = await virtually(() =>
    gather(
      [
        lock.with(function* () {
          throw failure;
        }),
        lock.with(async () => {
          throw failure;
        }),
        lock.with(() => {
          throw failure;
        }),
      ],
      { returnExceptions: true },
    ),
  );

  expect(results).toEqual([failure, failure, failure]);
  expect(lock.locked()).toBe(false);
});

test("Lock.with() releases after the cleanup of its body, when cancelled", async () => {
  const log: string[] = [];
  await virtually(function* () {
    const lock = new Lock();
    const holder = createTask(() =>
      lock.with(async () => {
        try {
          await sleep("1h");
        } finally {
          log.push(`cleanup, locked: ${lock.locked()}`);
        }
      }),
    );
    const waiter = createTask(taker(lock, "waiter", log));
    yield* sleep(1);

    holder.cancel();
    yield* gather([holder, waiter], { returnExceptions: true });

    expect(holder.cancelled()).toBe(true);
  });

  expect(log).toEqual(["cleanup, locked: true", "waiter"]);
});

test("Lock.with() refuses what is not a function, and names the remedy", async () => {
  const lock = new Lock();
  function* body(): Coroutine<void> {}

  // @ts-expect-error a coroutine is not a body
  expect(() => lock.with(body())).toThrow(/Expected the body of lock.with\(\).*pass the function itself, do not call it/);
  // @ts-expect-error nor is nothing
  expect(() => lock.with()).toThrow(TypeError);
  // @ts-expect-error nor a string
  expect(() => lock.with("body")).toThrow(TypeError);
});

// ── async functions ──────────────────────────────────────────────────────────────────────────────────────────────────

test("Lock.acquire() serves async functions in order of arrival, and coroutines between them", async () => {
  const log: string[] = [];
  await virtually(async () => {
    const lock = new Lock();
    await lock.acquire();
    const asyncTaker = async (name: string): Promise<void> => {
      await lock.acquire();
      log.push(name);
      await sleep(0);
      lock.release();
    };
    const tasks: Task<void>[] = [];
    for (const name of ["A", "B", "C", "D"]) {
      tasks.push(name === "A" || name === "C" ? createTask(() => asyncTaker(name)) : createTask(taker(lock, name, log)));
      await sleep(1);
    }

    lock.release();
    await gather(tasks);
  });

  expect(log).toEqual(["A", "B", "C", "D"]);
});

test("Lock.acquire() hands its turn on, when an async function is woken and then cancelled", async () => {
  const log: string[] = [];
  await virtually(async () => {
    const lock = new Lock();
    await lock.acquire();
    const a = createTask(async () => {
      await lock.acquire();
      log.push("A");
    });
    const b = createTask(async () => {
      await lock.acquire();
      log.push("B");
      lock.release();
    });
    await sleep(1);

    lock.release();
    a.cancel();
    await gather([a, b], { returnExceptions: true });

    expect(a.cancelled()).toBe(true);
    expect(lock.locked()).toBe(false);
  });

  expect(log).toEqual(["B"]);
});

test("Lock serves code outside of any task, one at a time [real]", async () => {
  const lock = new Lock();
  let inside = 0;
  let most = 0;
  const handler = async (): Promise<void> => {
    using _guard = await lock.acquire();
    most = Math.max(most, ++inside);
    await sleep(1);
    inside--;
  };

  await Promise.all([handler(), handler(), handler()]);

  expect([most, lock.locked()]).toEqual([1, false]);
});

test("Lock.with() serves code outside of any task [real]", async () => {
  const lock = new Lock();

  const result = await lock.with(async () => {
    await sleep(1);
    return lock.locked();
  });

  expect([result, lock.locked()]).toEqual([true, false]);
});

// ── Loops, names, text ───────────────────────────────────────────────────────────────────────────────────────────────

test("Lock refuses the use by a second loop, even when it is free", async () => {
  const lock = new Lock({ name: "db" });
  await using first = new Runner({ loop: new EventLoop({ host: new VirtualHost() }), signals: [] });
  await using second = new Runner({ loop: new EventLoop({ host: new VirtualHost() }), signals: [] });
  await first.run(() => lock.with(() => {}));

  const use = second.run(() => lock.acquire());

  await expect(use).rejects.toMatchObject({ name: "RuntimeError", code: "OTHER_LOOP" });
  expect(lock.locked()).toBe(false);
});

test("Lock serves a second loop, when the first is closed", async () => {
  const lock = new Lock();
  await virtually(() => lock.with(() => {}));

  await virtually(() => lock.with(() => {}));

  expect(lock.locked()).toBe(false);
});

test("Lock.toString() tells the state and the length of the line", async () => {
  await virtually(function* () {
    const lock = new Lock();
    const texts = [String(lock)];

    yield* lock.acquire();
    texts.push(String(lock));
    const waiter = createTask(taker(lock, "A", []));
    yield* sleep(0);
    texts.push(String(lock));
    lock.release();
    texts.push(String(lock));
    yield* waiter;

    expect(texts).toEqual([
      "<Lock [unlocked]>",
      "<Lock [locked]>",
      "<Lock [locked, waiters:1]>",
      "<Lock [unlocked, waiters:1]>",
    ]);
  });
});

test("Lock.describe() tells the name and the owner", async () => {
  await virtually(function* () {
    const named = new Lock({ name: "db" });
    const texts = [new Lock().describe(), named.describe()];

    yield* createTask(named.acquire(), { name: "holder" });
    texts.push(named.describe());

    expect(texts).toEqual(["Lock", "Lock 'db'", "Lock 'db' held by holder"]);
  });
});

test("Lock shows in what a task waits for, by both spellings", async () => {
  await virtually(function* () {
    const lock = new Lock({ name: "db" });
    yield* createTask(lock.acquire(), { name: "holder" });
    const generator = createTask(taker(lock, "A", []));
    const asynchronous = createTask(async () => lock.acquire());
    yield* sleep(1);

    const texts = [generator.waitingFor, asynchronous.waitingFor];
    generator.cancel();
    asynchronous.cancel();

    expect(texts).toEqual(["Lock 'db' held by holder", "Lock 'db' held by holder"]);
  });
});

test("Lock waiters are cancelled without noise, when the run ends", async () => {
  const lock = new Lock();

  const { errors, reports } = await runVirtual(function* () {
    yield* lock.acquire();
    createTask(taker(lock, "A", []));
    createTask(async () => lock.acquire());
    yield* sleep(1);
  });

  expect([errors, reports]).toEqual([[], []]);
  expect(String(lock)).toBe("<Lock [locked]>");
});

test("Lock keeps its order and counts with many waiters [real]", async () => {
  const order: number[] = [];
  const lock = new Lock();

  await run(() =>
    taskGroup(function* (group) {
      for (let i = 0; i < 2000; i++) {
        group.createTask(function* () {
          using _guard = yield* lock.acquire();
          yield* sleep(0);
          order.push(i);
        });
      }
    }),
  );

  expect(order).toEqual([...Array(2000).keys()]);
  expect(String(lock)).toBe("<Lock [unlocked]>");
});

// ── Cancelled everywhere ─────────────────────────────────────────────────────────────────────────────────────────────

test("Lock loses no turn and stays free, whichever task is cancelled at whichever turn", async () => {
  const sweep = await cancelEverywhere((stage) => {
    const lock = new Lock();
    let inside = 0;
    let most = 0;
    for (const name of ["A", "B", "C"]) {
      stage.actor(name, function* () {
        for (let round = 0; round < 2; round++) {
          const guard = yield lock.acquire();
          most = Math.max(most, ++inside);
          try {
            yield* pause();
          } finally {
            inside--;
            guard.release();
          }
        }
      });
    }
    return () => {
      expect(most).toBe(1);
      expect(String(lock)).toBe("<Lock [unlocked]>");
      expect(lock.owner).toBe(null);
    };
  });

  expect(sweep.cancelled).toBeGreaterThan(50);
});

test("Lock.with() loses no turn and stays free, whichever task is cancelled at whichever turn", async () => {
  const sweep = await cancelEverywhere((stage) => {
    const lock = new Lock();
    let inside = 0;
    let most = 0;
    for (const name of ["A", "B", "C"]) {
      stage.actor(name, function* () {
        yield lock.with(
          stage.body(function* () {
            most = Math.max(most, ++inside);
            try {
              yield* pause(2);
            } finally {
              inside--;
            }
          }),
        );
      });
    }
    return () => {
      expect([most, inside]).toEqual([1, 0]);
      expect(String(lock)).toBe("<Lock [unlocked]>");
    };
  });

  expect(sweep.cancelled).toBeGreaterThan(50);
});
