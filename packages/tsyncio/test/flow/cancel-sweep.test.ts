import {
  asCompleted,
  createTask,
  ExceptionGroup,
  FIRST_COMPLETED,
  type Future,
  gather,
  isCancelled,
  moveOnAfter,
  shield,
  shielded,
  sleep,
  staggeredRace,
  type Task,
  type TaskGroup,
  TimeoutError,
  taskGroup,
  timeout,
  wait,
  waitFor,
} from "tsyncio";
import { expect, test } from "vitest";
import { cancelAtEachTurn, type Scene } from "../support/cancel-at-each-turn.ts";
import type { Script } from "../support/cancel-everywhere.ts";

/** Some work of so many milliseconds that must be cleaned up. */
const work = (scene: Scene, duration: number) => () =>
  scene.part(function* (): Script<number> {
    yield sleep(duration);
    yield sleep(0);
    return duration;
  });

test("gather() leaves nothing behind, when who awaits it is cancelled at any turn", async () => {
  const met = await cancelAtEachTurn({ milliseconds: 3, turns: 6 }, (scene) => {
    scene.victim("gatherer", function* (): Script {
      const job = (duration: number): (() => never) => scene.body(work(scene, duration));
      yield gather(job(1), createTask(job(2)), gather(job(1), job(2)));
      yield gather([job(1), job(0)], { returnExceptions: true });
    });
  });

  expect(met).toBeGreaterThan(50);
});

test("taskGroup() leaves nothing behind, when it is cancelled at any turn", async () => {
  const met = await cancelAtEachTurn({ milliseconds: 3, turns: 8 }, (scene) => {
    scene.victim("grouper", function* (): Script {
      yield taskGroup(
        scene.body(function* (outer: TaskGroup): Script {
          outer.createTask(scene.body(work(scene, 2)));
          yield taskGroup(
            scene.body(function* (inner: TaskGroup): Script {
              inner.createTask(scene.body(work(scene, 1)));
              yield* work(scene, 1)();
            }),
          );
          outer.createTask(scene.body(work(scene, 1)));
        }),
      );
    });
  });

  expect(met).toBeGreaterThan(50);
});

test("taskGroup() that fails keeps the cancellation, when one comes at any turn", async () => {
  const met = await cancelAtEachTurn({ milliseconds: 2, turns: 10 }, (scene) => {
    scene.victim("failing", function* (): Script {
      try {
        yield taskGroup(
          scene.body(function* (group: TaskGroup): Script {
            group.createTask(scene.body(work(scene, 5)));
            group.createTask(
              scene.body(function* (): Script {
                yield sleep(1);
                throw new RangeError("broken");
              }),
            );
            yield* work(scene, 5)();
          }),
        );
      } catch (error) {
        if (!(error instanceof ExceptionGroup)) throw error;
      }
      yield sleep(0);
      yield sleep(1);
    });
  });

  expect(met).toBeGreaterThan(50);
});

test("group.cancel() takes nobody else's cancellation back, when one comes at any turn", async () => {
  const met = await cancelAtEachTurn({ milliseconds: 3, turns: 10 }, (scene) => {
    scene.victim("cancelling", function* (): Script {
      yield taskGroup(
        scene.body(function* (group: TaskGroup): Script {
          group.createTask(scene.body(work(scene, 5)));
          group.createTask(
            scene.body(function* (): Script {
              yield sleep(1);
              group.cancel();
            }),
          );
          yield* work(scene, 5)();
        }),
      );
      yield sleep(1);
    });
  });

  expect(met).toBeGreaterThan(50);
});

test("timeout() takes nobody else's cancellation for its own, when one comes at any turn", async () => {
  const met = await cancelAtEachTurn({ milliseconds: 5, turns: 8 }, (scene) => {
    scene.victim("timed", function* (): Script {
      try {
        yield timeout(
          4,
          scene.body(function* (): Script {
            try {
              yield timeout(2, scene.body(work(scene, 10)));
            } catch (error) {
              if (!(error instanceof TimeoutError)) throw error;
            }
            yield moveOnAfter(1, scene.body(work(scene, 10)));
            yield* work(scene, 10)();
          }),
        );
      } catch (error) {
        if (!(error instanceof TimeoutError)) throw error;
      }
      yield waitFor(scene.body(work(scene, 1)), 10);
    });
  });

  expect(met).toBeGreaterThan(80);
});

test("timeouts with one deadline take nobody else's cancellation for theirs, when one comes at any turn", async () => {
  const met = await cancelAtEachTurn({ milliseconds: 2, turns: 8 }, (scene) => {
    scene.victim("timed", function* (): Script {
      yield moveOnAfter(
        1,
        scene.body(function* (): Script {
          yield moveOnAfter(
            1,
            scene.body(function* (): Script {
              yield moveOnAfter(1, scene.body(work(scene, 10)));
            }),
          );
        }),
      );
      yield sleep(0);
      yield sleep(1);
    });
  });

  expect(met).toBeGreaterThan(30);
});

test("shield() leaves only its own job, which ends, when its awaiter is cancelled at any turn", async () => {
  const met = await cancelAtEachTurn({ milliseconds: 3, turns: 6 }, (scene) => {
    scene.victim("shielding", function* (): Script {
      const saved = createTask(scene.body(work(scene, 2)) as () => never) as Task<unknown>;
      try {
        yield timeout(
          1,
          scene.body(function* (): Script {
            yield shield(saved);
          }),
        );
      } catch (error) {
        if (!(error instanceof TimeoutError)) throw error;
      }
      yield shield(saved) as Future<unknown>;
    });
  });

  expect(met).toBeGreaterThan(30);
});

test("shielded() ends its region and lets the cancellation through after it, when one comes at any turn", async () => {
  const met = await cancelAtEachTurn({ milliseconds: 4, turns: 6 }, (scene) => {
    let began = 0;
    let ended = 0;
    scene.victim("shielded", function* (): Script {
      try {
        yield* work(scene, 1)();
      } finally {
        yield shielded(
          scene.body(function* (): Script {
            began++;
            yield gather(scene.body(work(scene, 1)), sleep(2));
            ended++;
          }),
        );
      }
      if (began !== ended) throw new Error("the region was cut short");
      yield sleep(0);
    });
  });

  expect(met).toBeGreaterThan(40);
});

test("wait() and asCompleted() leave nothing behind, when who awaits them is cancelled at any turn", async () => {
  const met = await cancelAtEachTurn({ milliseconds: 4, turns: 8 }, (scene) => {
    scene.victim("waiting", function* (): Script {
      const jobs = [1, 2, 3].map((duration) => createTask(scene.body(work(scene, duration)) as () => never) as Task<unknown>);
      try {
        const { pending } = yield wait(jobs, { returnWhen: FIRST_COMPLETED, timeout: 10 });
        if (pending.size !== 2) throw new Error(`${pending.size} are pending`);
        for (const next of asCompleted(jobs, { timeout: 10 })) yield next;
      } finally {
        for (const job of jobs) job.cancel();
        yield shielded(
          scene.body(function* (): Script {
            yield wait(jobs);
          }),
        );
      }
    });
  });

  expect(met).toBeGreaterThan(60);
});

test("staggeredRace() leaves nothing behind, when it is cancelled at any turn", async () => {
  const met = await cancelAtEachTurn({ milliseconds: 4, turns: 8 }, (scene) => {
    scene.victim("racing", function* (): Script {
      const { winner } = yield staggeredRace(
        [
          scene.body(work(scene, 10)),
          scene.body(function* (): Script<number> {
            yield sleep(1);
            throw new RangeError("lost");
          }),
          scene.body(work(scene, 1)),
        ],
        1,
      );
      if (winner !== 2) throw new Error(`the winner is ${winner}`);
    });
  });

  expect(met).toBeGreaterThan(50);
});

test("scopes nested over several tasks leave nothing behind, when any of the tasks is cancelled at any turn", async () => {
  const met = await cancelAtEachTurn({ milliseconds: 5, turns: 6 }, (scene) => {
    const worker = scene.victim("worker", function* (): Script {
      yield taskGroup(
        scene.body(function* (group: TaskGroup): Script {
          group.createTask(scene.body(work(scene, 2)));
          yield gather(scene.body(work(scene, 1)), scene.body(work(scene, 2)));
          yield moveOnAfter(1, scene.body(work(scene, 9)));
        }),
      );
    });
    // It awaits another task: cancelling either must leave a trace in the other only where asyncio has one.
    scene.victim("watcher", function* (): Script {
      yield worker.join();
      yield wait([worker]);
      try {
        yield timeout(
          2,
          scene.body(function* (): Script {
            yield shield(worker);
          }),
        );
      } catch (error) {
        // The worker's cancellation arrives here as an error of the same kind as one's own.
        if (isCancelled(error) && !worker.cancelled()) throw error;
      }
    });
  });

  expect(met).toBeGreaterThan(80);
});
