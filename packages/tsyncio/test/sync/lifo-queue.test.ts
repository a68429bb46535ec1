import { createTask, gather, LifoQueue, Queue, QueueFull, QueueShutDown, sleep } from "tsyncio";
import { expect, test } from "vitest";
import { cancelEverywhere, pause } from "../support/cancel-everywhere.ts";
import { virtually } from "../support/virtual.ts";

test("LifoQueue is a Queue that gives the newest item first", async () => {
  const queue = new LifoQueue<number>();
  for (const item of [1, 2, 3]) queue.putNowait(item);

  const got = await virtually(function* () {
    return [yield* queue.get(), queue.getNowait(), yield* queue.get()];
  });

  expect(queue).toBeInstanceOf(Queue);
  expect(got).toEqual([3, 2, 1]);
});

test("LifoQueue keeps to maxsize, and put() waits for room", async () => {
  await virtually(function* () {
    const queue = new LifoQueue<number>(2);
    queue.putNowait(1);
    queue.putNowait(2);
    expect(() => queue.putNowait(3)).toThrow(QueueFull);
    const putter = createTask(queue.put(3));
    yield* sleep(0);

    const got = [queue.getNowait()];
    yield* putter;
    got.push(queue.getNowait(), queue.getNowait());

    expect(got).toEqual([2, 3, 1]);
  });
});

test("LifoQueue.get() serves waiters in order of arrival", async () => {
  await virtually(async () => {
    const queue = new LifoQueue<number>();
    const log: string[] = [];
    const getters = ["A", "B"].map((name) =>
      createTask(async () => {
        await queue.get();
        log.push(name);
      }),
    );
    await sleep(1);

    queue.putNowait(1);
    queue.putNowait(2);
    await gather(getters);

    expect(log).toEqual(["A", "B"]);
  });
});

test("LifoQueue holds many items, and undefined", () => {
  const queue = new LifoQueue<number | undefined>();
  for (let i = 0; i < 100; i++) queue.putNowait(i);
  queue.putNowait(undefined);

  const got: (number | undefined)[] = [];
  while (!queue.empty()) got.push(queue.getNowait());

  expect(got).toEqual([undefined, ...[...Array(100).keys()].reverse()]);
});

test("LifoQueue.shutdown() lets the rest be taken, newest first", async () => {
  await virtually(async () => {
    const queue = new LifoQueue<number>();
    for (const item of [1, 2, 3]) queue.putNowait(item);

    queue.shutdown();
    const got: number[] = [];
    for await (const item of queue) got.push(item);

    expect(got).toEqual([3, 2, 1]);
    expect(() => queue.getNowait()).toThrow(QueueShutDown);
  });
});

test("LifoQueue shows its kind and its name in texts", () => {
  expect(String(new LifoQueue(3))).toBe("<LifoQueue maxsize=3 qsize=0>");
  expect([new LifoQueue().describe(), new LifoQueue(0, { name: "undo" }).describe()]).toEqual([
    "LifoQueue",
    "LifoQueue 'undo'",
  ]);
});

test("LifoQueue loses and doubles no item, whichever task is cancelled at whichever turn", async () => {
  const sweep = await cancelEverywhere((stage) => {
    const queue = new LifoQueue<number>(1);
    const consumed: number[] = [];
    let produced = 0;
    const producer = stage.actor("producer", function* () {
      try {
        for (const item of [1, 2, 3]) {
          yield queue.put(item);
          produced++;
        }
      } catch (error) {
        // Nobody takes any more.
        if (!(error instanceof QueueShutDown)) throw error;
      }
    });
    const consumer = stage.actor("consumer", function* () {
      try {
        for (;;) {
          consumed.push(yield queue.get());
          yield* pause();
        }
      } catch (error) {
        if (!(error instanceof QueueShutDown)) throw error;
      }
    });
    stage.helper("closer", function* () {
      yield* pause(20);
      queue.shutdown();
      yield producer.join();
      yield consumer.join();
      while (!queue.empty()) consumed.push(queue.getNowait());
    });
    return () => {
      expect(new Set(consumed).size).toBe(consumed.length);
      expect(consumed.length - produced).toBeGreaterThanOrEqual(0);
      expect(consumed.length - produced).toBeLessThanOrEqual(stage.spelling === "await" ? 1 : 0);
      expect(String(queue)).toMatch(/^<LifoQueue maxsize=1 qsize=0( tasks=\d)? shutdown>$/);
    };
  });

  expect(sweep.cancelled).toBeGreaterThan(30);
});
