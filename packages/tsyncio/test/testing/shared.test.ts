import { type Coroutine, createTask, currentTask, gather, Lock, run, sleep } from "tsyncio";
import { ProblemError, replay, runTest, ScheduleError, StaleWriteError, shared, type TestBody } from "tsyncio/testing";
import { expect, test } from "vitest";

/** The stale writes that a test is failed for. */
async function staleIn(body: TestBody): Promise<string[]> {
  const error = await runTest(body).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error === null) return [];
  if (!(error instanceof ProblemError)) throw error;
  expect(new Set(error.problems.map((each) => each.code))).toEqual(new Set(["STALE_WRITE"]));
  return error.problems.map((each) => each.message);
}

/** Two tasks, "slow" which reads, waits and writes, and "quick" which changes something in between. */
const overtaken = <T extends object>(object: T, slow: (object: T) => Coroutine<void>, quick: (object: T) => void): TestBody =>
  function* () {
    const box = shared(object, "box");
    yield* gather(
      createTask(slow(box), { name: "slow" }),
      createTask(
        function* () {
          quick(box);
        },
        { name: "quick" },
      ),
    );
  };

test("shared(), reports a write of what was read before another task wrote, when no check fails", async () => {
  const account = overtaken(
    { balance: 100 },
    function* (box) {
      const { balance } = box;
      yield* sleep(0);
      box.balance = balance - 30;
    },
    (box) => {
      box.balance += 50;
    },
  );

  expect(await staleIn(account)).toEqual([
    'stale write: "slow" wrote box.balance from what it had read before "quick" changed it',
  ]);
});

test("shared(), tells the three places, when the failure is written down", async () => {
  const scenario: TestBody = async () => {
    const box = shared({ value: 1 }, "box");
    const slow = async () => {
      const { value } = box;
      await sleep(0);
      box.value = value + 1;
    };
    const quick = async () => {
      box.value = 7;
    };
    await gather(createTask(slow, { name: "slow" }), createTask(quick, { name: "quick" }));
  };
  const error = await replay(scenario, "ts1.1!~").then(
    () => null,
    (thrown: unknown) => thrown,
  );

  expect(error).toBeInstanceOf(ScheduleError);
  const { message } = error as ScheduleError;
  const place = String.raw`\(\w+ \(\S*shared\.test\.ts:\d+:\d+\)\)`;
  expect(message).toMatch(
    new RegExp(`"slow" wrote box\\.value ${place} from what it had read ${place} before "quick" changed it ${place}`),
  );
  expect(message).toMatch(/ {10}! stale write: "slow"/);
});

test.each<[string, TestBody]>([
  [
    "an array's items",
    overtaken(
      [1, 2],
      function* (list) {
        const [first] = list;
        yield* sleep(0);
        list[0] = (first as number) + 1;
      },
      (list) => {
        list[0] = 5;
      },
    ),
  ],
  [
    "an array's length",
    overtaken(
      ["a"],
      function* (list) {
        const { length } = list;
        yield* sleep(0);
        list.length = length - 1;
      },
      (list) => {
        list.push("c");
      },
    ),
  ],
  [
    "a Map, by get() and set()",
    overtaken(
      new Map([["a", 1]]),
      function* (map) {
        const value = map.get("a") as number;
        yield* sleep(0);
        map.set("a", value + 1);
      },
      (map) => {
        map.set("a", 9);
      },
    ),
  ],
  [
    "a Map, by has() and set()",
    overtaken(
      new Map<string, number>(),
      function* (map) {
        const known = map.has("a");
        yield* sleep(0);
        if (!known) map.set("a", 1);
      },
      (map) => {
        map.set("a", 9);
      },
    ),
  ],
  [
    "a Map, by iterating and delete()",
    overtaken(
      new Map([["a", 1]]),
      function* (map) {
        const keys = [...map.keys()];
        yield* sleep(0);
        for (const key of keys) map.delete(key);
      },
      (map) => {
        map.set("a", 2);
      },
    ),
  ],
  [
    "a Map, by size and clear()",
    overtaken(
      new Map([["a", 1]]),
      function* (map) {
        const { size } = map;
        yield* sleep(0);
        if (size === 1) map.clear();
      },
      (map) => {
        map.set("a", 2);
      },
    ),
  ],
  [
    "a Set, by has() and add()",
    overtaken(
      new Set<string>(),
      function* (set) {
        const taken = set.has("seat 1");
        yield* sleep(0);
        if (!taken) set.add("seat 1");
      },
      (set) => {
        set.add("seat 1");
      },
    ),
  ],
  [
    "a nested object",
    overtaken(
      { user: { visits: [{ count: 1 }] } },
      function* (box) {
        const count = box.user.visits[0]?.count as number;
        yield* sleep(0);
        (box.user.visits[0] as { count: number }).count = count + 1;
      },
      (box) => {
        (box.user.visits[0] as { count: number }).count = 5;
      },
    ),
  ],
  [
    "an object in a Map in an object",
    overtaken(
      { accounts: new Map([["ann", { balance: 1 }]]) },
      function* (bank) {
        const ann = bank.accounts.get("ann") as { balance: number };
        const { balance } = ann;
        yield* sleep(0);
        ann.balance = balance + 1;
      },
      (bank) => {
        (bank.accounts.get("ann") as { balance: number }).balance = 9;
      },
    ),
  ],
  [
    "a key that is deleted",
    overtaken(
      { token: "old" } as { token?: string },
      function* (box) {
        const known = "token" in box;
        yield* sleep(0);
        if (known) delete box.token;
      },
      (box) => {
        box.token = "new";
      },
    ),
  ],
])("shared(), reports one stale write, of %s", async (_, body) => {
  expect((await staleIn(body)).length).toBe(1);
});

test.each<[string, TestBody]>([
  [
    "it reads and writes within a step",
    overtaken(
      { value: 1 },
      function* (box) {
        yield* sleep(0);
        box.value += 1;
        yield* sleep(0);
        box.value += 1;
      },
      (box) => {
        box.value += 1;
      },
    ),
  ],
  [
    "it reads again before it writes",
    overtaken(
      { value: 1 },
      function* (box) {
        const before = box.value;
        yield* sleep(0);
        box.value = Math.max(before, box.value) + 1;
      },
      (box) => {
        box.value = 5;
      },
    ),
  ],
  [
    "it writes what it has not read",
    overtaken(
      { value: 1 },
      function* (box) {
        yield* sleep(0);
        box.value = 3;
      },
      (box) => {
        box.value = 5;
      },
    ),
  ],
  [
    "the other one has changed another key",
    overtaken(
      { a: 1, b: 1 },
      function* (box) {
        const { a } = box;
        yield* sleep(0);
        box.a = a + 1;
      },
      (box) => {
        box.b = 5;
      },
    ),
  ],
  [
    "the other one has only read",
    overtaken(
      new Map([["a", 1]]),
      function* (map) {
        const value = map.get("a") as number;
        yield* sleep(0);
        map.set("a", value + 1);
      },
      (map) => {
        map.get("a");
      },
    ),
  ],
  [
    "it has itself changed the value meanwhile",
    overtaken(
      { value: 1 },
      function* (box) {
        const { value } = box;
        yield* sleep(0);
        box.value = 2;
        yield* sleep(0);
        box.value = value;
      },
      () => {},
    ),
  ],
])("shared(), reports nothing, when %s", async (_, body) => {
  expect(await staleIn(body)).toEqual([]);
});

test("shared(), reports nothing, when a lock is held from the read to the write", async () => {
  const counting =
    (lock: Lock | null): TestBody =>
    async () => {
      const counter = shared({ value: 0 });
      const add = async () => {
        const { value } = counter;
        await sleep(0);
        counter.value = value + 1;
      };
      const task = () => createTask(() => (lock === null ? add() : lock.with(add)));
      await gather(task(), task(), task());
      return counter.value;
    };

  expect(await runTest(counting(new Lock()))).toBe(3);
  expect((await staleIn(counting(null))).length).toBe(2);
});

test("shared(), lets an object be used as ever, when one task uses it", async () => {
  await runTest(async () => {
    const list = shared([3, 1, 2]);
    list.sort();
    expect(list.map((each) => each * 2)).toEqual([2, 4, 6]);
    expect(Array.isArray(list)).toBe(true);
    list.splice(1, 1, 7, 8);
    expect([...list]).toEqual([1, 7, 8, 3]);
    const map = shared(new Map([["a", { n: 1 }]]));
    expect(map.set("b", { n: 2 })).toBe(map);
    expect([map.size, [...map.keys()], map.has("c"), map.delete("b")]).toEqual([2, ["a", "b"], false, true]);
    expect([...map.entries()].map(([key, { n }]) => `${key}${n}`)).toEqual(["a1"]);
    const set = shared(new Set([1]));
    expect(set.add(2)).toBe(set);
    expect([...set]).toEqual([1, 2]);
    expect(set instanceof Set).toBe(true);
    const box = shared({ inner: { deep: 1 }, date: new Date(0), method: () => 5 } as Record<string, unknown>);
    expect(box["inner"]).toBe(box["inner"]);
    expect((box["date"] as Date).getTime()).toBe(0);
    expect((box["method"] as () => number)()).toBe(5);
    expect(Object.keys(box)).toEqual(["inner", "date", "method"]);
  });
});

test("shared(), gives the same watched object, when asked twice or of a watched one", () => {
  const object = { value: 1 };
  const watched = shared(object);

  expect(shared(object)).toBe(watched);
  expect(shared(watched)).toBe(watched);
  expect(watched).not.toBe(object);
  watched.value = 2;
  expect(object.value).toBe(2);
});

test("shared(), does not watch who is in no task", () => {
  const box = shared({ value: 1 });
  box.value = box.value + 1;

  expect(currentTask()).toBeNull();
  expect(box.value).toBe(2);
});

test.each([[new Date(0)], [new (class Account {})()], [new WeakMap()], [5], [null], [() => {}]])(
  "shared(), refuses %o, which it cannot watch",
  (value) => {
    expect(() => shared(value as object)).toThrow(TypeError);
    expect(() => shared(value as object)).toThrow(/a plain object, an array, a Map or a Set for shared\(\)/);
  },
);

test("shared(), throws from the write, when no test runs", async () => {
  const box = shared({ value: 1 }, "box");
  const error = await run(async () => {
    const { value } = box;
    await createTask(
      async () => {
        box.value = 5;
      },
      { name: "other" },
    );
    try {
      box.value = value + 1;
    } catch (stale) {
      return stale;
    }
    return null;
  });

  expect(error).toBeInstanceOf(StaleWriteError);
  expect(error).toMatchObject({ code: "STALE_WRITE" });
  expect((error as Error).message).toMatch(
    /^stale write: ".*" wrote box\.value from what it had read before "other" changed it; hold a lock .*, or read again$/,
  );
});
