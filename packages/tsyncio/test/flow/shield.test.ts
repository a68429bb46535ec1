import {
  type Coroutine,
  createTask,
  currentTask,
  ExceptionGroup,
  Future,
  getRunningLoop,
  isCancelled,
  shield,
  shielded,
  sleep,
  type Task,
  TimeoutError,
  taskGroup,
  timeout,
  waitFor,
} from "tsyncio";
import { expect, test } from "vitest";
import { runVirtual, turn, virtually } from "../support/virtual.ts";

const me = (): Task<unknown> => currentTask() as Task<unknown>;

test("shield() gives the outcome of the job: result, error or cancellation", async () => {
  const seen = await virtually(async () => {
    const log: unknown[] = [await shield(sleep(1, "result")), await shield(async () => "async")];
    const victim = createTask(sleep("1h"));
    getRunningLoop().callLater(1, () => victim.cancel());
    for (const job of [
      async () => {
        throw new RangeError("error");
      },
      victim,
    ]) {
      try {
        await shield(job);
      } catch (error) {
        log.push((error as Error).name);
      }
    }
    return log;
  });

  expect(seen).toEqual(["result", "async", "RangeError", "CancelledError"]);
});

test("shield() of a future that is done is that future", async () => {
  await virtually(function* () {
    const done = new Future<number>();
    done.setResult(1);
    expect(shield(done)).toBe(done);
    yield* done;
  });
});

test("shield() resumes its awaiter two turns after the job ended", async () => {
  const turns = await virtually(function* () {
    const loop = getRunningLoop();
    let ended = 0;
    yield* shield(function* () {
      yield* sleep(1);
      ended = turn(loop);
    });
    return turn(loop) - ended;
  });

  expect(turns).toBe(2);
});

for (const spelling of ["function*", "async"] as const) {
  test(`shield() lets the job go on, when who awaits it is cancelled, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const job = createTask(sleep(10, "saved"));
      const waiting = createTask(
        spelling === "function*"
          ? function* () {
              yield* shield(job);
            }
          : async () => {
              await shield(job);
            },
      );
      yield* sleep(1);
      waiting.cancel();
      yield* waiting.join();
      return [waiting.cancelled(), job.cancelling(), yield* job];
    });

    expect(seen).toEqual([true, 0, "saved"]);
  });

  test(`shielded() ends its body first; then the cancellation is delivered, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const log: unknown[] = [];
      const task = createTask(
        spelling === "function*"
          ? function* () {
              try {
                yield* shielded(function* () {
                  yield* sleep(5);
                  log.push("half", me().signal.aborted);
                  yield* sleep(5);
                  log.push("whole", me().cancelling());
                });
                log.push("not reached");
              } catch (error) {
                log.push((error as Error).message, me().signal.aborted);
                throw error;
              }
            }
          : async () => {
              try {
                await shielded(async () => {
                  await sleep(5);
                  log.push("half", me().signal.aborted);
                  await sleep(5);
                  log.push("whole", me().cancelling());
                });
                log.push("not reached");
              } catch (error) {
                log.push((error as Error).message, me().signal.aborted);
                throw error;
              }
            },
      );
      yield* sleep(1);
      task.cancel("first");
      task.cancel("second");
      yield* task.join();
      return [...log, task.cancelled(), getRunningLoop().time()];
    });

    expect(seen).toEqual(["half", false, "whole", 2, "first", true, true, 10]);
  });

  test(`shielded() gives the body's value, when nobody cancels, ${spelling}`, async () => {
    const value = await virtually(function* () {
      return yield* shielded(
        spelling === "function*"
          ? function* (): Coroutine<string> {
              return yield* sleep(1, "value");
            }
          : async () => await sleep(1, "value"),
      );
    });

    expect(value).toBe("value");
  });

  test(`shielded() in a finally block keeps a second cancellation from the cleanup, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const log: unknown[] = [];
      const task = createTask(
        spelling === "function*"
          ? function* () {
              try {
                yield* sleep("1h");
              } finally {
                yield* shielded(function* () {
                  yield* sleep(10);
                  log.push("clean");
                });
                log.push("not reached");
              }
            }
          : async () => {
              try {
                await sleep("1h");
              } finally {
                await shielded(async () => {
                  await sleep(10);
                  log.push("clean");
                });
                log.push("not reached");
              }
            },
      );
      yield* sleep(1);
      task.cancel();
      yield* sleep(1);
      task.cancel();
      yield* task.join();
      return [...log, task.cancelled(), getRunningLoop().time()];
    });

    expect(seen).toEqual(["clean", true, 11]);
  });

  test(`shielded() throws the body's own error; a cancellation kept meanwhile comes at the next wait, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const log: unknown[] = [];
      const task = createTask(
        spelling === "function*"
          ? function* () {
              try {
                yield* shielded(function* () {
                  yield* sleep(5);
                  throw new Error("own");
                });
              } catch (error) {
                log.push((error as Error).message);
              }
              try {
                yield* sleep(1);
              } catch (error) {
                log.push(isCancelled(error));
                throw error;
              }
            }
          : async () => {
              try {
                await shielded(async () => {
                  await sleep(5);
                  throw new Error("own");
                });
              } catch (error) {
                log.push((error as Error).message);
              }
              try {
                await sleep(1);
              } catch (error) {
                log.push(isCancelled(error));
                throw error;
              }
            },
      );
      yield* sleep(1);
      task.cancel();
      yield* task.join();
      return [...log, task.cancelled()];
    });

    expect(seen).toEqual(["own", true, true]);
  });

  test(`timeout() around shielded() throws TimeoutError when the region has ended, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const log: unknown[] = [];
      try {
        yield* timeout(
          5,
          spelling === "function*"
            ? function* () {
                yield* shielded(() => sleep(20));
                log.push("not reached");
              }
            : async () => {
                await shielded(() => sleep(20));
                log.push("not reached");
              },
        );
      } catch (error) {
        log.push(error instanceof TimeoutError, getRunningLoop().time());
      }
      yield* sleep(1);
      return [...log, me().cancelling()];
    });

    expect(seen).toEqual([true, 20, 0]);
  });

  test(`timeout() inside shielded() limits the cleanup, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const log: unknown[] = [];
      yield* shielded(
        spelling === "function*"
          ? function* () {
              try {
                yield* timeout(5, () => sleep(100));
                log.push("not limited");
              } catch (error) {
                log.push(error instanceof TimeoutError);
              }
            }
          : async () => {
              try {
                await timeout(5, () => sleep(100));
                log.push("not limited");
              } catch (error) {
                log.push(error instanceof TimeoutError);
              }
            },
      );
      return [...log, getRunningLoop().time(), me().cancelling()];
    });

    expect(seen).toEqual([true, 5, 0]);
  });

  test(`taskGroup() inside shielded() interrupts its body, when a task fails, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const fails = function* (): Coroutine<never> {
        yield* sleep(1);
        throw new Error("broken");
      };
      try {
        yield* shielded(
          spelling === "function*"
            ? function* () {
                yield* taskGroup(function* (group) {
                  group.createTask(fails);
                  yield* sleep(100);
                });
              }
            : async () => {
                await taskGroup(async (group) => {
                  group.createTask(fails);
                  await sleep(100);
                });
              },
        );
      } catch (error) {
        return [error instanceof ExceptionGroup, getRunningLoop().time(), me().cancelling()];
      }
      return [];
    });

    expect(seen).toEqual([true, 1, 0]);
  });
}

test("shield() reports an error of the job that comes when nobody waits any more", async () => {
  const { errors } = await runVirtual(function* () {
    const job = createTask(function* () {
      yield* sleep(10);
      throw new RangeError("late");
    });
    const waiting = createTask(function* () {
      yield* shield(job);
    });
    yield* sleep(1);
    yield* waiting.cancelAndWait();
    yield* sleep(20);
  });

  expect(errors.map((each) => each.message)).toEqual(["RangeError exception in shielded future"]);
});

test("shield() reports nothing, when the job ends well or cancelled after nobody waits any more", async () => {
  const { errors } = await runVirtual(function* () {
    for (const end of ["well", "cancelled"]) {
      const job = createTask(sleep(10));
      const outer = shield(job);
      outer.cancel();
      yield* sleep(1);
      if (end === "cancelled") job.cancel();
      yield* job.join();
    }
  });

  expect(errors).toEqual([]);
});

test("shield() inside waitFor() times out, and the job goes on", async () => {
  const seen = await virtually(async () => {
    const job = createTask(sleep(10, "saved"));
    try {
      await waitFor(shield(job), 5);
    } catch (error) {
      return [error instanceof TimeoutError, job.done(), await job];
    }
    return [];
  });

  expect(seen).toEqual([true, false, "saved"]);
});

test("cancelling the job of shield() cancels who awaits it", async () => {
  const seen = await virtually(function* () {
    const job = createTask(sleep("1h"));
    const outer = shield(job);
    yield* sleep(1);
    job.cancel();
    yield* job.join();
    yield* sleep(0);
    return [outer.cancelled(), me().cancelling()];
  });

  expect(seen).toEqual([true, 0]);
});

test("two shields of one job are independent", async () => {
  const seen = await virtually(function* () {
    const job = createTask(sleep(10, "value"));
    const first = shield(job);
    const second = shield(job);
    first.cancel();
    return [first.cancelled(), yield* second];
  });

  expect(seen).toEqual([true, "value"]);
});

test("shielded() nested delivers at the end of the outermost region", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    const task = createTask(function* () {
      yield* shielded(function* () {
        yield* shielded(() => sleep(5));
        log.push("inner ended");
        yield* sleep(5);
        log.push("outer ended");
      });
      log.push("not reached");
    });
    yield* sleep(1);
    task.cancel();
    yield* task.join();
    return [...log, task.cancelled()];
  });

  expect(seen).toEqual(["inner ended", "outer ended", true]);
});

test("shielded() keeps a request that was made before it and not delivered yet", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    const task = createTask(function* () {
      currentTask()?.cancel("early");
      try {
        yield* shielded(function* () {
          yield* sleep(5);
          log.push("whole");
        });
      } catch (error) {
        log.push((error as Error).message);
        throw error;
      }
    });
    yield* task.join();
    return [...log, task.cancelled()];
  });

  expect(seen).toEqual(["whole", "early", true]);
});

test("uncancel() inside shielded() takes a kept request back", async () => {
  const seen = await virtually(function* () {
    const task = createTask(function* () {
      yield* shielded(function* () {
        yield* sleep(5);
        me().uncancel();
      });
      yield* sleep(1);
      return "went on";
    });
    yield* sleep(1);
    task.cancel();
    return yield* task;
  });

  expect(seen).toBe("went on");
});

test("shielded() throws TypeError at once, when its body is no function", () => {
  expect(() => shielded(sleep(1) as never)).toThrow("do not call it");
});
