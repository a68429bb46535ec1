/** Queue, LifoQueue, PriorityQueue: waiting, cancelling, joining, shutting down. After CPython's test_queues.py. */

import {
  CancelledError,
  type Coroutine,
  createTask,
  Event,
  type Future,
  gather,
  getRunningLoop,
  LifoQueue,
  PriorityQueue,
  Queue,
  QueueEmpty,
  QueueFull,
  QueueShutDown,
  sleep,
  type Task,
  TimeoutError,
  taskGroup,
  waitFor,
} from "tsyncio";
import { describe, expect, test } from "vitest";
import { virtually } from "../support/virtual.ts";

/** The error that awaiting ends with. */
function* errorOf(awaited: Future<unknown> | Coroutine<unknown>): Coroutine<unknown> {
  try {
    yield* awaited;
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

/** How many wait to get or to put, as the text of a queue tells. */
function inLine(queue: Queue<never> | Queue<number>, line: "getters" | "putters"): number {
  return Number(new RegExp(`${line}\\[(\\d+)\\]`).exec(String(queue))?.[1] ?? 0);
}

/** Puts all, takes as many: the order in which they come. */
function* through(queue: Queue<number>, items: number[]): Coroutine<number[]> {
  for (const item of items) yield* queue.put(item);
  const taken: number[] = [];
  for (const _ of items) taken.push(yield* queue.get());
  return taken;
}

// ── Size, order, text ────────────────────────────────────────────────────────────────────────────────────────────────────

test("Queue.toString(), tells its kind, how many wait to get or to put, and how many items are in", async () => {
  await virtually(function* () {
    expect(String(new Queue())).toMatch(/^<Queue/);

    const empty = new Queue<number>();
    const getter = yield* taskGroup(function* (group) {
      const task = group.createTask(empty.get());
      yield* sleep(0);
      expect(String(empty)).toContain("getters[1]");
      empty.putNowait(0);
      return task;
    });
    expect(yield* getter).toBe(0);

    const full = new Queue<number>(1);
    const putter = yield* taskGroup(function* (group) {
      full.putNowait(1);
      const task = group.createTask(full.put(2));
      yield* sleep(0);
      expect(String(full)).toContain("putters[1]");
      full.getNowait();
      return task;
    });
    expect(putter.done()).toBe(true);

    const one = new Queue<number>();
    one.putNowait(1);
    expect(String(one)).toContain("qsize=1");
  });
});

test("Queue.empty(), tells whether something is in, before put() and after, and after get()", async () => {
  await virtually(function* () {
    const queue = new Queue<number>();
    const states = [queue.empty()];
    yield* queue.put(1);
    states.push(queue.empty());
    expect(yield* queue.get()).toBe(1);
    states.push(queue.empty());

    expect(states).toEqual([true, false, true]);
  });
});

test("Queue.full(), tells whether a limit is reached, after put()", async () => {
  await virtually(function* () {
    const queue = new Queue<number>(1);
    yield* queue.put(1);

    expect([new Queue().full(), queue.full()]).toEqual([false, true]);
  });
});

test("Queue, LifoQueue and PriorityQueue, give items oldest first, newest first, least first", async () => {
  await virtually(function* () {
    expect(yield* through(new Queue(), [1, 3, 2])).toEqual([1, 3, 2]);
    expect(yield* through(new LifoQueue(), [1, 3, 2])).toEqual([2, 3, 1]);
    expect(yield* through(new PriorityQueue(), [1, 3, 2])).toEqual([1, 2, 3]);
  });
});

test("Queue.put(), waits at maxsize, and goes on in the turn after an item was taken", async () => {
  await virtually(function* () {
    const queue = new Queue<number>(2);
    expect(queue.maxsize).toBe(2);
    const put: number[] = [];
    const task = createTask(function* () {
      for (const item of [0, 1, 2]) {
        yield* queue.put(item);
        put.push(item);
      }
      return true;
    });
    yield* sleep(0);
    yield* sleep(0);

    expect(put).toEqual([0, 1]);
    expect(yield* queue.get()).toBe(0);
    yield* sleep(0);
    expect(put).toEqual([0, 1, 2]);
    expect([yield* queue.get(), yield* queue.get()]).toEqual([1, 2]);
    expect([task.done(), task.result()]).toEqual([true, true]);
  });
});

// ── get ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("Queue.get(), wakes the first that waits to put, when the queue was full", async () => {
  await virtually(function* () {
    const queue = new Queue<number>(1);
    yield* queue.put(1);
    const putter = createTask(queue.put(2));
    yield* sleep(0);
    expect([inLine(queue, "putters"), putter.done()]).toEqual([1, false]);

    expect(yield* queue.get()).toBe(1);
    expect(inLine(queue, "putters")).toBe(0);
    yield* sleep(0);

    expect([putter.done(), putter.result()]).toEqual([true, undefined]);
  });
});

test("Queue.get(), waits until an item is put by a timer", async () => {
  await virtually(function* () {
    const queue = new Queue<number>();
    const started = new Event();
    let finished = false;
    const task = createTask(function* () {
      started.set();
      const item = yield* queue.get();
      finished = true;
      return item;
    });
    yield* started.wait();
    expect(finished).toBe(false);

    getRunningLoop().callLater("10ms", () => queue.putNowait(1));

    expect([yield* task, finished]).toEqual([1, true]);
  });
});

test("Queue getNowait() and putNowait(), work at once or are errors, when no loop runs", () => {
  const queue = new Queue<number>(1);

  expect(() => queue.getNowait()).toThrow(QueueEmpty);
  queue.putNowait(1);
  expect(() => queue.putNowait(2)).toThrow(QueueFull);
  expect(queue.getNowait()).toBe(1);
});

test("Queue.get(), takes an item that is put after the getter before it was cancelled and done", async () => {
  await virtually(function* () {
    const queue = new Queue<string>();
    const first = createTask(queue.get());
    const second = createTask(queue.get());
    yield* sleep(0);
    first.cancel();
    yield* sleep(0);
    expect(first.done()).toBe(true);

    yield* queue.put("a");
    yield* sleep(0);

    expect(second.done()).toBe(true);
    expect(yield* second).toBe("a");
  });
});

test("Queue.get(), takes what several putters put in, in order, when the queue holds one item", async () => {
  await virtually(function* () {
    const queue = new Queue<string>(1);
    createTask(queue.put("a"));
    createTask(queue.put("b"));

    expect([yield* queue.get(), yield* queue.get()]).toEqual(["a", "b"]);
  });
});

test("Queue, brings all items from a producer to a consumer, when it holds one item", async () => {
  await virtually(function* () {
    const queue = new Queue<number>(1);
    const got: number[] = [];

    yield* taskGroup(function* (group) {
      group.createTask(function* () {
        for (let item = 0; item < 5; item++) yield* queue.put(item);
      });
      group.createTask(function* () {
        for (let i = 0; i < 5; i++) got.push(yield* queue.get());
      });
    });

    expect([got, inLine(queue, "getters"), inLine(queue, "putters")]).toEqual([[0, 1, 2, 3, 4], 0, 0]);
  });
});

test("Queue.get(), leaves nobody in line, when waitFor() ends it", async () => {
  await virtually(function* () {
    const queue = new Queue<number>(5);

    expect(yield* errorOf(createTask(waitFor(queue.get(), "100ms")))).toBeInstanceOf(TimeoutError);

    expect(inLine(queue, "getters")).toBe(0);
  });
});

test("Queue.get(), takes the first item when tried again, when it was cancelled after two were put", async () => {
  await virtually(function* () {
    const queue = new Queue<number>();
    const reader = createTask(queue.get());
    yield* sleep(0);

    queue.putNowait(1);
    queue.putNowait(2);
    reader.cancel();

    expect(yield* errorOf(reader)).toBeInstanceOf(CancelledError);
    expect(yield* createTask(queue.get())).toBe(1);
  });
});

test("Queue.get(), leaves all items to the others that wait, when the first is cancelled after they were put", async () => {
  await virtually(function* () {
    const queue = new Queue<number>();
    const results = yield* taskGroup(function* (group) {
      const readers = [1, 2, 3].map(() => group.createTask(queue.get()));
      const [first, second, third] = readers as [Task<number>, Task<number>, Task<number>];
      yield* sleep(0);

      queue.putNowait(1);
      queue.putNowait(2);
      first.cancel();
      expect(yield* errorOf(first)).toBeInstanceOf(CancelledError);
      yield* third;
      return [second, third];
    });

    expect(results.map((task) => task.result()).toSorted()).toEqual([1, 2]);
  });
});

// ── put ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("Queue.put(), does not wait, when there is no limit", async () => {
  await virtually(function* () {
    const queue = new Queue<number>();

    yield* queue.put(1);

    expect(yield* queue.get()).toBe(1);
  });
});

test("Queue.put(), waits until a timer takes an item, when the queue is full", async () => {
  await virtually(function* () {
    const queue = new Queue<number>(1);
    const started = new Event();
    let finished = false;
    getRunningLoop().callLater("10ms", () => queue.getNowait());
    const task = createTask(function* () {
      started.set();
      yield* queue.put(1);
      yield* queue.put(2);
      finished = true;
    });
    yield* started.wait();
    expect(finished).toBe(false);

    yield* task;

    expect([finished, queue.qsize()]).toEqual([true, 1]);
  });
});

test("Queue.put(), puts its item in once when tried again, when it was cancelled as it had room", async () => {
  await virtually(function* () {
    const queue = new Queue<number>(1);
    queue.putNowait(1);
    const writer = createTask(queue.put(2));
    yield* sleep(0);

    expect(queue.getNowait()).toBe(1);
    writer.cancel();
    expect(yield* errorOf(writer)).toBeInstanceOf(CancelledError);
    expect(queue.qsize()).toBe(0);
    yield* createTask(queue.put(2));

    expect([queue.getNowait(), queue.qsize()]).toEqual([2, 0]);
  });
});

test("Queue.put(), ends in the turn in which its item is taken, when the queue was empty", async () => {
  await virtually(function* () {
    const queue = new Queue<number>();
    const task = createTask(function* () {
      yield* queue.put(1);
      return true;
    });

    expect(yield* queue.get()).toBe(1);

    expect([task.done(), task.result()]).toEqual([true, true]);
  });
});

test("Queue.put(), keeps the order of those that are left, when the last that waits is cancelled", async () => {
  await virtually(function* () {
    const queue = new Queue<string>(1);
    const tasks = ["a", "b", "X"].map((item) => createTask(queue.put(item)));
    const [a, b, x] = tasks as [Task<void>, Task<void>, Task<void>];
    yield* sleep(0);
    expect([a.done(), b.done()]).toEqual([true, false]);

    x.cancel();
    yield* sleep(0);
    expect(x.done()).toBe(true);
    expect(queue.getNowait()).toBe("a");
    yield* sleep(0);
    expect(queue.getNowait()).toBe("b");

    yield* b;
    expect(queue.empty()).toBe(true);
  });
});

test("Queue.put(), hands its item to a getter that waits", async () => {
  await virtually(function* () {
    const queue = new Queue<string>();
    const getter = createTask(queue.get());
    yield* sleep(0);

    yield* queue.put("a");

    expect(yield* getter).toBe("a");
  });
});

test("Queue.getNowait(), wakes one that waits to put per item, when several are taken at once", async () => {
  await virtually(function* () {
    const queue = new Queue<number>(2);
    const got: number[] = [];

    yield* taskGroup(function* (group) {
      group.createTask(function* () {
        yield* sleep(0);
        const count = queue.qsize();
        for (let i = 0; i < count; i++) got.push(queue.getNowait());
      });
      for (const item of [0, 1, 2, 3]) group.createTask(queue.put(item));
    });

    expect([got, queue.getNowait(), queue.getNowait()]).toEqual([[0, 1], 2, 3]);
  });
});

test("Queue.put(), leaves nobody in line, when cancelled while it waits", async () => {
  await virtually(function* () {
    const queue = new Queue<number>(1);
    queue.putNowait(1);
    const task = createTask(queue.put(1));
    yield* sleep(0);
    expect(inLine(queue, "putters")).toBe(1);

    task.cancel();

    expect(yield* errorOf(task)).toBeInstanceOf(CancelledError);
    expect(inLine(queue, "putters")).toBe(0);
  });
});

test("Queue.put(), throws the cancellation and nothing else, when getNowait() has taken it out of the line", async () => {
  await virtually(function* () {
    const queue = new Queue<number>(1);
    queue.putNowait(1);
    const task = createTask(queue.put(1));
    yield* sleep(0);

    queue.getNowait();
    expect(inLine(queue, "putters")).toBe(0);
    task.cancel();

    expect(yield* errorOf(task)).toBeInstanceOf(CancelledError);
  });
});

// ── join and shutdown, of each kind ──────────────────────────────────────────────────────────────────────────────────────

/** Puts and gets are errors now, in all four forms. */
function* expectShutDown(queue: Queue<string>): Coroutine<void> {
  expect(yield* errorOf(createTask(queue.put("data")))).toBeInstanceOf(QueueShutDown);
  expect(() => queue.putNowait("data")).toThrow(QueueShutDown);
  expect(yield* errorOf(createTask(queue.get()))).toBeInstanceOf(QueueShutDown);
  expect(() => queue.getNowait()).toThrow(QueueShutDown);
}

describe.each([
  ["Queue", Queue],
  ["LifoQueue", LifoQueue],
  ["PriorityQueue", PriorityQueue],
] as const)("%s", (_, Kind) => {
  test("taskDone(), is an error, when nothing was put", () => {
    expect(() => new Kind().taskDone()).toThrow(RangeError);
  });

  test("join(), waits until two workers have done a hundred items", async () => {
    await virtually(function* () {
      const queue = new Kind<number>();
      for (let item = 0; item < 100; item++) queue.putNowait(item);
      let sum = 0;
      let running = true;
      const worker = function* (): Coroutine<void> {
        while (running) {
          const item = yield* queue.get();
          sum += item;
          queue.taskDone();
        }
      };

      yield* taskGroup(function* (group) {
        for (let i = 0; i < 2; i++) group.createTask(worker());
        yield* queue.join();
        expect(sum).toBe(4950);
        running = false;
        for (let i = 0; i < 2; i++) queue.putNowait(0);
      });

      expect(sum).toBe(4950);
    });
  });

  test("join(), returns at once and again, when nothing was put", async () => {
    await virtually(function* () {
      const queue = new Kind<number>();

      yield* queue.join();
      yield* queue.join();

      expect(queue.empty()).toBe(true);
    });
  });

  test("toString(), tells the limit, how many tasks are unfinished, and that it was shut down", () => {
    const queue = new Kind<number>();
    expect(String(queue)).toMatch(/ maxsize=0 (?!.*(tasks|shutdown))/);
    queue.putNowait(1);
    queue.putNowait(2);
    queue.getNowait();
    expect(String(queue)).toMatch(/ maxsize=0 .*tasks=2/);

    const ended = new Kind<number>();
    ended.shutdown();
    expect(String(ended)).toMatch(/ maxsize=0 (?!.*tasks).*shutdown/);
  });

  test("shutdown(), ends a get() that waits and all puts and gets that come, when empty; join() is free", async () => {
    await virtually(function* () {
      const queue = new Kind<string>();
      const getter = createTask(queue.get());
      yield* sleep(0);

      queue.shutdown({ immediate: false });
      expect(queue.qsize()).toBe(0);
      yield* queue.join();
      yield* sleep(0);

      expect(getter.done()).toBe(true);
      expect(yield* errorOf(getter)).toBeInstanceOf(QueueShutDown);
      yield* expectShutDown(queue);
    });
  });

  test("shutdown(), ends a put() that waits, leaves what is in, and join() waits for that, when not empty", async () => {
    await virtually(function* () {
      const queue = new Kind<string>(1);
      queue.putNowait("data");
      const joiner = createTask(queue.join());
      const putter = createTask(queue.put("data2"));
      yield* sleep(0);
      expect(putter.done()).toBe(false);

      queue.shutdown({ immediate: false });
      expect(queue.qsize()).toBe(1);
      yield* sleep(0);
      expect(putter.done()).toBe(true);
      expect(yield* errorOf(putter)).toBeInstanceOf(QueueShutDown);

      expect(yield* queue.get()).toBe("data");
      yield* sleep(0);
      expect(joiner.done()).toBe(false);
      yield* expectShutDown(queue);

      queue.taskDone();
      yield* sleep(0);
      expect(joiner.done()).toBe(true);
      yield* joiner;
      expect(() => queue.taskDone()).toThrow(RangeError);
    });
  });

  test("shutdown({ immediate }), drops what is in and frees join()", async () => {
    await virtually(function* () {
      const queue = new Kind<string>();
      queue.putNowait("data");
      const joiner = createTask(queue.join());

      queue.shutdown({ immediate: true });
      expect(queue.qsize()).toBe(0);
      yield* sleep(0);
      expect(joiner.done()).toBe(true);
      yield* joiner;

      yield* expectShutDown(queue);
      expect(() => queue.taskDone()).toThrow(RangeError);
    });
  });

  test("shutdown({ immediate }), drops what is in, and join() waits for what was taken before", async () => {
    await virtually(function* () {
      const queue = new Kind<string>();
      queue.putNowait("data");
      queue.putNowait("data");
      const joiner = createTask(queue.join());
      expect(yield* queue.get()).toBe("data");

      queue.shutdown({ immediate: true });
      expect(queue.qsize()).toBe(0);
      yield* sleep(0);
      expect(joiner.done()).toBe(false);
      yield* expectShutDown(queue);

      queue.taskDone();
      expect(() => queue.taskDone()).toThrow(RangeError);
      yield* sleep(0);
      expect(joiner.done()).toBe(true);
      yield* joiner;
    });
  });
});

// ── async functions ──────────────────────────────────────────────────────────────────────────────────────────────────────

test("Queue get() and put(), lose nothing of async functions, when woken and then cancelled", async () => {
  await virtually(async () => {
    const queue = new Queue<number>(1);
    const reader = createTask(async () => queue.get());
    await sleep(0);
    queue.putNowait(1);
    const writers = [2, 3].map((item) => createTask(async () => queue.put(item)));
    await sleep(1);
    expect([reader.result(), writers.map((task) => task.done())]).toEqual([1, [true, false]]);

    expect(queue.getNowait()).toBe(2);
    writers[1]?.cancel();
    await writers[1]?.join();
    const late = createTask(async () => queue.put(4));
    const others = [createTask(async () => queue.get()), createTask(async () => queue.get())];
    await sleep(1);
    queue.putNowait(5);
    others[1]?.cancel();
    const results = await gather([late, ...others], { returnExceptions: true });

    expect(results.slice(0, 2)).toEqual([undefined, 4]);
    expect(results[2]).toBeInstanceOf(CancelledError);
    expect([queue.getNowait(), queue.empty()]).toEqual([5, true]);
  });
});
