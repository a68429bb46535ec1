import {
  BoundedSemaphore,
  createTask,
  Event,
  effectivePriority,
  Future,
  gather,
  getRunningLoop,
  Lock,
  PriorityQueue,
  Queue,
  Semaphore,
  sleep,
  type Task,
  taskGroup,
} from "tsyncio";
import { explore } from "tsyncio/testing";
import { expect, test } from "vitest";
import { current } from "../../src/kernel/current.ts";
import { virtually } from "../support/virtual.ts";

/** Makes a task that notes its name when it runs. */
function noter(order: string[], name: string, priority?: number): Task<void> {
  return createTask(
    function* () {
      order.push(name);
    },
    { name, priority },
  );
}

test("createTask({ priority }), runs tasks of a higher priority first, equal ones by arrival, when all are ready", async () => {
  const order: string[] = [];
  await virtually(function* () {
    yield* gather(
      noter(order, "a"),
      noter(order, "b", -1),
      noter(order, "c", 2.5),
      noter(order, "d", 2.5),
      noter(order, "e", 10),
      noter(order, "f", 0),
    );
  });

  expect(order).toEqual(["e", "c", "d", "a", "f", "b"]);
});

test("createTask({ priority }), works by every way to make a task", async () => {
  await virtually(function* () {
    const order: string[] = [];
    const job = (name: string) =>
      function* () {
        order.push(name);
      };
    const tasks = [createTask(job("plain")), getRunningLoop().createTask(job("loop"), { priority: 1 })];
    yield* taskGroup(function* (group) {
      group.createTask(job("group"), { priority: 2 });
      const task = group.createTask(async () => order.push("async"), { priority: 3 });
      expect(task.priority).toBe(3);
    });
    yield* gather(...tasks);
    expect(order).toEqual(["async", "group", "loop", "plain"]);
  });
});

test("task.priority, is 0 by default, and moves a task that is ready or waits, when set", async () => {
  await virtually(function* () {
    const order: string[] = [];
    const tasks = ["a", "b", "c"].map((name) => noter(order, name));
    expect(tasks.map((task) => task.priority)).toEqual([0, 0, 0]);
    (tasks[2] as Task<void>).priority = 1;
    expect(tasks.map((task) => task.priority)).toEqual([0, 0, 1]);
    (tasks[0] as Task<void>).priority = -1;
    yield* gather(...tasks);
    expect(order).toEqual(["c", "b", "a"]);

    const gate = new Event();
    const waiting = ["d", "e"].map((name) =>
      createTask(function* () {
        yield* gate.wait();
        order.push(name);
      }),
    );
    yield* sleep(1);
    (waiting[1] as Task<void>).priority = 1;
    gate.set();
    yield* gather(...waiting);
    expect(order.slice(3)).toEqual(["e", "d"]);
  });
});

test("task.priority, is refused, when it is no finite number", async () => {
  await virtually(function* () {
    const task = createTask(sleep(1));
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      expect(() => {
        task.priority = wrong;
      }).toThrow(/Expected `priority` to be a finite number, higher ones first, got/);
    }
    expect(() => createTask(function* () {}, { priority: "high" as never })).toThrow(TypeError);
    yield* task;
    task.priority = 5;
    expect(task.priority).toBe(0);
  });
});

test("priorities, leave nothing behind, when the last task that has one is done", async () => {
  await virtually(function* () {
    const before = current.probe;
    yield* createTask(sleep(1), { priority: 1 });
    yield* sleep(0);
    expect(current.probe).toBe(before);

    const task = createTask(sleep(1), { priority: 1 });
    expect(current.probe).not.toBe(before);
    task.priority = 0;
    expect(current.probe).toBe(before);
    yield* task;
  });
});

test("ready tasks, are passed over 16 times at most, when others of a higher priority never cease", async () => {
  await virtually(function* () {
    const steps: string[] = [];
    let over = false;
    const busy = [1, 2, 3].map((n) =>
      createTask(
        function* () {
          while (!over) {
            steps.push(`busy ${n}`);
            yield* sleep(0);
          }
        },
        { priority: 5 },
      ),
    );
    const modest = ["x", "y", "z"].map((name) =>
      createTask(
        function* () {
          steps.push(name);
        },
        { priority: -5 },
      ),
    );
    yield* gather(...modest);
    over = true;
    yield* gather(...busy);
    const places = ["x", "y", "z"].map((name) => steps.indexOf(name));
    expect(places[0]).toBeLessThanOrEqual(16 + 3);
    // The main task waits for them by gather(), whose callbacks take turns, too.
    expect(places[1]).toBeLessThanOrEqual(16 * 3 + 3);
    expect(places[2]).toBeLessThanOrEqual(16 * 5 + 5);
  });
});

/** The classic: low holds the lock, high waits for it, and medium tasks would keep low from running. */
function inversion(order: "arrival" | "priority"): () => Generator<never, { steps: string[]; lifted: number[] }, unknown> {
  return function* () {
    const lock = new Lock({ order });
    const steps: string[] = [];
    const lifted: number[] = [];
    let over = false;
    const low = createTask(
      function* () {
        yield* lock.acquire();
        yield* sleep(2);
        for (let i = 0; i < 5; i++) {
          steps.push("low");
          yield* sleep(0);
        }
        lifted.push(effectivePriority(low));
        lock.release();
        lifted.push(effectivePriority(low));
        yield* sleep(0);
        lifted.push(effectivePriority(low));
      },
      { name: "low", priority: 1 },
    );
    yield* sleep(1);
    const medium = [1, 2, 3].map(() =>
      createTask(
        function* () {
          yield* sleep(1);
          while (!over) {
            steps.push("medium");
            yield* sleep(0);
          }
        },
        { priority: 5 },
      ),
    );
    const high = createTask(
      function* () {
        yield* lock.with(function* () {
          steps.push("high");
        });
        over = true;
      },
      { name: "high", priority: 10 },
    );
    yield* gather(high, low, ...medium);
    return { steps, lifted };
  } as never;
}

for (const order of ["arrival", "priority"] as const) {
  test(`a task that holds a lock, has the priority of the highest that waits for it, order ${order}`, async () => {
    const { steps, lifted } = await virtually(inversion(order) as never as () => Generator<never, ReturnType<typeof Object>>);

    const from = steps.indexOf("low");
    const between = steps.slice(from, steps.indexOf("high")).filter((step: string) => step === "medium");
    expect(between.length).toBeLessThanOrEqual(4);
    expect(lifted).toEqual([10, 1, 1]);
  });
}

test("the priority of a waiter, goes through a chain of locks and tasks, and back, when it is cancelled", async () => {
  await virtually(function* () {
    const [inner, outer] = [new Lock(), new Lock()];
    const release = new Event();
    const bottom = createTask(function* () {
      yield* inner.acquire();
      yield* release.wait();
      inner.release();
    });
    const child = createTask(function* () {
      yield* sleep(1);
      yield* inner.acquire();
      inner.release();
    });
    const middle = createTask(async () => {
      await outer.acquire();
      await child;
      outer.release();
    });
    yield* sleep(2);
    const top = createTask(
      function* () {
        yield* outer.acquire();
      },
      { priority: 7 },
    );
    yield* sleep(0);
    yield* sleep(0);
    const ranks = () => [top, middle, child, bottom].map(effectivePriority);
    expect(ranks()).toEqual([7, 7, 7, 7]);
    top.priority = 3;
    expect(ranks()).toEqual([3, 3, 3, 3]);
    const other = createTask(
      function* () {
        yield* inner.acquire();
        inner.release();
      },
      { priority: 5 },
    );
    yield* sleep(1);
    expect(ranks()).toEqual([3, 3, 3, 5]);
    yield* top.cancelAndWait();
    expect(ranks()).toEqual([0, 0, 0, 5]);
    release.set();
    yield* gather(other, middle, bottom);
    expect(effectivePriority(bottom)).toBe(0);
  });
});

test("a task that is given a lock, is lifted by those behind it in line, when it takes it", async () => {
  await virtually(function* () {
    const lock = new Lock();
    yield* lock.acquire();
    const seen: number[] = [];
    const first = createTask(function* () {
      yield* lock.acquire();
      yield* sleep(0);
      seen.push(effectivePriority(first));
      lock.release();
      seen.push(effectivePriority(first));
    });
    yield* sleep(0);
    const second = createTask(lock.acquire(), { priority: 9 });
    yield* sleep(1);
    expect(effectivePriority(first)).toBe(0);
    lock.release();
    expect(effectivePriority(first)).toBe(9);
    yield* first;
    yield* second;
    expect(seen).toEqual([9, 0]);
  });
});

test("a task of a low priority, is lifted by one that has none, when that awaits it", async () => {
  await virtually(function* () {
    const low = createTask(sleep(5), { priority: -3 });
    const waits = createTask(function* () {
      yield* low;
    });
    yield* sleep(1);
    expect([effectivePriority(low), effectivePriority(waits)]).toEqual([0, 0]);
    yield* waits.cancelAndWait();
    expect(effectivePriority(low)).toBe(0);
  });
});

for (const Primitive of [Lock, Semaphore, BoundedSemaphore]) {
  test(`${Primitive.name}({ order: "priority" }), lets tasks of a higher priority go first, and takes changes of it into account`, async () => {
    await virtually(function* () {
      const line =
        Primitive === Lock ? new Lock({ order: "priority" }) : new (Primitive as typeof Semaphore)(1, { order: "priority" });
      const order: string[] = [];
      yield* line.acquire();
      const tasks = [1, 3, 2, 3, 0].map((priority, n) =>
        createTask(
          function* () {
            yield* line.acquire();
            order.push(`${n}`);
            line.release();
          },
          { priority },
        ),
      );
      yield* sleep(1);
      (tasks[4] as Task<void>).priority = 4;
      line.release();
      yield* gather(...tasks);
      expect(order).toEqual(["4", "1", "3", "2", "0"]);
    });
  });

  test(`${Primitive.name}({ order: "priority" }), lets 16 at most go before one that came earlier`, async () => {
    await virtually(function* () {
      const line =
        Primitive === Lock ? new Lock({ order: "priority" }) : new (Primitive as typeof Semaphore)(1, { order: "priority" });
      const order: string[] = [];
      yield* line.acquire();
      const enter = (name: string, priority: number) =>
        createTask(
          function* () {
            yield* line.acquire();
            order.push(name);
            line.release();
          },
          { priority },
        );
      const modest = enter("modest", 0);
      yield* sleep(1);
      const urgent = Array.from({ length: 40 }, (_, n) => enter(`${n}`, 5));
      yield* sleep(1);
      line.release();
      yield* gather(modest, ...urgent);
      expect(order.indexOf("modest")).toBe(16);
    });
  });
}

test('Queue({ order: "priority" }), gives items to waiting tasks by priority, and takes items of waiting tasks so', async () => {
  await virtually(function* () {
    for (const queue of [new Queue<number>(1, { order: "priority" }), new PriorityQueue<number>(1, { order: "priority" })]) {
      const got: string[] = [];
      const getters = [1, 2, 3].map((priority) =>
        createTask(
          function* () {
            got.push(`${priority}: ${yield* queue.get()}`);
          },
          { priority },
        ),
      );
      yield* sleep(1);
      for (const item of [10, 20, 30]) {
        yield* queue.put(item);
        yield* sleep(1);
      }
      yield* gather(...getters);
      expect(got).toEqual(["3: 10", "2: 20", "1: 30"]);

      queue.putNowait(0);
      const putters = [1, 2].map((priority) => createTask(queue.put(priority), { priority }));
      yield* sleep(1);
      const taken = [yield* queue.get()];
      for (let i = 0; i < 2; i++) taken.push(yield* queue.get());
      yield* gather(...putters);
      expect(taken).toEqual([0, 2, 1]);
    }
  });
});

test("options, refuse another order, of every primitive that has one", () => {
  for (const make of [
    (options: object) => new Lock(options),
    (options: object) => new Semaphore(1, options),
    (options: object) => new Queue(1, options),
  ]) {
    expect(() => make({ order: "random" })).toThrow(/Expected `order` to be "arrival" or "priority", got "random"/);
    make({ order: "arrival" });
  }
});

test("explore(), keeps to priorities and passes over 16 times at most, whatever it reorders", async () => {
  await explore(
    function* () {
      const steps: string[] = [];
      let over = false;
      const busy = createTask(
        function* () {
          while (!over) {
            steps.push("busy");
            yield* sleep(0);
          }
        },
        { priority: 1 },
      );
      const modest = [1, 2].map((n) => noter(steps, `modest ${n}`));
      yield* gather(...modest);
      over = true;
      yield* busy;
      const first = steps.findIndex((step) => step !== "busy");
      if (first < 1 || first > 17) throw new Error(`modest went at ${first}`);
    },
    { runs: 200 },
  );
});

test("a Future that a coroutine waits for lifts nobody, when nobody holds it", async () => {
  await virtually(function* () {
    const future = new Future<number>();
    const waits = createTask(
      function* () {
        return yield* future;
      },
      { priority: 4 },
    );
    yield* sleep(1);
    future.setResult(1);
    expect(yield* waits).toBe(1);
  });
});

test('Lock({ order: "priority" }), wakes one only, when another that waits is cancelled before that one runs', async () => {
  await virtually(function* () {
    const lock = new Lock({ order: "priority" });
    yield* lock.acquire();
    let inside = 0;
    const tasks = [3, 2, 9].map((priority) =>
      createTask(
        function* () {
          yield* lock.acquire();
          inside++;
          expect(inside).toBe(1);
          yield* sleep(1);
          inside--;
          lock.release();
        },
        { priority },
      ),
    );
    yield* sleep(1);
    (tasks[2] as Task<void>).cancel();
    lock.release();
    yield* gather(...tasks.slice(0, 2));
    expect((tasks[2] as Task<void>).cancelled()).toBe(true);
  });
});

test("a chain of tasks that wait for each other, may be longer than the stack, when the last is given a priority", async () => {
  await virtually(function* () {
    let last: Task<void> = createTask(sleep(10));
    const first = last;
    for (let i = 0; i < 20_000; i++) {
      const next = last;
      last = createTask(function* () {
        yield* next;
      });
    }
    yield* sleep(1);
    last.priority = 3;
    expect(effectivePriority(first)).toBe(3);
    last.priority = 0;
    expect(effectivePriority(first)).toBe(0);
    yield* last;
  });
});
