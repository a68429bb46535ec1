/** Tasks: making, awaiting and ending them, ensureFuture(), sleep(). After CPython's test_tasks.py. */

import {
  allTasks,
  CancelledError,
  type Coroutine,
  createTask,
  currentTask,
  EventLoop,
  ensureFuture,
  Future,
  getRunningLoop,
  isCoroutine,
  type Job,
  RuntimeError,
  sleep,
  Task,
} from "tsyncio";
import { expect, test } from "vitest";
import { runVirtual, VirtualHost, virtually } from "../support/virtual.ts";

const idleLoop = (): EventLoop => new EventLoop({ host: new VirtualHost() });

function* ok(): Coroutine<string> {
  return "ok";
}

const asyncOk = async (): Promise<string> => "ok";

/** The error that awaiting ends with. */
function* errorOf(awaited: Future<unknown> | Coroutine<unknown>): Coroutine<unknown> {
  try {
    yield* awaited;
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

// ── Making tasks ─────────────────────────────────────────────────────────────────────────────────────────────────────────

test("Task, belongs to its loop and has the result, on one loop after another", async () => {
  for (const loop of [idleLoop(), idleLoop()]) {
    const task = new Task(ok(), { loop });

    expect(task.getLoop()).toBe(loop);
    expect(await loop.runUntilComplete(task)).toBe("ok");
    expect(task.done()).toBe(true);
    expect(task.result()).toBe("ok");
    expect(task.getLoop()).toBe(loop);
    loop.close();
  }
});

test("Task, is a subclass of Future", () => {
  expect(Task.prototype).toBeInstanceOf(Future);
});

test("createTask(), makes a Task that can be awaited, in both spellings", async () => {
  const inside = await virtually(function* () {
    const task = createTask(ok());
    return [task instanceof Task, yield* task];
  });
  const insideAsync = await virtually(async () => {
    const task = createTask(asyncOk);
    return [task instanceof Task, await task];
  });

  expect(inside).toEqual([true, "ok"]);
  expect(insideAsync).toEqual([true, "ok"]);
});

test("createTask(), gives the task the name, before it runs and after", async () => {
  const names = await virtually(function* () {
    const task = createTask(ok(), { name: "No-op" });
    const early = task.name;
    yield* task;
    return [early, task.name];
  });

  expect(names).toEqual(["No-op", "No-op"]);
});

test("createTask(), throws TypeError with what it got, when given a number, each time", async () => {
  await virtually(function* () {
    const loop = getRunningLoop();
    for (let i = 0; i < 2; i++) {
      expect(() => createTask(123 as never)).toThrow(TypeError);
      expect(() => loop.createTask(123 as never)).toThrow(/a coroutine.*got 123/);
    }
  });
});

test("createTask(), takes one coroutine after another of the same function, in both spellings", async () => {
  const results = await virtually(function* () {
    const seen: unknown[] = [];
    for (let i = 0; i < 2; i++) {
      for (const job of [ok(), asyncOk]) {
        const task = createTask<string>(job);
        seen.push(task instanceof Task, yield* task);
      }
    }
    return seen;
  });

  expect(results).toEqual([true, "ok", true, "ok", true, "ok", true, "ok"]);
});

test("createTask(), drives an object that only looks like a coroutine, each time", async () => {
  const results = await virtually(function* () {
    const make = () => ({
      next: () => ({ done: true, value: 42 }),
      throw: (error: unknown) => {
        throw error;
      },
      return: (value: number) => ({ done: true, value }),
      [Symbol.iterator]() {
        return this;
      },
    });
    const seen: unknown[] = [];
    for (let i = 0; i < 2; i++) {
      const task = createTask(make() as never as Coroutine<number>);
      seen.push(task instanceof Task, yield* task);
    }
    return seen;
  });

  expect(results).toEqual([true, 42, true, 42]);
});

test("createTask(), has the task done and named in its body, when eager is true", async () => {
  const seen = await virtually(function* () {
    let name: string | undefined;
    const task = createTask(
      function* () {
        name = currentTask()?.name;
      },
      { eager: true, name: "example" },
    );
    const early = [task.done(), name];
    yield* task;
    return early;
  });

  expect(seen).toEqual([true, "example"]);
});

test("createTask(), starts nothing before the maker waits, when eager is false", async () => {
  const seen = await virtually(function* () {
    let name: string | undefined;
    const task = createTask(
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

test("Task.getCoro(), is the coroutine, before the task runs and when it is done", async () => {
  await virtually(function* () {
    const coroutine = ok();
    const task = createTask(coroutine);
    expect(task.getCoro()).toBe(coroutine);
    yield* task;
    expect(task.getCoro()).toBe(coroutine);
  });
});

test("Task.name, counts up, when none is given", async () => {
  const [first, second] = await virtually(function* () {
    const tasks = [createTask(ok()), createTask(ok())];
    for (const task of tasks) yield* task;
    return tasks.map((task) => Number(/^<Task finished result="ok" \(string\) name='Task-(\d+)'>$/.exec(String(task))?.[1]));
  });

  expect(first).toBeGreaterThan(0);
  expect(second).toBeGreaterThan(first as number);
});

test("Task.name, is text, when a number or an object is given or set", async () => {
  const names = await virtually(function* () {
    const task = createTask(ok(), { name: 987654321 as never });
    const seen = [task.name];
    task.name = 123456789 as never;
    seen.push(task.name);
    task.name = [6] as never;
    seen.push(task.name);
    yield* task;
    return seen;
  });

  expect(names).toEqual(["987654321", "123456789", "6"]);
});

test("createTask(), leaves the coroutine alone, when its name cannot be made text, each time", async () => {
  const seen = await virtually(function* () {
    const coroutine = ok();
    const name = {
      toString(): string {
        throw new RuntimeError("break");
      },
    };
    for (let i = 0; i < 5; i++) expect(() => createTask(coroutine, { name: name as never })).toThrow("break");
    return [allTasks().size, yield* createTask(coroutine)];
  });

  expect(seen).toEqual([1, "ok"]);
});

// ── What a task awaits, and how it ends ──────────────────────────────────────────────────────────────────────────────────

test("a coroutine, gives its caller its result, when it is awaited by another, in both spellings", async () => {
  const byStar = await virtually(function* () {
    function* inner(value: number): Coroutine<number> {
      return value;
    }
    return (yield* inner(42)) + (yield* inner(1000));
  });
  const byAwait = await virtually(async () => {
    const inner = async (value: number): Promise<number> => value;
    return (await inner(42)) + (await inner(1000));
  });

  expect([byStar, byAwait]).toEqual([1042, 1042]);
});

test("runUntilComplete(), runs a coroutine, which isCoroutine() tells from its function", async () => {
  const loop = idleLoop();
  const coroutine = ok();

  expect(isCoroutine(coroutine)).toBe(true);
  expect(isCoroutine(ok)).toBe(false);
  expect(await loop.runUntilComplete(coroutine)).toBe("ok");
  loop.close();
});

test("Task.result(), is the future itself, when the coroutine returns one", async () => {
  const seen = await virtually(function* () {
    const future = new Future<string>();
    const first = createTask(function* () {
      return future;
    });
    const second = createTask(function* () {
      future.setResult("test");
    });
    const result = yield* first;
    yield* second;
    return [result === future, second.result(), result.result()];
  });

  expect(seen).toEqual([true, undefined, "test"]);
});

test("a task, goes on with the very result of the future it waits for, in the turn after it is set", async () => {
  const seen = await virtually(function* () {
    class Own<T> extends Future<T> {}
    const future = new Own<object>();
    let result: unknown;
    const task = createTask(function* () {
      result = yield* future;
    });
    yield* sleep(0);
    const answer = {};
    future.setResult(answer);
    yield* sleep(0);
    return [result === answer, task.done(), task.result()];
  });

  expect(seen).toEqual([true, true, undefined]);
});

test("a task, awaits a Future whose subclass hides getLoop()", async () => {
  const result = await virtually(function* () {
    class Hiding extends Future<number> {
      override getLoop(): never {
        throw new Error("hidden");
      }
    }
    const future = new Hiding();
    getRunningLoop().callLater(100, () => future.setResult(1));
    return yield* createTask(function* () {
      yield* future;
      return "spam";
    });
  });

  expect(result).toBe("spam");
});

test("a task, awaits a subclass of Future and is one of Task itself, when both are the user's own", async () => {
  const result = await virtually(function* () {
    class OwnFuture<T> extends Future<T> {}
    class OwnTask<T> extends Task<T> {}
    const loop = getRunningLoop();
    const future = new OwnFuture<string>();
    const task = new OwnTask(function* () {
      loop.callSoon(() => future.setResult("spam"));
      return yield* future;
    });
    return [yield* task, task instanceof OwnTask];
  });

  expect(result).toEqual(["spam", true]);
});

test("a task, fails with RuntimeError that names itself and the future, when the future is of another loop", async () => {
  const foreign = idleLoop().createFuture<void>();
  const error = await virtually(function* () {
    const task = createTask(
      function* () {
        yield* foreign;
      },
      { name: "lost" },
    );
    return yield* errorOf(task);
  });

  expect(error).toBeInstanceOf(RuntimeError);
  expect((error as Error).message).toMatch(/<Future pending>.*<Task .*lost.*another event loop/);
});

test("a task, fails with RuntimeError, when it awaits itself", async () => {
  const error = await virtually(function* () {
    const task: Task<void> = createTask(function* () {
      yield* task;
    });
    return yield* errorOf(task);
  });

  expect(error).toBeInstanceOf(RuntimeError);
  expect((error as Error).message).toMatch(/Cannot await <Task .*in itself/);
});

test("Task.setResult() and setException(), throw RuntimeError and change nothing, while the task is pending", async () => {
  const result = await virtually(function* () {
    const task = createTask(function* () {
      return "ko";
    });
    expect(() => task.setResult("ok" as never)).toThrow(RuntimeError);
    expect(() => task.setResult("ok" as never)).toThrow(/task/);
    expect(() => task.setException(new RangeError())).toThrow(RuntimeError);
    return yield* task;
  });

  expect(result).toBe("ko");
});

test("Task.exception(), keeps the stack of the place that threw", async () => {
  const stack = await virtually(function* () {
    function* divides(): Coroutine<never> {
      throw new RangeError("division");
    }
    const task = createTask(divides());
    yield* sleep(0);
    return (task.exception() as Error).stack;
  });

  expect(stack).toMatch(/RangeError: division\n.*at .*divides .*tasks-basics\.test\.ts/);
});

test("Task.cancel(), counts as having looked at the error, when the task has failed", async () => {
  const { errors } = await runVirtual(function* () {
    const task = createTask(function* () {
      throw new TypeError("seen by the canceller");
    });
    yield* sleep(50);
    expect(task.cancel()).toBe(false);
  });

  expect(errors).toEqual([]);
});

test("runUntilComplete(), rejects and leaves the task pending, when the loop is stopped before", async () => {
  const loop = idleLoop();
  let laps = 0;
  const task = loop.createTask(function* () {
    while (laps < 10) {
      yield* sleep(100);
      laps++;
      if (laps === 2) loop.stop();
    }
  });

  const error = await loop.runUntilComplete(task).then(
    () => undefined,
    (reason: unknown) => reason,
  );

  expect(error).toBeInstanceOf(RuntimeError);
  expect((error as Error).message).toBe("Event loop stopped before Future completed.");
  expect([task.done(), laps, loop.time()]).toEqual([false, 2, 200]);
  task.cancel();
  await expect(loop.runUntilComplete(task)).rejects.toBeInstanceOf(CancelledError);
  expect(laps).toBe(2);
  loop.close();
});

// ── ensureFuture() ───────────────────────────────────────────────────────────────────────────────────────────────────────

test("ensureFuture(), makes a task of a coroutine, in the given loop and in the running one", async () => {
  const loop = idleLoop();
  const given = ensureFuture(ok(), { loop });
  expect(given).toBeInstanceOf(Task);
  expect(given.getLoop()).toBe(loop);
  expect(await loop.runUntilComplete(given)).toBe("ok");
  expect([given.done(), given.result()]).toEqual([true, "ok"]);

  const made: Future<string>[] = [];
  await loop.runUntilComplete(function* () {
    made.push(ensureFuture(ok()));
  });
  const [running] = made as [Future<string>];
  expect(running.getLoop()).toBe(loop);
  expect(await loop.runUntilComplete(running)).toBe("ok");
  expect([running.done(), running.result()]).toEqual([true, "ok"]);
  loop.close();
});

test("ensureFuture(), makes a task of the default loop, outside of any loop [real]", async () => {
  const task = ensureFuture(ok());

  expect(await task).toBe("ok");
  expect(task.getLoop().isRunning()).toBe(true);
});

for (const kind of ["Future", "Task"]) {
  test(`ensureFuture(), gives a ${kind} back as it is, and throws RangeError, when the loop is another`, async () => {
    const loop = idleLoop();
    const other = idleLoop();
    const given: Future<string> = kind === "Task" ? loop.createTask(ok()) : loop.createFuture<string>();
    if (kind === "Future") given.setResult("ok");

    expect(ensureFuture(given)).toBe(given);
    expect(await loop.runUntilComplete(ensureFuture(given))).toBe("ok");
    expect([given.done(), given.result()]).toEqual([true, "ok"]);
    expect(() => ensureFuture(given, { loop: other })).toThrow(RangeError);
    expect(() => ensureFuture(given, { loop: other })).toThrow(/the Future: it belongs to another event loop/);
    expect(ensureFuture(given, { loop })).toBe(given);
    loop.close();
  });
}

test("ensureFuture(), takes an object of the user's own that can be awaited, in the given loop", async () => {
  class Own {
    then<A>(onFulfilled: (value: string) => A, onRejected: (error: unknown) => never): Promise<A> {
      return asyncOk().then(onFulfilled, onRejected);
    }
  }
  const loop = idleLoop();
  const future = ensureFuture(new Own() as Job<string>, { loop });

  expect(future.getLoop()).toBe(loop);
  expect(await loop.runUntilComplete(future)).toBe("ok");
  loop.close();
});

test("createTask(), drives a coroutine of its own, when given an object that awaits an operation", async () => {
  const seen = await virtually(function* () {
    class Own {
      then<A>(onFulfilled: (value: string) => A, onRejected: (error: unknown) => never): PromiseLike<A> {
        return sleep(0, "ok").then(onFulfilled, onRejected);
      }
    }
    const task = createTask(new Own() as Job<string>);
    const coroutine = task.getCoro();
    const result = yield* task;
    return [isCoroutine(coroutine), task.done(), result, task.result()];
  });

  expect(seen).toEqual([true, true, "ok", "ok"]);
});

test("ensureFuture(), throws TypeError, when given a string", async () => {
  await virtually(function* () {
    expect(() => ensureFuture("ok" as never)).toThrow(TypeError);
  });
});

// ── sleep() ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("sleep(), takes its time twice and gives the second one's result", async () => {
  const { result, elapsed } = await runVirtual(function* () {
    const task = createTask(function* () {
      yield* sleep(50);
      return yield* sleep(50, "yeah");
    });
    yield* task;
    return [task.done(), task.result()];
  });

  expect(result).toEqual([true, "yeah"]);
  expect(elapsed).toBe(100);
});

test("sleep(), fails the task with RangeError, when the delay is not a number", async () => {
  const error = await virtually(function* () {
    return yield* errorOf(
      createTask(function* () {
        yield* sleep(Number.NaN);
      }),
    );
  });

  expect(error).toBeInstanceOf(RangeError);
});

test("sleep(0), lets a callback run that is due, and gives its result", async () => {
  const seen = await virtually(function* () {
    let sum = 0;
    getRunningLoop().callSoon(() => {
      sum += 1;
    });
    const before = sum;
    const added = yield* sleep(0, 10);
    return [before, sum, added];
  });

  expect(seen).toEqual([0, 1, 10]);
});
