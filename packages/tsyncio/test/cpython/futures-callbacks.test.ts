/** Callbacks of futures: order, taking them back, and where their errors are told. After CPython's test_futures.py. */

import { ContextVar, createTask, type EventLoop, Future, getRunningLoop, sleep } from "tsyncio";
import { expect, test } from "vitest";
import { runVirtual, virtually } from "../support/virtual.ts";

interface Scene {
  readonly future: Future<string>;
  /** What the callbacks have left, in order. */
  readonly bag: number[];
  /** Makes a callback that leaves a number. */
  readonly leaves: (thing: number) => () => void;
}

function scene(): Scene {
  const bag: number[] = [];
  return { future: new Future<string>(), bag, leaves: (thing) => () => void bag.push(thing) };
}

const REMOVALS: [removed: number[], left: number[]][] = [
  [
    [0, 0],
    [17, 100],
  ],
  [[0, 1, 0], [100]],
  [
    [2, 2],
    [42, 17],
  ],
  [[], [42, 17, 100]],
];

for (const [removed, left] of REMOVALS) {
  test(`removeDoneCallback(), leaves ${left} of 42,17,100 to be called, in order, when given callbacks ${removed}`, async () => {
    await virtually(function* () {
      const { future, bag, leaves } = scene();
      const callbacks = [leaves(42), leaves(17), leaves(100)];
      for (const each of callbacks) future.addDoneCallback(each);

      const counts = removed.map((index) => future.removeDoneCallback(callbacks[index] as () => void));

      // The first time there was one of each, and then none.
      expect(counts).toEqual(removed.map((index, i) => (removed.indexOf(index) === i ? 1 : 0)));
      future.setResult("foo");
      expect(bag).toEqual([]);
      yield* sleep(0);
      expect(bag).toEqual(left);
      expect(future.result()).toBe("foo");
    });
  });
}

test("removeDoneCallback(), takes back all six uses of a callback and counts them, and one of another stays", async () => {
  await virtually(function* () {
    const { future, bag, leaves } = scene();
    const [first, second, third] = [leaves(1), leaves(2), leaves(3)];
    future.addDoneCallback(first);
    future.addDoneCallback(second);

    expect(future.removeDoneCallback(second)).toBe(1);
    expect(future.removeDoneCallback(third)).toBe(0);
    future.addDoneCallback(second);
    for (let i = 0; i < 5; i++) future.addDoneCallback(first);
    expect(future.removeDoneCallback(first)).toBe(6);

    future.setResult("foo");
    expect(bag).toEqual([]);
    yield* sleep(0);
    expect(bag).toEqual([2]);
    expect(future.result()).toBe("foo");
  });
});

for (const [outcome, settle] of Object.entries<(future: Future<string>) => void>({
  "a result": (future: Future<string>) => future.setResult("foo"),
  "an error": (future: Future<string>) => future.setException(new RangeError("boom")),
  "been cancelled": (future: Future<string>) => {
    future.cancel();
  },
})) {
  test(`addDoneCallback(), calls in order in the next turn, when the future has ${outcome}`, async () => {
    const { errors } = await runVirtual(function* () {
      const { future, bag, leaves } = scene();
      future.addDoneCallback(leaves(42));
      future.addDoneCallback(leaves(17));

      settle(future);

      expect(bag).toEqual([]);
      yield* sleep(0);
      expect(bag).toEqual([42, 17]);
      if (outcome === "an error") expect(future.exception()).toMatchObject({ name: "RangeError" });
    });

    expect(errors).toEqual([]);
  });
}

test("removeDoneCallback(), finds nothing any more, when a callback of the same future takes back the others", async () => {
  const { result, errors } = await runVirtual(function* () {
    const { future, bag, leaves } = scene();
    const other = leaves(1);
    const counts: number[] = [];
    future.addDoneCallback((done) => counts.push(done.removeDoneCallback(other)));
    future.addDoneCallback(other);
    future.addDoneCallback(other);
    future.setResult("foo");
    yield* sleep(0);
    return [counts, bag];
  });

  expect(result).toEqual([[0], [1, 1]]);
  expect(errors).toEqual([]);
});

test("removeDoneCallback(), leaves those that wait for the future in line", async () => {
  const seen = await virtually(function* () {
    const loop = getRunningLoop();
    const { future, bag, leaves } = scene();
    const callback = leaves(1);
    const waiting = [1, 2].map(() =>
      loop.createTask(function* () {
        return yield* future;
      }),
    );
    yield* sleep(0);
    future.addDoneCallback(callback);
    future.removeDoneCallback(callback);
    future.setResult("foo");
    return [yield* waiting[0] as Future<string>, yield* waiting[1] as Future<string>, bag];
  });

  expect(seen).toEqual(["foo", "foo", []]);
});

test("a callback that throws, has the exception handler called in its own context, with what it set", async () => {
  const variable = new ContextVar("name", { default: "foo" });
  const seen: unknown[] = [];
  await virtually(
    function* () {
      getRunningLoop().callSoon(() => {
        variable.set("bar");
        throw new RangeError("boom");
      });
      yield* sleep(0);
      seen.push(variable.get());
    },
    {
      prepare: (loop: EventLoop) =>
        loop.setExceptionHandler((_, { exception }) => seen.push(variable.get(), (exception as Error).name)),
    },
  );

  expect(seen).toEqual(["bar", "RangeError", "foo"]);
});

test("a task that failed and is reported, has the exception handler called in its own context, with what it set", async () => {
  const variable = new ContextVar("name", { default: "foo" });
  const seen: unknown[] = [];
  await virtually(
    function* () {
      createTask(function* () {
        variable.set("bar");
        throw new RangeError("boom");
      });
      yield* sleep(0);
    },
    {
      prepare: (loop: EventLoop) =>
        loop.setExceptionHandler((_, { exception }) => seen.push(variable.get(), (exception as Error).name)),
    },
  );

  expect(seen).toEqual(["bar", "RangeError"]);
});
