/** Semaphore and BoundedSemaphore. After CPython's test_locks.py. */

import {
  CancelledError,
  type Coroutine,
  createTask,
  gather,
  getRunningLoop,
  Semaphore,
  sleep,
  type Task,
  taskGroup,
  waitFor,
} from "tsyncio";
import { expect, test } from "vitest";
import { virtually } from "../support/virtual.ts";

/** How many stand in line, as the text of a semaphore tells. */
const inLine = (semaphore: Semaphore): number => Number(/waiters:(\d+)/.exec(String(semaphore))?.[1] ?? 0);

function* taking(semaphore: Semaphore, number: number, log: number[]): Coroutine<true> {
  yield* semaphore.acquire();
  log.push(number);
  return true;
}

test("Semaphore, is locked, when made without permits", () => {
  expect(new Semaphore(0).locked()).toBe(true);
});

test("Semaphore.toString(), tells the permits while there are some, then how many wait", async () => {
  await virtually(function* () {
    const semaphore = new Semaphore();
    expect(String(semaphore)).toMatch(/\[unlocked, value:1\]>$/);

    yield* semaphore.acquire();
    expect(String(semaphore)).toMatch(/\[locked\]>$/);
    const tasks = [createTask(semaphore.acquire())];
    yield* sleep(0);
    expect(String(semaphore)).toContain("waiters:1");
    tasks.push(createTask(semaphore.acquire()));
    yield* sleep(0);
    expect(String(semaphore)).toContain("waiters:2");

    for (const task of tasks) task.cancel();
  });
});

test("Semaphore.release(), hands each permit to one that waits, and none is free meanwhile", async () => {
  await virtually(function* () {
    const semaphore = new Semaphore(3);
    const log: number[] = [];
    expect(yield* semaphore.acquire()).toBeTruthy();
    expect(yield* semaphore.acquire()).toBeTruthy();
    expect(semaphore.locked()).toBe(false);

    const first = createTask(taking(semaphore, 1, log));
    const others = [createTask(taking(semaphore, 2, log)), createTask(taking(semaphore, 3, log))];
    yield* sleep(0);
    expect([log, semaphore.locked(), inLine(semaphore), semaphore.value]).toEqual([[1], true, 2, 0]);

    others.push(createTask(taking(semaphore, 4, log)));
    semaphore.release();
    semaphore.release();
    expect(semaphore.value).toBe(0);
    yield* sleep(0);

    expect([log.length, semaphore.locked(), inLine(semaphore), semaphore.value]).toEqual([3, true, 1, 0]);
    expect(first.done() && first.result()).toBe(true);
    expect(others.filter((task) => task.done() && task.result())).toHaveLength(2);
    semaphore.release();
    yield* gather(others);
  });
});

test("Semaphore.acquire(), throws the cancellation, nobody in line, when cancelled as a task of its own", async () => {
  await virtually(function* () {
    const semaphore = new Semaphore();
    yield* semaphore.acquire();
    const task = createTask(semaphore.acquire());
    getRunningLoop().callSoon(() => task.cancel());

    let caught: unknown;
    try {
      yield* task;
    } catch (error) {
      caught = error;
    }

    expect(caught).toBeInstanceOf(CancelledError);
    expect(inLine(semaphore)).toBe(0);
  });
});

test("Semaphore.release(), reaches the first that is not cancelled, and only that one", async () => {
  await virtually(function* () {
    const semaphore = new Semaphore(0);
    const tasks = [1, 2, 3, 4].map(() => createTask(semaphore.acquire()));
    const [first, second, third, fourth] = tasks as [Task<unknown>, Task<unknown>, Task<unknown>, Task<unknown>];
    yield* sleep(0);

    first.cancel();
    second.cancel();
    semaphore.release();
    yield* sleep(0);
    yield* sleep(0);

    expect([third.done(), fourth.done()]).toEqual([true, false]);
    expect([first.cancelled(), second.cancelled()]).toEqual([true, true]);
    fourth.cancel();
    yield* fourth.join();
  });
});

test("Semaphore.release(), reaches the one behind, when the first is cancelled in the same turn", async () => {
  await virtually(function* () {
    const semaphore = new Semaphore(0);
    const first = createTask(semaphore.acquire());
    const second = createTask(semaphore.acquire());
    yield* sleep(0);

    first.cancel();
    semaphore.release();
    yield* sleep(0);
    yield* sleep(0);

    expect([semaphore.locked(), second.done()]).toEqual([true, true]);
  });
});

test("Semaphore.with(), loses no permit, when the one that is granted it is cancelled before its body runs", async () => {
  await virtually(function* () {
    const semaphore = new Semaphore(1);
    let ran = false;
    const first = createTask(function* () {
      yield* semaphore.with(() => sleep(0));
      second.cancel();
    });
    const second: Task<void> = createTask(
      semaphore.with(() => {
        ran = true;
      }),
    );

    const results = yield* gather([first, second], { returnExceptions: true });

    expect(results[0]).toBeUndefined();
    expect(results[1]).toBeInstanceOf(CancelledError);
    expect(ran).toBe(false);
    yield* waitFor(semaphore.acquire(), "1s");
  });
});

test("Semaphore.with(), loses no permit, when an async function is granted it and cancelled before its body", async () => {
  await virtually(async () => {
    const semaphore = new Semaphore(1);
    let ran = false;
    const first = createTask(async () => {
      await semaphore.with(async () => sleep(0));
      second.cancel();
    });
    const second: Task<void> = createTask(async () => {
      await semaphore.with(async () => {
        ran = true;
      });
    });

    const results = await gather([first, second], { returnExceptions: true });

    expect(results[0]).toBeUndefined();
    expect(results[1]).toBeInstanceOf(CancelledError);
    expect(ran).toBe(false);
    await waitFor(semaphore.acquire(), "1s");
  });
});

// ── First come, first served ─────────────────────────────────────────────────────────────────────────────────────────────

test("Semaphore.acquire(), serves round after round in order of arrival", async () => {
  const log = await virtually(function* () {
    const semaphore = new Semaphore(1);
    const log: string[] = [];
    const worker = function* (name: string): Coroutine<void> {
      for (const round of [1, 2]) {
        yield* semaphore.acquire();
        log.push(`${name}${round}`);
        yield* sleep(10);
        semaphore.release();
      }
    };
    yield* taskGroup(function* (group) {
      for (const name of ["a", "b", "c"]) group.createTask(worker(name));
    });
    return log;
  });

  expect(log).toEqual(["a1", "b1", "c1", "a2", "b2", "c2"]);
});

test("Semaphore.acquire(), puts the one that just gave a permit back at the end of the line", async () => {
  const log = await virtually(function* () {
    const semaphore = new Semaphore(1);
    const log: number[] = [];
    const tasks = [
      createTask(taking(semaphore, 1, log)),
      createTask(function* () {
        yield* taking(semaphore, 2, log);
        semaphore.release();
        return yield* taking(semaphore, 4, log);
      }),
      createTask(taking(semaphore, 3, log)),
    ];
    yield* sleep(0);

    semaphore.release();
    semaphore.release();
    yield* gather(tasks);
    return log;
  });

  expect(log).toEqual([1, 2, 3, 4]);
});

test("Semaphore.acquire(), keeps the order of those that are left, when the first is cancelled", async () => {
  const log = await virtually(function* () {
    const semaphore = new Semaphore(0);
    const log: number[] = [];
    const tasks = [1, 2, 3].map((number) => createTask(taking(semaphore, number, log)));
    yield* sleep(0);
    tasks[0]?.cancel();
    yield* sleep(0);

    semaphore.release();
    semaphore.release();
    yield* gather(tasks, { returnExceptions: true });
    return log;
  });

  expect(log).toEqual([2, 3]);
});

test("Semaphore.acquire(), wakes all for whom there are permits, in one turn, when several were released", async () => {
  const log = await virtually(function* () {
    const semaphore = new Semaphore(0);
    const log: number[] = [];
    let fourth: Task<void> | undefined;
    const first = createTask(function* () {
      expect(semaphore.value).toBe(0);
      yield* semaphore.acquire();
      // All that wait are woken by now …
      expect(semaphore.value).toBe(0);
      // … so that what begins now runs after them.
      fourth = createTask(function* () {
        log.push(4);
      });
      log.push(1);
    });
    const second = createTask(function* () {
      for (let i = 0; i < 3; i++) semaphore.release();
      expect(semaphore.value).toBe(2);
      // Nobody may pass by the first, which is woken and has not run.
      expect(semaphore.locked()).toBe(true);
      yield* taking(semaphore, 2, log);
    });
    const third = createTask(function* () {
      yield* semaphore.acquire();
      expect(semaphore.locked()).toBe(true);
      log.push(3);
    });

    yield* sleep(0);
    expect([semaphore.value, inLine(semaphore)]).toEqual([2, 3]);
    yield* sleep(0);
    yield* gather([first, second, third, fourth as Task<void>]);
    return log;
  });

  expect(log).toEqual([1, 2, 3, 4]);
});
