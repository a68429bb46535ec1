import { createTask, type Guard, gather, isCancelled, Lock, type Operation, Queue, type RuntimeError, sleep } from "tsyncio";
import { expect, test } from "vitest";
import { virtually } from "../support/virtual.ts";

test("an operation in for … of, throws NOT_AWAITED and leaves the line, when it would have to wait", async () => {
  const result = await virtually(function* () {
    const lock = new Lock();
    const held = yield* lock.acquire();
    let code = "";
    try {
      for (const _ of lock.acquire() as Iterable<unknown>) code += "handed out ";
    } catch (error) {
      code += (error as RuntimeError).code;
    }
    const next = createTask(lock.acquire());
    yield* sleep(0);
    held.release();
    const guard: Guard = yield* next;
    return [code, guard !== null];
  });

  expect(result).toEqual(["handed out NOT_AWAITED", true]);
});

test("an operation yielded without a star, is refused and never started, however it would have waited", async () => {
  const result = await virtually(function* () {
    const queue = new Queue<number>();
    let message = "";
    const task = createTask(function* () {
      try {
        yield queue.get() as never;
      } catch (error) {
        message = (error as Error).message;
      }
    });
    yield* task;
    queue.putNowait(1);
    return [message.includes("the star is missing"), queue.qsize()];
  });

  expect(result).toEqual([true, 1]);
});

test("an operation stepped by hand, makes its task ready, when it is woken before it is handed on", async () => {
  const result = await virtually(function* () {
    const lock = new Lock();
    const held = yield* lock.acquire();
    // A hand-written iterator may do something between the step of an operation and handing its result on.
    const late = {
      operation: lock.acquire(),
      [Symbol.iterator]() {
        this.operation[Symbol.iterator]();
        return this;
      },
      next(): IteratorResult<never, Guard> {
        const step = this.operation.next();
        if (!step.done) held.release();
        return step as IteratorResult<never, Guard>;
      },
      throw(error: unknown): never {
        this.operation.throw(error);
        throw error;
      },
    };
    const guard = (yield* late as unknown as Operation<Guard>) as Guard;
    return [lock.locked(), typeof guard.release];
  });

  expect(result).toEqual([true, "function"]);
});

test("two operations stepped by hand, are each its own, when the first one's step is handed on after the second was made", async () => {
  const result = await virtually(function* () {
    const first = new Queue<string>();
    const second = new Queue<string>();
    const gets = [first.get(), second.get()] as const;
    const both = {
      [Symbol.iterator]() {
        for (const each of gets) each[Symbol.iterator]();
        return this;
      },
      waiting: true,
      next(): IteratorResult<never, string> {
        const step = gets[0].next();
        if (this.waiting) gets[1].next();
        this.waiting = false;
        return step as IteratorResult<never, string>;
      },
      throw(error: unknown): never {
        throw error;
      },
    };
    const taker = createTask(function* () {
      return yield* both as unknown as Operation<string>;
    });
    yield* sleep(0);
    first.putNowait("first");
    return yield* taker;
  });

  expect(result).toBe("first");
});

test("an operation, ends with the message of the cancellation, though it was woken in the same turn", async () => {
  const result = await virtually(function* () {
    const lock = new Lock();
    const held = yield* lock.acquire();
    const waiting = createTask(lock.acquire(), { name: "waiting" });
    const next = createTask(lock.acquire(), { name: "next" });
    yield* sleep(0);
    held.release();
    waiting.cancel("too late");
    const outcomes: unknown[] = [];
    try {
      yield* waiting;
    } catch (error) {
      outcomes.push(isCancelled(error) && error.message);
    }
    yield* next;
    outcomes.push(lock.owner?.name);
    return outcomes;
  });

  expect(result).toEqual(["too late", "next"]);
});

test("operations of all kinds, give the cancellation and nothing else, when all are cancelled at once", async () => {
  const result = await virtually(function* () {
    const lock = new Lock();
    yield* lock.acquire();
    const queue = new Queue<number>(1);
    queue.putNowait(0);
    const empty = new Queue<number>();
    const tasks = [sleep("1h"), sleep(0), lock.acquire(), queue.put(1), empty.get(), queue.join()].map((each) =>
      createTask(each as Operation<unknown>),
    );
    yield* sleep(0);
    const counts = tasks.map((each) => each.cancel());
    const ends = yield* gather(tasks, { returnExceptions: true });
    return [counts, ends.map((each) => isCancelled(each)), queue.qsize()];
  });

  expect(result).toEqual([[true, true, true, true, true, true], [true, true, true, true, true, true], 1]);
});

test("RuntimeError COROUTINE_REUSED, is thrown at once, when an operation is awaited a second time", async () => {
  const result = await virtually(function* () {
    const nap = sleep(0);
    yield* nap;
    try {
      yield* nap;
      return "again";
    } catch (error) {
      return (error as RuntimeError).code;
    }
  });

  expect(result).toBe("COROUTINE_REUSED");
});
