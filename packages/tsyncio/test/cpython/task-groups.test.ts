/** Task groups: ends, errors, cancellations, misuse, with lazy and with eager tasks. After CPython's test_taskgroups.py. */

import {
  ContextVar,
  type Coroutine,
  copyContext,
  coroutine,
  createTask,
  currentTask,
  Event,
  ExceptionGroup,
  eagerTaskFactory,
  type Future,
  getRunningLoop,
  isCancelled,
  type Job,
  KeyboardInterrupt,
  type Operation,
  RuntimeError,
  sleep,
  type Task,
  TaskGroup,
  taskGroup,
} from "tsyncio";
import { describe, expect, test } from "vitest";
import { runVirtual, type VirtualRun } from "../support/virtual.ts";

class Broken extends Error {}
class Other extends Error {}
/** What is thrown and is no Error: the nearest to Python's exceptions that are no `Exception`. */
class NoError {}

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

/** The classes of a group's errors, in their order. */
function kinds(error: unknown): unknown[] {
  expect(error).toBeInstanceOf(ExceptionGroup);
  return (error as ExceptionGroup).errors.map((each) => each.constructor);
}

function* failAfter(delay: number, Kind: new () => unknown = Broken): Coroutine<never> {
  yield* sleep(delay);
  throw new Kind();
}

/** Sleeps for long, and throws an error of its own when it is cancelled. */
function* failWhenCancelled(Kind: new () => unknown = Broken): Coroutine<void> {
  try {
    yield* sleep(10_000);
  } catch {
    throw new Kind();
  }
}

describe.each(["lazy", "eager"] as const)("with %s tasks", (kind) => {
  /** Runs a test under virtual time, with the tasks that are meant. */
  const runKind = <T>(job: Job<T>, debug = false): Promise<VirtualRun<T>> =>
    runVirtual(job, { debug, prepare: (loop) => loop.setTaskFactory(kind === "eager" ? eagerTaskFactory : null) });

  /** Starts a task, cancels it after a while in which it must not end, and gives how it ended. */
  function* cancelledAfter(delay: number, job: () => Coroutine<unknown>): Coroutine<unknown> {
    const task = createTask(job);
    yield* sleep(delay);
    expect(task.done()).toBe(false);
    task.cancel();
    return yield* errorOf(task);
  }

  // ── Ends ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

  test("taskGroup(), ends when all its tasks have, and they have their results, made at once or later", async () => {
    const { elapsed } = await runKind(function* () {
      for (const pause of [0, 150]) {
        const tasks: Task<number>[] = [];
        yield* taskGroup(function* (group) {
          tasks.push(group.createTask(sleep(100, 42)));
          if (pause > 0) yield* sleep(pause);
          tasks.push(group.createTask(sleep(200, 11)));
        });
        expect(tasks.map((task) => task.result())).toEqual([42, 11]);
      }
    });

    expect(elapsed).toBe(200 + 350);
  });

  test("taskGroup(), goes on as if nothing were, when one of its tasks is cancelled", async () => {
    await runKind(function* () {
      const [first, second] = yield* taskGroup(function* (group): Coroutine<[Task<number>, Task<number>]> {
        const victim = group.createTask(sleep(1000, 42));
        yield* sleep(150);
        victim.cancel();
        return [victim, group.createTask(sleep(200, 11))];
      });

      expect([first.cancelled(), second.result()]).toEqual([true, 11]);
    });
  });

  test("taskGroup(), lets go of each task that has ended, while its body still runs", async () => {
    await runKind(function* () {
      yield* taskGroup(function* (group) {
        for (let count = 0; count < 10; count++) {
          yield* sleep(100);
          group.createTask(sleep(300));
          if (count === 5) expect(String(group)).toMatch(/tasks=[1-4] /);
        }
        yield* sleep(1350);
        expect(String(group)).toContain("tasks=0 ");
      });
    });
  });

  test("taskGroup(), waits for the tasks that its tasks add, when its body has ended before", async () => {
    const { elapsed } = await runKind(function* () {
      yield* taskGroup(function* (group) {
        group.createTask(function* () {
          yield* sleep(100);
          group.createTask(sleep(100));
          group.createTask(sleep(200));
        });
      });
    });

    expect(elapsed).toBe(300);
  });

  test("taskGroup(), cancels them all, when one of a growing number of tasks fails", async () => {
    await runKind(function* () {
      let hydras = 0;
      const hydra = function* (group: TaskGroup): Coroutine<void> {
        hydras++;
        yield* sleep(10);
        group.createTask(hydra(group));
        group.createTask(hydra(group));
      };
      const error = yield* errorOf(
        taskGroup(function* (group) {
          group.createTask(hydra(group));
          group.createTask(function* () {
            while (hydras < 10) yield* sleep(15);
            throw new Broken();
          });
        }),
      );

      expect(kinds(error)).toEqual([Broken]);
      expect(hydras).toBeGreaterThanOrEqual(10);
    });
  });

  test("group.createTask(), gives the task its name, before and while it runs", async () => {
    await runKind(function* () {
      let seen: string | undefined;
      yield* taskGroup(function* (group) {
        expect(group.createTask(sleep(0), { name: "yolo" }).name).toBe("yolo");
        group.createTask(
          function* () {
            seen = currentTask()?.name;
          },
          { name: "example name" },
        );
      });

      expect(seen).toBe("example name");
    });
  });

  test("group.createTask(), runs tasks in the context that is given, where what they set is seen", async () => {
    await runKind(function* () {
      const variable = new ContextVar<number>("variable");
      yield* taskGroup(function* (group) {
        const context = copyContext();
        expect(context.get(variable)).toBeUndefined();
        for (const value of [1, 2]) {
          yield* group.createTask(
            function* () {
              yield* sleep(0);
              variable.set(value);
            },
            { context },
          );
          expect(context.get(variable)).toBe(value);
        }
      });
    });
  });

  // ── Errors of tasks ────────────────────────────────────────────────────────────────────────────────────────────────────

  test("taskGroup(), cancels the other tasks, throws a group and does not go on after it, when a task fails", async () => {
    await runKind(function* () {
      const log: string[] = [];
      let other: Task<void> | undefined;
      const error = yield* errorOf(
        createTask(function* () {
          yield* taskGroup(function* (group) {
            group.createTask(failAfter(100));
            other = group.createTask(function* () {
              try {
                yield* sleep(1000);
                log.push("not reached");
              } catch (error) {
                log.push(isCancelled(error) ? "cancelled" : "failed");
                throw error;
              }
            });
          });
          log.push("not reached");
        }),
      );

      expect(kinds(error)).toEqual([Broken]);
      expect(log).toEqual(["cancelled"]);
      expect(other?.cancelled()).toBe(true);
    });
  });

  test("taskGroup(), cancels body and tasks and throws all errors, when several tasks fail at once", async () => {
    await runKind(function* () {
      const log: string[] = [];
      const longSleep = function* (name: string): Coroutine<void> {
        try {
          yield* sleep(10_000);
          log.push("not reached");
        } catch (error) {
          log.push(isCancelled(error) ? name : "failed");
          throw error;
        }
      };
      const error = yield* errorOf(
        createTask(function* () {
          yield* taskGroup(function* (group) {
            for (let i = 0; i < 3; i++) group.createTask(failAfter(100));
            group.createTask(longSleep("task"));
            yield* longSleep("body");
          });
          log.push("not reached");
        }),
      );

      expect(kinds(error)).toEqual([Broken, Broken, Broken]);
      expect(log.sort()).toEqual(["body", "task"]);
    });
  });

  test("taskGroup(), throws the task's and the body's error, when the one makes the other fail", async () => {
    await runKind(function* () {
      const error = yield* errorOf(
        createTask(
          taskGroup(function* (group) {
            group.createTask(failAfter(100));
            yield* failWhenCancelled(Other);
          }),
        ),
      );

      expect(kinds(error)).toEqual([Broken, Other]);
    });
  });

  test("taskGroup(), has what is thrown and is no Error among its errors, when thrown by the body or a task", async () => {
    await runKind(function* () {
      for (const [task, body] of [
        [Broken, NoError],
        [NoError, TypeError],
      ] as const) {
        const error = yield* errorOf(
          taskGroup(function* (group) {
            group.createTask(failAfter(100, task));
            yield* failWhenCancelled(body);
          }),
        );

        expect(kinds(error)).toEqual([task, body]);
      }
    });
  });

  // Where asyncio throws it alone: decision 0012.
  test("taskGroup(), has a KeyboardInterrupt that its body throws among its errors", async () => {
    await runKind(function* () {
      const error = yield* errorOf(
        taskGroup(function* (group) {
          group.createTask(failAfter(100));
          yield* failWhenCancelled(KeyboardInterrupt);
        }),
      );

      expect(kinds(error)).toEqual([Broken, KeyboardInterrupt]);
    });
  });

  test("taskGroup(), throws both errors and leaves no request behind, when a task and the body's cleanup fail", async () => {
    await runKind(function* () {
      yield* createTask(function* () {
        const error = yield* errorOf(
          taskGroup(function* (group) {
            try {
              group.createTask(function* () {
                throw new Broken();
              });
              yield* sleep(1000);
            } catch {
              throw new Broken();
            }
          }),
        );

        expect(kinds(error)).toEqual([Broken, Broken]);
        expect(me().cancelling()).toBe(0);
      });
    });
  });

  test("taskGroup(), leaves neither a request nor a cancellation behind, when a task has failed", async () => {
    await runKind(function* () {
      for (const job of [
        () => failAfter(0),
        function* () {
          throw new Broken();
        },
      ]) {
        const error = yield* errorOf(
          taskGroup(function* (group) {
            group.createTask(job);
          }),
        );

        expect(kinds(error)).toEqual([Broken]);
        expect(me().cancelling()).toBe(0);
        yield* sleep(0);
      }
    });
  });

  test("taskGroup(), cancels a task that is still in its first step, when a task that it makes there fails", async () => {
    await runKind(function* () {
      const log: string[] = [];
      const error = yield* errorOf(
        taskGroup(function* (group) {
          group.createTask(function* () {
            group.createTask(function* () {
              throw new Broken();
            });
            try {
              // Eager tasks are interrupted at the first, lazy ones at the second.
              yield* sleep(0);
              yield* sleep(0);
              log.push("not reached");
            } catch (error) {
              log.push(isCancelled(error) ? "cancelled" : "failed");
            }
          });
        }),
      );

      expect(kinds(error)).toEqual([Broken]);
      expect(log).toEqual(["cancelled"]);
    });
  });

  // ── Errors of the body ─────────────────────────────────────────────────────────────────────────────────────────────────

  test("taskGroup(), cancels its tasks and throws a group, when its body fails, at once or later", async () => {
    const { elapsed } = await runKind(function* () {
      for (const pause of [100, null]) {
        const tasks: Task<number>[] = [];
        const error = yield* errorOf(
          taskGroup(function* (group) {
            tasks.push(group.createTask(sleep(1000, 42)), group.createTask(sleep(2000, 11)));
            if (pause !== null) yield* sleep(pause);
            throw new Broken();
          }),
        );

        expect(kinds(error)).toEqual([Broken]);
        expect(tasks.map((task) => task.cancelled())).toEqual([true, true]);
      }
    });

    expect(elapsed).toBe(100);
  });

  // ── Cancellation from outside ──────────────────────────────────────────────────────────────────────────────────────────

  test("taskGroup(), is cancelled when all its tasks have been told, while its body runs or has ended", async () => {
    await runKind(function* () {
      for (const bodyWaits of [false, true]) {
        let count = 0;
        const noting = function* (weight: number): Coroutine<void> {
          try {
            yield* sleep(10_000);
          } catch (error) {
            if (isCancelled(error)) count += weight;
            throw error;
          }
        };
        const error = yield* cancelledAfter(100, () =>
          taskGroup(function* (group) {
            for (let i = 0; i < 5; i++) group.createTask(noting(1));
            if (bodyWaits) yield* noting(10);
          }),
        );

        expect(isCancelled(error)).toBe(true);
        expect(count).toBe(bodyWaits ? 15 : 5);
      }
    });
  });

  test("taskGroup(), is cancelled as its body, when it has no tasks or only such as take it", async () => {
    const { elapsed } = await runKind(function* () {
      const log: string[] = [];
      const alone = yield* cancelledAfter(100, () =>
        taskGroup(function* () {
          try {
            yield* sleep(10_000);
          } catch (error) {
            log.push(isCancelled(error) ? "cancelled" : "failed");
            throw error;
          }
        }),
      );
      const withTasks = yield* cancelledAfter(50, () =>
        taskGroup(function* (group) {
          group.createTask(sleep(1000, 42));
          group.createTask(sleep(2000, 11));
        }),
      );

      expect([isCancelled(alone), isCancelled(withTasks), log]).toEqual([true, true, ["cancelled"]]);
    });

    expect(elapsed).toBe(150);
  });

  test("taskGroup(), throws the errors of its tasks, not the cancellation that they fail at", async () => {
    await runKind(function* () {
      const error = yield* cancelledAfter(100, () =>
        taskGroup(function* (group) {
          for (let i = 0; i < 5; i++) group.createTask(failWhenCancelled());
          yield* sleep(10_000);
        }),
      );

      expect(kinds(error)).toEqual(Array(5).fill(Broken));
    });
  });

  test("taskGroup(), throws the error of its body, not the cancellation that it fails at", async () => {
    await runKind(function* () {
      const error = yield* cancelledAfter(100, () =>
        taskGroup(function* () {
          yield* failWhenCancelled(Other);
        }),
      );

      expect(kinds(error)).toEqual([Other]);
    });
  });

  test("taskGroup(), throws its error and the next wait is cancelled, when a cancellation came first", async () => {
    const { elapsed } = await runKind(function* () {
      const event = new Event();
      const log: unknown[] = [];
      const task = createTask(function* () {
        const error = yield* errorOf(
          taskGroup(function* (group) {
            group.createTask(function* () {
              event.set();
              yield* sleep(0);
              throw new Broken();
            });
            yield* sleep(1000);
            log.push("not reached");
          }),
        );
        log.push(...kinds(error), me().cancelling());
        yield* sleep(1000);
        log.push("not reached");
      });
      yield* event.wait();
      expect(task.cancelling()).toBe(0);
      task.cancel();
      expect(task.cancelling()).toBe(1);

      expect(isCancelled(yield* errorOf(task))).toBe(true);
      expect(task.cancelled()).toBe(true);
      expect(log).toEqual([Broken, 1]);
    });

    expect(elapsed).toBe(0);
  });

  // ── Misuse ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  test("group.createTask(), throws RuntimeError, when a task of the group has failed", async () => {
    await runKind(function* () {
      const refusals: unknown[] = [];
      const error = yield* errorOf(
        taskGroup(function* (group) {
          group.createTask(failAfter(1));
          group.createTask(function* () {
            try {
              yield* sleep(1000);
            } catch {
              try {
                group.createTask(failAfter(1));
              } catch (refusal) {
                refusals.push(refusal);
              }
            }
          });
        }),
      );

      expect(kinds(error)).toEqual([Broken]);
      expect(refusals).toEqual([expect.any(RuntimeError)]);
      expect(String(refusals[0])).toContain("is shutting down");
    });
  });

  test("taskGroup(), is for one use: RuntimeError, when entered again, by its own body or later", async () => {
    await runKind(function* () {
      let runs = 0;
      let inside: unknown;
      const group: Operation<void> = taskGroup(function* () {
        runs++;
        inside = yield* errorOf(group);
      });
      yield* group;
      const later = yield* errorOf(group);

      for (const error of [inside, later]) {
        expect(error).toBeInstanceOf(RuntimeError);
        expect((error as Error).message).toContain("Cannot await taskGroup again: it is for one use");
      }
      expect(runs).toBe(1);
    });
  });

  test("group.createTask(), throws RuntimeError and closes the coroutine, when its group is not running", async () => {
    const { reports } = await runKind(function* () {
      let ran = 0;
      const job = coroutine(function* job() {
        ran++;
      });
      const ended = yield* taskGroup(function* (group): Coroutine<TaskGroup> {
        return group;
      });
      for (const [group, reason] of [
        [ended, "is finished"],
        [new TaskGroup(), "has not been entered"],
      ] as const) {
        const given = job();
        expect(() => group.createTask(given)).toThrow(RuntimeError);
        expect(() => group.createTask(sleep(0))).toThrow(reason);
        expect(given.next()).toEqual({ done: true, value: undefined });
      }
      expect(ran).toBe(0);
    }, true);

    // In debug mode a coroutine that nobody has awaited would be reported.
    expect(reports).toEqual([]);
  });

  test("taskGroup(), throws RuntimeError that asks for a task, when entered outside of any", async () => {
    await runKind(function* () {
      const log: unknown[] = [];
      getRunningLoop().callSoon(() => {
        try {
          taskGroup(function* () {
            log.push("not reached");
          }).next();
        } catch (error) {
          log.push(error);
        }
      });
      yield* sleep(0);

      expect(log).toEqual([expect.any(RuntimeError)]);
      expect(String(log[0])).toMatch(/task group.* must run inside a task/);
    });
  });

  // ── In async functions ─────────────────────────────────────────────────────────────────────────────────────────────────

  test("taskGroup(), awaits its tasks and throws their errors in a group, in async functions", async () => {
    const { elapsed } = await runKind(async () => {
      const log: unknown[] = [];
      try {
        await taskGroup(async (group) => {
          group.createTask(async () => {
            await sleep(100);
            throw new Broken();
          });
          group.createTask(async () => {
            try {
              await sleep(1000);
            } finally {
              log.push("task");
            }
          });
          const quick = group.createTask(async () => await sleep(10, 42));
          log.push(await quick);
          try {
            await sleep(10_000);
          } finally {
            log.push("body");
          }
        });
      } catch (error) {
        log.push(...kinds(error), me().cancelling());
      }
      await sleep(0);

      expect(log[0]).toBe(42);
      expect(log.slice(1, 3).sort()).toEqual(["body", "task"]);
      expect(log.slice(3)).toEqual([Broken, 0]);
    });

    expect(elapsed).toBe(100);
  });
});
