import { BoundedSemaphore, createTask, currentTask, gather, isCancelled, Lock, sleep } from "tsyncio";
import { type CancelOptions, cancelEverywhere, type ProblemError, replay, ScheduleError, type TestBody } from "tsyncio/testing";
import { expect, test } from "vitest";

async function failureOf(running: Promise<unknown>): Promise<ScheduleError> {
  const error = await running.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof ScheduleError) return error;
  throw new Error("Expected a ScheduleError", { cause: error });
}

test("cancelEverywhere(), cancels before each step, when there is one task", async () => {
  const reached: number[] = [];
  const sweep = await cancelEverywhere(function* (t) {
    let at = 0;
    t.atEnd(() => void reached.push(at));
    at = 1;
    yield* sleep(0);
    at = 2;
    yield* sleep(0);
    at = 3;
  });

  // Undisturbed, which is run twice; then cancelled before its first, second and third step.
  expect(sweep).toEqual({ runs: 4, cancelled: 3, complete: true });
  expect(reached).toEqual([3, 3, 1, 2]);
});

/** main: 1 starts the task, 2 is woken by its end. task: 1 waits, 2 is woken by the timer, a step of its own, and ends. */
const pair: TestBody = function* () {
  yield* createTask(sleep("1ms"), { name: "sleeper" });
};

test("cancelEverywhere(), cancels each task before each step of its life, when there are two", async () => {
  // The steps: main, sleeper, the timer, sleeper, main. main lives before all 5, the sleeper, made in the first, before 3.
  expect(await cancelEverywhere(pair)).toEqual({ runs: 9, cancelled: 8, complete: true });
});

test.each<[string, CancelOptions, number]>([
  ["main", { only: (name) => name === "main" }, 5],
  ["the sleeper", { only: (name) => name === "sleeper" }, 3],
  ["nobody", { only: () => false }, 0],
])("cancelEverywhere(), cancels %s alone, with the option only", async (_, options, cancelled) => {
  expect(await cancelEverywhere(pair, options)).toEqual({ runs: cancelled + 1, cancelled, complete: true });
});

/** Cleans up in two steps. */
const cleaner: TestBody = function* () {
  let cleaned = false;
  try {
    yield* sleep("1ms");
  } finally {
    yield* sleep("1ms");
    cleaned = true;
  }
  return cleaned;
};

test("cancelEverywhere(), cancels a second time when the first was answered, with the option twice", async () => {
  const interrupted: number[] = [];
  const scenario: TestBody = function* (t) {
    let cancels = 0;
    t.atEnd(() => void interrupted.push(cancels));
    try {
      yield* sleep("1ms");
    } catch (error) {
      cancels++;
      try {
        yield* sleep("1ms");
      } catch {
        cancels++;
      }
      throw error;
    }
  };

  const once = await cancelEverywhere(scenario);
  expect(Math.max(...interrupted)).toBe(1);
  const twice = await cancelEverywhere(scenario, { twice: true });
  expect(Math.max(...interrupted)).toBe(2);
  expect(twice.runs).toBeGreaterThan(once.runs);
  await cancelEverywhere(cleaner, { twice: true });
});

test("cancelEverywhere(), is not complete, when there are more points than runs", async () => {
  const steps: TestBody = function* () {
    for (let i = 0; i < 99; i++) yield* sleep(0);
  };

  expect(await cancelEverywhere(steps)).toEqual({ runs: 101, cancelled: 100, complete: true });
  expect(await cancelEverywhere(steps, { runs: 100 })).toEqual({ runs: 101, cancelled: 100, complete: true });
  expect(await cancelEverywhere(steps, { runs: 10 })).toEqual({ runs: 11, cancelled: 10, complete: false });
  expect(await cancelEverywhere(steps, { runs: 30 })).toEqual({ runs: 31, cancelled: 30, complete: false });
});

test.each([true, false])(
  "cancelEverywhere(), finds a cancellation that is swallowed, in an async body: %s",
  async (isAsync) => {
    const swallows: TestBody = isAsync
      ? async () => {
          try {
            await sleep("1ms");
          } catch {}
        }
      : function* () {
          try {
            yield* sleep("1ms");
          } catch {}
        };
    const error = await failureOf(cancelEverywhere(swallows));

    expect((error.cause as ProblemError).code).toBe("SWALLOWED_CANCELLATION");
    expect(error.message).toMatch(/\("main" cancelled before step 2\)/);
    expect(error.message).toContain("! main is cancelled");
    expect(error.schedule).toBe("ts1.1!^1:0~");
    expect((await failureOf(replay(swallows, error.schedule))).schedule).toBe(error.schedule);
    await cancelEverywhere(swallows, { strict: false });
  },
);

test("cancelEverywhere(), lets a cancellation be taken back, when the body says so by uncancel()", async () => {
  const sweep = await cancelEverywhere(function* () {
    try {
      yield* sleep("1ms");
    } catch (error) {
      if (!isCancelled(error)) throw error;
      currentTask()?.uncancel();
    }
  });

  expect(sweep.cancelled).toBeGreaterThan(1);
});

test("cancelEverywhere(), finds a lock that is left held, when the holder is cancelled", async () => {
  const scenario = (careful: boolean): TestBody =>
    function* () {
      const lock = new Lock({ name: "db" });
      if (careful) yield* lock.with(() => sleep("1ms"));
      else {
        yield* lock.acquire();
        yield* sleep("1ms");
        lock.release();
      }
    };
  const error = await failureOf(cancelEverywhere(scenario(false)));

  expect((error.cause as ProblemError).code).toBe("HELD_LOCK");
  expect((error.cause as Error).message).toMatch(/^Lock 'db' .*is still held at the end/);
  expect((await cancelEverywhere(scenario(true), { twice: true })).complete).toBe(true);
});

test("cancelEverywhere(), finds a permit that is lost, when who has just been granted it is cancelled", async () => {
  const scenario: TestBody = function* () {
    const seats = new BoundedSemaphore(1, { name: "seats" });
    const sit = () => seats.with(() => sleep("1ms"));
    yield* gather(sit(), sit(), sit());
  };

  expect((await cancelEverywhere(scenario, { twice: true })).complete).toBe(true);
});

test("cancelEverywhere(), finds who waits for ever, when the one who would wake it is cancelled", async () => {
  const error = await failureOf(
    cancelEverywhere(function* (t) {
      const ready = t.loop.createFuture<void>();
      createTask(
        function* () {
          yield* sleep("1ms");
          ready.setResult();
        },
        { name: "starter" },
      );
      yield* ready;
    }),
  );

  expect(error.cause).toMatchObject({ name: "DeadlockError" });
  expect(error.message).toMatch(/"starter" cancelled before step \d/);
});

test("cancelEverywhere(), finds a check that fails at the end, when what is half done stays", async () => {
  const error = await failureOf(
    cancelEverywhere(async (t) => {
      const account = { a: 1, b: 0 };
      t.atEnd(() => {
        if (account.a + account.b !== 1) throw new Error("money is missing");
      });
      account.a--;
      await sleep("1ms");
      account.b++;
    }),
  );

  expect((error.cause as Error).message).toBe("money is missing");
});

test("cancelEverywhere(), finds an error that takes the place of the cancellation", async () => {
  const error = await failureOf(
    cancelEverywhere(async () => {
      try {
        await sleep("1ms");
      } catch {
        throw new RangeError("cannot clean up");
      }
    }),
  );

  expect(error.cause).toBeInstanceOf(RangeError);
});

test("cancelEverywhere(), fails with the undisturbed run, when that fails by itself", async () => {
  const error = await failureOf(
    cancelEverywhere(function* () {
      yield* sleep(0);
      throw new Error("always");
    }),
  );

  expect(error.message).toContain("(first come, first served, nobody cancelled)");
  expect(error.schedule).toBe("ts1.1!~");
  expect(error.runs).toBe(1);
});

test("cancelEverywhere(), refuses what is no scenario and no number of runs", async () => {
  await expect(cancelEverywhere(sleep(1) as never)).rejects.toThrow(TypeError);
  await expect(cancelEverywhere(pair, { runs: 0 })).rejects.toThrow(RangeError);
});
