import {
  ContextVar,
  createTask,
  currentTask,
  EventLoop,
  ensureFuture,
  Future,
  getRunningLoop,
  isFuture,
  run,
  runCoroutineThreadsafe,
  sleep,
  Task,
} from "tsyncio";
import { expect, test } from "vitest";
import { virtually } from "../support/virtual.ts";

test("createTask() takes a coroutine, a function*, an async function, a plain function, a promise and a future", async () => {
  const results = await virtually(function* () {
    const future = new Future<string>();
    getRunningLoop().callLater(1, () => future.setResult("future"));
    const tasks = [
      createTask(sleep(1, "operation")),
      createTask(
        (function* () {
          return "coroutine";
        })(),
      ),
      createTask(function* () {
        return "function*";
      }),
      createTask(async () => "async"),
      createTask(() => "plain"),
      createTask(() => Promise.resolve("function of a promise")),
      createTask(Promise.resolve("promise")),
      createTask(future),
    ];
    const seen: string[] = [];
    for (const task of tasks) seen.push(yield* task);
    return seen;
  });

  expect(results).toEqual([
    "operation",
    "coroutine",
    "function*",
    "async",
    "plain",
    "function of a promise",
    "promise",
    "future",
  ]);
});

test("createTask() throws TypeError, when the job cannot be awaited", async () => {
  await virtually(function* () {
    for (const wrong of [undefined, null, 5, "text", {}, []]) expect(() => createTask(wrong as never)).toThrow(TypeError);
    yield* sleep(0);
  });
});

test("createTask() gives the options to the loop's task factory", async () => {
  const seen = await virtually(function* () {
    const given: unknown[] = [];
    const loop = getRunningLoop();
    loop.setTaskFactory((of, body, options) => {
      given.push(of === loop, options.name);
      return new Task(body, { ...options, loop: of });
    });
    const task = createTask(sleep(0), { name: "mine" });
    yield* task;
    loop.setTaskFactory(null);
    return [...given, task.name, loop.getTaskFactory()];
  });

  expect(seen).toEqual([true, "mine", "mine", null]);
});

test("ensureFuture() leaves a future as it is, and makes tasks of coroutines and functions", async () => {
  const seen = await virtually(function* () {
    const future = new Future<number>();
    future.setResult(1);
    const task = createTask(sleep(0));
    const made = [ensureFuture(sleep(0)), ensureFuture(async () => 2)];
    yield* task;
    for (const each of made) yield* each;
    return [ensureFuture(future) === future, ensureFuture(task) === task, ...made.map((each) => each instanceof Task)];
  });

  expect(seen).toEqual([true, true, true, true]);
});

test("ensureFuture() of a promise has its outcome, and can be awaited by yield*", async () => {
  const seen = await virtually(function* () {
    const log: unknown[] = [yield* ensureFuture(Promise.resolve("value"))];
    const error = new RangeError("rejected");
    try {
      yield* ensureFuture(Promise.reject(error));
    } catch (caught) {
      log.push(caught === error);
    }
    return log;
  });

  expect(seen).toEqual(["value", true]);
});

test("ensureFuture() of a promise lets go of it, when it is cancelled", async () => {
  const seen = await virtually(async () => {
    let resolve = (_: string): void => {};
    const promise = new Promise<string>((fulfil) => {
      resolve = fulfil;
    });
    const future = ensureFuture(promise);
    future.cancel();
    resolve("late");
    return [isFuture(future), future.cancelled(), await promise];
  });

  expect(seen).toEqual([true, true, "late"]);
});

test("ensureFuture() throws, when the job cannot be awaited or is another loop's", async () => {
  await virtually(function* () {
    expect(() => ensureFuture(5 as never)).toThrow(TypeError);
    expect(() => ensureFuture(new Future(), { loop: new EventLoop() })).toThrow(RangeError);
    yield* sleep(0);
  });
});

test("runCoroutineThreadsafe() runs a job in another loop and gives its outcome to this one [real]", async () => {
  const other = new EventLoop();
  const running = other.runForever();

  const seen = await run(async () => {
    const log: unknown[] = [];
    log.push(
      await runCoroutineThreadsafe(async () => {
        await sleep(1);
        return currentTask()?.getLoop() === other;
      }, other),
    );
    try {
      await runCoroutineThreadsafe(async () => {
        throw new RangeError("there");
      }, other);
    } catch (error) {
      log.push((error as Error).message);
    }
    return log;
  });
  other.stop();
  await running;
  other.close();

  expect(seen).toEqual([true, "there"]);
});

test("runCoroutineThreadsafe() cancels the job, when its future is cancelled [real]", async () => {
  const other = new EventLoop();
  const running = other.runForever();
  const log: string[] = [];
  let begin = (): void => {};
  let end = (): void => {};
  const began = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });

  await run(async () => {
    const started = runCoroutineThreadsafe(async () => {
      begin();
      try {
        await new Future();
      } finally {
        log.push("clean");
        end();
      }
    }, other);
    await began;
    started.cancel();
    await ended;
  });
  other.stop();
  await running;
  other.close();

  expect(log).toEqual(["clean"]);
});

test("a task that is made by a callback has the context of the callback", async () => {
  const seen = await virtually(function* () {
    const variable = new ContextVar("variable", { default: "none" });
    variable.set("registered");
    const made = new Future<string>();
    getRunningLoop().callSoon(() => {
      createTask(function* () {
        made.setResult(variable.get());
      });
    });
    variable.set("later");
    return yield* made;
  });

  expect(seen).toBe("registered");
});
