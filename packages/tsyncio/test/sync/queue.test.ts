import {
  type Coroutine,
  createTask,
  EventLoop,
  gather,
  getRunningLoop,
  LifoQueue,
  PriorityQueue,
  Queue,
  QueueEmpty,
  QueueFull,
  QueueShutDown,
  Runner,
  run,
  sleep,
  type Task,
  TimeoutError,
  waitFor,
} from "tsyncio";
import { expect, test } from "vitest";
import { cancelEverywhere, pause, type Script } from "../support/cancel-everywhere.ts";
import { turn, VirtualHost, virtually } from "../support/virtual.ts";

/** Which lines somebody stands in. */
function lines(queue: Queue<never> | Queue<number>): number[] {
  const { _getters, _putters, _joiners } = queue as unknown as Record<"_getters" | "_putters" | "_joiners", { length: number }>;
  return [_getters.length, _putters.length, _joiners.length];
}

/** How each of some tasks ended: its result, or the name of its error. */
function* outcomes(tasks: Task<unknown>[]): Coroutine<unknown[]> {
  const results = yield* gather(tasks, { returnExceptions: true });
  return results.map((each) => (each instanceof Error ? each.name : each));
}

// ── Size ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("Queue is empty at first and has no limit by default", () => {
  const queue = new Queue<number>();

  for (let i = 0; i < 1000; i++) queue.putNowait(i);

  expect([new Queue().empty(), new Queue().qsize(), queue.maxsize]).toEqual([true, 0, 0]);
  expect([queue.qsize(), queue.full(), queue.empty()]).toEqual([1000, false, false]);
});

test("Queue is full, when it holds maxsize items", () => {
  const queue = new Queue<number>(2);
  const states = [queue.full()];

  queue.putNowait(1);
  states.push(queue.full());
  queue.putNowait(2);
  states.push(queue.full());
  queue.getNowait();
  states.push(queue.full());

  expect([states, queue.maxsize, queue.qsize()]).toEqual([[false, false, true, false], 2, 1]);
});

test.each([0, -1, Number.POSITIVE_INFINITY])("Queue has no limit, when maxsize is %s", (maxsize) => {
  const queue = new Queue<number>(maxsize);

  for (let i = 0; i < 100; i++) queue.putNowait(i);

  expect([queue.full(), queue.qsize()]).toEqual([false, 100]);
});

test("Queue, refuses NaN for maxsize, which would mean no limit without a word", () => {
  for (const Kind of [Queue, PriorityQueue, LifoQueue]) {
    expect(() => new Kind(Number.NaN)).toThrow(RangeError);
    expect(() => new Kind(Number.NaN)).toThrow("Expected `maxsize` to be a number (0: no limit), got NaN (number)");
  }
});

test("Queue.full(), compares with maxsize as it is, also when that is no integer", () => {
  const queue = new Queue<number>(1.3);

  queue.putNowait(1);
  expect(queue.full()).toBe(false);
  queue.putNowait(2);
  expect(queue.full()).toBe(true);
  expect(new Queue(Number.NEGATIVE_INFINITY).full()).toBe(false);
});

test("Queue refuses a string and an object for maxsize", () => {
  // @ts-expect-error a string is no number
  expect(() => new Queue("3")).toThrow('got "3" (string)');
  // @ts-expect-error options come second
  expect(() => new Queue({ maxsize: 3 })).toThrow("got an object");
});

// ── put and get ──────────────────────────────────────────────────────────────────────────────────────────────────────

test("Queue gives items in the order in which they were put, falsy ones too", async () => {
  const items = [0, "", undefined, null, false, Number.NaN, 7];
  const got = await virtually(function* () {
    const queue = new Queue<unknown>();
    for (const item of items) yield* queue.put(item);

    const taken: unknown[] = [];
    while (!queue.empty()) taken.push(yield* queue.get());
    return taken;
  });

  expect(got).toEqual(items);
});

test("Queue put() and get() do not suspend, while there is room and there are items", async () => {
  await virtually(function* () {
    const queue = new Queue<number>(1);

    const before = turn(getRunningLoop());
    yield* queue.put(1);
    const item = yield* queue.get();

    expect([item, turn(getRunningLoop()) - before]).toEqual([1, 0]);
  });
});

test("Queue.get() waits for an item, and goes on in the turn after it was put", async () => {
  await virtually(function* () {
    const queue = new Queue<string>();
    const loop = getRunningLoop();
    const getter = createTask(function* () {
      return [yield* queue.get(), turn(loop)];
    });
    yield* sleep(5);
    const waited = !getter.done();

    const put = turn(loop);
    queue.putNowait("tea");

    expect([waited, yield* getter]).toEqual([true, ["tea", put + 1]]);
  });
});

test("Queue.get() serves waiters in order of arrival", async () => {
  await virtually(function* () {
    const queue = new Queue<number>();
    const getters = [1, 2, 3].map(() => createTask(queue.get()));
    yield* sleep(0);

    for (const item of [1, 2, 3]) queue.putNowait(item);

    expect(yield* gather(getters)).toEqual([1, 2, 3]);
  });
});

test("Queue.put() waits for room, and serves waiters in order of arrival", async () => {
  await virtually(function* () {
    const queue = new Queue<number>(1);
    yield* queue.put(0);
    const putters = [1, 2, 3].map((item) => createTask(queue.put(item)));
    yield* sleep(5);
    const before = [queue.qsize(), putters.some((task) => task.done())];

    const got = [yield* queue.get(), yield* queue.get(), yield* queue.get(), yield* queue.get()];

    expect([before, got]).toEqual([
      [1, false],
      [0, 1, 2, 3],
    ]);
    yield* gather(putters);
  });
});

test("Queue puts no item in, before its put() has room", async () => {
  await virtually(function* () {
    const queue = new Queue<number>(1);
    queue.putNowait(1);
    const putter = createTask(queue.put(2));
    yield* sleep(5);

    const text = String(queue);
    putter.cancel();
    yield* putter.join();

    expect(text).toBe("<Queue maxsize=1 qsize=1 putters[1] tasks=1>");
    expect([queue.getNowait(), queue.empty()]).toEqual([1, true]);
  });
});

test("Queue.get() waits again, when getNowait() of another took the item meanwhile", async () => {
  await virtually(function* () {
    const queue = new Queue<number>();
    const getter = createTask(queue.get());
    yield* sleep(0);

    queue.putNowait(1);
    const stolen = queue.getNowait();
    yield* sleep(5);
    const waited = !getter.done();
    queue.putNowait(2);

    expect([stolen, waited, yield* getter]).toEqual([1, true, 2]);
  });
});

test("Queue.put() waits again, when putNowait() of another took the room meanwhile", async () => {
  await virtually(function* () {
    const queue = new Queue<number>(1);
    queue.putNowait(1);
    const putter = createTask(queue.put(3));
    yield* sleep(0);

    const got = [queue.getNowait()];
    queue.putNowait(2);
    yield* sleep(5);
    const waited = !putter.done();
    got.push(yield* queue.get());
    yield* putter;
    got.push(queue.getNowait());

    expect([got, waited]).toEqual([[1, 2, 3], true]);
  });
});

test("Queue.getNowait() is an error, when the queue is empty", () => {
  const queue = new Queue<number>(0, { name: "jobs" });

  expect(() => queue.getNowait()).toThrow(QueueEmpty);
  expect(() => queue.getNowait()).toThrow("Cannot get from Queue 'jobs': it is empty");
});

test("Queue.putNowait() is an error, when the queue is full", () => {
  const queue = new Queue<number>(1);
  queue.putNowait(1);

  expect(() => queue.putNowait(2)).toThrow(QueueFull);
  expect(() => queue.putNowait(2)).toThrow("Cannot put into Queue: it holds 1 of 1");
  expect([queue.qsize(), queue.getNowait()]).toEqual([1, 1]);
});

test("Queue hands items from several producers to several consumers, each once", async () => {
  await virtually(function* () {
    const queue = new Queue<number>(2);
    const got: number[] = [];
    const producers = [0, 1, 2].map((n) =>
      createTask(function* () {
        for (let i = 0; i < 20; i++) yield* queue.put(n * 20 + i);
      }),
    );
    const consumers = [0, 1].map(() =>
      createTask(async () => {
        for await (const item of queue) got.push(item);
      }),
    );

    yield* gather(producers);
    queue.shutdown();
    yield* gather(consumers);

    expect(got.toSorted((a, b) => a - b)).toEqual([...Array(60).keys()]);
    expect(lines(queue)).toEqual([0, 0, 0]);
  });
});

// ── Cancellation ─────────────────────────────────────────────────────────────────────────────────────────────────────

test("Queue.get() leaves the line, when cancelled while it waits", async () => {
  await virtually(function* () {
    const queue = new Queue<number>();
    const [a, b] = [createTask(queue.get()), createTask(queue.get())] as const;
    yield* sleep(0);

    a.cancel();
    queue.putNowait(1);

    expect(yield* outcomes([a, b])).toEqual(["CancelledError", 1]);
    expect(lines(queue)).toEqual([0, 0, 0]);
  });
});

test("Queue.get() leaves the item to the next in line, when woken and then cancelled", async () => {
  await virtually(function* () {
    const queue = new Queue<number>();
    const [a, b] = [createTask(queue.get()), createTask(queue.get())] as const;
    yield* sleep(0);

    queue.putNowait(1);
    a.cancel();

    expect(yield* outcomes([a, b])).toEqual(["CancelledError", 1]);
  });
});

test("Queue.get() leaves the item in the queue, when woken and then cancelled with nobody behind", async () => {
  await virtually(function* () {
    const queue = new Queue<number>();
    const task = createTask(queue.get());
    yield* sleep(0);

    queue.putNowait(1);
    task.cancel();
    yield* task.join();

    expect([task.cancelled(), queue.qsize(), yield* queue.get()]).toEqual([true, 1, 1]);
  });
});

test("Queue.get() leaves the item in the queue, when the deadline passes as it is put", async () => {
  await virtually(function* () {
    const queue = new Queue<number>();
    const getter = createTask(waitFor(queue.get(), 10));
    getRunningLoop().callLater(10, () => queue.putNowait(1));
    yield* getter.join();

    expect(getter.exception()).toBeInstanceOf(TimeoutError);
    expect(queue.qsize()).toBe(1);
  });
});

test("Queue.put() leaves the room to the next in line, when woken and then cancelled", async () => {
  await virtually(function* () {
    const queue = new Queue<number>(1);
    queue.putNowait(0);
    const [a, b] = [createTask(queue.put(1)), createTask(queue.put(2))] as const;
    yield* sleep(0);

    queue.getNowait();
    a.cancel();

    expect(yield* outcomes([a, b])).toEqual(["CancelledError", undefined]);
    expect([queue.getNowait(), queue.empty(), lines(queue)]).toEqual([2, true, [0, 0, 0]]);
  });
});

test("Queue.put() leaves the line, when cancelled while it waits", async () => {
  await virtually(function* () {
    const queue = new Queue<number>(1);
    queue.putNowait(0);
    const tasks = [1, 2, 3].map((item) => createTask(queue.put(item)));
    yield* sleep(0);

    tasks[0]?.cancel();
    tasks[2]?.cancel();
    const got = [yield* queue.get(), yield* queue.get()];

    expect(got).toEqual([0, 2]);
    expect(yield* outcomes(tasks)).toEqual(["CancelledError", undefined, "CancelledError"]);
    expect([queue.empty(), lines(queue)]).toEqual([true, [0, 0, 0]]);
  });
});

test("Queue.get() leaves the item to the next, when an async function is woken and then cancelled", async () => {
  await virtually(async () => {
    const queue = new Queue<number>();
    const a = createTask(async () => await queue.get());
    const b = createTask(async () => await queue.get());
    await sleep(1);

    queue.putNowait(1);
    a.cancel();
    const results = await gather([a, b], { returnExceptions: true });

    expect([a.cancelled(), results[1]]).toEqual([true, 1]);
  });
});

// ── taskDone and join ────────────────────────────────────────────────────────────────────────────────────────────────

test("Queue.join() returns at once, when nothing was put", async () => {
  await virtually(function* () {
    const queue = new Queue<number>();

    const before = turn(getRunningLoop());
    yield* queue.join();

    expect(turn(getRunningLoop())).toBe(before);
  });
});

test("Queue.join() waits until taskDone() was called once per item, not until the queue is empty", async () => {
  await virtually(function* () {
    const queue = new Queue<number>();
    for (const item of [1, 2]) queue.putNowait(item);
    const joiners = [createTask(queue.join()), createTask(queue.join())];
    const states: boolean[] = [];

    for (let i = 0; i < 2; i++) {
      yield* queue.get();
      yield* sleep(1);
      states.push(joiners.some((task) => task.done()));
      queue.taskDone();
    }
    yield* gather(joiners);

    expect(states).toEqual([false, false]);
  });
});

test("Queue.join() waits again, when more was put later", async () => {
  await virtually(function* () {
    const queue = new Queue<number>();
    queue.putNowait(1);
    queue.getNowait();
    queue.taskDone();
    yield* queue.join();

    queue.putNowait(2);
    const joiner = createTask(queue.join());
    yield* sleep(1);
    const waited = !joiner.done();
    queue.getNowait();
    queue.taskDone();
    yield* joiner;

    expect(waited).toBe(true);
  });
});

test("Queue.join() returns, when all was done even if an item was put before it could run", async () => {
  await virtually(function* () {
    const queue = new Queue<number>();
    queue.putNowait(1);
    const joiner = createTask(queue.join());
    yield* sleep(0);

    queue.getNowait();
    queue.taskDone();
    queue.putNowait(2);
    yield* sleep(1);

    expect(joiner.done()).toBe(true);
  });
});

test("Queue.join() leaves the line, when cancelled", async () => {
  await virtually(function* () {
    const queue = new Queue<number>();
    queue.putNowait(1);
    const joiner = createTask(queue.join());
    yield* sleep(0);

    joiner.cancel();
    yield* joiner.join();

    expect([joiner.cancelled(), lines(queue)]).toEqual([true, [0, 0, 0]]);
  });
});

test("Queue.taskDone() is an error, when called more often than items were put", () => {
  const queue = new Queue<number>();

  expect(() => queue.taskDone()).toThrow(RangeError);
  queue.putNowait(1);
  queue.taskDone();
  expect(() => queue.taskDone()).toThrow("Cannot mark a task of Queue done: taskDone() was called once per item already");
});

test("Queue.join() serves async functions, with workers that call taskDone()", async () => {
  await virtually(async () => {
    const queue = new Queue<number>(2);
    const done: number[] = [];
    const workers = [1, 2].map(() =>
      createTask(async () => {
        for (;;) {
          const item = await queue.get();
          await sleep(item);
          done.push(item);
          queue.taskDone();
        }
      }),
    );

    for (const item of [3, 2, 1, 4]) await queue.put(item);
    await queue.join();
    for (const worker of workers) worker.cancel();
    await gather(workers, { returnExceptions: true });

    expect(done.toSorted()).toEqual([1, 2, 3, 4]);
    expect(workers.map((worker) => worker.cancelled())).toEqual([true, true]);
  });
});

// ── shutdown ─────────────────────────────────────────────────────────────────────────────────────────────────────────

test("Queue.shutdown() makes put() and putNowait() errors", async () => {
  await virtually(function* () {
    const queue = new Queue<number>(0, { name: "jobs" });
    queue.shutdown();

    const putter = createTask(queue.put(1));
    yield* putter.join();

    expect(putter.exception()).toMatchObject({
      name: "QueueShutDown",
      code: "QUEUE_SHUT_DOWN",
      message: "Cannot put into Queue 'jobs': it was shut down",
    });
    expect(() => queue.putNowait(1)).toThrow(QueueShutDown);
    expect(queue.empty()).toBe(true);
  });
});

test("Queue.putNowait() says that the queue is shut down, also when it is full", () => {
  const queue = new Queue<number>(1);
  queue.putNowait(1);

  queue.shutdown();

  expect(() => queue.putNowait(2)).toThrow(QueueShutDown);
});

test("Queue.get() takes what is left after shutdown(), then throws", async () => {
  await virtually(function* () {
    const queue = new Queue<number>();
    for (const item of [1, 2, 3]) queue.putNowait(item);

    queue.shutdown();
    const got = [yield* queue.get(), queue.getNowait(), yield* queue.get()];
    const late = createTask(queue.get());
    yield* late.join();

    expect(got).toEqual([1, 2, 3]);
    expect(late.exception()).toBeInstanceOf(QueueShutDown);
    expect(() => queue.getNowait()).toThrow("Cannot get from Queue: it was shut down");
  });
});

test("Queue.shutdown() throws QueueShutDown at all getters that wait", async () => {
  await virtually(function* () {
    const queue = new Queue<number>();
    const getters = [1, 2].map(() => createTask(queue.get()));
    yield* sleep(0);

    queue.shutdown();

    expect(yield* outcomes(getters)).toEqual(["QueueShutDown", "QueueShutDown"]);
    expect(lines(queue)).toEqual([0, 0, 0]);
  });
});

test("Queue.shutdown() throws QueueShutDown at all putters that wait; what is in stays in", async () => {
  await virtually(function* () {
    const queue = new Queue<number>(1);
    queue.putNowait(0);
    const putters = [1, 2].map((item) => createTask(queue.put(item)));
    yield* sleep(0);

    queue.shutdown();

    expect(yield* outcomes(putters)).toEqual(["QueueShutDown", "QueueShutDown"]);
    expect([queue.qsize(), yield* queue.get(), lines(queue)]).toEqual([1, 0, [0, 0, 0]]);
  });
});

test("Queue.put() throws QueueShutDown, when there is room again before it runs", async () => {
  await virtually(function* () {
    const queue = new Queue<number>(1);
    queue.putNowait(0);
    const putter = createTask(queue.put(1));
    yield* sleep(0);

    queue.getNowait();
    queue.shutdown();

    expect(yield* outcomes([putter])).toEqual(["QueueShutDown"]);
    expect(queue.empty()).toBe(true);
  });
});

test("Queue.get() still takes the item it was woken for, when the queue is shut down before it runs", async () => {
  await virtually(function* () {
    const queue = new Queue<number>();
    const getters = [1, 2].map(() => createTask(queue.get()));
    yield* sleep(0);

    queue.putNowait(1);
    queue.shutdown();

    expect(yield* outcomes(getters)).toEqual([1, "QueueShutDown"]);
  });
});

test("Queue.get() throws QueueShutDown, when the item it was woken for is dropped before it runs", async () => {
  await virtually(function* () {
    const queue = new Queue<number>();
    const getter = createTask(queue.get());
    yield* sleep(0);

    queue.putNowait(1);
    queue.shutdown({ immediate: true });

    expect(yield* outcomes([getter])).toEqual(["QueueShutDown"]);
    yield* queue.join();
  });
});

test("Queue.join() goes on waiting after shutdown(), until what was left is done", async () => {
  await virtually(function* () {
    const queue = new Queue<number>();
    queue.putNowait(1);
    const joiner = createTask(queue.join());
    yield* sleep(0);

    queue.shutdown();
    yield* sleep(1);
    const waited = !joiner.done();
    yield* queue.get();
    queue.taskDone();
    yield* joiner;

    expect(waited).toBe(true);
  });
});

test("Queue.shutdown({ immediate }) drops the items, and throws QueueShutDown at all that get and put", async () => {
  await virtually(function* () {
    const queue = new Queue<number>(1);
    queue.putNowait(0);
    const putter = createTask(queue.put(1));
    yield* sleep(0);

    queue.shutdown({ immediate: true });
    const getter = createTask(queue.get());

    expect(yield* outcomes([putter, getter])).toEqual(["QueueShutDown", "QueueShutDown"]);
    expect([queue.empty(), lines(queue)]).toEqual([true, [0, 0, 0]]);
  });
});

test("Queue.shutdown({ immediate }) ends join(), when every item was in the queue", async () => {
  await virtually(function* () {
    const queue = new Queue<number>();
    for (const item of [1, 2]) queue.putNowait(item);
    const joiner = createTask(queue.join());
    yield* sleep(0);

    queue.shutdown({ immediate: true });
    yield* joiner;

    expect(() => queue.taskDone()).toThrow(RangeError);
  });
});

test("Queue.shutdown({ immediate }) leaves join() waiting for an item that was taken before", async () => {
  await virtually(function* () {
    const queue = new Queue<number>();
    for (const item of [1, 2, 3]) queue.putNowait(item);
    const joiner = createTask(queue.join());
    yield* queue.get();

    queue.shutdown({ immediate: true });
    yield* sleep(1);
    const waited = !joiner.done();
    queue.taskDone();
    yield* joiner;

    expect(waited).toBe(true);
    expect(() => queue.taskDone()).toThrow(RangeError);
  });
});

test("Queue.shutdown() may be called again, also to drop what is left", async () => {
  await virtually(function* () {
    const queue = new Queue<number>();
    queue.putNowait(1);

    queue.shutdown();
    queue.shutdown();
    const left = queue.qsize();
    queue.shutdown({ immediate: true });
    yield* queue.join();

    expect([left, queue.qsize()]).toEqual([1, 0]);
  });
});

test("Queue.shutdown() wakes async functions that get, put and join", async () => {
  await virtually(async () => {
    const queue = new Queue<number>(1);
    const empty = new Queue<number>();
    queue.putNowait(0);
    const names: string[] = [];
    const note = async (wait: () => PromiseLike<unknown>): Promise<void> => {
      try {
        await wait();
        names.push("done");
      } catch (error) {
        names.push((error as Error).name);
      }
    };
    const tasks = [() => queue.put(1), () => empty.get(), () => queue.join()].map((each) => createTask(() => note(each)));
    await sleep(1);

    queue.shutdown({ immediate: true });
    empty.shutdown();
    await gather(tasks);

    expect(names.toSorted()).toEqual(["QueueShutDown", "QueueShutDown", "done"]);
  });
});

// ── for await ────────────────────────────────────────────────────────────────────────────────────────────────────────

test("Queue in `for await` gives items until it is shut down and empty", async () => {
  await virtually(async () => {
    const queue = new Queue<number>(1);
    const producer = createTask(async () => {
      for (const item of [1, 2, 3]) await queue.put(item);
      queue.shutdown();
    });

    const got: number[] = [];
    for await (const item of queue) got.push(item);
    await producer;

    expect(got).toEqual([1, 2, 3]);
  });
});

test("Queue in `for await` ends with the cancellation of its task", async () => {
  await virtually(async () => {
    const queue = new Queue<number>();
    const got: number[] = [];
    const consumer = createTask(async () => {
      for await (const item of queue) got.push(item);
    });
    queue.putNowait(1);
    await sleep(1);

    consumer.cancel();
    await consumer.join();

    expect([consumer.cancelled(), got, lines(queue)]).toEqual([true, [1], [0, 0, 0]]);
  });
});

test("Queue in `for await` passes on errors that are not its end", async () => {
  await virtually(async () => {
    const queue = new PriorityQueue<number>(0, {
      compare: () => {
        throw new Error("compare");
      },
    });
    queue.putNowait(1);
    const got: number[] = [];

    for await (const item of queue) {
      got.push(item);
      queue.shutdown();
    }

    expect(got).toEqual([1]);
  });
});

// ── Outside of tasks, loops, text ────────────────────────────────────────────────────────────────────────────────────

test("Queue serves code outside of any task [real]", async () => {
  const queue = new Queue<number>(1);
  const got: number[] = [];
  const consumer = (async () => {
    for await (const item of queue) got.push(item);
  })();

  for (const item of [1, 2, 3]) await queue.put(item);
  queue.shutdown();
  await consumer;

  expect(got).toEqual([1, 2, 3]);
  await expect(queue.get().then((value) => value)).rejects.toBeInstanceOf(QueueShutDown);
});

test("Queue refuses that a second loop waits, while the first is open", async () => {
  const queue = new Queue<number>();
  await using first = new Runner({ loop: new EventLoop({ host: new VirtualHost() }), signals: [] });
  await using second = new Runner({ loop: new EventLoop({ host: new VirtualHost() }), signals: [] });
  await first.run(function* () {
    const getter = createTask(queue.get());
    yield* sleep(0);
    queue.putNowait(1);
    yield* getter;
  });

  await expect(second.run(() => queue.get())).rejects.toMatchObject({ name: "RuntimeError", code: "OTHER_LOOP" });
});

test("Queue may be filled in one run and emptied in the next", async () => {
  const queue = new Queue<number>();
  await virtually(() => queue.put(1));

  expect(await virtually(() => queue.get())).toBe(1);
});

test("Queue.toString() tells its size, who waits, what is unfinished and whether it is shut down", async () => {
  await virtually(function* () {
    const queue = new Queue<number>(1);
    const texts = [String(queue)];
    const getter = createTask(queue.get());
    yield* sleep(0);
    texts.push(String(queue));
    queue.putNowait(1);
    yield* getter;
    queue.putNowait(2);
    const putter = createTask(queue.put(3));
    yield* sleep(0);
    texts.push(String(queue));
    queue.shutdown();
    texts.push(String(queue));
    yield* putter.join();

    expect(putter.exception()).toBeInstanceOf(QueueShutDown);
    expect(texts).toEqual([
      "<Queue maxsize=1 qsize=0>",
      "<Queue maxsize=1 qsize=0 getters[1]>",
      "<Queue maxsize=1 qsize=1 putters[1] tasks=2>",
      "<Queue maxsize=1 qsize=1 tasks=2 shutdown>",
    ]);
  });
});

test("Queue shows by its name in what a task waits for", async () => {
  await virtually(function* () {
    const queue = new Queue<number>(1, { name: "jobs" });
    const unnamed = new Queue<number>();
    const waits = [createTask(queue.get()), createTask(unnamed.get())];
    yield* sleep(0);
    const texts = waits.map((task) => task.waitingFor);
    for (const task of waits) task.cancel();
    yield* sleep(0);
    queue.putNowait(1);
    const more = [createTask(queue.put(2)), createTask(queue.join())];
    yield* sleep(0);
    texts.push(...more.map((task) => task.waitingFor));
    for (const task of more) task.cancel();

    expect(texts).toEqual([
      "Queue 'jobs'.get (empty)",
      "Queue.get (empty)",
      "Queue 'jobs'.put (full: 1)",
      "Queue 'jobs'.join (1 unfinished)",
    ]);
    expect([queue.describe(), unnamed.describe()]).toEqual(["Queue 'jobs'", "Queue"]);
  });
});

test("Queue keeps its order with many items and waiters [real]", async () => {
  const got = await run(function* () {
    const queue = new Queue<number>(3);
    const getters = Array.from({ length: 2000 }, () => createTask(queue.get()));
    yield* sleep(0);
    for (let i = 0; i < 2000; i++) yield* queue.put(i);
    return yield* gather(getters);
  });

  expect(got).toEqual([...Array(2000).keys()]);
});

// ── Cancelled everywhere ─────────────────────────────────────────────────────────────────────────────────────────────

test("Queue loses and doubles no item, whichever task is cancelled at whichever turn", async () => {
  const sweep = await cancelEverywhere((stage) => {
    const queue = new Queue<number>(1);
    const produced: number[] = [];
    const consumed: number[] = [];
    let stuck = false;
    const producers = [10, 20].map((base) =>
      stage.actor(`producer ${base}`, function* () {
        for (const item of [base, base + 1]) {
          yield queue.put(item);
          produced.push(item);
        }
      }),
    );
    const consumers = ["A", "B"].map((name) =>
      stage.actor(`consumer ${name}`, function* () {
        try {
          for (;;) {
            consumed.push(yield queue.get());
            queue.taskDone();
            yield* pause();
          }
        } catch (error) {
          if (!(error instanceof QueueShutDown)) throw error;
        }
      }),
    );
    stage.helper("closer", function* () {
      for (const producer of producers) yield producer.join();
      yield* pause(20);
      // All is at rest: nobody may wait for an item that is there, or for room that is there.
      const [getters, putters] = lines(queue) as [number, number];
      stuck = (!queue.empty() && getters > 0) || (!queue.full() && putters > 0);
      queue.shutdown();
      for (const consumer of consumers) yield consumer.join();
      while (!queue.empty()) {
        consumed.push(yield queue.get());
        queue.taskDone();
      }
      yield queue.join();
    });
    return () => {
      expect(stuck).toBe(false);
      // An item is in the queue from the step in which put() ends; its producer may be cancelled before it notes that.
      expect(consumed.length).toBe(new Set(consumed).size);
      expect(produced.filter((item) => !consumed.includes(item))).toEqual([]);
      expect(consumed.length - produced.length).toBeLessThanOrEqual(stage.spelling === "await" ? 1 : 0);
      expect(String(queue)).toBe("<Queue maxsize=1 qsize=0 shutdown>");
      expect(lines(queue)).toEqual([0, 0, 0]);
    };
  });

  expect(sweep.cancelled).toBeGreaterThan(100);
});

test("Queue.shutdown() ends everybody, whichever task is cancelled at whichever turn", async () => {
  const sweep = await cancelEverywhere((stage) => {
    const queue = new Queue<number>(1);
    const other = new Queue<number>();
    const swallow = function* (wait: () => Script): Script {
      try {
        yield* wait();
      } catch (error) {
        if (!(error instanceof QueueShutDown)) throw error;
      }
    };
    for (const item of [1, 2]) {
      stage.actor(`putter ${item}`, () =>
        swallow(function* () {
          yield queue.put(item);
          yield queue.put(item);
        }),
      );
    }
    stage.actor("getter", () =>
      swallow(function* () {
        yield other.get();
      }),
    );
    stage.actor("joiner", function* () {
      yield* pause();
      yield queue.join();
    });
    const closer = stage.actor("closer", function* () {
      yield* pause(3);
      queue.shutdown({ immediate: true });
      other.shutdown();
      yield* pause(2);
    });
    stage.helper("sees to it", function* () {
      yield closer.join();
      queue.shutdown({ immediate: true });
      other.shutdown();
    });
    return () => {
      expect([...lines(queue), ...lines(other)]).toEqual([0, 0, 0, 0, 0, 0]);
      expect(String(queue)).toBe("<Queue maxsize=1 qsize=0 shutdown>");
    };
  });

  expect(sweep.cancelled).toBeGreaterThan(50);
});
