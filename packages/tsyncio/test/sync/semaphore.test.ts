import {
  BoundedSemaphore,
  type Coroutine,
  createTask,
  EventLoop,
  gather,
  getRunningLoop,
  Runner,
  run,
  Semaphore,
  sleep,
  type Task,
  TimeoutError,
  taskGroup,
  timeout,
} from "tsyncio";
import { expect, test } from "vitest";
import { cancelEverywhere, pause } from "../support/cancel-everywhere.ts";
import { turn, VirtualHost, virtually } from "../support/virtual.ts";

function* taker(semaphore: Semaphore, name: string, log: string[]): Coroutine<void> {
  yield* semaphore.acquire();
  log.push(name);
}

test("Semaphore has one permit by default", async () => {
  await virtually(function* () {
    const semaphore = new Semaphore();
    const states = [semaphore.locked(), semaphore.value];

    yield* semaphore.acquire();
    states.push(semaphore.locked(), semaphore.value);
    semaphore.release();
    states.push(semaphore.locked(), semaphore.value);

    expect(states).toEqual([false, 1, true, 0, false, 1]);
  });
});

test("Semaphore of 0 is locked until it is released", async () => {
  await virtually(function* () {
    const semaphore = new Semaphore(0);
    const log: string[] = [];
    const task = createTask(taker(semaphore, "A", log));
    yield* sleep(0);
    const before = [semaphore.locked(), [...log]];

    semaphore.release();
    yield* task;

    expect([before, log]).toEqual([[true, []], ["A"]]);
  });
});

test.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
  "Semaphore and BoundedSemaphore refuse a value that is no integer ≥ 0: %s",
  (value) => {
    expect(() => new Semaphore(value)).toThrow(RangeError);
    expect(() => new Semaphore(value)).toThrow(`Expected \`value\` to be an integer ≥ 0, got ${value} (number)`);
    expect(() => new BoundedSemaphore(value)).toThrow(RangeError);
  },
);

test("Semaphore refuses a string or null for its value", () => {
  // @ts-expect-error a string is no number
  expect(() => new Semaphore("2")).toThrow('Expected `value` to be an integer ≥ 0, got "2" (string)');
  // @ts-expect-error null is no number
  expect(() => new Semaphore(null)).toThrow("Expected `value` to be an integer ≥ 0, got null");
});

test("Semaphore.acquire() does not suspend, while there are permits", async () => {
  await virtually(function* () {
    const semaphore = new Semaphore(3);

    const before = turn(getRunningLoop());
    yield* semaphore.acquire();
    yield* semaphore.acquire();
    yield* semaphore.acquire();

    expect([turn(getRunningLoop()) - before, semaphore.locked()]).toEqual([0, true]);
  });
});

test("Semaphore.acquire() serves waiters in order of arrival", async () => {
  await virtually(function* () {
    const semaphore = new Semaphore(2);
    const log: string[] = [];
    const tasks = ["A", "B", "C", "D", "E"].map((name) => createTask(taker(semaphore, name, log)));
    yield* sleep(0);
    expect(log).toEqual(["A", "B"]);

    semaphore.release();
    yield* sleep(0);
    expect(log).toEqual(["A", "B", "C"]);
    semaphore.release();
    semaphore.release();
    yield* gather(tasks);

    expect(log).toEqual(["A", "B", "C", "D", "E"]);
    expect(semaphore.value).toBe(0);
  });
});

test("Semaphore.release() hands the permit over: a newcomer cannot snatch it", async () => {
  await virtually(function* () {
    const semaphore = new Semaphore(1);
    const log: string[] = [];
    yield* semaphore.acquire();
    const waiter = createTask(taker(semaphore, "waiter", log));
    yield* sleep(0);

    semaphore.release();
    const between = [semaphore.locked(), semaphore.value];
    const newcomer = createTask(taker(semaphore, "newcomer", log));
    yield* waiter;
    yield* sleep(0);

    expect(between).toEqual([true, 0]);
    expect(log).toEqual(["waiter"]);
    newcomer.cancel();
  });
});

test("Semaphore.locked() is true while somebody waits, even if a permit is free", async () => {
  await virtually(function* () {
    const semaphore = new Semaphore(1);
    const log: string[] = [];
    yield* semaphore.acquire();
    const tasks = [createTask(taker(semaphore, "A", log)), createTask(taker(semaphore, "B", log))];
    yield* sleep(0);

    semaphore.release();
    semaphore.release();
    semaphore.release();
    const between = [semaphore.locked(), semaphore.value];
    yield* gather(tasks);

    expect(between).toEqual([true, 1]);
    expect([semaphore.locked(), semaphore.value]).toEqual([false, 1]);
  });
});

test("Semaphore.locked() is false, when all that stand in line are cancelled and a permit is free", async () => {
  await virtually(function* () {
    const semaphore = new Semaphore(0);
    const task = createTask(semaphore.acquire());
    yield* sleep(0);

    task.cancel();
    semaphore.release();

    expect(semaphore.locked()).toBe(false);
    yield* semaphore.acquire();
    yield* task.join();
    expect(semaphore.value).toBe(0);
  });
});

test("Semaphore.acquire() of a newcomer does not pass by those that are woken but have not run", async () => {
  await virtually(function* () {
    const semaphore = new Semaphore(0);
    const log: string[] = [];
    const tasks = ["A", "B"].map((name) => createTask(taker(semaphore, name, log)));
    yield* sleep(0);

    for (let i = 0; i < 3; i++) semaphore.release();
    const free = semaphore.value;
    yield* taker(semaphore, "newcomer", log);
    yield* gather(tasks);

    expect([free, log, semaphore.value]).toEqual([1, ["A", "B", "newcomer"], 0]);
  });
});

test("Semaphore.acquire() takes no permit, when cancelled while it waits", async () => {
  await virtually(function* () {
    const semaphore = new Semaphore(1);
    const log: string[] = [];
    yield* semaphore.acquire();
    const a = createTask(taker(semaphore, "A", log));
    const b = createTask(taker(semaphore, "B", log));
    yield* sleep(0);

    a.cancel();
    semaphore.release();
    yield* gather([a, b], { returnExceptions: true });
    semaphore.release();

    expect([a.cancelled(), log, semaphore.value]).toEqual([true, ["B"], 1]);
  });
});

test("Semaphore.acquire() gives its permit back, when granted and then cancelled", async () => {
  await virtually(function* () {
    const semaphore = new Semaphore(1);
    const log: string[] = [];
    yield* semaphore.acquire();
    const a = createTask(taker(semaphore, "A", log));
    const b = createTask(taker(semaphore, "B", log));
    yield* sleep(0);

    semaphore.release();
    a.cancel();
    yield* gather([a, b], { returnExceptions: true });

    expect([a.cancelled(), log, semaphore.value]).toEqual([true, ["B"], 0]);
  });
});

test("Semaphore.acquire() leaves the permit free, when granted and then cancelled with nobody behind", async () => {
  await virtually(function* () {
    const semaphore = new Semaphore(1);
    yield* semaphore.acquire();
    const task = createTask(semaphore.acquire());
    yield* sleep(0);

    semaphore.release();
    task.cancel();
    yield* task.join();

    expect([semaphore.value, semaphore.locked(), String(semaphore)]).toEqual([1, false, "<Semaphore [unlocked, value:1]>"]);
  });
});

test("Semaphore.acquire() hands several permits on, when all that they were granted to are cancelled", async () => {
  await virtually(function* () {
    const semaphore = new Semaphore(0);
    const log: string[] = [];
    const tasks = ["A", "B", "C", "D"].map((name) => createTask(taker(semaphore, name, log)));
    yield* sleep(0);

    semaphore.release();
    semaphore.release();
    tasks[0]?.cancel();
    tasks[1]?.cancel();
    yield* gather(tasks, { returnExceptions: true });

    expect([log, semaphore.value]).toEqual([["C", "D"], 0]);
  });
});

test("Semaphore.acquire() gives up its place, when a timeout ends the wait", async () => {
  await virtually(function* () {
    const semaphore = new Semaphore(0);
    let caught: unknown;

    try {
      yield* timeout(10, () => semaphore.acquire());
    } catch (error) {
      caught = error;
    }

    expect(caught).toBeInstanceOf(TimeoutError);
    expect(String(semaphore)).toBe("<Semaphore [locked]>");
  });
});

test("Semaphore.release() may be called more often than acquire()", () => {
  const semaphore = new Semaphore(1);

  semaphore.release();
  semaphore.release();

  expect(semaphore.value).toBe(3);
});

test("BoundedSemaphore.release() is an error, when all permits are there", async () => {
  await virtually(function* () {
    const semaphore = new BoundedSemaphore(2);

    expect(() => semaphore.release()).toThrow(RangeError);
    yield* semaphore.acquire();
    semaphore.release();
    expect(() => semaphore.release()).toThrow(/all 2 permits are there/);
    expect(semaphore.value).toBe(2);
  });
});

test("BoundedSemaphore of 0 can never be released", () => {
  const semaphore = new BoundedSemaphore(0);

  expect(() => semaphore.release()).toThrow(RangeError);
});

test("BoundedSemaphore hands permits over as a Semaphore does, when granted and then cancelled", async () => {
  await virtually(function* () {
    const semaphore = new BoundedSemaphore(1);
    const log: string[] = [];
    yield* semaphore.acquire();
    const a = createTask(taker(semaphore, "A", log));
    const b = createTask(taker(semaphore, "B", log));
    yield* sleep(0);

    semaphore.release();
    a.cancel();
    yield* gather([a, b], { returnExceptions: true });
    semaphore.release();

    expect([log, semaphore.value]).toEqual([["B"], 1]);
    expect(() => semaphore.release()).toThrow(RangeError);
  });
});

// ── Guards and bodies ────────────────────────────────────────────────────────────────────────────────────────────────

test("Semaphore guard gives the permit back at the end of a `using` block, by both spellings", async () => {
  const semaphore = new Semaphore(1);
  const inside: number[] = [];
  await virtually(function* () {
    yield* createTask(function* () {
      using _guard = yield* semaphore.acquire();
      yield* sleep(1);
      inside.push(semaphore.value);
    });
    yield* createTask(async () => {
      using _guard = await semaphore.acquire();
      await sleep(1);
      inside.push(semaphore.value);
    });
  });

  expect([inside, semaphore.value]).toEqual([[0, 0], 1]);
});

test("Semaphore guard gives the permit back once, however often it is told to", async () => {
  await virtually(function* () {
    const semaphore = new BoundedSemaphore(2);
    const guard = yield* semaphore.acquire();

    guard.release();
    guard.release();
    guard[Symbol.dispose]();

    expect(semaphore.value).toBe(2);
  });
});

test("Semaphore guard of a granted waiter gives the permit back", async () => {
  await virtually(function* () {
    const semaphore = new BoundedSemaphore(1);
    const first = yield* semaphore.acquire();
    const waiter = createTask(semaphore.acquire());
    yield* sleep(0);
    first.release();

    const second = yield* waiter;
    second.release();

    expect(semaphore.value).toBe(1);
  });
});

test("Semaphore.with() lets at most that many bodies run, by both spellings", async () => {
  const semaphore = new Semaphore(2);
  let inside = 0;
  let most = 0;
  const results = await virtually(function* () {
    return yield* gather(
      [1, 2, 3, 4, 5, 6].map((n) =>
        n % 2 === 0
          ? semaphore.with(function* () {
              most = Math.max(most, ++inside);
              yield* sleep(10);
              inside--;
              return n;
            })
          : semaphore.with(async () => {
              most = Math.max(most, ++inside);
              await sleep(10);
              inside--;
              return n;
            }),
      ),
    );
  });

  expect(results).toEqual([1, 2, 3, 4, 5, 6]);
  expect([most, semaphore.value]).toEqual([2, 2]);
});

test("Semaphore.with() gives the permit back, when its body throws or is cancelled", async () => {
  await virtually(function* () {
    const semaphore = new BoundedSemaphore(2);
    const failing = createTask(
      semaphore.with(async () => {
        throw new Error("inside");
      }),
    );
    const cancelled = createTask(() => semaphore.with(async () => sleep("1h")));
    yield* sleep(1);
    const while_ = semaphore.value;

    cancelled.cancel();
    yield* gather([failing, cancelled], { returnExceptions: true });

    expect([while_, semaphore.value]).toEqual([1, 2]);
  });
});

test("Semaphore.with() refuses what is not a function", () => {
  const semaphore = new Semaphore();

  // @ts-expect-error a promise is no body
  expect(() => semaphore.with(Promise.resolve(1))).toThrow(
    /Expected the body of semaphore.with\(\).*pass the function itself, do not call it/,
  );
  // @ts-expect-error nor is a number
  expect(() => semaphore.with(3)).toThrow(TypeError);
});

test("Semaphore.acquire() gives its permit back, when an async function is granted it and then cancelled", async () => {
  await virtually(async () => {
    const semaphore = new Semaphore(1);
    const log: string[] = [];
    const asyncTaker = async (name: string): Promise<void> => {
      await semaphore.acquire();
      log.push(name);
    };
    await semaphore.acquire();
    const a = createTask(() => asyncTaker("A"));
    const b = createTask(() => asyncTaker("B"));
    await sleep(1);

    semaphore.release();
    a.cancel();
    await gather([a, b], { returnExceptions: true });

    expect([a.cancelled(), log, semaphore.value]).toEqual([true, ["B"], 0]);
  });
});

test("Semaphore serves code outside of any task [real]", async () => {
  const semaphore = new BoundedSemaphore(2);
  let inside = 0;
  let most = 0;
  const handler = async (): Promise<void> => {
    using _guard = await semaphore.acquire();
    most = Math.max(most, ++inside);
    await sleep(1);
    inside--;
  };

  await Promise.all([handler(), handler(), handler(), handler(), handler()]);

  expect([most, semaphore.value]).toEqual([2, 2]);
});

// ── Loops, names, text ───────────────────────────────────────────────────────────────────────────────────────────────

test("Semaphore refuses the use by a second loop", async () => {
  const semaphore = new Semaphore(5);
  await using first = new Runner({ loop: new EventLoop({ host: new VirtualHost() }), signals: [] });
  await using second = new Runner({ loop: new EventLoop({ host: new VirtualHost() }), signals: [] });
  await first.run(() => semaphore.acquire());

  await expect(second.run(() => semaphore.acquire())).rejects.toMatchObject({ name: "RuntimeError", code: "OTHER_LOOP" });
  expect(semaphore.value).toBe(4);
});

test("Semaphore.toString() tells the state, the permits and the length of the line", async () => {
  await virtually(function* () {
    const semaphore = new Semaphore(1);
    const texts = [String(semaphore), String(new BoundedSemaphore(2))];

    yield* semaphore.acquire();
    texts.push(String(semaphore));
    const task = createTask(semaphore.acquire());
    yield* sleep(0);
    texts.push(String(semaphore));
    task.cancel();

    expect(texts).toEqual([
      "<Semaphore [unlocked, value:1]>",
      "<BoundedSemaphore [unlocked, value:2]>",
      "<Semaphore [locked]>",
      "<Semaphore [locked, waiters:1]>",
    ]);
  });
});

test("Semaphore shows by its name in what a task waits for", async () => {
  await virtually(function* () {
    const semaphore = new Semaphore(0, { name: "seats" });
    const bounded = new BoundedSemaphore(0, { name: "beds" });
    const tasks: Task<unknown>[] = [createTask(semaphore.acquire()), createTask(bounded.acquire())];
    yield* sleep(0);

    const texts = tasks.map((task) => task.waitingFor);
    for (const task of tasks) task.cancel();

    expect(new Semaphore(3).describe()).toBe("Semaphore (3 free)");
    expect(texts).toEqual(["Semaphore 'seats' (0 free)", "BoundedSemaphore 'beds' (0 free)"]);
  });
});

test("Semaphore keeps its order and limit with many waiters [real]", async () => {
  const semaphore = new BoundedSemaphore(10);
  const order: number[] = [];
  let inside = 0;
  let most = 0;

  await run(() =>
    taskGroup(function* (group) {
      for (let i = 0; i < 2000; i++) {
        group.createTask(function* () {
          using _guard = yield* semaphore.acquire();
          order.push(i);
          most = Math.max(most, ++inside);
          yield* sleep(0);
          inside--;
        });
      }
    }),
  );

  expect(order).toEqual([...Array(2000).keys()]);
  expect([most, String(semaphore)]).toEqual([10, "<BoundedSemaphore [unlocked, value:10]>"]);
});

// ── Cancelled everywhere ─────────────────────────────────────────────────────────────────────────────────────────────

test("Semaphore has all permits back, whichever task is cancelled at whichever turn", async () => {
  const sweep = await cancelEverywhere((stage) => {
    const semaphore = new BoundedSemaphore(2);
    let inside = 0;
    let most = 0;
    for (const name of ["A", "B", "C", "D"]) {
      stage.actor(name, function* () {
        for (let round = 0; round < 2; round++) {
          const guard = yield semaphore.acquire();
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
      expect([most, inside]).toEqual([2, 0]);
      expect(String(semaphore)).toBe("<BoundedSemaphore [unlocked, value:2]>");
    };
  });

  expect(sweep.cancelled).toBeGreaterThan(50);
});

test("Semaphore.with() has all permits back, whichever task is cancelled at whichever turn", async () => {
  const sweep = await cancelEverywhere((stage) => {
    const semaphore = new BoundedSemaphore(1);
    for (const name of ["A", "B", "C"]) {
      stage.actor(name, function* () {
        yield semaphore.with(
          stage.body(function* () {
            yield* pause(2);
          }),
        );
      });
    }
    return () => expect(String(semaphore)).toBe("<BoundedSemaphore [unlocked, value:1]>");
  });

  expect(sweep.cancelled).toBeGreaterThan(50);
});

test("Semaphore grants each of several permits that are released at once, whichever waiter is cancelled", async () => {
  const sweep = await cancelEverywhere((stage) => {
    const semaphore = new Semaphore(0);
    let got = 0;
    for (const name of ["A", "B", "C"]) {
      stage.actor(name, function* () {
        yield semaphore.acquire();
        got++;
      });
    }
    stage.helper("releaser", function* () {
      yield* pause(2);
      semaphore.release();
      semaphore.release();
      yield* pause(2);
      semaphore.release();
    });
    return () => {
      expect(got + semaphore.value).toBe(3);
      expect(String(semaphore)).not.toContain("waiters");
    };
  });

  expect(sweep.cancelled).toBeGreaterThan(30);
});
