import {
  CapacityLimiter,
  type Coroutine,
  createTask,
  currentTask,
  DeadlockError,
  Event,
  gather,
  getRunningLoop,
  type Operation,
  type Permit,
  RateLimiter,
  RefusedError,
  race,
  sleep,
  type Task,
  taskGroup,
  waitFor,
} from "tsyncio";
import { expect, test } from "vitest";
import { turn, virtually } from "../support/virtual.ts";

/** Acquires, says so, and returns the permit. */
function* taker(limiter: CapacityLimiter, name: string, log: string[], weight = 1): Coroutine<Permit> {
  const permit = yield* limiter.acquire(weight);
  log.push(name);
  return permit;
}

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | null)?.code;

test.each([0, -1, 1.5, Number.NaN, Number.NEGATIVE_INFINITY, 2 ** 53])("CapacityLimiter refuses a total of %s", (total) => {
  expect(() => new CapacityLimiter(total)).toThrow(`Expected \`total\` to be an integer ≥ 1, got ${total} (number)`);
  const limiter = new CapacityLimiter(1);
  expect(() => {
    limiter.total = total;
  }).toThrow(RangeError);
  expect(limiter.total).toBe(1);
});

test("CapacityLimiter refuses a total or options of another type", () => {
  // @ts-expect-error a string is no number
  expect(() => new CapacityLimiter("2")).toThrow('Expected `total` to be an integer ≥ 1, got "2" (string)');
  // @ts-expect-error a name belongs into options
  expect(() => new CapacityLimiter(2, "db")).toThrow("Expected `options` to be an object such as { name }");
  // @ts-expect-error no such strategy
  expect(() => new CapacityLimiter(2, { whenFull: "explode" })).toThrow(
    'Expected `whenFull` to be "reject", "drop-oldest", "drop-lower" or "block"',
  );
  expect(() => new CapacityLimiter(2, { maxWaiting: -1 })).toThrow("Expected `maxWaiting` to be an integer ≥ 0");
  expect(() => new CapacityLimiter(2, { maxWaiting: 0.5 })).toThrow(RangeError);
  expect(() => new CapacityLimiter(2, { maxWaiting: Number.NaN })).toThrow(RangeError);
  expect(() => new CapacityLimiter(2, { penalty: -1 })).toThrow("Expected `penalty` to be ≥ 0 ms");
  expect(new CapacityLimiter(2, { maxWaiting: undefined, whenFull: undefined, penalty: undefined, name: undefined }).name).toBe(
    undefined,
  );
});

test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
  "CapacityLimiter.acquire() refuses a weight of %s, at once",
  (weight) => {
    const limiter = new CapacityLimiter(Number.POSITIVE_INFINITY);

    expect(() => limiter.acquire(weight)).toThrow(`Expected \`weight\` to be an integer ≥ 1, got ${weight} (number)`);
    expect(() => limiter.tryAcquire(weight)).toThrow(RangeError);
    expect(() => limiter.with(() => 1, { weight })).toThrow(RangeError);
  },
);

test("CapacityLimiter.acquire() refuses a weight above the total, at once", () => {
  const limiter = new CapacityLimiter(3, { name: "db" });

  const message =
    "Cannot acquire 4 of CapacityLimiter 'db' (0 of 3 borrowed): that is above the total; ask for less, or raise `total`";
  expect(() => limiter.acquire(4)).toThrow(new RangeError(message));
  expect(() => limiter.with(() => 1, { weight: 4 })).toThrow(RangeError);
});

test("CapacityLimiter.with() refuses what is no function, and options that are none", () => {
  const limiter = new CapacityLimiter(3);

  // @ts-expect-error no body
  expect(() => limiter.with(5)).toThrow("Expected the body of capacityLimiter.with()");
  // @ts-expect-error a weight belongs into options
  expect(() => limiter.with(() => 1, 2)).toThrow("Expected `options` to be an object such as { weight }");
});

test("CapacityLimiter.acquire() does not suspend, while there is room", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(3);

    const before = turn(getRunningLoop());
    yield* limiter.acquire();
    yield* limiter.acquire(2);

    expect([turn(getRunningLoop()) - before, limiter.borrowed, limiter.available]).toEqual([0, 3, 0]);
  });
});

test("CapacityLimiter of Infinity has no limit", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(Number.POSITIVE_INFINITY);

    for (let i = 0; i < 1000; i++) yield* limiter.acquire(i + 1);

    expect([limiter.borrowed, limiter.available]).toEqual([500_500, Number.POSITIVE_INFINITY]);
  });
});

test("CapacityLimiter.acquire() serves in order of arrival: a heavy request blocks lighter ones behind it", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(3);
    const log: string[] = [];
    const first = yield* createTask(taker(limiter, "first", log, 2));
    const heavy = createTask(taker(limiter, "heavy", log, 3));
    const light = createTask(taker(limiter, "light", log, 1));
    yield* sleep(0);
    expect(log).toEqual(["first"]);

    first.release();
    yield* sleep(0);
    expect(log).toEqual(["first", "heavy"]);
    (yield* heavy).release();
    yield* light;

    expect(log).toEqual(["first", "heavy", "light"]);
    expect(limiter.borrowed).toBe(1);
  });
});

test("CapacityLimiter.acquire() wakes as many as fit, when much is given back at once", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(4);
    const log: string[] = [];
    const all = yield* createTask(taker(limiter, "all", log, 4));
    for (const [name, weight] of [
      ["A", 1],
      ["B", 2],
      ["C", 2],
    ] as const)
      createTask(taker(limiter, name, log, weight));
    yield* sleep(0);

    all.release();
    yield* sleep(0);

    expect(log).toEqual(["all", "A", "B"]);
    expect([limiter.borrowed, limiter.waiting]).toEqual([3, 1]);
    limiter.clearWaiting();
    yield* sleep(0);
  }).catch((error: unknown) => expect(codeOf(error)).toBe("CLEARED"));
});

test("CapacityLimiter.acquire() hands permits over: a newcomer cannot snatch them", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(1);
    const log: string[] = [];
    const first = yield* createTask(taker(limiter, "first", log));
    const waiter = createTask(taker(limiter, "waiter", log));
    yield* sleep(0);

    first.release();
    const snatched = limiter.tryAcquire();
    yield* waiter;

    expect([snatched, limiter.borrowed, log]).toEqual([null, 1, ["first", "waiter"]]);
  });
});

test("CapacityLimiter.acquire() gives back what it was granted, when it is cancelled before it runs", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(2);
    const log: string[] = [];
    const first = yield* createTask(taker(limiter, "first", log, 2));
    const waiter = createTask(taker(limiter, "waiter", log, 2));
    const next = createTask(taker(limiter, "next", log, 1));
    yield* sleep(0);

    first.release();
    expect(limiter.borrowed).toBe(2);
    waiter.cancel();
    yield* next;

    expect(waiter.cancelled()).toBe(true);
    expect([limiter.borrowed, log]).toEqual([1, ["first", "next"]]);
  });
});

test("CapacityLimiter.acquire() lets those behind go at once, when a heavy one at the head is cancelled", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(3);
    const log: string[] = [];
    yield* createTask(taker(limiter, "first", log, 2));
    const heavy = createTask(taker(limiter, "heavy", log, 2));
    const light = createTask(taker(limiter, "light", log, 1));
    yield* sleep(0);

    heavy.cancel();
    yield* light;

    expect(log).toEqual(["first", "light"]);
    expect([limiter.borrowed, limiter.waiting]).toEqual([3, 0]);
  });
});

test("Permit.release() gives back once, and `using` does it at the end of the block", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(5);
    const states: number[] = [];
    {
      using permit = yield* limiter.acquire(3);
      states.push(limiter.borrowed, permit.weight);
      permit.release();
      permit.release();
      states.push(limiter.borrowed);
    }
    {
      using _ = yield* limiter.acquire(2);
      states.push(limiter.borrowed);
    }
    states.push(limiter.borrowed);

    expect(states).toEqual([3, 3, 0, 2, 0]);
  });
});

test("CapacityLimiter.tryAcquire() takes what is free, and gives null otherwise", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(2);

    const one = limiter.tryAcquire();
    const tooMuch = limiter.tryAcquire(2);
    const two = limiter.tryAcquire();
    const none = limiter.tryAcquire();

    expect([one?.weight, tooMuch, two?.weight, none]).toEqual([1, null, 1, null]);
    one?.release();
    using again = limiter.tryAcquire();
    expect(again?.borrower).toBe(currentTask());
    limiter.pause();
    two?.release();
    expect(limiter.tryAcquire()).toBe(null);
  });
});

test("CapacityLimiter.with() holds its weight for the body, in both spellings, and gives it back if that throws", async () => {
  await virtually(async () => {
    const limiter = new CapacityLimiter(4);

    const inCoroutine = await limiter.with(
      function* () {
        yield* sleep(1);
        return limiter.borrowed;
      },
      { weight: 3 },
    );
    const inAsync = await limiter.with(async () => {
      await sleep(1);
      return limiter.borrowed;
    });
    const failing = limiter.with(
      () => {
        throw new RangeError("thrown at once");
      },
      { weight: 4 },
    );

    await expect(failing).rejects.toThrow("thrown at once");
    expect([inCoroutine, inAsync, limiter.borrowed]).toEqual([3, 1, 0]);
  });
});

test("CapacityLimiter.total, when it grows, lets those in at once who fit", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(1);
    const log: string[] = [];
    for (const name of ["A", "B", "C"]) createTask(taker(limiter, name, log));
    yield* sleep(0);

    limiter.total = 2;
    yield* sleep(0);
    const after2 = [...log];
    limiter.total = Number.POSITIVE_INFINITY;
    yield* sleep(0);

    expect([after2, log]).toEqual([
      ["A", "B"],
      ["A", "B", "C"],
    ]);
  });
});

test("CapacityLimiter.total, when it shrinks below what is borrowed, lets that drain and new ones wait", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(3);
    const log: string[] = [];
    const out: Permit[] = [];
    for (const name of ["A", "B", "C"]) out.push(yield* createTask(taker(limiter, name, log)));
    createTask(taker(limiter, "D", log));
    yield* sleep(0);

    limiter.total = 1;
    expect([limiter.borrowed, limiter.available]).toEqual([3, 0]);
    for (const permit of out) {
      yield* sleep(0);
      expect(log).toEqual(["A", "B", "C"]);
      permit.release();
    }
    yield* sleep(0);

    expect([log, limiter.borrowed]).toEqual([["A", "B", "C", "D"], 1]);
  });
});

test("CapacityLimiter.total, when it shrinks, refuses those that wait for more than it, and them alone", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(4, { name: "db" });
    const log: string[] = [];
    const first = yield* createTask(taker(limiter, "first", log, 4));
    const heavy = createTask(taker(limiter, "heavy", log, 3));
    const light = createTask(taker(limiter, "light", log, 2));
    yield* sleep(0);

    limiter.total = 2;
    yield* heavy.join();
    const error = heavy.exception();
    first.release();
    yield* light;

    expect(error).toBeInstanceOf(RefusedError);
    expect(codeOf(error)).toBe("TOO_HEAVY");
    expect((error as Error).message).toBe(
      "Cannot acquire from CapacityLimiter 'db': it asks for 3, and `total` was lowered to 2",
    );
    expect(log).toEqual(["first", "light"]);
  });
});

test("CapacityLimiter.acquire() refuses a weight that the total was lowered below, before it was awaited", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(4);
    const later = limiter.acquire(3);
    limiter.total = 2;

    let error: unknown;
    try {
      yield* later;
    } catch (caught) {
      error = caught;
    }

    expect(error).toBeInstanceOf(RangeError);
  });
});

test("CapacityLimiter.acquire() tells a task that would wait for itself", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(2, { name: "db" });
    const task = createTask(
      function* () {
        using _ = yield* limiter.acquire(2);
        yield* limiter.acquire();
      },
      { name: "greedy" },
    );
    yield* task.join();

    const error = task.exception() as Error;
    expect(codeOf(error)).toBe("SELF_DEADLOCK");
    expect(error.message).toBe(
      "Cannot acquire 1 of CapacityLimiter 'db' (2 of 2 borrowed): greedy itself holds 2 and would wait for itself; release those first, or hand the permit over with transfer() to the task that will release it",
    );
    expect(limiter.borrowed).toBe(0);
  });
});

test("CapacityLimiter.total, when it shrinks, tells those that would from then on wait for themselves, and no others", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(3, { name: "db" });
    const other = createTask(limiter.with(() => sleep(5)));
    const greedy = [
      createTask(
        function* () {
          using _ = yield* limiter.acquire();
          yield* sleep(0);
          yield* limiter.acquire();
        },
        { name: "greedy" },
      ),
      createTask(async () => {
        await limiter.with(async () => {
          await sleep(0);
          await limiter.with(() => 1);
        });
      }),
    ];
    const patient = createTask(function* () {
      yield* sleep(1);
      return yield* limiter.with(() => "done");
    });
    yield* sleep(2);
    expect([limiter.borrowed, limiter.waiting]).toEqual([3, 3]);

    limiter.total = 2;
    yield* sleep(1);
    expect([limiter.borrowed, limiter.waiting]).toEqual([3, 3]);
    limiter.total = 1;
    yield* sleep(1);
    const errors = greedy.map((task) => task.exception() as Error);
    expect(errors.map(codeOf)).toEqual(["SELF_DEADLOCK", "SELF_DEADLOCK"]);
    expect(errors[0]?.message).toContain("'db' (3 of 1 borrowed): greedy itself holds 1 and would wait for itself");
    expect([limiter.borrowed, limiter.waiting]).toEqual([1, 1]);
    expect(yield* patient).toBe("done");
    yield* other;
  });
});

test("CapacityLimiter.acquire() waits, when others hold what a task lacks", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(3);
    const log: string[] = [];
    const other = yield* createTask(taker(limiter, "other", log, 1));
    const task = createTask(function* () {
      yield* limiter.acquire(1);
      yield* limiter.acquire(2);
    });
    yield* sleep(0);
    other.release();
    yield* task;

    expect(limiter.borrowed).toBe(3);
  });
});

test.each([
  ["with() in a coroutine", (limiter: CapacityLimiter) => () => limiter.with(() => limiter.with(() => 1))],
  [
    "with() in an async function",
    (limiter: CapacityLimiter) => async () => {
      await limiter.with(async () => {
        await sleep(1);
        await limiter.acquire();
      });
    },
  ],
])("CapacityLimiter.acquire() tells one inside of %s, that it would wait for itself", async (_name, make) => {
  await virtually(function* () {
    const task = createTask(make(new CapacityLimiter(1)) as () => Coroutine<unknown>);
    yield* task.join();

    expect(codeOf(task.exception())).toBe("SELF_DEADLOCK");
  });
});

test("CapacityLimiter, takes the branches of an async function for what they are: side by side, not nested", async () => {
  const log: number[] = [];
  await virtually(async () => {
    const limiter = new CapacityLimiter(1);
    const branch = async (n: number): Promise<void> => {
      using _ = limiter.tryAcquire() ?? (await limiter.acquire());
      await sleep(1);
      log.push(n);
    };

    await Promise.all([branch(1), branch(2), branch(3)]);
    await Promise.all([1, 2].map((n) => limiter.with(() => sleep(1, n))));
  });

  expect(log).toEqual([1, 2, 3]);
});

const awaited: Record<string, (limiter: CapacityLimiter) => Operation<Permit>> = {
  "acquire()": (limiter) => limiter.acquire(),
  "race()": (limiter) => race([limiter.acquire(), sleep(9)]) as Operation<Permit>,
  "race() in a race()": (limiter) => race([race([limiter.acquire(), sleep(9)])]) as Operation<Permit>,
  "waitFor()": (limiter) => waitFor(limiter.acquire(), 9) as Operation<Permit>,
};

for (const [way, acquire] of Object.entries(awaited)) {
  test(`CapacityLimiter, lets an async function that awaits ${way} give back in one branch what another waits for`, async () => {
    const branches = async (limiter: CapacityLimiter) => {
      const permit = await acquire(limiter);
      const second = async () => (await acquire(limiter)).release();
      const release = async () => {
        await sleep(1);
        permit.release();
      };
      await Promise.all([second(), release()]);
    };
    await virtually(async () => {
      await branches(new CapacityLimiter(1));
      await sleep(1);
      await branches(new CapacityLimiter(1));
      const outer = new CapacityLimiter(1);
      await outer.with(() => branches(new CapacityLimiter(1)));
    });
  });
}

test("Permit.transfer(), lets a task acquire for others and wait for them", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(2);
    const log: number[] = [];
    function* worker(n: number, permit: Permit): Coroutine<void> {
      yield* sleep(1);
      log.push(n);
      permit.release();
    }
    yield* taskGroup(function* (group) {
      for (let n = 0; n < 5; n++) {
        const permit = yield* limiter.acquire();
        permit.transfer(group.createTask(worker(n, permit), { name: `worker ${n}` }));
        expect(limiter.borrowers().some((each) => each.name === `worker ${n}`)).toBe(true);
      }
    });

    expect([log, limiter.borrowed]).toEqual([[0, 1, 2, 3, 4], 0]);
  });
});

test("Permit.transfer(), is refused of a permit that was given back, or to what is no task", async () => {
  await virtually(function* () {
    const permit = yield* new CapacityLimiter(1).acquire();
    // @ts-expect-error a string is no task
    expect(() => permit.transfer("worker")).toThrow("Expected `task` to be a Task or null");
    permit.transfer(null);
    expect(permit.borrower).toBe(null);
    permit.release();

    expect(() => permit.transfer(currentTask())).toThrow("Cannot transfer the permit: it was released");
  });
});

test("CapacityLimiter, names borrowers and waiters with their weights", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(5, { name: "db" });
    const log: string[] = [];
    const hold = function* (weight: number): Coroutine<void> {
      using _ = yield* limiter.acquire(weight);
      using _2 = yield* limiter.acquire(1);
      yield* sleep(1);
    };
    const a = createTask(hold(2), { name: "a" });
    const b = createTask(() => limiter.with(() => sleep(1), { weight: 2 }), { name: "b" });
    const c = createTask(taker(limiter, "c", log, 4), { name: "c" });
    yield* sleep(0);

    expect(limiter.borrowers().map(({ name, weight }) => [name, weight])).toEqual([
      ["a", 3],
      ["b", 2],
    ]);
    expect(limiter.waiters().map(({ name, weight }) => [name, weight])).toEqual([["c", 4]]);
    expect([limiter.borrowers()[0]?.task === a, limiter.waiters()[0]?.task === c]).toEqual([true, true]);
    expect(limiter.statistics()).toEqual({
      total: 5,
      borrowed: 5,
      available: 0,
      waiting: 1,
      granted: 3,
      refused: 0,
      paused: false,
    });
    expect(String(limiter)).toBe("<CapacityLimiter 'db' (5 of 5 borrowed), waiters:1>");
    expect(limiter.holders().map((each) => each.name)).toEqual(["a", "b"]);
    expect(c.waitingFor).toBe("CapacityLimiter 'db' (5 of 5 borrowed)");
    yield* gather(a, b);
    (yield* c).release();
    expect([limiter.borrowers(), limiter.holders()]).toEqual([[], []]);
  });
});

test("CapacityLimiter, names the borrower in a deadlock, and the ring", async () => {
  const failing = virtually(function* () {
    const left = new CapacityLimiter(1, { name: "left" });
    const right = new CapacityLimiter(2, { name: "right" });
    function* both(first: CapacityLimiter, second: CapacityLimiter): Coroutine<void> {
      using _ = yield* first.acquire(first.total);
      yield* sleep(1);
      using _2 = yield* second.acquire();
    }
    yield* gather(createTask(both(left, right), { name: "Ann" }), createTask(both(right, left), { name: "Bob" }));
  });

  await expect(failing).rejects.toBeInstanceOf(DeadlockError);
  await expect(failing).rejects.toThrow("Ann waits for CapacityLimiter 'right' (2 of 2 borrowed) → Bob");
  await expect(failing).rejects.toThrow("cycle: Ann → Bob → Ann");
});

test("CapacityLimiter, names the one that waits for a body in an async function", async () => {
  await virtually(async () => {
    const limiter = new CapacityLimiter(1);
    const holder = createTask(async () => limiter.with(() => sleep(5)), { name: "holder" });
    await sleep(1);

    expect(limiter.borrowers().map(({ name, weight }) => [name, weight])).toEqual([["holder", 1]]);
    await holder;
  });
});

test("CapacityLimiter, is acquired outside of any task, by nobody that is known [real]", async () => {
  const limiter = new CapacityLimiter(1);

  const permit = await limiter.acquire();

  expect(limiter.borrowers()).toEqual([{ task: null, name: "(outside of any task)", weight: 1 }]);
  const second = limiter.acquire().then((each) => each.release());
  expect(limiter.waiters()).toEqual([{ task: null, name: "(outside of any task)", weight: 1 }]);
  permit.release();
  await second;
  expect(limiter.borrowed).toBe(0);
  using _ = (await race([limiter.acquire(), new Event().wait()])) as Permit;
  expect(limiter.borrowers()).toEqual([{ task: null, name: "(outside of any task)", weight: 1 }]);
});

test("CapacityLimiter.pause() lets nobody in, until resume()", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(2);
    const log: string[] = [];
    limiter.pause();
    const a = createTask(taker(limiter, "A", log));
    yield* sleep(0);
    const before = [...log];

    expect([limiter.paused, String(limiter)]).toEqual([true, "<CapacityLimiter (0 of 2 borrowed, paused), waiters:1>"]);
    limiter.resume();
    yield* a;

    expect([before, log, limiter.paused]).toEqual([[], ["A"], false]);
  });
});

/** Starts four that want a limiter of one seat; tells how each ended when all have. */
function* flood(limiter: CapacityLimiter, names: readonly string[]): Coroutine<Map<string, unknown>> {
  const ends = new Map<string, unknown>();
  const tasks: Task<void>[] = [];
  for (const name of names) {
    tasks.push(
      createTask(function* () {
        try {
          using _ = yield* limiter.acquire();
          yield* sleep(10);
          ends.set(name, "served");
        } catch (error) {
          ends.set(name, codeOf(error));
        }
      }),
    );
    yield* sleep(0);
  }
  yield* gather(tasks);
  return ends;
}

test.each([
  ["reject", { A: "served", B: "served", C: "LINE_FULL", D: "LINE_FULL" }],
  ["drop-oldest", { A: "served", B: "DROPPED", C: "DROPPED", D: "served" }],
  ["block", { A: "served", B: "BLOCKED", C: "BLOCKED", D: "BLOCKED" }],
] as const)("CapacityLimiter with whenFull %s, turns the right ones away", async (whenFull, expected) => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(1, { maxWaiting: 1, whenFull });

    const ends = yield* flood(limiter, ["A", "B", "C", "D"]);

    expect(Object.fromEntries(ends)).toEqual(expected);
    expect([limiter.borrowed, limiter.waiting, limiter.statistics().refused]).toEqual([0, 0, whenFull === "block" ? 3 : 2]);
  });
});

test.each(["reject", "drop-oldest"] as const)(
  "CapacityLimiter with maxWaiting 0 and %s, refuses whoever would wait",
  async (whenFull) => {
    await virtually(function* () {
      const limiter = new CapacityLimiter(1, { maxWaiting: 0, whenFull });

      const ends = yield* flood(limiter, ["A", "B"]);

      expect(Object.fromEntries(ends)).toEqual({ A: "served", B: "LINE_FULL" });
    });
  },
);

test("CapacityLimiter with drop-oldest, lets the newcomer in, when only the dropped one was in its way", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(2, { maxWaiting: 1, whenFull: "drop-oldest" });
    const log: string[] = [];
    yield* createTask(taker(limiter, "first", log));
    const heavy = createTask(taker(limiter, "heavy", log, 2));
    yield* sleep(0);
    const light = createTask(taker(limiter, "light", log, 1));
    yield* light;
    yield* heavy.join();

    expect(codeOf(heavy.exception())).toBe("DROPPED");
    expect([log, limiter.borrowed]).toEqual([["first", "light"], 2]);
  });
});

test("CapacityLimiter with block, accepts again when nobody has come for the penalty", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(1, { maxWaiting: 0, whenFull: "block", penalty: "1s" });
    const attempt = function* (): Coroutine<unknown> {
      try {
        (yield* limiter.acquire()).release();
        return "served";
      } catch (error) {
        return codeOf(error);
      }
    };
    const first = limiter.tryAcquire();
    const ends: unknown[] = [yield* attempt()];
    first?.release();
    yield* sleep(999);
    ends.push(limiter.tryAcquire(), yield* attempt());
    yield* sleep(999);
    ends.push(yield* attempt());
    yield* sleep(1000);
    ends.push(yield* attempt());

    expect(ends).toEqual(["BLOCKED", null, "BLOCKED", "BLOCKED", "served"]);
  });
});

test("CapacityLimiter.clearWaiting() refuses those that wait, and none that was served", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(1);
    const ends = createTask(flood(limiter, ["A", "B", "C"]));
    yield* sleep(1);

    const count = limiter.clearWaiting("the job is over");

    expect(count).toBe(2);
    expect(Object.fromEntries(yield* ends)).toEqual({ A: "served", B: "CLEARED", C: "CLEARED" });
  });
});

test.each([
  [false, { A: "served", B: "served", C: "SHUT_DOWN" }],
  [true, { A: "served", B: "SHUT_DOWN", C: "SHUT_DOWN" }],
])("CapacityLimiter.shutdown({ immediate: %s }) refuses whom it should", async (immediate, expected) => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(1);
    const before = createTask(flood(limiter, ["A", "B"]));
    yield* sleep(1);

    limiter.shutdown({ immediate });
    const after = yield* flood(limiter, ["C"]);
    yield* limiter.whenIdle();

    expect(limiter.tryAcquire()).toBe(null);
    expect(Object.fromEntries([...(yield* before), ...after])).toEqual(expected);
  });
});

test("CapacityLimiter.whenIdle() waits until all have left, and does not suspend if they have", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(1);
    const loop = getRunningLoop();
    const before = turn(loop);
    yield* limiter.whenIdle();
    const turns = turn(loop) - before;
    const ends = createTask(flood(limiter, ["A", "B"]));
    yield* sleep(1);

    yield* limiter.whenIdle();

    expect([turns, loop.time(), limiter.borrowed]).toEqual([0, 20, 0]);
    yield* ends;
  });
});

test("CapacityLimiter.waitUntil() holds back a producer, and looks again before it goes on", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(1);
    const ends = createTask(flood(limiter, ["A", "B", "C"]));
    yield* sleep(1);
    const seen: number[] = [];
    const snatching = createTask(function* () {
      yield* limiter.waitUntil(({ available }) => available > 0);
      using _ = limiter.tryAcquire();
      seen.push(limiter.borrowed);
    });
    const late = createTask(function* () {
      yield* limiter.waitUntil(({ available }) => available > 0);
      seen.push(limiter.borrowed);
    });

    yield* limiter.waitUntil(({ waiting }) => waiting < 2);
    seen.push(limiter.waiting);
    yield* gather(snatching, late, ends);

    expect(seen).toEqual([1, 1, 0]);
    expect(String(limiter)).toBe("<CapacityLimiter (0 of 1 borrowed)>");
  });
});

test("CapacityLimiter.waitUntil() throws what its predicate throws, where it is awaited", async () => {
  await virtually(function* () {
    const limiter = new CapacityLimiter(1);
    const permit = limiter.tryAcquire();
    const task = createTask(() =>
      limiter.waitUntil(({ borrowed }) => {
        if (borrowed === 0) throw new RangeError("seen");
        return false;
      }),
    );
    yield* sleep(0);

    permit?.release();
    yield* task.join();

    expect((task.exception() as Error).message).toBe("seen");
    // @ts-expect-error a number is no predicate
    expect(() => limiter.waitUntil(1)).toThrow("Expected a function for waitUntil(), got 1 (number)");
  });
});

test("CapacityLimiter, serves one program after the other", async () => {
  const limiter = new CapacityLimiter(1);

  const results = [];
  for (let i = 0; i < 2; i++) results.push(await virtually(() => limiter.with(() => sleep(1, i))));

  expect(results).toEqual([0, 1]);
});

for (const make of [
  (): CapacityLimiter => new CapacityLimiter(2, { order: "priority" }),
  (): RateLimiter => new RateLimiter({ limit: 2, per: 10, order: "priority" }),
]) {
  test(`${make().constructor.name}({ order: "priority" }), serves tasks of a higher priority first, a heavy one too, and lets 16 pass at most`, async () => {
    await virtually(function* () {
      const limiter = make();
      const order: string[] = [];
      const take = (name: string, priority: number, amount: number): Task<void> =>
        createTask(
          function* () {
            const permit = yield* limiter.acquire(amount);
            order.push(name);
            yield* sleep(10);
            permit?.release();
          },
          { name, priority },
        );
      const first = yield* limiter.acquire(2);
      const modest = take("modest", 0, 1);
      yield* sleep(1);
      const tasks = Array.from({ length: 20 }, (_, n) => take(`${n}`, n === 9 ? 7 : 5, n === 9 ? 2 : 1));
      yield* sleep(1);
      first?.release();
      yield* gather(modest, ...tasks);

      expect(order.slice(0, 3)).toEqual(["9", "0", "1"]);
      expect(order.indexOf("modest")).toBe(16);
      expect(limiter.waiting).toBe(0);
    });
  });
}

test.each([
  ["drop-oldest", { A: "served", B: "served", C: "DROPPED", D: "DROPPED", E: "served" }],
  ["drop-lower", { A: "served", B: "served", C: "DROPPED", D: "served", E: "LINE_FULL" }],
] as const)(
  'CapacityLimiter({ order: "priority" }) with whenFull %s, turns away who can be spared most',
  async (whenFull, expected) => {
    await virtually(function* () {
      const limiter = new CapacityLimiter(1, { maxWaiting: 2, whenFull, order: "priority" });
      const ends: Record<string, unknown> = {};
      const tasks: Task<void>[] = [];
      for (const [name, priority] of Object.entries({ A: 0, B: 3, C: 1, D: 2, E: 2 })) {
        const use = function* (): Coroutine<void> {
          try {
            yield* limiter.with(function* () {
              yield* sleep(50);
            });
            ends[name] = "served";
          } catch (error) {
            ends[name] = codeOf(error);
          }
        };
        tasks.push(createTask(use(), { priority }));
        yield* sleep(1);
      }
      yield* gather(...tasks);

      expect(ends).toEqual(expected);
    });
  },
);
