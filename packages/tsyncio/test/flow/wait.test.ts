import {
  ALL_COMPLETED,
  createTask,
  FIRST_COMPLETED,
  FIRST_EXCEPTION,
  Future,
  getRunningLoop,
  type ReturnWhen,
  sleep,
  type Task,
  wait,
} from "tsyncio";
import { expect, test } from "vitest";
import { runVirtual, turn, virtually } from "../support/virtual.ts";

const failing = (delay: number): Task<void> =>
  createTask(function* () {
    yield* sleep(delay);
    throw new Error("broken");
  });

test("wait() waits for all, by default", async () => {
  const seen = await virtually(function* () {
    const tasks = [createTask(sleep(3)), createTask(sleep(1)), failing(2)];
    const { done, pending } = yield* wait(tasks);
    return [
      [...done].map((each) => tasks.indexOf(each as Task<void>)),
      pending.size,
      getRunningLoop().time(),
      tasks[2]?.exception() !== null,
    ];
  });

  expect(seen).toEqual([[0, 1, 2], 0, 3, true]);
});

for (const spelling of ["function*", "async"] as const) {
  test(`wait() with FIRST_COMPLETED returns with the first, and cancels nothing, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const slow = createTask(sleep(10, "slow"));
      const quick = createTask(sleep(1, "quick"));
      const task = createTask(
        spelling === "function*"
          ? function* () {
              return yield* wait([slow, quick], { returnWhen: FIRST_COMPLETED });
            }
          : async () => await wait([slow, quick], { returnWhen: FIRST_COMPLETED }),
      );
      const { done, pending } = yield* task;
      const at = getRunningLoop().time();
      return [[...done][0] === quick, [...pending][0] === slow, done.size, pending.size, at, yield* slow];
    });

    expect(seen).toEqual([true, true, 1, 1, 1, "slow"]);
  });
}

test("wait() with FIRST_EXCEPTION returns with the first error, not with a cancellation", async () => {
  const seen = await virtually(function* () {
    const victim = createTask(sleep("1h"));
    const slow = createTask(sleep(10));
    const bad = failing(5);
    getRunningLoop().callLater(1, () => victim.cancel());
    const { done, pending } = yield* wait([slow, victim, bad], { returnWhen: FIRST_EXCEPTION });
    bad.exception();
    const at = getRunningLoop().time();
    yield* slow;
    return [at, done.has(victim), done.has(bad), pending.has(slow)];
  });

  expect(seen).toEqual([5, true, true, true]);
});

test("wait() with FIRST_EXCEPTION waits for all, when none fails", async () => {
  const seen = await virtually(function* () {
    const { done } = yield* wait([sleep(1), sleep(2)], { returnWhen: FIRST_EXCEPTION });
    return [done.size, getRunningLoop().time()];
  });

  expect(seen).toEqual([2, 2]);
});

test("wait() takes two turns, when enough are done already", async () => {
  const seen = await virtually(function* () {
    const loop = getRunningLoop();
    const done = new Future<number>();
    done.setResult(1);
    const failed = new Future<number>();
    failed.setException(new Error("broken"));
    failed.exception();
    const pending = new Future<number>();
    const before = turn(loop);
    const first = yield* wait([done, pending], { returnWhen: FIRST_COMPLETED });
    const bad = yield* wait([failed, pending], { returnWhen: FIRST_EXCEPTION });
    const all = yield* wait([done, failed], { returnWhen: ALL_COMPLETED });
    return [first.done.size, bad.done.size, all.done.size, turn(loop) - before];
  });

  expect(seen).toEqual([1, 1, 2, 6]);
});

test("wait() resumes two turns after the last task ended", async () => {
  const turns = await virtually(function* () {
    const loop = getRunningLoop();
    let ended = 0;
    const task = createTask(function* () {
      yield* sleep(1);
      ended = turn(loop);
    });
    yield* wait([task]);
    return turn(loop) - ended;
  });

  expect(turns).toBe(2);
});

test("wait() returns what is done by then, when the time is over; throws and cancels nothing", async () => {
  const seen = await virtually(function* () {
    const tasks = [createTask(sleep(5, "quick")), createTask(sleep(20, "slow"))];
    const { done, pending } = yield* wait(tasks, { timeout: 10 });
    const at = getRunningLoop().time();
    return [done.size, pending.size, at, yield* tasks[1] as Task<string>];
  });

  expect(seen).toEqual([1, 1, 10, "slow"]);
});

test("wait() with timeout 0 lets the tasks run for a turn", async () => {
  const seen = await virtually(function* () {
    let ran = false;
    const task = createTask(function* () {
      ran = true;
      yield* sleep("1h");
    });
    const { done, pending } = yield* wait([task], { timeout: 0 });
    yield* task.cancelAndWait();
    return [done.size, pending.size, ran, getRunningLoop().time()];
  });

  expect(seen).toEqual([0, 1, true, 0]);
});

test("wait() counts as done what ends between the release and the return", async () => {
  const seen = await virtually(function* () {
    const first = new Future<number>();
    const second = new Future<number>();
    const task = createTask(wait([first, second], { returnWhen: FIRST_COMPLETED }));
    yield* sleep(0);
    first.setResult(1);
    yield* sleep(0);
    second.setResult(2);
    const { done, pending } = yield* task;
    return [done.size, pending.size];
  });

  expect(seen).toEqual([2, 0]);
});

test("wait() makes tasks of jobs that are no futures, and takes duplicates as one", async () => {
  const seen = await virtually(function* () {
    const task = createTask(sleep(1, "task"));
    const { done } = yield* wait([task, task, sleep(2, "coroutine"), async () => "async", Promise.resolve("promise")]);
    return [...done].map((each) => each.result());
  });

  expect(seen).toEqual(["task", "coroutine", "async", "promise"]);
});

for (const spelling of ["function*", "async"] as const) {
  test(`wait() that is cancelled leaves the tasks alone, and no callback on them, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const task = createTask(sleep(10, "value"));
      const waiting = createTask(
        spelling === "function*"
          ? function* () {
              yield* wait([task], { timeout: 5 });
            }
          : async () => {
              await wait([task], { timeout: 5 });
            },
      );
      yield* sleep(1);
      waiting.cancel();
      yield* waiting.join();
      const left = (task as unknown as { _waitingList(): unknown[] })._waitingList().length;
      return [waiting.cancelled(), left, yield* task];
    });

    expect(seen).toEqual([true, 0, "value"]);
  });
}

test("wait() called again and again on one task leaves no callbacks behind", async () => {
  const left = await virtually(function* () {
    const task = createTask(sleep("1h"));
    for (let i = 0; i < 50; i++) yield* wait([task, sleep(1)], { returnWhen: FIRST_COMPLETED });
    const count = (task as unknown as { _waitingList(): unknown[] })._waitingList().length;
    yield* task.cancelAndWait();
    return count;
  });

  expect(left).toBe(0);
});

test("wait() looks at no error: one that nobody awaits is reported", async () => {
  const { errors } = await runVirtual(function* () {
    yield* wait([failing(1)]);
  });

  expect(errors.map((each) => (each.exception as Error).message)).toEqual(["broken"]);
});

test("wait() throws at once, when it gets nothing, no iterable, or an unknown returnWhen", async () => {
  await virtually(function* () {
    const task = createTask(sleep(0));
    expect(() => wait([])).toThrow(RangeError);
    expect(() => wait(task as never)).toThrow(TypeError);
    expect(() => wait(sleep(0) as never)).toThrow(TypeError);
    expect(() => wait([task], { returnWhen: "SOMETIMES" as ReturnWhen })).toThrow(RangeError);
    yield* task;
  });
});
