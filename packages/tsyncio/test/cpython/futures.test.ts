/** Futures: making, settling, awaiting and showing them, and errors that nobody looks at. After CPython's test_futures.py. */

import {
  allTasks,
  CancelledError,
  type Coroutine,
  createTask,
  EventLoop,
  ensureFuture,
  Future,
  getEventLoop,
  getRunningLoop,
  InvalidStateError,
  isFuture,
  sleep,
} from "tsyncio";
import { expect, test } from "vitest";
import { runProgram } from "../support/process.ts";
import { runVirtual, VirtualHost, virtually } from "../support/virtual.ts";

const idleLoop = (): EventLoop => new EventLoop({ host: new VirtualHost() });

/** What a call throws. */
function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

// ── Making futures ───────────────────────────────────────────────────────────────────────────────────────────────────────

test("isFuture(), is false for numbers, classes, promises, and objects that have the methods of a future", () => {
  const duck = { done: () => false, cancelled: () => false, result: () => 1, then: () => {} };

  expect([1, null, Future, Promise.resolve(), duck].map(isFuture)).toEqual([false, false, false, false, false]);
  expect(isFuture(new Future({ loop: idleLoop() }))).toBe(true);
});

test("Future, belongs to the running loop, when made in a task, in both spellings", async () => {
  const inside = await virtually(function* () {
    return new Future<void>().getLoop() === getRunningLoop();
  });
  const { result, loop } = await runVirtual(async () => {
    await sleep(1);
    return { loops: [new Future<void>(), getRunningLoop().createFuture()].map((each) => each.getLoop()) };
  });

  expect(inside).toBe(true);
  expect(result.loops).toEqual([loop, loop]);
});

test("Future, takes no positional argument: the types refuse it", async () => {
  await virtually(function* () {
    // @ts-expect-error its one argument is an object of options
    expect(new Future<number>(42).done()).toBe(false);
  });
});

test("Future, of the default loop, is made by that loop's own method alone, outside of any [real]", async () => {
  const loop = getEventLoop();

  expect(() => new Future()).toThrow(/no running event loop/);
  const future = loop.createFuture<string>();
  expect(future.getLoop()).toBe(loop);
  expect(ensureFuture(future)).toBe(future);
  loop.callSoon(() => future.setResult("later"));
  expect(await future).toBe("later");
});

// ── States ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("Future.setResult(), setException() and cancel(), are refused before they look at their argument, when it is done", () => {
  const error = new Error("broken");
  const settled: [(future: Future<number>) => void, string][] = [
    [(future) => future.setResult(42), "finished result=42"],
    [(future) => future.setException(error), "finished exception=Error: broken"],
    [(future) => void future.cancel(), "cancelled"],
  ];

  for (const [settle, shown] of settled) {
    const future = new Future<number>({ loop: idleLoop() });
    expect(() => future.result()).toThrow(InvalidStateError);
    expect(() => future.exception()).toThrow(InvalidStateError);

    settle(future);

    expect(() => future.setResult(1)).toThrow(InvalidStateError);
    expect(() => future.setException(null)).toThrow(InvalidStateError);
    expect(future.cancel()).toBe(false);
    expect(future.done()).toBe(true);
    expect(future.cancelled()).toBe(shown === "cancelled");
    expect(String(future)).toContain(shown);
  }
});

test("Future.cancel(), gives its message to everybody who awaits it or asks, and does not change it again", async () => {
  const messages = await virtually(function* () {
    const future = new Future<void>();
    future.cancel("my message");
    future.cancel("my new message");
    const seen: unknown[] = [];
    for (let i = 0; i < 2; i++) {
      try {
        yield* future;
      } catch (error) {
        seen.push(error instanceof CancelledError, (error as Error).message);
      }
      seen.push((thrownBy(() => future.result()) as Error).message);
    }
    return seen;
  });

  expect(messages).toEqual([true, "my message", "my message", true, "my message", "my message"]);
});

test("runUntilComplete(), rejects with the message, when its future is cancelled", async () => {
  const loop = idleLoop();
  const future = loop.createFuture<void>();
  future.cancel("my message");

  await expect(loop.runUntilComplete(future)).rejects.toMatchObject({ name: "CancelledError", message: "my message" });

  expect(future.cancelled()).toBe(true);
  loop.close();
});

// ── Awaiting, step by step ───────────────────────────────────────────────────────────────────────────────────────────────

test("yield* of a future, hands the future out once while it is pending, and not at all when it is done", () => {
  const future = new Future<number>({ loop: idleLoop() });
  const coroutine = (function* (): Generator<unknown, void> {
    yield "A";
    const first = yield* future;
    yield ["B", first];
    const second = yield* future;
    yield ["C", second];
  })();

  expect(coroutine.next().value).toBe("A");
  expect(coroutine.next().value).toBe(future);
  future.setResult(42);
  expect(coroutine.next().value).toEqual(["B", 42]);
  expect(coroutine.next().value).toEqual(["C", 42]);
  expect(coroutine.next().done).toBe(true);
});

test("the iterator of a future, ends with the very result, when it is done", () => {
  const future = new Future<[number, number]>({ loop: idleLoop() });
  const result: [number, number] = [1, 2];
  future.setResult(result);

  const step = future[Symbol.iterator]().next();

  expect(step.done).toBe(true);
  expect(step.value).toBe(result);
});

test("the iterator of a future, throws what is thrown into it, and leaves the future pending", () => {
  const future = new Future<number>({ loop: idleLoop() });
  const zebra = new Error("zebra");
  const coroutine = (function* (): Coroutine<number> {
    return yield* future;
  })();
  coroutine.next();

  expect(thrownBy(() => coroutine.throw(zebra))).toBe(zebra);
  expect(thrownBy(() => future[Symbol.iterator]().throw?.(zebra))).toBe(zebra);
  expect(future.done()).toBe(false);
});

test("a coroutine that awaits a pending future, throws RuntimeError, when it is taken apart and not awaited", () => {
  const future = new Future<number>({ loop: idleLoop() });
  function* awaits(): Coroutine<number> {
    return yield* future;
  }

  const error = thrownBy(() => {
    const [first, second] = awaits() as Iterable<unknown>;
    return [first, second];
  });

  expect(error).toMatchObject({ name: "RuntimeError", code: "NOT_AWAITED" });
  expect((error as Error).message).toContain("await it");
  expect(future.cancel()).toBe(true);
});

// ── Showing ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("String(future), tells its state, its result and its error, and looks at none of them for the user", async () => {
  const { result, errors } = await runVirtual(function* () {
    const [pending, cancelled, finished, failed] = [new Future(), new Future(), new Future(), new Future()] as const;
    cancelled.cancel();
    finished.setResult(4);
    failed.setException(new RangeError("boom"));
    const shown = [pending, cancelled, finished, failed].map(String);
    pending.addDoneCallback(() => {});
    pending.cancel();
    return [...shown, String(pending)];
  });

  expect(result).toEqual([
    "<Future pending>",
    "<Future cancelled>",
    "<Future finished result=4 (number)>",
    "<Future finished exception=RangeError: boom>",
    "<Future cancelled>",
  ]);
  expect(errors).toHaveLength(1);
});

// ── Promises as futures ──────────────────────────────────────────────────────────────────────────────────────────────────

test("ensureFuture() of a promise, is a Future of the running or the given loop, with the promise's outcome", async () => {
  const { result, loop } = await runVirtual(function* () {
    const future = ensureFuture(Promise.resolve("oi"));
    const given = ensureFuture(Promise.resolve("given"), { loop: getRunningLoop() });
    const failing = ensureFuture(Promise.reject(new RangeError("boom")));
    const outcomes = [yield* future, yield* given];
    let caught: unknown;
    try {
      yield* failing;
    } catch (error) {
      caught = error;
    }
    return { outcomes, caught, futures: [future, given, failing] };
  });

  expect(result.outcomes).toEqual(["oi", "given"]);
  expect(result.caught).toMatchObject({ name: "RangeError", message: "boom" });
  for (const each of result.futures) {
    expect(isFuture(each)).toBe(true);
    expect(each.getLoop()).toBe(loop);
  }
});

test("ensureFuture() of a promise, is a Future of the default loop, outside of any [real]", async () => {
  const future = ensureFuture(Promise.resolve("oi"));

  expect(isFuture(future)).toBe(true);
  expect(future.getLoop()).toBe(getEventLoop());
  expect(await future).toBe("oi");
});

test("ensureFuture() of an object with the methods of a future, awaits it by its `then`", async () => {
  const seen = await virtually(function* () {
    const duck = { done: () => false, cancelled: () => false, then: (resolve: (value: string) => void) => resolve("quack") };
    const future = ensureFuture(duck as never as PromiseLike<string>);
    return [isFuture(future), yield* future];
  });

  expect(seen).toEqual([true, "quack"]);
});

for (const when of ["already", "later"] as const) {
  test(`ensureFuture().cancel(), stays cancelled and leaves the promise alone, which has its result ${when}`, async () => {
    const { result, errors } = await runVirtual(async () => {
      let resolve: (value: number) => void = () => {};
      const promise = new Promise<number>((each) => {
        resolve = each;
      });
      if (when === "already") resolve(42);
      const future = ensureFuture(promise);
      future.cancel();
      if (when === "later") resolve(42);
      const value = await promise;
      await sleep(1);
      return { value, cancelled: future.cancelled() };
    });

    expect(result).toEqual({ value: 42, cancelled: true });
    expect(errors).toEqual([]);
  });
}

// ── Errors that nobody looks at ──────────────────────────────────────────────────────────────────────────────────────────

const FATES = `
  const fates = {
    pending: () => {},
    "failed, then cancelled": (future) => { future.setException(new Error()); future.cancel(); },
    "has a result": (future) => future.setResult(42),
    "has a result that was asked for": (future) => { future.setResult(42); future.result(); },
    "failed, and exception() was called": (future) => { future.setException(new Error("boom")); future.exception(); },
    "failed, and result() was called": (future) => {
      future.setException(new Error("boom"));
      try { future.result(); } catch {}
    },
    failed: (future, error) => future.setException(error),
  };`;

for (const debug of [false, true]) {
  test(`a future that is collected, is reported once if it failed and nobody looked, with its error, debug ${debug} [real]`, async () => {
    const source = `
      import { Future, getRunningLoop, run, sleep } from "tsyncio";
      ${FATES}
      await run(function* main() {
        const told = [];
        let lost;
        // A collection takes long on a busy machine, and slow steps are not what is looked at.
        getRunningLoop().slowCallbackDuration = Infinity;
        getRunningLoop().setExceptionHandler((_, { message, exception, origin }) => told.push([message, exception === lost, origin]));
        for (const [fate, settle] of Object.entries(fates)) {
          lost = new Error("lost");
          (function make() { settle(new Future(), lost); })();
          for (let i = 0; i < (fate === "failed" ? 50 : 5); i++) { globalThis.gc(); yield* sleep(2); }
          console.log(JSON.stringify([fate, ...told.splice(0).map(([message, same, origin]) => [message, same, /^make /.test(origin)])]));
        }
      }, { debug: ${debug} });`;

    const { stdout, stderr } = await runProgram(source, { args: ["--expose-gc"] });

    expect(stderr).toBe("");
    expect(
      stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([
      ["pending"],
      ["failed, then cancelled"],
      ["has a result"],
      ["has a result that was asked for"],
      ["failed, and exception() was called"],
      ["failed, and result() was called"],
      ["failed", ["Future exception was never retrieved", true, debug]],
    ]);
  });
}

test("a future that failed and is reported, tells the file and the line that made it, in debug mode", async () => {
  const { result, errors } = await runVirtual(
    function* () {
      const here = (new Error().stack ?? "").split("\n")[1] as string;
      new Future<void>().setException(new Error("lost"));
      return here;
    },
    { debug: true },
  );

  const [, file, line] = /((?:file:\/\/)?\/.*):(\d+):\d+/.exec(result) as RegExpExecArray;
  expect(file).toMatch(/futures\.test\.ts$/);
  expect(errors).toHaveLength(1);
  expect(errors[0]?.origin).toContain(`${file}:${Number(line) + 1}:`);
});

test("a task that failed, gives its awaiter the same error each time, and its stack does not grow", async () => {
  const stacks = await virtually(function* () {
    const task = createTask(function* raises(): Coroutine<never> {
      throw new TypeError("42");
    });
    const seen: unknown[] = [];
    for (let i = 0; i < 5; i++) {
      try {
        yield* task;
      } catch (error) {
        seen.push(error, (error as Error).stack);
      }
    }
    return seen;
  });

  expect(stacks).toHaveLength(10);
  expect(new Set(stacks).size).toBe(2);
  expect((stacks[1] as string).match(/at raises \(/g)).toHaveLength(1);
});

test("a task that failed, gives an async awaiter the same error each time, and its stack does not grow", async () => {
  const stacks = await virtually(async () => {
    const task = createTask(async function raises(): Promise<never> {
      throw new TypeError("42");
    });
    const seen: unknown[] = [];
    for (let i = 0; i < 5; i++) {
      try {
        await task;
      } catch (error) {
        seen.push(error, (error as Error).stack);
      }
    }
    return seen;
  });

  expect(stacks).toHaveLength(10);
  expect(new Set(stacks).size).toBe(2);
  expect((stacks[1] as string).match(/at raises \(/g)).toHaveLength(1);
});

test("String(task), is finite, when its result holds the task itself or the tasks that wait for it", async () => {
  const shown = await virtually(function* () {
    const holder: { task?: unknown } = {};
    const cyclic = createTask(function* () {
      return holder;
    });
    holder.task = cyclic;
    yield* cyclic;
    const task = createTask(function* () {
      return allTasks();
    });
    const found = yield* task;
    return [String(cyclic), String(task), [...found].map(String), found.has(task as never)];
  });

  expect(shown[0]).toMatch(/^<Task finished result=an object /);
  expect(shown[1]).toMatch(/^<Task finished result=an instance of Set /);
  expect(shown[2]).toHaveLength(2);
  expect(shown[3]).toBe(true);
});
