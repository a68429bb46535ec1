import {
  type Coroutine,
  createTask,
  currentTask,
  ExceptionGroup,
  getRunningLoop,
  isCancelled,
  moveOnAfter,
  RuntimeError,
  sleep,
  type Task,
  Timeout,
  TimeoutError,
  taskGroup,
  timeout,
  timeoutAt,
} from "tsyncio";
import { expect, test } from "vitest";
import { runVirtual, turn, virtually } from "../support/virtual.ts";

const me = (): Task<unknown> => currentTask() as Task<unknown>;

test("timeout() gives the body's value, when it is done in time, in both spellings", async () => {
  const { result, elapsed } = await runVirtual(async () => [
    await timeout("1h", async () => await sleep(1, "async")),
    await timeout("1h", function* (): Coroutine<string> {
      return yield* sleep(1, "function*");
    }),
    await timeout("1h", () => "plain"),
  ]);

  expect(result).toEqual(["async", "function*", "plain"]);
  expect(elapsed).toBe(2);
});

test("timeout() takes no turn to enter and leave", async () => {
  const turns = await virtually(function* () {
    const loop = getRunningLoop();
    const before = turn(loop);
    yield* timeout(10, function* () {});
    return turn(loop) - before;
  });

  expect(turns).toBe(0);
});

for (const spelling of ["function*", "async"] as const) {
  test(`timeout() throws TimeoutError with its scope, after the body's cleanup, which may wait, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const loop = getRunningLoop();
      const log: unknown[] = [];
      let scope: Timeout | undefined;
      const generator = function* (given: Timeout): Coroutine<void> {
        scope = given;
        try {
          yield* sleep("1h");
          log.push("not reached");
        } finally {
          log.push(given.expired());
          yield* sleep(5);
          log.push("clean");
        }
      };
      const asynchronous = async (given: Timeout): Promise<void> => {
        scope = given;
        try {
          await sleep("1h");
          log.push("not reached");
        } finally {
          log.push(given.expired());
          await sleep(5);
          log.push("clean");
        }
      };
      try {
        yield* timeout(10, spelling === "function*" ? generator : asynchronous);
      } catch (error) {
        log.push(error instanceof TimeoutError && error.scope === scope, isCancelled((error as Error).cause), loop.time());
      }
      yield* sleep(1);
      return [...log, scope?.expired(), me().cancelling(), me().signal.aborted];
    });

    expect(seen).toEqual([true, "clean", true, true, 15, true, 0, false]);
  });

  test(`timeout(0) expires at the body's first wait, and never without one, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const log: unknown[] = [];
      log.push(
        yield* timeout(
          0,
          spelling === "function*"
            ? function* (): Coroutine<string> {
                return "no wait";
              }
            : () => "no wait",
        ),
      );
      try {
        yield* timeout(
          -5,
          spelling === "function*"
            ? function* () {
                log.push("started");
                yield* sleep(1);
                log.push("not reached");
              }
            : async () => {
                log.push("started");
                await sleep(1);
                log.push("not reached");
              },
        );
      } catch (error) {
        log.push(error instanceof TimeoutError);
      }
      return [...log, getRunningLoop().time()];
    });

    expect(seen).toEqual(["no wait", "started", true, 0]);
  });

  test(`timeout() lets a cancellation from outside through, and its count stays, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const scopes: Timeout[] = [];
      const task = createTask(
        spelling === "function*"
          ? function* () {
              yield* timeout(10, function* (scope) {
                scopes.push(scope);
                yield* sleep("1h");
              });
            }
          : async () => {
              await timeout(10, async (scope) => {
                scopes.push(scope);
                await sleep("1h");
              });
            },
      );
      yield* sleep(5);
      task.cancel("outside");
      yield* task.join();
      const at = getRunningLoop().time();
      yield* sleep(20);
      return [task.cancelled(), task.cancelling(), scopes[0]?.expired(), at];
    });

    expect(seen).toEqual([true, 1, false, 5]);
  });

  test(`timeout() throws CancelledError, when deadline and cancellation come together, ${spelling}`, async () => {
    const ends = await virtually(function* () {
      const seen: unknown[] = [];
      for (const cancelFirst of [true, false]) {
        const start = getRunningLoop().time();
        const cancel = (): boolean => task.cancel();
        if (cancelFirst) getRunningLoop().callAt(start + 10, cancel);
        const task: Task<void> = createTask(
          spelling === "function*"
            ? function* () {
                yield* timeoutAt(start + 10, function* () {
                  yield* sleep("1h");
                });
              }
            : async () => {
                await timeoutAt(start + 10, async () => {
                  await sleep("1h");
                });
              },
        );
        if (!cancelFirst) {
          yield* sleep(0);
          getRunningLoop().callAt(start + 10, cancel);
        }
        yield* task.join();
        seen.push(task.cancelled(), task.cancelling());
      }
      return seen;
    });

    expect(ends).toEqual([true, 1, true, 1]);
  });

  test(`timeout() nested: the inner one that expires first is caught inside, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const log: unknown[] = [];
      const generator = function* (outer: Timeout): Coroutine<void> {
        try {
          yield* timeout(5, function* () {
            yield* sleep("1h");
          });
        } catch (error) {
          log.push(error instanceof TimeoutError && error.scope !== outer, getRunningLoop().time());
        }
        yield* sleep(2);
        log.push(outer.expired());
      };
      const asynchronous = async (outer: Timeout): Promise<void> => {
        try {
          await timeout(5, async () => {
            await sleep("1h");
          });
        } catch (error) {
          log.push(error instanceof TimeoutError && error.scope !== outer, getRunningLoop().time());
        }
        await sleep(2);
        log.push(outer.expired());
      };
      yield* timeout(10, spelling === "function*" ? generator : asynchronous);
      return [...log, me().cancelling()];
    });

    expect(seen).toEqual([true, 5, false, 0]);
  });

  test(`timeout() nested: the outer one that expires first passes the inner one as a cancellation, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const log: unknown[] = [];
      const generator = function* (): Coroutine<void> {
        try {
          yield* timeout(10, function* (inner) {
            try {
              yield* sleep("1h");
            } finally {
              log.push(inner.expired());
            }
          });
        } catch (error) {
          log.push(isCancelled(error));
          throw error;
        }
      };
      const asynchronous = async (): Promise<void> => {
        try {
          await timeout(10, async (inner) => {
            try {
              await sleep("1h");
            } finally {
              log.push(inner.expired());
            }
          });
        } catch (error) {
          log.push(isCancelled(error));
          throw error;
        }
      };
      try {
        yield* timeout(5, spelling === "function*" ? generator : asynchronous);
      } catch (error) {
        log.push(error instanceof TimeoutError, getRunningLoop().time());
      }
      return [...log, me().cancelling()];
    });

    expect(seen).toEqual([false, true, true, 5, 0]);
  });

  test(`timeout() nested with equal deadlines: both expire, the outer one throws, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const log: unknown[] = [];
      const scopes: Timeout[] = [];
      const generator = function* (outer: Timeout): Coroutine<void> {
        scopes.push(outer);
        try {
          yield* timeoutAt(outer.when(), function* (inner) {
            scopes.push(inner);
            yield* sleep("1h");
          });
        } catch (error) {
          log.push(isCancelled(error));
          throw error;
        }
      };
      const asynchronous = async (outer: Timeout): Promise<void> => {
        scopes.push(outer);
        try {
          await timeoutAt(outer.when(), async (inner) => {
            scopes.push(inner);
            await sleep("1h");
          });
        } catch (error) {
          log.push(isCancelled(error));
          throw error;
        }
      };
      try {
        yield* timeout(10, spelling === "function*" ? generator : asynchronous);
      } catch (error) {
        log.push(error instanceof TimeoutError && error.scope === scopes[0]);
      }
      return [...log, ...scopes.map((scope) => scope.expired()), me().cancelling()];
    });

    expect(seen).toEqual([true, true, true, true, 0]);
  });

  test(`timeout() whose body swallows the cancellation gives the body's value, and has expired, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      let scope: Timeout | undefined;
      const value = yield* timeout(
        10,
        spelling === "function*"
          ? function* (given): Coroutine<string> {
              scope = given;
              try {
                yield* sleep("1h");
              } catch {
                yield* sleep(5);
              }
              return "swallowed";
            }
          : async (given) => {
              scope = given;
              try {
                await sleep("1h");
              } catch {
                await sleep(5);
              }
              return "swallowed";
            },
      );
      return [value, scope?.expired(), me().cancelling(), getRunningLoop().time()];
    });

    expect(seen).toEqual(["swallowed", true, 0, 15]);
  });

  test(`timeout() in the cleanup of a cancelled task limits the cleanup, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const log: unknown[] = [];
      const task = createTask(
        spelling === "function*"
          ? function* () {
              try {
                yield* sleep("1h");
              } finally {
                try {
                  yield* timeout(5, () => sleep("1h"));
                } catch (error) {
                  log.push(error instanceof TimeoutError, me().cancelling());
                }
              }
            }
          : async () => {
              try {
                await sleep("1h");
              } finally {
                try {
                  await timeout(5, () => sleep("1h"));
                } catch (error) {
                  log.push(error instanceof TimeoutError, me().cancelling());
                }
              }
            },
      );
      yield* sleep(1);
      task.cancel();
      yield* task.join();
      return [...log, task.cancelled(), task.cancelling(), getRunningLoop().time()];
    });

    expect(seen).toEqual([true, 1, true, 1, 6]);
  });

  test(`scope.reschedule() moves the deadline later and earlier, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const loop = getRunningLoop();
      const log: unknown[] = [];
      const generator = function* (scope: Timeout): Coroutine<void> {
        log.push(scope.when());
        yield* sleep(5);
        scope.reschedule(loop.time() + 100);
        yield* sleep(20);
        scope.reschedule(loop.time() + 10);
        log.push(scope.when());
        yield* sleep("1h");
      };
      const asynchronous = async (scope: Timeout): Promise<void> => {
        log.push(scope.when());
        await sleep(5);
        scope.reschedule(loop.time() + 100);
        await sleep(20);
        scope.reschedule(loop.time() + 10);
        log.push(scope.when());
        await sleep("1h");
      };
      try {
        yield* timeout(10, spelling === "function*" ? generator : asynchronous);
      } catch (error) {
        log.push(error instanceof TimeoutError, loop.time());
      }
      return log;
    });

    expect(seen).toEqual([10, 35, true, 35]);
  });

  test(`moveOnAfter() tells a body that ran out of time from one that did not, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const bodies =
        spelling === "function*"
          ? [
              function* (): Coroutine<string> {
                yield* sleep("1h");
                return "late";
              },
              function* (): Coroutine<string> {
                yield* sleep(1);
                return "in time";
              },
            ]
          : [async () => await sleep("1h", "late"), async () => await sleep(1, "in time")];
      const results: unknown[] = [];
      for (const body of bodies) results.push(yield* moveOnAfter(10, body as () => Coroutine<string>));
      return [...results, me().cancelling(), getRunningLoop().time()];
    });

    expect(seen).toEqual([{ timedOut: true, value: undefined }, { timedOut: false, value: "in time" }, 0, 11]);
  });

  test(`moveOnAfter() lets a cancellation from outside through, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const task = createTask(
        spelling === "function*"
          ? function* () {
              return yield* moveOnAfter(10, () => sleep("1h"));
            }
          : async () => await moveOnAfter(10, () => sleep("1h")),
      );
      yield* sleep(1);
      task.cancel();
      yield* task.join();
      return [task.cancelled(), task.cancelling()];
    });

    expect(seen).toEqual([true, 1]);
  });
}

test("timeout() without a limit never expires", async () => {
  const seen = await virtually(async () => {
    const whens: number[] = [];
    for (const limit of [undefined, null, Number.POSITIVE_INFINITY]) {
      await timeout(limit, async (scope) => {
        whens.push(scope.when());
        await sleep("30d");
      });
      await timeoutAt(limit, async (scope) => {
        whens.push(scope.when());
      });
    }
    return whens;
  });

  expect(seen).toEqual(Array(6).fill(Number.POSITIVE_INFINITY));
});

test("timeoutAt() takes a time on the loop's clock; one that is past expires at the first wait", async () => {
  const seen = await virtually(function* () {
    const loop = getRunningLoop();
    yield* sleep(100);
    const log: unknown[] = [];
    for (const when of [loop.time() + 10, 50]) {
      try {
        yield* timeoutAt(when, () => sleep("1h"));
      } catch (error) {
        log.push(error instanceof TimeoutError, loop.time());
      }
    }
    return log;
  });

  expect(seen).toEqual([true, 110, true, 110]);
});

test("scope.reschedule(null) lifts the limit; a time that is past expires at once", async () => {
  const seen = await virtually(async () => {
    const loop = getRunningLoop();
    const log: unknown[] = [];
    await timeout(10, async (scope) => {
      scope.reschedule(null);
      await sleep(50);
      log.push(scope.when());
    });
    try {
      await timeout("1h", async (scope) => {
        scope.reschedule(0);
        await sleep("1h");
      });
    } catch (error) {
      log.push(error instanceof TimeoutError, loop.time());
    }
    return log;
  });

  expect(seen).toEqual([Number.POSITIVE_INFINITY, true, 50]);
});

test("scope.reschedule() throws RuntimeError, when the time is over or the body has ended", async () => {
  const states = await virtually(async () => {
    const messages: string[] = [];
    const attempt = (scope: Timeout): void => {
      try {
        scope.reschedule(1000);
      } catch (error) {
        if (error instanceof RuntimeError) messages.push(error.message);
      }
    };
    let finished: Timeout | undefined;
    let expired: Timeout | undefined;
    await timeout(10, (scope) => {
      finished = scope;
    });
    attempt(finished as Timeout);
    await moveOnAfter(10, async (scope) => {
      expired = scope;
      try {
        await sleep("1h");
      } finally {
        attempt(scope);
      }
    });
    attempt(expired as Timeout);
    return messages.map((message) => /finished|expiring|expired/.exec(message)?.[0]);
  });

  expect(states).toEqual(["finished", "expiring", "expired"]);
});

test("String(scope) tells its state", async () => {
  const texts = await virtually(async () => {
    const seen: string[] = [];
    let kept: Timeout | undefined;
    await timeout(10, (scope) => {
      kept = scope;
      seen.push(String(scope));
    });
    return [...seen, String(kept)];
  });

  expect(texts).toEqual(["<Timeout [active] when=10>", "<Timeout [finished]>"]);
});

test("timeout() passes the body's own error on", async () => {
  await virtually(async () => {
    await expect(
      timeout(10, async () => {
        throw new RangeError("own");
      }),
    ).rejects.toThrow(RangeError);
    const own = new TimeoutError("the body's own");
    await expect(
      timeout(10, () => {
        throw own;
      }),
    ).rejects.toBe(own);
  });
});

test("timeout() notes itself in the causes of an error that the body throws when it is told to stop", async () => {
  const seen = await virtually(async () => {
    const late = async (): Promise<void> => {
      try {
        await sleep("1h");
      } catch {
        throw new Error("outer", { cause: new Error("inner") });
      }
    };
    try {
      await timeout(10, late);
    } catch (error) {
      const causes: string[] = [];
      for (let each: unknown = error; each instanceof Error; each = each.cause) causes.push(each.name);
      return [...causes, currentTask()?.cancelling()];
    }
    return [];
  });

  expect(seen).toEqual(["Error", "Error", "TimeoutError", 0]);
});

test("timeout() notes itself in each member of a group that the body throws when it is told to stop", async () => {
  const seen = await virtually(function* () {
    try {
      yield* timeout(10, function* () {
        yield* taskGroup(function* (group) {
          for (const name of ["a", "b"]) {
            group.createTask(function* () {
              try {
                yield* sleep("1h");
              } catch {
                throw new Error(name);
              }
            });
          }
        });
      });
    } catch (error) {
      if (!(error instanceof ExceptionGroup)) throw error;
      return error.errors.map((each) => [each.message, each.cause instanceof TimeoutError]);
    }
    return [];
  });

  expect(seen).toEqual([
    ["a", true],
    ["b", true],
  ]);
});

test("timeout() around a task group cancels the group, waits for it, and throws TimeoutError", async () => {
  const seen = await virtually(async () => {
    const log: unknown[] = [];
    try {
      await timeout(10, () =>
        taskGroup(async (group) => {
          group.createTask(async () => {
            try {
              await sleep("1h");
            } finally {
              await sleep(5);
              log.push("child is clean");
            }
          });
          await sleep("1h");
        }),
      );
    } catch (error) {
      log.push(error instanceof TimeoutError, getRunningLoop().time());
    }
    return [...log, currentTask()?.cancelling()];
  });

  expect(seen).toEqual(["child is clean", true, 15, 0]);
});

test("two timeouts side by side in one async function each end their own body alone", async () => {
  const seen = await virtually(async () =>
    (
      await Promise.allSettled([
        timeout(5, async () => await sleep(20, "too slow")),
        timeout(50, async () => await sleep(20, "in time")),
        sleep(30, "no limit"),
      ])
    ).map((each) => (each.status === "fulfilled" ? each.value : (each.reason as Error).name)),
  );

  expect(seen).toEqual(["TimeoutError", "in time", "no limit"]);
});

test("timeout() throws at once, when the duration is wrong or the body is no function", () => {
  expect(() => timeout(Number.NaN, () => {})).toThrow(RangeError);
  expect(() => timeout(1, sleep(1) as never)).toThrow("do not call it");
  expect(() => moveOnAfter(1, 5 as never)).toThrow(TypeError);
  expect(() => timeoutAt(Number.NaN, () => {})).toThrow(RangeError);
});

test("Timeout.reschedule() throws RuntimeError, before the body runs", () => {
  // Users have no way to make one; a subclass or a cast could.
  const scope = new (Timeout as unknown as new () => Timeout)();

  expect(() => scope.reschedule(10)).toThrow("created");
  expect([scope.when(), scope.expired()]).toEqual([Number.POSITIVE_INFINITY, false]);
});

test("timeout() disarms its deadline, when it is closed by hand and the cleanup of the body throws", async () => {
  const outcome = await virtually(function* () {
    const limited = timeout("1s", function* () {
      try {
        yield* sleep("1h");
      } finally {
        // biome-ignore lint/correctness/noUnsafeFinally: that is the case to be shown
        throw new Error("cleanup");
      }
    });
    const iterator = limited[Symbol.iterator]();
    iterator.next();
    let message = "";
    try {
      iterator.return(undefined as never);
    } catch (error) {
      message = (error as Error).message;
    }
    // An armed deadline would cancel this task now.
    yield* sleep("2s");
    return message;
  });

  expect(outcome).toBe("cleanup");
});
