import {
  allProgress,
  ContextVar,
  createTask,
  DeadlockError,
  Event,
  EventLoop,
  forEach,
  gather,
  getRunningLoop,
  onProgress,
  type Progress,
  progressEvents,
  reportProgress,
  run,
  sleep,
  type Task,
  taskGroup,
  timeout,
  track,
} from "tsyncio";
import { describe, expect, test } from "vitest";
import { runVirtual, VirtualHost, virtually } from "../support/virtual.ts";

const numbers = ({ done, total, state }: Progress): unknown => [done, total, state];

/** Reports 1, 2, 3 … of so many, one each millisecond. */
const counting = (total: number, each = 1) =>
  function* () {
    reportProgress({ done: 0, total });
    for (let done = 1; done <= total; done++) {
      yield* sleep(each);
      reportProgress({ done });
    }
  };

describe("onProgress()", () => {
  test("tells at once, then at most once in an interval, and the end", async () => {
    const seen: unknown[] = [];
    await virtually(function* () {
      const task = createTask(counting(100));
      onProgress((each) => void seen.push([getRunningLoop().time(), numbers(each)]), { task, interval: "33ms" });
      yield* task;
      yield* sleep(1000);
    });

    expect(seen).toEqual([
      [0, [0, 100, "running"]],
      [33, [32, 100, "running"]],
      [66, [65, 100, "running"]],
      [99, [98, 100, "running"]],
      [100, [100, 100, "finished"]],
    ]);
  });

  test("tells the last state, when nothing is reported any more", async () => {
    const seen: unknown[] = [];
    await virtually(function* () {
      using _ = onProgress((each) => void seen.push([getRunningLoop().time(), each.done]));
      yield* createTask(function* () {
        reportProgress({ done: 1 });
        yield* sleep(10);
        reportProgress({ done: 2 });
        yield* sleep("1h");
        reportProgress({ done: 3 });
        yield* sleep("1h");
      });
    });

    expect(seen.slice(0, 3)).toEqual([
      [0, 1],
      [100, 2],
      [3_600_010, 3],
    ]);
  });

  test("tells of all that counts by itself, and of the end of each task, before what counts it", async () => {
    const seen: unknown[] = [];
    await virtually(function* () {
      using _ = onProgress((each) => void seen.push([each.name, each.done, each.total, each.fraction, each.state]), {
        interval: 2,
      });
      yield* createTask(
        taskGroup(function* (group) {
          group.createTask(counting(2, 5), { name: "child" });
          group.createTask(sleep(1));
          yield* sleep(20);
        }),
        { name: "parent" },
      );
    });

    expect(seen).toEqual([
      ["Task-1", 0, 2, 0, "running"],
      ["Task-1", 1, 2, 0.5, "running"],
      ["Task-1", 1, 2, 0.75, "running"],
      ["child", 2, 2, 1, "finished"],
      ["Task-1", 2, 2, 1, "running"],
      ["parent", 2, 2, 1, "finished"],
      ["Task-1", 2, 2, 1, "running"],
    ]);
  });

  test("tells nothing twice, nor for rates alone", async () => {
    const seen: unknown[] = [];
    await virtually(function* () {
      const task = createTask(function* () {
        reportProgress({ done: 1, total: 2 });
        for (let n = 0; n < 50; n++) {
          yield* sleep(50);
          reportProgress({ done: 1 });
        }
      });
      using _ = onProgress((each) => void seen.push(numbers(each)), { task });
      yield* task;
    });

    expect(seen).toEqual([
      [1, 2, "running"],
      [1, 2, "finished"],
    ]);
  });

  test("tells what was not told yet, when it is stopped, once, and nothing after", async () => {
    const seen: unknown[] = [];
    await virtually(function* () {
      const task = createTask(counting(10, 10));
      const stop = onProgress((each) => void seen.push(numbers(each)), { task });
      yield* sleep(35);
      stop();
      stop();
      stop[Symbol.dispose]();
      yield* task;
    });

    expect(seen).toEqual([
      [0, 10, "running"],
      [3, 10, "running"],
    ]);
  });

  test("may be stopped by its listener, which is called no more", async () => {
    let calls = 0;
    await virtually(function* () {
      const stop = onProgress(() => {
        calls++;
        stop();
      });
      yield* gather(counting(3), counting(3));
    });

    expect(calls).toBe(1);
  });

  test("tells of a task that has ended before, once, and of one that has nothing to tell nothing", async () => {
    const seen: unknown[] = [];
    await virtually(function* () {
      const ended = createTask(counting(2));
      const silent = createTask(sleep(1));
      yield* gather(ended, silent);
      onProgress((each) => void seen.push(numbers(each)), { task: ended });
      onProgress((each) => void seen.push(numbers(each)), { task: silent });
      yield* sleep(500);
    });

    expect(seen).toEqual([[2, 2, "finished"]]);
  });

  test("tells the end of the program, of the main task and of those that are cancelled by it", async () => {
    const seen: unknown[] = [];
    await runVirtual(function* () {
      onProgress((each) => void seen.push([each.name, each.done, each.state]));
      createTask(counting(100, 10), { name: "left" });
      yield* sleep(15);
      reportProgress({ done: 7 });
    });

    expect(seen).toEqual([
      ["Task-1", 0, "running"],
      ["Task-1", 7, "finished"],
      ["left", 1, "cancelled"],
    ]);
  });

  test("gives errors of a listener to the exception handler, sync and async ones, and goes on", async () => {
    const { errors } = await runVirtual(function* () {
      const task = createTask(counting(1));
      onProgress(
        () => {
          throw new Error("sync");
        },
        { task },
      );
      onProgress(
        async () => {
          await null;
          throw new Error("async");
        },
        { task },
      );
      yield* task;
      yield* sleep(10);
    });

    expect(errors.map((each) => [each.message, (each.exception as Error).message])).toEqual([
      ["Exception in a listener of onProgress()", "sync"],
      ["Exception in a listener of onProgress()", "async"],
      ["Exception in a listener of onProgress()", "sync"],
      ["Exception in a listener of onProgress()", "async"],
    ]);
  });

  test("calls in the context of whoever listens, not of who reports", async () => {
    const name = new ContextVar<string>("name");
    const seen: unknown[] = [];
    await virtually(function* () {
      name.set("listener");
      onProgress(() => void seen.push(name.get()));
      name.set("reporter");
      yield* createTask(counting(1));
    });

    expect(seen.length).toBeGreaterThan(1);
    expect(new Set(seen)).toEqual(new Set(["listener"]));
  });

  test("does not hide a deadlock, whatever its interval, and runs no timer for ever", async () => {
    const host = new VirtualHost();
    const stop = onProgress(() => {}, { interval: "1s" });
    const program = run(
      function* () {
        reportProgress({ done: 1 });
        yield* sleep(10);
        reportProgress({ done: 2 });
        yield* new Event().wait();
      },
      { loop: new EventLoop({ host }) },
    );

    await expect(program).rejects.toThrow(DeadlockError);
    expect(host.now()).toBeLessThanOrEqual(2000);
    stop();
  });

  test("follows from one program to the next, and is idle where nothing happens", async () => {
    const seen: unknown[] = [];
    using _ = onProgress((each) => void seen.push([each.name, each.done, each.state]), { interval: 0 });
    await virtually(counting(2));
    await virtually(async () => {
      reportProgress({ done: 5 });
      await sleep("1h");
    });

    expect(seen).toEqual([
      ["Task-1", 0, "running"],
      ["Task-1", 1, "running"],
      ["Task-1", 2, "finished"],
      ["Task-1", 5, "running"],
      ["Task-1", 5, "finished"],
    ]);
  });

  test("tells of a message far below, though no number changes", async () => {
    const seen: unknown[] = [];
    await virtually(function* () {
      using _ = onProgress(({ children: [parent] }) => void seen.push(parent?.children[0]?.message), { interval: 1 });
      const task = createTask(function* () {
        yield* createTask(function* () {
          reportProgress({ message: "one" });
          yield* sleep(10);
          reportProgress({ message: "two" });
          yield* sleep(10);
        });
      });
      yield* sleep(15);
      task.cancel();
      yield* task.join();
    });

    expect(seen.slice(0, 2)).toEqual(["one", "two"]);
  });

  test.for([0, 1, 2, 3, 4, 5])("counts a task that ends %i turns after somebody has reported", async (turns) => {
    for (const first of [true, false]) {
      const told: unknown[] = [];
      await virtually(function* () {
        onProgress(({ done, total, state }) => state === "running" && told.push([done, total]), { interval: 10 });
        yield* taskGroup(function* (group) {
          const ending = function* () {
            for (let turn = 0; turn < turns; turn++) yield* sleep(0);
          };
          if (first) group.createTask(ending);
          group.createTask(function* () {
            reportProgress({ message: "here" });
            yield* sleep("1h");
          });
          if (!first) group.createTask(ending);
          yield* sleep("1m");
          told.push("now");
        });
      });

      expect(told[told.indexOf("now") - 1], String(first)).toEqual([1, 2]);
    }
  });

  test("with interval 0 looks at each turn; with Infinity it tells the first state and the ends", async () => {
    const often: unknown[] = [];
    const ends: unknown[] = [];
    await virtually(function* () {
      const task = createTask(counting(3));
      onProgress((each) => void often.push(each.done), { task, interval: 0 });
      onProgress((each) => void ends.push(each.done), { task, interval: Number.POSITIVE_INFINITY });
      yield* task;
    });

    expect(often).toEqual([0, 1, 2, 3]);
    expect(ends).toEqual([0, 3]);
  });

  test.for([
    [7, undefined, TypeError, "Expected an ordinary or async function for onProgress(), got 7 (number)"],
    [function* () {}, undefined, TypeError, "in a coroutine, use progressEvents()"],
    [() => {}, null, TypeError, "Expected `options` to be an object"],
    [() => {}, { interval: -1 }, RangeError, "Expected `interval` to be 0 or more, got -1; 0 looks at each turn"],
    [() => {}, { interval: Number.NaN }, RangeError, "Expected `interval` in milliseconds"],
    [() => {}, { interval: "soon" }, RangeError, "Expected `interval` in milliseconds"],
    [() => {}, { task: {} }, TypeError, "Expected `task` to be a Task, got an object"],
  ] as const)("refuses %o with %o, at once", ([listener, options, Class, message]) => {
    const attempt = (): unknown => onProgress(listener as never, options as never);

    expect(attempt).toThrow(Class);
    expect(attempt).toThrow(message);
  });
});

describe("progressEvents()", () => {
  test("gives what onProgress tells, by for await and by next(), and ends with its task", async () => {
    await virtually(async () => {
      const task = createTask(counting(4, 10));
      const awaited: unknown[] = [];
      const yielded: unknown[] = [];
      const nested: unknown[] = [];
      await gather(
        async () => {
          for await (const each of progressEvents({ task, interval: 25 })) awaited.push(numbers(each));
        },
        function* () {
          const events = progressEvents({ task, interval: 25 });
          for (let next = yield* events.next(); !next.done; next = yield* events.next()) yielded.push(numbers(next.value));
          expect(yield* events.next()).toEqual({ done: true, value: undefined });
        },
        function* () {
          yield* forEach(progressEvents({ task, interval: 25 }), (each) => void nested.push(numbers(each)));
        },
      );

      expect(awaited).toEqual([
        [0, 4, "running"],
        [2, 4, "running"],
        [4, 4, "finished"],
      ]);
      expect(yielded).toEqual(awaited);
      expect(nested).toEqual(awaited);
    });
  });

  test("gives who takes slowly the last state only, and the end", async () => {
    await virtually(function* () {
      const task = createTask(counting(50, 10));
      const seen: unknown[] = [];
      const events = progressEvents({ task, interval: 0 });
      for (let next = yield* events.next(); !next.done; next = yield* events.next()) {
        seen.push(numbers(next.value));
        yield* sleep(202);
      }

      expect(seen).toEqual([
        [0, 50, "running"],
        [20, 50, "running"],
        [40, 50, "running"],
        [50, 50, "finished"],
      ]);
    });
  });

  test("loses nothing when a wait is cancelled, and is over after return() or when the loop is left", async () => {
    await virtually(async () => {
      const task = createTask(counting(100));
      const events = progressEvents({ task });
      await events.next();
      await expect(timeout(50, () => events.next())).rejects.toThrow("time limit");
      const next = await events.next();
      await events.return();
      const after = await events.next();
      let left = 0;
      for await (const _ of progressEvents({ task })) {
        left++;
        break;
      }
      await task;

      expect(next.value?.done).toBe(99);
      expect(after).toEqual({ done: true, value: undefined });
      expect(left).toBe(1);
    });
  });
});

describe("allProgress()", () => {
  test("gives the trees of all loops, in order of their beginning, and none of those that are over", async () => {
    await virtually(function* () {
      createTask(counting(10), { name: "a" });
      yield* sleep(2);
      const [main, ...others] = allProgress();

      expect(main?.children.map((each) => each.name)).toEqual(["a"]);
      expect(others).toEqual([]);
      yield* sleep(20);
    });

    expect(allProgress()).toEqual([]);
  });

  test("is empty where nothing was reported", async () => {
    await virtually(function* () {
      createTask(sleep(1));
      yield* sleep(5);

      expect(allProgress()).toEqual([]);
    });
  });
});

test("track(), is told of as items are taken", async () => {
  const seen: unknown[] = [];
  await virtually(function* () {
    const task: Task<void> = createTask(function* () {
      for (const _ of track(Array(4))) yield* sleep(10);
    });
    onProgress((each) => void seen.push(each.done), { task, interval: 15 });
    yield* task;
  });

  expect(seen).toEqual([0, 1, 2, 4]);
});
