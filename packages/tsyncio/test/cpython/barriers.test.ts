/** Barrier: filling, leaving, reset and abort, with five parties as a rule. After CPython's test_locks.py. */

import { Barrier, BrokenBarrierError, type Coroutine, createTask, gather, RuntimeError, sleep, type Task, wait } from "tsyncio";
import { expect, test } from "vitest";
import { virtually } from "../support/virtual.ts";

const N = 5;

function start<T>(count: number, body: () => Coroutine<T>): Task<T>[] {
  return Array.from({ length: count }, () => createTask(body()));
}

/** Runs as many of a body as there are parties. */
function* together<T>(body: () => Coroutine<T>, count = N): Coroutine<T[]> {
  return yield* gather(start(count, body));
}

/** The state, whether it is broken, how many wait. */
function state(barrier: Barrier): [string | undefined, boolean, number] {
  return [/\[(\w+)/.exec(String(barrier))?.[1], barrier.broken, barrier.nWaiting];
}

const AS_NEW = ["filling", false, 0];

/** Notes whether a wait ends by BrokenBarrierError; other errors pass. */
function* brokenBy<T>(waiting: Coroutine<T>): Coroutine<boolean> {
  try {
    yield* waiting;
  } catch (error) {
    if (!(error instanceof BrokenBarrierError)) throw error;
    return true;
  }
  return false;
}

// ── Filling and leaving ──────────────────────────────────────────────────────────────────────────────────────────────────

test("Barrier, refuses less than one party", () => {
  expect(() => new Barrier(0)).toThrow(RangeError);
  expect(() => new Barrier(-4)).toThrow(RangeError);
  expect(new Barrier(N)).toBeInstanceOf(Barrier);
});

test("Barrier.toString(), tells whether it is filling, draining, resetting or broken, and how many wait", async () => {
  await virtually(function* () {
    const barrier = new Barrier(N);
    const waiters: Task<number>[] = [];
    const arrive = function* (count: number): Coroutine<void> {
      waiters.push(...start(count, () => barrier.wait()));
      yield* sleep(0);
    };
    expect(String(barrier)).toContain("filling");

    yield* arrive(2);
    expect(String(barrier)).toMatch(/\[filling, waiters:2\/5\]/);

    yield* arrive(barrier.parties - barrier.nWaiting);
    expect(String(barrier)).toContain("draining");

    yield* arrive(2);
    yield* barrier.reset();
    expect(String(barrier)).toContain("resetting");

    yield* arrive(2);
    yield* barrier.abort();
    expect(String(barrier)).toContain("broken");
    expect(barrier.broken).toBe(true);

    const results = yield* gather(waiters, { returnExceptions: true });
    expect(results.slice(0, N).toSorted()).toEqual([0, 1, 2, 3, 4]);
    expect(results.slice(N).every((each) => (each as unknown) instanceof BrokenBarrierError)).toBe(true);
  });
});

test("Barrier.with(), gives each body its own position", async () => {
  await virtually(function* () {
    const barrier = new Barrier(3);
    const positions: number[] = [];

    yield* together(
      () =>
        barrier.with((position) => {
          positions.push(position);
        }),
      3,
    );

    expect(positions.toSorted()).toEqual([0, 1, 2]);
    expect(state(barrier)).toEqual(AS_NEW);
  });
});

test("Barrier.with(), runs its body at once, when there is one party", async () => {
  await virtually(function* () {
    const barrier = new Barrier(1);

    expect(yield* barrier.with(() => true)).toBe(true);
    expect(state(barrier)).toEqual(AS_NEW);
  });
});

test("Barrier.wait(), gives two tasks the same position one after the other, when there is one party", async () => {
  await virtually(function* () {
    const barrier = new Barrier(1);

    const first = createTask(barrier.wait());
    yield* sleep(0);
    expect(barrier.nWaiting).toBe(0);
    const second = createTask(barrier.wait());
    yield* sleep(0);

    expect([first.done(), second.done()]).toEqual([true, true]);
    expect(first.result()).toBe(second.result());
    expect(state(barrier)).toEqual(AS_NEW);
  });
});

test("Barrier.nWaiting, grows by one per arrival while it fills, and is 0 when all have left", async () => {
  await virtually(function* () {
    const barrier = new Barrier(3);
    const tasks: Task<number>[] = [];
    for (const count of [1, 2]) {
      tasks.push(createTask(barrier.wait()));
      yield* sleep(0);
      expect(state(barrier)).toEqual(["filling", false, count]);
    }

    tasks.push(createTask(barrier.wait()));
    yield* sleep(0);
    yield* wait(tasks);

    expect(state(barrier)).toEqual(AS_NEW);
  });
});

test("Barrier.with(), may be entered again inside of its body, by all", async () => {
  await virtually(function* () {
    const barrier = new Barrier(N);
    const outer: number[] = [];
    const inner: number[] = [];

    const positions = yield* together(() =>
      barrier.with(function* (first) {
        outer.push(first);
        return yield* barrier.with((second) => {
          inner.push(second);
          return second;
        });
      }),
    );

    expect([outer.length, inner.length]).toEqual([N, N]);
    expect(positions.toSorted()).toEqual([0, 1, 2, 3, 4]);
    expect(state(barrier)).toEqual(AS_NEW);
  });
});

test("Barrier, is draining as bodies begin, until the last of them has left its wait", async () => {
  await virtually(function* () {
    const barrier = new Barrier(N);
    const seen: (string | undefined)[] = [];

    yield* together(() =>
      barrier.with(() => {
        seen.push(state(barrier)[0]);
      }),
    );

    expect(seen).toEqual(["draining", "draining", "draining", "draining", "filling"]);
    expect(state(barrier)).toEqual(AS_NEW);
  });
});

test("Barrier.wait(), holds back those that come again while others leave, until all come again", async () => {
  await virtually(function* () {
    const again = 2;
    const barrier = new Barrier(N);
    // Opens only for exactly those that do not come again at once.
    const others = new Barrier(N - again);
    let left = again;
    let passed = 0;

    yield* together(function* () {
      yield* barrier.wait();
      if (left > 0) left--;
      else {
        yield* others.wait();
        passed++;
      }
      yield* barrier.wait();
    });

    expect(passed).toBe(N - again);
    expect(state(barrier)).toEqual(AS_NEW);
  });
});

test("Barrier.wait(), counts one less in the turn after a waiter is cancelled, and needs one more to open", async () => {
  await virtually(function* () {
    const barrier = new Barrier(3);
    let passed = 0;
    const arrive = (): Task<void> =>
      createTask(function* () {
        yield* barrier.wait();
        passed++;
      });
    const first = arrive();
    yield* sleep(0);
    expect(barrier.nWaiting).toBe(1);
    const second = arrive();
    yield* sleep(0);
    expect(barrier.nWaiting).toBe(2);

    first.cancel();
    yield* sleep(0);
    expect([barrier.nWaiting, first.cancelled()]).toEqual([1, true]);

    const third = arrive();
    yield* sleep(0);
    expect(barrier.nWaiting).toBe(2);
    yield* gather(second, third, arrive());

    expect(passed).toBe(3);
    expect(state(barrier)).toEqual(AS_NEW);
  });
});

// ── reset ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("Barrier.reset(), leaves the barrier as new, when nobody waits and it runs as a task of its own", async () => {
  await virtually(function* () {
    const barrier = new Barrier(1);

    const task = createTask(barrier.reset());
    yield* sleep(0);

    expect(task.done()).toBe(true);
    expect(state(barrier)).toEqual(AS_NEW);
  });
});

test("Barrier.reset(), throws BrokenBarrierError at all that wait, when called by another task", async () => {
  await virtually(function* () {
    const barrier = new Barrier(N);
    const tasks = start(N - 1, () => brokenBy(barrier.wait()));
    yield* sleep(0);

    createTask(barrier.reset());

    expect(yield* gather(tasks)).toEqual([true, true, true, true]);
    expect(state(barrier)).toEqual(AS_NEW);
  });
});

test("Barrier.reset(), throws BrokenBarrierError at those that have not left, when half of a round has", async () => {
  await virtually(function* () {
    const barrier = new Barrier(N);
    const rest = Math.floor(N / 2);
    let left = 0;
    let broken = 0;

    yield* together(function* () {
      if (yield* brokenBy(barrier.wait())) broken++;
      else if (++left === N - rest) yield* barrier.reset();
    });

    expect([broken, left]).toEqual([rest, N - rest]);
    expect(state(barrier)).toEqual(AS_NEW);
  });
});

test("Barrier.reset(), spares those that have left and wait for the next round, when half of a round has left", async () => {
  await virtually(function* () {
    const barrier = new Barrier(N);
    const half = Math.floor(N / 2);
    let left = 0;
    let broken = 0;
    let spared = 0;

    yield* together(function* () {
      if (yield* brokenBy(barrier.wait())) {
        broken++;
        yield* barrier.wait();
      } else if (++left > half) {
        yield* barrier.reset();
        yield* barrier.wait();
      } else if (!(yield* brokenBy(barrier.wait()))) spared++;
    });

    expect([broken, spared]).toEqual([half, half]);
    expect(state(barrier)).toEqual(AS_NEW);
  });
});

test("Barrier.wait(), in the cleanup of one that was broken by reset(), counts for the next round", async () => {
  await virtually(function* () {
    const barrier = new Barrier(N);
    let broken = 0;
    let passed = 0;
    const tasks = start(N - 1, function* () {
      try {
        if (yield* brokenBy(barrier.wait())) broken++;
      } finally {
        yield* barrier.wait();
        passed++;
      }
    });

    createTask(barrier.reset());
    yield* sleep(0);
    createTask(
      barrier.with(() => {
        passed++;
      }),
    );
    yield* gather(tasks);

    expect([broken, passed]).toEqual([N - 1, N]);
    expect(state(barrier)).toEqual(AS_NEW);
  });
});

test("Barrier.reset(), spares all that wait for the next round, when the last of a round calls it", async () => {
  await virtually(function* () {
    const barrier = new Barrier(N);
    let left = 0;
    const results: string[] = [];

    yield* together(function* () {
      yield* barrier.wait();
      if (++left === N) {
        yield* barrier.reset();
        yield* barrier.wait();
      } else results.push((yield* brokenBy(barrier.wait())) ? "broken" : "passed");
      yield* barrier.wait();
      results.push("last");
    });

    expect(results.filter((each) => each === "passed")).toHaveLength(N - 1);
    expect(results.filter((each) => each === "broken")).toHaveLength(0);
    expect(results.filter((each) => each === "last")).toHaveLength(N);
    expect(state(barrier)).toEqual(AS_NEW);
  });
});

// ── abort ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("Barrier.abort(), breaks the barrier, when nobody waits and it runs as a task of its own", async () => {
  await virtually(function* () {
    const barrier = new Barrier(1);

    createTask(barrier.abort());
    yield* sleep(0);

    expect(state(barrier)).toEqual(["broken", true, 0]);
  });
});

test("Barrier.abort(), throws at those that have not left and those that came again, when half have left", async () => {
  await virtually(function* () {
    const barrier = new Barrier(N);
    const half = Math.floor(N / 2);
    let left = 0;
    let leaving = 0;
    let again = 0;

    yield* together(function* () {
      if (yield* brokenBy(barrier.wait())) leaving++;
      else if (++left > half) yield* barrier.abort();
      else {
        const broken = yield* brokenBy(barrier.wait());
        if (broken) again++;
      }
    });

    expect([leaving, again]).toEqual([half, N - half - 1]);
    expect(state(barrier)).toEqual(["broken", true, 0]);
  });
});

test("Barrier.abort(), throws at all others, when one calls it as its body fails", async () => {
  await virtually(function* () {
    const barrier = new Barrier(N);
    let passed = 0;
    let broken = 0;

    yield* together(function* () {
      const both = function* (): Coroutine<void> {
        yield* barrier.with((position) => {
          if (position === Math.floor(N / 2)) throw new RuntimeError("inside");
        });
        yield* barrier.with(() => {
          passed++;
        });
      };
      try {
        if (yield* brokenBy(both())) broken++;
      } catch (error) {
        expect(error).toBeInstanceOf(RuntimeError);
        yield* barrier.abort();
      }
    });

    expect([passed, broken]).toEqual([0, N - 1]);
    expect(state(barrier)).toEqual(["broken", true, 0]);
  });
});

test("Barrier.reset(), mends a barrier that was aborted, when all have met at a second one", async () => {
  await virtually(function* () {
    const [first, second] = [new Barrier(N), new Barrier(N)];
    const middle = Math.floor(N / 2);
    let passed = 0;
    let broken = 0;
    let last = 0;

    yield* together(function* () {
      try {
        if ((yield* first.wait()) === middle) throw new RuntimeError("inside");
        yield* first.wait();
        passed++;
      } catch (error) {
        if (error instanceof BrokenBarrierError) broken++;
        else yield* first.abort();
      }
      // All meet, so that everybody has left when it is reset, and again, so that nobody comes before that.
      if ((yield* second.wait()) === middle) yield* first.reset();
      yield* second.wait();
      yield* first.wait();
      last++;
    });

    expect([passed, broken, last]).toEqual([0, N - 1, N]);
    expect(state(first)).toEqual(AS_NEW);
  });
});

// ── async functions ──────────────────────────────────────────────────────────────────────────────────────────────────────

test("Barrier, tells async functions positions, draining and errors as it does coroutines", async () => {
  await virtually(async () => {
    const barrier = new Barrier(N);
    const seen: (string | undefined)[] = [];
    const body = async (position: number): Promise<number> => {
      seen.push(state(barrier)[0]);
      return position;
    };

    const positions = await gather(Array.from({ length: N }, () => () => barrier.with(body)));
    const waiting = createTask(async () => barrier.wait());
    await sleep(0);
    await barrier.abort();
    await waiting.join();

    expect(positions.toSorted()).toEqual([0, 1, 2, 3, 4]);
    expect(seen).toEqual(["draining", "draining", "draining", "draining", "filling"]);
    expect(waiting.exception()).toBeInstanceOf(BrokenBarrierError);
    await barrier.reset();
    expect(state(barrier)).toEqual(AS_NEW);
  });
});
