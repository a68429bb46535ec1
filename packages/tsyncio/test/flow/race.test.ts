import {
  allTasks,
  type Coroutine,
  coroutine,
  createTask,
  currentTask,
  ExceptionGroup,
  Future,
  gather,
  getRunningLoop,
  isCancelled,
  type Job,
  Queue,
  race,
  shield,
  sleep,
  type Task,
  timeout,
} from "tsyncio";
import { runTest } from "tsyncio/testing";
import { expect, expectTypeOf, test, vi } from "vitest";
import { runVirtual, virtually } from "../support/virtual.ts";

/** A job that needs some time, and some more to clean up. */
const job = (log: string[], name: string, duration: number, cleanup = 0) =>
  function* (): Coroutine<string> {
    try {
      yield* sleep(duration);
      return name;
    } finally {
      if (cleanup > 0) yield* sleep(cleanup);
      log.push(`${name} ends`);
    }
  };

function* failing(duration: number): Coroutine<never> {
  yield* sleep(duration);
  throw new RangeError(`after ${duration}`);
}

/** Who must act before a task can go on. */
function holders(task: Task<unknown>): Iterable<Task<unknown>> {
  return (task as unknown as { _waits(): { holders(): Iterable<Task<unknown>> }[] })._waits()[0]?.holders() ?? [];
}

test("race() returns the first result, when the others have been cancelled and have ended, in both spellings", async () => {
  for (const spelling of ["yield*", "await"]) {
    const { result, elapsed } = await runVirtual(function* () {
      const log: string[] = [];
      const jobs = [job(log, "slow", 1000, 4), job(log, "fast", 1), job(log, "slower", 2000, 2)];
      const value = spelling === "await" ? yield* createTask(async () => await race(jobs)) : yield* race(jobs);
      return [value, log, allTasks().size];
    });

    expect(result).toEqual(["fast", ["fast ends", "slower ends", "slow ends"], 1]);
    expect(elapsed).toBe(5);
  }
});

test("race() takes coroutines, operations, futures, promises and functions", async () => {
  const results = await virtually(function* () {
    const log: string[] = [];
    const future = new Future<string>();
    getRunningLoop().callLater(1, () => future.setResult("future"));
    const never = new Promise<never>(() => {});
    const contests: Job<string>[] = [
      job(log, "coroutine", 1)(),
      sleep(1, "operation"),
      future,
      Promise.resolve("promise"),
      async () => "async function",
      () => "function",
      createTask(sleep(1, "task")),
    ];
    const values: string[] = [];
    for (const each of contests) values.push(yield* race([sleep("1h", "late"), never, each]));
    return values;
  });

  expect(results).toEqual(["coroutine", "operation", "future", "promise", "async function", "function", "task"]);
});

test("race() throws the first error, when the others have ended", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    try {
      yield* race([job(log, "slow", 100, 2), failing(1)]);
    } catch (error) {
      return [(error as Error).message, log];
    }
  });

  expect(seen).toEqual(["after 1", ["slow ends"]]);
});

test("race() of plain operations makes no tasks, and the losers have taken nothing", async () => {
  const seen = await virtually(function* () {
    const queues = [new Queue<number>(), new Queue<number>()] as const;
    for (const queue of queues) queue.putNowait(5);
    const contest = createTask(race([queues[0].get(), queues[1].get(), sleep(1)]));
    const first = yield* contest;
    const waiting = createTask(race([queues[0].get(), sleep(1, "late")]));
    yield* sleep(0);
    const count = allTasks().size;
    return [first, queues[1].qsize(), count, yield* waiting, String(queues[0])];
  });

  expect(seen).toEqual([5, 1, 2, "late", "<Queue maxsize=0 qsize=0 tasks=1>"]);
});

test("race() with one that is ready at once starts no other", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    const queue = new Queue<string>();
    queue.putNowait("ready");
    const value = yield* race([job(log, "never begun", 1), queue.get()]);
    return [value, log];
  });

  expect(seen).toEqual(["ready", []]);
});

test("race() waits for the end of a task that loses, when it begins and when it is cancelled before", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    const begun = createTask(job(log, "begun", 50, 2));
    const given = createTask(job(log, "given", 50, 2));
    yield* sleep(1);
    const queue = new Queue<string>();
    queue.putNowait("ready");
    const value = yield* race([queue.get(), begun]);
    const first = [...log];
    const never = createTask(race([given, sleep(1)]));
    never.cancel();
    yield* never.join();
    return [value, first, log, never.cancelled()];
  });

  expect(seen).toEqual(["ready", ["begun ends"], ["begun ends", "given ends"], true]);
});

test("race() cancels tasks and futures that lose, shielded ones excepted, and lets promises go", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    const task = createTask(job(log, "task", 50, 1));
    const kept = createTask(job(log, "kept", 50));
    const joined = createTask(job(log, "joined", 50));
    const future = new Future<string>();
    let settle = (_: string): void => {};
    const promise = new Promise<string>((resolve) => {
      settle = resolve;
    });
    const value = yield* race([task, shield(kept), joined.join(), future, promise, sleep(1, "first")]);
    settle("unharmed");
    const ended = [...log];
    return [value, task.cancelled(), future.cancelled(), ended, yield* kept, yield* joined, yield* gather(promise)];
  });

  expect(seen).toEqual(["first", true, true, ["task ends"], "kept", "joined", ["unharmed"]]);
});

test("race() tells the exception handler of errors in the cleanup of losers, and returns the result all the same", async () => {
  const { result, errors } = await runVirtual(function* () {
    function* messy(): Coroutine<string> {
      try {
        return yield* sleep(100, "late");
      } finally {
        yield* failing(1);
      }
    }
    return yield* race([messy, sleep(1, "first")]);
  });

  expect(result).toBe("first");
  expect(errors.map(({ message, exception }) => [message, (exception as Error).message])).toEqual([
    ["Exception in a job that lost in race()", "after 1"],
  ]);
});

test("race() tells of each error once, when several fail at the same time", async () => {
  const { result, errors } = await runVirtual(function* () {
    try {
      yield* race([() => failing(1), () => failing(1)]);
    } catch (error) {
      return (error as Error).message;
    }
  });

  expect(result).toBe("after 1");
  expect(errors.length).toBe(1);
});

test("race() leaves the error of a task that it did not make to whoever has the task", async () => {
  const { result, errors } = await runVirtual(function* () {
    const task = createTask(function* () {
      try {
        yield* sleep(50);
      } finally {
        yield* failing(1);
      }
    });
    const first = yield* race([sleep(1, "first"), task]);
    return [first, task.done(), (task.exception() as Error | null)?.message];
  });

  expect(result).toEqual(["first", true, "after 1"]);
  expect(errors).toEqual([]);
});

test("race() that is cancelled cancels its jobs with the message, waits for them, and is cancelled", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    const noting = function* (): Coroutine<void> {
      try {
        yield* sleep(100);
      } catch (error) {
        log.push((error as Error).message);
        yield* sleep(3);
        log.push("clean");
        throw error;
      }
    };
    const racer = createTask(race([noting, sleep(200)]));
    yield* sleep(1);
    racer.cancel("enough");
    yield* sleep(1);
    // A second request does not hurry them.
    racer.cancel("at once");
    yield* racer.join();
    return [log, racer.cancelled(), getRunningLoop().time()];
  });

  expect(seen).toEqual([["enough", "clean"], true, 4]);
});

test("race() returns its result first, when cancelled while losers clean up", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    const racer = createTask(function* () {
      log.push(yield* race([job(log, "slow", 100, 5), sleep(1, "first")]));
      yield* sleep(1);
      log.push("not reached");
    });
    yield* sleep(3);
    racer.cancel();
    yield* racer.join();
    return [log, racer.cancelled()];
  });

  expect(seen).toEqual([["slow ends", "first"], true]);
});

test("race() under timeout() has won, when the time is over while losers clean up", async () => {
  const value = await virtually(function* () {
    return yield* timeout(2, () => race([job([], "slow", 100, 5), sleep(1, "first")]));
  });

  expect(value).toBe("first");
});

test("race({ firstSuccess }) returns the first success, whatever fails before it", async () => {
  const { result, errors } = await runVirtual(function* () {
    const log: string[] = [];
    const jobs = [() => failing(1), () => Promise.reject(new Error("at once")), job(log, "slow", 50), sleep(2, "first")];
    return [yield* race(jobs, { firstSuccess: true }), log];
  });

  expect(result).toEqual(["first", ["slow ends"]]);
  expect(errors).toEqual([]);
});

test("race({ firstSuccess }) throws all errors in the order of the jobs, when none succeeds", async () => {
  const seen = await virtually(function* () {
    const cancelled = new Future<never>();
    cancelled.cancel();
    try {
      yield* race([() => failing(2), cancelled, failing(1)], { firstSuccess: true });
    } catch (error) {
      const { errors } = error as AggregateError;
      const texts = errors.map((each: Error) => (isCancelled(each) ? "cancelled" : each.message));
      return [error instanceof ExceptionGroup, (error as ExceptionGroup).title, texts];
    }
  });

  expect(seen).toEqual([true, "no job of race() succeeded", ["after 2", "cancelled", "after 1"]]);
});

test("race() of a job that is given twice runs it once", async () => {
  const seen = await virtually(function* () {
    const one = sleep(1, "once");
    return yield* race([one, one]);
  });

  expect(seen).toBe("once");
});

test("race() of races ends when the innermost winner is known", async () => {
  const { result, elapsed } = await runVirtual(function* () {
    const log: string[] = [];
    const value = yield* race([race([sleep(3, "a"), sleep(5, "b")]), race([job(log, "c", 4, 1), job(log, "d", 9, 1)])]);
    return [value, log.sort()];
  });

  expect(result).toEqual(["a", ["c ends", "d ends"]]);
  expect(elapsed).toBe(4);
});

test("race() keeps no listeners at a promise that lives long", async () => {
  await virtually(async () => {
    const { then } = Promise.prototype;
    let listeners = 0;
    const promise = new Promise<string>(() => {});
    Object.defineProperty(promise, "then", {
      value: (...args: Parameters<typeof then>) => {
        listeners++;
        return then.apply(promise, args);
      },
    });
    const added = vi.spyOn(Future.prototype, "addDoneCallback");
    const removed = vi.spyOn(Future.prototype, "removeDoneCallback");
    for (let i = 0; i < 10; i++) await race([promise, sleep(1)]);

    expect(listeners).toBe(2);
    // All but the one that belongs to the promise.
    expect([added.mock.calls.length, removed.mock.calls.length]).toEqual([11, 10]);
    vi.restoreAllMocks();
  });
});

test("race() says in the wait graph what it waits for, and then whom", async () => {
  const seen = await virtually(function* () {
    const queue = new Queue<string>(0, { name: "jobs" });
    const slow = createTask(job([], "slow", 50, 3), { name: "slow" });
    const racer = createTask(race([queue.get(), slow, sleep(5)]));
    yield* sleep(1);
    const racing = racer.waitingFor;
    yield* sleep(5);
    const ending = [racer.waitingFor, [...holders(racer)].map((task) => task.name)];
    yield* racer;
    return [racing, ending];
  });

  expect(seen).toEqual([
    "race of Queue 'jobs'.get (empty) or Task slow or sleep of 5 ms",
    ["race: end of 1 that lost", ["slow"]],
  ]);
});

test("race() refuses what it cannot run, at once, and what it finds out later leaves nothing behind", async () => {
  expect(() => race([])).toThrow("Expected `jobs` of race() to hold at least one, got none; nobody could win");
  expect(() => race(5 as never)).toThrow("Expected an iterable of jobs for race(), got 5 (number); write race([a, b])");
  expect(() => race((async () => {}) as never)).toThrow(TypeError);
  expect(() => race([5 as never])).toThrow(
    "Expected a coroutine, a Future, a promise or a function that makes one, got 5 (number)",
  );
  expect(() => race([sleep(1)], true as never)).toThrow(
    "Expected `options` to be an object such as { firstSuccess: true }, got true",
  );
  expect(() => race([sleep(1)], { firstSuccess: 1 as never })).toThrow(
    "Expected `firstSuccess` to be true or false, got 1 (number)",
  );
  await runTest(function* () {
    const used = sleep(0);
    yield* used;
    expect(() => race([used])).toThrow("Cannot await sleep again");
    const coroutine = job([], "used", 0)();
    yield* createTask(coroutine);
    const queue = new Queue<number>();
    const errors: string[] = [];
    for (const wrong of [coroutine, currentTask() as Task<unknown>]) {
      try {
        yield* race([queue.get(), wrong]);
      } catch (error) {
        errors.push((error as { code: string }).code);
      }
    }
    expect(errors).toEqual(["COROUTINE_REUSED", "AWAITS_ITSELF"]);
    expect(String(queue)).not.toContain("getters");
  });
});

test("race() that is never begun, though cancelled, leaves its jobs as not forgotten", async () => {
  const { reports } = await runVirtual(
    function* () {
      const racer = createTask(race([sleep(1), coroutine(function* () {})()]));
      racer.cancel();
      yield* racer.join();
    },
    { debug: true },
  );

  expect(reports).toEqual([]);
});

test("race() has the types of all its jobs", () => {
  function* typed(): Coroutine<void> {
    expectTypeOf(yield* race([sleep(1, "a"), () => 5, Promise.resolve(true)])).toEqualTypeOf<string | number | boolean>();
    const jobs: Set<Future<Date>> = new Set();
    expectTypeOf(yield* race(jobs)).toEqualTypeOf<Date>();
    expectTypeOf(yield* race([async () => 1n], { firstSuccess: true })).toEqualTypeOf<bigint>();
  }
  expect(typed).toBeDefined();
});
