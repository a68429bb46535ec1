/** The laws of progress: what is told is true at any time, and the last state is told, in any order, whoever is cancelled when. */

import {
  createTask,
  currentTask,
  onProgress,
  type Progress,
  Queue,
  QueueShutDown,
  reportProgress,
  sleep,
  type Task,
  track,
} from "tsyncio";
import { holds, law, type Script, type Stage } from "../testing/laws/scenario.ts";

/** What tasks have said, as the test itself counts it. */
class Reports {
  readonly done = new Map<Task<unknown>, number>();
  readonly main = currentTask() as Task<unknown>;

  /** Reports so many units, one in a turn or two. */
  *count(units: number): Script {
    const task = currentTask() as Task<unknown>;
    reportProgress({ done: 0, total: units, unit: "units" });
    this.done.set(task, 0);
    for (let done = 1; done <= units; done++) {
      yield sleep(done % 2);
      reportProgress({ advance: 1 });
      this.done.set(task, done);
    }
  }

  get sum(): number {
    return [...this.done.values()].reduce((sum, each) => sum + each, 0);
  }
}

function isSound({ done, total, fraction, rate, eta, elapsed, children }: Progress): boolean {
  const inRange = (value: number | undefined, most: number): boolean => value === undefined || (value >= 0 && value <= most);
  return (
    inRange(done, Number.MAX_VALUE) &&
    inRange(total, Number.MAX_VALUE) &&
    inRange(fraction, 1) &&
    inRange(rate, Number.MAX_VALUE) &&
    inRange(eta, Number.MAX_VALUE) &&
    inRange(elapsed, Number.MAX_VALUE) &&
    children.every(isSound)
  );
}

law("task.progress, is the sum of what the tasks below have said, or how many of them have ended", function* (stage: Stage) {
  const reports = new Reports();
  const { main } = reports;
  for (const units of [1, 2, 3]) stage.actor(`counter-${units}`, () => reports.count(units));
  let inner: Task<void> | undefined;
  stage.actor("nested", function* (): Script {
    inner = createTask(stage.body(() => reports.count(2)) as () => never);
    yield inner.join();
  });
  stage.always(() => {
    const { progress } = main;
    if (progress === undefined) return;
    holds(isSound(progress), `the numbers are sound: ${JSON.stringify(progress)}`);
    if (progress.unit === "units") holds(progress.done === reports.sum, `${reports.sum} units are done, not ${progress.done}`);
    else holds(progress.unit === "tasks" && progress.done <= stage.actors.length, `it counts tasks: ${progress.done}`);
  });
  stage.atEnd(() => {
    const { progress } = main;
    holds(progress?.state === (main.cancelled() ? "cancelled" : "finished"), `it says how it has ended: ${progress?.state}`);
    if (!stage.undisturbed() || inner?.cancelled()) return;
    holds(
      progress?.unit === "units" && progress.done === 8 && progress.total === 8,
      `8 of 8 units, not ${JSON.stringify(progress)}`,
    );
  });
  yield sleep(0);
});

law("onProgress(), tells the end of each task once, with all that it has said, and nothing after", function* (stage: Stage) {
  const reports = new Reports();
  const told = new Map<number, Progress[]>();
  const stop = onProgress((progress) => void told.set(progress.id, [...(told.get(progress.id) ?? []), progress]), {
    interval: 1,
  });
  for (const units of [1, 3]) stage.actor(`counter-${units}`, () => reports.count(units));
  stage.atEnd(() => {
    stop();
    for (const [task, done] of reports.done) {
      const ends = (told.get(task.id) ?? []).filter((each) => each.state !== "running");
      holds(ends.length === 1, `the end of ${task.name} is told once, not ${ends.length} times`);
      holds(ends[0]?.state === (task.cancelled() ? "cancelled" : "finished"), `${task.name} ended ${ends[0]?.state}`);
      holds(ends[0]?.done === done, `${task.name} has done ${done}, not ${ends[0]?.done}`);
    }
    const { main } = reports;
    const last = told.get(main.id)?.at(-1);
    if (reports.done.size > 0)
      holds(last?.state === main.progress?.state, `the end of the main task is told last: ${last?.state}`);
  });
  yield sleep(0);
});

law("a Queue, reports what was put and what is done, neither more nor less", function* (stage: Stage) {
  const main = currentTask() as Task<unknown>;
  const queue = new Queue<number>(2);
  let put = 0;
  let done = 0;
  /** Until there is nothing to put or to get any more. */
  const open = (work: () => Script) =>
    function* (): Script {
      try {
        yield* work();
      } catch (error) {
        if (!(error instanceof QueueShutDown)) throw error;
      }
    };
  stage.actor(
    "producer",
    open(function* () {
      for (let n = 0; n < 4; n++) {
        yield queue.put(n);
        put++;
      }
    }),
  );
  for (const name of ["a", "b"]) {
    stage.actor(
      name,
      open(function* () {
        for (let n = 0; n < 2; n++) {
          yield queue.get();
          try {
            yield sleep(n);
          } finally {
            queue.taskDone();
            done++;
          }
        }
      }),
    );
  }
  stage.always(() => {
    const { progress } = main;
    if (progress?.unit !== "items") return;
    holds(progress.done === done, `${done} items are done, not ${progress.done}`);
    // One that is being put is in the queue before the producer goes on.
    holds(progress.total === put || progress.total === put + 1, `${put} items were put, not ${progress.total}`);
  });
  stage.atEnd(() => {
    const { progress } = main;
    if (done > 0)
      holds(progress?.done === done && progress.unit === "items", `it counts ${done} items: ${JSON.stringify(progress)}`);
  });
  yield sleep(5);
  // Whoever was cancelled leaves others waiting. What is dropped counts as done.
  done += queue.qsize();
  queue.shutdown({ immediate: true });
});

law("track(), counts each item once, whoever ends the loop", function* (stage: Stage) {
  const tracked: { task: Task<unknown>; begun: number }[] = [];
  for (const total of [2, 4]) {
    stage.actor(`loop-${total}`, function* (): Script {
      const entry = { task: currentTask() as Task<unknown>, begun: 0 };
      tracked.push(entry);
      for (const _ of track(Array(total))) {
        entry.begun++;
        yield sleep(entry.begun % 2);
      }
      entry.begun++;
    });
  }
  const check = (): void => {
    for (const { task, begun } of tracked) {
      const done = task.progress?.done ?? 0;
      holds(done === Math.max(0, begun - 1) || done === begun, `${begun} were begun, and ${done} are done`);
    }
  };
  stage.always(check);
  stage.atEnd(check);
  yield sleep(0);
});
