import {
  CancelledError,
  Context,
  ContextVar,
  copyContext,
  createTask,
  EventLoop,
  Future,
  gather,
  getRunningLoop,
  InvalidStateError,
  isCancelled,
  isFuture,
  RuntimeError,
  sleep,
} from "tsyncio";
import { expect, test } from "vitest";
import { runVirtual, turn, virtually } from "../support/virtual.ts";

const onIdleLoop = <T>(): Future<T> => new Future<T>({ loop: new EventLoop() });

test("Future is pending, when new", () => {
  const future = onIdleLoop<number>();

  expect(future.done()).toBe(false);
  expect(future.cancelled()).toBe(false);
  expect(() => future.result()).toThrow(InvalidStateError);
  expect(() => future.exception()).toThrow(InvalidStateError);
  expect(String(future)).toBe("<Future pending>");
});

test("Future throws RuntimeError, when made outside of any loop", () => {
  expect(() => new Future()).toThrow(RuntimeError);
});

test("Future.getLoop() is the loop it was made for", () => {
  const loop = new EventLoop();

  expect(new Future({ loop }).getLoop()).toBe(loop);
  expect(loop.createFuture().getLoop()).toBe(loop);
});

test("Future.result() and exception() tell the outcome, when it has a result", () => {
  const future = onIdleLoop<number>();

  future.setResult(42);

  expect(future.done()).toBe(true);
  expect(future.cancelled()).toBe(false);
  expect(future.result()).toBe(42);
  expect(future.exception()).toBeNull();
  expect(String(future)).toContain("finished result=42");
});

test("Future.result() throws the very error each time, when it failed", () => {
  const future = onIdleLoop<number>();
  const error = new Error("broken");

  future.setException(error);

  expect(future.exception()).toBe(error);
  for (let i = 0; i < 2; i++) expect(() => future.result()).toThrow(error);
  expect(future.cancelled()).toBe(false);
  expect(String(future)).toContain("finished exception=Error: broken");
});

test("Future.result() and exception() throw CancelledError with the message, when it is cancelled", () => {
  const future = onIdleLoop<number>();

  expect(future.cancel("enough")).toBe(true);

  expect(future.done()).toBe(true);
  expect(future.cancelled()).toBe(true);
  for (const ask of [() => future.result(), () => future.exception()]) {
    expect(ask).toThrow(CancelledError);
    expect(ask).toThrow("enough");
  }
  expect(String(future)).toBe("<Future cancelled>");
});

test("Future.cancel() returns false and changes nothing, when it is done", () => {
  const finished = onIdleLoop<number>();
  const failed = onIdleLoop<number>();
  const cancelled = onIdleLoop<number>();
  finished.setResult(1);
  failed.setException(new Error("broken"));
  cancelled.cancel("first");

  expect([finished.cancel(), failed.cancel(), cancelled.cancel("second")]).toEqual([false, false, false]);

  expect(finished.result()).toBe(1);
  expect(() => failed.result()).toThrow("broken");
  expect(() => cancelled.result()).toThrow("first");
});

test("Future.setResult() and setException() throw InvalidStateError, when it is done", () => {
  const finished = onIdleLoop<number>();
  const cancelled = onIdleLoop<number>();
  finished.setResult(1);
  cancelled.cancel();

  for (const future of [finished, cancelled]) {
    expect(() => future.setResult(2)).toThrow(InvalidStateError);
    expect(() => future.setException(new Error())).toThrow(InvalidStateError);
  }
});

test("Future.setException() makes an instance, when given a class of errors", () => {
  const future = onIdleLoop<number>();

  future.setException(RangeError);

  expect(future.exception()).toBeInstanceOf(RangeError);
});

test("Future.setException() throws TypeError and stays pending, when given no error", () => {
  const future = onIdleLoop<number>();

  for (const wrong of ["text", undefined, null, 5]) expect(() => future.setException(wrong)).toThrow(TypeError);

  expect(future.done()).toBe(false);
});

test("isFuture() tells futures and tasks from the rest", async () => {
  const found = await virtually(function* () {
    return [createTask(sleep(0)), new Future(), Promise.resolve(), null, 5, sleep(1), {}].map(isFuture);
  });

  expect(found).toEqual([true, true, false, false, false, false, false]);
});

test("a future that is done is awaited without suspending", async () => {
  const turns = await virtually(function* () {
    const loop = getRunningLoop();
    const future = new Future<string>();
    future.setResult("value");
    const before = turn(loop);

    const value = yield* future;

    return [value, turn(loop) - before];
  });

  expect(turns).toEqual(["value", 0]);
});

test("setResult() resumes the waiter one turn later", async () => {
  const turns = await virtually(function* () {
    const loop = getRunningLoop();
    const future = new Future<string>();
    let set = 0;
    loop.callSoon(() => {
      set = turn(loop);
      future.setResult("value");
    });

    yield* future;

    return turn(loop) - set;
  });

  expect(turns).toBe(1);
});

test("all waiters of a future resume in order of arrival, among them callbacks and async functions", async () => {
  const order = await virtually(async () => {
    const seen: string[] = [];
    const future = new Future<string>();
    const first = createTask(function* () {
      seen.push(`first ${yield* future}`);
    });
    await sleep(0);
    future.addDoneCallback(() => seen.push("callback"));
    const second = createTask(function* () {
      seen.push(`second ${yield* future}`);
    });
    const third = createTask(async () => {
      seen.push(`third ${await future}`);
    });
    await sleep(0);

    future.setResult("x");
    await gather(first, second, third);

    return seen;
  });

  expect(order).toEqual(["first x", "callback", "second x", "third x"]);
});

test("a future can be awaited many times, by both spellings", async () => {
  const values = await virtually(async () => {
    const future = new Future<number>();
    future.setResult(7);
    const coroutine = createTask(function* () {
      return [yield* future, yield* future];
    });
    return [await future, await future, ...(await coroutine)];
  });

  expect(values).toEqual([7, 7, 7, 7]);
});

test("the waiters of a failed future all get the same error", async () => {
  const caught = await virtually(async () => {
    const future = new Future<number>();
    const errors: unknown[] = [];
    const jobs = [
      createTask(function* () {
        try {
          yield* future;
        } catch (error) {
          errors.push(error);
        }
      }),
      createTask(async () => {
        try {
          await future;
        } catch (error) {
          errors.push(error);
        }
      }),
    ];
    await sleep(0);
    future.setException(new Error("broken"));
    await gather(jobs);
    return errors;
  });

  expect(caught).toHaveLength(2);
  expect((caught[0] as Error).message).toBe("broken");
  expect(caught[1]).toBe(caught[0]);
});

test("cancelling a future cancels its waiter with the message, though nobody cancelled the task", async () => {
  const seen = await virtually(function* () {
    const future = new Future<number>();
    const task = createTask(function* () {
      yield* future;
    });
    yield* sleep(0);

    future.cancel("gone");
    yield* task.join();

    let message: string | undefined;
    try {
      task.result();
    } catch (error) {
      message = (error as Error).message;
    }
    return [task.cancelled(), task.cancelling(), message];
  });

  expect(seen).toEqual([true, 0, "gone"]);
});

test("addDoneCallback() calls in the turn after, in order, with the future", async () => {
  const seen = await virtually(function* () {
    const loop = getRunningLoop();
    const future = new Future<number>();
    const calls: unknown[] = [];
    future.addDoneCallback((done) => calls.push(["a", done === future, turn(loop)]));
    future.addDoneCallback((done) => calls.push(["b", done.result(), turn(loop)]));

    const now = turn(loop);
    future.setResult(5);
    const early = calls.length;
    yield* sleep(0);

    return [early, calls, now + 1];
  });

  const [early, calls, next] = seen as [number, unknown[], number];
  expect(early).toBe(0);
  expect(calls).toEqual([
    ["a", true, next],
    ["b", 5, next],
  ]);
});

test("addDoneCallback() calls in the next turn, when the future is done already", async () => {
  const calls = await virtually(function* () {
    const future = new Future<number>();
    future.setResult(5);
    let count = 0;

    future.addDoneCallback(() => count++);
    const early = count;
    yield* sleep(0);

    return [early, count];
  });

  expect(calls).toEqual([0, 1]);
});

test("addDoneCallback() is called as often as it was added, and for a cancelled future as well", async () => {
  const count = await virtually(function* () {
    const future = new Future<number>();
    let calls = 0;
    const callback = (): void => {
      calls++;
    };
    future.addDoneCallback(callback);
    future.addDoneCallback(callback);
    future.cancel();
    yield* sleep(0);
    return calls;
  });

  expect(count).toBe(2);
});

test("removeDoneCallback() takes back all uses and counts them; others are still called", async () => {
  const seen = await virtually(function* () {
    const future = new Future<number>();
    const calls: string[] = [];
    const gone = (): unknown => calls.push("gone");
    const kept = (): unknown => calls.push("kept");
    future.addDoneCallback(gone);
    future.addDoneCallback(kept);
    future.addDoneCallback(gone);

    const removed = [future.removeDoneCallback(gone), future.removeDoneCallback(gone), future.removeDoneCallback(() => {})];
    future.setResult(1);
    yield* sleep(0);

    return { removed, calls };
  });

  expect(seen).toEqual({ removed: [2, 0, 0], calls: ["kept"] });
});

test("removeDoneCallback() changes nothing any more, when called by a callback of the same future", async () => {
  const calls = await virtually(function* () {
    const future = new Future<number>();
    const seen: string[] = [];
    const second = (): unknown => seen.push("second");
    future.addDoneCallback(() => {
      seen.push("first");
      future.removeDoneCallback(second);
    });
    future.addDoneCallback(second);
    future.setResult(1);
    yield* sleep(0);
    return seen;
  });

  expect(calls).toEqual(["first", "second"]);
});

test("addDoneCallback() calls in the context of its registration, or in the one given", async () => {
  const seen = await virtually(function* () {
    const who = new ContextVar("who", { default: "nobody" });
    const future = new Future<void>();
    const found: string[] = [];
    who.set("registered");
    future.addDoneCallback(() => found.push(who.get()));
    const given = new Context();
    given.run(() => who.set("given"));
    future.addDoneCallback(() => found.push(who.get()), { context: given });
    future.addDoneCallback(() => found.push(who.get()), { context: copyContext() });
    who.set("later");
    future.setResult();
    yield* sleep(0);
    return found;
  });

  expect(seen).toEqual(["registered", "given", "registered"]);
});

test("a callback that throws is told to the exception handler, and the other callbacks are called", async () => {
  const { result, errors } = await runVirtual(function* () {
    const future = new Future<void>();
    const calls: string[] = [];
    future.addDoneCallback(function bad() {
      throw new Error("in a callback");
    });
    future.addDoneCallback(() => calls.push("good"));
    future.setResult();
    yield* sleep(0);
    return calls;
  });

  expect(result).toEqual(["good"]);
  expect(errors).toHaveLength(1);
  expect(errors[0]?.message).toContain("bad");
  expect(errors[0]?.exception).toMatchObject({ message: "in a callback" });
});

test("addDoneCallback() throws TypeError, when given no function or a context that is none", () => {
  const future = onIdleLoop<number>();

  expect(() => future.addDoneCallback(undefined as never)).toThrow(TypeError);
  expect(() => future.addDoneCallback(() => {}, { context: {} as never })).toThrow(TypeError);
});

test("a failed future that nobody looks at is reported when the loop closes, once", async () => {
  const { errors } = await runVirtual(function* () {
    new Future<void>().setException(new Error("lost"));
    yield* sleep(0);
  });

  expect(errors).toHaveLength(1);
  expect(errors[0]?.message).toBe("Future exception was never retrieved");
});

for (const [how, look] of Object.entries({
  "result()": (future: Future<unknown>) => {
    try {
      future.result();
    } catch {
      // This is the look.
    }
  },
  "exception()": (future: Future<unknown>) => future.exception(),
  "cancel()": (future: Future<unknown>) => future.cancel(),
})) {
  test(`a failed future is not reported, when somebody called ${how}`, async () => {
    const { errors } = await runVirtual(function* () {
      const future = new Future<void>();
      future.setException(new Error("seen"));
      look(future);
      yield* sleep(0);
    });

    expect(errors).toEqual([]);
  });
}

test("a cancelled future raises one error with the message and later ones without, as asyncio's tasks do", async () => {
  const messages = await virtually(function* () {
    const task = createTask(function* () {
      yield* sleep("1h");
    });
    yield* sleep(0);
    task.cancel("stop");
    const seen: string[] = [];
    const errors = new Set<unknown>();
    for (let i = 0; i < 2; i++) {
      try {
        yield* task;
      } catch (error) {
        errors.add(error);
        seen.push((error as Error).message);
      }
    }
    return [errors.size, seen];
  });

  expect(messages).toEqual([2, ["stop", ""]]);
});

test("an async function that awaits a future gets its outcome: result, error or cancellation", async () => {
  const seen = await virtually(async () => {
    const outcomes: unknown[] = [];
    for (const settle of [
      (future: Future<number>) => future.setResult(1),
      (future: Future<number>) => future.setException(new RangeError("two")),
      (future: Future<number>) => future.cancel("three"),
    ]) {
      const future = new Future<number>();
      getRunningLoop().callLater(1, () => settle(future));
      try {
        outcomes.push(await future);
      } catch (error) {
        outcomes.push(isCancelled(error), (error as Error).message);
      }
    }
    return outcomes;
  });

  expect(seen).toEqual([1, false, "two", true, "three"]);
});

test("10,000 tasks that await one future all resume in one turn, in order", async () => {
  const seen = await virtually(function* () {
    const loop = getRunningLoop();
    const future = new Future<void>();
    const order: number[] = [];
    const turns = new Set<number>();
    const tasks = Array.from({ length: 10_000 }, (_, i) =>
      createTask(function* () {
        yield* future;
        order.push(i);
        turns.add(turn(loop));
      }),
    );
    yield* sleep(0);
    const set = turn(loop);
    future.setResult();
    yield* gather(tasks);
    return { inOrder: order.every((each, i) => each === i), count: order.length, turns: [...turns].map((each) => each - set) };
  });

  expect(seen).toEqual({ inOrder: true, count: 10_000, turns: [1] });
});

test("10,000 async functions that await one future all resume, in order", async () => {
  const seen = await virtually(async () => {
    const future = new Future<string>();
    const order: number[] = [];
    const tasks = Array.from({ length: 10_000 }, (_, i) =>
      createTask(async () => {
        await future;
        order.push(i);
      }),
    );
    await sleep(1);
    future.setResult("go");
    await gather(tasks);
    return [order.length, order.every((each, i) => each === i)];
  });

  expect(seen).toEqual([10_000, true]);
});

test("cancelling one of many waiting tasks cancels the future and thus all of them, as in asyncio", async () => {
  const seen = await virtually(function* () {
    const future = new Future<void>();
    const tasks = [1, 2, 3].map(() =>
      createTask(function* () {
        yield* future;
      }),
    );
    yield* sleep(0);
    tasks[1]?.cancel();
    for (const task of tasks) yield* task.join();
    return tasks.map((task) => task.cancelled());
  });

  expect(seen).toEqual([true, true, true]);
});
