/** run() and Runner: debug mode, the loop, the end of a program, and interrupts by real signals. After CPython's test_runners.py. */

import {
  CancelledError,
  ContextVar,
  type Coroutine,
  copyContext,
  coroutine,
  createTask,
  EventLoop,
  type ExceptionContext,
  ensureFuture,
  getEventLoop,
  getRunningLoop,
  isCancelled,
  Runner,
  RuntimeError,
  run,
  sleep,
  type Task,
} from "tsyncio";
import { expect, test } from "vitest";
import { runProgram } from "../support/process.ts";
import { VirtualHost } from "../support/virtual.ts";

/** A loop under virtual time, and what its exception handler is told. */
function virtualLoop(): { loop: EventLoop; told: ExceptionContext[]; reports: string[] } {
  const host = new VirtualHost();
  const loop = new EventLoop({ host, debug: false });
  const told: ExceptionContext[] = [];
  loop.setExceptionHandler((_, context) => told.push(context));
  return { loop, told, reports: host.reports };
}

const virtualRunner = (): Runner => new Runner({ loop: virtualLoop().loop, signals: [] });

function* returns42(): Coroutine<number> {
  yield* sleep(0);
  return 42;
}

// ── run() ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("run(), gives what main returns and rejects with what it throws, after a turn, in both spellings", async () => {
  const fails = new RangeError("spam");
  const jobs = [
    function* () {
      yield* sleep(0);
      throw fails;
    },
    async () => {
      await sleep(0);
      throw fails;
    },
  ];

  expect(await run(returns42(), { loop: virtualLoop().loop })).toBe(42);
  for (const job of jobs) await expect(run<unknown>(job, { loop: virtualLoop().loop })).rejects.toBe(fails);
});

test("run(), rejects with TypeError and closes the loop, when given what cannot be awaited", async () => {
  for (const wrong of [1, {}, "main", null]) {
    const { loop } = virtualLoop();
    await expect(run(wrong as never, { loop })).rejects.toThrow(TypeError);
    expect(loop.isClosed()).toBe(true);
  }
});

for (const [env, results] of Object.entries({ "1": [true, true, false], "": [false, true, false] })) {
  test(`run(), is in debug mode as its option says, else as TSYNCIO_DEBUG does, which is "${env}" [real]`, async () => {
    const source = `
      import { getRunningLoop, run } from "tsyncio";
      const asked = [];
      for (const options of [{}, { debug: true }, { debug: false }]) asked.push(await run(() => getRunningLoop().getDebug(), options));
      console.log(JSON.stringify(asked));`;

    const { stdout } = await runProgram(source, { env: { TSYNCIO_DEBUG: env } });

    expect(JSON.parse(stdout)).toEqual(results);
  });
}

test("run(), has a task that main left behind cancelled and done, when it gives main's value", async () => {
  const { loop, told } = virtualLoop();
  let left: Task<void> | undefined;

  const value = await run(
    function* () {
      left = createTask(sleep(100));
      return 123;
    },
    { loop },
  );

  expect(value).toBe(123);
  expect(left?.done()).toBe(true);
  expect(left?.cancelled()).toBe(true);
  expect(loop.isClosed()).toBe(true);
  expect(told).toEqual([]);
});

test("run(), tells the exception handler message, task and error, when a task left behind fails on being cancelled", async () => {
  const { loop, told } = virtualLoop();
  let left: Task<void> | undefined;

  const value = await run(
    function* () {
      left = createTask(function* () {
        try {
          yield* sleep(100);
        } catch {
          throw new RangeError("1 / 0");
        }
      });
      yield* sleep(0);
      return 123;
    },
    { loop },
  );

  expect(value).toBe(123);
  expect(left?.done()).toBe(true);
  expect(told).toHaveLength(1);
  expect(told[0]?.message).toMatch(/run\(\).*shutdown/);
  expect(told[0]?.task).toBe(left);
  expect(told[0]?.exception).toMatchObject({ name: "RangeError", message: "1 / 0" });
});

test("run(), rejects with main's error and ends the async generator of a task left behind, when that fails, too", async () => {
  const { loop, told } = virtualLoop();
  const fancyExit = new Error("fancy exit");
  const log: string[] = [];
  async function* fidget(): AsyncGenerator<number> {
    try {
      for (;;) {
        yield 1;
        await sleep(1000);
      }
    } finally {
      log.push("closed");
    }
  }
  const spinner = fidget();
  let left: Task<void> | undefined;

  const program = run(
    async () => {
      left = createTask(async () => {
        try {
          for await (const each of spinner) log.push(`got ${each}`);
        } catch (error) {
          log.push(`cancelled ${isCancelled(error)}`);
          throw new RangeError("1 / 0");
        }
      });
      await sleep(0);
      throw fancyExit;
    },
    { loop },
  );

  await expect(program).rejects.toBe(fancyExit);
  expect(left?.done()).toBe(true);
  expect(log).toEqual(["got 1", "closed", "cancelled true"]);
  expect(await spinner.next()).toEqual({ done: true, value: undefined });
  expect(told.map((each) => each.task === left)).toEqual([true]);
});

test("run(), runs on the loop that it is given, which is the current one inside, and closes it", async () => {
  const { loop } = virtualLoop();

  const inside = await run(async () => [getRunningLoop() === loop, getEventLoop() === loop], { loop });

  expect(inside).toEqual([true, true]);
  expect(loop.isClosed()).toBe(true);
});

test("run(), runs on an EventLoop, its own or a new one given, and on another one each time [real]", async () => {
  const own = await run(async () => [getRunningLoop()]);
  const again = await run(async () => [getRunningLoop()]);
  const given = await run(async () => [getRunningLoop()], { loop: new EventLoop() });

  for (const [loop] of [own, again, given]) {
    expect(loop).toBeInstanceOf(EventLoop);
    expect(loop?.isClosed()).toBe(true);
  }
  expect(again[0]).not.toBe(own[0]);
});

// ── Runner ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

for (const debug of [false, true]) {
  test(`Runner, puts its loop in debug mode as told, when debug is ${debug}`, async () => {
    await using runner = new Runner({ debug });
    const { loop } = virtualLoop();
    await using other = new Runner({ loop, debug });

    expect(runner.getLoop().getDebug()).toBe(debug);
    expect(other.getLoop()).toBe(loop);
    expect(loop.getDebug()).toBe(debug);
  });
}

test("Runner.getLoop(), is the loop for all runs, and throws RuntimeError after the block, when the loop is closed", async () => {
  const loops: EventLoop[] = [];
  const runner = virtualRunner();
  {
    await using block = runner;
    for (let i = 0; i < 2; i++) {
      const result = await block.run(function* () {
        yield* sleep(0);
        loops.push(getRunningLoop());
        return "done";
      });
      expect(result).toBe("done");
    }
    loops.push(block.getLoop());
  }

  expect(new Set(loops).size).toBe(1);
  expect(() => runner.getLoop()).toThrow(RuntimeError);
  expect(() => runner.getLoop()).toThrow(/the runner.*closed/);
  expect(loops[0]?.isClosed()).toBe(true);
});

test("Runner.run(), rejects with TypeError, when given a number, and can be used again", async () => {
  await using runner = virtualRunner();

  await expect(runner.run(123 as never)).rejects.toThrow(/a coroutine, a Future, a promise.*got 123/);
  await expect(runner.run(123 as never)).rejects.toThrow(TypeError);

  expect(await runner.run(returns42)).toBe(42);
});

test("Runner.run(), gives the result of a future of its loop, which is done or will be", async () => {
  await using runner = virtualRunner();
  const loop = runner.getLoop();
  const [done, later] = [loop.createFuture<string>(), loop.createFuture<string>()];
  done.setResult("done");
  loop.callLater(5, () => later.setResult("later"));

  expect([await runner.run(done), await runner.run(later)]).toEqual(["done", "later"]);
});

test("Runner.run(), awaits an object of the user's own, by its `then`", async () => {
  await using runner = virtualRunner();
  class MyAwaitable implements PromiseLike<string> {
    then<A = string, B = never>(
      onFulfilled?: ((value: string) => A | PromiseLike<A>) | null,
      onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
    ): Promise<A | B> {
      return this.#run().then(onFulfilled, onRejected);
    }

    async #run(): Promise<string> {
      return "done";
    }
  }

  expect(await runner.run(new MyAwaitable())).toBe("done");
});

test("Runner.close(), closes the loop of a runner that never ran, and is harmless the second time", async () => {
  const runner = virtualRunner();
  const loop = runner.getLoop();

  await runner.close();

  expect(loop.isClosed()).toBe(true);
  expect(() => runner.getLoop()).toThrow(/the runner.*closed/);
  await runner.close();
  expect(loop.isClosed()).toBe(true);
});

test("Runner.run(), rejects and runs nothing, in a second block with the same runner", async () => {
  const log: number[] = [];
  function* notes(each: number): Coroutine<void> {
    log.push(each);
  }
  const runner = virtualRunner();
  {
    await using block = runner;
    await block.run(notes(1));
  }

  const second = async (): Promise<void> => {
    await using block = runner;
    await block.run(notes(2));
  };

  await expect(second()).rejects.toMatchObject({ name: "RuntimeError", code: "RUNNER_CLOSED" });
  expect(log).toEqual([1]);
});

test("Runner.run(), keeps what a run sets in its context for the next, in both spellings", async () => {
  const variable = new ContextVar("cvar", { default: -1 });
  await using runner = virtualRunner();
  function* swap(value: number): Coroutine<number> {
    const old = variable.get();
    yield* sleep(0);
    variable.set(value);
    return old;
  }
  const asyncSwap = async (value: number): Promise<number> => {
    const old = variable.get();
    await sleep(0);
    variable.set(value);
    return old;
  };

  expect(await runner.run(swap(1))).toBe(-1);
  expect(await runner.run(swap(2))).toBe(1);
  expect(await runner.run(() => asyncSwap(3))).toBe(2);
  expect((await runner.run(async () => copyContext())).get(variable)).toBe(3);
  expect(variable.get()).toBe(-1);
});

for (const spelling of ["function*", "async"] as const) {
  test(`Runner.run(), rejects and has the coroutine reported as never awaited, when called in one of its runs, ${spelling}`, async () => {
    const { loop, reports } = virtualLoop();
    const runner = new Runner({ loop, signals: [], debug: true });
    let started = false;
    const inner = coroutine(function* inner(): Coroutine<void> {
      started = true;
    });

    const outer = runner.run(
      spelling === "function*"
        ? function* () {
            yield* ensureFuture(runner.run(inner()));
          }
        : async () => {
            await runner.run(inner());
          },
    );

    await expect(outer).rejects.toMatchObject({ name: "RuntimeError", code: "LOOP_RUNNING" });
    await runner.close();
    expect(started).toBe(false);
    expect(reports.filter((each) => /inner.*never awaited/.test(each))).toHaveLength(1);
  });
}

test("Runner.run(), gives the very result, and does not turn it into text on the way", async () => {
  let shown = 0;
  class MyResult {
    toString(): string {
      shown++;
      return "shown";
    }

    toJSON(): string {
      return this.toString();
    }

    [Symbol.toPrimitive](): string {
      return this.toString();
    }

    [Symbol.for("nodejs.util.inspect.custom")](): string {
      return this.toString();
    }
  }
  const made = new MyResult();
  const runner = virtualRunner();

  const results = [
    await runner.run(function* () {
      return made;
    }),
    await runner.run(async () => made),
  ];
  await runner.close();

  expect(results.every((each) => each === made)).toBe(true);
  expect(shown).toBe(0);
});

// ── Interrupts ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Runs a program whose runner runs `main`; it prints what happens. */
async function interrupted(main: string): Promise<string[]> {
  const source = `
    import { CancelledError, createTask, currentTask, Runner, sleep } from "tsyncio";
    const interruptSelf = () => process.kill(process.pid, "SIGINT");
    const told = (error) => console.log(error.name, error.code, error.cause?.name ?? "without a cause");
    // Something that the program might yet hear of, so that it counts as waiting and not as deadlocked.
    const alive = setInterval(() => {}, 60_000);
    const runner = new Runner();
    const loop = runner.getLoop();
    const future = loop.createFuture();
    try { await runner.run(${main}); } catch (error) { told(error); }
    console.log("cancelled", future.cancelled());
    await runner.close();
    clearInterval(alive);
    console.log("listeners", process.listenerCount("SIGINT"));`;
  const { stdout, stderr, code } = await runProgram(source);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  return stdout.trim().split("\n");
}

for (const [spelling, fn, awaits] of [
  ["function*", "function* ()", "yield*"],
  ["async", "async ()", "await"],
] as const) {
  const arrow = spelling === "async" ? " =>" : "";

  test(`Runner.run(), rejects with KeyboardInterrupt, when SIGINT comes while main only lets others run, ${spelling} [real]`, async () => {
    const lines = await interrupted(`${fn}${arrow} {
      loop.callLater(20, interruptSelf);
      try { for (;;) ${awaits} sleep(0); } catch (error) { console.log("main", error.name); }
      throw new CancelledError("of its own");
    }`);

    expect(lines).toEqual([
      "main CancelledError",
      "KeyboardInterrupt INTERRUPTED CancelledError",
      "cancelled false",
      "listeners 0",
    ]);
  });

  test(`Runner.run(), rejects with KeyboardInterrupt and has the awaited future cancelled by SIGINT, ${spelling} [real]`, async () => {
    const lines = await interrupted(`${fn}${arrow} {
      loop.callLater(20, interruptSelf);
      try { ${awaits} future; } catch (error) { console.log("main", error.name); }
      throw new CancelledError("of its own");
    }`);

    expect(lines).toEqual([
      "main CancelledError",
      "KeyboardInterrupt INTERRUPTED CancelledError",
      "cancelled true",
      "listeners 0",
    ]);
  });

  for (const [when, interrupt, cleanup] of [
    ["in the same turn", `process.emit("SIGINT")`, ""],
    ["while it cleans up", "", `interruptSelf(); ${awaits} sleep("10m");`],
  ] as const) {
    test(`Runner.run(), rejects with CancelledError, when main was cancelled by another and SIGINT comes ${when}, ${spelling} [real]`, async () => {
      const lines = await interrupted(`${fn}${arrow} {
        const main = currentTask();
        createTask(function* () { yield* sleep(0); main.cancel("by another"); ${interrupt}; });
        try { ${awaits} sleep("10m"); } finally { console.log("requests", main.cancelling()); ${cleanup} }
      }`);

      expect(lines).toEqual([
        `requests ${when === "in the same turn" ? 2 : 1}`,
        "CancelledError CANCELLED without a cause",
        "cancelled false",
        "listeners 0",
      ]);
    });
  }
}

test("run(), runs its job and leaves no listener, when it is in a thread that has no signals [real]", async () => {
  const source = `
    import { isMainThread, Worker } from "node:worker_threads";
    import { run, sleep } from "tsyncio";
    if (isMainThread) new Worker(new URL(import.meta.url));
    else console.log(await run(function* () { yield* sleep(1); return "slept"; }), process.listenerCount("SIGINT"));`;

  expect(await runProgram(source)).toEqual({ code: 0, signal: null, stdout: "slept 0\n", stderr: "" });
});

test("CancelledError of main, is the run's own rejection, when nobody sent a signal", async () => {
  await using runner = virtualRunner();

  const rejected = runner.run(function* () {
    throw new CancelledError("of its own");
  });

  await expect(rejected).rejects.toMatchObject({ name: "CancelledError", message: "of its own" });
});
