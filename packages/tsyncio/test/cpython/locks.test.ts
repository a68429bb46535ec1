/** Lock, Event, and what all primitives have in common. After CPython's test_locks.py. */

import {
  Barrier,
  BoundedSemaphore,
  CancelledError,
  Condition,
  type Coroutine,
  createTask,
  Event,
  ensureFuture,
  Future,
  getRunningLoop,
  Lock,
  Semaphore,
  sleep,
  timeout,
} from "tsyncio";
import { expect, test } from "vitest";
import { virtually } from "../support/virtual.ts";

/** The error that awaiting ends with. */
function* errorOf(awaited: Future<unknown> | Coroutine<unknown>): Coroutine<unknown> {
  try {
    yield* awaited;
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

/** How many stand in line, as the text of a primitive tells. */
const inLine = (primitive: Lock | Event): number => Number(/waiters:(\d+)/.exec(String(primitive))?.[1] ?? 0);

/** Those that a body can hold. */
const holdable = (): (Lock | Condition | Semaphore)[] => {
  return [new Lock(), new Condition(), new Semaphore(), new BoundedSemaphore()];
};

// ── Primitives are no awaitables ─────────────────────────────────────────────────────────────────────────────────────────

test.each(["Lock", "Semaphore", "Barrier"])("%s, is no awaitable and stays as it is, when awaited itself", async (name) => {
  await virtually(function* () {
    const primitive = name === "Lock" ? new Lock() : name === "Semaphore" ? new Semaphore() : new Barrier(5);
    const before = String(primitive);

    const error = yield* errorOf(primitive as unknown as Coroutine<unknown>);

    expect(error).toBeInstanceOf(TypeError);
    expect(() => ensureFuture(primitive as unknown as Future<unknown>)).toThrow(TypeError);
    expect(() => createTask(primitive as unknown as Coroutine<unknown>)).toThrow(TypeError);
    expect(String(primitive)).toBe(before);
    expect(before).toMatch(/unlocked|filling/);
  });
});

test("Lock, Condition and semaphores, are no guards: `using` needs acquire(), and nothing is taken without it", async () => {
  await virtually(function* () {
    for (const lock of holdable()) {
      yield* sleep(10);
      expect(lock.locked()).toBe(false);

      const error = yield* errorOf(
        (function* (): Coroutine<void> {
          using _guard = (yield* lock as unknown as Coroutine<Disposable>) as Disposable;
        })(),
      );
      const asyncError = yield* errorOf(
        createTask(async () => {
          using _guard = (await lock) as unknown as Disposable;
        }),
      );

      expect(error).toBeInstanceOf(TypeError);
      expect(asyncError).toBeInstanceOf(TypeError);
      expect(lock.locked()).toBe(false);
    }
  });
});

test("Lock, Condition, Event and semaphores, take no loop: the types refuse it, the running loop is theirs", async () => {
  await virtually(function* () {
    const loop = getRunningLoop();
    const primitives = [
      // @ts-expect-error there is no such option
      new Lock({ loop }),
      // @ts-expect-error there is no such option
      new Condition(undefined, { loop }),
      // @ts-expect-error there is no such option
      new Event({ loop }),
      // @ts-expect-error there is no such option
      new Semaphore(1, { loop }),
      // @ts-expect-error there is no such option
      new BoundedSemaphore(1, { loop }),
    ];

    // Made, they belong to no loop yet, whatever was passed.
    const loopOf = (each: unknown): unknown => (each as { _loop: unknown })._loop;
    expect(primitives.map(loopOf)).toEqual([null, null, null, null, null]);
    for (const each of primitives) yield* each instanceof Event ? errorOf(timeout(1, () => each.wait())) : each.acquire();
    expect(loopOf(primitives[2]) === loop && loopOf(primitives[0]) === loop).toBe(true);
  });
});

// ── Lock ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("Lock.acquire(), gives the lock to one task per release(), in order of arrival", async () => {
  await virtually(function* () {
    const lock = new Lock();
    const got: number[] = [];
    const taker = function* (number: number): Coroutine<boolean> {
      if (yield* lock.acquire()) got.push(number);
      return true;
    };
    expect(yield* lock.acquire()).toBeTruthy();

    const first = createTask(taker(1));
    const second = createTask(taker(2));
    yield* sleep(0);
    expect(got).toEqual([]);

    lock.release();
    yield* sleep(0);
    expect(got).toEqual([1]);
    yield* sleep(0);
    expect(got).toEqual([1]);

    const third = createTask(taker(3));
    lock.release();
    yield* sleep(0);
    expect(got).toEqual([1, 2]);

    lock.release();
    yield* sleep(0);
    expect(got).toEqual([1, 2, 3]);
    expect([first, second, third].map((task) => task.done() && task.result())).toEqual([true, true, true]);
  });
});

test("Lock.acquire(), throws the cancellation and leaves nobody in line, when cancelled as a task of its own", async () => {
  await virtually(function* () {
    const lock = new Lock();
    yield* lock.acquire();
    const task = createTask(lock.acquire());
    getRunningLoop().callSoon(() => task.cancel());

    expect(yield* errorOf(task)).toBeInstanceOf(CancelledError);
    expect(inLine(lock)).toBe(0);
  });
});

test("Lock.release(), passes by a waiter that is cancelled but still in line, when the holder ends just then", async () => {
  await virtually(function* () {
    const lock = new Lock();
    const hold = function* (blocker?: Future<void>): Coroutine<void> {
      yield* lock.acquire();
      try {
        if (blocker !== undefined) yield* blocker;
      } finally {
        lock.release();
      }
    };
    const blocker = new Future<void>();
    const a = createTask(hold(blocker));
    yield* sleep(0);
    expect(lock.locked()).toBe(true);
    const b = createTask(hold());
    yield* sleep(0);
    expect(inLine(lock)).toBe(1);
    const c = createTask(hold());
    yield* sleep(0);
    expect(inLine(lock)).toBe(2);

    blocker.setResult(undefined);
    b.cancel();
    expect(inLine(lock)).toBe(2);
    yield* sleep(0);

    expect([lock.locked(), a.done(), b.cancelled()]).toEqual([false, true, true]);
    yield* c;
  });
});

test("Lock.release(), lets one task in, not two, when the waiter before it is cancelled just then", async () => {
  await virtually(function* () {
    const lock = new Lock();
    let calls = 0;
    let taken = 0;
    const take = function* (): Coroutine<void> {
      calls++;
      yield* lock.acquire();
      taken++;
    };
    yield* lock.acquire();
    const [first, second, third] = [createTask(take()), createTask(take()), createTask(take())] as const;
    yield* sleep(0);

    getRunningLoop().callSoon(() => {
      first.cancel();
      lock.release();
    });
    expect(yield* errorOf(first)).toBeInstanceOf(CancelledError);

    expect([taken, calls]).toEqual([1, 3]);
    expect([first.cancelled(), second.done()]).toEqual([true, true]);
    third.cancel();
    yield* sleep(0);
    expect(third.cancelled()).toBe(true);
  });
});

test("Lock.release(), lets one async function in, not two, when the waiter before it is cancelled just then", async () => {
  await virtually(async () => {
    const lock = new Lock();
    let taken = 0;
    const take = async (): Promise<void> => {
      await lock.acquire();
      taken++;
    };
    await lock.acquire();
    const [first, second, third] = [createTask(take), createTask(take), createTask(take)] as const;
    await sleep(0);

    getRunningLoop().callSoon(() => {
      first.cancel();
      lock.release();
    });
    await first.join();
    await sleep(1);

    expect([taken, first.cancelled(), second.done(), third.done()]).toEqual([1, true, true, false]);
    third.cancel();
    await third.join();
    expect(third.cancelled()).toBe(true);
  });
});

test("Lock.release(), serves the one that comes just then, when the only waiter is cancelled", async () => {
  await virtually(function* () {
    const lock = new Lock();
    yield* lock.acquire();
    expect(lock.locked()).toBe(true);
    const first = createTask(lock.acquire());
    yield* sleep(0);
    expect(inLine(lock)).toBe(1);

    const second = createTask(lock.acquire());
    first.cancel();
    lock.release();
    yield* sleep(0);

    expect([lock.locked(), first.cancelled()]).toEqual([true, true]);
    yield* second;
  });
});

// ── Event ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("Event.set(), lets the one that has not begun to wait through first, then those in line", async () => {
  await virtually(function* () {
    const event = new Event();
    const log: number[] = [];
    const waiting = function* (number: number): Coroutine<void> {
      if (yield* event.wait()) log.push(number);
    };
    expect(event.isSet()).toBe(false);
    const tasks = [createTask(waiting(1)), createTask(waiting(2))];
    yield* sleep(0);
    expect(log).toEqual([]);

    tasks.push(createTask(waiting(3)));
    event.set();
    yield* sleep(0);

    expect(log).toEqual([3, 1, 2]);
    expect(tasks.map((task) => [task.done(), task.result()])).toEqual([
      [true, undefined],
      [true, undefined],
      [true, undefined],
    ]);
  });
});

test("Event.wait(), throws the cancellation and leaves nobody in line, when cancelled as a task of its own", async () => {
  await virtually(function* () {
    const event = new Event();
    const task = createTask(event.wait());
    getRunningLoop().callSoon(() => task.cancel());

    expect(yield* errorOf(task)).toBeInstanceOf(CancelledError);
    expect(inLine(event)).toBe(0);
  });
});

test("Event.set(), wakes the waiter once, when called again before it has run", async () => {
  await virtually(function* () {
    const event = new Event();
    const log: number[] = [];
    const task = createTask(function* () {
      if (yield* event.wait()) log.push(1);
      return true;
    });
    yield* sleep(0);
    expect(log).toEqual([]);

    event.set();
    event.clear();
    expect(event.isSet()).toBe(false);
    event.set();
    event.set();
    expect(inLine(event)).toBe(1);
    yield* sleep(0);

    expect([log, inLine(event)]).toEqual([[1], 0]);
    expect([task.done(), task.result()]).toEqual([true, true]);
  });
});
