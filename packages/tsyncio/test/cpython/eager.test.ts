/** Eager tasks, made by a task factory of the loop. After CPython's test_eager_task_factory.py. */

import {
  allTasks,
  CancelledError,
  ContextVar,
  type Coroutine,
  createEagerTaskFactory,
  createTask,
  currentTask,
  type EventLoop,
  eagerTaskFactory,
  Future,
  gather,
  getRunningLoop,
  type Job,
  sleep,
  staggeredRace,
  Task,
  type TaskBody,
  type TaskOptions,
  taskGroup,
} from "tsyncio";
import { expect, test } from "vitest";
import { virtually } from "../support/virtual.ts";

/** Runs a job on a loop whose tasks are eager. */
const eagerly = <T>(job: Job<T>): Promise<T> =>
  virtually(job, { prepare: (loop) => loop.setTaskFactory(createEagerTaskFactory(Task)) });

test("createEagerTaskFactory(), is the loop's factory and makes tasks of its class, when it is set", async () => {
  class Own<T> extends Task<T> {}
  const factory = createEagerTaskFactory(Own);

  const seen = await virtually(
    function* () {
      const task = getRunningLoop().createTask(function* () {});
      yield* task;
      return [getRunningLoop().getTaskFactory() === factory, task instanceof Own];
    },
    { prepare: (loop) => loop.setTaskFactory(factory) },
  );

  expect(seen).toEqual([true, true]);
});

test("an eager task, sets its maker's future before createTask() returns, and then the future is awaited", async () => {
  const seen = await eagerly(function* () {
    const future = new Future<string>();
    const task = createTask(function* () {
      future.setResult("my message");
    });
    return [task.done(), yield* future];
  });

  expect(seen).toEqual([true, "my message"]);
});

test("an eager task, is done when createTask() returns, when it never waits", async () => {
  const seen = await eagerly(function* () {
    const task = createTask(function* () {
      return "hello";
    });
    return [task.done(), task.getCoro(), yield* task];
  });

  expect(seen).toEqual([true, null, "hello"]);
});

for (const spelling of ["function*", "async"] as const) {
  const blocks: Job<string> =
    spelling === "function*"
      ? function* () {
          yield* sleep(100);
          return "finished after blocking";
        }
      : async () => {
          await sleep(100);
          return "finished after blocking";
        };

  test(`an eager task, is not done before what it waits for, ${spelling}`, async () => {
    const seen = await eagerly(function* () {
      const task = createTask(blocks);
      return [task.done(), yield* task, task.done(), getRunningLoop().time()];
    });

    expect(seen).toEqual([false, "finished after blocking", true, 100]);
  });

  test(`Task.cancel(), ends an eager task where it waits, with its message, ${spelling}`, async () => {
    let requests: number | undefined;
    const running = eagerly(function* () {
      const task = createTask(blocks);
      task.cancel("cancellation message");
      requests = task.cancelling();
      return yield* task;
    });

    await expect(running).rejects.toMatchObject({ name: "CancelledError", message: "cancellation message" });
    expect(requests).toBe(1);
  });

  test(`currentTask(), is the eager task in its first step and after its wait, ${spelling}`, async () => {
    const found: unknown[] = [];
    const seen = await eagerly(function* () {
      const me = currentTask();
      const task = createTask(
        spelling === "function*"
          ? function* () {
              found.push(currentTask());
              yield* sleep(100);
              found.push(currentTask());
            }
          : async () => {
              found.push(currentTask());
              await sleep(100);
              found.push(currentTask());
            },
      );
      const early = [found[0] === task, currentTask() === me];
      yield* task;
      return [...early, found[1] === task, found.length];
    });

    expect(seen).toEqual([true, true, true, 2]);
  });

  test(`an eager task, starts with its maker's values and keeps its own to itself, over its waits, ${spelling}`, async () => {
    const variable = new ContextVar("cv", { default: 0 });
    const log: string[] = [];
    const note = (who: string): unknown => log.push(`${who} ${variable.get()}`);
    const first = (): void => {
      note("first");
      variable.set(2);
      note("first");
    };
    const second = (): void => {
      note("second");
      variable.set(3);
      note("second");
    };

    await eagerly(function* () {
      variable.set(1);
      const task = createTask(
        spelling === "function*"
          ? function* () {
              first();
              yield* sleep(100);
              second();
            }
          : async () => {
              first();
              await sleep(100);
              second();
            },
      );
      note("maker");
      yield* task;
      note("maker");
    });

    expect(log).toEqual(["first 1", "first 2", "maker 1", "second 2", "second 3", "maker 1"]);
  });
}

test("Task.cancel(), changes nothing, when the eager task is done already", async () => {
  const seen = await eagerly(function* () {
    const task = createTask(function* () {
      return "finished without blocking";
    });
    return [task.cancel(), yield* task, task.cancelled(), task.cancelling()];
  });

  expect(seen).toEqual([false, "finished without blocking", false, 0]);
});

test("allTasks(), holds an eager task in its first step, and not after that when the task is done", async () => {
  const seen = await eagerly(function* () {
    let inside = new Set<Task<unknown>>();
    const task = createTask(function* () {
      inside = allTasks();
    });
    return [inside.has(task as Task<unknown>), allTasks().has(task as Task<unknown>), inside.size];
  });

  expect(seen).toEqual([true, false, 2]);
});

test("allTasks(), holds an eager task from its first step until it is done, when it waits", async () => {
  const seen = await eagerly(function* () {
    const [first, second] = [new Future<void>(), new Future<void>()];
    let inside = new Set<Task<unknown>>();
    const task: Task<unknown> = createTask(function* () {
      inside = allTasks();
      yield* first;
      second.setResult();
    });
    const early = [inside.has(task), allTasks().has(task)];
    first.setResult();
    yield* second;
    return [...early, allTasks().has(task)];
  });

  expect(seen).toEqual([true, true, false]);
});

test("staggeredRace(), is won by the second attempt after the first delay, and cancels the first, when tasks are eager", async () => {
  const [winner, index, errors] = await eagerly(
    staggeredRace<string>(
      [
        function* () {
          return yield* new Future<string>();
        },
        () => sleep("1s", "sleep1"),
        function* () {
          yield* sleep(0);
          throw new RangeError("no good");
        },
      ],
      "250ms",
    ),
  );

  expect([winner, index]).toEqual(["sleep1", 1]);
  expect(errors[0]).toBeInstanceOf(CancelledError);
  expect(errors[1]).toBeNull();
  expect(errors[2]).toBeInstanceOf(RangeError);
});

test("staggeredRace(), starts the next attempt only after a failure, when tasks are eager and there is no delay", async () => {
  const [winner, index, errors] = await eagerly(
    staggeredRace<string>(
      [
        function* (): Coroutine<string> {
          throw new RangeError("no good");
        },
        () => sleep("1s", "sleep1"),
        () => sleep(0, "sleep0"),
      ],
      null,
    ),
  );

  expect([winner, index]).toEqual(["sleep1", 1]);
  expect(errors).toHaveLength(2);
  expect(errors[0]).toBeInstanceOf(RangeError);
  expect(errors[1]).toBeNull();
});

test("createTask() with eager false, starts nothing before the maker waits, when the factory is eager", async () => {
  const seen = await eagerly(function* () {
    let name: string | undefined;
    const task = getRunningLoop().createTask(
      function* () {
        name = currentTask()?.name;
      },
      { eager: false, name: "example" },
    );
    const early = [task.done(), name];
    yield* task;
    return [...early, name];
  });

  expect(seen).toEqual([false, undefined, "example"]);
});

test("an eager task, has its name in its first step", async () => {
  const seen = await eagerly(function* () {
    let name: string | undefined;
    const task = createTask(
      function* () {
        name = currentTask()?.name;
      },
      { name: "test name" },
    );
    const early = name;
    yield* task;
    return early;
  });

  expect(seen).toBe("test name");
});

// ── How many tasks must be scheduled ─────────────────────────────────────────────────────────────────────────────────────

function* chain(depth: number): Coroutine<number> {
  return depth === 0 ? 0 : 1 + (yield* chain(depth - 1));
}

function* groups(width: number, depth: number): Coroutine<void> {
  if (depth === 0) return;
  yield* taskGroup(function* (group) {
    for (let i = 0; i < width; i++) group.createTask(groups(width, depth - 1));
  });
}

function* gathers(width: number, depth: number): Coroutine<void> {
  if (depth === 0) return;
  yield* gather(Array.from({ length: width }, () => gathers(width, depth - 1)));
}

async function asyncGathers(width: number, depth: number): Promise<void> {
  if (depth > 0) await gather(Array.from({ length: width }, () => () => asyncGathers(width, depth - 1)));
}

for (const eager of [false, true]) {
  const how = eager ? "eager" : "lazy";

  /** Runs a job and counts the tasks that did not start inside of the call that made them; it fails unless all are done. */
  const countLazy = async (job: Job<unknown>): Promise<{ result: unknown; lazy: number; made: number }> => {
    const all: Task<unknown>[] = [];
    let lazy = 0;
    class Counting<T> extends Task<T> {
      constructor(body: TaskBody<T>, options: TaskOptions & { readonly loop: EventLoop }) {
        super(body, options);
        all.push(this as Task<unknown>);
        if (options.eager !== true) lazy++;
      }
    }
    const factory = eager
      ? createEagerTaskFactory(Counting)
      : <T>(loop: EventLoop, body: TaskBody<T>, options: TaskOptions): Task<T> => new Counting(body, { ...options, loop });
    const result = await virtually(job, { prepare: (loop) => loop.setTaskFactory(factory) });
    expect(all.every((task) => task.done())).toBe(true);
    return { result, lazy, made: all.length };
  };

  test(`a chain of 100 coroutines, is one task, when tasks are ${how}`, async () => {
    expect(await countLazy(chain(100))).toEqual({ result: 100, lazy: eager ? 0 : 1, made: 1 });
  });

  test.each([
    ["task groups", () => groups(5, 4)],
    ["gathers", () => gathers(5, 4)],
    ["gathers of async functions", () => () => asyncGathers(5, 4)],
  ])(
    `%s of five, four levels deep, make 781 tasks, none of which is scheduled for later when it is eager: ${how}`,
    async (_, job) => {
      // 781 = 1 + 5 + 25 + 125 + 625
      expect(await countLazy(job() as Job<unknown>)).toEqual({ result: undefined, lazy: eager ? 0 : 781, made: 781 });
    },
  );
}

test("eagerTaskFactory, runs nothing early, when its loop does not run", async () => {
  let started = false;
  await virtually(sleep(0), {
    prepare: (loop) => {
      loop.setTaskFactory(eagerTaskFactory);
      loop.createTask(function* () {
        started = true;
      });
      expect(started).toBe(false);
    },
  });

  expect(started).toBe(true);
});
