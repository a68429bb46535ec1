/** The laws of shield and shielded. */

import {
  createTask,
  currentTask,
  isCancelled,
  moveOnAfter,
  shield,
  shielded,
  sleep,
  type Task,
  type TaskGroup,
  TimeoutError,
  taskGroup,
  timeout,
  wait,
} from "tsyncio";
import { holds, law, requests, type Script, Work } from "./scenario.ts";

law("shield(), lets its job end undisturbed, when who awaits it is cancelled or late", function* (stage) {
  const work = new Work(stage);
  const job = createTask(
    stage.body(() => work.run(3, "saved")),
    { name: "job" },
  ) as Task<string>;
  const awaiters: Task<unknown>[] = [];
  for (const [name, limit] of [
    ["A", 9],
    ["B", 1],
    ["C", 3],
  ] as const) {
    const awaiter = stage.actor(name, function* () {
      try {
        const value = yield timeout(
          limit,
          stage.body(function* (): Script<string> {
            return yield shield(job);
          }),
        );
        holds(value === "saved" && job.done(), "its result is that of the job");
      } catch (error) {
        if (isCancelled(error)) holds(requests() > 0 || job.cancelled(), "an awaiter is cancelled, or else the job is");
        if (isCancelled(error) && requests() === 0) return;
        if (!(error instanceof TimeoutError)) throw error;
        holds(limit < 9, "whoever has time is not late");
      }
      holds(requests() === 0, "no request is left");
    });
    awaiters.push(awaiter);
  }
  try {
    yield* stage.watch(() => {});
  } finally {
    const cancelled = awaiters.some((awaiter) => awaiter.cancelling() > 0) || requests() > 0;
    yield shielded(
      stage.body(function* (): Script {
        yield wait([job]);
      }),
    );
    // Nobody passes a cancellation on: if an awaiter was cancelled, the job was not.
    if (cancelled) holds(!job.cancelled() && work.ended === 1, "the job has ended well");
  }
});

law("shielded(), runs its body to the end, whatever comes meanwhile, and then tells of it", function* (stage) {
  const work = new Work(stage);
  let begun = 0;
  let ended = 0;
  for (const name of ["A", "B", "C"]) {
    stage.actor(name, function* () {
      const region = stage.body(function* (): Script<string> {
        begun++;
        yield taskGroup(
          stage.body(function* (group: TaskGroup): Script {
            group.createTask(stage.body(() => work.run(2, 0)));
            yield* work.run(1, 0);
          }),
        );
        yield sleep(0);
        const inner = yield moveOnAfter(
          1,
          stage.body(function* (): Script {
            yield sleep(5);
          }),
        );
        holds(inner.timedOut, "a timeout inside of a region ends its body");
        ended++;
        return name;
      });
      if (name === "A") {
        const value = yield shielded(region);
        holds(value === name && requests() === 0, "a region gives its value, unless a cancellation came meanwhile");
      } else if (name === "B") {
        try {
          yield sleep(1);
        } finally {
          yield shielded(region);
        }
      } else {
        const outcome = yield moveOnAfter(
          1,
          stage.body(function* (): Script {
            yield shielded(
              stage.body(function* (): Script {
                yield shielded(region);
                yield sleep(0);
              }),
            );
            holds(false, "the time was over meanwhile, so it is told here");
          }),
        );
        holds(outcome.timedOut && requests() === 0, "a timeout around a region is told when it has ended");
      }
      yield sleep(0);
    });
  }
  stage.atEnd(() => {
    holds(begun === ended, `${begun} regions began, and ${ended} ended`);
  });
});

law(
  "shielded(), keeps a cancellation for after it, when it came before the first wait, or when an error goes first",
  function* (stage) {
    let begun = 0;
    let ended = 0;
    for (const name of ["own", "failing"]) {
      stage.actor(name, function* () {
        const region = stage.body(function* (): Script {
          begun++;
          yield sleep(1);
          yield sleep(0);
          ended++;
          if (name === "failing") throw new RangeError("failed inside");
        });
        if (name === "failing") {
          try {
            yield shielded(region);
          } catch (error) {
            if (!(error instanceof RangeError)) throw error;
          }
          const due = requests() > 0;
          yield sleep(0);
          holds(!due, "a cancellation that came meanwhile is told at the next wait");
        } else {
          const self = currentTask() as Task<unknown>;
          self.cancel();
          try {
            yield shielded(region);
            holds(false, "the request from before is told after the region");
          } catch (error) {
            // One of the requests is its own; another from outside is not.
            if (!isCancelled(error) || self.uncancel() > 0) throw error;
          }
        }
        yield sleep(1);
      });
    }
    stage.atEnd(() => holds(begun === ended, `${begun} regions began, and ${ended} ended`));
  },
);
