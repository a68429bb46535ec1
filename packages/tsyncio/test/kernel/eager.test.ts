import {
  allTasks,
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
  sleep,
  Task,
  taskGroup,
  wait,
  waitFor,
} from "tsyncio";
import { expect, test } from "vitest";
import { runVirtual, turn, virtually } from "../support/virtual.ts";

const eagerly = { prepare: (loop: EventLoop) => loop.setTaskFactory(eagerTaskFactory) };

test("createTask() with eager runs the first step inside the call", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    const task = createTask(
      function* () {
        log.push("started");
        yield* sleep(0);
        log.push("resumed");
        return "value";
      },
      { eager: true },
    );
    log.push("created");
    return [...log, task.done(), yield* task, ...log.slice(2)];
  });

  expect(seen).toEqual(["started", "created", false, "value", "resumed"]);
});

test("an eager task that never waits is done when createTask() returns, and awaiting it takes no turn", async () => {
  const seen = await virtually(function* () {
    const loop = getRunningLoop();
    const before = turn(loop);
    const task = createTask(
      function* () {
        return 42;
      },
      { eager: true },
    );
    const done = task.done();
    return [done, yield* task, turn(loop) - before, allTasks().has(task), task.getCoro()];
  });

  expect(seen).toEqual([true, 42, 0, false, null]);
});

test("an eager task that throws is failed when createTask() returns, and throws nothing there", async () => {
  const { result, errors } = await runVirtual(function* () {
    const task = createTask(
      function* () {
        throw new Error("early");
      },
      { eager: true },
    );
    return [task.done(), (task.exception() as Error).message];
  });

  expect(result).toEqual([true, "early"]);
  expect(errors).toEqual([]);
});

test("an eager task is the current one in its first step, and its maker afterwards", async () => {
  const seen = await virtually(function* () {
    const me = currentTask();
    const inside: unknown[] = [];
    const task = createTask(
      function* () {
        inside.push(currentTask());
        yield* sleep(0);
        inside.push(currentTask());
      },
      { eager: true },
    );
    const after = currentTask() === me;
    yield* task;
    return [inside.map((each) => each === task), after, currentTask() === me];
  });

  expect(seen).toEqual([[true, true], true, true]);
});

test("allTasks() holds an eager task that waits, and not one that is done", async () => {
  const seen = await virtually(function* () {
    const waiting = createTask(sleep(1), { eager: true });
    const finished = createTask(() => 1, { eager: true });
    yield* sleep(0);
    const found = [allTasks().has(waiting as Task<unknown>), allTasks().has(finished as Task<unknown>)];
    yield* gather(waiting, finished);
    return found;
  });

  expect(seen[0]).toBe(true);
});

test("an eager task runs in a copy of the context: what it sets does not reach its maker", async () => {
  const seen = await virtually(function* () {
    const variable = new ContextVar("variable", { default: "none" });
    variable.set("maker");
    const found: string[] = [];
    const task = createTask(
      function* () {
        found.push(variable.get());
        variable.set("task");
        yield* sleep(0);
        found.push(variable.get());
      },
      { eager: true },
    );
    found.push(variable.get());
    yield* task;
    return found;
  });

  expect(seen).toEqual(["maker", "maker", "task"]);
});

test("an eager task can make eager tasks of its own", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    const nest = (depth: number): Coroutine<number> =>
      (function* () {
        log.push(`in ${depth}`);
        const inner = depth > 0 ? yield* createTask(nest(depth - 1)) : 0;
        log.push(`out ${depth}`);
        return inner + 1;
      })();
    const task = createTask(nest(3));
    return [task.done(), task.result(), log];
  }, eagerly);

  expect(seen).toEqual([true, 4, ["in 3", "in 2", "in 1", "in 0", "out 0", "out 1", "out 2", "out 3"]]);
});

test("an eager task that waits is cancelled as any other", async () => {
  const seen = await virtually(function* () {
    let cleaned = false;
    const task = createTask(function* () {
      try {
        yield* sleep("1h");
      } finally {
        cleaned = true;
      }
    });
    task.cancel("stop");
    yield* task.join();
    return [task.cancelled(), cleaned];
  }, eagerly);

  expect(seen).toEqual([true, true]);
});

test("an eager task that cancels itself in its first step is interrupted at its first wait, or cancelled at its end", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    const waits = createTask(function* () {
      currentTask()?.cancel();
      try {
        yield* sleep(0);
      } catch (error) {
        log.push("interrupted");
        throw error;
      }
    });
    const ends = createTask(function* () {
      currentTask()?.cancel();
      return 1;
    });
    const early = ends.cancelled();
    yield* waits.join();
    return [...log, early, waits.cancelled()];
  }, eagerly);

  expect(seen).toEqual(["interrupted", true, true]);
});

test("an eager async function starts inside createTask() and ends later", async () => {
  const seen = await virtually(async () => {
    const log: string[] = [];
    const task = createTask(
      async () => {
        log.push(`started in ${currentTask()?.name}`);
        await sleep(1);
        return "value";
      },
      { eager: true, name: "eager" },
    );
    log.push("created");
    return [...log, await task];
  });

  expect(seen).toEqual(["started in eager", "created", "value"]);
});

test("eagerTaskFactory, leaves a task lazy, when createTask was told so", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    const body = function* () {
      log.push("started");
    };
    createTask(body, { eager: false });
    yield* taskGroup(function* (group) {
      group.createTask(body, { eager: false });
      log.push("made");
    });
    class Own<T> extends Task<T> {}
    getRunningLoop().setTaskFactory(createEagerTaskFactory(Own));
    createTask(body, { eager: false });
    log.push("made");
    yield* sleep(0);
    return log;
  }, eagerly);

  expect(seen).toEqual(["made", "started", "started", "made", "started"]);
});

test("eagerTaskFactory makes all tasks of the loop eager", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    const job = function* (): Coroutine<void> {
      log.push("ran");
    };
    createTask(job);
    log.push("after createTask");
    yield* gather(job, job());
    log.push("after gather");
    yield* taskGroup(function* (group) {
      group.createTask(job);
      log.push("in group");
    });
    return log;
  }, eagerly);

  expect(seen).toEqual(["ran", "after createTask", "ran", "ran", "after gather", "ran", "in group"]);
});

test("a task that is made with eager false starts later, when the factory is eager", async () => {
  const seen = await virtually(function* () {
    const loop = getRunningLoop();
    loop.setTaskFactory((of, body, options) => new Task(body, { eager: true, ...options, loop: of }));
    let ran = false;
    const task = createTask(
      function* () {
        ran = true;
      },
      { eager: false },
    );
    const early = ran;
    yield* task;
    return [early, ran];
  });

  expect(seen).toEqual([false, true]);
});

test("createEagerTaskFactory() makes tasks of the given class, eagerly", async () => {
  class Special<T> extends Task<T> {
    readonly special = true;
  }
  const seen = await virtually(function* () {
    getRunningLoop().setTaskFactory(createEagerTaskFactory(Special));
    let ran = false;
    const task = createTask(function* () {
      ran = true;
      yield* sleep(0);
      return 1;
    });
    return [task instanceof Special, ran, yield* task];
  });

  expect(seen).toEqual([true, true, 1]);
  expect(() => createEagerTaskFactory(class {} as never)).toThrow(TypeError);
});

test("gather() of eager tasks that are all done takes no turn", async () => {
  const seen = await virtually(function* () {
    const loop = getRunningLoop();
    const before = turn(loop);
    const job = (value: number): Coroutine<number> =>
      (function* () {
        return value;
      })();
    const results = yield* gather(job(1), job(2), job(3));
    return [results, turn(loop) - before];
  }, eagerly);

  expect(seen).toEqual([[1, 2, 3], 0]);
});

test("gather() gives the first error, when an eager task has failed already", async () => {
  const seen = await virtually(function* () {
    const failing = function* (): Coroutine<never> {
      throw new Error("at once");
    };
    let slept = false;
    const other = createTask(function* () {
      yield* sleep(1);
      slept = true;
    });
    try {
      yield* gather(other, failing());
    } catch (error) {
      yield* other;
      return [(error as Error).message, slept];
    }
    return [];
  }, eagerly);

  expect(seen).toEqual(["at once", true]);
});

test("wait() of eager tasks that are done takes two turns", async () => {
  const seen = await virtually(function* () {
    const loop = getRunningLoop();
    const tasks = [
      createTask(() => 1),
      createTask(function* (): Coroutine<number> {
        return 2;
      }),
    ];
    const before = turn(loop);
    const { done, pending } = yield* wait([tasks[1] as Task<number>]);
    const turns = turn(loop) - before;
    yield* gather(tasks);
    return [done.size, pending.size, turns];
  }, eagerly);

  expect(seen).toEqual([1, 0, 2]);
});

test("a TaskGroup ends two turns after its body, when its only child was done at once", async () => {
  const turns = await virtually(function* () {
    const loop = getRunningLoop();
    const before = turn(loop);
    yield* taskGroup(function* (group) {
      group.createTask(function* () {});
    });
    return turn(loop) - before;
  }, eagerly);

  expect(turns).toBe(2);
});

test("a TaskGroup fails with the error of an eager child that failed inside createTask()", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    try {
      yield* taskGroup(function* (group) {
        group.createTask(function* () {
          throw new Error("at once");
        });
        log.push("body goes on");
        yield* sleep("1h");
        log.push("not reached");
      });
    } catch (error) {
      log.push(...(error as AggregateError).errors.map((each) => each.message));
    }
    return [log, currentTask()?.cancelling(), getRunningLoop().time()];
  }, eagerly);

  expect(seen).toEqual([["body goes on", "at once"], 0, 0]);
});

test("group.cancel() by an eager child cancels that child and the body", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    yield* taskGroup(function* (group) {
      group.createTask(function* () {
        group.cancel();
        try {
          yield* sleep("1h");
        } catch (error) {
          log.push("child interrupted");
          throw error;
        }
      });
      try {
        yield* sleep("1h");
      } catch (error) {
        log.push("body interrupted");
        throw error;
      }
    });
    return [log.sort(), currentTask()?.cancelling(), getRunningLoop().time()];
  }, eagerly);

  expect(seen).toEqual([["body interrupted", "child interrupted"], 0, 0]);
});

test("waitFor() of a coroutine takes no task and no turn, when tasks are eager", async () => {
  const seen = await virtually(function* () {
    const loop = getRunningLoop();
    const before = turn(loop);
    const me = currentTask();
    const same = yield* waitFor(
      (function* (): Coroutine<boolean> {
        return currentTask() === me;
      })(),
      10,
    );
    return [same, turn(loop) - before];
  }, eagerly);

  expect(seen).toEqual([true, 0]);
});

test("an eager task that awaits a future set by its maker is resumed one turn later", async () => {
  const seen = await virtually(function* () {
    const loop = getRunningLoop();
    const future = new Future<string>();
    let resumed = 0;
    const task = createTask(
      function* () {
        const value = yield* future;
        resumed = turn(loop);
        return value;
      },
      { eager: true },
    );
    const set = turn(loop);
    future.setResult("value");
    return [yield* task, resumed - set];
  });

  expect(seen).toEqual(["value", 1]);
});
