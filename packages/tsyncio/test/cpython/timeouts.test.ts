/** Timeouts: deadlines, what they throw and what that was caused by, states, misuse. After CPython's test_timeouts.py. */

import {
  CancelledError,
  type Coroutine,
  createTask,
  currentTask,
  EventLoop,
  ExceptionGroup,
  Future,
  getRunningLoop,
  isCancelled,
  type Operation,
  RuntimeError,
  run,
  sleep,
  type Task,
  Timeout,
  TimeoutError,
  taskGroup,
  timeout,
  timeoutAt,
} from "tsyncio";
import { expect, test } from "vitest";
import { VirtualHost, virtually } from "../support/virtual.ts";

class Broken extends Error {}
class Other extends Error {}

const me = (): Task<unknown> => currentTask() as Task<unknown>;

/** The error that awaiting ends with. */
function* errorOf(awaited: Future<unknown> | Coroutine<unknown>): Coroutine<unknown> {
  try {
    yield* awaited;
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

/** The classes of an error and of its causes. */
function chainOf(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let each = error; each !== undefined && each !== null; each = (each as Error).cause) chain.push(each.constructor);
  return chain;
}

/** Virtual time in which steps can take long, as by computing. */
class BusyHost extends VirtualHost {
  #spent = 0;

  compute(milliseconds: number): void {
    this.#spent += milliseconds;
  }

  override now(): number {
    return super.now() + this.#spent;
  }

  override wakeAt(when: number, callback: () => void): unknown {
    return super.wakeAt(when - this.#spent, callback);
  }
}

// ── Deadlines ────────────────────────────────────────────────────────────────────────────────────────────────────────────

test.each(["function*", "async"])(
  "timeoutAt(), cancels the wait, throws TimeoutError and has expired, in a body: %s",
  async (how) => {
    await virtually(function* () {
      yield* sleep(5);
      const deadline = getRunningLoop().time() + 10;
      const log: unknown[] = [];
      const error = yield* errorOf(
        timeoutAt(
          deadline,
          how === "async"
            ? async (scope) => {
                log.push(scope);
                await sleep(10_000).then(undefined, (error) => {
                  log.push(isCancelled(error));
                  throw error;
                });
              }
            : function* (scope) {
                log.push(scope);
                try {
                  yield* sleep(10_000);
                } catch (error) {
                  log.push(isCancelled(error));
                  throw error;
                }
              },
        ),
      );
      const [scope, cancelled] = log as [Timeout, boolean];

      expect(error).toBeInstanceOf(TimeoutError);
      expect(cancelled).toBe(true);
      expect([scope.expired(), scope.when(), getRunningLoop().time()]).toEqual([true, deadline, deadline]);
    });
  },
);

test("timeout(), has not expired and tells its deadline, when the body ends before", async () => {
  await virtually(function* () {
    const scope = yield* timeout(10_000, function* (scope): Coroutine<Timeout> {
      yield* sleep(10);
      return scope;
    });

    expect([scope.expired(), scope.when(), getRunningLoop().time()]).toEqual([false, 10_000, 10]);
  });
});

test.each([null, undefined, Number.POSITIVE_INFINITY])(
  "timeout() and timeoutAt(), have no deadline and do not expire, given %s",
  async (never) => {
    await virtually(function* () {
      for (const within of [timeout, timeoutAt]) {
        const scope = yield* within(never, function* (scope): Coroutine<Timeout> {
          expect(scope.when()).toBe(Number.POSITIVE_INFINITY);
          yield* sleep(10);
          return scope;
        });

        expect([scope.expired(), scope.when()]).toEqual([false, Number.POSITIVE_INFINITY]);
      }
    });
  },
);

test.each([
  [0, 10_000],
  [0, 0],
  [-11, 0],
])("timeout(%d), expires in the same millisecond and tells the deadline, around sleep(%d)", async (limit, pause) => {
  await virtually(function* () {
    yield* sleep(100);
    const scopes: Timeout[] = [];
    const error = yield* errorOf(
      timeout(limit, function* (scope) {
        scopes.push(scope);
        yield* sleep(pause);
      }),
    );
    const asyncError = yield* errorOf(
      timeout(limit, async (scope) => {
        scopes.push(scope);
        await sleep(pause);
      }),
    );

    for (const each of [error, asyncError]) expect(each).toBeInstanceOf(TimeoutError);
    expect(getRunningLoop().time()).toBe(100);
    expect(scopes.map((scope) => [scope.expired(), scope.when()])).toEqual(Array(2).fill([true, 100 + limit]));
  });
});

test("scope.reschedule(), moves the deadline and lifts it, when called by another task", async () => {
  await virtually(function* () {
    const start = getRunningLoop().time();
    const entered = new Future<Timeout>();
    const task = createTask(
      timeoutAt(start + 10_000, function* (scope) {
        entered.setResult(scope);
        yield* sleep(50_000);
      }),
    );
    const scope = yield* entered;
    expect(scope.when()).toBe(start + 10_000);
    scope.reschedule(start + 30_000);
    expect(scope.when()).toBe(start + 30_000);
    scope.reschedule(null);
    expect(scope.when()).toBe(Number.POSITIVE_INFINITY);
    yield* sleep(40_000);
    task.cancel();

    expect(yield* errorOf(task)).toBeInstanceOf(CancelledError);
    expect(scope.expired()).toBe(false);
  });
});

// ── What they throw, and what that was caused by ─────────────────────────────────────────────────────────────────────────

test("timeout(), lets the body's own error through and has not expired, when that comes in time", async () => {
  await virtually(function* () {
    const scopes: Timeout[] = [];
    const own = new Broken();
    const error = yield* errorOf(
      timeout(10, (scope) => {
        scopes.push(scope);
        throw own;
      }),
    );

    expect(error).toBe(own);
    expect(scopes[0]?.expired()).toBe(false);
  });
});

test("timeout(), throws a TimeoutError caused by the cancellation, when it interrupts a cleanup", async () => {
  await virtually(function* () {
    const error = yield* errorOf(
      timeout(10, function* () {
        try {
          throw new Broken();
        } finally {
          yield* sleep(1000);
        }
      }),
    );

    expect(chainOf(error)).toEqual([TimeoutError, CancelledError]);
  });
});

test("timeout(), notes itself as cause of the error that the body throws in its place", async () => {
  await virtually(function* () {
    const body = (links: boolean) =>
      function* (): Coroutine<void> {
        try {
          yield* sleep(1000);
        } catch (error) {
          throw links ? new Broken("", { cause: error }) : new Broken();
        }
      };

    expect(chainOf(yield* errorOf(timeout(10, body(true))))).toEqual([Broken, TimeoutError, CancelledError]);
    expect(chainOf(yield* errorOf(timeout(10, body(false))))).toEqual([Broken, TimeoutError]);
  });
});

test("timeout(), notes itself at the end of the causes, when the error that the body throws has some already", async () => {
  await virtually(function* () {
    const error = yield* errorOf(
      timeout(10, function* () {
        try {
          try {
            yield* sleep(1000);
          } catch (cancellation) {
            throw new Other("", { cause: cancellation });
          }
        } catch (other) {
          throw new Broken("", { cause: other });
        }
      }),
    );

    expect(chainOf(error)).toEqual([Broken, Other, TimeoutError, CancelledError]);
  });
});

test("timeout(), notes itself as cause of a group and of each of its errors, when a task's cleanup fails", async () => {
  await virtually(function* () {
    const error = yield* errorOf(
      timeout(10, () =>
        taskGroup(function* (group) {
          group.createTask(function* () {
            try {
              yield* sleep(2000);
            } catch (cancellation) {
              throw new Broken("", { cause: cancellation });
            }
          });
          yield* sleep(1000);
        }),
      ),
    );

    expect(chainOf(error)).toEqual([ExceptionGroup, TimeoutError]);
    expect((error as ExceptionGroup).errors.map(chainOf)).toEqual([[Broken, TimeoutError, CancelledError]]);
  });
});

test("timeout(), throws an error with a cancellation of its own, when it stops the cleanup of another", async () => {
  await virtually(function* () {
    const errors: unknown[] = [];
    errors.push(
      yield* errorOf(
        timeout(10, function* () {
          try {
            yield* sleep(1000);
          } finally {
            errors.push(yield* errorOf(timeout(10, () => sleep(10_000))));
          }
        }),
      ),
    );

    expect(errors.map(chainOf)).toEqual(Array(2).fill([TimeoutError, CancelledError]));
    const [inner, outer] = errors as [TimeoutError, TimeoutError];
    expect(inner.cause).not.toBe(outer.cause);
  });
});

// ── Cancellations that are not the timeout's ─────────────────────────────────────────────────────────────────────────────

test("timeout(), lets a cancellation through and has not expired, when its task cancels itself in the body", async () => {
  await virtually(function* () {
    const scopes: Timeout[] = [];
    const task = createTask(
      timeout(10_000, function* (scope) {
        scopes.push(scope);
        me().cancel();
        yield* sleep(10_000);
      }),
    );

    expect(yield* errorOf(task)).toBeInstanceOf(CancelledError);
    expect([task.cancelled(), scopes[0]?.expired()]).toEqual([true, false]);
  });
});

test("timeout(), leaves its task to go on and to succeed, when its error is caught", async () => {
  await virtually(function* () {
    const task = createTask(function* () {
      expect(yield* errorOf(timeout(1, () => sleep(10_000)))).toBeInstanceOf(TimeoutError);
    });
    yield* task;

    expect([task.cancelled(), task.done(), task.cancelling()]).toEqual([false, true, 0]);
  });
});

test.each([
  ["expires", "TimeoutError", 0],
  ["is cancelled again", "CancelledError", 1000],
])("timeout(), in a task that has swallowed a cancellation, %s: throws %s", async (_, expected, limit) => {
  await virtually(function* () {
    const task = createTask(function* () {
      me().cancel();
      expect(yield* errorOf(sleep(1000))).toBeInstanceOf(CancelledError);
      const error = yield* errorOf(
        timeout(limit, function* () {
          if (limit > 0) me().cancel();
          yield* sleep(2000);
        }),
      );

      expect((error as Error).name).toBe(expected);
      expect(me().cancelling()).toBe(limit > 0 ? 2 : 1);
    });
    yield* task;
  });
});

// ── Long steps ───────────────────────────────────────────────────────────────────────────────────────────────────────────

test("timeout() of a timeout(), expires alone, when a step takes longer than its limit, not the inner's", async () => {
  const host = new BusyHost();
  const log: unknown[] = [];
  await run(
    function* () {
      const error = yield* errorOf(
        timeout(2, () =>
          timeout(100, function* (inner) {
            try {
              host.compute(10);
              yield* sleep(1000);
            } catch (error) {
              log.push(isCancelled(error), inner.expired());
              throw error;
            }
          }),
        ),
      );
      log.push(error instanceof TimeoutError, getRunningLoop().time(), me().cancelling());
    },
    { loop: new EventLoop({ host }), signals: [] },
  );

  expect(log).toEqual([true, false, true, 10, 0]);
});

test.each([
  [100, false],
  [99, true],
])(
  "timeout(100) of a timeout(10), is not held up by a step of %d ms, after which the inner is caught: %s",
  async (busy, caught) => {
    const host = new BusyHost();
    const log: unknown[] = [];
    await run(
      function* () {
        const error = yield* errorOf(
          timeout(100, function* () {
            try {
              yield* timeout(10, function* () {
                host.compute(busy);
                yield* sleep(1000);
              });
            } catch (error) {
              log.push(error instanceof TimeoutError);
              if (!caught) throw error;
            }
            yield* sleep(10_000);
          }),
        );
        log.push(error instanceof TimeoutError, getRunningLoop().time(), me().cancelling());
      },
      { loop: new EventLoop({ host }), signals: [] },
    );

    expect(log).toEqual([caught, true, 100, 0]);
  },
);

// ── States, misuse ───────────────────────────────────────────────────────────────────────────────────────────────────────

test("String(scope), tells whether it is active and till when, finished or expired", async () => {
  await virtually(function* () {
    const scopes: Timeout[] = [];
    for (const [limit, text] of [
      [10, "<Timeout [active] when=10>"],
      [null, "<Timeout [active] when=Infinity>"],
    ] as const) {
      yield* timeout(limit, function* (scope) {
        scopes.push(scope);
        expect(String(scope)).toBe(text);
        yield* sleep(0);
      });
    }
    yield* errorOf(
      timeout(10, (scope) => {
        scopes.push(scope);
        return sleep(1000);
      }),
    );

    expect(scopes.map(String)).toEqual(["<Timeout [finished]>", "<Timeout [finished]>", "<Timeout [expired]>"]);
  });
});

test("scope.reschedule(), throws RuntimeError, when not entered, finished, expired or expiring", async () => {
  await virtually(function* () {
    const finished = yield* timeout(10, (scope) => scope);
    const scopes: Timeout[] = [];
    const error = yield* errorOf(
      timeout(10, (scope) => {
        scopes.push(scope);
        return sleep(1000);
      }),
    );
    expect(error).toBeInstanceOf(TimeoutError);
    const [expired] = scopes as [Timeout];

    // Users have no way to make one; a cast has.
    const created = new (Timeout as unknown as new (when: number) => Timeout)(10);

    for (const [scope, state] of [
      [created, "created"],
      [finished, "finished"],
      [expired, "expired"],
    ] as const) {
      expect(() => scope.reschedule(20)).toThrow(RuntimeError);
      expect(() => scope.reschedule(20)).toThrow(state);
    }
    yield* timeout(10, function* (scope) {
      expect(yield* errorOf(sleep(1000))).toBeInstanceOf(CancelledError);
      expect(() => scope.reschedule(20)).toThrow(RuntimeError);
      expect(() => scope.reschedule(20)).toThrow("expiring");
    });
  });
});

test("timeout(), is for one use: RuntimeError, when entered again, by its own body or later", async () => {
  await virtually(function* () {
    let runs = 0;
    let inside: unknown;
    const limited: Operation<void> = timeout(10, function* () {
      runs++;
      inside = yield* errorOf(limited);
    });
    yield* limited;
    const later = yield* errorOf(limited);

    for (const error of [inside, later]) {
      expect(error).toBeInstanceOf(RuntimeError);
      expect((error as Error).message).toContain("Cannot await timeout again: it is for one use");
    }
    expect(runs).toBe(1);
  });
});

test("timeout(), throws RuntimeError that asks for a task, when entered outside of any", async () => {
  await virtually(function* () {
    const log: unknown[] = [];
    getRunningLoop().callSoon(() => {
      try {
        timeout(10, () => log.push("not reached")).next();
      } catch (error) {
        log.push(error);
      }
    });
    yield* sleep(0);

    expect(log).toEqual([expect.any(RuntimeError)]);
    expect(String(log[0])).toMatch(/timeout.* must run inside a task/);
  });
});
