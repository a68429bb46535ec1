import {
  type Coroutine,
  createTask,
  currentTask,
  type ExceptionGroup,
  forEach,
  map,
  Queue,
  Semaphore,
  STOP,
  sleep,
  type Task,
} from "tsyncio";
import { describe, expect, test } from "vitest";
import { runVirtual, virtually } from "../support/virtual.ts";

function* thrownBy(job: Coroutine<unknown>): Coroutine<unknown> {
  try {
    yield* job;
  } catch (error) {
    return error;
  }
  throw new Error("It did not throw");
}

describe("forEach()", () => {
  test("forEach(), takes one item after another, by default, with its index", async () => {
    const log: string[] = [];

    const { result, elapsed } = await runVirtual(
      forEach(["a", "b", "c"], function* (item, index) {
        log.push(`${item}${index} begins`);
        yield* sleep(3 - index);
        log.push(`${item}${index} ends`);
      }),
    );

    expect(result).toBeUndefined();
    expect(elapsed).toBe(6);
    expect(log).toEqual(["a0 begins", "a0 ends", "b1 begins", "b1 ends", "c2 begins", "c2 ends"]);
  });

  test("forEach(), takes as many at a time as it is told, or as a limiter lets in", async () => {
    const seats = new Semaphore(2);
    for (const concurrency of [2, seats]) {
      let inside = 0;
      let most = 0;

      const { elapsed } = await runVirtual(
        forEach(
          [1, 2, 3, 4],
          async () => {
            most = Math.max(most, ++inside);
            await sleep(10);
            inside--;
          },
          { concurrency },
        ),
      );

      expect([most, elapsed]).toEqual([2, 20]);
    }
    expect(seats.value).toBe(2);
  });

  test("forEach(), ends by STOP: earlier items are finished, later ones cancelled and awaited", async () => {
    const ended: number[] = [];
    let cleaned = 0;

    await virtually(
      forEach(
        [9, 1, 50, 60],
        function* (delay, index) {
          try {
            yield* sleep(delay);
            ended.push(index);
            return index === 1 ? STOP : undefined;
          } finally {
            yield* sleep(0);
            cleaned++;
          }
        },
        { concurrency: 3 },
      ),
    );

    expect(ended).toEqual([1, 0]);
    expect(cleaned).toBe(3);
  });

  test("forEach(), names its tasks, and makes them children of its own task", async () => {
    const names: unknown[] = [];

    await virtually(function* () {
      const me = (currentTask() as Task<unknown>).id;
      const note = () => {
        const task = currentTask() as Task<unknown>;
        names.push([task.name, task.parentId === me]);
      };
      yield* forEach([1, 2], note);
      yield* forEach([1], note, { name: "save" });
    });

    expect(names).toEqual([
      ["forEach[0]", true],
      ["forEach[1]", true],
      ["save[0]", true],
    ]);
  });

  test("forEach(), throws the first error as it is, or all of them at the end", async () => {
    const seen: number[] = [];
    const fail = (n: number) => {
      seen.push(n);
      if (n !== 2) throw new Error(`failed ${n}`);
    };

    const errors = await virtually(function* () {
      return [yield* thrownBy(forEach([1, 2, 3], fail)), yield* thrownBy(forEach([1, 2, 3], fail, { stopOnError: false }))];
    });

    expect((errors[0] as Error).message).toBe("failed 1");
    expect((errors[1] as ExceptionGroup).errors.map((each) => each.message)).toEqual(["failed 1", "failed 3"]);
    expect(seen).toEqual([1, 1, 2, 3]);
  });

  test("forEach(), ends a loop over a queue, when that is shut down", async () => {
    const seen = await virtually(function* () {
      const queue = new Queue<number>();
      const items: number[] = [];
      const task = createTask(forEach(queue, (n) => void items.push(n)));
      for (const n of [1, 2, 3]) {
        yield* queue.put(n);
        yield* sleep(1);
      }
      queue.shutdown();
      yield* task;
      return items;
    });

    expect(seen).toEqual([1, 2, 3]);
  });

  test("forEach(), refuses wrong calls at once", () => {
    expect(() => forEach(5 as never, () => {})).toThrow(
      "Expected an iterable of items for forEach(), sync or async, got 5 (number)",
    );
    expect(() => forEach([], undefined as never)).toThrow(
      "Expected the body of forEach() to be a function* or an async function",
    );
    expect(() => forEach([], () => {}, { concurrency: 0 })).toThrow("Expected `concurrency` to be an integer ≥ 1 or Infinity");
    expect(() => forEach([], () => {}, 3 as never)).toThrow(
      "Expected `options` to be an object such as { concurrency: 8 }, got 3",
    );
  });
});

describe("forEach() of a map()", () => {
  test("forEach(), takes the results one by one, and holds the map back", async () => {
    let started = 0;
    const ahead: number[] = [];
    const taken: number[] = [];

    await virtually(
      forEach(
        map(
          Array(8).keys(),
          (n) => {
            started++;
            return sleep(1, n * n);
          },
          { concurrency: 2, lookAhead: 3 },
        ),
        function* (square) {
          taken.push(square);
          yield* sleep(20);
          ahead.push(started - taken.length);
        },
      ),
    );

    expect(taken).toEqual([0, 1, 4, 9, 16, 25, 36, 49]);
    expect(ahead.slice(0, 4)).toEqual([3, 3, 3, 3]);
  });

  test("forEach(), drives it without a promise: nothing is left for a microtask", async () => {
    const { then } = Promise.prototype;
    let promises = 0;

    const result = await virtually(function* () {
      const sums: number[] = [];
      Promise.prototype.then = function (this: Promise<unknown>, ...args: never[]) {
        promises++;
        return then.apply(this, args as never) as never;
      };
      try {
        yield* forEach(
          map([1, 2, 3], function* (n) {
            yield* sleep(0);
            return n;
          }),
          function* (n) {
            sums.push(n);
            yield* sleep(0);
          },
        );
      } finally {
        Promise.prototype.then = then;
      }
      return sums;
    });

    expect(result).toEqual([1, 2, 3]);
    expect(promises).toBe(0);
  });

  test("forEach(), cancels and awaits the map and closes its source, however it is left", async () => {
    for (const how of ["stop", "throw", "cancel", "cancel while waiting"]) {
      let [inside, closed] = [0, 0];
      function* numbers(): Generator<number, void, unknown> {
        try {
          for (let n = 0; ; n++) yield n;
        } finally {
          closed++;
        }
      }
      let after: unknown;

      const { errors } = await runVirtual(function* () {
        const task = createTask(function* () {
          try {
            const results = map(
              numbers(),
              function* (n) {
                inside++;
                try {
                  yield* sleep(n === 0 && how !== "cancel while waiting" ? 1 : 100);
                } finally {
                  yield* sleep(2);
                  inside--;
                }
              },
              { concurrency: 3 },
            );
            yield* forEach(results, function* () {
              yield* sleep(how === "cancel" ? "1h" : 5);
              if (how === "throw") throw new RangeError("left");
              return STOP;
            });
          } finally {
            after = [inside, closed];
          }
        });
        yield* sleep(20);
        task.cancel();
        yield* task.join();
      });

      expect([how, after]).toEqual([how, [0, 1]]);
      expect(errors).toEqual([]);
    }
  });

  test("forEach(), throws the error of the map, after what came before it", async () => {
    const boom = new Error("boom");
    const seen: number[] = [];

    const error = await virtually(
      thrownBy(
        forEach(
          map(
            [0, 1, 2, 3],
            (n) => {
              if (n === 2) throw boom;
              return n;
            },
            { concurrency: 1 },
          ),
          (n) => void seen.push(n),
        ),
      ),
    );

    expect(error).toBe(boom);
    expect(seen).toEqual([0, 1]);
  });

  test("map() of a map() of a map(), passes the items on as they are ready, each with its own concurrency", async () => {
    const { result, elapsed } = await runVirtual(
      map(
        map(
          map([1, 2, 3, 4], (n) => sleep(10, n), { concurrency: 1 }),
          (n) => sleep(10, n * 10),
          { concurrency: 1 },
        ),
        (n) => sleep(10, n + 1),
        { concurrency: 1 },
      ),
    );

    expect(result).toEqual([11, 21, 31, 41]);
    // A pipeline: each stage has an item in hand while the next works.
    expect(elapsed).toBeLessThanOrEqual(70);
  });
});
