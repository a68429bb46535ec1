import { allTasks, type Coroutine, createTask, currentTask, getRunningLoop, isCancelled, sleep, staggeredRace } from "tsyncio";
import { expect, test } from "vitest";
import { runVirtual, virtually } from "../support/virtual.ts";

/** An attempt that notes when it starts, then succeeds or fails after a delay. */
const attempt = (log: string[], name: string, delay: number, fails = false) =>
  function* (): Coroutine<string> {
    log.push(`${name} starts at ${getRunningLoop().time()}`);
    yield* sleep(delay);
    if (fails) throw new Error(name);
    return name;
  };

test("staggeredRace() starts only the first, when it succeeds within the delay", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    const { value, winner, exceptions } = yield* staggeredRace([attempt(log, "a", 5), attempt(log, "b", 1)], 10);
    return [log, value, winner, exceptions];
  });

  expect(seen).toEqual([["a starts at 0"], "a", 0, [null]]);
});

test("staggeredRace() starts the next after the delay, and cancels and awaits the loser", async () => {
  const { result, elapsed } = await runVirtual(function* () {
    const log: string[] = [];
    const slow = async (): Promise<string> => {
      try {
        return await sleep("1h", "slow");
      } finally {
        await sleep(3);
        log.push("loser is clean");
      }
    };
    const { value, winner, exceptions } = yield* staggeredRace([slow, attempt(log, "b", 1)], 10);
    return [log, value, winner, exceptions.map(isCancelled), currentTask()?.cancelling(), allTasks().size];
  });

  expect(result).toEqual([["b starts at 10", "loser is clean"], "b", 1, [true, false], 0, 1]);
  expect(elapsed).toBe(14);
});

test("staggeredRace() starts the next at once, when one fails", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    const { value, winner, exceptions } = yield* staggeredRace([attempt(log, "a", 2, true), attempt(log, "b", 1)], 10);
    return [log, value, winner, exceptions.map((each) => (each as Error | null)?.message ?? null)];
  });

  expect(seen).toEqual([["a starts at 0", "b starts at 2"], "b", 1, ["a", null]]);
});

test("staggeredRace() without a delay starts the next only after a failure", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    const attempts = [attempt(log, "a", 50, true), attempt(log, "b", 50, true), attempt(log, "c", 1)];
    const { winner } = yield* staggeredRace(attempts, null);
    return [log, winner];
  });

  expect(seen).toEqual([["a starts at 0", "b starts at 50", "c starts at 100"], 2]);
});

test("staggeredRace() gives all errors and no winner, when all fail", async () => {
  const { result, errors } = await runVirtual(async () => {
    const log: string[] = [];
    const { value, winner, exceptions } = await staggeredRace(
      [
        attempt(log, "a", 5, true),
        async () => {
          await sleep(1);
          throw new Error("b");
        },
      ],
      2,
    );
    return [value, winner, exceptions.map((each) => (each as Error).message)];
  });

  expect(result).toEqual([undefined, undefined, ["a", "b"]]);
  expect(errors).toEqual([]);
});

test("staggeredRace() of nothing has no winner", async () => {
  const { value, winner, exceptions } = await virtually(() => staggeredRace([], 5));

  expect([value, winner, exceptions]).toEqual([undefined, undefined, []]);
});

test("staggeredRace() has one winner, when two succeed in the same turn", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    const { value, winner } = yield* staggeredRace([attempt(log, "a", 10), attempt(log, "b", 5)], 5);
    return [value, winner, currentTask()?.cancelling()];
  });

  expect(seen).toEqual(["a", 0, 0]);
});

for (const spelling of ["function*", "async"] as const) {
  test(`staggeredRace() that is cancelled cancels its attempts and waits for them, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const log: string[] = [];
      const sleeper = (name: string) => async (): Promise<void> => {
        try {
          await sleep("1h");
        } finally {
          await sleep(5);
          log.push(name);
        }
      };
      const attempts = [sleeper("a"), sleeper("b")];
      const task = createTask(
        spelling === "function*"
          ? function* () {
              yield* staggeredRace(attempts, 5);
            }
          : async () => {
              await staggeredRace(attempts, 5);
            },
      );
      yield* sleep(10);
      task.cancel();
      yield* task.join();
      return [...log, task.cancelled(), task.cancelling(), allTasks().size];
    });

    expect(seen).toEqual(["a", "b", true, 1, 1]);
  });
}

test("staggeredRace() throws TypeError at once, when given no iterable", () => {
  expect(() => staggeredRace((() => 1) as never, 5)).toThrow(TypeError);
});

test("staggeredRace() can be taken apart as asyncio's tuple", async () => {
  const [value, winner, exceptions] = await virtually(() => staggeredRace([() => sleep(1, "a")], null));

  expect([value, winner, exceptions]).toEqual(["a", 0, [null]]);
});
