import { EventEmitter } from "node:events";
import { type Coroutine, createTask, forEach, gather, getRunningLoop, run, STOP, select, sleep, timeout } from "tsyncio";
import { EventOverflowError, interval, type OnOptions, on, once } from "tsyncio/interop";
import { cancelEverywhere } from "tsyncio/testing";
import { expect, test } from "vitest";
import { virtually } from "../support/virtual.ts";
import { outcome } from "./support.ts";

const count = (emitter: EventEmitter): number =>
  emitter.eventNames().reduce((sum, name) => sum + emitter.listenerCount(name), 0);

for (const spelling of ["function*", "async"] as const) {
  test(`once() gives what the listeners get, and stops listening, ${spelling}`, async () => {
    const emitter = new EventEmitter();

    const seen = await virtually(
      spelling === "async"
        ? async () => {
            getRunningLoop().callLater(1, () => emitter.emit("ready", 1, 2));
            return await once(emitter, "ready");
          }
        : function* () {
            getRunningLoop().callLater(1, () => emitter.emit("ready", 1, 2));
            return yield* once(emitter, "ready");
          },
    );

    expect(seen).toEqual([1, 2]);
    expect(count(emitter)).toBe(0);
  });

  test(`on() gives all events until one closes it, and stops listening then, ${spelling}`, async () => {
    const emitter = new EventEmitter();
    const start = (): void => {
      const loop = getRunningLoop();
      for (const n of [1, 2, 3]) loop.callLater(n, () => [n, -n].map((each) => emitter.emit("data", each)));
      loop.callLater(4, () => emitter.emit("end"));
    };

    const seen = await virtually(
      spelling === "async"
        ? async () => {
            const got: unknown[] = [];
            start();
            for await (const [value] of on(emitter, "data", { close: "end" })) {
              got.push(value);
              await sleep(2);
            }
            return got;
          }
        : function* () {
            const got: unknown[] = [];
            start();
            const events = on(emitter, "data", { close: ["end"] });
            for (let step = yield* events.next(); step.done !== true; step = yield* events.next()) {
              got.push(step.value[0]);
              yield* sleep(2);
            }
            return got;
          },
    );

    expect(seen).toEqual([1, -1, 2, -2, 3, -3]);
    expect(count(emitter)).toBe(0);
  });
}

test("once() throws the error of an 'error' event, unless it was that that was awaited", async () => {
  const emitter = new EventEmitter();
  const bad = new Error("bad");

  const seen = await virtually(async () => {
    const failing = outcome(once(emitter, "ready"));
    const waited = outcome(once(emitter, "error"));
    const several = outcome(once(emitter, "ready", { rejectOn: ["close", "error"] }));
    await sleep(0);
    emitter.emit("error", bad);
    // The tasks have not run yet: a second one must not end the process.
    emitter.emit("error", new Error("second"));
    const closed = outcome(once(emitter, "ready", { rejectOn: "close" }));
    await sleep(0);
    emitter.emit("close", "why");
    return [await failing, await waited, await several, await closed];
  });

  expect(seen.slice(0, 3)).toEqual([bad, [bad], bad]);
  expect(seen[3]).toMatchObject({ code: "EVENT_REJECTED", cause: "why" });
  expect(count(emitter)).toBe(0);
});

test("once() stops listening, when it is cancelled or loses a select()", async () => {
  const emitter = new EventEmitter();

  await virtually(function* () {
    const task = createTask(once(emitter, "ready"));
    yield* sleep(0);
    expect(count(emitter)).toBe(2);
    yield* task.cancelAndWait();
    expect(count(emitter)).toBe(0);
    const chosen = yield* select({ event: once(emitter, "ready"), late: sleep(5) });
    expect(chosen.name).toBe("late");
  });

  expect(count(emitter)).toBe(0);
});

test("once() and on() work with EventTargets, AbortSignals among them", async () => {
  const target = new EventTarget();
  const controller = new AbortController();

  const seen = await virtually(async () => {
    getRunningLoop().callLater(1, () => target.dispatchEvent(new Event("open")));
    const [event] = await once<[Event]>(target, "open");
    getRunningLoop().callLater(1, () => controller.abort());
    const [aborted] = await once<[Event]>(controller.signal, "abort");
    const failing = outcome(once(target, "open", { rejectOn: "error" }));
    await sleep(0);
    target.dispatchEvent(Object.assign(new Event("error"), { error: new RangeError("in the target") }));
    return [event.type, aborted.type, await failing];
  });

  expect(seen.slice(0, 2)).toEqual(["open", "abort"]);
  expect(seen[2]).toEqual(new RangeError("in the target"));
});

for (const [whenFull, expected, dropped] of [
  ["drop-oldest", [3, 4], 2],
  ["drop-newest", [1, 2], 2],
] as const) {
  test(`on() keeps to its buffer, ${whenFull}`, async () => {
    const emitter = new EventEmitter();

    const seen = await virtually(function* () {
      const events = on<[number]>(emitter, "n", { buffer: 2, whenFull, close: "end" });
      for (const n of [1, 2, 3, 4]) emitter.emit("n", n);
      emitter.emit("end");
      const got: number[] = [];
      yield* forEach(events, ([n]) => void got.push(n));
      return [got, events.dropped];
    });

    expect(seen).toEqual([expected, dropped]);
    expect(count(emitter)).toBe(0);
  });
}

test("on() gives what is in the buffer, then throws once and is over, when the buffer overflows", async () => {
  const emitter = new EventEmitter();

  await virtually(async () => {
    const events = on(emitter, "n", { buffer: 2 });
    for (const n of [1, 2, 3, 4]) emitter.emit("n", n);
    expect(await events.next()).toEqual({ done: false, value: [1] });
    expect(await events.next()).toEqual({ done: false, value: [2] });
    expect(await outcome(events.next())).toBeInstanceOf(EventOverflowError);
    expect(await events.next()).toEqual({ done: true, value: undefined });
  });

  expect(count(emitter)).toBe(0);
});

test("on() throws the error of an 'error' event, after what came before", async () => {
  const emitter = new EventEmitter();
  const bad = new Error("bad");

  const got: unknown[] = [];
  const seen = await virtually(async () => {
    const events = on(emitter, "n");
    emitter.emit("n", 1);
    emitter.emit("error", bad);
    emitter.emit("error", new Error("second"));
    return outcome(
      (async () => {
        for await (const event of events) got.push(event);
      })(),
    );
  });

  expect([got, seen]).toEqual([[[1]], bad]);
  expect(count(emitter)).toBe(0);
});

for (const way of ["break", "throw", "cancel", "STOP", "close"] as const) {
  test(`on() stops listening, by ${way}`, async () => {
    const emitter = new EventEmitter();

    await virtually(async () => {
      const task = createTask(async () => {
        const events = on(emitter, "n");
        emitter.emit("n", 1);
        if (way === "close") return void (await events.close());
        if (way === "STOP") return void (await forEach(events, () => STOP));
        for await (const _ of events) {
          if (way === "break") break;
          if (way === "throw") throw new Error("thrown");
        }
      });
      await sleep(1);
      expect(count(emitter)).toBe(way === "cancel" ? 2 : 0);
      task.cancel();
      await task.join();
    });

    expect(count(emitter)).toBe(0);
  });
}

test("on() gives each event to one of several consumers, in order of arrival", async () => {
  const emitter = new EventEmitter();

  const seen = await virtually(function* () {
    const events = on(emitter, "n");
    const tasks = [1, 2, 3].map(() => createTask(events.next()));
    yield* sleep(0);
    for (const n of [1, 2, 3]) emitter.emit("n", n);
    const got = yield* gather(tasks);
    yield* events.close();
    return got.map((step) => step.value);
  });

  expect(seen).toEqual([[1], [2], [3]]);
});

test("on() hands its turn on, when the consumer that was woken is cancelled", async () => {
  const emitter = new EventEmitter();

  await virtually(function* () {
    const events = on(emitter, "n");
    const [first, second] = [createTask(events.next()), createTask(events.next())];
    yield* sleep(0);
    emitter.emit("n", 1);
    first.cancel();
    expect(yield* timeout("1s", () => second)).toEqual({ done: false, value: [1] });
    yield* events.close();
  });
});

test("on() loses no event, whenever its consumer is cancelled", async () => {
  await cancelEverywhere(function* (): Coroutine<void> {
    const emitter = new EventEmitter();
    const events = on<[number]>(emitter, "n");
    const got: number[] = [];
    const emitted: number[] = [];
    const producer = createTask(function* () {
      for (const n of [1, 2, 3]) {
        emitter.emit("n", n);
        emitted.push(n);
        yield* sleep(1);
      }
    });
    const taker = createTask(function* () {
      for (;;) got.push(...((yield* events.next()).value as [number]));
    });
    try {
      yield* producer.join();
      yield* sleep(1);
    } finally {
      taker.cancel();
      yield* taker.join();
      yield* producer.join();
      while (got.length < emitted.length) got.push(...((yield* events.next()).value as [number]));
      yield* events.close();
      expect(got).toEqual(emitted);
      expect(count(emitter)).toBe(0);
    }
  });
});

test("once() and on() refuse wrong arguments, at once", () => {
  const emitter = new EventEmitter();
  const wrong = (options: unknown) => () => on(emitter, "x", options as OnOptions);

  expect(() => once({} as never, "x")).toThrow("EventEmitter");
  expect(() => once(emitter, 5 as never)).toThrow(TypeError);
  expect(() => once(emitter, "x", { rejectOn: [5 as never] })).toThrow(TypeError);
  expect(wrong({ buffer: 0 })).toThrow(RangeError);
  expect(wrong({ buffer: 1.5 })).toThrow(RangeError);
  expect(wrong({ whenFull: "drop" })).toThrow(TypeError);
  expect(wrong({ close: 5 })).toThrow(TypeError);
  expect(count(emitter)).toBe(0);
});

test("interval() does not drift, and skips what was missed", async () => {
  const seen = await virtually(function* () {
    const loop = getRunningLoop();
    const start = loop.time();
    const ticks = interval(10);
    const got: unknown[] = [];
    for (const work of [3, 7, 25, 5, 0]) {
      const { value } = yield* ticks.next();
      got.push([value, loop.time() - start]);
      yield* sleep(work);
    }
    return got;
  });

  expect(seen).toEqual([
    [1, 10],
    [2, 20],
    [3, 30],
    [5, 55],
    [6, 60],
  ]);
});

test("interval() goes on after a cancelled wait, and ends when it is closed meanwhile", async () => {
  await virtually(async () => {
    const ticks = interval("10ms");
    const first = createTask(ticks.next());
    await sleep(5);
    await first.cancelAndWait();
    expect(await ticks.next()).toEqual({ done: false, value: 1 });
    const second = createTask(ticks.next());
    await sleep(1);
    await ticks.close();
    expect(await second).toEqual({ done: true, value: undefined });
  });
  for (const period of [0, -1, Number.POSITIVE_INFINITY, "x"]) expect(() => interval(period as never)).toThrow(RangeError);
});

test("on() hears a real emitter in both spellings side by side [real]", async () => {
  const emitter = new EventEmitter();

  const seen = await run(async () => {
    const timer = setInterval(() => emitter.emit("tick", "t"), 1);
    const taken = async (): Promise<number> => {
      let n = 0;
      for await (const _ of on(emitter, "tick")) if (++n === 3) break;
      return n;
    };
    const all = await gather(taken, taken);
    clearInterval(timer);
    return all;
  });

  expect(seen).toEqual([3, 3]);
  expect(count(emitter)).toBe(0);
});
