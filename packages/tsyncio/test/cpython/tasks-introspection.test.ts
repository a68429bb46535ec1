/** What tasks tell about themselves: text, stacks, currentTask(), allTasks(). After CPython's test_tasks.py. */

import {
  allTasks,
  type Coroutine,
  coroutine,
  createTask,
  currentTask,
  EventLoop,
  Future,
  getRunningLoop,
  sleep,
  Task,
  wait,
} from "tsyncio";
import { expect, test } from "vitest";
import { runVirtual, VirtualHost, virtually } from "../support/virtual.ts";

const idleLoop = (): EventLoop => new EventLoop({ host: new VirtualHost() });

const printed = (task: Task<unknown>): string => {
  let text = "";
  task.printStack((each) => {
    text += each;
  });
  return text;
};

// ── Text ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("String(task), tells name and state: pending, cancelling, cancelled, finished with its result", async () => {
  const texts = await virtually(function* () {
    function* notMuch(): Coroutine<string> {
      return "abc";
    }
    const cancelled = createTask(notMuch(), { name: "TestTask" });
    const seen = [String(cancelled), printed(cancelled)];
    cancelled.cancel();
    seen.push(String(cancelled));
    yield* cancelled.join();
    seen.push(String(cancelled));
    const finished = createTask(notMuch(), { name: "TestTask" });
    yield* finished;
    return [...seen, String(finished)];
  });

  expect(texts[0]).toBe("<Task pending name='TestTask'>");
  // Which coroutine it is, and where, is told by its stack.
  expect(texts[1]).toMatch(/Stack of <Task pending name='TestTask'>\n {4}at notMuch \(.*tasks-introspection\.test\.ts:\d+/);
  expect(texts.slice(2)).toEqual([
    "<Task cancelling name='TestTask'>",
    "<Task cancelled name='TestTask'>",
    "<Task finished result=\"abc\" (string) name='TestTask'>",
  ]);
});

test("String(task), tells what it waits for, and no longer when that is done", async () => {
  const seen = await virtually(function* () {
    const future = new Future<void>();
    const task = createTask(
      function* () {
        yield* future;
      },
      { name: "waits" },
    );
    yield* sleep(0);
    const during = [String(task), task.waitingFor];
    future.setResult();
    yield* task;
    return [...during, String(task).includes("wait_for"), task.waitingFor];
  });

  expect(seen).toEqual(["<Task pending name='waits' wait_for=<Future>>", "Future", false, undefined]);
});

test("String(task), tells the file and the line that made the task, in debug mode", async () => {
  const { result } = await runVirtual(
    function* () {
      const here = (new Error().stack ?? "").split("\n")[1] as string;
      const task = createTask(function* () {});
      yield* task;
      return [here, String(task)];
    },
    { debug: true },
  );

  const [here, text] = result as [string, string];
  const [, file, line] = /((?:file:\/\/)?\/.*):(\d+):\d+/.exec(here) as RegExpExecArray;
  expect(file).toMatch(/tasks-introspection\.test\.ts$/);
  expect(text).toContain(` created at `);
  expect(text).toContain(`${file}:${Number(line) + 1}:`);
});

for (const wrapped of [false, true]) {
  test(`Task.getStack(), begins with the task's own coroutine, while it runs${wrapped ? ", wrapped" : ""}`, async () => {
    const seen = await virtually(function* () {
      const as = <T>(fn: () => Coroutine<T>): (() => Coroutine<T>) => (wrapped ? coroutine(fn) : fn);
      let task: Task<unknown> | undefined;
      const bar = as(function* bar(): Coroutine<unknown> {
        return [task?.getStack()[0]?.functionName, printed(task as Task<unknown>)];
      });
      const foo = as(function* foo(): Coroutine<unknown> {
        return yield* bar();
      });
      task = createTask(foo(), { name: "runs" });
      return yield* task;
    });

    const [name, text] = seen as [string, string];
    expect(name).toBe("foo");
    expect(text).toMatch(/^Stack of <Task pending name='runs'>\n {4}at foo/);
  });
}

// ── currentTask() ────────────────────────────────────────────────────────────────────────────────────────────────────────

for (const spelling of ["function*", "async"] as const) {
  test(`currentTask(), is the task while it runs, and null before and after, ${spelling}`, async () => {
    const loop = idleLoop();
    const seen: unknown[] = [currentTask()];
    const look = (): void => {
      seen.push(currentTask() === task);
    };
    const task: Task<void> = loop.createTask(
      spelling === "function*"
        ? function* () {
            look();
            yield* sleep(0);
            look();
          }
        : async () => {
            look();
            await sleep(0);
            look();
          },
    );
    seen.push(currentTask());
    await loop.runUntilComplete(task);
    seen.push(currentTask());
    loop.close();

    expect(seen).toEqual([null, null, true, true, null]);
  });

  test(`currentTask(), is each of two tasks in turn, when they wake each other, ${spelling}`, async () => {
    const { result } = await runVirtual(function* () {
      const [first, second] = [new Future<boolean>(), new Future<boolean>()];
      const seen: boolean[] = [];
      const one: Task<void> = createTask(
        spelling === "function*"
          ? function* () {
              seen.push(currentTask() === one);
              yield* first;
              seen.push(currentTask() === one);
              second.setResult(true);
            }
          : async () => {
              seen.push(currentTask() === one);
              await first;
              seen.push(currentTask() === one);
              second.setResult(true);
            },
      );
      const two: Task<void> = createTask(
        spelling === "function*"
          ? function* () {
              seen.push(currentTask() === two);
              first.setResult(true);
              yield* second;
              seen.push(currentTask() === two);
            }
          : async () => {
              seen.push(currentTask() === two);
              first.setResult(true);
              await second;
              seen.push(currentTask() === two);
            },
      );
      yield* wait([one, two]);
      return seen;
    });

    expect(result).toEqual([true, true, true, true]);
    expect(currentTask()).toBeNull();
  });
}

test("currentTask(), is null in a callback, and the outer task again after an eager one", async () => {
  const seen = await virtually(function* () {
    const log: unknown[] = [];
    const outer = currentTask();
    getRunningLoop().callSoon(() => log.push(currentTask()));
    const inner: { task?: Task<void>; current?: Task<unknown> | null } = {};
    inner.task = createTask(
      function* () {
        inner.current = currentTask();
        yield* sleep(0);
      },
      { eager: true },
    );
    log.push(inner.current === inner.task, currentTask() === outer);
    yield* inner.task;
    return [...log, currentTask() === outer];
  });

  expect(seen).toEqual([true, true, null, true]);
});

// ── allTasks() ───────────────────────────────────────────────────────────────────────────────────────────────────────────

test("allTasks(), holds a task of the loop from its making to its end, and no other loop's", async () => {
  const loop = idleLoop();
  const other = idleLoop();
  const before = allTasks(loop);
  const task = new Task(sleep(10), { loop });

  const during = allTasks(loop);
  expect([before.size, during.size, during.has(task as Task<unknown>), allTasks(other).size]).toEqual([0, 1, true, 0]);
  await loop.runUntilComplete(task);
  expect([task.done(), allTasks(loop).size]).toEqual([true, 0]);
  loop.close();
});

test("allTasks(), holds a task that waits for a future which nobody else holds, until the loop is closed", async () => {
  const errors: unknown[] = [];
  const loop = idleLoop();
  loop.setExceptionHandler((_, { message, task }) => errors.push(message, task?.name));
  loop.createTask(
    function* () {
      yield* new Future<void>();
    },
    { name: "forgotten" },
  );
  await loop.runUntilComplete(sleep(1));

  expect([...allTasks(loop)].map((task) => task.name)).toEqual(["forgotten"]);
  loop.close();
  expect(errors).toEqual(["Task was destroyed but it is pending!", "forgotten"]);
});
