import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  asCompleted,
  type Coroutine,
  createTask,
  currentTask,
  forEach,
  gather,
  onProgress,
  type Progress,
  Queue,
  reportProgress,
  run,
  sleep,
  type Task,
  taskGroup,
  track,
} from "tsyncio";
import { describe, expect, test } from "vitest";
import { current } from "../../src/kernel/current.ts";
import { itemsInTasks } from "../../src/work/progress-count.ts";
import { runVirtual, virtually } from "../support/virtual.ts";

const brief = (progress: Progress | undefined): unknown =>
  progress && [progress.done, progress.total, progress.unit, progress.fraction];

/** What is to be seen of a task while it sleeps. */
function* watched(body: () => unknown, after = 5): Coroutine<[Task<unknown>, Progress | undefined]> {
  const task = createTask(body as () => Coroutine<void>, { name: "watched" });
  yield* sleep(after);
  return [task as Task<unknown>, task.progress];
}

describe("reportProgress()", () => {
  test("is seen in task.progress, in a coroutine, with all that it tells", async () => {
    await virtually(function* () {
      const [task, progress] = yield* watched(function* () {
        yield* sleep(1);
        reportProgress({ done: 1, total: 4, unit: "files", message: "a.txt" });
        yield* sleep(2);
        reportProgress({ done: 2 });
        yield* sleep(10);
      });

      expect(progress).toEqual({
        id: task.id,
        name: "watched",
        parentId: (currentTask() as Task<unknown>).id,
        state: "running",
        done: 2,
        total: 4,
        unit: "files",
        message: "a.txt",
        fraction: 0.5,
        rate: 500,
        eta: 4,
        startedAt: 1,
        elapsed: 4,
        children: [],
      });
    });
  });

  test("is seen in task.progress, in an async function, after awaits", async () => {
    await virtually(async () => {
      const task = createTask(async () => {
        await sleep(1);
        reportProgress({ total: 10 });
        await Promise.resolve();
        reportProgress({ advance: 3 });
        await sleep(1);
        reportProgress({ advance: 2 });
        await sleep(10);
      });
      await sleep(5);

      expect(brief(task.progress)).toEqual([5, 10, undefined, 0.5]);
    });
  });

  test("keeps what is left out, and takes undefined for that", async () => {
    await virtually(function* () {
      const [, progress] = yield* watched(function* () {
        reportProgress({ done: 1, total: 2, unit: "files", message: "one" });
        reportProgress({ done: undefined, advance: undefined, total: undefined, unit: undefined, message: undefined });
        reportProgress({});
        yield* sleep(10);
      });

      expect(brief(progress)).toEqual([1, 2, "files", 0.5]);
      expect(progress?.message).toBe("one");
    });
  });

  test("allows done above total, and clamps the fraction", async () => {
    await virtually(function* () {
      const [, progress] = yield* watched(function* () {
        reportProgress({ done: 12, total: 10 });
        yield* sleep(10);
      });

      expect(brief(progress)).toEqual([12, 10, undefined, 1]);
      expect(progress?.eta).toBe(0);
    });
  });

  test("takes Infinity for a total that nobody knows any more, and 0 for one that is reached", async () => {
    await virtually(function* () {
      const [, unknown] = yield* watched(function* () {
        reportProgress({ done: 1, total: 10 });
        reportProgress({ total: Number.POSITIVE_INFINITY });
        yield* sleep(10);
      });
      const [, empty] = yield* watched(function* () {
        reportProgress({ total: 0 });
        yield* sleep(10);
      });

      expect(brief(unknown)).toEqual([1, undefined, undefined, undefined]);
      expect(brief(empty)).toEqual([0, 0, undefined, 1]);
    });
  });

  test("begins anew when done goes back, also with the rate", async () => {
    await virtually(function* () {
      const [, progress] = yield* watched(function* () {
        reportProgress({ done: 0, total: 10 });
        yield* sleep(1);
        reportProgress({ done: 9 });
        yield* sleep(1);
        reportProgress({ done: 1 });
        yield* sleep(10);
      });

      expect(progress?.done).toBe(1);
      expect(progress?.rate).toBeUndefined();
      expect(progress?.eta).toBeUndefined();
    });
  });

  test.for([
    [null, TypeError, "Expected a report such as { done: 3, total: 10 }, got null"],
    [7, TypeError, "Expected a report such as { done: 3, total: 10 }, got 7 (number)"],
    [{ done: -1 }, RangeError, "Expected `done` to be a finite number ≥ 0, got -1 (number)"],
    [{ done: Number.NaN }, RangeError, "Expected `done` to be a finite number ≥ 0, got NaN (number)"],
    [{ done: Number.POSITIVE_INFINITY }, RangeError, "Expected `done` to be a finite number ≥ 0, got Infinity (number)"],
    [{ done: "1" }, TypeError, 'Expected `done` to be a finite number ≥ 0, got "1" (string)'],
    [{ advance: -1 }, RangeError, "Expected `advance` to be a finite number ≥ 0, got -1 (number)"],
    [{ total: -1 }, RangeError, "Expected `total` to be a number ≥ 0, or Infinity, got -1 (number)"],
    [{ total: Number.NaN }, RangeError, "Expected `total` to be a number ≥ 0, or Infinity, got NaN (number)"],
    [{ total: null }, TypeError, "Expected `total` to be a number ≥ 0, or Infinity, got null"],
    [{ message: 1 }, TypeError, "Expected `message` to be a string, got 1 (number)"],
    [{ unit: {} }, TypeError, "Expected `unit` to be a string, got an object"],
    [{ done: 1, advance: 1 }, TypeError, "Cannot take both `done` and `advance`; leave out one of them"],
  ] as const)("refuses %o, at once, and changes nothing", async ([report, Class, message]) => {
    await virtually(function* () {
      const [, progress] = yield* watched(function* () {
        reportProgress({ done: 1, total: 2 });
        expect(() => reportProgress(report as never)).toThrow(new Class(message));
        yield* sleep(10);
      });

      expect(brief(progress)).toEqual([1, 2, undefined, 0.5]);
    });
  });

  test("refuses to report outside of any task, and says how", () => {
    expect(() => reportProgress({ done: 1 })).toThrow(
      "Cannot use reportProgress() outside of any task; call it in one, or pass { task }",
    );
    expect(() => reportProgress({ done: 1 }, { task: {} as never })).toThrow(TypeError);
    expect(() => track([1])).toThrow("Cannot use track() outside of any task; call it in one, or pass { task }");
  });

  test("reports for another task, from a callback; and is ignored when that has ended", async () => {
    await virtually(function* () {
      const task = createTask(sleep(5));
      yield* sleep(1);
      reportProgress({ done: 1, total: 2 }, { task });
      const during = task.progress;
      yield* task;
      reportProgress({ done: 2 }, { task });

      expect(brief(during)).toEqual([1, 2, undefined, 0.5]);
      expect(task.progress).toMatchObject({ done: 1, state: "finished" });
    });
  });

  test("reports for the task, in the body of an operation that an async function awaits", async () => {
    await virtually(async () => {
      const task = createTask(async () => {
        await taskGroup(async () => {
          reportProgress({ done: 1, total: 2 });
          await sleep(10);
        });
      });
      await sleep(5);

      expect(brief(task.progress)).toEqual([1, 2, undefined, 0.5]);
    });
  });
});

describe("task.progress", () => {
  test("is undefined when nothing was reported in it or below", async () => {
    await virtually(function* () {
      const [task, progress] = yield* watched(function* () {
        yield* createTask(sleep(10));
      });
      yield* task;

      expect(progress).toBeUndefined();
      expect(task.progress).toBeUndefined();
    });
  });

  test("tells how the task ended, with the average rate, once it has", async () => {
    await virtually(function* () {
      const ends: unknown[] = [];
      const body = (end: () => void) =>
        function* () {
          reportProgress({ done: 0, total: 4 });
          yield* sleep(1000);
          reportProgress({ done: 2 });
          yield* sleep(1000);
          end();
        };
      const tasks = [
        createTask(body(() => {})),
        createTask(
          body(() => {
            throw new Error("lost");
          }),
        ),
        createTask(body(() => {})),
      ];
      yield* sleep(1500);
      tasks[2]?.cancel();
      for (const task of tasks) {
        yield* task.join();
        ends.push([task.progress?.state, task.progress?.done, task.progress?.elapsed, task.progress?.rate, task.progress?.eta]);
      }
      yield* sleep(1000);

      expect(ends).toEqual([
        ["finished", 2, 2000, 1, undefined],
        ["failed", 2, 2000, 1, undefined],
        ["cancelled", 2, 1500, 2 / 1.5, undefined],
      ]);
      expect(tasks[0]?.progress?.elapsed).toBe(2000);
    });
  });

  test("is there for a message alone", async () => {
    await virtually(function* () {
      const [task, progress] = yield* watched(function* () {
        reportProgress({ message: "warming up" });
        yield* sleep(10);
      });
      yield* task;

      expect(progress).toMatchObject({
        message: "warming up",
        done: 0,
        total: undefined,
        fraction: undefined,
        rate: undefined,
      });
      expect(task.progress).toMatchObject({ message: "warming up", state: "finished" });
    });
  });

  test("cannot be set", async () => {
    await virtually(function* () {
      const task = createTask(sleep(1));

      expect(() => {
        (task as { progress: unknown }).progress = 1;
      }).toThrow(TypeError);
      yield* task;
    });
  });
});

describe("the tree", () => {
  const reporting = (report: Parameters<typeof reportProgress>[0], time = 10) =>
    function* () {
      reportProgress(report);
      yield* sleep(time);
    };

  test("adds up children that count the same unit", async () => {
    await virtually(function* () {
      const [, progress] = yield* watched(function* () {
        yield* gather(reporting({ done: 5, total: 10, unit: "bytes" }), reporting({ done: 10, total: 30, unit: "bytes" }));
      });

      expect(brief(progress)).toEqual([15, 40, "bytes", 15 / 40]);
      expect(progress?.children.map(brief)).toEqual([
        [5, 10, "bytes", 0.5],
        [10, 30, "bytes", 1 / 3],
      ]);
    });
  });

  test("counts tasks, with the fractions of those under way, where units differ or some tell nothing", async () => {
    await virtually(function* () {
      const [, differing] = yield* watched(function* () {
        yield* gather(reporting({ done: 5, total: 10, unit: "bytes" }), reporting({ done: 1, total: 4, unit: "files" }));
      });
      const [, silent] = yield* watched(function* () {
        yield* gather(reporting({ done: 5, total: 10, unit: "bytes" }), sleep(10), sleep(1));
      });

      expect(brief(differing)).toEqual([0, 2, "tasks", 0.375]);
      expect(brief(silent)).toEqual([1, 3, "tasks", 0.5]);
    });
  });

  test("has no total where a child has none, and the fraction by tasks", async () => {
    await virtually(function* () {
      const [, grouped] = yield* watched(function* () {
        yield* gather(reporting({ done: 5, total: 10, unit: "bytes" }), reporting({ done: 2, unit: "bytes" }));
      });
      const [, plain] = yield* watched(function* () {
        createTask(reporting({ done: 5, total: 10, unit: "bytes" }));
        createTask(reporting({ done: 2, unit: "bytes" }));
        yield* sleep(10);
      });

      expect(brief(grouped)).toEqual([7, undefined, "bytes", 0.25]);
      expect(brief(plain)).toEqual([7, undefined, "bytes", undefined]);
    });
  });

  test("keeps counting children that have ended, until the parent ends", async () => {
    await virtually(function* () {
      const [task, progress] = yield* watched(function* () {
        for (let n = 0; n < 3; n++) yield* createTask(reporting({ done: 10, total: 10 }, 1));
        yield* createTask(reporting({ done: 1, total: 10 }, 10));
      });
      yield* task;

      expect(brief(progress)).toEqual([31, 40, undefined, 31 / 40]);
      expect(progress?.children).toHaveLength(1);
      expect(brief(task.progress)).toEqual([31, 31, undefined, 1]);
    });
  });

  test("lets what a child has missed remain, if it failed; not if it thinks that all is well", async () => {
    await virtually(function* () {
      const [, progress] = yield* watched(function* () {
        const failing = createTask(function* () {
          reportProgress({ done: 1, total: 10 });
          throw new Error("no");
        });
        yield* failing.join();
        yield* createTask(reporting({ done: 2, total: 10 }, 1));
        yield* createTask(reporting({ done: 3 }, 1));
        yield* sleep(10);
      });

      expect(brief(progress)).toEqual([6, 15, undefined, 0.4]);
    });
  });

  test("takes what a child has missed for undone, where tasks are counted, too", async () => {
    await virtually(function* () {
      const [, progress] = yield* watched(function* () {
        const failing = createTask(function* () {
          reportProgress({ done: 1, total: 4, unit: "files" });
          yield* sleep(1);
          throw new Error("no");
        });
        const fine = createTask(function* () {
          reportProgress({ done: 1, total: 4, unit: "bytes" });
        });
        yield* gather([failing, fine, sleep(1)], { returnExceptions: true });
        yield* gather([sleep(10)]);
      });

      expect(brief(progress)).toEqual([2, 2, "tasks", 0.625]);
    });
  });

  test("shows what a task says of itself, rather than its children; with them if it gave the same unit", async () => {
    await virtually(function* () {
      const [, own] = yield* watched(function* () {
        reportProgress({ done: 1, total: 3 });
        yield* gather(reporting({ done: 500, total: 1000 }));
      });
      const [, same] = yield* watched(function* () {
        reportProgress({ done: 1, total: 3, unit: "files" });
        yield* gather(reporting({ done: 5, total: 10, unit: "files" }));
      });
      const [, other] = yield* watched(function* () {
        reportProgress({ done: 1, total: 3, unit: "files" });
        yield* gather(reporting({ done: 5, total: 10, unit: "bytes" }));
      });

      expect(brief(own)).toEqual([1, 3, undefined, 1 / 3]);
      expect(own?.children).toHaveLength(1);
      expect(brief(same)).toEqual([6, 13, "files", 6 / 13]);
      expect(brief(other)).toEqual([1, 3, "files", 1 / 3]);
    });
  });

  test("shows the numbers of its children, where a task has said only what it does", async () => {
    await virtually(function* () {
      const [, progress] = yield* watched(function* () {
        reportProgress({ message: "copying", unit: "files" });
        yield* gather(reporting({ done: 5, total: 10, unit: "bytes" }));
      });

      expect(brief(progress)).toEqual([5, 10, "bytes", 0.5]);
      expect(progress?.message).toBe("copying");
    });
  });

  test("lets a task that has ended keep none of those above it", async () => {
    await virtually(function* () {
      let child: Task<void> | undefined;
      yield* createTask(function* () {
        child = createTask(reporting({ done: 1 }, 1));
        yield* child;
      });

      const node = (child as unknown as { _rare: { progress: { parent: unknown } } })._rare.progress;
      expect(node.parent).toBeNull();
      expect(child?.progress?.parentId).toBeGreaterThan(0);
    });
  });

  test("has a place for a task that tells nothing itself, between those that do", async () => {
    await virtually(function* () {
      const [task, progress] = yield* watched(function* () {
        yield* createTask(
          function* () {
            yield* createTask(reporting({ done: 1, total: 2 }), { name: "leaf" });
          },
          { name: "between" },
        );
      });

      expect(brief(progress)).toEqual([1, 2, undefined, 0.5]);
      expect(progress?.children.map((each) => [each.name, each.parentId, brief(each)])).toEqual([
        ["between", task.id, [1, 2, undefined, 0.5]],
      ]);
      expect(progress?.children[0]?.children.map((each) => each.name)).toEqual(["leaf"]);
    });
  });

  test("moves children up, when their parent ends before them", async () => {
    await virtually(function* () {
      const [, progress] = yield* watched(function* () {
        yield* createTask(function* () {
          createTask(reporting({ done: 1, total: 10 }, 20), { name: "left behind" });
          reportProgress({ done: 3, total: 3 });
          yield* sleep(1);
          void (currentTask() as Task<unknown>).progress;
        });
        yield* sleep(20);
      });

      expect(brief(progress)).toEqual([4, 13, undefined, 4 / 13]);
      expect(progress?.children.map((each) => each.name)).toEqual(["left behind"]);
    });
  });

  test("counts a task for the group that has made it, whoever called group.createTask", async () => {
    await virtually(function* () {
      let child: Task<unknown> | undefined;
      const [task, progress] = yield* watched(function* () {
        yield* taskGroup(function* (group) {
          group.createTask(function* () {
            reportProgress({ done: 1, total: 2 });
            child = group.createTask(reporting({ done: 3, total: 10 })) as Task<unknown>;
            yield* sleep(10);
          });
          yield* sleep(0);
        });
      });

      expect(progress?.children).toHaveLength(2);
      expect(child?.progress?.parentId).toBe(task.id);
      expect(brief(progress)).toEqual([4, 12, undefined, 1 / 3]);
    });
  });

  test("is as deep as tasks are nested, without recursion", async () => {
    await virtually(function* () {
      const DEPTH = 12_000;
      const nested = (depth: number): (() => Coroutine<void>) =>
        function* () {
          if (depth > 0) createTask(nested(depth - 1));
          else reportProgress({ done: 1, total: 2 });
          yield* sleep(10);
        };
      const task = createTask(nested(DEPTH));
      yield* sleep(5);

      expect(brief(task.progress)).toEqual([1, 2, undefined, 0.5]);
      let depth = 0;
      for (let each = task.progress; each?.children[0] !== undefined; each = each.children[0]) depth++;
      expect(depth).toBe(DEPTH);
    });
  });

  test("sums up thousands of children that have ended, and keeps none of them", async () => {
    await virtually(function* () {
      const [, progress] = yield* watched(function* () {
        for (let n = 0; n < 20_000; n++) {
          yield* createTask(() => reportProgress({ done: 1, total: 1 }));
        }
        yield* sleep(10);
      });

      expect(brief(progress)).toEqual([20_000, 20_000, undefined, 1]);
      expect(progress?.children).toEqual([]);
    });
  });
});

describe("what counts by itself", () => {
  test.for([
    [
      "TaskGroup",
      () =>
        taskGroup(function* (group) {
          for (const time of [1, 2, 8, 9]) group.createTask(sleep(time));
        }),
    ],
    ["gather()", () => gather(sleep(1), sleep(2), sleep(8), sleep(9))],
    [
      "asCompleted()",
      function* () {
        for (const next of asCompleted([sleep(1), sleep(2), sleep(8), sleep(9)])) yield* next;
      },
    ],
  ] as const)("%s reports how many tasks have ended, without being asked to", async ([, body]) => {
    await virtually(function* () {
      const [task, progress] = yield* watched(body);
      yield* task;

      expect(brief(progress)).toEqual([2, 4, "tasks", 0.5]);
      expect(brief(task.progress)).toEqual([4, 4, "tasks", 1]);
    });
  });

  test.for([
    [
      "taskGroup()",
      () =>
        taskGroup(async (group) => {
          for (const time of [1, 2, 8, 9]) group.createTask(sleep(time));
        }),
    ],
    ["gather()", () => gather(sleep(1), sleep(2), sleep(8), sleep(9))],
  ] as const)("%s reports in an async function, too", async ([, body]) => {
    await virtually(async () => {
      const task = createTask(async () => {
        await sleep(1);
        await body();
      });
      await sleep(6);

      expect(brief(task.progress)).toEqual([2, 4, "tasks", 0.5]);
    });
  });

  test("groups one after the other add up, also those that nobody looked at", async () => {
    await virtually(function* () {
      const [task, progress] = yield* watched(function* () {
        for (let n = 0; n < 100; n++) {
          yield* taskGroup(function* (group) {
            group.createTask(() => {});
            group.createTask(() => {});
          });
        }
        yield* sleep(1);
        yield* gather(sleep(10), () => {});
      });

      expect(brief(progress)).toEqual([201, 202, "tasks", 201 / 202]);
      yield* task;
      expect(brief(task.progress)).toEqual([202, 202, "tasks", 1]);
    });
  });

  test("have a rate from their beginning; gather(), which is found by a look, from then on", async () => {
    await virtually(function* () {
      const five = [1, 2, 3, 4, 5].map((n) => n * 1000);
      const group = createTask(
        taskGroup(function* (group) {
          for (const time of five) group.createTask(sleep(time));
        }),
      );
      const gathering = createTask(function* () {
        yield* gather(five.map((time) => sleep(time)));
      });
      yield* sleep(2500);
      const first = [group.progress?.rate, gathering.progress?.rate];
      yield* sleep(2000);

      expect(first).toEqual([0.8, undefined]);
      expect([group.progress?.rate, gathering.progress?.rate]).toEqual([expect.closeTo(0.9, 1), 1]);
      expect(group.progress?.eta).toBeCloseTo(1000 / (group.progress?.rate as number));
      yield* sleep(2000);
    });
  });

  test("a group that is empty now and then goes on counting, also when somebody looks meanwhile", async () => {
    await virtually(function* () {
      const [, progress] = yield* watched(
        () =>
          taskGroup(function* (group) {
            for (let n = 0; n < 3; n++) {
              yield* group.createTask(() => {});
              yield* sleep(0);
              void (currentTask() as Task<unknown>).progress;
            }
            group.createTask(sleep(10));
          }),
        1,
      );

      expect(brief(progress)).toEqual([3, 4, "tasks", 0.75]);
    });
  });

  test("gather() that has failed goes on counting", async () => {
    await virtually(function* () {
      const task = createTask(function* () {
        try {
          yield* gather(
            function* () {
              yield* sleep(1);
              throw new Error("no");
            },
            sleep(3),
            sleep(10),
          );
        } catch {}
        yield* sleep(10);
      });
      yield* sleep(0);
      const first = task.progress;
      yield* sleep(5);

      expect([brief(first), brief(task.progress)]).toEqual([
        [0, 3, "tasks", 0],
        [2, 3, "tasks", 2 / 3],
      ]);
      yield* task;
    });
  });

  test("a job given twice counts twice, and no job at all is no progress", async () => {
    await virtually(function* () {
      const [, twice] = yield* watched(function* () {
        const task = createTask(sleep(10));
        yield* gather(task, task, sleep(1));
      });
      const [, none] = yield* watched(function* () {
        yield* gather([]);
        yield* taskGroup(function* () {});
        yield* sleep(10);
      });

      expect(brief(twice)).toEqual([1, 3, "tasks", 1 / 3]);
      expect(none).toBeUndefined();
    });
  });

  test("asCompleted() that runs into its time limit is over", async () => {
    await virtually(function* () {
      const [, progress] = yield* watched(function* () {
        try {
          for (const next of asCompleted([sleep(1), sleep(100)], { timeout: 3 })) yield* next;
        } catch {}
        yield* sleep(10);
      });

      expect(brief(progress)).toEqual([2, 2, "tasks", 1]);
    });
  });

  test("a Queue reports items done of items put, in the task that made it, once taskDone is used", async () => {
    await virtually(function* () {
      const [task, progress] = yield* watched(function* () {
        const queue = new Queue<number>();
        for (let n = 0; n < 10; n++) yield* queue.put(n);
        for (let n = 0; n < 2; n++) {
          createTask(function* () {
            for (;;) {
              yield* queue.get();
              yield* sleep(2);
              queue.taskDone();
            }
          });
        }
        yield* queue.join();
      });

      expect(brief(progress)).toEqual([4, 10, "items", 0.4]);
      yield* task;
      expect(brief(task.progress)).toEqual([10, 10, "items", 1]);
    });
  });

  test("items of a Queue are not halved by what a worker says of itself", async () => {
    await virtually(function* () {
      const [, progress] = yield* watched(function* () {
        const queue = new Queue<number>();
        for (let n = 0; n < 4; n++) yield* queue.put(n);
        createTask(function* () {
          reportProgress({ done: 1, total: 2 });
          yield* queue.get();
          queue.taskDone();
          yield* sleep(10);
        });
        yield* sleep(10);
      });

      expect(brief(progress)).toEqual([1, 4, "items", 0.25]);
    });
  });

  test("a Queue that is made outside of any task reports in the one that joins it, from then on", async () => {
    const queue = new Queue<number>();
    await virtually(function* () {
      for (let n = 0; n < 5; n++) queue.putNowait(n);
      queue.getNowait();
      queue.taskDone();
      const [, progress] = yield* watched(function* () {
        createTask(function* () {
          for (let n = 0; n < 4; n++) {
            yield* queue.get();
            yield* sleep(2);
            queue.taskDone();
          }
        });
        yield* queue.join();
      });

      expect(brief(progress)).toEqual([2, 4, "items", 0.5]);
    });
  });

  test("a Queue that is empty now and then keeps its sums, whether somebody looks or not", async () => {
    await virtually(function* () {
      const queueing = (look: boolean) =>
        function* () {
          const queue = new Queue<number>();
          for (let n = 0; n < 5; n++) {
            yield* queue.put(n);
            yield* queue.put(n);
            for (let i = 0; i < 2; i++) {
              yield* queue.get();
              queue.taskDone();
              if (look) void (currentTask() as Task<unknown>).progress;
            }
          }
          yield* queue.put(1);
          yield* queue.get();
          yield* queue.put(1);
          queue.taskDone();
          yield* sleep(10);
        };
      const [, unseen] = yield* watched(queueing(false));
      const [, seen] = yield* watched(queueing(true));

      expect(brief(unseen)).toEqual([11, 12, "items", 11 / 12]);
      expect(brief(seen)).toEqual([11, 12, "items", 11 / 12]);
    });
  });

  test("items that a Queue drops when it is shut down count as done; one without taskDone tells nothing", async () => {
    await virtually(function* () {
      const [, dropped] = yield* watched(function* () {
        const queue = new Queue<number>();
        for (let n = 0; n < 10; n++) yield* queue.put(n);
        yield* queue.get();
        queue.taskDone();
        queue.shutdown({ immediate: true });
        yield* sleep(10);
      });
      const [, silent] = yield* watched(function* () {
        const queue = new Queue<number>();
        yield* queue.put(1);
        yield* queue.get();
        queue.shutdown({ immediate: true });
        yield* sleep(10);
      });

      expect(brief(dropped)).toEqual([10, 10, "items", 1]);
      expect(silent).toBeUndefined();
    });
  });
});

describe("items that are worked on in tasks", () => {
  test("count, with the fractions of those under way, before all that the tasks count", async () => {
    await virtually(function* () {
      const [task, progress] = yield* watched(function* () {
        const count = itemsInTasks(["a", "b", "c", "d"]);
        current._progress?.opened(count);
        yield* createTask(sleep(1));
        count._done++;
        yield* gather([
          function* () {
            reportProgress({ done: 1, total: 2, unit: "bytes" });
            yield* sleep(10);
          },
          sleep(10),
        ]);
        count._done = 4;
        count._over = true;
      });
      yield* task;

      expect(brief(progress)).toEqual([1, 4, "items", 1.5 / 4]);
      expect(brief(task.progress)).toEqual([4, 4, "items", 1]);
    });
  });

  test("of several times add up; of an unknown number have no fraction", async () => {
    await virtually(function* () {
      const times = (...items: Iterable<unknown>[]) =>
        function* () {
          for (const each of items) {
            const count = itemsInTasks(each);
            current._progress?.opened(count);
            for (const _ of each) {
              yield* sleep(1);
              count._done++;
            }
            count._over = true;
          }
          yield* sleep(10);
        };
      const [, known] = yield* watched(times([1, 2], new Set([1]), new Map([[1, 1]])));
      const [, unknown] = yield* watched(times([1, 2], new Set([1]).values()));

      expect(brief(known)).toEqual([4, 4, "items", 1]);
      expect(brief(unknown)).toEqual([3, undefined, "items", undefined]);
    });
  });
});

describe("track()", () => {
  test("counts an item as done when the next is asked for, and knows the total of what has a length or size", async () => {
    await virtually(function* () {
      const seen: unknown[] = [];
      for (const items of [
        [1, 2],
        new Set([1, 2]),
        new Map([
          [1, 1],
          [2, 2],
        ]),
        new Uint8Array(2),
        {
          length: 2,
          *[Symbol.iterator]() {
            yield 1;
            yield 2;
          },
        },
      ] as Iterable<unknown>[]) {
        const task = createTask(function* () {
          for (const _ of track(items)) seen.push(brief(task.progress));
          seen.push(brief(task.progress));
        });
        yield* task;
      }

      const once = [
        [0, 2, undefined, 0],
        [1, 2, undefined, 0.5],
        [2, 2, undefined, 1],
      ];
      expect(seen).toEqual([...once, ...once, ...once, ...once, ...once]);
    });
  });

  test("has no total for what tells none, until it has come to its end", async () => {
    await virtually(function* () {
      const seen: unknown[] = [];
      const task = createTask(function* () {
        const letters = (function* () {
          yield "a";
          yield "b";
        })();
        for (const _ of track(letters)) seen.push(brief(task.progress));
        seen.push(brief(task.progress));
        for (const _ of track("xy", { total: Number.POSITIVE_INFINITY })) seen.push(brief(task.progress));
      });
      yield* task;

      expect(seen).toEqual([
        [0, undefined, undefined, undefined],
        [1, undefined, undefined, undefined],
        [2, 2, undefined, 1],
        [0, undefined, undefined, undefined],
        [1, undefined, undefined, undefined],
      ]);
    });
  });

  test("takes total, unit and message from options; a report in the loop adds a message", async () => {
    await virtually(function* () {
      const [, progress] = yield* watched(function* () {
        for (const each of track(["a", "b"].values(), { total: 2, unit: "files", message: "copying" })) {
          reportProgress({ message: `copying ${each}` });
          yield* sleep(3);
        }
      });

      expect(brief(progress)).toEqual([1, 2, "files", 0.5]);
      expect(progress?.message).toBe("copying b");
    });
  });

  test("goes over async iterables, in async functions and by forEach in coroutines", async () => {
    async function* slowly(): AsyncGenerator<number> {
      for (const n of [1, 2, 3]) {
        await sleep(2);
        yield n;
      }
    }
    await virtually(async () => {
      const got: number[] = [];
      const first = createTask(async () => {
        for await (const n of track(slowly(), { total: 3 })) got.push(n);
      });
      const second = createTask(function* () {
        yield* forEach(track(slowly(), { total: 3 }), function* (n) {
          got.push(n);
        });
      });
      await sleep(5);

      expect(brief(first.progress)).toEqual([2, 3, undefined, 2 / 3]);
      expect(brief(second.progress)).toEqual([2, 3, undefined, 2 / 3]);
      await gather(first, second);
      expect(got).toEqual([1, 1, 2, 2, 3, 3]);
    });
  });

  test("closes the iterator when the loop is left, and leaves the item that was under way undone", async () => {
    await virtually(function* () {
      const closed: string[] = [];
      function* items(): Generator<number> {
        try {
          for (let n = 0; ; n++) yield n;
        } finally {
          closed.push("sync");
        }
      }
      async function* asyncItems(): AsyncGenerator<number> {
        try {
          for (let n = 0; ; n++) yield n;
        } finally {
          closed.push("async");
        }
      }
      const sync = createTask(function* () {
        for (const n of track(items(), { total: 5 })) if (n === 2) break;
      });
      const async = createTask(async () => {
        for await (const n of track(asyncItems(), { total: 5 })) if (n === 2) break;
      });
      yield* gather(sync, async);

      expect(closed).toEqual(["sync", "async"]);
      expect([sync.progress?.done, async.progress?.done]).toEqual([2, 2]);
    });
  });

  test("lets errors of the iterable through, and is over then", async () => {
    await virtually(function* () {
      const task = createTask(function* () {
        function* items(): Generator<number> {
          yield 1;
          throw new Error("no more");
        }
        try {
          for (const _ of track(items(), { message: "first" }));
        } catch (error) {
          expect((error as Error).message).toBe("no more");
        }
        for (const _ of track([1, 2, 3], { message: "second" }));
      });
      yield* task;

      expect(task.progress).toMatchObject({ done: 3, total: 3, message: "second", children: [] });
    });
  });

  test("inside of another one is shown below it, and counts as a part of its item", async () => {
    await virtually(function* () {
      const [task, progress] = yield* watched(function* () {
        for (const _ of track(Array(4), { message: "outer" })) {
          for (const _ of track(Array(2), { message: "inner" })) yield* sleep(2);
        }
      }, 7);
      yield* task;

      expect(brief(progress)).toEqual([1, 4, undefined, 1.5 / 4]);
      expect(progress?.children).toEqual([
        {
          id: task.id,
          name: "inner",
          parentId: task.id,
          state: "running",
          done: 1,
          total: 2,
          unit: undefined,
          message: "inner",
          fraction: 0.5,
          rate: 500,
          eta: 2,
          startedAt: 4,
          elapsed: 3,
          children: [],
        },
      ]);
      expect(task.progress).toMatchObject({ done: 4, total: 4, children: [] });
    });
  });

  test("counts nothing more after its end", async () => {
    await virtually(function* () {
      const task = createTask(() => {
        const items = track([1, 2])[Symbol.iterator]();
        for (let n = 0; n < 5; n++) items.next();
      });
      yield* task;

      expect(brief(task.progress)).toEqual([2, 2, undefined, 1]);
    });
  });

  test("after another one begins anew", async () => {
    await virtually(function* () {
      const [, progress] = yield* watched(function* () {
        for (const _ of track(Array(4), { unit: "old" })) yield* sleep(1);
        for (const _ of track(Array(2))) yield* sleep(5);
      });

      expect(brief(progress)).toEqual([0, 2, undefined, 0]);
    });
  });

  test("reports in the task that calls it, whoever takes the items, and again at each time through", async () => {
    await virtually(function* () {
      const [, progress] = yield* watched(function* () {
        const items = track([1, 2, 3, 4]);
        yield* createTask(() => [...items]);
        yield* createTask(function* () {
          for (const _ of items) yield* sleep(3);
        });
      });

      expect(brief(progress)).toEqual([1, 4, undefined, 0.25]);
    });
  });

  test("goes on when its task has ended, without a report", async () => {
    await virtually(function* () {
      let items: Iterable<number> = [];
      const task = createTask(() => {
        items = track([1, 2, 3]);
      });
      yield* task;

      expect([...items]).toEqual([1, 2, 3]);
      expect(task.progress).toBeUndefined();
    });
  });

  test.for([
    [7, undefined, "Expected something iterable for track(), sync or async, got 7 (number); pass an array, for instance"],
    [{}, undefined, "Expected something iterable for track(), sync or async, got an object; pass an array, for instance"],
    [null, undefined, "Expected something iterable for track(), sync or async, got null; pass an array, for instance"],
    [[], { total: -1 }, "Expected `total` to be a number ≥ 0, or Infinity, got -1 (number)"],
    [[], { total: "7" }, 'Expected `total` to be a number ≥ 0, or Infinity, got "7" (string)'],
    [[], { unit: 1 }, "Expected `unit` to be a string, got 1 (number)"],
  ] as const)("refuses %o with %o, at once", async ([items, options, message]) => {
    await virtually(function* () {
      expect(() => track(items as never, options as never)).toThrow(message);
    });
  });
});

test("progress, costs no event of the loop where nobody listens", async () => {
  const turns = async (body: () => void): Promise<unknown> => {
    const { result } = await runVirtual(function* () {
      const order: number[] = [];
      yield* gather(
        function* () {
          for (let n = 0; n < 5; n++) {
            body();
            order.push(n);
            yield* sleep(0);
          }
        },
        function* () {
          for (let n = 10; n < 15; n++) {
            order.push(n);
            yield* sleep(0);
          }
        },
      );
      return order;
    });
    return result;
  };

  expect(await turns(() => reportProgress({ advance: 1 }))).toEqual(await turns(() => {}));
});

test("task.progress, tells the last state, also when the loop is closed [real]", async () => {
  let inside: Task<unknown> | null = null;
  await run(function* () {
    inside = currentTask();
    reportProgress({ done: 1, total: 2 });
  });

  expect((inside as unknown as Task<unknown>).progress).toMatchObject({ done: 1, state: "finished" });
});

test("a Queue, a group and a listener that are kept, do not keep a task that has ended, nor its result", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const kept: unknown[] = [];
  const ended: WeakRef<object>[] = [];
  using stop = onProgress(() => {});
  kept.push(stop);
  await virtually(async () => {
    const make = (): void => {
      const task = createTask(async () => {
        const queue = new Queue<number>();
        kept.push(queue);
        queue.putNowait(1);
        queue.getNowait();
        queue.taskDone();
        await taskGroup(async (group) => {
          kept.push(group);
          group.createTask(sleep(1));
        });
        await gather(sleep(1), () => reportProgress({ done: 1 }));
        const result = { large: true };
        ended.push(new WeakRef(result));
        return result;
      });
      ended.push(new WeakRef(task));
    };
    make();
    await sleep(500);
  });
  await new Promise((resolve) => setTimeout(resolve));
  collect();

  expect(kept).toHaveLength(3);
  expect(ended.map((each) => each.deref())).toEqual([undefined, undefined]);
});
