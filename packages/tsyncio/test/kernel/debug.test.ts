import { coroutine, createTask, Future, getRunningLoop, isCancelled, moveOnAfter, sleep, type Task, timeout } from "tsyncio";
import { expect, test } from "vitest";
import { runProgram } from "../support/process.ts";
import { runVirtual } from "../support/virtual.ts";

test("a step that takes too long is reported with its task and place, in debug mode [real]", async () => {
  const source = `
    import { createTask, getRunningLoop, run, sleep } from "tsyncio";
    await run(function* () {
      getRunningLoop().slowCallbackDuration = 20;
      const task = createTask(function* () {
        yield* sleep(1);
        const end = Date.now() + 40;
        while (Date.now() < end);
        yield* sleep(1);
      }, { name: "slow one" });
      yield* task;
    }, { debug: true });`;

  const { stderr } = await runProgram(source);

  expect(stderr).toMatch(/executing <Task .*name='slow one'.* created at .*program\.mjs:5:\d+.* took 0\.0\d+ seconds/);
});

test("a wrapped coroutine that is never awaited is reported with its name and place, in debug mode", async () => {
  const save = coroutine(function* save() {
    yield* sleep(1);
  });

  const { reports } = await runVirtual(
    function* () {
      save();
      yield* sleep(1);
    },
    { debug: true },
  );

  expect(reports).toHaveLength(1);
  expect(reports[0]).toMatch(/coroutine 'save' was never awaited \(created at .*debug\.test\.ts/);
  expect(reports[0]).toContain("yield* save(…)");
});

test("a library operation that is never awaited is reported, in debug mode", async () => {
  const { reports } = await runVirtual(
    function* () {
      timeout(5, function* () {});
      yield* sleep(1);
    },
    { debug: true },
  );

  expect(reports.join()).toContain("coroutine 'timeout' was never awaited");
});

test("a swallowed cancellation is reported with the place where the task was made, in debug mode", async () => {
  const { reports } = await runVirtual(
    function* () {
      const task = createTask(
        function* () {
          try {
            yield* sleep(1000);
          } catch {
            return "went on";
          }
        },
        { name: "deaf" },
      );
      yield* sleep(1);
      task.cancel();
      yield* task;
    },
    { debug: true },
  );

  expect(reports).toHaveLength(1);
  expect(reports[0]).toMatch(/<Task .*name='deaf'.* created at .*debug\.test\.ts.*> swallowed a cancellation/);
});

test("a cancellation that is taken back by uncancel() or a timeout is not called swallowed", async () => {
  const first = await runVirtual(
    function* () {
      yield* moveOnAfter(1, function* () {
        yield* sleep(10);
      });
    },
    { debug: true },
  );
  const second = await runVirtual(
    function* () {
      const task: Task<void> = createTask(function* () {
        try {
          yield* sleep(1000);
        } catch (error) {
          if (!isCancelled(error)) throw error;
          task.uncancel();
        }
      });
      yield* sleep(1);
      task.cancel();
      yield* task;
    },
    { debug: true },
  );

  expect(first.reports).toEqual([]);
  expect(second.reports).toEqual([]);
});

test("an error that is never looked at is reported with the place where its task was made, in debug mode", async () => {
  const { errors } = await runVirtual(
    function* () {
      createTask(function* () {
        throw new Error("lost");
      });
      yield* sleep(1);
    },
    { debug: true },
  );

  expect(errors).toHaveLength(1);
  expect(errors[0]?.message).toBe("Task exception was never retrieved");
  expect(errors[0]?.["origin"]).toMatch(/debug\.test\.ts/);
});

test("a Future that failed and is never looked at is reported, in any mode", async () => {
  const { errors } = await runVirtual(function* () {
    new Future().setException(new Error("lost"));
    yield* sleep(1);
  });

  expect(errors.map((each) => each.message)).toEqual(["Future exception was never retrieved"]);
});

test("an error that was looked at is not reported, however it was", async () => {
  const { errors } = await runVirtual(function* () {
    const fail = (): Task<never> =>
      createTask(function* () {
        throw new Error("seen");
      });
    const tasks = [fail(), fail(), fail(), fail()] as [Task<never>, Task<never>, Task<never>, Task<never>];
    yield* sleep(1);
    try {
      yield* tasks[0];
    } catch {}
    try {
      tasks[1].result();
    } catch {}
    tasks[2].exception();
    yield* tasks[3].join();
  });

  expect(errors).toEqual([]);
});

test("TSYNCIO_DEBUG=1 turns debug mode on [real]", async () => {
  const source = `import { getRunningLoop, run } from "tsyncio"; console.log(await run(async () => getRunningLoop().getDebug()));`;

  expect((await runProgram(source, { env: { TSYNCIO_DEBUG: "1" } })).stdout).toBe("true\n");
  expect((await runProgram(source, { env: { TSYNCIO_DEBUG: "" } })).stdout).toBe("false\n");
});

test("Task.getStack() names every suspended frame with file and line, and printStack() what it waits for", async () => {
  const leaf = coroutine(function* leaf() {
    yield* sleep(1000);
  });
  const middle = coroutine(function* middle() {
    yield* leaf();
  });

  const { result } = await runVirtual(function* () {
    const task = createTask(
      (function* outer() {
        yield* middle();
      })(),
      { name: "stuck" },
    );
    yield* sleep(1);
    const stack = task.getStack();
    let text = "";
    task.printStack((each) => {
      text += each;
    });
    task.cancel();
    yield* task.join();
    return { stack, text, after: task.getStack() };
  });

  expect(result.stack.map((frame) => frame.functionName)).toEqual(["outer", "middle", "leaf"]);
  for (const frame of result.stack) {
    expect(frame.file).toMatch(/debug\.test\.ts/);
    expect(frame.line).toBeGreaterThan(0);
  }
  expect(result.text).toMatch(
    /Stack of <Task .*stuck.*>\n {4}at outer .*\n {4}at middle .*\n {4}at leaf .*\n {4}waits for sleep of 1000 ms/,
  );
  expect(result.after).toEqual([]);
});

test("slowCallbackDuration is 100 ms, unless set", async () => {
  await runVirtual(function* () {
    expect(getRunningLoop().slowCallbackDuration).toBe(100);
  });
});
