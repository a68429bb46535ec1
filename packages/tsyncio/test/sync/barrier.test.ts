import {
  Barrier,
  BrokenBarrierError,
  type Coroutine,
  createTask,
  EventLoop,
  gather,
  getRunningLoop,
  Runner,
  sleep,
  type Task,
  TimeoutError,
  waitFor,
} from "tsyncio";
import { expect, test } from "vitest";
import { cancelEverywhere, pause } from "../support/cancel-everywhere.ts";
import { turn, VirtualHost, virtually } from "../support/virtual.ts";

function arrive(barrier: Barrier, count: number): Task<number>[] {
  return Array.from({ length: count }, () => createTask(barrier.wait()));
}

/** How each of some waits ended: the position, or the name of the error. */
function* outcomes(tasks: Task<number>[]): Coroutine<(number | string)[]> {
  const results = yield* gather(tasks, { returnExceptions: true });
  return results.map((each) => (typeof each === "number" ? each : (each as Error).name));
}

test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])("Barrier refuses %s parties", (parties) => {
  expect(() => new Barrier(parties)).toThrow(RangeError);
  expect(() => new Barrier(parties)).toThrow(`Expected \`parties\` to be an integer ≥ 1, got ${parties} (number)`);
});

test("Barrier refuses a string, and nothing, for parties", () => {
  // @ts-expect-error a string is no number
  expect(() => new Barrier("3")).toThrow('got "3" (string)');
  // @ts-expect-error there is no default
  expect(() => new Barrier()).toThrow("got undefined");
});

test("Barrier of one party lets each through at once", async () => {
  await virtually(function* () {
    const barrier = new Barrier(1);

    const before = turn(getRunningLoop());
    const positions = [yield* barrier.wait(), yield* barrier.wait()];

    expect([positions, turn(getRunningLoop()) - before]).toEqual([[0, 0], 0]);
  });
});

test("Barrier.wait() holds all back until the last has arrived, and tells the order of arrival", async () => {
  await virtually(function* () {
    const barrier = new Barrier(3);
    const tasks = arrive(barrier, 2);
    yield* sleep(5);
    const waited = [tasks.some((task) => task.done()), barrier.nWaiting];

    const last = yield* barrier.wait();

    expect(waited).toEqual([false, 2]);
    expect([yield* gather(tasks), last]).toEqual([[0, 1], 2]);
    expect([barrier.nWaiting, barrier.broken, String(barrier)]).toEqual([0, false, "<Barrier [filling, waiters:0/3]>"]);
  });
});

test("Barrier serves round after round", async () => {
  await virtually(function* () {
    const barrier = new Barrier(2);
    const log: string[] = [];
    const runner = function* (name: string): Coroutine<void> {
      for (let round = 0; round < 3; round++) {
        yield* sleep(name === "A" ? 1 : 2);
        yield* barrier.wait();
        log.push(`${name}${round}`);
      }
    };

    yield* gather(runner("A"), runner("B"));

    expect(log.map((each) => each.slice(1))).toEqual(["0", "0", "1", "1", "2", "2"]);
    expect(String(barrier)).toBe("<Barrier [filling, waiters:0/2]>");
  });
});

test("Barrier.wait() of twice the parties at once makes two full rounds", async () => {
  await virtually(function* () {
    const barrier = new Barrier(3);

    const positions = yield* gather(arrive(barrier, 6));

    expect(positions.toSorted()).toEqual([0, 0, 1, 1, 2, 2]);
    expect(barrier.nWaiting).toBe(0);
  });
});

test("Barrier.wait() of a newcomer waits for the next round, while the last one leaves", async () => {
  await virtually(function* () {
    const barrier = new Barrier(2);
    const first = createTask(barrier.wait());
    yield* sleep(0);

    yield* barrier.wait();
    const texts = [String(barrier)];
    const newcomer = createTask(barrier.wait());
    yield* first;
    yield* sleep(5);
    texts.push(String(barrier));

    expect(texts).toEqual(["<Barrier [draining, waiters:0/2]>", "<Barrier [filling, waiters:1/2]>"]);
    expect([newcomer.done(), yield* barrier.wait(), yield* newcomer]).toEqual([false, 1, 0]);
  });
});

test("Barrier.wait() of a cancelled waiter lowers the count", async () => {
  await virtually(function* () {
    const barrier = new Barrier(3);
    const [a, b] = arrive(barrier, 2) as [Task<number>, Task<number>];
    yield* sleep(0);

    a.cancel();
    yield* a.join();
    const count = barrier.nWaiting;
    const others = arrive(barrier, 1);
    yield* sleep(5);
    const early = b.done();
    others.push(...arrive(barrier, 1));
    yield* gather([b, ...others]);

    expect([a.cancelled(), count, early, barrier.broken]).toEqual([true, 1, false, false]);
    expect(String(barrier)).toBe("<Barrier [filling, waiters:0/3]>");
  });
});

test("Barrier lets the others go, when one is released and then cancelled", async () => {
  await virtually(function* () {
    const barrier = new Barrier(3);
    const tasks = arrive(barrier, 2);
    yield* sleep(0);

    const last = yield* barrier.wait();
    tasks[0]?.cancel();

    expect([yield* outcomes(tasks), last]).toEqual([["CancelledError", 1], 2]);
    expect(String(barrier)).toBe("<Barrier [filling, waiters:0/3]>");
  });
});

test("Barrier.wait() takes the arrival back, when a deadline passes", async () => {
  await virtually(function* () {
    const barrier = new Barrier(2);
    let caught: unknown;

    try {
      yield* waitFor(barrier.wait(), 5);
    } catch (error) {
      caught = error;
    }

    expect(caught).toBeInstanceOf(TimeoutError);
    expect([barrier.nWaiting, barrier.broken]).toEqual([0, false]);
  });
});

// ── reset ────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("Barrier.reset() changes nothing, when nobody waits", async () => {
  await virtually(function* () {
    const barrier = new Barrier(2);

    yield* barrier.reset();

    expect([barrier.broken, String(barrier)]).toEqual([false, "<Barrier [filling, waiters:0/2]>"]);
  });
});

test("Barrier.reset() throws BrokenBarrierError at those that wait, and the barrier is as new", async () => {
  await virtually(function* () {
    const barrier = new Barrier(3);
    const tasks = arrive(barrier, 2);
    yield* sleep(0);

    yield* barrier.reset();
    const during = String(barrier);

    expect(yield* outcomes(tasks)).toEqual(["BrokenBarrierError", "BrokenBarrierError"]);
    expect(tasks[0]?.exception()).toBeInstanceOf(BrokenBarrierError);
    expect([during, String(barrier), barrier.broken]).toEqual([
      "<Barrier [resetting, waiters:0/3]>",
      "<Barrier [filling, waiters:0/3]>",
      false,
    ]);
    expect(yield* gather(arrive(barrier, 3))).toHaveLength(3);
  });
});

test("Barrier.wait() of a newcomer waits until a reset is over, and then counts", async () => {
  await virtually(function* () {
    const barrier = new Barrier(2);
    const broken = arrive(barrier, 1);
    yield* sleep(0);

    yield* barrier.reset();
    const fresh = arrive(barrier, 2);

    expect([yield* outcomes(broken), yield* outcomes(fresh)]).toEqual([["BrokenBarrierError"], [0, 1]]);
  });
});

test("Barrier.reset() breaks off a round that is leaving", async () => {
  await virtually(function* () {
    const barrier = new Barrier(2);
    const first = arrive(barrier, 1);
    yield* sleep(0);

    yield* barrier.wait();
    yield* barrier.reset();

    expect(yield* outcomes(first)).toEqual(["BrokenBarrierError"]);
    expect(String(barrier)).toBe("<Barrier [filling, waiters:0/2]>");
  });
});

// ── abort ────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("Barrier.abort() throws BrokenBarrierError at those that wait and those that come", async () => {
  await virtually(function* () {
    const barrier = new Barrier(3);
    const tasks = arrive(barrier, 2);
    yield* sleep(0);

    yield* barrier.abort();
    const ended = yield* outcomes(tasks);
    const late = yield* outcomes(arrive(barrier, 3));

    expect([ended, late]).toEqual([
      ["BrokenBarrierError", "BrokenBarrierError"],
      ["BrokenBarrierError", "BrokenBarrierError", "BrokenBarrierError"],
    ]);
    expect([barrier.broken, barrier.nWaiting, String(barrier)]).toEqual([true, 0, "<Barrier [broken]>"]);
  });
});

test("Barrier errors tell what happened, with a code", async () => {
  await virtually(function* () {
    const barrier = new Barrier(2);
    const reset = arrive(barrier, 1);
    yield* sleep(0);
    yield* barrier.reset();
    yield* outcomes(reset);
    yield* barrier.abort();
    const aborted = arrive(barrier, 1);
    yield* outcomes(aborted);

    expect(reset[0]?.exception()).toMatchObject({ code: "BROKEN_BARRIER", message: expect.stringMatching(/reset$/) });
    expect(aborted[0]?.exception()).toMatchObject({ message: expect.stringMatching(/aborted; reset\(\) mends it$/) });
  });
});

test("Barrier.reset() mends a barrier that was aborted", async () => {
  await virtually(function* () {
    const barrier = new Barrier(2);
    const tasks = arrive(barrier, 1);
    yield* sleep(0);
    yield* barrier.abort();
    yield* outcomes(tasks);

    yield* barrier.reset();

    expect(barrier.broken).toBe(false);
    expect(yield* gather(arrive(barrier, 2))).toEqual([0, 1]);
  });
});

test("Barrier.abort() breaks off a round that is leaving", async () => {
  await virtually(function* () {
    const barrier = new Barrier(2);
    const first = arrive(barrier, 1);
    yield* sleep(0);

    yield* barrier.wait();
    yield* barrier.abort();

    expect(yield* outcomes(first)).toEqual(["BrokenBarrierError"]);
    expect(barrier.broken).toBe(true);
  });
});

test("Barrier.abort() stays, when a reset was under way", async () => {
  await virtually(function* () {
    const barrier = new Barrier(3);
    const tasks = arrive(barrier, 2);
    yield* sleep(0);

    yield* barrier.reset();
    yield* barrier.abort();

    expect(yield* outcomes(tasks)).toEqual(["BrokenBarrierError", "BrokenBarrierError"]);
    expect(barrier.broken).toBe(true);
  });
});

// ── with, async functions, loops, text ───────────────────────────────────────────────────────────────────────────────

test("Barrier.with() runs its body after all have arrived, with the position, by both spellings", async () => {
  await virtually(function* () {
    const barrier = new Barrier(2);
    const log: string[] = [];
    const first = createTask(
      barrier.with(function* (position) {
        log.push(`function* ${position}`);
        yield* sleep(1);
        return "first";
      }),
    );
    yield* sleep(1);
    const before = [...log];

    const second = createTask(() =>
      barrier.with(async (position) => {
        log.push(`async ${position}`);
        await sleep(1);
        return "second";
      }),
    );

    expect([before, yield* gather(first, second)]).toEqual([[], ["first", "second"]]);
    expect(log.toSorted()).toEqual(["async 1", "function* 0"]);
  });
});

test("Barrier.with() does not run its body, when the barrier breaks; it refuses what is not a function", async () => {
  await virtually(function* () {
    const barrier = new Barrier(2);
    let ran = false;
    const task = createTask(() =>
      barrier.with(() => {
        ran = true;
      }),
    );
    yield* sleep(0);
    yield* barrier.abort();
    yield* task.join();

    expect([ran, (task.exception() as Error).name]).toEqual([false, "BrokenBarrierError"]);
    // @ts-expect-error a number is no body
    expect(() => barrier.with(1)).toThrow(/barrier.with\(\)/);
  });
});

test("Barrier.wait() serves async functions, also when one is cancelled", async () => {
  await virtually(async () => {
    const barrier = new Barrier(2);
    const cancelled = createTask(async () => barrier.wait());
    await sleep(1);

    cancelled.cancel();
    await cancelled.join();
    const count = barrier.nWaiting;
    const positions = await gather([() => barrier.wait(), async () => await barrier.wait()]);

    expect([cancelled.cancelled(), count]).toEqual([true, 0]);
    expect(positions.toSorted()).toEqual([0, 1]);
  });
});

test("Barrier serves code outside of any task [real]", async () => {
  const barrier = new Barrier(3);

  const positions = await Promise.all([barrier.wait(), barrier.wait(), barrier.wait()]);
  await barrier.abort();

  expect(positions).toEqual([0, 1, 2]);
  await expect(barrier.wait().then((value) => value)).rejects.toBeInstanceOf(BrokenBarrierError);
});

test("Barrier refuses the use by a second loop", async () => {
  const barrier = new Barrier(1);
  await using first = new Runner({ loop: new EventLoop({ host: new VirtualHost() }), signals: [] });
  await using second = new Runner({ loop: new EventLoop({ host: new VirtualHost() }), signals: [] });
  await first.run(() => barrier.wait());

  await expect(second.run(() => barrier.wait())).rejects.toMatchObject({ code: "OTHER_LOOP" });
});

test("Barrier.toString() tells the state and how many have arrived", async () => {
  await virtually(function* () {
    const barrier = new Barrier(2);
    const texts = [String(barrier)];

    const tasks = arrive(barrier, 1);
    yield* sleep(0);
    texts.push(String(barrier));
    yield* barrier.abort();
    texts.push(String(barrier));
    yield* outcomes(tasks);

    expect(texts).toEqual(["<Barrier [filling, waiters:0/2]>", "<Barrier [filling, waiters:1/2]>", "<Barrier [broken]>"]);
  });
});

test("Barrier shows by its name in what a task waits for", async () => {
  await virtually(function* () {
    const barrier = new Barrier(3, { name: "start" });
    const [task] = arrive(barrier, 1) as [Task<number>];
    yield* sleep(0);

    const texts = [new Barrier(2).describe(), task.waitingFor, barrier.parties];
    task.cancel();

    expect(texts).toEqual(["Barrier (0 of 2 arrived)", "Barrier 'start' (1 of 3 arrived)", 3]);
  });
});

// ── Cancelled everywhere ─────────────────────────────────────────────────────────────────────────────────────────────

test("Barrier counts right and can be used again, whichever task is cancelled at whichever turn", async () => {
  const sweep = await cancelEverywhere((stage) => {
    const barrier = new Barrier(2);
    let passed = 0;
    let broken = 0;
    const actors = ["A", "B", "C", "D"].map((name, index) =>
      stage.actor(name, function* () {
        yield* pause(index);
        try {
          yield barrier.wait();
          passed++;
          yield barrier.wait();
          passed++;
        } catch (error) {
          if (!(error instanceof BrokenBarrierError)) throw error;
          broken++;
        }
      }),
    );
    stage.helper("ender", function* () {
      yield* pause(25);
      yield barrier.abort();
      for (const actor of actors) yield actor.join();
      yield barrier.reset();
    });
    return () => {
      expect(String(barrier)).toBe("<Barrier [filling, waiters:0/2]>");
      expect(barrier.nWaiting).toBe(0);
      // With one of four cancelled, no more than one is left without a partner.
      expect(broken).toBeLessThanOrEqual(1);
      expect(passed).toBeGreaterThanOrEqual(4);
    };
  });

  expect(sweep.cancelled).toBeGreaterThan(50);
});

test("Barrier is as new after reset(), whichever task is cancelled at whichever turn", async () => {
  const sweep = await cancelEverywhere((stage) => {
    const barrier = new Barrier(3);
    let fresh = 0;
    for (const name of ["A", "B"]) {
      stage.actor(name, function* () {
        try {
          yield barrier.wait();
        } catch (error) {
          if (!(error instanceof BrokenBarrierError)) throw error;
        }
      });
    }
    const actor = stage.actor("resetter", function* () {
      yield* pause(2);
      yield barrier.reset();
      yield* pause(2);
    });
    stage.helper("ender", function* () {
      yield actor.join();
      yield* pause(5);
      yield barrier.reset();
      yield* pause(2);
    });
    for (const name of ["X", "Y", "Z"]) {
      stage.helper(name, function* () {
        yield* pause(20);
        yield barrier.wait();
        fresh++;
      });
    }
    return () => {
      expect(fresh).toBe(3);
      expect(String(barrier)).toBe("<Barrier [filling, waiters:0/3]>");
    };
  });

  expect(sweep.cancelled).toBeGreaterThan(30);
});
