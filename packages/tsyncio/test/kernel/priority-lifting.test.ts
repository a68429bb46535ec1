/** Who is lifted by whom, through whatever one can wait for. */

import {
  asCompleted,
  CapacityLimiter,
  type Coroutine,
  createTask,
  currentTask,
  Event,
  effectivePriority,
  Future,
  gather,
  getRunningLoop,
  type Job,
  Lock,
  type Operation,
  RWLock,
  race,
  select,
  shield,
  sleep,
  type Task,
  taskGroup,
  wait,
  waitFor,
} from "tsyncio";
import { expect, test, vi } from "vitest";
import { play, type Script, SPELLINGS } from "../support/cancel-everywhere.ts";
import { runVirtual, virtually } from "../support/virtual.ts";

type Held = { release(): void };
type Door = { acquire(): Operation<Held> };

function doorOf(rwLock: RWLock): Door {
  return { acquire: () => rwLock.write() };
}

const doors: Record<string, () => Door> = {
  Lock: () => new Lock(),
  CapacityLimiter: () => new CapacityLimiter(1),
  RWLock: () => doorOf(new RWLock()),
};

const never = () => new Event().wait();

const ways: Record<string, (door: Door) => Coroutine<Held>> = {
  "race()": (door) => race([never(), door.acquire()]) as never,
  "select()": function* (door) {
    const { value } = yield* select({ never: never(), door: door.acquire() });
    return value as Held;
  },
  "race() in a select()": function* (door) {
    const { value } = yield* select({ never: never(), door: race([door.acquire(), never()]) });
    return value as Held;
  },
};

for (const [kind, make] of Object.entries(doors)) {
  for (const [way, acquire] of Object.entries(ways)) {
    test(`${way} over ${kind}, lifts whoever holds that, one after the other, until it has it itself`, async () => {
      await virtually(function* () {
        const door = make();
        const holder = () =>
          createTask(function* () {
            const held = yield* door.acquire();
            yield* sleep(10);
            held.release();
            yield* sleep(100);
          });
        const holders = [holder(), holder()];
        const ranks = () => holders.map(effectivePriority);
        yield* sleep(1);
        const urgent = createTask(
          function* () {
            const held = yield* acquire(door);
            held.release();
          },
          { priority: 9 },
        );

        yield* sleep(1);
        expect(ranks()).toEqual([9, 0]);
        yield* sleep(10);
        expect(ranks()).toEqual([0, 9]);
        urgent.priority = 4;
        expect(ranks()).toEqual([0, 4]);
        yield* urgent;
        expect(ranks()).toEqual([0, 0]);
        yield* gather(...holders);
      });
    });
  }
}

test("race(), lifts those that have lost, and no others, while it waits for their end", async () => {
  await virtually(function* () {
    const door = new Lock();
    const cleanup = new Event();
    const holder = createTask(door.with(() => sleep(10)));
    const loser = createTask(function* () {
      try {
        yield* never();
      } finally {
        yield* cleanup.wait();
      }
    });
    yield* sleep(1);
    const urgent = createTask(
      function* () {
        yield* race([door.acquire(), loser, sleep(2)]);
      },
      { priority: 3 },
    );
    yield* sleep(1);
    expect([holder, loser].map(effectivePriority)).toEqual([3, 3]);

    yield* sleep(5);
    expect([holder, loser].map(effectivePriority)).toEqual([0, 3]);
    cleanup.set();
    yield* gather(urgent, holder);
  });
});

const waits: Record<string, (future: Future<void>) => Job<unknown>> = {
  "gather()": (future) => gather(future),
  "gather() in a gather()": (future) => gather(gather(future), sleep(1)),
  "shield()": (future) => shield(future),
  "shield() of a gather()": (future) => shield(gather(future)),
  "wait()": (future) => wait([future]) as never,
  "waitFor()": (future) => waitFor(gather(future), 100),
  "race()": (future) => race([gather(future), never()]),
  "asCompleted()": (future) =>
    (function* () {
      for (const each of asCompleted([future])) yield* each;
    })(),
};

for (const [way, job] of Object.entries(waits)) {
  test(`${way} of a Future that is no task, may be awaited by a task with a priority`, async () => {
    const { errors } = await runVirtual(function* () {
      const future = new Future<void>();
      const urgent = createTask(
        function* () {
          yield* createTask(job(future));
          const made = job(future);
          if (typeof made !== "function") yield* made as Coroutine<unknown>;
        },
        { priority: 2 },
      );
      yield* sleep(5);
      future.setResult();
      yield* urgent;
    });

    expect(errors).toEqual([]);
  });
}

test("gather() in a gather(), lifts the tasks of both, when awaited by a task with a priority", async () => {
  await virtually(function* () {
    const tasks = [1, 2].map(() => createTask(sleep(5)));
    const urgent = createTask(
      function* () {
        yield* gather(tasks[0] as Task<void>, gather(tasks[1] as Task<void>));
      },
      { priority: 6 },
    );
    yield* sleep(1);
    expect(tasks.map(effectivePriority)).toEqual([6, 6]);
    yield* urgent;
    expect(tasks.map(effectivePriority)).toEqual([0, 0]);
  });
});

test("Permit.transfer(), takes the lift along to the one who is to release it", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(1);
    const permit = yield* limiter.acquire();
    const other = createTask(function* () {
      yield* sleep(5);
      permit.release();
    });
    const urgent = createTask(
      limiter.with(() => 0),
      { priority: 9 },
    );
    yield* sleep(1);
    const ranks = () => [currentTask() as Task<unknown>, other].map(effectivePriority);
    expect(ranks()).toEqual([9, 0]);
    permit.transfer(other);
    expect(ranks()).toEqual([0, 9]);
    permit.transfer(null);
    expect(ranks()).toEqual([0, 0]);
    yield* gather(other, urgent);
  });
});

test("a task that holds a lock, keeps the priority of those that wait for it, when its own is lowered below theirs", async () => {
  await virtually(function* () {
    const lock = new Lock();
    const go = new Event();
    const low = createTask(function* () {
      yield* lock.acquire();
      yield* go.wait();
      lock.release();
    });
    yield* sleep(1);
    const waits = createTask(lock.with(() => 0));
    yield* sleep(1);
    // Another one that is below 0, so that this is nothing new when it comes to the first.
    const other = createTask(sleep(10), { priority: -1 });
    low.priority = -3;
    expect([low, other].map(effectivePriority)).toEqual([0, -1]);
    waits.priority = -2;
    expect(effectivePriority(low)).toBe(-2);
    yield* waits.cancelAndWait();
    expect(effectivePriority(low)).toBe(-3);
    go.set();
    yield* gather(low, other);
  });
});

test("a task that waits for what it holds itself as well, does not lift itself", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(2);
    const other = createTask(limiter.with(() => sleep(10)));
    yield* sleep(1);
    const twice = createTask(
      async () => {
        using _ = await limiter.acquire();
        await Promise.all([limiter.with(() => 1), limiter.with(() => 2)]);
      },
      { priority: 9 },
    );
    yield* sleep(1);
    const ranks = () => [twice, other].map(effectivePriority);
    expect(ranks()).toEqual([9, 9]);
    twice.priority = 2;
    expect(ranks()).toEqual([2, 2]);
    const urgent = createTask(
      limiter.with(() => 0),
      { priority: 5 },
    );
    yield* sleep(1);
    expect(ranks()).toEqual([5, 5]);
    yield* urgent.cancelAndWait();
    expect(ranks()).toEqual([2, 2]);
    yield* gather(twice, other);
  });
});

for (const spelling of SPELLINGS) {
  for (const ready of ["its timer", "it"] as const) {
    test(`a task that is lifted while ${ready} is ready, goes before all that are lower (${spelling})`, async () => {
      const steps = await virtually(function* () {
        const lock = new Lock();
        const go = new Event();
        const steps: string[] = [];
        const busy: Task<void>[] = [];
        // Called in the turn in which the timer is due, and just before it.
        getRunningLoop().callLater(5, () => {
          go.set();
          for (let n = 0; n < 9; n++) {
            const noting = function* () {
              steps.push("busy");
            };
            busy.push(createTask(noting, { priority: 5 }));
          }
          waits.priority = 9;
        });
        const inside = play(spelling, function* (): Script {
          yield ready === "it" ? go.wait() : sleep(5);
          steps.push("low");
        });
        const low = createTask(
          play(spelling, function* (): Script {
            yield lock.with(inside);
          }) as () => never,
        );
        yield* sleep(1);
        const waits = createTask(lock.acquire());
        yield* gather(low, waits);
        yield* gather(...busy);
        return steps;
      });

      expect(steps.indexOf("low")).toBe(0);
    });
  }
}

for (const [kind, make] of Object.entries(doors)) {
  test(`${kind}, asks who holds it a number of times that grows with those that wait, and no faster`, async () => {
    const asked = async (count: number): Promise<number> =>
      virtually(function* () {
        const door = make();
        const lock = door instanceof Lock || door instanceof CapacityLimiter ? door : null;
        const holders = vi.spyOn(lock ?? RWLock.prototype, "holders");
        const tasks = Array.from({ length: count }, () =>
          createTask(
            function* () {
              const held = yield* door.acquire();
              yield* sleep(1);
              held.release();
            },
            { priority: 1 },
          ),
        );
        yield* gather(...tasks);
        const calls = holders.mock.calls.length;
        holders.mockRestore();
        return calls;
      });

    expect(await asked(80)).toBeLessThan(3 * (await asked(40)));
  });
}

test("taskGroup(), lifts a task that is made while the group is waited for", async () => {
  await virtually(function* () {
    let late: Task<unknown> | undefined;
    const urgent = createTask(
      () =>
        taskGroup((group) => {
          group.createTask(function* () {
            yield* sleep(1);
            late = group.createTask(sleep(1));
          });
        }),
      { priority: 5 },
    );
    yield* sleep(1);
    yield* sleep(0);

    expect(effectivePriority(late as Task<unknown>)).toBe(5);
    yield* urgent;
  });
});

test("CapacityLimiter.whenIdle(), lifts whoever borrows from it next", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(1);
    const tasks = [1, 2].map(() => createTask(() => limiter.with(() => sleep(10))));
    yield* sleep(0);
    tasks.push(createTask(limiter.whenIdle(), { priority: 5 }));
    yield* sleep(15);

    expect(tasks.map(effectivePriority)).toEqual([0, 5, 5]);
    yield* gather(tasks);
  });
});
