import {
  allTasks,
  type Coroutine,
  coroutine,
  createTask,
  getRunningLoop,
  isCancelled,
  Lock,
  sleep,
  type Task,
  taskGroup,
  timeout,
} from "tsyncio";
import { expect, test } from "vitest";
import { runVirtual, virtually } from "../support/virtual.ts";

// What libraries that stop a generator by return() get wrong: a finally block that waits, and what comes after it.

/** A body inside a body, in each way to nest them; each cleans up in steps that wait. */
function nests(log: string[]): Record<string, () => Coroutine<void> | Promise<void>> {
  function* inner(): Coroutine<void> {
    try {
      log.push("inner");
      yield* sleep("1h");
      log.push("inner goes on");
    } finally {
      log.push("inner cleanup 1");
      yield* sleep(5);
      log.push("inner cleanup 2");
      yield* sleep(0);
      log.push("inner cleanup 3");
    }
    log.push("after inner");
  }
  function* outer(call: () => Coroutine<void>): Coroutine<void> {
    try {
      yield* call();
      log.push("outer goes on");
    } finally {
      log.push("outer cleanup 1");
      yield* sleep(5);
      log.push("outer cleanup 2");
    }
    log.push("after outer");
  }
  const innerAsync = async (): Promise<void> => {
    try {
      log.push("inner");
      await sleep("1h");
      log.push("inner goes on");
    } finally {
      log.push("inner cleanup 1");
      await sleep(5);
      log.push("inner cleanup 2");
      await sleep(0);
      log.push("inner cleanup 3");
    }
    log.push("after inner");
  };
  const wrapped = coroutine(inner);
  return {
    "plain function*": () => outer(inner),
    "coroutine()": () => coroutine(outer)(wrapped),
    "function* in timeout()": () => outer(() => timeout("1d", inner)),
    "async in timeout()": () => outer(() => timeout("1d", innerAsync)),
    "function* in taskGroup()": () =>
      outer(() =>
        taskGroup(function* () {
          yield* inner();
        }),
      ),
    async: async () => {
      try {
        await innerAsync();
        log.push("outer goes on");
      } finally {
        log.push("outer cleanup 1");
        await sleep(5);
        log.push("outer cleanup 2");
      }
      log.push("after outer");
    },
    "async around coroutine()": async () => {
      try {
        await wrapped();
        log.push("outer goes on");
      } finally {
        log.push("outer cleanup 1");
        await sleep(5);
        log.push("outer cleanup 2");
      }
      log.push("after outer");
    },
  };
}

const WHOLE_CLEANUP = ["inner", "inner cleanup 1", "inner cleanup 2", "inner cleanup 3", "outer cleanup 1", "outer cleanup 2"];

for (const name of Object.keys(nests([]))) {
  // https://github.com/thefrontside/effection/issues/1190
  test(`cancelling runs all cleanup, inner before outer, and nothing else of the bodies, ${name}`, async () => {
    const { result } = await runVirtual(function* () {
      const log: string[] = [];
      const task = createTask(nests(log)[name] as () => Coroutine<void>);
      yield* sleep(1);
      task.cancel();
      yield* task.join();
      return { log, cancelled: task.cancelled(), at: getRunningLoop().time(), left: allTasks().size };
    });

    expect(result).toEqual({ log: WHOLE_CLEANUP, cancelled: true, at: 11, left: 1 });
  });

  test(`a second cancellation is thrown inside the finally block that runs, and outer cleanup still runs, ${name}`, async () => {
    const log = await virtually(function* () {
      const lines: string[] = [];
      const task = createTask(nests(lines)[name] as () => Coroutine<void>);
      yield* sleep(1);
      task.cancel();
      yield* sleep(1);
      task.cancel();
      yield* task.join();
      return [...lines, String(task.cancelled()), getRunningLoop().time()];
    });

    expect(log).toEqual(["inner", "inner cleanup 1", "outer cleanup 1", "outer cleanup 2", "true", 7]);
  });

  test(`cancelAndWait() ends after the last cleanup, ${name}`, async () => {
    const log = await virtually(async () => {
      const lines: string[] = [];
      const task = createTask(nests(lines)[name] as () => Coroutine<void>);
      await sleep(1);
      await task.cancelAndWait();
      return [...lines, "waited"];
    });

    expect(log).toEqual([...WHOLE_CLEANUP, "waited"]);
  });
}

test("a catch block that handles the cancellation lets the body go on, and the task return", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    const task = createTask(function* () {
      try {
        yield* sleep("1h");
      } catch (error) {
        if (!isCancelled(error)) throw error;
        yield* sleep(1);
        log.push("handled");
      }
      yield* sleep(1);
      return "went on";
    });
    yield* sleep(1);
    task.cancel();
    return [...log, yield* task, ...log];
  });

  expect(seen).toEqual(["went on", "handled"]);
});

test("a return in a finally block swallows the cancellation, as the language has it", async () => {
  const seen = await virtually(function* () {
    const task: Task<string> = createTask(function* () {
      try {
        yield* sleep("1h");
      } finally {
        yield* sleep(1);
        // biome-ignore lint/correctness/noUnsafeFinally: this is what is tested
        return "swallowed";
      }
    });
    yield* sleep(1);
    task.cancel();
    return [yield* task, task.cancelled(), task.cancelling()];
  });

  expect(seen).toEqual(["swallowed", false, 1]);
});

test("an error of the cleanup takes the place of the cancellation, with all outer cleanup run", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    function* failing(): Coroutine<never> {
      yield* sleep(1);
      throw new RangeError("in cleanup");
    }
    const task = createTask(function* () {
      try {
        try {
          yield* sleep("1h");
        } finally {
          yield* failing();
        }
      } finally {
        yield* sleep(1);
        log.push("outer cleanup");
      }
    });
    yield* sleep(1);
    task.cancel();
    yield* task.join();
    return [...log, task.cancelled(), (task.exception() as Error).message];
  });

  expect(seen).toEqual(["outer cleanup", false, "in cleanup"]);
});

for (const spelling of ["function*", "async"] as const) {
  test(`a lock that is held around a wait is free, when the holder's cleanup has ended and not before, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const loop = getRunningLoop();
      const lock = new Lock();
      const holder = createTask(
        spelling === "function*"
          ? function* () {
              yield* lock.with(function* () {
                try {
                  yield* sleep("1h");
                } finally {
                  yield* sleep(10);
                }
              });
            }
          : async () => {
              await lock.with(async () => {
                try {
                  await sleep("1h");
                } finally {
                  await sleep(10);
                }
              });
            },
      );
      yield* sleep(1);
      holder.cancel();
      yield* lock.acquire();
      return [loop.time(), holder.done() || holder.cancelling() === 1, lock.locked()];
    });

    expect(seen).toEqual([11, true, true]);
  });

  test(`a using declaration is disposed of on the way of a cancellation, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const lock = new Lock();
      const task = createTask(
        spelling === "function*"
          ? function* () {
              using _ = yield* lock.acquire();
              yield* sleep("1h");
            }
          : async () => {
              using _ = await lock.acquire();
              await sleep("1h");
            },
      );
      yield* sleep(1);
      const held = lock.locked();
      yield* task.cancelAndWait();
      return [held, lock.locked()];
    });

    expect(seen).toEqual([true, false]);
  });
}
