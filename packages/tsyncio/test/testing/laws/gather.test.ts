/** The laws of gather. */

import { CancelledError, createTask, type Future, gather, isCancelled, shielded, type Task, wait } from "tsyncio";
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

/** While somebody who is cancelled awaits gather(), all its children that are left have been cancelled, too. */
function tellsAll(stage: Stage, awaiter: () => Task<unknown>, jobs: readonly Task<unknown>[]): void {
  stage.always(() => {
    if (awaiter().done() || awaiter().cancelling() === 0) return;
    for (const job of jobs) holds(job.done() || job.cancelling() > 0, `${job.name} is told of the cancellation`);
  });
}

/** Waits for all of them, even if cancelled meanwhile. */
function endOf(stage: Stage, tasks: readonly Task<unknown>[]): Future<void> {
  return shielded(
    stage.body(function* (): Script {
      yield wait(tasks);
    }),
  ) as never;
}

law("gather() with returnExceptions, gives each outcome in its place, all children done, however it ends", function* (stage) {
  const work = new Work(stage);
  const gatherer = stage.actor("gatherer", function* () {
    const jobs = children(stage, work, [2, -1, 1, 0]);
    tellsAll(stage, () => gatherer, jobs);
    try {
      const results: unknown[] = yield gather([...jobs, jobs[0] as Task<number>], { returnExceptions: true });
      holds(requests() === 0, "whoever was cancelled is told so, and not given results");
      holds(results.length === 5 && work.begun <= 4, "one given twice runs once");
      holds(results[4] === results[0] || jobs[0]?.cancelled() === true, "and its result is given twice");
      for (const [index, job] of jobs.entries()) {
        const outcome = job.cancelled() ? isCancelled(results[index]) : results[index] === (job.exception() ?? job.result());
        holds(outcome, `in place ${index} is the outcome of the job there`);
        holds(job.cancelled() || (job.exception() !== null) === (index === 1), "the second fails and no other");
      }
    } catch (error) {
      if (!isCancelled(error)) throw error;
      holds(requests() > 0, "it is cancelled only if its awaiter is");
      throw error;
    } finally {
      for (const job of jobs) holds(job.done(), `${job.name} is done when gather() is`);
    }
  });
});

law("gather(), tells the first error at once and leaves the other children alone", function* (stage) {
  const work = new Work(stage);
  stage.actor("gatherer", function* () {
    const jobs = children(stage, work, [3, -1, 2]);
    let told: unknown;
    try {
      try {
        const results: number[] = yield gather(jobs);
        holds(false, `one fails, so there are no results, but ${results}`);
      } catch (error) {
        if (isCancelled(error) && requests() > 0) throw error;
        told = error;
        // As in asyncio, an error that was on its way when the awaiter was cancelled comes in place of the cancellation.
        if (requests() > 0) throw new CancelledError();
        const [slow, failing, other] = jobs as [Task<number>, Task<number>, Task<number>];
        // Without cancellations, the failing one is done and no other; a child that is cancelled counts as one that fails.
        const first = jobs.filter((job) => job.done() && (job.cancelled() || job.exception() !== null));
        holds(first.length > 0, "one that failed is done");
        if (first.length === 1 && first[0] === failing && !failing.cancelled() && !slow.cancelling() && !other.cancelling()) {
          holds(error === failing.exception(), "the error is that of the one that failed");
          if (stage.inOrder) holds(!slow.done() && !other.done(), "the others go on");
        }
        if (isCancelled(error))
          holds(
            first.some((job) => job.cancelled()),
            "a child was cancelled",
          );
      }
    } finally {
      yield endOf(stage, jobs);
    }
    // At most one of them was cancelled, by the test; nobody else was, by an error of another.
    holds(told !== undefined, "an error was told");
    const cancelled = jobs.filter((job) => job.cancelling() > 0);
    holds(cancelled.length <= 1, `one was cancelled at most, not ${cancelled.map((job) => job.name)}`);
  });
});

law("gather() of gather(), cancels all that are left, when who awaits it is cancelled", function* (stage) {
  const work = new Work(stage);
  const gatherer = stage.actor("gatherer", function* () {
    const jobs = children(stage, work, [1, 2, 0, 1]);
    tellsAll(stage, () => gatherer, jobs);
    const [a, b, c, d] = jobs as [Task<number>, Task<number>, Task<number>, Task<number>];
    try {
      const results: unknown[] = yield gather([a, gather([b, c], { returnExceptions: true }), d], { returnExceptions: true });
      const inner = results[1] as (number | CancelledError)[];
      same(
        [results[0], ...inner, results[2]].filter((each) => !isCancelled(each)),
        [1, 2, 0, 1].filter((_, i) => !jobs[i]?.cancelled()),
        "results",
      );
    } finally {
      for (const job of jobs) holds(job.done(), `${job.name} is done`);
    }
  });
});
