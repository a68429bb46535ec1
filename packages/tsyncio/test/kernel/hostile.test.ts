/** What foreign code can do to the loop: values that throw when looked at, thenables that misbehave, promises nobody awaits. */

import {
  createTask,
  currentTask,
  Event,
  EventLoop,
  Future,
  getEventLoop,
  Lock,
  run,
  runCoroutineThreadsafe,
  sleep,
  type Task,
  timeout,
} from "tsyncio";
import { expect, test } from "vitest";
import { runProgram } from "../support/process.ts";
import { runVirtual, VirtualHost, virtually } from "../support/virtual.ts";

const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};

test.each([
  ["a revoked proxy", revoked],
  [
    "an object whose `then` throws when it is read",
    () => ({
      get then() {
        throw new Error("trap");
      },
    }),
  ],
  [
    "an object whose `next` throws when it is read",
    () => ({
      get next() {
        throw new Error("trap");
      },
    }),
  ],
  ["an object without a prototype", () => Object.create(null)],
])("a yield of %s fails that task alone, and the loop goes on", async (_, make) => {
  const outcome = await virtually(function* () {
    const bad = createTask(function* () {
      yield make() as never;
    });
    const good = createTask(sleep(1, "good"));
    yield* bad.join();
    return [bad.exception() instanceof Error, yield* good];
  });

  expect(outcome).toEqual([true, "good"]);
});

test("an error whose stack throws when it is read is lost to nobody, and the loop goes on", async () => {
  const error = new Error("odd");
  Object.defineProperty(error, "stack", {
    get() {
      throw new Error("trap");
    },
  });

  const { result, errors } = await runVirtual(function* () {
    createTask(function* () {
      throw error;
    });
    return yield* createTask(sleep(1, "good"));
  });

  expect(result).toBe("good");
  expect(errors.map((each) => each.exception)).toEqual([error]);
});

test("run() rejects, when the thenable that the job returns throws in `then`", async () => {
  await expect(
    run(
      () =>
        ({
          then() {
            throw new Error("boom");
          },
        }) as never,
    ),
  ).rejects.toThrow("boom");
});

test("a coroutine made by hand whose next() returns nothing fails its task alone", async () => {
  const handMade = {
    next: () => undefined,
    throw() {},
    return() {},
    [Symbol.iterator]() {
      return this;
    },
  };

  const failed = await virtually(function* () {
    const task = createTask(handMade as never);
    yield* task.join();
    return task.exception() instanceof TypeError;
  });

  expect(failed).toBe(true);
});

test("the default exception handler survives whatever a context holds", () => {
  const host = new VirtualHost();
  const loop = new EventLoop({ host });

  loop.callExceptionHandler({ message: "odd", detail: Object.create(null), exception: revoked() });

  expect(host.reports).toHaveLength(1);
});

test("a body's thenable that calls back twice resumes the task once", async () => {
  const log = await virtually(function* () {
    const lock = new Lock();
    const held = yield* lock.acquire();
    const taker = createTask(
      function* () {
        yield* timeout(
          1000,
          () =>
            ({
              then(done: (value: number) => void) {
                done(1);
                done(2);
              },
            }) as PromiseLike<number>,
        );
        yield* lock.acquire();
        return lock.owner?.name;
      },
      { name: "taker" },
    );
    yield* sleep(5);
    const early = taker.done();
    held.release();
    return [early, yield* taker];
  });

  expect(log).toEqual([false, "taker"]);
});

test("a promise that is rejected before its task's first step is handled [real]", async () => {
  const source = `
    import { createTask, run } from "tsyncio";
    async function main() { throw new Error("early"); }
    await run(main()).catch((error) => console.log("handled", error.message));
    await createTask(Promise.reject(new Error("outside"))).then(undefined, (error) => console.log("handled", error.message));`;

  expect(await runProgram(source)).toMatchObject({ stdout: "handled early\nhandled outside\n", stderr: "", code: 0 });
});

test("an async function that nobody awaits does not crash the process, when the program ends [real]", async () => {
  const source = `
    import { run, sleep } from "tsyncio";
    async function heartbeat() { for (;;) await sleep(5); }
    await run(async () => { void heartbeat(); await sleep(12); });
    console.log("goes on");`;

  expect(await runProgram(source)).toMatchObject({ stdout: "goes on\n", stderr: "", code: 0 });
});

test("an async function that nobody awaits does not crash the process, when its wait ends in the turn that the program ends [real]", async () => {
  const source = `
    import { run, sleep } from "tsyncio";
    async function heartbeat() { for (;;) await sleep(0); }
    await run(async () => { void heartbeat(); await sleep(0); });
    console.log("goes on");`;

  expect(await runProgram(source)).toMatchObject({ stdout: "goes on\n", stderr: "", code: 0 });
});

test("a timer that is cancelled outside of any turn keeps nothing alive [real]", async () => {
  const source = `
    import { getEventLoop, timeout } from "tsyncio";
    await timeout("1h", async () => { await new Promise((resolve) => setTimeout(resolve, 5)); });
    const handle = getEventLoop().callLater("1h", () => {});
    setTimeout(() => handle.cancel(), 5);
    process.on("exit", () => console.log("ends"));`;

  expect((await runProgram(source)).stdout).toBe("ends\n");
});

test("a cancellation that a foreign API has answered is not delivered again, in the cleanup", async () => {
  const log = await virtually(async () => {
    const lines: string[] = [];
    const task = createTask(async () => {
      try {
        await new Promise((_, reject) => {
          (currentTask() as Task<unknown>).signal.addEventListener("abort", () =>
            reject(new DOMException("stop", "AbortError")),
          );
        });
      } finally {
        await sleep(5);
        lines.push("cleaned up");
      }
    });
    await sleep(1);
    task.cancel();
    await task.join();
    return [...lines, task.cancelled()];
  });

  expect(log).toEqual(["cleaned up", true]);
});

test("a function that outlives the operation in whose body it was called is still part of its task", async () => {
  const name = await virtually(async () => {
    let late: Promise<string | undefined> | undefined;
    await timeout(1000, async () => {
      late = (async () => {
        await sleep(10);
        return currentTask()?.name;
      })();
    });
    await sleep(20);
    return [await late, currentTask()?.name];
  });

  expect(name[0]).toBe(name[1]);
});

test("a task that is done can be awaited, after its loop was closed", async () => {
  let task: Task<number> | undefined;
  await virtually(async () => {
    task = createTask(async () => 4);
    await task;
  });

  expect(await task).toBe(4);
});

test("join() leaves nothing behind in the task, when the wait is cancelled", async () => {
  const left = await virtually(function* () {
    const long = createTask(new Event().wait());
    for (let i = 0; i < 20; i++) {
      const joiner = createTask(function* () {
        yield* long.join();
      });
      yield* sleep(1);
      joiner.cancel();
      yield* joiner.join();
    }
    yield* sleep(1);
    const callbacks = (long as unknown as { _waitingList(): unknown[] })._waitingList().length;
    long.cancel();
    return callbacks;
  });

  expect(left).toBe(0);
});

test("runCoroutineThreadsafe() hands on whatever the job throws, and refuses what is no job", async () => {
  await virtually(async () => {
    const failed = runCoroutineThreadsafe(function* () {
      throw "text";
    }, getEventLoop());
    await expect(failed).rejects.toBe("text");
    expect(() => runCoroutineThreadsafe(5 as never, getEventLoop())).toThrow(TypeError);
  });
});

test("Ctrl-C reaches both of two programs that run side by side [real]", async () => {
  const source = `
    import { run, sleep } from "tsyncio";
    const program = (name) => run(function* () { try { console.log("up"); yield* sleep("1h"); } finally { console.log("down"); } });
    const ended = await Promise.allSettled([program("a"), program("b")]);
    console.log(ended.map((each) => each.reason.name).join());`;
  let up = 0;

  const { stdout } = await runProgram(source, {
    onLine: (line, kill) => {
      if (line === "up" && ++up === 2) kill("SIGINT");
    },
  });

  expect(stdout).toBe("up\nup\ndown\ndown\nKeyboardInterrupt,KeyboardInterrupt\n");
});

test("an error of another realm is shown with its message and stack [real]", async () => {
  const source = `
    import { runInNewContext } from "node:vm";
    import { createTask, run, sleep } from "tsyncio";
    await run(function* () {
      createTask(function* () { throw runInNewContext("new RangeError('from afar')"); });
      yield* sleep(1);
    });`;

  expect((await runProgram(source)).stderr).toContain("RangeError: from afar");
});

test("callbacks of the default loop see the ambient state of their own maker, not of the first caller [real]", async () => {
  const source = `
    import { AsyncLocalStorage } from "node:async_hooks";
    import { getEventLoop, sleep } from "tsyncio";
    const store = new AsyncLocalStorage();
    await store.run("first", () => sleep(1));
    store.run("second", () => getEventLoop().callLater(1, () => console.log(store.getStore())));
    getEventLoop().callLater(2, () => console.log(store.getStore()));
    await sleep(10);`;

  expect((await runProgram(source)).stdout).toBe("second\nundefined\n");
});

test("a Future can be made and awaited on the default loop by its loop's own method", async () => {
  const future = getEventLoop().createFuture<number>();
  getEventLoop().callSoon(() => future.setResult(1));

  expect(await future).toBe(1);
  expect(future).toBeInstanceOf(Future);
});
