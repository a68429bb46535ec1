/** staggeredRace(): winners, errors, cancellations that are swallowed. After CPython's test_staggered.py. */

import {
  CancelledError,
  type Coroutine,
  createTask,
  Event,
  isCancelled,
  sleep,
  staggeredRace,
  type Timeout,
  TimeoutError,
  timeout,
} from "tsyncio";
import { describe, expect, test } from "vitest";
import { virtually } from "../support/virtual.ts";

describe.each(["function*", "async"])("attempts as %s", (spelling) => {
  /** As many attempts; the ones whose numbers are among `failing` fail, without ever waiting. */
  const attempts = (count: number, failing: number[]): (() => Coroutine<string> | Promise<string>)[] =>
    Array.from({ length: count }, (_, index) => {
      const outcome = (): string => {
        if (failing.includes(index)) throw new RangeError(`${index}`);
        return `Res: ${index}`;
      };
      return spelling === "async"
        ? async () => outcome()
        : function* () {
            return outcome();
          };
    });

  test("staggeredRace() without a delay, starts the first alone, when that succeeds", async () => {
    await virtually(function* () {
      const [value, winner, exceptions] = yield* staggeredRace(attempts(2, []), null);

      expect([value, winner, exceptions]).toEqual(["Res: 0", 0, [null]]);
    });
  });

  test("staggeredRace() without a delay, gives the second's result and the first's error, when that fails", async () => {
    await virtually(function* () {
      const [value, winner, exceptions] = yield* staggeredRace(attempts(2, [0]), null);

      expect([value, winner, exceptions]).toEqual(["Res: 1", 1, [expect.any(RangeError), null]]);
    });
  });

  test("staggeredRace() without a delay, gives the errors and no winner, when all fail", async () => {
    await virtually(function* () {
      const [value, winner, exceptions] = yield* staggeredRace(attempts(2, [0, 1]), null);

      expect([value, winner]).toEqual([undefined, undefined]);
      expect(exceptions.map(String)).toEqual(["RangeError: 0", "RangeError: 1"]);
    });
  });
});

test("staggeredRace(), has the first as winner and cancels the others, when two could end in the same turn", async () => {
  await virtually(function* () {
    const event = new Event();
    const waiting = (index: number) =>
      function* (): Coroutine<number> {
        yield* event.wait();
        return index;
      };
    const [value, winner, exceptions] = yield* staggeredRace(
      [
        waiting(0),
        waiting(1),
        function* () {
          event.set();
          yield* new Event().wait();
          return 2;
        },
      ],
      100,
    );

    expect([value, winner]).toEqual([0, 0]);
    expect(exceptions).toEqual([null, expect.any(CancelledError), expect.any(CancelledError)]);
  });
});

test("staggeredRace(), passes each cancellation on, also to an attempt that has swallowed the last one", async () => {
  await virtually(function* () {
    const log: string[] = [];
    const error = yield* (function* (): Coroutine<unknown> {
      try {
        return yield* timeout(null, (outer) =>
          timeout(null, function* (inner) {
            const expire = function* (scope: Timeout, name: string): Coroutine<void> {
              scope.reschedule(-1);
              yield* sleep(0);
              try {
                yield* sleep(0);
              } catch (error) {
                log.push(isCancelled(error) ? name : "failed");
              }
            };
            const attempt = function* (): Coroutine<void> {
              yield* expire(inner, "cancelled 1");
              yield* expire(outer, "cancelled 2");
            };
            try {
              yield* staggeredRace([attempt], null);
            } catch (error) {
              log.push(isCancelled(error) ? "cancelled 3" : "failed");
              throw error;
            }
          }),
        );
      } catch (error) {
        return error;
      }
    })();

    expect(log).toEqual(["cancelled 1", "cancelled 2", "cancelled 3"]);
    expect(error).toBeInstanceOf(TimeoutError);
  });
});

test("staggeredRace(), passes the message of a cancellation on, and starts no more attempts then", async () => {
  await virtually(function* () {
    const log: string[] = [];
    const attempt = (name: string) => async (): Promise<void> => {
      try {
        await sleep(1000);
      } catch (error) {
        log.push(`${name}: ${(error as Error).message}`);
        throw error;
      }
    };
    const task = createTask(staggeredRace([attempt("a"), attempt("b"), attempt("c")], 10));
    yield* sleep(15);
    task.cancel("stop");
    yield* task.join();

    expect(log).toEqual(["a: stop", "b: stop"]);
    expect(task.cancelled()).toBe(true);
    expect(() => task.result()).toThrow("stop");
  });
});
