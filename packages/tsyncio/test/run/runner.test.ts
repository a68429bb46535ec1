import {
  allTasks,
  ContextVar,
  type Coroutine,
  copyContext,
  createTask,
  currentTask,
  DeadlockError,
  Event,
  EventLoop,
  type ExceptionContext,
  Future,
  getRunningLoop,
  Lock,
  Queue,
  Runner,
  run,
  sleep,
} from "tsyncio";
import { expect, test } from "vitest";
import { runVirtual, VirtualHost, virtually } from "../support/virtual.ts";

function virtualRunner(): { runner: Runner; loop: EventLoop; errors: ExceptionContext[] } {
  const loop = new EventLoop({ host: new VirtualHost() });
  const errors: ExceptionContext[] = [];
  loop.setExceptionHandler((_, context) => errors.push(context));
  return { runner: new Runner({ loop, signals: [] }), loop, errors };
}

test.each([
  [
    "a coroutine",
    () =>
      (function* () {
        yield* sleep(1);
        return 1;
      })(),
  ],
  [
    "a function*",
    () =>
      function* () {
        yield* sleep(1);
        return 1;
      },
  ],
  [
    "an async function",
    () => async () => {
      await sleep(1);
      return 1;
    },
  ],
  ["a plain function", () => () => 1],
  ["an operation", () => sleep(1, 1)],
  ["a promise", () => Promise.resolve(1)],
])("run() takes %s and gives its result [real]", async (_, job) => {
  expect(await run(job() as never)).toBe(1);
});

test("run() rejects with what the job throws [real]", async () => {
  const boom = new Error("boom");

  await expect(
    run(function* () {
      throw boom;
    }),
  ).rejects.toBe(boom);
  await expect(
    run(async () => {
      throw boom;
    }),
  ).rejects.toBe(boom);
});

test("run() names the main task and closes the loop [real]", async () => {
  const [name, loop] = await run(async () => [currentTask()?.name, getRunningLoop()] as const, { name: "main" });

  expect(name).toBe("main");
  expect(loop.isClosed()).toBe(true);
});

test("run() cancels what the job left behind, waits for it, and reports its errors", async () => {
  const log: string[] = [];

  const { errors } = await runVirtual(function* () {
    createTask(function* () {
      try {
        yield* sleep(1000);
      } finally {
        yield* sleep(5);
        log.push("cleaned up");
      }
    });
    createTask(function* () {
      try {
        yield* sleep(1000);
      } catch {
        throw new Error("on the way out");
      }
    });
    yield* sleep(1);
  });

  expect(log).toEqual(["cleaned up"]);
  expect(errors.map((each) => [each.message, (each.exception as Error).message])).toEqual([
    ["unhandled exception during run() shutdown", "on the way out"],
  ]);
});

test("run() also ends tasks that others start while they are cancelled", async () => {
  const log: string[] = [];

  await virtually(function* () {
    createTask(function* () {
      try {
        yield* sleep(1000);
      } finally {
        createTask(function* () {
          try {
            yield* sleep(1000);
          } finally {
            log.push("late one ended");
          }
        });
      }
    });
    yield* sleep(1);
  });

  expect(log).toEqual(["late one ended"]);
});

test("two programs can run at the same time, each on a loop of its own [real]", async () => {
  const program = (name: string) => async (): Promise<string> => {
    await sleep(2);
    return `${name}:${allTasks().size}`;
  };

  expect(await Promise.all([run(program("a")), run(program("b"))])).toEqual(["a:1", "b:1"]);
});

test("Runner.run() runs several jobs on one loop and in one context", async () => {
  const { runner, loop } = virtualRunner();
  const variable = new ContextVar("v", { default: 0 });

  await runner.run(function* () {
    variable.set(variable.get() + 1);
    expect(getRunningLoop()).toBe(loop);
  });
  await runner.run(async () => {
    variable.set(variable.get() + 1);
  });

  expect(await runner.run(() => variable.get())).toBe(2);
  expect(variable.get()).toBe(0);
  await runner.close();
});

test("Runner.run() uses the context that it is given", async () => {
  const { runner } = virtualRunner();
  const variable = new ContextVar("v", { default: "outside" });
  const context = copyContext();

  await runner.run(
    function* () {
      variable.set("inside");
      yield* sleep(1);
    },
    { context },
  );

  expect(context.get(variable)).toBe("inside");
  expect(await runner.run(() => variable.get())).toBe("outside");
  await runner.close();
});

test("a Runner is of no use once closed, and closing twice is harmless", async () => {
  const { runner, loop } = virtualRunner();
  await runner.run(sleep(1));

  await runner.close();
  await runner.close();

  expect(loop.isClosed()).toBe(true);
  expect(() => runner.getLoop()).toThrow(/it is closed/);
  await expect(runner.run(sleep(1))).rejects.toThrow(/it is closed/);
});

test("a Runner that never ran is closed without a loop, and makes none before it is needed", async () => {
  await new Runner().close();
  await using unused = new Runner();
  expect(unused).toBeInstanceOf(Runner);
});

test("Runner.run() is refused while the runner runs", async () => {
  const { runner } = virtualRunner();
  const first = runner.run(sleep(10));

  await expect(runner.run(sleep(1))).rejects.toThrow(/already running/);

  await first;
  await runner.close();
});

test("DeadlockError lists every waiting task, what it waits for and who holds it", async () => {
  const error = await virtually(
    (function* () {
      const lock = new Lock({ name: "db" });
      const queue = new Queue<number>(1, { name: "jobs" });
      yield* lock.acquire();
      createTask(lock.acquire(), { name: "reader" });
      createTask(
        async () => {
          await queue.put(1);
          await queue.put(2);
        },
        { name: "producer" },
      );
      createTask(
        function* () {
          yield* new Future<void>();
        },
        { name: "lost" },
      );
      yield* new Event({ name: "go" }).wait();
    })(),
  ).then(
    () => undefined,
    (reason: unknown) => reason,
  );

  expect(error).toBeInstanceOf(DeadlockError);
  const { waiting } = error as DeadlockError;
  expect(waiting).toHaveLength(4);
  expect(waiting[0]).toMatch(/^Task-\d+ waits for Event 'go' \(not set\)$/);
  expect(waiting[1]).toMatch(/^reader waits for Lock 'db' held by Task-\d+$/);
  expect(waiting[2]).toBe("producer waits for Queue 'jobs'.put (full: 1)");
  expect(waiting[3]).toBe("lost waits for Future");
});

test("a primitive can be used by one program after another", async () => {
  const lock = new Lock();
  const program = function* () {
    const other = createTask(lock.with(() => sleep(1)));
    yield* lock.with(() => sleep(1));
    yield* other;
  };

  await virtually(program);
  await virtually(program);

  expect(lock.locked()).toBe(false);
});

test("run() calls back what is ready when its main task has ended, for as many turns as asyncio's shutdown takes", async () => {
  const calls: number[] = [];
  const loop = new EventLoop({ host: new VirtualHost() });
  const next = (n: number): void => {
    calls.push(n);
    if (n < 9) loop.callSoon(next, n + 1);
  };

  await run(
    async () => {
      loop.callSoon(next, 1);
    },
    { loop, signals: [] },
  );

  expect(calls).toEqual([1, 2, 3, 4, 5]);
});

test("run() tells the exception handler of errors at the end, when all that was left has ended", async () => {
  const log: string[] = [];
  const loop = new EventLoop({ host: new VirtualHost() });
  loop.setExceptionHandler((_, { exception }) => log.push(String(exception)));
  function* failing(): Coroutine<void> {
    try {
      yield* sleep(50);
    } catch {
      throw new RangeError("one");
    }
  }
  function* cleaning(): Coroutine<void> {
    try {
      yield* sleep(50);
    } finally {
      yield* sleep(5);
      log.push("two cleaned up");
    }
  }

  await run(
    function* () {
      createTask(failing());
      createTask(cleaning());
      yield* sleep(0);
    },
    { loop, signals: [] },
  );

  expect(log).toEqual(["two cleaned up", "RangeError: one"]);
});
