/** The laws of taskGroup. */

import { ExceptionGroup, isCancelled, sleep, type Task, type TaskGroup, taskGroup } from "tsyncio";
import { holds, law, requests, type Script, type Stage, Work } from "./scenario.ts";

/** A group whose children are counted: none outlives it. */
function* counted(stage: Stage, body: (start: Start, group: TaskGroup) => Script<unknown>): Script<Task<unknown>[]> {
  const children: Task<unknown>[] = [];
  try {
    yield taskGroup(
      stage.body(function* (group: TaskGroup): Script {
        const start: Start = (name, script) => {
          const child = group.createTask(stage.body(script), { name });
          children.push(child as Task<unknown>);
          return child;
        };
        yield* body(start, group);
      }),
    );
    return children;
  } finally {
    for (const child of children) holds(child.done(), `${child.name} has ended before its group`);
  }
}

type Start = (name: string, script: () => Script<unknown>) => Task<unknown>;

law("taskGroup(), ends when all its tasks have ended, those of inner groups and late ones, too", function* (stage) {
  const work = new Work(stage);
  stage.actor("owner", function* () {
    let inner: Task<unknown>[] = [];
    const outer = yield* counted(stage, function* (start) {
      start("outer", () => work.run(3, 0));
      start("spawning", function* () {
        yield sleep(1);
        start("late", () => work.run(1, 0));
      });
      inner = yield* counted(stage, function* (startInner) {
        startInner("inner", () => work.run(2, 0));
        yield* work.run(1, 0);
      });
    });
    holds(requests() === 0, "no request is left");
    if ([...outer, ...inner].every((child) => child.cancelling() === 0))
      holds(work.ended === 4, `all have run to their end: ${work.ended}`);
    yield sleep(0);
  });
});

law("taskGroup(), cancels the rest and tells all errors, when tasks fail", function* (stage) {
  const work = new Work(stage);
  stage.actor("owner", function* () {
    let children: Task<unknown>[] = [];
    let caught: unknown;
    try {
      yield* counted(stage, function* (start) {
        children = [
          start("endless", () => work.run(50, 0)),
          start("failing", function* () {
            yield sleep(1);
            throw new RangeError("first");
          }),
          start("failing in cleanup", function* () {
            try {
              yield* work.run(50, 0);
            } finally {
              holds(false, "second");
            }
          }),
        ];
        yield* counted(stage, function* (startInner) {
          startInner("inner", () => work.run(50, 0));
          yield* work.run(50, 0);
        });
      });
    } catch (error) {
      caught = error;
      if (!(error instanceof ExceptionGroup)) throw error;
    }
    const errors = children.filter((child) => !child.cancelled()).flatMap((child) => child.exception() ?? []);
    const told: readonly unknown[] = caught instanceof ExceptionGroup ? caught.errors : [];
    holds(told.length === errors.length && errors.every((error) => told.includes(error)), `told are all errors: ${told}`);
    holds(work.ended === 0 || children[1]?.cancelled() === true, "nobody has run to its end, if one has failed");
    // Its errors go first. A cancellation from outside is not lost over them: it comes at the next wait.
    const due = requests() > 0;
    try {
      yield sleep(0);
      holds(!due, "a cancellation that came as the group failed is told at the next wait");
    } catch (error) {
      holds(requests() > 0, "nobody is cancelled without a request");
      throw error;
    }
    yield sleep(1);
  });
});

law("TaskGroup.cancel(), ends the group without an error and without a request left, when a task does it", function* (stage) {
  for (const name of ["busy", "idle"]) {
    const work = new Work(stage);
    stage.actor(name, function* () {
      let cancelled = false;
      yield* counted(stage, function* (start, group) {
        start("endless", () => work.run(50, 0));
        start("cancelling", function* () {
          yield sleep(1);
          cancelled = true;
          group.cancel();
          group.cancel();
        });
        // The body of the one waits when its group is cancelled, that of the other has ended.
        if (name === "idle") return;
        yield* counted(stage, function* (startInner) {
          startInner("inner", () => work.run(50, 0));
          yield* work.run(50, 0);
        });
        holds(!cancelled, "the body ends where it waits when its group is cancelled");
      });
      holds(requests() === 0, `no request is left, but ${requests()}`);
      if (cancelled) holds(work.ended === 0 || stage.t.now() >= 50, "nobody has run to its end");
      yield sleep(0);
      yield sleep(1);
    });
  }
});

law("taskGroup(), lets a cancellation from outside through, when its tasks take their time to end", function* (stage) {
  let ended = 0;
  let told: number | undefined;
  stage.always(() => {
    if (told === undefined && owner.cancelling() > 0) told = stage.t.now();
  });
  const owner = stage.actor("owner", function* () {
    let began = 0;
    try {
      yield* counted(stage, function* (start) {
        for (const name of ["A", "B"]) {
          start(name, function* () {
            began++;
            try {
              yield sleep(2);
            } catch (error) {
              // The cleanup takes a few turns, unless it is cancelled, too.
              holds(isCancelled(error), "nothing but a cancellation comes here");
              for (let i = 0; i < 3; i++) yield sleep(0);
              throw error;
            } finally {
              ended++;
            }
          });
        }
      });
    } finally {
      holds(ended === began, `${began} began and ${ended} have ended when the group has`);
      holds(
        told === undefined || told === stage.t.now(),
        `cancelled at ${told} ms, it does not wait for more than the cleanup`,
      );
    }
    holds(requests() === 0, "whoever was cancelled does not get here");
  });
});
