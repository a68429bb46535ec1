/** Task groups in task groups, and what a group keeps alive. After CPython's test_taskgroups.py. */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  type Coroutine,
  createTask,
  currentTask,
  ExceptionGroup,
  eagerTaskFactory,
  type Future,
  type Job,
  sleep,
  type Task,
  type TaskGroup,
  TimeoutError,
  taskGroup,
  timeout,
} from "tsyncio";
import { describe, expect, test } from "vitest";
import { runVirtual, type VirtualRun } from "../support/virtual.ts";

class Broken extends Error {}
class Other extends Error {}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

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

function* failAfter(delay: number, Kind: new () => Error = Broken): Coroutine<never> {
  yield* sleep(delay);
  throw new Kind();
}

describe.each(["lazy", "eager"] as const)("with %s tasks", (kind) => {
  /** Runs a test under virtual time, with the tasks that are meant. */
  const runKind = <T>(job: Job<T>): Promise<VirtualRun<T>> =>
    runVirtual(job, { prepare: (loop) => loop.setTaskFactory(kind === "eager" ? eagerTaskFactory : null) });

  /** Starts a task, cancels it after a while in which it must not end, and gives how it ended. */
  function* cancelledAfter(delay: number, job: () => Coroutine<unknown>): Coroutine<unknown> {
    const task = createTask(job);
    yield* sleep(delay);
    expect(task.done()).toBe(false);
    task.cancel();
    return yield* errorOf(task);
  }

  test.each([false, true])(
    "taskGroup() of a taskGroup(), throws the inner's group in its own, when cancelled, with a task: %s",
    async (withTask) => {
      await runKind(function* () {
        const error = yield* cancelledAfter(100, () =>
          taskGroup(function* (outer) {
            if (withTask) outer.createTask(sleep(10_000));
            yield* taskGroup(function* (inner) {
              for (let i = 0; i < 5; i++) {
                inner.createTask(function* () {
                  try {
                    yield* sleep(10_000);
                  } catch {
                    throw new Broken();
                  }
                });
              }
              yield* sleep(10_000);
            });
          }),
        );

        expect(kinds(error)).toEqual([ExceptionGroup]);
        expect(kinds((error as ExceptionGroup).errors[0])).toEqual(Array(5).fill(Broken));
      });
    },
  );

  test("taskGroup(), cancels the inner group and throws its task's error, when the outer's task fails first", async () => {
    const { elapsed } = await runKind(function* () {
      const error = yield* errorOf(
        createTask(
          taskGroup(function* (outer) {
            outer.createTask(failAfter(100));
            yield* taskGroup(function* (inner) {
              inner.createTask(failAfter(10_000, Other));
            });
          }),
        ),
      );

      expect(kinds(error)).toEqual([Broken]);
    });

    expect(elapsed).toBe(100);
  });

  test("taskGroup(), throws the inner group's group in its own, when the inner's task fails first", async () => {
    const { elapsed } = await runKind(function* () {
      const error = yield* errorOf(
        createTask(
          taskGroup(function* (outer) {
            outer.createTask(failAfter(10_000, Other));
            yield* taskGroup(function* (inner) {
              inner.createTask(failAfter(100));
            });
          }),
        ),
      );

      expect(kinds(error)).toEqual([ExceptionGroup]);
      expect(kinds((error as ExceptionGroup).errors[0])).toEqual([Broken]);
    });

    expect(elapsed).toBe(100);
  });

  test.each(["from outside", "of who awaits it"])(
    "taskGroup(), throws its task's error, when that comes while the body cleans up after a cancellation %s",
    async (how) => {
      const { elapsed } = await runKind(function* () {
        const body = (): Coroutine<void> =>
          taskGroup(function* (group) {
            group.createTask(failAfter(300));
            try {
              yield* sleep(10_000);
            } catch (error) {
              yield* sleep(500);
              throw error;
            }
          });
        const job =
          how === "from outside"
            ? body
            : function* (): Coroutine<void> {
                yield* createTask(body);
              };

        expect(kinds(yield* cancelledAfter(100, job))).toEqual([Broken]);
      });

      // The error interrupts the body's cleanup as well.
      expect(elapsed).toBe(300);
    },
  );

  test("taskGroup() of a taskGroup(), leaves one request after the inner, none after both, when both fail", async () => {
    await runKind(function* () {
      const log: unknown[] = [];
      const error = yield* errorOf(
        taskGroup(function* (outer) {
          const inner = yield* errorOf(
            taskGroup(function* (group) {
              group.createTask(failAfter(0));
              outer.createTask(failAfter(0, Other));
            }),
          );
          log.push(...kinds(inner), me().cancelling());
        }),
      );
      log.push(...kinds(error), me().cancelling());

      expect(log).toEqual([Broken, 1, Other, 0]);
    });
  });

  // ── What a group keeps alive ───────────────────────────────────────────────────────────────────────────────────────────

  /** Ways in which an error comes about as a group ends: each gives the error, and notes what else is to be collected. */
  const ENDS: Record<string, (keep: (group: TaskGroup) => void, gone: WeakRef<object>[]) => Coroutine<unknown>> = {
    *"the body's error"(keep) {
      return yield* errorOf(
        taskGroup(function* (group) {
          keep(group);
          throw new Broken();
        }),
      );
    },
    *"a task's error"(keep) {
      return yield* errorOf(
        taskGroup(function* (group) {
          keep(group);
          group.createTask(failAfter(0));
        }),
      );
    },
    *"its own task and the error that this ends with"(keep, gone) {
      return yield* errorOf(
        taskGroup(function* (outer) {
          const task = outer.createTask(
            taskGroup(function* (group) {
              keep(group);
              throw new Broken();
            }),
          );
          gone.push(new WeakRef(task));
        }),
      );
    },
    *"a cancellation"(keep) {
      const error = yield* errorOf(
        timeout(-1, () =>
          taskGroup(function* (group) {
            keep(group);
            yield* sleep(0);
          }),
        ),
      );
      expect(error).toBeInstanceOf(TimeoutError);
      return (error as Error).cause;
    },
  };

  test.each(Object.keys(ENDS))("a TaskGroup, does not keep alive, once it has ended: %s", async (how) => {
    const groups: TaskGroup[] = [];
    const gone: WeakRef<object>[] = [];
    await runKind(function* () {
      let error = yield* (ENDS[how] as (typeof ENDS)[string])((group) => groups.push(group), gone);
      for (; error instanceof ExceptionGroup; [error] = error.errors) gone.push(new WeakRef(error));
      gone.push(new WeakRef(error as object));
    });
    await new Promise((resolve) => setTimeout(resolve));
    collect();

    expect(gone.map((each) => each.deref())).toEqual(gone.map(() => undefined));
    expect(String(groups)).toContain("tasks=0");
  });
});
