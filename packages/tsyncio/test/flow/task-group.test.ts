import {
  allTasks,
  type Coroutine,
  coroutine,
  createTask,
  currentTask,
  ExceptionGroup,
  Future,
  getRunningLoop,
  isCancelled,
  RuntimeError,
  sleep,
  type Task,
  TaskGroup,
  taskGroup,
  timeout,
} from "tsyncio";
import { expect, test } from "vitest";
import { runVirtual, turn, virtually } from "../support/virtual.ts";

const me = (): Task<unknown> => currentTask() as Task<unknown>;
const messages = (error: unknown): string[] => (error as ExceptionGroup).errors.map((each) => (each as Error).message);

function* fails(message: string, delay = 1): Coroutine<never> {
  yield* sleep(delay);
  throw new Error(message);
}

/** Sleeps for long; tells `log` that it was cancelled, after a cleanup that waits. */
const sleeper =
  (log: unknown[], name: string, cleanup = 0) =>
  async (): Promise<void> => {
    try {
      await sleep("1h");
    } finally {
      if (cleanup > 0) await sleep(cleanup);
      log.push(name);
    }
  };

for (const spelling of ["function*", "async"] as const) {
  test(`taskGroup() gives the body's value, when all its tasks have ended, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const log: unknown[] = [];
      const value = yield* taskGroup(
        spelling === "function*"
          ? function* (group): Coroutine<string> {
              group.createTask(function* () {
                yield* sleep(5);
                log.push("slow");
              });
              log.push(yield* group.createTask(sleep(1, "quick")));
              return "body";
            }
          : async (group) => {
              group.createTask(async () => {
                await sleep(5);
                log.push("slow");
              });
              log.push(await group.createTask(async () => await sleep(1, "quick")));
              return "body";
            },
      );
      return [...log, value, getRunningLoop().time()];
    });

    expect(seen).toEqual(["quick", "slow", "body", 5]);
  });

  test(`taskGroup() cancels the body and the other tasks, awaits their cleanup and throws a group, when a task fails, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const log: unknown[] = [];
      try {
        yield* taskGroup(
          spelling === "function*"
            ? function* (group) {
                group.createTask(sleeper(log, "other", 5));
                group.createTask(fails("broken"));
                try {
                  yield* sleep("1h");
                } finally {
                  log.push("body");
                }
              }
            : async (group) => {
                group.createTask(sleeper(log, "other", 5));
                group.createTask(async () => {
                  await sleep(1);
                  throw new Error("broken");
                });
                try {
                  await sleep("1h");
                } finally {
                  log.push("body");
                }
              },
        );
      } catch (error) {
        log.push(error instanceof ExceptionGroup, messages(error));
      }
      return [...log, me().cancelling(), me().signal.aborted, getRunningLoop().time()];
    });

    expect(seen).toEqual(["body", "other", true, ["broken"], 0, false, 6]);
  });

  test(`taskGroup() cancels its tasks and throws a group with the body's error, when the body fails, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const log: unknown[] = [];
      try {
        yield* taskGroup(
          spelling === "function*"
            ? function* (group) {
                group.createTask(sleeper(log, "task", 5));
                yield* sleep(1);
                throw new RangeError("body");
              }
            : async (group) => {
                group.createTask(sleeper(log, "task", 5));
                await sleep(1);
                throw new RangeError("body");
              },
        );
      } catch (error) {
        log.push(messages(error));
      }
      return [...log, me().cancelling()];
    });

    expect(seen).toEqual(["task", ["body"], 0]);
  });

  test(`taskGroup() passes a cancellation on to body and tasks, awaits them, and is cancelled, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const log: unknown[] = [];
      const task = createTask(
        spelling === "function*"
          ? function* () {
              yield* taskGroup(function* (group) {
                group.createTask(sleeper(log, "task", 5));
                try {
                  yield* sleep("1h");
                } finally {
                  log.push("body");
                }
              });
            }
          : async () => {
              await taskGroup(async (group) => {
                group.createTask(sleeper(log, "task", 5));
                try {
                  await sleep("1h");
                } finally {
                  log.push("body");
                }
              });
            },
      );
      yield* sleep(1);
      task.cancel("stop");
      yield* task.join();
      let message = "";
      try {
        task.result();
      } catch (error) {
        message = (error as Error).message;
      }
      return [...log, task.cancelled(), message, task.cancelling(), getRunningLoop().time()];
    });

    expect(seen).toEqual(["body", "task", true, "stop", 1, 6]);
  });

  test(`taskGroup() passes a cancellation on that comes when only its tasks are awaited, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const log: unknown[] = [];
      const body = (group: TaskGroup): void => {
        group.createTask(sleeper(log, "a", 5));
        group.createTask(sleeper(log, "b"));
      };
      const task = createTask(
        spelling === "function*"
          ? function* () {
              yield* taskGroup(function* (group) {
                body(group);
              });
            }
          : async () => {
              await taskGroup(async (group) => body(group));
            },
      );
      yield* sleep(1);
      task.cancel();
      yield* task.join();
      return [...log, task.cancelled(), task.cancelling()];
    });

    expect(seen).toEqual(["b", "a", true, 1]);
  });

  test(`group.cancel() ends body and tasks, and is no error, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const log: unknown[] = [];
      const value = yield* taskGroup(
        spelling === "function*"
          ? function* (group): Coroutine<string> {
              group.createTask(sleeper(log, "task", 5));
              yield* sleep(1);
              group.cancel();
              group.cancel();
              try {
                yield* sleep("1h");
              } finally {
                log.push("body");
              }
              return "not reached";
            }
          : async (group) => {
              group.createTask(sleeper(log, "task", 5));
              await sleep(1);
              group.cancel();
              group.cancel();
              try {
                await sleep("1h");
              } finally {
                log.push("body");
              }
              return "not reached";
            },
      );
      yield* sleep(1);
      return [...log, value, me().cancelling(), getRunningLoop().time()];
    });

    expect(seen).toEqual(["body", "task", undefined, 0, 7]);
  });

  test(`group.cancel() by a task ends the group, while it only waits for its tasks, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const log: unknown[] = [];
      const fill = (group: TaskGroup): void => {
        group.createTask(sleeper(log, "sleeper"));
        group.createTask(async () => {
          await sleep(1);
          group.cancel();
        });
      };
      const value = yield* taskGroup(
        spelling === "function*"
          ? function* (group): Coroutine<string> {
              fill(group);
              return "body";
            }
          : async (group) => {
              fill(group);
              return "body";
            },
      );
      yield* sleep(1);
      return [...log, value, me().cancelling()];
    });

    expect(seen).toEqual(["sleeper", "body", 0]);
  });

  test(`taskGroup() nested: an error of the inner group's task cancels the outer group, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const log: unknown[] = [];
      const generator = function* (outer: TaskGroup): Coroutine<void> {
        outer.createTask(sleeper(log, "outer task"));
        yield* taskGroup(function* (inner) {
          inner.createTask(sleeper(log, "inner task"));
          inner.createTask(fails("deep"));
          yield* sleep("1h");
        });
      };
      const asynchronous = async (outer: TaskGroup): Promise<void> => {
        outer.createTask(sleeper(log, "outer task"));
        await taskGroup(async (inner) => {
          inner.createTask(sleeper(log, "inner task"));
          inner.createTask(fails("deep"));
          await sleep("1h");
        });
      };
      try {
        yield* taskGroup(spelling === "function*" ? generator : asynchronous);
      } catch (error) {
        const [inner] = (error as ExceptionGroup).errors;
        log.push(inner instanceof ExceptionGroup, messages(inner));
      }
      return [...log, me().cancelling()];
    });

    expect(seen).toEqual(["inner task", "outer task", true, ["deep"], 0]);
  });

  test(`taskGroup() nested: an error of the outer group's task cancels the inner group, and is thrown by the outer, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const log: unknown[] = [];
      const generator = function* (outer: TaskGroup): Coroutine<void> {
        outer.createTask(fails("outer"));
        try {
          yield* taskGroup(function* (inner) {
            inner.createTask(sleeper(log, "inner task"));
            yield* sleep("1h");
          });
        } catch (error) {
          log.push(isCancelled(error));
          throw error;
        }
      };
      const asynchronous = async (outer: TaskGroup): Promise<void> => {
        outer.createTask(fails("outer"));
        try {
          await taskGroup(async (inner) => {
            inner.createTask(sleeper(log, "inner task"));
            await sleep("1h");
          });
        } catch (error) {
          log.push(isCancelled(error));
          throw error;
        }
      };
      try {
        yield* taskGroup(spelling === "function*" ? generator : asynchronous);
      } catch (error) {
        log.push(messages(error));
      }
      return [...log, me().cancelling()];
    });

    expect(seen).toEqual(["inner task", true, ["outer"], 0]);
  });

  test(`taskGroup() that fails while its task is cancelled throws the group; the cancellation comes at the next wait, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const log: unknown[] = [];
      const stubborn = function* (): Coroutine<void> {
        try {
          yield* sleep("1h");
        } catch {
          throw new Error("in cleanup");
        }
      };
      const task = createTask(
        spelling === "function*"
          ? function* () {
              try {
                yield* taskGroup(function* (group) {
                  group.createTask(stubborn);
                  yield* sleep("1h");
                });
              } catch (error) {
                log.push(messages(error), me().cancelling());
              }
              try {
                yield* sleep(1);
                log.push("not reached");
              } catch (error) {
                log.push(isCancelled(error));
                throw error;
              }
            }
          : async () => {
              try {
                await taskGroup(async (group) => {
                  group.createTask(stubborn);
                  await sleep("1h");
                });
              } catch (error) {
                log.push(messages(error), me().cancelling());
              }
              try {
                await sleep(1);
                log.push("not reached");
              } catch (error) {
                log.push(isCancelled(error));
                throw error;
              }
            },
      );
      yield* sleep(1);
      task.cancel();
      yield* task.join();
      return [...log, task.cancelled(), task.cancelling()];
    });

    expect(seen).toEqual([["in cleanup"], 1, true, true, 1]);
  });
}

test("group.cancel() by a task keeps a cancellation from outside that comes after it", async () => {
  const seen = await virtually(function* () {
    const log: unknown[] = [];
    const task = createTask(function* () {
      yield* taskGroup(function* (group) {
        group.createTask(sleeper(log, "sleeper", 5));
        group.createTask(function* () {
          yield* sleep(1);
          group.cancel();
        });
      });
      log.push("not reached");
      yield* sleep(1);
    });
    yield* sleep(3);
    task.cancel("outside");
    yield* task.join();
    return [...log, task.cancelled(), task.cancelling()];
  });

  expect(seen).toEqual(["sleeper", true, 1]);
});

test("taskGroup() of no tasks takes no turn", async () => {
  const turns = await virtually(function* () {
    const loop = getRunningLoop();
    const before = turn(loop);
    yield* taskGroup(function* () {});
    return turn(loop) - before;
  });

  expect(turns).toBe(0);
});

test("taskGroup() ends two turns after its last task", async () => {
  const turns = await virtually(function* () {
    const loop = getRunningLoop();
    let ended = 0;
    yield* taskGroup(function* (group) {
      group.createTask(function* () {
        yield* sleep(1);
        ended = turn(loop);
      });
    });
    return turn(loop) - ended;
  });

  expect(turns).toBe(2);
});

test("taskGroup() throws all errors, those of the tasks in the order of their ends and the body's last", async () => {
  const seen = await virtually(function* () {
    const stubborn = (message: string, delay: number) =>
      function* (): Coroutine<void> {
        try {
          yield* sleep("1h");
        } catch {
          yield* sleep(delay);
          throw new Error(message);
        }
      };
    try {
      yield* taskGroup(function* (group) {
        group.createTask(stubborn("late", 9));
        group.createTask(stubborn("early", 3));
        yield* sleep(1);
        throw new Error("body");
      });
    } catch (error) {
      return [messages(error), (error as Error).message];
    }
    return [];
  });

  expect(seen).toEqual([
    ["early", "late", "body"],
    "unhandled errors in a TaskGroup (3 sub-exceptions)\n  - Error: early\n  - Error: late\n  - Error: body",
  ]);
});

test("a task of a group that is cancelled, or throws CancelledError, is no error and disturbs nobody", async () => {
  const seen = await virtually(async () => {
    const log: unknown[] = [];
    await taskGroup(async (group) => {
      const victim = group.createTask(sleep("1h"));
      const other = group.createTask(sleep(5, "other"));
      await sleep(1);
      victim.cancel();
      log.push(await other, victim.cancelled());
    });
    return log;
  });

  expect(seen).toEqual(["other", true]);
});

test("a second cancellation while the group awaits its tasks does not hurry them", async () => {
  const seen = await virtually(function* () {
    const log: unknown[] = [];
    const task = createTask(function* () {
      yield* taskGroup(function* (group) {
        group.createTask(sleeper(log, "clean", 10));
      });
    });
    yield* sleep(1);
    task.cancel();
    yield* sleep(1);
    task.cancel();
    yield* task.join();
    return [...log, task.cancelled(), task.cancelling(), getRunningLoop().time()];
  });

  expect(seen).toEqual(["clean", true, 2, 11]);
});

test("taskGroup() drops nobody's cancellation, when its own and one from outside come in the same turn", async () => {
  for (const outsideFirst of [true, false]) {
    const seen = await virtually(function* () {
      const log: unknown[] = [];
      const gate = new Future<void>();
      const task = createTask(function* () {
        try {
          yield* taskGroup(function* (group) {
            group.createTask(function* () {
              yield* gate;
              throw new Error("broken");
            });
            yield* sleep("1h");
          });
        } catch (error) {
          log.push(isCancelled(error) ? "cancelled" : messages(error), me().cancelling());
          yield* sleep(1);
          log.push("not reached");
        }
      });
      yield* sleep(1);
      gate.setResult();
      // The group learns of the error two turns from now.
      yield* sleep(0);
      if (outsideFirst) task.cancel();
      else getRunningLoop().callSoon(() => task.cancel());
      yield* task.join();
      return [...log, task.cancelled(), task.cancelling()];
    });

    expect(seen).toEqual([["broken"], 1, true, 1]);
  }
});

test("the error of a task interrupts the body only once, and the body may go on to wait", async () => {
  const seen = await virtually(async () => {
    const log: unknown[] = [];
    try {
      await taskGroup(async (group) => {
        group.createTask(fails("broken"));
        try {
          await sleep("1h");
        } catch {
          await sleep(5);
          log.push("body goes on");
        }
      });
    } catch (error) {
      log.push(messages(error), getRunningLoop().time());
    }
    return log;
  });

  expect(seen).toEqual(["body goes on", ["broken"], 6]);
});

test("group.createTask() works from a task of the group, also while the group waits for its tasks", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    yield* taskGroup(function* (group) {
      group.createTask(function* () {
        yield* sleep(1);
        group.createTask(function* () {
          yield* sleep(5);
          log.push("grandchild");
        });
        log.push("child");
      });
    });
    return log;
  });

  expect(seen).toEqual(["child", "grandchild"]);
});

test("group.createTask() throws RuntimeError, when the group has not been entered, is shutting down or has ended", async () => {
  const { result, reports } = await runVirtual(
    function* () {
      const reasons: string[] = [];
      const job = coroutine(function* job() {
        reasons.push("ran");
      });
      const attempt = (group: TaskGroup): void => {
        try {
          group.createTask(job());
        } catch (error) {
          if (error instanceof RuntimeError)
            reasons.push(/not been entered|shutting down|finished/.exec(error.message)?.[0] ?? "?");
        }
      };
      attempt(new TaskGroup());
      let kept = new TaskGroup();
      yield* taskGroup(function* (group) {
        kept = group;
      });
      attempt(kept);
      try {
        yield* taskGroup(function* (group) {
          group.createTask(fails("broken"));
          try {
            yield* sleep("1h");
          } finally {
            attempt(group);
          }
        });
      } catch {
        // The task's error.
      }
      return reasons;
    },
    { debug: true },
  );

  expect(result).toEqual(["not been entered", "finished", "shutting down"]);
  // The refused coroutines are closed: nobody forgot to await them.
  expect(reports).toEqual([]);
});

test("group.createTask() takes a name, a context, and any kind of job", async () => {
  const seen = await virtually(async () => {
    const done = new Future<string>();
    getRunningLoop().callLater(1, () => done.setResult("future"));
    return await taskGroup(async (group) => {
      const tasks = [
        group.createTask(sleep(1, "coroutine"), { name: "named" }),
        group.createTask(async () => "async"),
        group.createTask(Promise.resolve("promise")),
        group.createTask(done),
      ];
      const results: string[] = [];
      for (const task of tasks) results.push(await task);
      return [...results, tasks[0]?.name];
    });
  });

  expect(seen).toEqual(["coroutine", "async", "promise", "future", "named"]);
});

test("taskGroup() leaves no task and no report behind, when it fails", async () => {
  const { result, errors } = await runVirtual(async () => {
    for (let i = 0; i < 10; i++) {
      try {
        await taskGroup(async (group) => {
          for (let j = 0; j < 5; j++) group.createTask(j === i % 5 ? fails("x", i) : sleep("1h"));
          if (i % 2 === 0) await sleep("1h");
        });
      } catch {
        // Looked at by the group.
      }
    }
    return allTasks().size;
  });

  expect(result).toBe(1);
  expect(errors).toEqual([]);
});

test("two groups side by side in one async function each cancel their own body alone", async () => {
  const seen = await virtually(async () => {
    const log: unknown[] = [];
    const results = await Promise.allSettled([
      taskGroup(async (group) => {
        group.createTask(fails("broken"));
        await sleep("1h");
      }),
      taskGroup(async (group) => {
        log.push(await group.createTask(sleep(5, "child")));
        return await sleep(5, "body");
      }),
    ]);
    return [...log, ...results.map((each) => (each.status === "fulfilled" ? each.value : (each.reason as Error).name))];
  });

  expect(seen).toEqual(["child", "ExceptionGroup", "body"]);
});

test("timeout() inside the body of a group ends the body alone", async () => {
  const seen = await virtually(function* () {
    const log: unknown[] = [];
    yield* taskGroup(function* (group) {
      group.createTask(function* () {
        yield* sleep(20);
        log.push("task goes on");
      });
      try {
        yield* timeout(5, () => sleep("1h"));
      } catch (error) {
        log.push((error as Error).name);
      }
    });
    return log;
  });

  expect(seen).toEqual(["TimeoutError", "task goes on"]);
});

test("String(group) tells its tasks and state", async () => {
  const texts = await virtually(function* () {
    const seen = [String(new TaskGroup())];
    yield* taskGroup(function* (group) {
      group.createTask(sleep("1h"));
      seen.push(String(group));
      group.cancel();
      seen.push(String(group));
    });
    return seen;
  });

  expect(texts).toEqual(["<TaskGroup tasks=0>", "<TaskGroup tasks=1 entered>", "<TaskGroup tasks=1 cancelling>"]);
});
