/** The laws of wait, asCompleted and waitFor. */

import {
  ALL_COMPLETED,
  asCompleted,
  createTask,
  FIRST_COMPLETED,
  FIRST_EXCEPTION,
  type Future,
  isCancelled,
  type Operation,
  shielded,
  sleep,
  type Task,
  TimeoutError,
  wait,
  waitFor,
} from "tsyncio";
import { holds, law, requests, type Script, type Stage, same, Work } from "./scenario.ts";

/** Starts children of some milliseconds each; a negative number is for one that fails. */
function children(stage: Stage, work: Work, durations: readonly number[]): Task<number>[] {
  return durations.map((duration) =>
    createTask(
      stage.body(function* (): Script<number> {
        yield* work.run(Math.abs(duration), duration);
        if (duration < 0) throw new RangeError(`failed after ${-duration}`);
        return duration;
      }),
      { name: `child ${duration}` },
    ),
  );
}

/** Waits for all of them, even if cancelled meanwhile, and checks that whoever waited for them cancelled none. */
function* endOf(stage: Stage, tasks: readonly Task<unknown>[]): Script {
  yield shielded(
    stage.body(function* (): Script {
      yield wait(tasks);
    }),
  );
  const cancelled = tasks.filter((task) => task.cancelling() > 0);
  for (const task of tasks) if (!task.cancelled()) task.exception();
  holds(cancelled.length <= 1, `one was cancelled at most, by the test, not ${cancelled.map((task) => task.name)}`);
}

const failed = (task: Task<number>): boolean => task.done() && !task.cancelled() && task.exception() !== null;

for (const [returnWhen, enoughAt, isEnough] of [
  [FIRST_COMPLETED, 0, (tasks: Task<number>[]) => tasks.some((task) => task.done())],
  [FIRST_EXCEPTION, 1, (tasks: Task<number>[]) => tasks.some(failed) || tasks.every((task) => task.done())],
  [ALL_COMPLETED, 3, (tasks: Task<number>[]) => tasks.every((task) => task.done())],
] as const) {
  law(`wait() for ${returnWhen}, returns no sooner and no later, with each in its set, and cancels nobody`, function* (stage) {
    const work = new Work(stage);
    stage.actor("waiter", function* () {
      const jobs = children(stage, work, [3, -1, 0, 2]);
      try {
        for (const timeout of [undefined, 1, undefined]) {
          const start = stage.t.now();
          const { done, pending }: { done: Set<Task<number>>; pending: Set<Task<number>> } = yield wait(jobs, {
            returnWhen,
            timeout,
          });
          same(
            [...done],
            jobs.filter((job) => job.done()),
            "those done, in the order given,",
          );
          same(
            [...pending],
            jobs.filter((job) => !job.done()),
            "those pending, in the order given,",
          );
          const now = stage.t.now();
          const late = timeout !== undefined && now >= start + timeout;
          holds(late || isEnough(jobs), "it has returned because there was enough, or the time was over");
          // A job that is cancelled is over sooner, and does not count as one that failed.
          const expected = Math.max(start, Math.min(enoughAt, start + (timeout ?? Number.POSITIVE_INFINITY)));
          const told = jobs.some((job) => job.cancelling() > 0);
          holds(told || now === expected, `it returns at ${expected} ms, not at ${now}`);
        }
      } finally {
        yield* endOf(stage, jobs);
      }
    });
  });
}

law("asCompleted(), hands each out once, as they are completed, however it is asked", function* (stage) {
  const work = new Work(stage);
  stage.actor("taker", function* () {
    const jobs = children(stage, work, [2, 0, -1, 1]);
    const order: unknown[] = [];
    for (const job of jobs) job.addDoneCallback((done) => order.push(done));
    const taken: unknown[] = [];
    try {
      const completed = asCompleted(jobs);
      for (const next of completed) {
        try {
          const value: number = yield next;
          taken.push(jobs.find((job) => job.done() && !job.cancelled() && job.exception() === null && job.result() === value));
        } catch (error) {
          if (requests() > 0) throw error;
          taken.push(jobs.find((job) => (isCancelled(error) ? job.cancelled() : failed(job) && job.exception() === error)));
        }
        same(taken, order.slice(0, taken.length), "those handed out");
        if (taken.length === 2 && stage.spelling === "await") break;
      }
      const rest = completed[Symbol.asyncIterator]();
      while (taken.length < 4) {
        const { value } = (yield rest.next() as never) as { value: Future<number> };
        holds(value.done(), "what is handed out is done");
        taken.push(value);
        same(taken, order.slice(0, taken.length), "those handed out");
      }
      holds([...completed].length === 0, "all have been handed out");
    } finally {
      yield* endOf(stage, jobs);
    }
  });
});

law("asCompleted() for several tasks, wakes another one, when who was woken is cancelled", function* (stage) {
  const work = new Work(stage);
  const jobs = children(stage, work, [1, 2, 5, 5]);
  const nexts = [...asCompleted(jobs, { timeout: 3 })];
  let completed = 0;
  let handed = 0;
  let late = 0;
  let asking = 0;
  for (const job of jobs) job.addDoneCallback(() => completed++);
  for (const [index, name] of ["A", "B", "C", "D"].entries()) {
    stage.actor(name, function* () {
      // The last two may come between a completion and the step of whoever is woken for it.
      if (index > 1) yield sleep(index - 1);
      asking++;
      try {
        yield nexts[index] as Operation<number>;
        handed++;
      } catch (error) {
        if (error instanceof TimeoutError) late++;
        else if (requests() > 0 || !isCancelled(error)) throw error;
        else handed++;
      } finally {
        asking--;
      }
    });
  }
  try {
    yield* stage.watch(() => {
      const due = stage.t.now() >= 3 || completed > handed;
      holds(asking === 0 || !due, `${asking} wait, though ${completed} are completed and ${handed} handed out`);
    });
    holds(late === 0 || stage.t.now() >= 3, "nobody is late before it is time");
  } finally {
    yield* endOf(stage, jobs);
  }
});

law("waitFor(), gives a result or an error when the job has ended, and takes back what it requested", function* (stage) {
  const work = new Work(stage);
  let started = 0;
  for (const [name, limit, asTask] of [
    ["early", 1, false],
    ["even", 2, false],
    ["ample", 3, false],
    ["task", 1, true],
    ["both", 2, true],
  ] as const) {
    stage.actor(name, function* () {
      const job = stage.body(function* (): Script<string> {
        if (!asTask) started++;
        return yield* work.run(2, name);
      });
      const task = asTask ? createTask(job, { name: `job of ${name}` }) : undefined;
      const begun = work.begun - work.cleaned;
      holds(begun >= 0, "what was cleaned up had begun");
      let outcome: unknown;
      try {
        outcome = yield waitFor(task ?? job, limit);
        holds(outcome === name, `the result is the job's own, not ${outcome}`);
        holds(limit > 1 || task !== undefined || !stage.inOrder, "whoever has too little time is late");
      } catch (error) {
        // The job's own cancellation by the test comes as an error, too.
        if (isCancelled(error) && requests() === 0) holds(task?.cancelled() === true, "only a job that was cancelled ends so");
        else if (!(error instanceof TimeoutError)) throw error;
        else holds(stage.t.now() >= limit, "nobody is late before it is time");
      } finally {
        if (task !== undefined) holds(task.done(), "the job has ended when waitFor() has");
      }
      holds(requests() === 0, "no request is left");
      yield sleep(0);
      yield sleep(1);
    });
  }
  stage.atEnd(() => holds(!stage.undisturbed() || started === 3, "each job has begun"));
});
