import {
  CircuitBreaker,
  type Coroutine,
  createTask,
  currentTask,
  EventLoop,
  type FailedAttempt,
  getRunningLoop,
  isCancelled,
  RetryError,
  retry,
  run,
  shielded,
  sleep,
  type Task,
  TimeoutError,
  timeout,
} from "tsyncio";
import { VirtualHost } from "tsyncio/testing";
import { describe, expect, test } from "vitest";
import { runVirtual, virtually } from "../support/virtual.ts";

/** Fails so many times, and notes when it was called. */
class Flaky {
  readonly at: number[] = [];
  readonly #failures: number;
  readonly #make: (attempt: number) => unknown;

  constructor(failures: number, make: (attempt: number) => unknown = (attempt) => new Error(`failure ${attempt}`)) {
    this.#failures = failures;
    this.#make = make;
  }

  readonly call = (attempt: number): string => {
    this.at.push(getRunningLoop().time());
    if (this.at.length <= this.#failures) throw this.#make(attempt);
    return `attempt ${attempt}`;
  };
}

function* thrownBy(job: Coroutine<unknown>): Coroutine<unknown> {
  try {
    yield* job;
  } catch (error) {
    return error;
  }
  throw new Error("It did not throw");
}

const messages = (error: unknown): string[] => (error as RetryError).errors.map((each: Error) => each.message);

describe("attempts", () => {
  test("retry(), calls again until an attempt succeeds, functions of every kind, in both spellings", async () => {
    const twice = (fail: (attempt: number) => unknown) => (attempt: number) => (attempt < 3 ? fail(attempt) : attempt);
    const boom = new Error("boom");

    const results = await virtually(async () => [
      await retry(
        twice(() => {
          throw boom;
        }),
      ),
      await retry(twice(() => Promise.reject(boom))),
      await retry(async (attempt) => {
        await sleep(1);
        if (attempt < 3) throw boom;
        return attempt;
      }),
      await retry(function* (attempt) {
        yield* sleep(1);
        if (attempt < 3) throw boom;
        return attempt;
      }),
    ]);

    expect(results).toEqual([3, 3, 3, 3]);
  });

  test("retry(), can be awaited outside of any task", async () => {
    const flaky = new Flaky(0);

    expect(await retry((attempt) => attempt)).toBe(1);
    await expect(retry(() => Promise.reject(new Error("x")), { attempts: 1 })).rejects.toBeInstanceOf(RetryError);
    expect(flaky.at).toEqual([]);
  });

  test("retry(), throws a RetryError that tells all attempts, when none is left", async () => {
    const flaky = new Flaky(9);

    const error = (await virtually(thrownBy(retry(flaky.call, { attempts: 3, backoff: 10 })))) as RetryError;

    expect(error).toBeInstanceOf(RetryError);
    expect(error).toBeInstanceOf(AggregateError);
    expect(error).toMatchObject({ name: "RetryError", code: "RETRY_FAILED", attempts: 3, elapsed: 20 });
    expect(messages(error)).toEqual(["failure 1", "failure 2", "failure 3"]);
    expect(error.cause).toBe(error.errors[2]);
    expect(error.errors.every((each) => each.cause === undefined)).toBe(true);
    expect(error.message).toBe(
      "call() failed in 3 attempts; no attempt is left\n  - Error: failure 1\n  - Error: failure 2\n  - Error: failure 3",
    );
  });

  test("retry(), makes 10 attempts, with pauses of 1 s that double up to 30 s, by default", async () => {
    const flaky = new Flaky(99);

    const { result } = await runVirtual(thrownBy(retry(flaky.call)));

    expect((result as RetryError).attempts).toBe(10);
    expect(flaky.at.map((time) => time / 1000)).toEqual([0, 1, 3, 7, 15, 31, 61, 91, 121, 151]);
  });

  test("retry(), goes on for ever, if asked to", async () => {
    const flaky = new Flaky(500);

    expect(await virtually(retry(flaky.call, { attempts: Number.POSITIVE_INFINITY, backoff: 0 }))).toBe("attempt 501");
  });

  test("retry(), keeps falsy values that are thrown", async () => {
    const error = await virtually(
      thrownBy(
        retry(
          function* () {
            throw undefined;
          },
          { attempts: 2, backoff: 0 },
        ),
      ),
    );

    expect((error as RetryError).errors).toEqual([undefined, undefined]);
  });
});

describe("pauses", () => {
  const pauses = async (options: object, failures = 4, make?: (attempt: number) => unknown): Promise<number[]> => {
    const flaky = new Flaky(failures, make);
    await virtually(retry(flaky.call, options));
    return flaky.at.slice(1).map((time, index) => time - (flaky.at[index] as number));
  };

  test("backoff, grows by its factor, up to its maximum", async () => {
    expect(await pauses({ backoff: { initial: 100, factor: 3, max: "1s" } })).toEqual([100, 300, 900, 1000]);
    expect(await pauses({ backoff: { initial: 100, factor: 0.5 } })).toEqual([100, 50, 25, 12.5]);
    expect(await pauses({ backoff: { initial: 0, factor: 1e200 } })).toEqual([0, 0, 0, 0]);
    expect(await pauses({ backoff: { max: 1500 } })).toEqual([1000, 1500, 1500, 1500]);
  });

  test("backoff, may be one duration, or a function of attempt and error", async () => {
    const seen: unknown[] = [];
    const backoff = (attempt: number, error: unknown) => {
      seen.push((error as Error).message);
      return `${attempt * attempt}s`;
    };

    expect(await pauses({ backoff: "2s" })).toEqual([2000, 2000, 2000, 2000]);
    expect(await pauses({ backoff }, 3)).toEqual([1000, 4000, 9000]);
    expect(seen).toEqual(["failure 1", "failure 2", "failure 3"]);
  });

  test("jitter, takes its chance from `random`, within the bounds of its kind", async () => {
    const numbers = [0, 0.25, 0.5, 0.75];
    const random = () => {
      const next = numbers.shift() as number;
      numbers.push(next);
      return next;
    };

    expect(await pauses({ backoff: 100, jitter: "full", random })).toEqual([0, 25, 50, 75]);
    expect(await pauses({ backoff: 100, jitter: "equal", random })).toEqual([50, 62.5, 75, 87.5]);
    expect(await pauses({ backoff: 100, jitter: "none", random })).toEqual([100, 100, 100, 100]);
  });

  test("a server's delay, takes the place of the pause, without jitter or maximum", async () => {
    const busy = (attempt: number) => Object.assign(new Error("429"), { retryAfter: attempt === 2 ? "90s" : undefined });
    const header = (error: unknown) => ((error as Error).message === "failure 2" ? 7 : undefined);

    expect(await pauses({ backoff: { initial: 100, max: 1000 } }, 3, busy)).toEqual([100, 90_000, 400]);
    expect(await pauses({ backoff: 100, retryAfter: header, jitter: "full", random: () => 0.5 }, 3)).toEqual([50, 7, 50]);
  });

  test("a property retryAfter that is no duration, says nothing", async () => {
    const dated = (value: unknown) => () => Object.assign(new Error(), { retryAfter: value });

    for (const value of ["Wed, 21 Oct 2026 07:28:00 GMT", null, {}, Number.NaN, -1, "-2s"]) {
      expect(await pauses({ backoff: 5 }, 1, dated(value))).toEqual([5]);
    }
  });

  test("a server's delay that has passed, is no pause", async () => {
    expect(await pauses({ backoff: 50, retryAfter: () => -3000 }, 2)).toEqual([0, 0]);
  });

  test("a server's delay of Infinity, ends it", async () => {
    const boom = Object.assign(new Error(), { retryAfter: Number.POSITIVE_INFINITY });
    const flaky = new Flaky(9, () => boom);

    expect(await virtually(thrownBy(retry(flaky.call)))).toBe(boom);
    expect(flaky.at).toHaveLength(1);
  });

  test("shouldCount, lets failures go that use no attempt and do not make the pauses grow", async () => {
    const flaky = new Flaky(5);
    const shouldCount = (error: unknown) => (error as Error).message > "failure 3";

    const error = await virtually(thrownBy(retry(flaky.call, { attempts: 2, backoff: 10, shouldCount })));

    expect((error as RetryError).attempts).toBe(5);
    expect(await pauses({ attempts: 3, backoff: { initial: 10 }, shouldCount })).toEqual([10, 10, 10, 10]);
  });

  test("shouldCount, may be an async function or a function*", async () => {
    for (const shouldCount of [
      async () => sleep(1, false),
      function* () {
        return yield* sleep(1, false);
      },
    ]) {
      expect(await virtually(retry(new Flaky(3).call, { attempts: 1, backoff: 0, shouldCount }))).toBe("attempt 4");
    }
  });
});

describe("budgets", () => {
  test("maxElapsed, tells onRetry of no attempt that is not going to follow", async () => {
    const told: number[] = [];
    const onRetry = ({ attempt }: FailedAttempt) => {
      told.push(attempt);
    };

    await virtually(thrownBy(retry(new Flaky(9).call, { backoff: 100, maxElapsed: 150, onRetry })));

    expect(told).toEqual([1]);
  });

  test("maxElapsed, gives up when the next attempt could not begin in time, without a pause in vain", async () => {
    const flaky = new Flaky(9);

    const { result, elapsed } = await runVirtual(thrownBy(retry(flaky.call, { backoff: { initial: 100 }, maxElapsed: 500 })));

    expect((result as RetryError).message).toMatch(
      /^call\(\) failed in 3 attempts; the next one would begin after 500 ms or later/,
    );
    expect(flaky.at).toEqual([0, 100, 300]);
    expect(elapsed).toBe(300);
  });

  test("maxElapsed, allows no attempt at its very end", async () => {
    const flaky = new Flaky(9);

    await virtually(thrownBy(retry(flaky.call, { backoff: { initial: 100 }, maxElapsed: 300 })));

    expect(flaky.at).toEqual([0, 100]);
  });

  test("maxElapsed, counts the time of the attempts and hooks, too", async () => {
    const calls: number[] = [];

    const { result, elapsed } = await runVirtual(
      thrownBy(
        retry(
          function* (attempt) {
            calls.push(attempt);
            yield* sleep(40);
            throw new Error("slow");
          },
          { backoff: 0, maxElapsed: 100, onRetry: () => sleep(15) },
        ),
      ),
    );

    expect((result as RetryError).attempts).toBe(2);
    expect(elapsed).toBe(110);
    expect(calls).toEqual([1, 2]);
  });

  test("timeout, cancels an attempt that takes too long, awaits it, and tries again", async () => {
    const log: string[] = [];

    const { result, elapsed } = await runVirtual(
      retry(
        function* (attempt) {
          log.push(`begin ${attempt}`);
          try {
            yield* sleep(attempt < 3 ? 100 : 1);
            return attempt;
          } finally {
            yield* sleep(5);
            log.push(`end ${attempt}`);
          }
        },
        { timeout: 10, backoff: 50 },
      ),
    );

    expect(result).toBe(3);
    expect(log).toEqual(["begin 1", "end 1", "begin 2", "end 2", "begin 3", "end 3"]);
    expect(elapsed).toBe(15 + 50 + 15 + 50 + 6);
  });

  test("timeout, is what the attempts failed with, when none is in time", async () => {
    const error = await virtually(thrownBy(retry(() => sleep(100), { timeout: 10, attempts: 2, backoff: 0 })));

    expect((error as RetryError).errors.every((each) => each instanceof TimeoutError)).toBe(true);
  });
});

describe("what is retried", () => {
  test("shouldRetry, refuses an error, which is thrown as it is, with the earlier ones at the end of its causes", async () => {
    const inner = new Error("inner");
    const refused = new RangeError("refused", { cause: inner });
    const flaky = new Flaky(3, (attempt) => (attempt === 3 ? refused : new Error(`failure ${attempt}`)));
    const asked: unknown[] = [];

    const error = await virtually(
      thrownBy(
        retry(flaky.call, {
          backoff: 0,
          shouldRetry: async (thrown, attempt) => {
            await sleep(1);
            asked.push([(thrown as Error).message, attempt]);
            return !(thrown instanceof RangeError);
          },
        }),
      ),
    );

    expect(error).toBe(refused);
    expect(refused.cause).toBe(inner);
    expect(inner.cause).toBeInstanceOf(RetryError);
    expect(messages(inner.cause)).toEqual(["failure 1", "failure 2"]);
    expect(asked).toEqual([
      ["failure 1", 1],
      ["failure 2", 2],
      ["refused", 3],
    ]);
  });

  test("an error that is refused, is left as it is, when there is no earlier one, or the same one came before", async () => {
    const first = new RangeError("first");
    const same = new RangeError("same");
    let calls = 0;

    await virtually(thrownBy(retry(() => Promise.reject(first), { shouldRetry: () => false })));
    await virtually(thrownBy(retry(() => Promise.reject(same), { backoff: 0, shouldRetry: () => ++calls < 3 })));

    expect(first.cause).toBeUndefined();
    expect(same.cause).toBeUndefined();
  });

  test("an error that is refused, is thrown all the same, when it cannot be changed or has a ring of causes", async () => {
    const frozen = Object.freeze(new RangeError("frozen"));
    const ring = new RangeError("ring");
    ring.cause = new Error("other", { cause: ring });

    for (const refused of [frozen, ring, "text"]) {
      const flaky = new Flaky(2, (attempt) => (attempt === 2 ? refused : new Error("first")));
      const error = await virtually(thrownBy(retry(flaky.call, { backoff: 0, shouldRetry: (each) => each !== refused })));
      expect(error).toBe(refused);
    }
  });

  test("mistakes in the program, are not retried, by default; what fetch() throws is", async () => {
    const attempts = async (error: Error): Promise<number> => {
      const flaky = new Flaky(1, () => error);
      await virtually(retry(flaky.call)).catch(() => {});
      return flaky.at.length;
    };

    expect(await attempts(new TypeError("undefined is not a function"))).toBe(1);
    expect(await attempts(new ReferenceError("x is not defined"))).toBe(1);
    expect(await attempts(new TypeError("fetch failed", { cause: new Error("ECONNRESET") }))).toBe(2);
    expect(await attempts(new TypeError("Failed to fetch"))).toBe(2);
    expect(await attempts(new TypeError("NetworkError when attempting to fetch resource."))).toBe(2);
    expect(await attempts(new TypeError("Load failed"))).toBe(2);
    expect(await attempts(new SyntaxError("Unexpected end of JSON input"))).toBe(2);
  });

  test("onRetry, is told of each failure that is followed by another attempt, and waited for", async () => {
    const told: FailedAttempt[] = [];
    const flaky = new Flaky(9);

    await virtually(
      thrownBy(
        retry(flaky.call, {
          attempts: 3,
          backoff: { initial: 10 },
          *onRetry(failed) {
            yield* sleep(1);
            told.push(failed);
          },
        }),
      ),
    );

    expect(told.map(({ error, ...rest }) => [(error as Error).message, rest])).toEqual([
      ["failure 1", { attempt: 1, attemptsLeft: 2, delay: 10, elapsed: 0 }],
      ["failure 2", { attempt: 2, attemptsLeft: 1, delay: 20, elapsed: 11 }],
    ]);
    expect(flaky.at).toEqual([0, 11, 32]);
  });

  test("an error of a hook, ends it, and keeps what the attempts failed with", async () => {
    const hooks = {
      shouldRetry: () => {
        throw new SyntaxError("hook");
      },
      shouldCount: () => {
        throw new SyntaxError("hook");
      },
      retryAfter: () => {
        throw new SyntaxError("hook");
      },
      backoff: () => {
        throw new SyntaxError("hook");
      },
      onRetry: async () => {
        throw new SyntaxError("hook");
      },
    };

    for (const [name, hook] of Object.entries(hooks)) {
      const flaky = new Flaky(1);
      const error = (await virtually(thrownBy(retry(flaky.call, { [name]: hook })))) as Error;
      expect([name, error.message, messages(error.cause)]).toEqual([name, "hook", ["failure 1"]]);
    }
  });

  test("a backoff that gives no duration, ends it by the error that says so", async () => {
    const error = await virtually(thrownBy(retry(new Flaky(1).call, { backoff: () => Number.NaN })));

    expect((error as Error).message).toBe('Expected `backoff` in milliseconds or like "1.5s", got NaN (number)');
  });
});

describe("cancellation", () => {
  test("retry(), ends at once, when its task is cancelled in an attempt or in a pause", async () => {
    for (const when of [5, 15]) {
      const flaky: number[] = [];

      const { result, elapsed, errors } = await runVirtual(function* () {
        const task = createTask(
          retry(
            function* (attempt) {
              flaky.push(attempt);
              yield* sleep(10);
              throw new Error("failed");
            },
            { backoff: 10 },
          ),
        );
        yield* sleep(when);
        task.cancel("enough");
        yield* task.join();
        return task.cancelled();
      });

      expect([result, elapsed, flaky]).toEqual([true, when, [1]]);
      expect(errors).toEqual([]);
    }
  });

  test("retry(), does not try again, when an attempt meets its cancellation with an error of its own", async () => {
    let calls = 0;

    const { result } = await runVirtual(function* () {
      const task = createTask(
        retry(function* () {
          calls++;
          try {
            yield* sleep("1h");
          } catch {
            throw new RangeError("in cleanup");
          }
        }),
      );
      yield* sleep(1);
      task.cancel();
      yield* task.join();
      return task.exception();
    });

    expect(result).toBeInstanceOf(RangeError);
    expect(calls).toBe(1);
  });

  test("retry(), does not try again, when what it awaits was cancelled by others", async () => {
    let calls = 0;

    const error = await virtually(function* () {
      return yield* thrownBy(
        retry(function* () {
          calls++;
          const other = createTask(sleep("1h"));
          other.cancel();
          yield* other;
        }),
      );
    });

    expect(isCancelled(error)).toBe(true);
    expect(calls).toBe(1);
  });

  test("retry(), ends by the timeout around it, not by its own, when both are over", async () => {
    let calls = 0;

    const { result, elapsed } = await runVirtual(
      thrownBy(
        timeout(25, () =>
          retry(
            () => {
              calls++;
              return sleep("1h");
            },
            { timeout: 10, backoff: 5 },
          ),
        ),
      ),
    );

    expect(result).toBeInstanceOf(TimeoutError);
    expect((result as Error).message).toContain("25 ms");
    expect([calls, elapsed]).toEqual([2, 25]);
  });

  test("a signal, aborts an attempt or a pause with its reason, after the attempt has ended", async () => {
    const reason = new Error("reason");
    for (const when of [5, 20]) {
      const cleaned: number[] = [];

      const { result, elapsed, errors } = await runVirtual(function* () {
        const aborter = new AbortController();
        getRunningLoop().callLater(when, () => aborter.abort(reason));
        const error = yield* thrownBy(
          retry(
            function* () {
              try {
                yield* sleep(10);
              } finally {
                yield* sleep(3);
                cleaned.push(getRunningLoop().time());
              }
              throw new Error("failed");
            },
            { backoff: 10, signal: aborter.signal },
          ),
        );
        return [error, (currentTask() as Task<unknown>).cancelling()];
      });

      expect(result).toEqual([reason, 0]);
      expect(cleaned).toEqual([when === 5 ? 8 : 13]);
      expect(elapsed).toBe(when === 5 ? 8 : 20);
      expect(errors).toEqual([]);
    }
  });

  test("a signal, is let go of, when it has ended", async () => {
    const { signal } = new AbortController();
    let listeners = 0;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--;
      remove(...args);
    };

    await virtually(retry(new Flaky(1).call, { signal }));
    await virtually(thrownBy(retry(new Flaky(9).call, { signal, attempts: 2 })));

    expect(listeners).toBe(0);
  });

  test("a signal that is aborted already, refuses before the first attempt", async () => {
    const reason = new Error("reason");
    const flaky = new Flaky(0);

    expect(await virtually(thrownBy(retry(flaky.call, { signal: AbortSignal.abort(reason) })))).toBe(reason);
    expect(flaky.at).toEqual([]);
  });

  test("a signal, does not hide a cancellation from outside, nor what an attempt says on its way out", async () => {
    const { result, errors } = await runVirtual(function* () {
      const aborter = new AbortController();
      const both = createTask(retry(() => sleep("1h"), { signal: aborter.signal }));
      const loud = createTask(
        retry(
          function* () {
            try {
              yield* sleep("1h");
            } catch {
              throw new RangeError("on its way out");
            }
          },
          { signal: aborter.signal },
        ),
      );
      yield* sleep(1);
      aborter.abort(new Error("reason"));
      both.cancel();
      yield* both.join();
      return [both.cancelled(), (yield* thrownBy(loud as never) as unknown as Coroutine<Error>).message];
    });

    expect(result).toEqual([true, "reason"]);
    expect(errors.map((each) => (each.exception as Error).message)).toEqual(["on its way out"]);
  });

  test("retry(), in a shielded region, is not ended by a cancellation that waits", async () => {
    const flaky = new Flaky(2);

    const result = await virtually(function* () {
      let value: unknown;
      const task = createTask(
        shielded(function* () {
          value = yield* retry(flaky.call, { backoff: 10 });
        }),
      );
      yield* sleep(5);
      task.cancel();
      yield* task.join();
      return [value, task.cancelled()];
    });

    expect(result).toEqual(["attempt 3", true]);
  });

  test("retry(), waits as long as an open circuit says", async () => {
    const times: number[] = [];

    await virtually(function* () {
      const breaker = new CircuitBreaker({ threshold: 1, resetAfter: 500 });
      yield* retry(
        () =>
          breaker.with(function* () {
            times.push(getRunningLoop().time());
            if (times.length === 1) throw new Error("down");
          }),
        { backoff: 10 },
      );
    });

    expect(times).toEqual([0, 500]);
  });
});

describe("wrong calls of retry()", () => {
  const wrong: [string, object, string][] = [
    ["attempts 0", { attempts: 0 }, "Expected `attempts` to be an integer ≥ 1 or Infinity, got 0 (number)"],
    ["attempts -1", { attempts: -1 }, "Expected `attempts` to be an integer ≥ 1 or Infinity, got -1 (number)"],
    ["attempts 1.5", { attempts: 1.5 }, "Expected `attempts` to be an integer ≥ 1 or Infinity, got 1.5 (number)"],
    ["attempts NaN", { attempts: Number.NaN }, "Expected `attempts` to be an integer ≥ 1 or Infinity, got NaN (number)"],
    ["attempts string", { attempts: "3" }, 'Expected `attempts` to be an integer ≥ 1 or Infinity, got "3" (string)'],
    ["initial", { backoff: { initial: -1 } }, "Expected `backoff.initial` to be a duration ≥ 0, got -1 (number)"],
    ["factor 0", { backoff: { factor: 0 } }, "Expected `backoff.factor` to be a number > 0, got 0 (number)"],
    ["factor NaN", { backoff: { factor: Number.NaN } }, "Expected `backoff.factor` to be a number > 0, got NaN (number)"],
    ["max", { backoff: { max: "soon" } }, 'Expected `backoff.max` in milliseconds or like "1.5s", got "soon" (string)'],
    ["backoff", { backoff: "soon" }, 'Expected `backoff` in milliseconds or like "1.5s", got "soon" (string)'],
    ["jitter", { jitter: "some" }, 'Expected `jitter` to be "none", "full" or "equal", got "some" (string)'],
    ["random", { random: 4 }, "Expected `random` to be a function, got 4 (number)"],
    ["maxElapsed", { maxElapsed: -1 }, "Expected `maxElapsed` to be a duration ≥ 0, got -1 (number)"],
    ["timeout", { timeout: Number.NaN }, 'Expected `timeout` in milliseconds or like "1.5s", got NaN (number)'],
    ["shouldRetry", { shouldRetry: true }, "Expected `shouldRetry` to be a function, got true (boolean)"],
    ["onRetry", { onRetry: true }, "Expected `onRetry` to be a function, got true (boolean)"],
    ["signal", { signal: new AbortController() }, "Expected `signal` to be an AbortSignal, got an instance of AbortController"],
  ];

  test.for(wrong)("retry(), refuses it at once, when given %s", ([, options, message]) => {
    expect(() => retry(() => 1, options)).toThrow(message);
  });

  test("retry(), refuses what is no function, and options that are none", () => {
    expect(() => retry(5 as never)).toThrow("Expected the body of retry() to be a function* or an async function");
    expect(() => retry(() => 1, 5 as never)).toThrow(
      "Expected `options` to be an object such as { attempts: 3 }, got 5 (number)",
    );
  });

  test("retry(), takes options that are undefined as absent", async () => {
    const names = "attempts backoff jitter random maxElapsed timeout shouldRetry shouldCount retryAfter onRetry signal".split(
      " ",
    );
    const options = Object.fromEntries(names.map((name) => [name, undefined]));
    const backoff = { initial: undefined, factor: undefined, max: undefined };

    expect(await virtually(retry(new Flaky(1).call, options))).toBe("attempt 2");
    expect(await virtually(retry(new Flaky(1).call, { backoff }))).toBe("attempt 2");
  });
});

test("retry(), draws its jitter from the host, when that decides what happens by chance", async () => {
  const ends: number[] = [];
  for (const seed of [1, 1, 2]) {
    const host = new VirtualHost({ seed });
    const unlucky = retry(
      function* (attempt) {
        if (attempt < 5) throw new Error("not yet");
        ends.push(host.now());
      },
      { jitter: "full" },
    );
    await run(unlucky, { loop: new EventLoop({ host }) });
  }

  expect(ends[0]).toBe(ends[1]);
  expect(ends[0]).not.toBe(ends[2]);
});
