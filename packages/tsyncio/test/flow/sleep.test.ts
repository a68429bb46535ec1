import { createTask, type Duration, getRunningLoop, isCancelled, sleep } from "tsyncio";
import { expect, test } from "vitest";
import { turn, virtually } from "../support/virtual.ts";

test("sleep() takes its time and returns its result, in both spellings", async () => {
  const seen = await virtually(async () => {
    const loop = getRunningLoop();
    const start = loop.time();
    const results: unknown[] = [await sleep("1.5s", "a"), loop.time() - start];
    const task = createTask(function* () {
      return yield* sleep(250, "b");
    });
    return [...results, await task, loop.time() - start];
  });

  expect(seen).toEqual(["a", 1500, "b", 1750]);
});

for (const delay of [0, -5, "0s"] as Duration[]) {
  test(`sleep(${JSON.stringify(delay)}) takes one turn and no time`, async () => {
    const seen = await virtually(function* () {
      const loop = getRunningLoop();
      const before = turn(loop);
      const result = yield* sleep(delay, "value");
      return [result, turn(loop) - before, loop.time()];
    });

    expect(seen).toEqual(["value", 1, 0]);
  });
}

test("sleep() returns one turn after its timer was due", async () => {
  const turns = await virtually(function* () {
    const loop = getRunningLoop();
    let due = 0;
    loop.callLater(5, () => {
      due = turn(loop);
    });
    yield* sleep(5);
    return turn(loop) - due;
  });

  expect(turns).toBe(1);
});

test("sleep() of equal lengths ends in the order of the starts", async () => {
  const order = await virtually(function* () {
    const seen: number[] = [];
    const tasks = Array.from({ length: 200 }, (_, i) =>
      createTask(function* () {
        yield* sleep(5);
        seen.push(i);
      }),
    );
    for (const task of tasks) yield* task;
    return seen;
  });

  expect(order).toEqual(Array.from({ length: 200 }, (_, i) => i));
});

test("sleep() throws RangeError at once, when the duration is NaN or malformed", () => {
  for (const wrong of [Number.NaN, "5", "5 sec", ""]) expect(() => sleep(wrong as Duration)).toThrow(RangeError);
  expect(() => sleep(undefined as never)).toThrow(TypeError);
});

for (const spelling of ["function*", "async"] as const) {
  test(`sleep(Infinity) ends only by cancellation, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const task = createTask(
        spelling === "function*"
          ? function* () {
              yield* sleep(Number.POSITIVE_INFINITY);
            }
          : async () => {
              await sleep(Number.POSITIVE_INFINITY);
            },
      );
      yield* sleep("100d");
      const early = task.done();
      task.cancel("enough");
      let message = "";
      try {
        yield* task;
      } catch (error) {
        if (isCancelled(error)) message = error.message;
      }
      return [early, message];
    });

    expect(seen).toEqual([false, "enough"]);
  });
}

test("sleep() that is cancelled leaves no timer behind", async () => {
  const elapsed = await virtually(function* () {
    const loop = getRunningLoop();
    const task = createTask(sleep("1h"));
    yield* sleep(1);
    task.cancel();
    yield* task.join();
    yield* sleep(1);
    return loop.time();
  });

  expect(elapsed).toBe(2);
});

test("10,000 sleeps of different lengths end in the order of their deadlines", async () => {
  const sorted = await virtually(function* () {
    const ended: number[] = [];
    const tasks = Array.from({ length: 10_000 }, (_, i) => {
      const delay = ((i * 7919) % 1000) + 1;
      return createTask(function* () {
        yield* sleep(delay);
        ended.push(delay);
      });
    });
    for (const task of tasks) yield* task;
    return ended.every((each, i) => i === 0 || each >= (ended[i - 1] as number)) && ended.length;
  });

  expect(sorted).toBe(10_000);
});
