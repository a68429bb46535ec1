import { getEventListeners } from "node:events";
import {
  type Coroutine,
  createTask,
  currentTask,
  gather,
  isCancelled,
  run,
  shielded,
  sleep,
  type Task,
  TimeoutError,
  timeout,
} from "tsyncio";
import { abortable, anySignal, fromPromise, fromSignal, toPromise, toSignal } from "tsyncio/interop";
import { expect, test } from "vitest";
import { runVirtual, virtually } from "../support/virtual.ts";
import { outcome } from "./support.ts";

const listeners = (signal: AbortSignal): number => getEventListeners(signal, "abort").length;

/** A promise that is settled by hand. */
function byHand<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: unknown) => void } {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

for (const spelling of ["function*", "async"] as const) {
  test(`fromPromise() gives what the promise does, value or error, ${spelling}`, async () => {
    const bad = new Error("bad");
    const seen: unknown[] = [];

    await virtually(
      spelling === "async"
        ? async () => {
            seen.push(await fromPromise(Promise.resolve(1)), await fromPromise(async () => 2), await fromPromise(() => 3));
            seen.push(await outcome(fromPromise(Promise.reject(bad))));
          }
        : function* () {
            seen.push(yield* fromPromise(Promise.resolve(1)), yield* fromPromise(async () => 2), yield* fromPromise(() => 3));
            try {
              yield* fromPromise(Promise.reject(bad));
            } catch (error) {
              seen.push(error);
            }
          },
    );

    expect(seen).toEqual([1, 2, 3, bad]);
  });

  test(`fromPromise() aborts its signal and lets go of the promise, when it is cancelled, ${spelling}`, async () => {
    const { promise, reject } = byHand<void>();
    let heard: unknown;
    const wait = (signal: AbortSignal): Promise<void> => {
      signal.addEventListener("abort", () => {
        heard = signal.reason;
      });
      return promise;
    };

    const { errors } = await runVirtual(function* () {
      const task = createTask(
        spelling === "async"
          ? async () => await fromPromise(wait)
          : function* () {
              yield* fromPromise(wait);
            },
      );
      yield* sleep(0);
      yield* task.cancelAndWait("stop");
      expect(task.cancelled()).toBe(true);
      reject(Object.assign(new Error("aborted"), { name: "AbortError" }));
      yield* sleep(1);
    });

    expect(isCancelled(heard) && heard.message).toBe("stop");
    expect(errors).toEqual([]);
  });
}

test("fromPromise() tells the exception handler of an error, when that comes after a cancellation", async () => {
  const { promise, reject } = byHand<void>();
  const late = new Error("late");

  const { errors } = await runVirtual(function* () {
    const task = createTask(fromPromise(promise));
    yield* sleep(0);
    yield* task.cancelAndWait();
    reject(late);
    yield* sleep(1);
  });

  expect(errors).toMatchObject([{ exception: late, message: "Error in a promise that fromPromise() has let go of" }]);
});

test("fromPromise() releases the value, when it is cancelled before that comes", async () => {
  const { promise, resolve } = byHand<string>();
  const released: string[] = [];

  await virtually(function* () {
    const task = createTask(fromPromise(promise, { release: (value) => released.push(value) }));
    yield* sleep(0);
    yield* task.cancelAndWait();
    resolve("handle");
    yield* sleep(1);
  });

  expect(released).toEqual(["handle"]);
});

test("fromPromise() releases the value, when it is cancelled in the turn in which that comes", async () => {
  const { promise, resolve } = byHand<string>();
  const released: string[] = [];

  const task = await virtually(async () => {
    const waiting = createTask(fromPromise(promise, { release: (value) => released.push(value) }));
    await sleep(0);
    resolve("handle");
    await promise;
    await Promise.resolve();
    waiting.cancel();
    await waiting.join();
    return [waiting];
  });

  expect([task[0]?.cancelled(), released]).toEqual([true, ["handle"]]);
});

test("fromPromise() is cancelled, and its error reported, when the promise is rejected in the same turn", async () => {
  const { promise, reject } = byHand<string>();
  const bad = new Error("bad");

  const { result, errors } = await runVirtual(async () => {
    const waiting = createTask(fromPromise(promise));
    await sleep(0);
    reject(bad);
    await promise.catch(() => {});
    waiting.cancel();
    await waiting.join();
    return waiting.cancelled();
  });

  expect(result).toBe(true);
  expect(errors).toMatchObject([{ exception: bad }]);
});

test("fromPromise() throws an error that the function's cleanup ends with, when it is cancelled and waits for that", async () => {
  const seen = await virtually(async () => {
    const task = createTask(
      fromPromise(
        async (signal) => {
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
          throw new Error("in cleanup");
        },
        { grace: "1s" },
      ),
    );
    await sleep(1);
    await task.cancelAndWait();
    return task.exception();
  });

  expect(seen).toEqual(new Error("in cleanup"));
});

test("fromPromise() waits for the promise to settle, when it is cancelled, as long as `grace` says", async () => {
  const log: string[] = [];

  const { elapsed } = await runVirtual(function* () {
    const settling = (delay: number) => () => toPromise(sleep(delay)).then(() => log.push(`settled ${delay}`));
    const tasks = [
      createTask(fromPromise(settling(50), { grace: "100ms" })),
      createTask(fromPromise(settling(500), { grace: "100ms" })),
      createTask(fromPromise(settling(300), { grace: Number.POSITIVE_INFINITY })),
    ];
    yield* sleep(1);
    for (const task of tasks) {
      task.cancel();
      task.addDoneCallback(() => log.push("ended"));
    }
    yield* sleep(1000);
    expect(tasks.map((task) => task.cancelled())).toEqual([true, true, true]);
  });

  expect(log).toEqual(["settled 50", "ended", "ended", "settled 300", "ended", "settled 500"]);
  expect(elapsed).toBe(1001);
});

test("fromPromise() throws the reason of `signal`, when that is aborted before or meanwhile", async () => {
  const never = new Promise<void>(() => {});
  const reason = new Error("enough");
  const controller = new AbortController();

  const seen = await virtually(async () => {
    const waiting = outcome(fromPromise(never, { signal: controller.signal }));
    await sleep(1);
    controller.abort(reason);
    return [await waiting, await outcome(fromPromise(never, { signal: controller.signal }))];
  });

  expect(seen).toEqual([reason, reason]);
  expect(listeners(controller.signal)).toBe(0);
});

test("fromPromise() refuses wrong arguments, at once", () => {
  expect(() => fromPromise(5 as never)).toThrow(TypeError);
  expect(() => fromPromise(Promise.resolve(), { grace: "soon" as never })).toThrow(RangeError);
  expect(() => fromPromise(Promise.resolve(), { signal: {} as never })).toThrow(TypeError);
  expect(() => fromPromise(Promise.resolve(), { release: 1 as never })).toThrow(TypeError);
});

test("toPromise() cancels the job and awaits its cleanup, when its signal is aborted", async () => {
  const controller = new AbortController();
  const reason = new Error("closing");
  const log: string[] = [];

  const seen = await virtually(async () => {
    const promise = toPromise(
      function* () {
        try {
          yield* sleep("1h");
        } finally {
          yield* sleep(5);
          log.push("clean");
        }
      },
      { signal: controller.signal, name: "job" },
    );
    await sleep(1);
    controller.abort(reason);
    return [promise instanceof Promise, await outcome(promise), [...log]];
  });

  expect(seen).toEqual([true, reason, ["clean"]]);
  expect(listeners(controller.signal)).toBe(0);
});

test("toPromise() does not run the job, when its signal is aborted already", async () => {
  let ran = false;

  const seen = await virtually(() =>
    outcome(
      toPromise(
        () => {
          ran = true;
        },
        { signal: AbortSignal.abort("no") },
      ),
    ),
  );

  expect([seen, ran]).toEqual(["no", false]);
});

test("fromSignal() gives the reason to all that wait, by one listener, which goes with the last of them", async () => {
  const controller = new AbortController();
  const { signal } = controller;

  await virtually(function* () {
    const tasks = Array.from({ length: 1000 }, () => createTask(fromSignal(signal)));
    yield* sleep(0);
    expect(listeners(signal)).toBe(1);
    for (const task of tasks.slice(1)) yield* task.cancelAndWait();
    expect(listeners(signal)).toBe(1);
    yield* (tasks[0] as Task<unknown>).cancelAndWait();
    expect(listeners(signal)).toBe(0);
    const again = [createTask(fromSignal(signal)), createTask(fromSignal(signal))];
    yield* sleep(0);
    controller.abort("over");
    expect(yield* gather(again)).toEqual(["over", "over"]);
  });

  expect(listeners(signal)).toBe(0);
});

test("fromSignal() leaves the line of others alone, when it is cancelled right after the abortion", async () => {
  const controller = new AbortController();

  await virtually(function* () {
    const [first, second] = [createTask(fromSignal(controller.signal)), createTask(fromSignal(controller.signal))];
    yield* sleep(0);
    controller.abort("x");
    first.cancel();
    expect(yield* second).toBe("x");
    yield* first.join();
    expect(first.cancelled()).toBe(true);
  });

  expect(listeners(controller.signal)).toBe(0);
});

for (const spelling of ["function*", "async"] as const) {
  const long = (log: string[]) =>
    spelling === "async"
      ? async (): Promise<void> => {
          try {
            await sleep("1h");
          } finally {
            await sleep(5);
            log.push("clean");
          }
        }
      : function* (): Coroutine<void> {
          try {
            yield* sleep("1h");
          } finally {
            yield* sleep(5);
            log.push("clean");
          }
        };

  test(`abortable() cancels the body, awaits its cleanup and throws the reason, when the signal is aborted, ${spelling}`, async () => {
    const controller = new AbortController();
    const reason = { not: "an Error" };
    const log: string[] = [];

    const seen = await virtually(async () => {
      const task = createTask(async () => {
        const error = await outcome(abortable(controller.signal, long(log)));
        return [error, currentTask()?.cancelling()];
      });
      await sleep(1);
      controller.abort(reason);
      return await task;
    });

    expect(seen).toEqual([reason, 0]);
    expect(log).toEqual(["clean"]);
    expect(listeners(controller.signal)).toBe(0);
  });

  test(`abortable() leaves a cancellation from outside what it is, ${spelling}`, async () => {
    const controller = new AbortController();
    const log: string[] = [];

    await virtually(function* () {
      const task = createTask(abortable(controller.signal, long(log)));
      yield* sleep(1);
      task.cancel("outside");
      controller.abort("inside");
      yield* task.join();
      expect(task.cancelled()).toBe(true);
    });

    expect(log).toEqual(["clean"]);
    expect(listeners(controller.signal)).toBe(0);
  });
}

test("abortable() does not run its body, when the signal is aborted already", async () => {
  let ran = false;

  const seen = await virtually(() =>
    outcome(
      abortable(AbortSignal.abort("early"), () => {
        ran = true;
      }),
    ),
  );

  expect([seen, ran]).toEqual(["early", false]);
});

test("abortable() keeps the body's own error and its result, when the signal is aborted all the same", async () => {
  const own = new Error("own");

  const seen = await virtually(async () => {
    const first = new AbortController();
    const thrown = await outcome(
      abortable(first.signal, function* () {
        first.abort();
        try {
          yield* sleep(1);
        } catch {
          throw own;
        }
      }),
    );
    const second = new AbortController();
    const value = await abortable(second.signal, function* () {
      yield* shielded(() => sleep(1));
      second.abort();
      return "done";
    });
    await sleep(1);
    return [thrown, value];
  });

  expect(seen).toEqual([own, "done"]);
});

test("abortable() is told from a timeout around it, and from one inside", async () => {
  const never = new AbortController().signal;

  await virtually(async () => {
    expect(await outcome(timeout(5, () => abortable(never, () => sleep("1h"))))).toBeInstanceOf(TimeoutError);
    expect(await outcome(abortable(never, () => timeout(5, () => sleep("1h"))))).toBeInstanceOf(TimeoutError);
  });

  expect(listeners(never)).toBe(0);
});

test("abortable() costs a signal one listener, however many run under it", async () => {
  const controller = new AbortController();
  const warnings: unknown[] = [];
  const onWarning = (warning: unknown): number => warnings.push(warning);
  process.on("warning", onWarning);

  await virtually(function* () {
    const tasks = Array.from({ length: 5000 }, () => createTask(abortable(controller.signal, () => sleep("1h"))));
    yield* sleep(1);
    expect(listeners(controller.signal)).toBe(1);
    controller.abort("all");
    for (const task of tasks) yield* task.join();
    expect(new Set(tasks.map((task) => task.exception()))).toEqual(new Set(["all"]));
  });
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", onWarning);

  expect(listeners(controller.signal)).toBe(0);
  expect(warnings).toEqual([]);
});

test("toSignal() gives the current task's signal, which thousands may listen to without a warning", async () => {
  const warnings: unknown[] = [];
  const onWarning = (warning: unknown): number => warnings.push(warning);
  process.on("warning", onWarning);

  const seen = await virtually(async () => {
    const task = createTask(async () => {
      const signal = toSignal();
      for (let i = 0; i < 100; i++) signal.addEventListener("abort", () => {});
      expect(signal).toBe(currentTask()?.signal);
      await sleep("1h");
    });
    await sleep(1);
    const signal = toSignal(task);
    task.cancel("bye");
    return [signal.aborted, (signal.reason as Error).message];
  });
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", onWarning);

  expect(seen).toEqual([true, "bye"]);
  expect(warnings).toEqual([]);
  expect(() => toSignal()).toThrow("must run inside a task");
  expect(() => toSignal({} as never)).toThrow(TypeError);
});

test("anySignal() is aborted with the reason of the first, and leaves no listener behind", () => {
  const [a, b] = [new AbortController(), new AbortController()];
  const signal = anySignal([a.signal, undefined, b.signal]);
  let calls = 0;
  signal.addEventListener("abort", () => calls++);
  expect([listeners(a.signal), listeners(b.signal)]).toEqual([1, 1]);

  b.abort("b");
  a.abort("a");

  expect([signal.aborted, signal.reason, calls]).toEqual([true, "b", 1]);
  expect([listeners(a.signal), listeners(b.signal)]).toEqual([0, 0]);
  expect(anySignal([a.signal]).reason).toBe("a");
  expect(() => anySignal(5 as never)).toThrow(TypeError);
  expect(() => anySignal([5 as never])).toThrow(TypeError);
});

test("a promise that is rejected before it is awaited trips no unhandledRejection [real]", async () => {
  const unhandled: unknown[] = [];
  const onUnhandled = (error: unknown): number => unhandled.push(error);
  process.on("unhandledRejection", onUnhandled);

  const seen = await run(async () => {
    const operation = fromPromise(Promise.reject(new Error("early")));
    await new Promise((resolve) => setTimeout(resolve, 5));
    return outcome(operation);
  });
  process.off("unhandledRejection", onUnhandled);

  expect((seen as Error).message).toBe("early");
  expect(unhandled).toEqual([]);
});
