/** Which context a task runs in, and who sees what it sets. After CPython's test_tasks.py. */

import { Context, ContextVar, type Coroutine, copyContext, createTask, Future, gather, getRunningLoop, sleep } from "tsyncio";
import { expect, test } from "vitest";
import { virtually } from "../support/virtual.ts";

for (const spelling of ["function*", "async"] as const) {
  test(`a task, neither sees what its maker sets later, nor shows what it sets itself, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const variable = new ContextVar("variable", { default: "nope" });
      const log = [variable.get()];
      const task = createTask(
        spelling === "function*"
          ? function* () {
              yield* sleep(10);
              log.push(variable.get());
              variable.set("something else");
            }
          : async () => {
              await sleep(10);
              log.push(variable.get());
              variable.set("something else");
            },
      );
      variable.set("yes");
      log.push(variable.get());
      yield* task;
      log.push(variable.get());
      return log;
    });

    expect(seen).toEqual(["nope", "yes", "nope", "yes"]);
  });

  test(`a task, keeps its values over its waits, whatever callbacks of its futures set, ${spelling}`, async () => {
    const variable = new ContextVar("variable", { default: "nope" });
    const log: string[] = [];
    const start = (round: number): Future<void> => {
      const future = new Future<void>();
      future.addDoneCallback(() => {
        log.push(`callback ${variable.get()}`);
        variable.set("something else");
      });
      variable.set(`yes${round}`);
      getRunningLoop().callSoon(() => future.setResult());
      return future;
    };
    await virtually(
      spelling === "function*"
        ? function* () {
            for (let j = 0; j < 2; j++) {
              yield* start(j);
              log.push(variable.get());
              for (let i = 0; i < 3; i++) {
                variable.set(`yes${i}-${j}`);
                yield* sleep(1);
                log.push(variable.get());
              }
            }
          }
        : async () => {
            for (let j = 0; j < 2; j++) {
              await start(j);
              log.push(variable.get());
              for (let i = 0; i < 3; i++) {
                variable.set(`yes${i}-${j}`);
                await sleep(1);
                log.push(variable.get());
              }
            }
          },
    );

    expect(log).toEqual([
      ...["callback nope", "yes0", "yes0-0", "yes1-0", "yes2-0"],
      ...["callback yes2-0", "yes1", "yes0-1", "yes1-1", "yes2-1"],
    ]);
    expect(variable.get()).toBe("nope");
  });

  test(`100 tasks, each see their own values alone, when their waits are interleaved, ${spelling}`, async () => {
    const variable = new ContextVar("variable", { default: -1 });
    // No chance: each wait is of another length, so that the tasks overtake each other.
    const delay = (task: number, lap: number): number => 1 + ((task * 37 + lap * 17) % 50);
    let wrong = 0;
    const star = (task: number) =>
      function* () {
        for (let lap = 0; lap < 10; lap++) {
          variable.set(task * 100 + lap);
          yield* sleep(delay(task, lap));
          if (variable.get() !== task * 100 + lap) wrong++;
        }
        return variable.get();
      };
    const asynchronous = (task: number) => async () => {
      for (let lap = 0; lap < 10; lap++) {
        variable.set(task * 100 + lap);
        await sleep(delay(task, lap));
        if (variable.get() !== task * 100 + lap) wrong++;
      }
      return variable.get();
    };
    const last = await virtually(function* () {
      const numbers = Array.from({ length: 100 }, (_, i) => i);
      return yield* gather(
        numbers.map((task) => createTask<number>(spelling === "function*" ? star(task) : asynchronous(task))),
      );
    });

    expect(wrong).toBe(0);
    expect(last).toEqual(Array.from({ length: 100 }, (_, i) => i * 100 + 9));
    expect(variable.get()).toBe(-1);
  });
}

for (const by of ["createTask()", "EventLoop.createTask()"]) {
  test(`${by}, runs one task after another in the given context, which keeps what they set`, async () => {
    const seen = await virtually(function* () {
      const variable = new ContextVar<number>("variable");
      const setting = function* (value: number): Coroutine<void> {
        yield* sleep(0);
        variable.set(value);
      };
      const context = copyContext();
      const values = [context.get(variable)];
      for (const value of [1, 2]) {
        const options = { context };
        yield* by === "createTask()"
          ? createTask(setting(value), options)
          : getRunningLoop().createTask(setting(value), options);
        values.push(context.get(variable));
      }
      return [...values, variable.get(0)];
    });

    expect(seen).toEqual([undefined, 1, 2, 0]);
  });
}

test("Task.getContext(), is the context given to it, when it is done", async () => {
  const seen = await virtually(function* () {
    const given = [copyContext(), new Context()];
    const same: boolean[] = [];
    for (const context of given) {
      const task = createTask(sleep(0), { context });
      yield* task;
      same.push(task.getContext() === context);
    }
    return same;
  });

  expect(seen).toEqual([true, true]);
});
