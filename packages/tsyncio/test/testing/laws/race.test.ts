/** The laws of race. */

import { createTask, getRunningLoop, isCancelled, Queue, race, sleep } from "tsyncio";
import { holds, law, requests, type Script, same, Work } from "./scenario.ts";

/** Whether it comes from a job that somebody else has cancelled: that is what comes out of the race then, as by `yield* task`. */
function wasAJobs(error: unknown): boolean {
  return isCancelled(error) && requests() === 0;
}

law("race(), has one winner, and no loser runs when it returns", function* (stage) {
  const work = new Work(stage);
  const queue = new Queue<string>();
  stage.actor("racer", function* () {
    for (let i = 0; i < 2; i++) {
      const job = (duration: number): (() => never) => stage.body(() => work.run(duration, `after ${duration}`));
      try {
        const value: string = yield race([job(3), job(1), createTask(job(2)), queue.get()]);
        holds(value === "after 1" || value === "item", `the winner is the first: ${value}`);
      } catch (error) {
        if (!wasAJobs(error)) throw error;
      }
      holds(work.begun === work.cleaned, `all have ended when it returns: ${work.begun} began, ${work.cleaned} are clean`);
    }
  });
  stage.actor("putter", function* () {
    yield sleep(1);
    queue.putNowait("item");
  });
  stage.atEnd(() => holds(queue.qsize() <= 1 && !String(queue).includes("getters"), `nobody waits at the end: ${queue}`));
});

law("race(), throws the first error and reports those of losers, whatever is cancelled meanwhile", function* (stage) {
  const work = new Work(stage);
  const failed: unknown[] = [];
  const told: unknown[] = [];
  getRunningLoop().setExceptionHandler((_, { exception }) => told.push(exception));
  const failing = (duration: number): (() => never) =>
    stage.body(function* (): Script {
      yield* work.run(duration, null);
      const error = new RangeError(`failed after ${duration}`);
      failed.push(error);
      throw error;
    });
  stage.actor("racer", function* () {
    try {
      yield race([stage.body(() => work.run(5, null)), failing(1), sleep(4), failing(1)]);
      holds(stage.actors[0]?.cancelling() === 1, "the first that ends is one that fails");
    } catch (error) {
      holds(work.begun === work.cleaned, "all have ended when it throws");
      if (error instanceof RangeError) told.push(error);
      else if (!wasAJobs(error)) throw error;
    }
  });
  stage.atEnd(() => same(told.map(String).sort(), failed.map(String).sort(), "the errors thrown or reported"));
});

law("race({ firstSuccess }), goes on past failures, and has all errors when none succeeds", function* (stage) {
  const work = new Work(stage);
  const failing = (duration: number): (() => never) =>
    stage.body(function* (): Script {
      yield* work.run(duration, null);
      throw new RangeError(String(duration));
    });
  stage.actor("lucky", function* () {
    const value: string = yield race([failing(1), stage.body(() => work.run(4, "slow")), sleep(3, "ok")], {
      firstSuccess: true,
    });
    holds(value === "ok", "the first success wins");
  });
  stage.actor("unlucky", function* () {
    try {
      yield race([failing(2), failing(1)], { firstSuccess: true });
      holds(false, "none succeeds");
    } catch (error) {
      if (isCancelled(error)) throw error;
      const { errors } = error as AggregateError;
      const messages = errors.map((each: Error, index) => (isCancelled(each) ? String(2 - index) : each.message));
      same(messages, ["2", "1"], "the errors");
    }
  });
});

law("race() in a race(), ends all that it has started, when it is decided or cancelled", function* (stage) {
  const work = new Work(stage);
  stage.actor("racer", function* () {
    const job = (duration: number): (() => never) => stage.body(() => work.run(duration, duration));
    try {
      const value: number = yield race([race([job(3), job(4)]), race([sleep(2, 2), sleep(5, 5)]), job(6)]);
      holds(value === 2, `the winner is the first: ${value}`);
    } catch (error) {
      if (!wasAJobs(error)) throw error;
    }
    holds(work.begun === work.cleaned, "all have ended when it returns");
  });
});
