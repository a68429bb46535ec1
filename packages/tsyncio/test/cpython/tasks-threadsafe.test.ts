/** runCoroutineThreadsafe() into another loop of the thread (decision 0006). After CPython's test_tasks.py. */

import {
  allTasks,
  type Coroutine,
  currentTask,
  EventLoop,
  type ExceptionContext,
  Future,
  getRunningLoop,
  isCancelled,
  runCoroutineThreadsafe,
  sleep,
  Task,
  TimeoutError,
  waitFor,
} from "tsyncio";
import { expect, test } from "vitest";
import { VirtualHost, virtually } from "../support/virtual.ts";

interface Ending {
  readonly fail?: boolean;
  readonly cancel?: boolean;
}

/** The job of asyncio's tests: a sum, after a while, unless it is to end otherwise. */
function* add(a: number, b: number, { fail, cancel }: Ending = {}): Coroutine<number> {
  yield* sleep(50);
  if (fail) throw new Error("Fail!");
  if (cancel) {
    currentTask()?.cancel();
    yield* sleep(0);
  }
  return a + b;
}

/** Runs a caller in one loop while another one, `there`, runs as well. */
async function beside<T>(caller: (there: EventLoop, errors: ExceptionContext[]) => Coroutine<T>): Promise<T> {
  const here = new EventLoop({ host: new VirtualHost() });
  const there = new EventLoop({ host: new VirtualHost() });
  const errors: ExceptionContext[] = [];
  there.setExceptionHandler((_, context) => errors.push(context));
  const running = there.runForever();
  try {
    return await here.runUntilComplete(caller(there, errors));
  } finally {
    there.stop();
    await running;
    there.close();
    here.close();
  }
}

test("runCoroutineThreadsafe(), gives the result of the job, which runs in the other loop", async () => {
  const seen = await beside(function* (there) {
    let ranIn: EventLoop | undefined;
    const future = runCoroutineThreadsafe(
      (function* () {
        ranIn = getRunningLoop();
        return yield* add(1, 2);
      })(),
      there,
    );
    return [yield* future, ranIn === there, future.getLoop() === getRunningLoop()];
  });

  expect(seen).toEqual([3, true, true]);
});

test("runCoroutineThreadsafe(), fails with the error of the job", async () => {
  await expect(
    beside(function* (there) {
      yield* runCoroutineThreadsafe(add(1, 2, { fail: true }), there);
    }),
  ).rejects.toThrow("Fail!");
});

test("runCoroutineThreadsafe(), is cancelled, when the job cancels itself", async () => {
  const error = await beside(function* (there) {
    yield* runCoroutineThreadsafe(add(1, 2, { cancel: true }), there);
  }).then(
    () => undefined,
    (reason: unknown) => reason,
  );

  expect(isCancelled(error)).toBe(true);
});

for (const begins of [false, true]) {
  const when = begins ? "while the job runs" : "before the job begins";
  test(`runCoroutineThreadsafe(), leaves no task in the other loop, when its awaiter's time is over ${when}`, async () => {
    const seen = await beside(function* (there) {
      const begun = new Future<void>();
      const log: string[] = [];
      const job = (function* () {
        begun.setResult();
        try {
          yield* new Future<void>();
        } catch (error) {
          log.push(isCancelled(error) ? "cancelled" : "failed");
          throw error;
        }
      })();
      const future = runCoroutineThreadsafe(job, there);
      if (begins) yield* begun;
      let late = false;
      try {
        yield* waitFor(future, 0);
      } catch (error) {
        late = error instanceof TimeoutError;
      }
      // The other loop gets its turns.
      yield* runCoroutineThreadsafe(sleep(1), there);
      return [late, future.cancelled(), allTasks(there).size, ...log];
    });

    expect(seen).toEqual([true, true, 0, ...(begins ? ["cancelled"] : [])]);
  });
}

test("runCoroutineThreadsafe(), fails and tells the exception handler, when the task factory fails", async () => {
  const factoryError = new ReferenceError("no such task");
  const seen = await beside(function* (there, errors) {
    there.setTaskFactory(() => {
      throw factoryError;
    });
    const future = runCoroutineThreadsafe(add(1, 2), there);
    let caught: unknown;
    try {
      yield* waitFor(future, 1000);
    } catch (error) {
      caught = error;
    }
    return [caught === factoryError, errors.map((each) => each.exception === factoryError), allTasks(there).size];
  });

  expect(seen).toEqual([true, [true], 0]);
});

test("runCoroutineThreadsafe().cancel(), cancels the task in the loop, which may be the caller's own", async () => {
  const seen = await virtually(function* () {
    const loop = getRunningLoop();
    const made: Task<unknown>[] = [];
    loop.setTaskFactory((of, body, options) => {
      const task = new Task(body, { ...options, loop: of });
      made.push(task as Task<unknown>);
      return task;
    });
    const future = runCoroutineThreadsafe(sleep(10_000), loop);
    yield* sleep(0);
    future.cancel();
    yield* sleep(0);
    yield* sleep(0);
    return [made.length, made[0]?.cancelled(), future.cancelled(), loop.time()];
  });

  expect(seen).toEqual([1, true, true, 0]);
});
