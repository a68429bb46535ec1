import { createTask, gather, PriorityQueue, Queue, QueueShutDown, sleep, type Task } from "tsyncio";
import { expect, test } from "vitest";
import { cancelEverywhere, pause } from "../support/cancel-everywhere.ts";
import { virtually } from "../support/virtual.ts";

function drain<T>(queue: PriorityQueue<T>): T[] {
  const items: T[] = [];
  while (!queue.empty()) items.push(queue.getNowait());
  return items;
}

function filled<T>(items: Iterable<T>, options?: ConstructorParameters<typeof PriorityQueue<T>>[1]): PriorityQueue<T> {
  const queue = new PriorityQueue<T>(0, options);
  for (const item of items) queue.putNowait(item);
  return queue;
}

/** Numbers that look random, the same in every run. */
function* scattered(count: number): Generator<number, void, unknown> {
  let state = 12345;
  for (let i = 0; i < count; i++) {
    state = (state * 1103515245 + 12345) % 2147483648;
    yield state % 50;
  }
}

test("PriorityQueue is a Queue that gives the least number first", () => {
  const queue = filled([1, 3, 2, -1, 10]);

  expect(queue).toBeInstanceOf(Queue);
  expect(drain(queue)).toEqual([-1, 1, 2, 3, 10]);
});

test("PriorityQueue orders strings by code unit, dates by time, bigints with numbers", () => {
  const [early, late] = [new Date(1), new Date(2)];

  expect(drain(filled(["b", "a", "B", ""]))).toEqual(["", "B", "a", "b"]);
  expect(drain(filled([late, early]))).toEqual([early, late]);
  expect(drain(filled<number | bigint>([2, 1n, 3n, 0.5]))).toEqual([0.5, 1n, 2, 3n]);
  expect(drain(filled([Number.POSITIVE_INFINITY, 0, Number.NEGATIVE_INFINITY]))).toEqual([
    Number.NEGATIVE_INFINITY,
    0,
    Number.POSITIVE_INFINITY,
  ]);
});

test("PriorityQueue orders arrays as Python orders tuples", () => {
  const items: (number | string)[][] = [[2, "a"], [1, "b"], [1, "a", 0], [1], [], [1, "a"]];

  expect(drain(filled(items))).toEqual([[], [1], [1, "a"], [1, "a", 0], [1, "b"], [2, "a"]]);
});

test("PriorityQueue orders nested arrays", () => {
  expect(drain(filled([[[2, 1]], [[1, 9]], [[1, 2]]]))).toEqual([[[1, 2]], [[1, 9]], [[2, 1]]]);
});

test("PriorityQueue gives equal items in the order in which they were put", () => {
  const items = [...scattered(500)].map((priority, order) => ({ priority, order }));
  const queue = filled(items, { compare: (a, b) => a.priority - b.priority });

  const got = drain(queue);

  expect(got).toEqual(items.toSorted((a, b) => a.priority - b.priority));
});

test("PriorityQueue keeps its order, when items are taken between puts", () => {
  const queue = new PriorityQueue<[number, number]>();
  const mirror: [number, number][] = [];
  const pairs: [number, number][] = [];
  let order = 0;
  for (const priority of scattered(400)) {
    queue.putNowait([priority, order]);
    mirror.push([priority, order]);
    mirror.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    if (order++ % 3 === 0) pairs.push([(queue.getNowait() as [number, number])[1], (mirror.shift() as [number, number])[1]]);
  }

  expect(pairs.map(([got]) => got)).toEqual(pairs.map(([, expected]) => expected));
  expect(drain(queue)).toEqual(mirror);
});

test("PriorityQueue takes an order of one's own", () => {
  expect(drain(filled([1, 3, 2], { compare: (a, b) => b - a }))).toEqual([3, 2, 1]);
});

test("PriorityQueue refuses an order that is not a function", () => {
  // @ts-expect-error a string is no function
  expect(() => new PriorityQueue(0, { compare: "asc" })).toThrow('Expected `compare` to be a function, got "asc" (string)');
});

test("PriorityQueue.putNowait() leaves the queue as it was, when items cannot be compared", () => {
  const queue = filled<unknown>([3, 1, 2]);

  expect(() => queue.putNowait("x")).toThrow(
    'Cannot order "x" (string) and 3 (number) in a PriorityQueue: put numbers, strings or arrays [priority, item], or pass { compare }',
  );
  expect(() => queue.putNowait({})).toThrow(TypeError);
  expect(() => queue.putNowait(Number.NaN)).toThrow(TypeError);
  expect(() => queue.putNowait(undefined)).toThrow(TypeError);

  expect(String(queue)).toBe("<PriorityQueue maxsize=0 qsize=3 tasks=3>");
  expect(drain(queue)).toEqual([1, 2, 3]);
});

test("PriorityQueue.putNowait() leaves the queue as it was, when the comparison throws half-way up", () => {
  let compared = 0;
  let limit = Number.POSITIVE_INFINITY;
  const queue = filled([...Array(31).keys()], {
    compare: (a, b) => {
      if (++compared > limit) throw new Error("compare");
      return a - b;
    },
  });
  limit = compared + 3;

  expect(() => queue.putNowait(-1)).toThrow("compare");
  limit = Number.POSITIVE_INFINITY;

  expect(drain(queue)).toEqual([...Array(31).keys()]);
});

test("PriorityQueue.getNowait() loses and doubles no item, when the comparison throws", () => {
  for (let step = 0; step < 8; step++) {
    let compared = 0;
    let limit = Number.POSITIVE_INFINITY;
    const queue = filled([...Array(31).keys()].reverse(), {
      compare: (a, b) => {
        if (++compared > limit) throw new Error("compare");
        return a - b;
      },
    });
    limit = compared + step;

    let got: number[] = [];
    try {
      got = [queue.getNowait()];
    } catch (error) {
      expect(error).toMatchObject({ message: "compare" });
    }
    limit = Number.POSITIVE_INFINITY;

    expect([...got, ...drain(queue)], `the comparison throws at ${step}`).toEqual([...Array(31).keys()]);
  }
});

test("PriorityQueue.getNowait() loses no item, when those behind it cannot be compared", () => {
  const [first, a, b] = [
    [0, "first"],
    [1, { id: "a" }],
    [1, { id: "b" }],
  ] as [unknown, unknown, unknown];
  const queue = filled([first, a, b]);

  expect(() => queue.getNowait()).toThrow("Cannot order an object and an object in a PriorityQueue");

  expect(queue.qsize()).toBe(3);
});

test("PriorityQueue.put() wakes the next putter, when the item that had room cannot be compared", async () => {
  await virtually(function* () {
    const queue = new PriorityQueue<unknown>(2);
    queue.putNowait(1);
    queue.putNowait(2);
    const bad = createTask(queue.put("x"));
    const good = createTask(queue.put(3));
    yield* sleep(0);

    queue.getNowait();
    yield* sleep(5);

    expect(bad.exception()).toBeInstanceOf(TypeError);
    expect([good.done(), queue.qsize()]).toEqual([true, 2]);
    good.cancel();
  });
});

test("PriorityQueue.get() gives the least of what is there when the getter runs", async () => {
  await virtually(function* () {
    const queue = new PriorityQueue<number>();
    const getters = [1, 2, 3].map(() => createTask(queue.get()));
    yield* sleep(0);

    for (const item of [3, 1, 2]) queue.putNowait(item);

    expect(yield* gather(getters)).toEqual([1, 2, 3]);
  });
});

test("PriorityQueue.put() waits while it is full, and orders those that come in later", async () => {
  await virtually(async () => {
    const queue = new PriorityQueue<number>(2);
    const producer = createTask(async () => {
      for (const item of [5, 4, 3, 2, 1]) await queue.put(item);
      queue.shutdown();
    });

    await sleep(1);
    const got: number[] = [];
    for await (const item of queue) {
      got.push(item);
      await sleep(1);
    }
    await producer;

    expect(got).toEqual([4, 3, 2, 1, 5]);
  });
});

test("PriorityQueue.shutdown() lets the rest be taken in order", async () => {
  await virtually(function* () {
    const queue = filled([2, 1]);

    queue.shutdown();
    const got = [yield* queue.get(), yield* queue.get()];

    expect(got).toEqual([1, 2]);
    expect(() => queue.getNowait()).toThrow(QueueShutDown);
  });
});

test("PriorityQueue shows its kind and its name in texts", async () => {
  await virtually(function* () {
    const queue = new PriorityQueue<number>(2, { name: "urgent" });
    const task: Task<number> = createTask(queue.get());
    yield* sleep(0);

    const text = task.waitingFor;
    task.cancel();

    expect(text).toBe("PriorityQueue 'urgent'.get (empty)");
    expect(String(new PriorityQueue(2))).toBe("<PriorityQueue maxsize=2 qsize=0>");
  });
});

test("PriorityQueue loses and doubles no item, whichever task is cancelled at whichever turn", async () => {
  const sweep = await cancelEverywhere((stage) => {
    const queue = new PriorityQueue<number>(2);
    const consumed: number[] = [];
    let produced = 0;
    const producer = stage.actor("producer", function* () {
      for (const item of [3, 1, 2]) {
        yield queue.put(item);
        produced++;
      }
    });
    const consumers = ["A", "B"].map((name) =>
      stage.actor(name, function* () {
        try {
          for (;;) {
            consumed.push(yield queue.get());
            yield* pause();
          }
        } catch (error) {
          if (!(error instanceof QueueShutDown)) throw error;
        }
      }),
    );
    stage.helper("closer", function* () {
      yield producer.join();
      queue.shutdown();
      for (const consumer of consumers) yield consumer.join();
      consumed.push(...drain(queue));
    });
    return () => {
      expect(new Set(consumed).size).toBe(consumed.length);
      expect(consumed.length - produced).toBeGreaterThanOrEqual(0);
      expect(consumed.length - produced).toBeLessThanOrEqual(stage.spelling === "await" ? 1 : 0);
    };
  });

  expect(sweep.cancelled).toBeGreaterThan(50);
});
