import { type Coroutine, createTask, DeadlockError, Event, gather, Lock, run, sleep } from "tsyncio";
import {
  type Exploration,
  type ExploreOptions,
  explore,
  NondeterminismError,
  NoProgressError,
  ProblemError,
  replay,
  ScheduleError,
  StaleWriteError,
  type Strategy,
  shared,
  type TestBody,
} from "tsyncio/testing";
import { afterEach, expect, test, vi } from "vitest";

afterEach(() => {
  vi.unstubAllEnvs();
});

async function failureOf(running: Promise<unknown>): Promise<ScheduleError> {
  const error = await running.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof ScheduleError) return error;
  throw new Error("Expected a ScheduleError", { cause: error });
}

/** So many steps. */
function* walk(steps: number): Coroutine<void> {
  for (let i = 1; i < steps; i++) yield* sleep(0);
}

/** The decisions of a replay string: their number and which entry went. */
function deviationsOf(schedule: string): [number, number][] {
  const list = /!([0-9:,]*)/.exec(schedule)?.[1] as string;
  return list === "" ? [] : list.split(",").map((each) => each.split(":").map(Number) as [number, number]);
}

/** The schedule, with some of its decisions. */
function withDeviations(schedule: string, deviations: readonly [number, number][]): string {
  return schedule.replace(/!.*$/, `!${deviations.map((each) => each.join(":")).join(",")}~`);
}

/** Reads, lets others run, writes. */
function* raceTo(goal: number): Coroutine<void> {
  const counter = { value: 0 };
  function* add(pauses: number): Coroutine<void> {
    yield* walk(pauses);
    const { value } = counter;
    yield* sleep(0);
    counter.value = value + 1;
  }
  yield* gather(...Array.from({ length: goal }, (_, i) => createTask(add(3 * i + 1), { name: `adder ${i + 1}` })));
  if (counter.value !== goal) throw new RangeError(`counted ${counter.value}, not ${goal}`);
}

// ── What is tried ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** `main` takes so many steps beside another task's, and then waits for it. */
const sideBySide = (mine: number, others: number): TestBody =>
  function* () {
    const other = createTask(walk(others));
    for (let i = 0; i < mine; i++) yield* sleep(0);
    yield* other;
  };

// Of m + n steps, those of one task are any n: (m + n)! / (m! n!).
test.each([
  [1, 1, 2],
  [1, 3, 4],
  [2, 2, 6],
  [3, 2, 10],
  [3, 3, 20],
  [4, 4, 70],
])("explore(), tries each order once, when tasks of %i and %i steps run side by side", async (mine, others, schedules) => {
  const { runs, complete } = await explore(sideBySide(mine, others), { strategy: "exhaustive" });

  expect(complete).toBe(true);
  expect(runs).toBe(schedules);
});

test("explore(), tries each order once, when three tasks of one step are ready", async () => {
  const orders: string[] = [];
  const { runs, complete } = await explore(
    function* () {
      let seen = "";
      const task = (name: string) =>
        createTask(function* () {
          seen += name;
        });
      const tasks = [task("a"), task("b"), task("c")];
      for (const each of tasks) if (!each.done()) yield* each.join();
      orders.push(seen);
    },
    { strategy: "exhaustive" },
  );

  expect(complete).toBe(true);
  expect([...new Set(orders)].sort()).toEqual(["abc", "acb", "bac", "bca", "cab", "cba"]);
  expect(runs).toBeGreaterThanOrEqual(6);
});

test("explore(), needs one run, when there is never a choice", async () => {
  const seen = await explore(function* () {
    yield* sleep("1s");
    yield* createTask(walk(5));
  });

  expect(seen).toMatchObject({ runs: 1, complete: true });
});

test("explore(), says that it is not complete, when runs end before the schedules do", async () => {
  const { runs, complete } = await explore(sideBySide(3, 3), { strategy: "exhaustive", runs: 19 });

  expect([runs, complete]).toEqual([19, false]);
});

test("explore(), ends with the portfolio, when all schedules have been tried", async () => {
  const { runs, complete } = await explore(sideBySide(2, 2));

  expect(complete).toBe(true);
  expect(runs).toBeLessThan(50);
});

test.each<Strategy>(["portfolio", "random", "pct", "pct:3", "pct:1", "exhaustive"])(
  "explore(), does the same to the letter, when run twice with one seed by strategy %s",
  async (strategy) => {
    const trace = async (seed: number): Promise<[string[], Exploration]> => {
      const traces: string[] = [];
      const seen = await explore(
        async (t) => {
          let text = `${t.choose(3)}`;
          const task = (name: string) => async () => {
            for (let i = 0; i < 3; i++) {
              text += name;
              await sleep(0);
            }
          };
          await gather(task("a"), task("b"), task("c"));
          traces.push(`${text} ${t.now()}`);
        },
        { strategy, seed, runs: 60 },
      );
      return [traces, seen];
    };
    const [first, second, other] = [await trace(5), await trace(5), await trace(6)];

    expect(second).toEqual(first);
    expect(new Set(first[0]).size).toBeGreaterThan(strategy === "pct:1" ? 5 : 20);
    if (strategy !== "exhaustive") expect(other[0]).not.toEqual(first[0]);
  },
);

test("explore(), gives each entry about the same chance, with the strategy random", async () => {
  const counts = new Map<string, number>();
  await explore(
    function* () {
      let first = "";
      const task = (name: string) =>
        createTask(function* () {
          first ||= name;
        });
      yield* gather(task("a"), task("b"), task("c"), task("d"));
      counts.set(first, (counts.get(first) ?? 0) + 1);
    },
    { strategy: "random", runs: 800 },
  );

  expect([...counts.keys()].sort()).toEqual(["a", "b", "c", "d"]);
  for (const count of counts.values()) expect(Math.abs(count - 200)).toBeLessThan(60);
});

test("explore(), lets a callback be overtaken by nothing that comes after it, as asyncio calls them in order", async () => {
  const orders = new Set<string>();
  await explore(function* (t) {
    let seen = "";
    const say = (text: string): void => {
      seen += text;
    };
    for (const name of ["1", "2", "3"]) t.loop.callSoon(say, name);
    const task = createTask(function* () {
      seen += "t";
    });
    yield* sleep(0);
    yield* task;
    orders.add(seen);
  });

  expect([...orders]).toEqual(["123t"]);
});

test("t.choose(), takes each of its values, when explored, and 0 elsewhere", async () => {
  const seen: number[][] = [];
  const scenario: TestBody = function* (t) {
    seen.push([t.choose(2), t.choose(1), t.choose(3)]);
  };

  const { runs, complete } = await explore(scenario, { strategy: "exhaustive" });

  expect([runs, complete]).toEqual([6, true]);
  // The first schedule is run twice, to see whether it goes the same way.
  expect(seen).toEqual([
    [0, 0, 0],
    [0, 0, 0],
    [1, 0, 0],
    [0, 0, 1],
    [0, 0, 2],
    [1, 0, 1],
    [1, 0, 2],
  ]);
  seen.length = 0;
  await replay(scenario, "ts1.1!~");
  expect(seen).toEqual([[0, 0, 0]]);
});

test("t.choose(), refuses what is no count, when called", async () => {
  for (const count of [0, -1, 1.5, Number.NaN]) {
    const error = await failureOf(explore((t) => t.choose(count)));
    expect(error.cause).toBeInstanceOf(TypeError);
  }
});

test("explore(), tries both, when two timers are due at the same time, and not when they are not", async () => {
  const orders = async (first: number, second: number): Promise<string[]> => {
    const seen = new Set<string>();
    await explore(async () => {
      let text = "";
      const wait = (name: string, duration: number) => async () => {
        await sleep(duration);
        text += name;
      };
      await gather(wait("a", first), wait("b", second));
      seen.add(text);
    });
    return [...seen].sort();
  };

  expect(await orders(5, 5)).toEqual(["ab", "ba"]);
  expect(await orders(5, 6)).toEqual(["ab"]);
});

// ── What fails ─────────────────────────────────────────────────────────────────────────────────────────────────────────

test("explore(), throws what the scenario throws as the cause, when it fails under some schedule", async () => {
  const error = await failureOf(explore(() => raceTo(2), { name: "two adders", seed: 4 }));

  expect(error).toMatchObject({ name: "ScheduleError", code: "SCHEDULE_FAILED" });
  expect(error.cause).toBeInstanceOf(RangeError);
  expect((error.cause as Error).message).toBe("counted 1, not 2");
  expect(error.schedule).toMatch(/^ts1\.4!\d+:\d+/);
  expect(error.runs).toBeGreaterThan(1);
});

test("explore(), shows the schedule step by step with tasks and lines, when it fails", async () => {
  const { message, schedule, steps } = await failureOf(
    explore(() => raceTo(2), { name: "two adders", strategy: "exhaustive" }),
  );
  const lines = message.split("\n");

  expect(lines[0]).toMatch(/^"two adders" fails under a schedule that may happen \(exhaustive, run \d+ of 1000, seed 1\)$/);
  expect(lines[1]).toBe("  RangeError: counted 1, not 2");
  expect(lines[2]).toMatch(/^ {4}at raceTo \(packages.*explore\.test\.ts:\d+:\d+\)$/);
  expect(message).toMatch(/the schedule, \d → \d decisions besides first come, first served:/);
  expect(message).toMatch(/ ▶ {3}\d {2}adder 2 .*explore\.test\.ts:\d+:\d+\)/);
  expect(message).toContain("◀ fails");
  expect(message).toContain("▶ goes before others that have been ready for longer");
  expect(message).toContain(`replay: await replay(scenario, "${schedule}")`);
  expect(message).toContain(`TSYNCIO_SCHEDULE='${schedule}'`);
  expect(steps.map((each) => each.step)).toEqual(steps.map((_, i) => i + 1));
  expect(steps[0]).toMatchObject({ who: "main", choice: 0, outcome: "waits for gather of 2 (2 to go)" });
});

test("explore(), shows steps that repeat as one line, when a task goes on many times", async () => {
  const { message } = await failureOf(
    explore(
      function* () {
        let waiting = true;
        const impatient = createTask(
          function* () {
            for (let i = 0; waiting; i++) {
              if (i > 20) throw new Error("too long");
              yield* sleep(0);
            }
          },
          { name: "impatient" },
        );
        yield* sleep(0);
        waiting = false;
        yield* impatient;
      },
      { strategy: "pct:2" },
    ),
  );

  expect(message).toMatch(/▶ +\d+ {2}impatient {2}lets others run .*\(\d\d times\)/);
  expect(message.split("\n").length).toBeLessThan(20);
});

test.each([2, 3, 4])("explore(), leaves no decision that is not needed, when it shrinks the race of %i", async (adders) => {
  const scenario: TestBody = () => raceTo(adders);
  for (const strategy of ["random", "pct", "portfolio"] as const) {
    for (const seed of [1, 2, 3]) {
      const { schedule, cause } = await failureOf(explore(scenario, { strategy, seed }));
      const deviations = deviationsOf(schedule);
      expect(deviations.length).toBeGreaterThan(0);
      for (const left of deviations) {
        const rest = deviations.filter((each) => each !== left);
        const outcome = await replay(scenario, withDeviations(schedule, rest)).then(
          () => "passes",
          (error: ScheduleError) => (error.cause as Error).name,
        );
        expect(outcome).not.toBe((cause as Error).name);
      }
    }
  }
});

test("explore(), fails with the wait graph, when a schedule ends in a deadlock", async () => {
  const error = await failureOf(
    explore(function* () {
      const [left, right] = [new Lock({ name: "left" }), new Lock({ name: "right" })];
      const eat = (first: Lock, second: Lock) =>
        first.with(function* () {
          yield* sleep(0);
          yield* second.with(function* () {});
        });
      yield* gather(eat(left, right), eat(right, left));
    }),
  );

  expect(error.cause).toBeInstanceOf(DeadlockError);
  expect(error.message).toMatch(/Task-1 waits for Lock 'right' held by Task-2/);
  expect(error.message).toMatch(/cycle: Task-1 → Task-2 → Task-1/);
  // main was made by explore() itself: there is no place to tell.
  expect(error.message).not.toContain("node:internal");
});

test("explore(), fails with a NoProgressError, when a run takes more than maxSteps", async () => {
  const livelock: TestBody = function* () {
    const done = new Event();
    createTask(function* () {
      yield* sleep("1ms");
      done.set();
    });
    while (!done.isSet()) yield* sleep(0);
  };
  const error = await failureOf(explore(livelock, { maxSteps: 500 }));

  expect(error.cause).toBeInstanceOf(NoProgressError);
  expect(error.cause).toMatchObject({ code: "NO_PROGRESS", message: expect.stringMatching(/^500 steps were taken/) });
  await explore(sideBySide(2, 2), { maxSteps: 500 });
});

test("t.invariant(), is checked after every step, when any task breaks it for a moment", async () => {
  const scenario =
    (pause: boolean): TestBody =>
    async (t) => {
      const accounts = { a: 1, b: 0 };
      t.invariant(() => {
        if (accounts.a + accounts.b !== 1) throw new Error("money is missing");
      });
      accounts.a = 0;
      if (pause) await sleep(0);
      accounts.b = 1;
    };

  await explore(scenario(false));
  const error = await failureOf(explore(scenario(true)));
  expect((error.cause as Error).message).toBe("money is missing");
  expect(deviationsOf(error.schedule)).toEqual([]);
  expect(error.steps.length).toBe(1);
});

test("t.invariant(), is checked behind the last step, as well", async () => {
  const error = await failureOf(
    explore((t) => {
      let good = true;
      t.invariant(() => {
        if (!good) throw new Error("broken at the end");
      });
      good = false;
    }),
  );

  expect((error.cause as Error).message).toBe("broken at the end");
});

test("t.atEnd(), sees what is left when all tasks have ended, whether or not the body passed", async () => {
  const left: string[] = [];
  const scenario = (fails: boolean): TestBody =>
    function* (t) {
      let cleaned = 0;
      t.atEnd(() => void left.push(`cleaned ${cleaned}`));
      t.atEnd(() => {
        if (!fails && cleaned === 1) throw new Error("seen at the end");
      });
      createTask(function* () {
        try {
          yield* sleep("1h");
        } finally {
          cleaned++;
        }
      });
      yield* sleep(0);
    };

  const error = await failureOf(explore(scenario(false), { strict: false }));
  expect((error.cause as Error).message).toBe("seen at the end");
  expect(new Set(left)).toContain("cleaned 1");
});

test("explore(), cancels tasks at some steps, with the option cancel", async () => {
  let cancelled = 0;
  const scenario: TestBody = function* () {
    const task = createTask(walk(4));
    yield* task.join();
    if (task.cancelled()) cancelled++;
  };

  await explore(scenario, { runs: 200 });
  expect(cancelled).toBe(0);
  const { runs, complete } = await explore(scenario, { runs: 200, cancel: true });
  // All orders were seen soon, but not all cancellations.
  expect([runs, complete]).toEqual([200, false]);
  expect(cancelled).toBeGreaterThan(10);
  expect(cancelled).toBeLessThan(100);
});

test("explore(), keeps the cancellation in the schedule, when the failure needs it", async () => {
  const scenario: TestBody = function* (t) {
    let open = 0;
    t.atEnd(() => {
      if (open > 0) throw new Error("left open");
    });
    const task = createTask(
      function* () {
        open++;
        yield* sleep("1ms");
        open--;
      },
      { name: "opener" },
    );
    yield* task;
  };
  const error = await failureOf(explore(scenario, { cancel: true }));

  expect(error.schedule).toMatch(/^ts1\.1!\^\d+:\d+~$/);
  expect(error.message).toMatch(/! (opener|main) is cancelled/);
  expect((await failureOf(replay(scenario, error.schedule))).steps).toEqual(error.steps);
  expect(error.message).toMatch(/the schedule, \d → 0 decisions besides first come, first served and 1 cancellation:/);
});

const forgetful: TestBody = function* () {
  createTask(walk(9), { name: "forgotten" });
  yield* sleep(0);
};

test("explore(), fails by what is left behind, unless strict is false", async () => {
  const error = await failureOf(explore(forgetful));

  expect(error.cause).toBeInstanceOf(ProblemError);
  expect((error.cause as ProblemError).code).toBe("LEFT_RUNNING");
  await explore(forgetful, { strict: false });
});

// ── Under control or not ───────────────────────────────────────────────────────────────────────────────────────────────

test("explore(), tells that a scenario is out of control, when it goes by Math.random()", async () => {
  const flips = [0.9, 0.1];
  const random = vi.spyOn(Math, "random").mockImplementation(() => flips.shift() ?? 0.1);
  const scenario: TestBody = function* () {
    yield* walk(Math.random() > 0.5 ? 3 : 5);
  };

  await expect(explore(scenario)).rejects.toThrow(NondeterminismError);
  await expect(explore(scenario)).resolves.toMatchObject({ complete: true });
  random.mockRestore();
});

test("explore(), tells that a scenario is out of control, when state outlives a run", async () => {
  let runs = 0;
  const scenario: TestBody = function* () {
    if (++runs === 3) throw new Error("the third time");
    yield* gather(createTask(walk(3)), createTask(walk(3)));
  };
  const error = await explore(scenario).then(
    () => null,
    (thrown: unknown) => thrown,
  );

  expect(error).toBeInstanceOf(NondeterminismError);
  expect(error).toMatchObject({ code: "NONDETERMINISM", cause: { message: "the third time" } });
  expect((error as Error).message).toMatch(/Math\.random\(\).*context\.choose\(\)/);
});

test("replay(), runs once and passes, when the failure has been mended", async () => {
  const error = await failureOf(explore(() => raceTo(2)));
  const seen = await replay(function* () {
    yield* gather(createTask(walk(3)), createTask(walk(6)));
  }, error.schedule);

  expect(seen).toMatchObject({ runs: 1, complete: false, seed: 1 });
});

test("replay(), refuses a schedule, when the program has changed since", async () => {
  const scenario =
    (steps: number): TestBody =>
    () =>
      gather(createTask(walk(steps)), createTask(walk(20)), createTask(walk(20))).then(() => {
        throw new Error("always");
      });
  const { schedule } = await failureOf(explore(scenario(12)));

  expect(schedule).toMatch(/~[0-9a-z]+,/);
  expect((await failureOf(replay(scenario(12), schedule))).schedule).toBe(schedule);
  await expect(replay(scenario(4), schedule)).rejects.toThrow(NondeterminismError);
  await expect(replay(scenario(4), schedule)).rejects.toThrow(/does not fit from decision \d+ on: the scenario has changed/);
});

test.each(["", "x", "ts2.1!~", "ts1.1!4:1", "ts1.1!4~", "ts1.!4:1~", "ts1.1!4:1~k3f extra", "ts1.1!4:1,~", "ts1.1!:~"])(
  "replay(), refuses %j, which is not a schedule",
  async (schedule) => {
    await expect(replay(function* () {}, schedule)).rejects.toThrow(RangeError);
    await expect(replay(function* () {}, schedule)).rejects.toThrow(/copy the whole replay string/);
  },
);

// ── Options ────────────────────────────────────────────────────────────────────────────────────────────────────────────

test.each<[ExploreOptions, RegExp]>([
  [{ runs: 0 }, /Expected `runs` to be an integer ≥ 1, got 0/],
  [{ runs: 1.5 }, /Expected `runs` to be an integer ≥ 1, got 1.5/],
  [{ seed: -1 }, /Expected `seed` to be an integer ≥ 0, got -1/],
  [{ strategy: "dfs" as Strategy }, /Expected `strategy` to be .* got "dfs"/],
  [{ strategy: "pct:0" }, /Expected `strategy`/],
  [{ maxSteps: 0 }, /Expected `maxSteps` to be an integer ≥ 1, got 0/],
  [{ timeout: Number.NaN }, /timeout/],
])("explore(), refuses %o", async (options, message) => {
  await expect(explore(function* () {}, options)).rejects.toThrow(RangeError);
  await expect(explore(function* () {}, options)).rejects.toThrow(message);
});

test("explore() and replay(), refuse what is not a function", async () => {
  await expect(explore(walk(1) as never)).rejects.toThrow(/do not call it/);
  await expect(replay(walk(1) as never, "ts1.1!~")).rejects.toThrow(TypeError);
});

test("TSYNCIO_SEED and TSYNCIO_RUNS, go before the options", async () => {
  vi.stubEnv("TSYNCIO_SEED", "77");
  vi.stubEnv("TSYNCIO_RUNS", "5");

  expect(await explore(sideBySide(4, 4), { runs: 9, seed: 1 })).toMatchObject({ seed: 77, runs: 5 });
  vi.stubEnv("TSYNCIO_RUNS", "many");
  await expect(explore(sideBySide(4, 4))).rejects.toThrow(/`runs`.* got NaN/);
});

test("TSYNCIO_SCHEDULE, makes explore() replay", async () => {
  const scenario: TestBody = () => raceTo(2);
  const { schedule } = await failureOf(explore(scenario));
  vi.stubEnv("TSYNCIO_SCHEDULE", schedule);

  const again = await failureOf(explore(scenario, { seed: 9 }));
  expect(again.runs).toBe(1);
  expect(again.schedule).toBe(schedule);
  expect(again.message).toContain("(replayed)");
});

// ── Side by side ───────────────────────────────────────────────────────────────────────────────────────────────────────

test("explore(), leaves debug mode as it was, when several explorations fail at the same time", async () => {
  const alone = await failureOf(explore(() => raceTo(3)));
  const together = await Promise.all([1, 2, 3, 4].map(() => failureOf(explore(() => raceTo(3)))));

  for (const each of together) expect(each.message).toBe(alone.message);
  // In debug mode places are noted.
  const box = shared({ value: 1 }, "box");
  const error = await run(function* () {
    const { value } = box;
    yield* createTask(function* () {
      box.value = 5;
    });
    try {
      box.value = value;
    } catch (stale) {
      return stale;
    }
    return null;
  });
  expect(error).toBeInstanceOf(StaleWriteError);
  expect((error as Error).message).not.toContain("explore.test.ts");
});
